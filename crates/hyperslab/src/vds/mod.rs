//! Virtual datasets: many files seen as one dataset.

pub(crate) mod access;
pub(crate) mod extent;
pub(crate) mod gather;
mod interval;
pub(crate) mod layout;
pub(crate) mod mapping;
pub(crate) mod mappings;
pub(crate) mod source;
