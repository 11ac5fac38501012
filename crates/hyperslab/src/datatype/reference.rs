//! References: pointers to objects, regions and attributes of the file.

use super::{Class, Datatype};

/// What a reference points at, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    /// An object, by its address.
    Object,
    /// A region of a dataset, by a place in the global heap.
    Region,
    /// An object, in the form of HDF5 1.12.
    RevisedObject,
    /// A region of a dataset, in the form of HDF5 1.12.
    RevisedRegion,
    /// An attribute, in the form of HDF5 1.12.
    Attribute,
}

/// A pointer to something in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What it points at.
    pub kind: ReferenceKind,
    /// Version of the encoding of its bytes; 0 for the forms before HDF5 1.12.
    pub encoding: u8,
}

impl Datatype {
    /// References to objects, in a file with eight-byte addresses.
    #[must_use]
    pub fn object_reference() -> Self {
        Self::new(8, 1, Class::Reference(Reference { kind: ReferenceKind::Object, encoding: 0 }))
    }

    /// References to regions of datasets, in a file with eight-byte addresses.
    #[must_use]
    pub fn region_reference() -> Self {
        Self::new(12, 1, Class::Reference(Reference { kind: ReferenceKind::Region, encoding: 0 }))
    }
}
