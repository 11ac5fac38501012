//! Header messages, one file each.
//!
//! Spec: IV.A.2 "Disk Format: Level 2A2 - Data Object Header Messages".

pub(crate) mod attribute;
pub(crate) mod dataspace;
pub(crate) mod datatype;
pub(crate) mod dense;
pub(crate) mod fill;
pub(crate) mod filter_pipeline;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod other;
#[cfg(test)]
mod tests;
