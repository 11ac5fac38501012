//! HDF5 virtual datasets and live files, fast and safe.
//!
//! hyperslab is its own engine: it reads and writes the HDF5 format itself, without libhdf5.

mod attribute;
mod attribute_write;
mod builder;
mod copy;
mod copy_elements;
mod copy_values;
mod dataset;
mod dataset_write;
mod datatype;
mod describe;
mod error;
mod file;
mod file_state;
mod file_status;
mod filter;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod group_write;
mod index;
mod layout;
mod limits;
mod live;
mod live_write;
mod location;
mod metadata;
mod missing_sources;
mod object;
mod open_files;
mod open_options;
mod raw_files;
mod reach;
mod read;
mod records;
mod recover;
mod reference;
mod remap;
mod slice;
mod source_policy;
mod sources;
mod space;
mod status;
mod storage;
mod stored;
mod swmr;
mod unnamed;
mod vds;
mod write_through;

pub use attribute::Attribute;
pub use attribute_write::AttributeData;
pub use builder::{Allocation, DatasetBuilder, FillTime};
pub use copy::CopyOptions;
pub use dataset::Dataset;
pub use datatype::{
    Array, Bitfield, ByteOrder, CharacterSet, Class, Complex, Compound, CompoundBuilder, Datatype, Element,
    Enumeration, FixedString, Float, Integer, LongFloat, Member, Normalization, Opaque, Record, Reference,
    ReferenceKind, StringPadding, Text, Time, Value, VariableKind, VariableLength,
};
pub use describe::{ObjectInfo, StoredChunk, StoredFilter};
pub use error::{Error, ErrorKind, Result};
pub use file::File;
pub use file_status::{FileStatus, status};
pub use filter::create::SzipCoding;
pub use format::bytes::Bounds;
pub use group::{Group, Link, LinkKind, NamedDatatype, Object};
#[cfg(feature = "derive")]
pub use hyperslab_derive::Record;
pub use limits::Limits;
pub use live::Follow;
pub use location::Location;
pub use missing_sources::{MissingSource, MissingSources};
pub use open_options::OpenOptions;
pub use reach::Damage;
pub use recover::{RecoverOptions, Recovery, clear, recover};
pub use reference::Referenced;
pub use source_policy::SourcePolicy;
pub use space::{AxisSlab, Blocks, Extent, Hyperslab, Points, Selection};
pub use status::{Gaps, MappingStatus, Problem, SourceFile};
pub use storage::holders::{HeldLock, Holder};
pub use storage::lock::Locking;
pub use storage::mount::Mount;
pub use storage::{ReadAt, WriteAt};
pub use swmr::growth::Growth;
pub use swmr::wait::WriterState;
pub use vds::access::{DatasetAccess, ExtentView};
pub use vds::layout::{VirtualLayout, VirtualSource};
pub use vds::mapping::VirtualMapping;
pub use vds::mappings::{VirtualMappings, VirtualMappingsIter};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
