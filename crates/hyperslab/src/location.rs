//! [`Location`]: where an object is; what groups, datasets and named datatypes have in common.

use crate::attribute::{self, Attribute};
use crate::error::{Place, Result};
use crate::file::File;
use crate::file_state::FileState;
use crate::format::bytes::Address;
use crate::object::header::Header;
use std::borrow::Cow;
use std::sync::Arc;

/// Where an object is: its file, its header, and the path it was reached by.
#[derive(Clone, Debug)]
pub struct Location {
    pub(crate) file: Arc<FileState>,
    pub(crate) address: Address,
    pub(crate) path: Arc<[u8]>,
}

/// `run.h5: /entry`, for errors.
pub(crate) fn place(file: &FileState, path: &[u8]) -> String {
    format!("{}: {}", file.place.path.display(), String::from_utf8_lossy(path))
}

impl Location {
    pub(crate) fn new(file: &Arc<FileState>, address: Address, path: &[u8]) -> Self {
        Self { file: Arc::clone(file), address, path: path.into() }
    }

    /// The path the object was reached by.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }

    /// The address of the object's header: the same for two locations exactly when they are the same
    /// object of one file.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address.0
    }

    /// The file the object is in.
    #[must_use]
    pub fn file(&self) -> File {
        File { state: Arc::clone(&self.file) }
    }

    /// The attributes, in the order they are stored.
    ///
    /// # Errors
    /// `Malformed` when their storage is broken.
    pub fn attributes(&self) -> Result<Vec<Attribute>> {
        let _reading = self.file.reading()?;
        let list = || self.header().and_then(|header| attribute::all(&self.file, &header));
        self.file.attempt(list).at(|| self.place())
    }

    /// The attribute of that name.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Malformed` when its storage is broken.
    pub fn attribute(&self, name: impl AsRef<[u8]>) -> Result<Attribute> {
        attribute::named(self.attributes()?, name.as_ref()).at(|| self.place())
    }

    pub(crate) fn header(&self) -> Result<Arc<Header>> {
        Header::open(self.file.metadata(), self.address)
    }

    /// `run.h5: /entry`, for errors.
    pub(crate) fn place(&self) -> String {
        place(&self.file, &self.path)
    }
}
