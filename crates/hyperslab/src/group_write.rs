//! Changing groups: links made, moved and removed, and what they lead to.

use crate::builder::{DatasetBuilder, create_parents};
use crate::datatype::{Datatype, Element};
use crate::error::{Error, Place, Result};
use crate::format::bytes::Address;
use crate::format::message::link::{LinkMessage, LinkTarget};
use crate::format::object_header::{CONSTANT, RawMessage, kind};
use crate::group::{Group, NamedDatatype, Object, join};
use crate::location::{Location, place};
use crate::object::group::GroupOptions;
use crate::object::header::edit;
use crate::object::{self, links};
use std::sync::Arc;

impl Group {
    /// Makes a group, and the groups on the way to it.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let detector = file.root()?.create_group("/entry/instrument/detector")?;
    /// detector.create_ordered_group("frames")?;
    /// assert_eq!(detector.require_group("frames")?.path(), "/entry/instrument/detector/frames");
    /// assert!(file.create_group("entry").is_err());
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when something has its name, or the file is open to read only.
    pub fn create_group(&self, path: impl AsRef<[u8]>) -> Result<Self> {
        self.create_group_with(path.as_ref(), false)
    }

    /// Makes a group that remembers the order in which links are made in it.
    ///
    /// # Errors
    /// As [`create_group`](Self::create_group).
    pub fn create_ordered_group(&self, path: impl AsRef<[u8]>) -> Result<Self> {
        self.create_group_with(path.as_ref(), true)
    }

    fn create_group_with(&self, path: &[u8], track_order: bool) -> Result<Self> {
        let location =
            self.insert(path, |file| object::group::create(&file.objects, GroupOptions { track_order }))?;
        Ok(Self { location })
    }

    /// The group at a path, made when it is missing.
    ///
    /// # Errors
    /// As [`create_group`](Self::create_group), and `Usage` when the path leads to something else.
    pub fn require_group(&self, path: impl AsRef<[u8]>) -> Result<Self> {
        let path = path.as_ref();
        match self.group(path) {
            Err(error) if error.kind() == crate::error::ErrorKind::NotFound => self.create_group(path),
            found => found,
        }
    }

    /// Begins a dataset whose elements are `T`.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let data = file.root()?.new_dataset::<f32>().shape([100, 20]).deflate(4).create("x")?;
    /// assert_eq!(data.shape(), [100, 20]);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    pub fn new_dataset<T: Element>(&self) -> DatasetBuilder {
        self.new_dataset_of(&Datatype::of::<T>())
    }

    /// Begins a dataset whose elements are of a datatype.
    pub fn new_dataset_of(&self, datatype: &Datatype) -> DatasetBuilder {
        DatasetBuilder::new(self.clone(), datatype.clone())
    }

    /// Gives a datatype a name.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// use hyperslab::{Datatype, Element};
    /// let root = file.root()?;
    /// let counts = root.commit_datatype("counts", &Datatype::of::<u32>())?;
    /// root.new_dataset::<u32>().named_datatype(&counts).fill_value(7_u32).shape([3]).create("frame")?;
    /// assert_eq!(file.dataset("frame")?.read::<u32>()?.sum(), 21);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`create_group`](Self::create_group).
    pub fn commit_datatype(&self, path: impl AsRef<[u8]>, datatype: &Datatype) -> Result<NamedDatatype> {
        let location = self.insert(path.as_ref(), |file| {
            let md = file.metadata();
            let body = md.body(datatype)?;
            let message = RawMessage { kind: kind::DATATYPE, flags: CONSTANT, body };
            edit::create(md, vec![message], edit::Options { spare: edit::ROOM, ..edit::Options::default() })
        })?;
        Ok(NamedDatatype { location, datatype: datatype.clone() })
    }

    /// Makes an object and a link to it; what `make` made is left unused when its name is taken.
    pub(crate) fn insert(
        &self,
        path: &[u8],
        make: impl FnOnce(&Arc<crate::file_state::FileState>) -> Result<Address>,
    ) -> Result<Location> {
        let whole = || place(&self.file, &join(&self.location.path, path));
        let _writing = self.file.writing()?;
        let (parent, name) = create_parents(self, path).at(whole)?;
        let address = make(&parent.file).at(whole)?;
        parent.add_link(name, LinkTarget::Hard(address)).at(whole)?;
        Ok(Location::new(&parent.file, address, &join(&parent.path, name)))
    }

    /// Makes a link to a path, which need not lead anywhere yet.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let root = file.root()?;
    /// let data = root.new_dataset::<u8>().shape([2]).create("data")?;
    /// root.link_hard("same", &data)?;
    /// root.link_soft("newest", "/data")?;
    /// root.link_external("other", "other.h5", "/data")?;
    /// root.rename("data", "entry/data")?;
    /// assert!(root.dataset("newest").is_err() && root.dataset("same").is_ok());
    /// root.unlink("same")?;
    /// assert_eq!(root.links()?.len(), 3);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when something has its name, or the file is open to read only.
    pub fn link_soft(&self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Result<()> {
        self.insert_link(path.as_ref(), LinkTarget::Soft(target.as_ref().to_vec()))
    }

    /// Makes a link to a path in another file; neither needs to exist yet.
    ///
    /// # Errors
    /// As [`link_soft`](Self::link_soft).
    pub fn link_external(
        &self,
        path: impl AsRef<[u8]>,
        file: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<()> {
        let (file, path_there) = (file.as_ref().to_vec(), target.as_ref().to_vec());
        self.insert_link(path.as_ref(), LinkTarget::External { file, path: path_there })
    }

    /// Makes one more link to an object of this file.
    ///
    /// # Errors
    /// As [`link_soft`](Self::link_soft), and `Usage` for an object of another file.
    pub fn link_hard(&self, path: impl AsRef<[u8]>, object: &Location) -> Result<()> {
        if !Arc::ptr_eq(&self.file, &object.file) {
            let message = "the object is in another file, to which only an external link can lead";
            return Err(Error::usage(message).at(object.place()));
        }
        let path = path.as_ref();
        let whole = || place(&self.file, &join(&self.location.path, path));
        let objects = &self.file.objects;
        let _writing = self.file.writing()?;
        let (parent, name) = create_parents(self, path).at(whole)?;
        // Counted first: an object with too few links would go while one still leads to it.
        object::delete::link(objects, object.address).at(|| object.place())?;
        let linked = parent.add_link(name, LinkTarget::Hard(object.address)).at(whole);
        linked.inspect_err(|_| {
            // The first error is the one to tell.
            let _ = object::delete::unlink(objects, object.address, &mut |_, _| Ok(()), &mut |_| true);
        })
    }

    fn insert_link(&self, path: &[u8], target: LinkTarget) -> Result<()> {
        let whole = || place(&self.file, &join(&self.location.path, path));
        let _writing = self.file.writing()?;
        let (parent, name) = create_parents(self, path).at(whole)?;
        parent.add_link(name, target).at(whole)
    }

    /// Removes a link; the object goes with the last hard link to it.
    ///
    /// # Errors
    /// `NotFound` when there is no such link, `Usage` when the file is open to read only.
    pub fn unlink(&self, path: impl AsRef<[u8]>) -> Result<()> {
        let path = path.as_ref();
        let whole = || place(&self.file, &join(&self.location.path, path));
        let (parent, name) = self.parent_of(path)?;
        let _writing = parent.file.writing()?;
        let removed = links::remove(&parent.file.objects, parent.address, name).at(whole)?;
        match removed.target {
            LinkTarget::Hard(address) => parent.file.drop_link(address).at(whole),
            _ => Ok(()),
        }
    }

    /// Gives a link another name, perhaps in another group.
    ///
    /// # Errors
    /// `NotFound` when there is no such link, `Usage` when the new name is taken.
    pub fn rename(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let whole = || place(&self.file, &join(&self.location.path, from));
        let (parent, name) = self.parent_of(from)?;
        let _writing = self.file.writing()?;
        let (target, new) = create_parents(self, to).at(whole)?;
        if !Arc::ptr_eq(&parent.file, &target.file) {
            return Err(Error::usage("a link cannot move to another file").at(whole()));
        }
        let objects = &parent.file.objects;
        if parent.address == target.address {
            return links::rename(objects, parent.address, name, new).at(whole);
        }
        let header = parent.header().at(whole)?;
        let link = links::find(objects, &header, name).at(whole)?;
        let link = link.ok_or_else(|| crate::group::missing(name).at(parent.place()))?;
        target.add_link(new, link.target).at(whole)?;
        // Readers of a live file may find it in both places for a moment, but never in neither.
        objects.metadata.late(|| links::remove(objects, parent.address, name)).at(whole)?;
        Ok(())
    }

    /// The group that the last name of a path is in, and that name.
    fn parent_of<'p>(&self, path: &'p [u8]) -> Result<(Self, &'p [u8])> {
        let (before, name) = split(path);
        if name.is_empty() {
            return Err(Error::usage("the path has no name at its end").at(self.place()));
        }
        let parent = if before.is_empty() { self.clone() } else { self.group(before)? };
        Ok((parent, name))
    }

    /// Adds a link; the caller holds the gate.
    pub(crate) fn add_link(&self, name: &[u8], target: LinkTarget) -> Result<()> {
        let utf8 = !name.is_ascii();
        let link = LinkMessage { name: name.to_vec(), target, order: None, utf8 };
        links::insert(&self.file.objects, self.address, &link)
    }
}

/// A path without its last name, and that name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    let path = path.get(..end).unwrap_or_default();
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => path.split_at_checked(at + 1).unwrap_or((b"", path)),
        None => (b"", path),
    }
}

impl Object {
    /// As a link leads to it.
    pub(crate) fn into_group(self) -> Option<Group> {
        match self {
            Self::Group(group) => Some(group),
            _ => None,
        }
    }
}
