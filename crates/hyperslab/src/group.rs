//! [`Group`], the [`Link`]s in it, and the [`Object`]s they lead to.

use crate::attribute::Attribute;
use crate::dataset::{Dataset, DatasetState};
use crate::datatype::Datatype;
use crate::error::{Error, ErrorKind, Place, Result};
use crate::file_state::FileState;
use crate::format::bytes::Address;
use crate::format::message::link::LinkTarget;
use crate::format::object_header::kind;
use crate::limits::Limits;
use crate::location::{Location, place};
use crate::object::header::Header;
use crate::object::links;
use crate::source_policy::Search;
use crate::vds::access::DatasetAccess;
use std::borrow::Cow;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

/// A name in a group and what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The name's bytes; UTF-8 in almost every file.
    pub name: Vec<u8>,
    /// What the name leads to.
    pub kind: LinkKind,
}

impl Link {
    /// The name as text, bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }
}

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkKind {
    /// An object of this file, by the address of its header.
    Hard {
        /// Where the object header is, relative to the base address.
        address: u64,
    },
    /// A path in this file, which may lead nowhere.
    Soft {
        /// The path as stored.
        path: Vec<u8>,
    },
    /// A path in another file.
    External {
        /// The other file's name as stored.
        file: Vec<u8>,
        /// The path as stored.
        path: Vec<u8>,
    },
    /// A link only the program that made it understands.
    User {
        /// The class of the link, 65 to 255.
        class: u8,
    },
}

impl From<LinkTarget> for LinkKind {
    fn from(target: LinkTarget) -> Self {
        match target {
            LinkTarget::Hard(address) => Self::Hard { address: address.0 },
            LinkTarget::Soft(path) => Self::Soft { path },
            LinkTarget::External { file, path } => Self::External { file, path },
            LinkTarget::User { class, .. } => Self::User { class },
        }
    }
}

/// Anything a path can lead to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Object {
    /// A group.
    Group(Group),
    /// A dataset.
    Dataset(Dataset),
    /// A named datatype.
    Datatype(NamedDatatype),
}

impl Object {
    pub(crate) fn open(file: &Arc<FileState>, address: Address, path: &[u8]) -> Result<Self> {
        Self::at(Location::new(file, address, path))
    }

    /// What is at a location.
    pub(crate) fn at(location: Location) -> Result<Self> {
        let (file, address) = (&location.file, location.address);
        let header = Header::open(file.metadata(), address)?;
        if header.first(kind::DATASPACE).is_some() && header.first(kind::DATATYPE).is_some() {
            let cell = file.dataset_cell(address, || DatasetState::open(file, &header))?;
            return Ok(Self::Dataset(Dataset::new(location, cell)));
        }
        if links::is_group(&header) {
            return Ok(Self::Group(Group { location }));
        }
        if header.first(kind::DATATYPE).is_some() && header.first(kind::LAYOUT).is_none() {
            let datatype = file.objects.datatype(&header)?;
            return Ok(Self::Datatype(NamedDatatype { location, datatype }));
        }
        Err(Error::malformed(format!(
            "object header at {address} is not that of a group, dataset or named datatype"
        )))
    }

    /// Where the object is; its attributes are there.
    #[must_use]
    pub fn location(&self) -> &Location {
        match self {
            Self::Group(group) => &group.location,
            Self::Dataset(dataset) => dataset,
            Self::Datatype(datatype) => &datatype.location,
        }
    }

    /// The address of the object header: the same for two paths exactly when they lead to the same object.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.location().address()
    }

    /// The attributes, in the order they are stored.
    ///
    /// # Errors
    /// `Malformed` when their storage is broken.
    pub fn attributes(&self) -> Result<Vec<Attribute>> {
        match self {
            Self::Dataset(dataset) => dataset.attributes(),
            _ => self.location().attributes(),
        }
    }

    /// The attribute of that name.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Malformed` when its storage is broken.
    pub fn attribute(&self, name: impl AsRef<[u8]>) -> Result<Attribute> {
        match self {
            Self::Dataset(dataset) => dataset.attribute(name),
            _ => self.location().attribute(name),
        }
    }
}

/// A datatype with a name of its own.
///
/// What all objects have, such as attributes, is in its [`Location`].
#[derive(Clone, Debug)]
pub struct NamedDatatype {
    pub(crate) location: Location,
    pub(crate) datatype: Datatype,
}

impl Deref for NamedDatatype {
    type Target = Location;

    fn deref(&self) -> &Location {
        &self.location
    }
}

impl NamedDatatype {
    /// The datatype.
    #[must_use]
    pub fn datatype(&self) -> &Datatype {
        &self.datatype
    }
}

/// A group: names that lead to objects.
///
/// What all objects have, such as attributes, is in its [`Location`].
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) location: Location,
}

impl Deref for Group {
    type Target = Location;

    fn deref(&self) -> &Location {
        &self.location
    }
}

impl Group {
    /// The links, sorted by the bytes of their names.
    ///
    /// # Errors
    /// `Malformed` when the group's structures are broken.
    pub fn links(&self) -> Result<Vec<Link>> {
        let _reading = self.file.reading()?;
        let list = || self.header().and_then(|header| links::list(&self.file.objects, &header));
        let mut found = self.file.attempt(list).at(|| self.place())?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found.into_iter().map(|link| Link { name: link.name, kind: link.target.into() }).collect())
    }

    /// The link of that name.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn link(&self, name: impl AsRef<[u8]>) -> Result<Link> {
        let name = name.as_ref();
        let _reading = self.file.reading()?;
        let find = || self.header().and_then(|header| links::find(&self.file.objects, &header, name));
        let found =
            self.file.attempt(find).at(|| self.place())?.ok_or_else(|| missing(name).at(self.place()))?;
        Ok(Link { name: found.name, kind: found.target.into() })
    }

    /// The object at a path, relative to this group unless it begins with `/`.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Malformed`, `Unsupported` or `Io` when it cannot be read.
    pub fn object(&self, path: impl AsRef<[u8]>) -> Result<Object> {
        let path = path.as_ref();
        let _reading = self.file.reading()?;
        self.file.attempt(|| self.open(path)).at(|| place(&self.file, &join(&self.location.path, path)))
    }

    /// The object that a link of this group leads to.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let root = file.root()?;
    /// root.new_dataset::<u8>().shape([2]).create("data")?;
    /// for link in root.links()? {
    ///     assert_eq!(root.linked(&link)?.location().path(), "/data");
    /// }
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`object`](Self::object).
    pub fn linked(&self, link: &Link) -> Result<Object> {
        let LinkKind::Hard { address } = link.kind else { return self.object(&link.name) };
        let path = join(&self.location.path, &link.name);
        let _reading = self.file.reading()?;
        self.file
            .attempt(|| Object::open(&self.file, Address(address), &path))
            .at(|| place(&self.file, &path))
    }

    /// The object at a path; the caller holds the gate.
    pub(crate) fn open(&self, path: &[u8]) -> Result<Object> {
        let mut walk = Walk::from(&self.location);
        walk.follow(path)?;
        walk.finish()
    }

    /// The root group of the file; the caller holds the gate.
    pub(crate) fn root(&self) -> Self {
        Self { location: Location::new(&self.file, self.file.superblock.root, b"/") }
    }

    /// The dataset at a path.
    ///
    /// # Errors
    /// As [`object`](Self::object), and `Usage` when the path leads to something else.
    pub fn dataset(&self, path: impl AsRef<[u8]>) -> Result<Dataset> {
        let path = path.as_ref();
        match self.object(path)? {
            Object::Dataset(dataset) => Ok(dataset),
            _ => Err(self.not_a("dataset", path)),
        }
    }

    /// The dataset at a path; a virtual one finds and follows its sources as `access` says.
    ///
    /// # Errors
    /// As [`dataset`](Self::dataset).
    pub fn dataset_with(&self, path: impl AsRef<[u8]>, access: &DatasetAccess) -> Result<Dataset> {
        Ok(self.dataset(path)?.with_access(access.clone()))
    }

    /// The group at a path.
    ///
    /// # Errors
    /// As [`object`](Self::object), and `Usage` when the path leads to something else.
    pub fn group(&self, path: impl AsRef<[u8]>) -> Result<Self> {
        let path = path.as_ref();
        match self.object(path)? {
            Object::Group(group) => Ok(group),
            _ => Err(self.not_a("group", path)),
        }
    }

    fn not_a(&self, what: &str, path: &[u8]) -> Error {
        Error::usage(format!("is not a {what}")).at(place(&self.file, &join(&self.location.path, path)))
    }
}

pub(crate) fn missing(name: &[u8]) -> Error {
    Error::not_found(format!("there is no link \"{}\"", String::from_utf8_lossy(name)))
}

pub(crate) fn join(group: &[u8], name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") {
        return name.to_vec();
    }
    let slash: &[u8] = if group.ends_with(b"/") { b"" } else { b"/" };
    [group, slash, name].concat()
}

/// A walk along a path, one name at a time.
struct Walk {
    file: Arc<FileState>,
    address: Address,
    path: Vec<u8>,
    links: u64,
}

impl Walk {
    fn from(location: &Location) -> Self {
        Self {
            file: Arc::clone(&location.file),
            address: location.address,
            path: location.path.to_vec(),
            links: 0,
        }
    }

    fn restart(&mut self) {
        self.address = self.file.superblock.root;
        self.path = b"/".to_vec();
    }

    fn follow(&mut self, path: &[u8]) -> Result<()> {
        if path.starts_with(b"/") {
            self.restart();
        }
        path.split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty() && *name != b".")
            .try_for_each(|name| self.step(name))
    }

    fn step(&mut self, name: &[u8]) -> Result<()> {
        let header = Header::open(self.file.metadata(), self.address)?;
        if !links::is_group(&header) {
            let path = String::from_utf8_lossy(&self.path).into_owned();
            return Err(Error::not_found(format!(
                "{path} is not a group, so it holds no \"{}\"",
                String::from_utf8_lossy(name)
            )));
        }
        let link = links::find(&self.file.objects, &header, name)?.ok_or_else(|| missing(name))?;
        match link.target {
            LinkTarget::Hard(address) => {
                self.address = address;
                self.path = join(&self.path, name);
                Ok(())
            }
            LinkTarget::Soft(path) => {
                self.count_link()?;
                self.follow(&path)
            }
            LinkTarget::External { file, path } => {
                self.count_link()?;
                self.file = open_external(&self.file, &file)?;
                self.restart();
                self.follow(&path)
            }
            LinkTarget::User { class, .. } => Err(Error::unsupported(format!(
                "the link is of the user-defined class {class}, which nobody here can follow"
            ))),
        }
    }

    fn count_link(&mut self) -> Result<()> {
        self.links += 1;
        let most = self.file.metadata().limits().links;
        if self.links > most {
            let what = format!("more than {most} soft and external links on the way, perhaps in a circle");
            return Err(Limits::refuse("links", what));
        }
        Ok(())
    }

    fn finish(&self) -> Result<Object> {
        Object::open(&self.file, self.address, &self.path)
    }
}

/// Opens the file an external link names: as it is, beside this file, or in the current directory.
fn open_external(file: &FileState, name: &[u8]) -> Result<Arc<FileState>> {
    let name = PathBuf::from(String::from_utf8_lossy(name).into_owned());
    let mut tried = vec![file.place.directory.join(&name)];
    if name.is_absolute() {
        tried.extend(name.file_name().map(|last| file.place.directory.join(last)));
    }
    tried.push(name.clone());
    tried.extend(file.place.resolved.as_ref().map(|directory| directory.join(&name)));
    let mut last = None;
    // What a live writer's links lead to is not live itself.
    let options = file.options.clone().swmr(file.following.is_some());
    let mut search = Search::under(file.options.source_policy());
    for path in tried {
        if !search.permits(&path)? {
            continue;
        }
        match options.open(&path) {
            Ok(opened) => return Ok(opened.state),
            Err(error) if absent(&error) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    search.finish()?;
    Err(last
        .unwrap_or_else(|| Error::not_found(format!("the external file {} does not exist", name.display()))))
}

/// Whether an open failed because there is nothing of that name.
pub(crate) fn absent(error: &Error) -> bool {
    error.kind() == ErrorKind::Io
        && error.io_error().is_some_and(|cause| cause.kind() == std::io::ErrorKind::NotFound)
}

/// The object header a path leads to, for virtual datasets: `None` when a name on the way is missing.
pub(crate) fn find_header(
    file: &Arc<FileState>,
    path: &[u8],
) -> Result<Option<(Arc<FileState>, Arc<Header>)>> {
    let mut walk =
        Walk { file: Arc::clone(file), address: file.superblock.root, path: b"/".to_vec(), links: 0 };
    match walk.follow(path) {
        Ok(()) => {
            let header = Header::open(walk.file.metadata(), walk.address)?;
            Ok(Some((walk.file, header)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound || absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
