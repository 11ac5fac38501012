//! HDF5 virtual datasets and live files, fast and safe.
//!
//! hyperslab is its own engine: it reads and writes the HDF5 format itself, without libhdf5.

mod datatype;
mod error;
mod filter;
mod format;
mod index;
mod layout;
mod metadata;
mod object;
mod space;
mod storage;
mod vds;

pub use datatype::{
    Array, Bitfield, ByteOrder, CharacterSet, Class, Complex, Compound, CompoundBuilder, Datatype, Element,
    Enumeration, FixedString, Float, Integer, LongFloat, Member, Normalization, Opaque, Reference,
    ReferenceKind, StringPadding, Time, Value, VariableKind, VariableLength,
};
pub use error::{Error, ErrorKind, Result};
pub use space::{AxisSlab, Blocks, Extent, Hyperslab, Points, Selection};
pub use vds::layout::{VirtualLayout, VirtualSource};
pub use vds::mapping::VirtualMapping;
