//! Copying objects with all that is in them, within a file and from one file to another.

use crate::builder::DatasetBuilder;
use crate::copy_elements::Later;
use crate::copy_values::{Moving, is_bound};
use crate::dataset::Dataset;
use crate::error::{Error, Place, Result};
use crate::file_state::{FileState, Reading};
use crate::format::bytes::{Address, Cursor, Sink, Wire};
use crate::format::message::attribute::AttributeMessage;
use crate::format::message::link::{LinkInfo, LinkMessage, LinkTarget};
use crate::format::message::other::Shared;
use crate::format::object_header::{CONSTANT, INDEXED, RawMessage, TRACKED, kind};
use crate::group::{Group, Object, join};
use crate::location::{Location, place};
use crate::metadata::Metadata;
use crate::object::attributes::StoredAttribute;
use crate::object::group::GroupOptions;
use crate::object::header::{Header, edit};
use crate::object::{self, attributes, links};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Given a dataset and the description of its copy, says how it is to be stored instead.
type Reshape<'a> = dyn Fn(&Dataset, DatasetBuilder) -> Result<Option<DatasetBuilder>> + 'a;

/// How objects are copied; by default with everything that is in them, links as they are.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct CopyOptions<'a> {
    shallow: bool,
    soft: bool,
    external: bool,
    references: bool,
    bare: bool,
    pub(crate) reshape: Option<&'a Reshape<'a>>,
    pub(crate) progress: Option<&'a dyn Fn(u64)>,
}

impl fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOptions")
            .field("shallow", &self.shallow)
            .field("expand_soft", &self.soft)
            .field("expand_external", &self.external)
            .field("expand_references", &self.references)
            .field("without_attributes", &self.bare)
            .finish_non_exhaustive()
    }
}

impl<'a> CopyOptions<'a> {
    /// Everything, links as they are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether only what is directly in a group is copied: the groups in it stay empty.
    #[must_use]
    pub fn shallow(mut self, on: bool) -> Self {
        self.shallow = on;
        self
    }

    /// Whether a soft link becomes a copy of what it leads to; one that leads nowhere stays.
    #[must_use]
    pub fn expand_soft(mut self, on: bool) -> Self {
        self.soft = on;
        self
    }

    /// Whether an external link becomes a copy of what it leads to; one that leads nowhere stays.
    #[must_use]
    pub fn expand_external(mut self, on: bool) -> Self {
        self.external = on;
        self
    }

    /// Whether what references point at is copied too.
    #[must_use]
    pub fn expand_references(mut self, on: bool) -> Self {
        self.references = on;
        self
    }

    /// Whether attributes are left out.
    #[must_use]
    pub fn without_attributes(mut self, on: bool) -> Self {
        self.bare = on;
        self
    }

    /// Asked for each dataset, with the description of its copy: gives another description to store the
    /// elements so, or nothing to copy them as they are stored.
    #[must_use]
    pub fn reshape(mut self, reshape: &'a Reshape<'a>) -> Self {
        self.reshape = Some(reshape);
        self
    }

    /// Told how many bytes of elements were copied since it was told last.
    #[must_use]
    pub fn progress(mut self, progress: &'a dyn Fn(u64)) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl Group {
    /// Copies an object of any file, with its attributes and all that is in it, to a path from here.
    ///
    /// Hard links to one object lead to one copy, virtual datasets stay virtual, links stay links.
    /// References to what is copied along point at the copies; from another file all others become null.
    ///
    /// ```
    /// use hyperslab::{CopyOptions, OpenOptions};
    /// let (from, to) = (OpenOptions::new().create_in_memory()?, OpenOptions::new().create_in_memory()?);
    /// from.new_dataset::<i32>().create_with("/run/x", &ndarray::array![1, 2, 3])?;
    /// to.root()?.copy(&from.object("/run")?, "saved", &CopyOptions::new())?;
    /// assert_eq!(to.dataset("/saved/x")?.read::<i32>()?.sum(), 6);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when something has the name, or the file is open to read only; whatever reading the object
    /// or writing the copy says.
    pub fn copy(&self, source: &Object, path: impl AsRef<[u8]>, options: &CopyOptions<'_>) -> Result<Object> {
        let (path, from) = (path.as_ref(), source.location());
        let mut copier = None;
        let reading = self.guard(from)?;
        let location = self.insert(path, |file| {
            let copier = copier.insert(Copier::new(file, options));
            let address = copier.object(from).at(|| from.place())?;
            // The link that is made next.
            copier.unlinked.remove(&address);
            copier.run()?;
            Ok(address)
        })?;
        drop(reading);
        if let Some(mut copier) = copier {
            // A copy without its elements helps nobody; the error that led here is the one to tell.
            copier.finish().inspect_err(|_| _ = self.unlink(path))?;
        }
        let _reading = location.file.reading()?;
        Object::open(&location.file, location.address, &location.path).at(|| location.place())
    }

    /// Whether the group remembers the order in which its links were made.
    ///
    /// # Errors
    /// `Malformed` when its header is broken.
    pub fn is_ordered(&self) -> Result<bool> {
        let _reading = self.file.reading()?;
        is_ordered(self, &*self.header()?).at(|| self.place())
    }

    /// Copies the attributes of a group of any file, and all that is in it, into this one.
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    pub fn copy_members(&self, source: &Self, options: &CopyOptions<'_>) -> Result<()> {
        let mut copier = Copier::new(&self.file, options);
        let reading = self.guard(source)?;
        let writing = self.file.writing()?;
        copier.adopt(source, self.address);
        copier.run()?;
        drop((writing, reading));
        copier.finish()
    }

    /// Keeps the source as it is, when it is in another file: this one is guarded by who writes it.
    fn guard<'s>(&self, source: &'s Location) -> Result<Reading<'s>> {
        if source.file.is_writable() {
            let _writing = source.file.writing()?;
            source.file.flush_datasets(Some(&source.file))?;
        }
        if Arc::ptr_eq(&self.file, &source.file) { Ok(None) } else { source.file.reading() }
    }
}

/// A group whose links are still to be copied.
struct Open {
    from: Location,
    to: Address,
    depth: usize,
}

/// One call of copy.
pub(crate) struct Copier<'a> {
    pub(crate) to: Arc<FileState>,
    pub(crate) options: CopyOptions<'a>,
    /// Copies, by file and address of the original.
    copies: HashMap<(usize, Address), Address>,
    /// Copies to which no link leads yet.
    unlinked: HashSet<Address>,
    groups: VecDeque<Open>,
    /// Originals whose attributes are still to be copied, with the copies.
    bare: VecDeque<(Location, Address)>,
    /// Datasets whose elements are still to be copied.
    pub(crate) later: VecDeque<Later>,
    /// How deep in the source what is copied now is.
    depth: usize,
    /// Files whose addresses are keys.
    files: Vec<Arc<FileState>>,
}

impl<'a> Copier<'a> {
    fn new(to: &Arc<FileState>, options: &CopyOptions<'a>) -> Self {
        Self {
            to: Arc::clone(to),
            options: *options,
            copies: HashMap::new(),
            unlinked: HashSet::new(),
            groups: VecDeque::new(),
            bare: VecDeque::new(),
            later: VecDeque::new(),
            depth: 0,
            files: Vec::new(),
        }
    }

    /// Takes an object that exists for the copy of a group.
    fn adopt(&mut self, from: &Location, to: Address) {
        self.keep(from, to);
        self.groups.push_back(Open { from: from.clone(), to, depth: 0 });
        self.bare.push_back((from.clone(), to));
    }

    fn keep(&mut self, from: &Location, to: Address) {
        if !self.files.iter().any(|file| Arc::ptr_eq(file, &from.file)) {
            self.files.push(Arc::clone(&from.file));
        }
        self.copies.insert(key(from), to);
    }

    /// The copy of an object: its header, while what it holds waits for its turn.
    fn object(&mut self, from: &Location) -> Result<Address> {
        if let Some(copy) = self.copies.get(&key(from)) {
            return Ok(*copy);
        }
        let header = from.header()?;
        let is = |kind| header.first(kind).is_some();
        let to = if is(kind::DATASPACE) && is(kind::DATATYPE) {
            self.dataset(from, &header)?
        } else if links::is_group(&header) {
            self.group(from, &header)?
        } else if is(kind::DATATYPE) {
            self.datatype(from, &header)?
        } else {
            return Err(Error::malformed("is not a group, dataset or named datatype"));
        };
        self.keep(from, to);
        self.unlinked.insert(to);
        self.bare.push_back((from.clone(), to));
        Ok(to)
    }

    fn group(&mut self, from: &Location, header: &Header) -> Result<Address> {
        let track_order = is_ordered(from, header)?;
        let to = object::group::create(&self.to.objects, GroupOptions { track_order })?;
        for message in header.all(kind::COMMENT) {
            edit::add(self.to.metadata(), to, message)?;
        }
        if !self.options.shallow || self.depth == 0 {
            self.groups.push_back(Open { from: from.clone(), to, depth: self.depth });
        }
        Ok(to)
    }

    fn datatype(&mut self, from: &Location, header: &Header) -> Result<Address> {
        let datatype = from.file.objects.datatype(header)?;
        let datatype = datatype.with_addresses(usize::from(self.to.metadata().widths().offsets))?;
        let body = self.to.metadata().body(&datatype)?;
        let message = RawMessage { kind: kind::DATATYPE, flags: CONSTANT, body };
        self.header(header, vec![message])
    }

    /// Makes a header with these messages, and those of the original that say the same everywhere.
    pub(crate) fn header(&self, original: &Header, mut messages: Vec<RawMessage>) -> Result<Address> {
        let same = |message: &&RawMessage| matches!(message.kind, kind::COMMENT | kind::TIME);
        messages.extend(original.messages.iter().filter(same).cloned());
        let flags = if original.prefix.version == 2 { original.prefix.flags } else { 0 };
        let options = edit::Options {
            spare: edit::ROOM,
            track_attributes: flags & TRACKED != 0,
            index_attributes: flags & INDEXED != 0,
            now: original.prefix.changed,
            whole: true,
        };
        edit::create(self.to.metadata(), messages, options)
    }

    /// The copy of the named datatype that a message of `from` only points at, when it does.
    pub(crate) fn named(&mut self, from: &Location, message: &RawMessage) -> Result<Option<Address>> {
        if !message.is_shared() {
            return Ok(None);
        }
        let widths = from.file.metadata().widths();
        match Shared::read(&mut Cursor::new(&message.body, widths)).at(|| "shared message")? {
            Shared::Committed(address) => {
                let named = Location::new(&from.file, address, b"named datatype");
                let copy = self.object(&named)?;
                self.link(copy)?;
                Ok(Some(copy))
            }
            Shared::Heap(_) => Ok(None),
        }
    }

    /// Counts a link to a copy.
    fn link(&mut self, copy: Address) -> Result<()> {
        if self.unlinked.remove(&copy) {
            return Ok(());
        }
        object::delete::link(&self.to.objects, copy)
    }

    /// Copies what is in the objects that were found, until there is nothing left but elements.
    fn run(&mut self) -> Result<()> {
        loop {
            if let Some(open) = self.groups.pop_front() {
                self.links(&open).at(|| open.from.place())?;
            } else if let Some((from, to)) = self.bare.pop_front() {
                self.attributes(&from, to).at(|| from.place())?;
            } else {
                return Ok(());
            }
        }
    }

    fn links(&mut self, open: &Open) -> Result<()> {
        let mut found = links::list(&open.from.file.objects, &*open.from.header()?)?;
        found.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        self.depth = open.depth.saturating_add(1);
        for link in found {
            let path = join(&open.from.path, &link.name);
            let target = self.target(&open.from, &link, &path).at(|| place(&open.from.file, &path))?;
            links::insert(&self.to.objects, open.to, &LinkMessage { target, order: None, ..link })
                .at(|| place(&open.from.file, &path))?;
        }
        Ok(())
    }

    /// What the copy of a link leads to.
    fn target(&mut self, group: &Location, link: &LinkMessage, path: &[u8]) -> Result<LinkTarget> {
        let expanded = match &link.target {
            LinkTarget::Hard(address) => Some(Location::new(&group.file, *address, path)),
            LinkTarget::Soft(_) if self.options.soft => found(group, &link.name),
            LinkTarget::External { .. } if self.options.external => found(group, &link.name),
            _ => None,
        };
        let Some(from) = expanded else { return Ok(link.target.clone()) };
        let copy = self.object(&from)?;
        self.link(copy)?;
        Ok(LinkTarget::Hard(copy))
    }

    fn attributes(&mut self, from: &Location, to: Address) -> Result<()> {
        if self.options.bare {
            return Ok(());
        }
        let mut found = attributes::list(&from.file.objects, &*from.header()?)?;
        found.sort_by_key(|attribute| attribute.order);
        for attribute in found {
            let at = || format!("attribute \"{}\"", String::from_utf8_lossy(&attribute.name));
            self.attribute(&from.file, &attribute, to).at(at)?;
        }
        Ok(())
    }

    fn attribute(&mut self, from: &Arc<FileState>, attribute: &StoredAttribute, to: Address) -> Result<()> {
        let file = Arc::clone(&self.to);
        let md = file.metadata();
        let into = attribute.datatype.with_addresses(usize::from(md.widths().offsets))?;
        let length = attribute.extent.count()?.checked_mul(attribute.datatype.size() as u64);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let stored = length.and_then(|length| attribute.data.get(..length)).unwrap_or(&attribute.data);
        let data = self.moved(from, (&attribute.datatype, &into), stored)?;
        let datatype = match attribute.named {
            Some(named) => {
                let copy = self.object(&Location::new(from, named, b"named datatype"))?;
                if self.unlinked.remove(&copy) {
                    // The attribute is the first that counts.
                    edit::set_link_count(md, copy, 0)?;
                }
                shared(copy, md)?
            }
            None => md.encode(&into)?,
        };
        let message = AttributeMessage {
            name: attribute.name.clone(),
            utf8: attribute.utf8,
            datatype,
            datatype_shared: attribute.named.is_some(),
            dataspace: md.encode(&attribute.extent)?,
            dataspace_shared: false,
            data,
        };
        attributes::put(&file.objects, to, &message.parts())
    }

    /// Elements of a file as they are in the one copied to; the caller holds the gates.
    pub(crate) fn moved(
        &mut self,
        from: &Arc<FileState>,
        datatypes: (&crate::datatype::Datatype, &crate::datatype::Datatype),
        elements: &[u8],
    ) -> Result<Vec<u8>> {
        if !is_bound(datatypes.0) {
            return Ok(elements.to_vec());
        }
        let to = Arc::clone(&self.to);
        let mut follow = |address| self.follow(from, address);
        Moving { from: &from.objects, to: &to.objects, follow: &mut follow }.elements(
            datatypes.0,
            datatypes.1,
            elements,
        )
    }

    /// Where what a reference points at is, for the copy of the reference.
    fn follow(&mut self, file: &Arc<FileState>, address: Address) -> Option<Address> {
        let from = Location::new(file, address, b"referenced object");
        if self.options.references {
            // What a broken reference points at is no object.
            return self.object(&from).ok();
        }
        if Arc::ptr_eq(file, &self.to) {
            return Some(address);
        }
        self.copies.get(&key(&from)).copied()
    }

    /// Copies the elements that have to be read and written for it.
    fn finish(&mut self) -> Result<()> {
        while let Some(later) = self.later.pop_front() {
            self.elements(&later).at(|| later.from.place())?;
            // References may have led to more.
            let _reading = self.guard(&later.from.file)?;
            let to = Arc::clone(&self.to);
            let _writing = to.writing()?;
            self.run()?;
        }
        Ok(())
    }

    /// Keeps a file as it is, when it is another than the one copied to.
    pub(crate) fn guard<'s>(&self, file: &'s Arc<FileState>) -> Result<Reading<'s>> {
        if Arc::ptr_eq(&self.to, file) { Ok(None) } else { file.reading() }
    }
}

/// A message that only says which named datatype it is.
pub(crate) fn shared(named: Address, md: &Metadata) -> Result<Vec<u8>> {
    let mut sink = Sink::new(md.widths());
    Shared::Committed(named).write(&mut sink)?;
    Ok(sink.into_bytes())
}

fn key(from: &Location) -> (usize, Address) {
    (Arc::as_ptr(&from.file).addr(), from.address)
}

fn is_ordered(group: &Location, header: &Header) -> Result<bool> {
    let info = group.file.objects.decoded(header, kind::LINK_INFO, LinkInfo::read)?;
    Ok(info.is_some_and(|info| info.next_order.is_some()))
}

/// What a link leads to, when it leads anywhere.
fn found(group: &Location, name: &[u8]) -> Option<Location> {
    let group = Group { location: group.clone() };
    group.open(name).ok().map(|object| object.location().clone())
}
