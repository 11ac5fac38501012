//! References: from their bytes to the object, or the region of a dataset, they point at, and back.

use crate::dataset::Dataset;
use crate::datatype::ReferenceKind;
use crate::error::{Error, Place, Result};
use crate::file::File;
use crate::format::bytes::{Address, Cursor, Wire};
use crate::format::selection::{Oldest, StoredSelection};
use crate::group::Object;
use crate::location::Location;
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
                let region = |heap| self.state.attempt(|| self.region(heap, index));
                heap.map(region).transpose().at(place)
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
        let open = || Object::open(&self.state, referenced.address, path.as_bytes());
        self.state.attempt(open).at(|| self.path().display().to_string())
    }
}

impl Location {
    /// A reference to this object: one element of [`Datatype::object_reference`](crate::Datatype::object_reference).
    ///
    /// ```
    /// # use hyperslab::{AttributeData, Datatype, Extent, ReferenceKind};
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let scan = file.create_group("/scan")?;
    /// let data = AttributeData::from_bytes(Datatype::object_reference(), Extent::Scalar, scan.reference());
    /// file.root()?.set_attribute("last", data)?;
    /// let bytes = file.root()?.attribute("last")?.bytes()?.to_vec();
    /// let found = file.referenced(ReferenceKind::Object, &bytes)?.map(|found| found.address());
    /// assert_eq!(found, Some(scan.address()));
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    #[must_use]
    pub fn reference(&self) -> Vec<u8> {
        self.address.0.to_le_bytes().to_vec()
    }
}

impl Dataset {
    /// A reference to selected elements: one element of
    /// [`Datatype::region_reference`](crate::Datatype::region_reference). What is selected is stored in the file.
    ///
    /// # Errors
    /// `Usage` when the selection leaves the extent, or the file is open to read only; `Io` when it cannot be stored.
    pub fn region_reference(&self, selection: &Selection) -> Result<Vec<u8>> {
        let _writing = self.file.writing()?;
        let store = || {
            selection.check(self.extent().dims())?;
            let md = self.file.metadata();
            let mut object = self.address.0.to_le_bytes().to_vec();
            object.extend(md.encode(&StoredSelection::new(selection, Oldest::V110)?)?);
            let (collection, index) = self.file.objects.global_heap.insert(md, &object)?;
            Ok([collection.0.to_le_bytes().as_slice(), &index.to_le_bytes()].concat())
        };
        store().at(|| self.place())
    }
}
