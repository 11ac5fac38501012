//! Following references: from the bytes of one to the object, or the region of a dataset, it points at.

use crate::datatype::ReferenceKind;
use crate::error::{Error, Place, Result};
use crate::file::File;
use crate::format::bytes::{Address, Cursor, Wire};
use crate::format::selection::StoredSelection;
use crate::group::Object;
use crate::space::Selection;

/// What a reference points at.
#[derive(Clone, Debug)]
pub struct Referenced {
    address: Address,
    selection: Option<Selection>,
}

impl Referenced {
    /// The address of the object's header, as [`Object::address`] gives it.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address.0
    }

    /// The selected elements, when the reference is to a region of a dataset.
    #[must_use]
    pub fn selection(&self) -> Option<&Selection> {
        self.selection.as_ref()
    }
}

impl File {
    /// What the reference with these `bytes`, an element of this file, points at; `None` for a null one.
    ///
    /// # Errors
    /// `Malformed` when the bytes are not a reference; `Unsupported` for the forms of HDF5 1.12.
    pub fn referenced(&self, kind: ReferenceKind, bytes: &[u8]) -> Result<Option<Referenced>> {
        let _reading = self.state.reading()?;
        let place = || format!("{}: reference", self.path().display());
        let mut cursor = Cursor::new(bytes, self.state.metadata().widths());
        match kind {
            ReferenceKind::Object => {
                let address = cursor.address().at(place)?.filter(|address| address.0 != 0);
                Ok(address.map(|address| Referenced { address, selection: None }))
            }
            ReferenceKind::Region => {
                let heap = cursor.address().at(place)?.filter(|address| address.0 != 0);
                let index = cursor.u32().at(place)?;
                heap.map(|heap| self.region(heap, index)).transpose().at(place)
            }
            ReferenceKind::RevisedObject | ReferenceKind::RevisedRegion | ReferenceKind::Attribute => {
                Err(Error::unsupported("references in the form of HDF5 1.12 are not followed")).at(place)
            }
        }
    }

    fn region(&self, heap: Address, index: u32) -> Result<Referenced> {
        let metadata = self.state.metadata();
        let stored = self.state.objects.global_heap.get(metadata, heap, index)?;
        let mut cursor = Cursor::new(&stored, metadata.widths());
        let address = cursor.address()?.ok_or_else(|| Error::malformed("a region has no dataset"))?;
        let selection = StoredSelection::read(&mut cursor).at(|| "selection")?.selection;
        Ok(Referenced { address, selection: Some(selection) })
    }

    /// The object a reference points at.
    ///
    /// # Errors
    /// `Malformed` when there is none, as for an object that was deleted.
    pub fn dereference(&self, referenced: &Referenced) -> Result<Object> {
        let _reading = self.state.reading()?;
        let path = format!("object at {}", referenced.address);
        Object::open(&self.state, referenced.address, path.as_bytes())
            .at(|| self.path().display().to_string())
    }
}
