//! [`NewFile`]: a file being made, with groups, datasets and virtual datasets.

use crate::datatype::Datatype;
use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Bounds, Sink, Wire};
use crate::format::global_heap::GlobalHeapCollection;
use crate::format::message::attribute::AttributeMessage;
use crate::format::message::fill::{Fill, FillValue};
use crate::format::message::layout::DataLayout;
use crate::format::message::link::{LinkInfo, LinkMessage, LinkTarget};
use crate::format::object_header::{RawMessage, kind, write_header};
use crate::format::superblock::Superblock;
use crate::metadata::Metadata;
use crate::metadata::stage::Stage;
use crate::space::Extent;
use crate::storage::WriteAt;
use crate::storage::file::FileStorage;
use crate::vds::layout::VirtualLayout;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a version-3 superblock with eight-byte addresses.
const SUPERBLOCK_SIZE: u64 = 48;
/// Bytes of a global heap collection with few objects.
const SMALLEST_HEAP: usize = 4096;
/// A message's flag for what never changes.
const CONSTANT: u8 = 1;
/// Allocation times of the fill value message.
const LATE: u8 = 2;
const INCREMENTAL: u8 = 3;
/// The fill is written when the user set one.
const IF_SET: u8 = 2;

/// A new HDF5 file, readable by HDF5 1.10 and later once it is [finished](Self::finish).
///
/// ```no_run
/// use hyperslab::{Datatype, NewFile};
/// let mut file = NewFile::create("new.h5")?;
/// file.create_dataset("/entry/x", &Datatype::of::<u8>(), &[3], &[1, 2, 3])?;
/// file.finish()?;
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    metadata: Metadata,
    root: NewObject,
}

/// An object whose header is not encoded yet: its messages, and what its links lead to.
#[derive(Debug, Default)]
struct NewObject {
    messages: Vec<RawMessage>,
    /// Links, when the object is a group.
    children: Option<BTreeMap<Vec<u8>, NewObject>>,
}

impl NewFile {
    /// Makes a file that does not exist yet.
    ///
    /// # Errors
    /// `Io` when there is a file of that name, or the operating system refuses.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::make(path.as_ref(), false)
    }

    /// Makes a file; one of that name is lost.
    ///
    /// # Errors
    /// `Io` when the operating system refuses.
    pub fn replace(path: impl AsRef<Path>) -> Result<Self> {
        Self::make(path.as_ref(), true)
    }

    fn make(path: &Path, replace: bool) -> Result<Self> {
        let emptied = |storage: FileStorage| storage.set_len(0).map(|()| storage);
        let storage = FileStorage::create(path, !replace)
            .and_then(emptied)
            .map_err(|error| Error::io("cannot create the file", error))
            .at(|| path.display().to_string())?;
        let storage: Arc<dyn WriteAt> = Arc::new(storage);
        let metadata = Metadata::create(storage, SUPERBLOCK_SIZE)?;
        Ok(Self { path: path.to_path_buf(), metadata, root: NewObject::group() })
    }

    /// Makes a group, and the groups on the way to it.
    ///
    /// # Errors
    /// `Usage` when something else has the name of one of them.
    pub fn create_group(&mut self, path: &str) -> Result<()> {
        self.root.descend(path).at(|| path.to_owned()).map(|_| ())
    }

    /// Makes a dataset of fixed size, stored in one run of bytes: `bytes`, in row-major order.
    ///
    /// # Errors
    /// `Usage` when the name is taken, or `bytes` is not as long as `dims` elements.
    pub fn create_dataset(
        &mut self,
        path: &str,
        datatype: &Datatype,
        dims: &[u64],
        bytes: &[u8],
    ) -> Result<()> {
        let extent = Extent::fixed(dims);
        let needed = extent.count()?.checked_mul(datatype.size() as u64);
        if needed != Some(bytes.len() as u64) {
            let message = format!("{} bytes for {dims:?} elements of {} bytes", bytes.len(), datatype.size());
            return Err(Error::usage(message).at(path));
        }
        let address = self.stage(bytes.to_vec(), Stage::Block)?;
        let layout = DataLayout::Contiguous { address, size: Some(bytes.len() as u64) };
        let fill = FillValue { allocation: LATE, time: IF_SET, fill: Fill::Default };
        self.add(path, datatype, &extent, &fill, &layout)
    }

    /// Makes a virtual dataset of the layout's mappings; `fill`, one element of `datatype`, is
    /// what elements read as that no source has.
    ///
    /// # Errors
    /// `Usage` when the name is taken, or `fill` has another size than the datatype.
    pub fn create_virtual_dataset(
        &mut self,
        path: &str,
        datatype: &Datatype,
        layout: &VirtualLayout,
        fill: Option<&[u8]>,
    ) -> Result<()> {
        if let Some(fill) = fill.filter(|fill| fill.len() != datatype.size()) {
            let message = format!("a fill value of {} bytes for elements of {}", fill.len(), datatype.size());
            return Err(Error::usage(message).at(path));
        }
        let (collection, index) = match layout.encode(self.metadata.widths())? {
            Some(block) => {
                let heap = GlobalHeapCollection::build(&[&block], SMALLEST_HEAP, self.metadata.widths())?;
                (self.stage(self.encode(&heap)?, Stage::Block)?, 1)
            }
            None => (None, 0),
        };
        let fill = fill.map_or(Fill::Default, |fill| Fill::Value(fill.to_vec()));
        let fill = FillValue { allocation: INCREMENTAL, time: IF_SET, fill };
        self.add(path, datatype, layout.extent(), &fill, &DataLayout::Virtual { collection, index })
    }

    /// Sets an attribute of an object that was made before; `bytes` are its elements.
    ///
    /// # Errors
    /// `NotFound` when there is no such object, `Usage` when `bytes` is not as long as `dims` elements.
    pub fn set_attribute(
        &mut self,
        path: &str,
        name: &str,
        datatype: &Datatype,
        dims: &[u64],
        bytes: &[u8],
    ) -> Result<()> {
        let extent = Extent::fixed(dims);
        if extent.count()?.checked_mul(datatype.size() as u64) != Some(bytes.len() as u64) {
            let message = format!("{} bytes for {dims:?} elements of {} bytes", bytes.len(), datatype.size());
            return Err(Error::usage(message).at(format!("attribute \"{name}\"")).at(path));
        }
        let attribute = AttributeMessage {
            name: name.as_bytes().to_vec(),
            utf8: true,
            datatype: self.encode(datatype)?,
            datatype_shared: false,
            dataspace: self.encode(&extent)?,
            dataspace_shared: false,
            data: bytes.to_vec(),
        };
        let body = self.encode(&attribute)?;
        let object =
            self.root.find(path).ok_or_else(|| Error::not_found("there is no such object").at(path))?;
        object.messages.push(RawMessage { kind: kind::ATTRIBUTE, flags: 0, body });
        Ok(())
    }

    /// Writes everything to the file.
    ///
    /// # Errors
    /// `Io` when the operating system refuses; the file is not readable then.
    pub fn finish(mut self) -> Result<()> {
        let root = std::mem::take(&mut self.root);
        self.write(root).at(|| self.path.display().to_string())
    }

    fn write(&self, root: NewObject) -> Result<()> {
        let root = self.stage_object(root)?;
        let end_of_file = Some(Address(self.metadata.end()));
        let superblock = Superblock { end_of_file, root, ..Superblock::new(Bounds::V110, 0) };
        self.metadata.put(Stage::Superblock, Address(0), self.encode(&superblock)?)?;
        self.metadata.flush()
    }

    fn encode(&self, value: &impl Wire) -> Result<Vec<u8>> {
        let mut sink = Sink::new(self.metadata.widths());
        value.write(&mut sink)?;
        Ok(sink.into_bytes())
    }

    /// Stages bytes at a new address; none when there are none.
    fn stage(&self, bytes: Vec<u8>, stage: Stage) -> Result<Option<Address>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let address = self.metadata.allocate(bytes.len())?;
        self.metadata.put(stage, address, bytes)?;
        Ok(Some(address))
    }

    fn add(
        &mut self,
        path: &str,
        datatype: &Datatype,
        extent: &Extent,
        fill: &FillValue,
        layout: &DataLayout,
    ) -> Result<()> {
        let message = |kind, flags, body| RawMessage { kind, flags, body };
        let messages = vec![
            message(kind::DATASPACE, 0, self.encode(extent)?),
            message(kind::DATATYPE, CONSTANT, self.encode(datatype)?),
            message(kind::FILL, CONSTANT, self.encode(fill)?),
            message(kind::LAYOUT, 0, self.encode(layout)?),
        ];
        self.root.insert(path, NewObject { messages, children: None }).at(|| path.to_owned())
    }

    /// Encodes an object after the objects it leads to.
    fn stage_object(&self, object: NewObject) -> Result<Address> {
        let mut messages = object.messages;
        if let Some(children) = object.children {
            let info = LinkInfo {
                next_order: None,
                heap: None,
                by_name: None,
                order_indexed: false,
                by_order: None,
            };
            messages.push(RawMessage { kind: kind::LINK_INFO, flags: 0, body: self.encode(&info)? });
            messages.push(RawMessage { kind: kind::GROUP_INFO, flags: CONSTANT, body: vec![0, 0] });
            for (name, child) in children {
                let utf8 = !name.is_ascii();
                let target = LinkTarget::Hard(self.stage_object(child)?);
                let body = self.encode(&LinkMessage { name, target, order: None, utf8 })?;
                messages.push(RawMessage { kind: kind::LINK, flags: 0, body });
            }
        }
        let mut sink = Sink::new(self.metadata.widths());
        write_header(&messages, &mut sink)?;
        let bytes = sink.into_bytes();
        let address = self.metadata.allocate(bytes.len())?;
        self.metadata.put(Stage::ObjectHeader, address, bytes)?;
        Ok(address)
    }
}

impl NewObject {
    fn group() -> Self {
        Self { messages: Vec::new(), children: Some(BTreeMap::new()) }
    }

    /// The group at a path, made where it is missing.
    fn descend(&mut self, path: &str) -> Result<&mut BTreeMap<Vec<u8>, Self>> {
        let mut group = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let children = group.children.as_mut().ok_or_else(|| Error::usage("a dataset is on the way"))?;
            group = children.entry(name.as_bytes().to_vec()).or_insert_with(Self::group);
        }
        group.children.as_mut().ok_or_else(|| Error::usage("a dataset has this name"))
    }

    fn insert(&mut self, path: &str, object: Self) -> Result<()> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() {
            return Err(Error::usage("the path has no name at its end"));
        }
        let children = self.descend(parent)?;
        if children.contains_key(name.as_bytes()) {
            return Err(Error::usage("an object has this name already"));
        }
        children.insert(name.as_bytes().to_vec(), object);
        Ok(())
    }

    fn find(&mut self, path: &str) -> Option<&mut Self> {
        let mut names = path.split('/').filter(|name| !name.is_empty());
        names.try_fold(self, |object, name| object.children.as_mut()?.get_mut(name.as_bytes()))
    }
}
