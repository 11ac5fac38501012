//! Objects that are made without a name: a link may give them one, and else they are left out of reach.

use crate::builder::DatasetBuilder;
use crate::dataset::Dataset;
use crate::error::{Error, Place, Result};
use crate::group::{Group, Object};
use crate::location::Location;
use crate::object::group::{self, GroupOptions};
use crate::object::header::edit;
use std::sync::Arc;

impl DatasetBuilder {
    /// Makes the dataset without a name; [`Group::link_hard`] can give it one.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_unnamed(&self) -> Result<Dataset> {
        let file = Arc::clone(&self.group().file);
        let _writing = file.writing()?;
        let address = self.make(&file).at(|| self.group().place())?;
        edit::set_link_count(file.metadata(), address, 0)?;
        match Object::open(&file, address, b"").at(|| self.group().place())? {
            Object::Dataset(dataset) => Ok(dataset),
            _ => Err(Error::usage("is not a dataset")),
        }
    }
}

impl Group {
    /// Makes a group without a name; [`link_hard`](Self::link_hard) can give it one.
    ///
    /// # Errors
    /// `Usage` when the file is open to read only.
    pub fn create_unnamed_group(&self, track_order: bool) -> Result<Self> {
        let _writing = self.file.writing()?;
        let address = group::create(&self.file.objects, GroupOptions { track_order }).at(|| self.place())?;
        edit::set_link_count(self.file.metadata(), address, 0)?;
        Ok(Self { location: Location::new(&self.file, address, b"") })
    }
}
