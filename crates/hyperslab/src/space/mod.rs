//! Dataspaces and selections: pure arithmetic on 64-bit coordinates, never element by element.

mod axis;
mod blocks;
mod disjoint;
mod extent;
mod hyperslab;
mod part;
mod points;
mod progression;
mod project;
mod ranks;
mod request;
mod selection;
mod shape;
mod shift;

pub use blocks::Blocks;
pub(crate) use disjoint::disjoint;
pub use extent::Extent;
pub(crate) use extent::{MAX_RANK, product};
pub use hyperslab::{AxisSlab, Hyperslab};
pub(crate) use part::{Part, PartAxis, Segment};
pub use points::Points;
pub(crate) use project::Mapper;
pub(crate) use request::parts;
pub use selection::Selection;
pub(crate) use shape::Shape;

#[cfg(test)]
mod tests;
