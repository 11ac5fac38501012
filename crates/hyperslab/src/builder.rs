//! [`DatasetBuilder`]: a dataset being described, before it is made.

use crate::dataset::{Dataset, Elements};
use crate::datatype::{Datatype, Element, Value};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::file_state::FileState;
use crate::filter::create::{BitshuffleCompression, Scale, SzipCoding};
use crate::filter::{Filter, FilterPipeline};
use crate::format::bytes::{Address, Bounds, Sink};
use crate::format::message::fill::{Fill, FillValue};
use crate::format::message::layout::DataLayout;
use crate::format::message::other::{ModificationTime, Shared};
use crate::format::object_header::{CONSTANT, RawMessage, kind};
use crate::group::{Group, Object, join};
use crate::group_write::split;
use crate::index;
use crate::layout::external::ExternalFile;
use crate::location::place;
use crate::object::delete;
use crate::object::group::GroupOptions;
use crate::object::header::edit;
use crate::raw_files;
use crate::space::Extent;
use crate::stored::Stored;
use crate::vds::layout::VirtualLayout;
use std::sync::Arc;

/// A message's flag for one that only says where it is.
const SHARED: u8 = 2;
/// Elements that a compact dataset may take, in bytes: its message has at most 64 KiB.
const MOST_COMPACT: u64 = 65_000;
/// Bytes of a chunk whose shape nobody said.
const CHUNK_GOAL: u64 = 256 << 10;
/// Messages that the header of a dataset with a few attributes has.
const MESSAGES: usize = 8;

/// When the space of a dataset is allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allocation {
    /// As suits the layout: with the dataset, at the first write, or chunk by chunk.
    #[default]
    Default,
    /// With the dataset.
    Early,
    /// All of it at the first write.
    Late,
    /// Each chunk when it is first written.
    Incremental,
}

/// When the fill value is written to the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FillTime {
    /// With the space, when a fill value was set.
    #[default]
    IfSet,
    /// With the space.
    WithAllocation,
    /// Never.
    Never,
}

/// Where the elements are to be stored.
#[derive(Clone, Debug)]
enum Wanted {
    /// Chunked when anything asks for chunks, else contiguous.
    Any,
    Compact,
    Contiguous,
    Chunked(Option<Vec<u64>>),
    Virtual(Arc<VirtualLayout>),
    External(Vec<ExternalFile>),
}

/// A dataset being described, before it is made.
///
/// ```
/// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
/// let frames = file
///     .new_dataset::<u16>()
///     .shape([0, 512, 512])
///     .max_shape([None, Some(512), Some(512)])
///     .chunk([1, 512, 512])
///     .shuffle()
///     .deflate(4)
///     .create("/entry/frames")?;
/// assert_eq!(frames.extent().max(), [None, Some(512), Some(512)]);
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `create`"]
pub struct DatasetBuilder {
    group: Group,
    datatype: Datatype,
    /// The header of the named datatype, when it is one.
    named: Option<Address>,
    extent: Extent,
    wanted: Wanted,
    filters: FilterPipeline,
    fill: Fill,
    fill_time: FillTime,
    allocation: Allocation,
    track_order: bool,
    track_times: bool,
}

impl DatasetBuilder {
    pub(crate) fn new(group: Group, datatype: Datatype) -> Self {
        Self {
            group,
            datatype,
            named: None,
            extent: Extent::Scalar,
            wanted: Wanted::Any,
            filters: FilterPipeline::default(),
            fill: Fill::Default,
            fill_time: FillTime::default(),
            allocation: Allocation::default(),
            track_order: false,
            track_times: false,
        }
    }

    /// With everything `dataset` is made with, but elements of `datatype`, which is that of the other file.
    pub(crate) fn like(group: Group, dataset: &Dataset, datatype: Datatype) -> Self {
        let state = dataset.state();
        let wanted = match &state.elements {
            Elements::Virtual(layout) => Wanted::Virtual(Arc::clone(layout)),
            Elements::Stored(Stored::Compact(_)) => Wanted::Compact,
            Elements::Stored(Stored::Chunked { grid, .. }) => Wanted::Chunked(Some(grid.chunk.clone())),
            Elements::Stored(_) => Wanted::Contiguous,
        };
        // A fill value that is in a heap is not one elsewhere.
        let fill = match &state.fill_value.fill {
            Fill::Value(_) if state.datatype.has_variable_length() || state.datatype.has_reference() => {
                Fill::Default
            }
            fill => fill.clone(),
        };
        let fill_time = match state.fill_value.time {
            0 => FillTime::WithAllocation,
            1 => FillTime::Never,
            _ => FillTime::IfSet,
        };
        Self {
            extent: state.extent.clone(),
            wanted,
            filters: state.pipeline.clone(),
            fill,
            fill_time,
            ..Self::new(group, datatype)
        }
    }

    /// The length of each axis; without one the dataset is a scalar.
    pub fn shape(mut self, shape: impl AsRef<[u64]>) -> Self {
        self.extent = Extent::fixed(shape.as_ref());
        self
    }

    /// How long each axis may become, `None` without limit; said after the shape, when that is said.
    pub fn max_shape(mut self, max: impl AsRef<[Option<u64>]>) -> Self {
        self.extent = Extent::Simple { dims: self.extent.dims().to_vec(), max: max.as_ref().to_vec() };
        self
    }

    /// How large the dataset is and may become, also for a dataset of no elements at all.
    pub fn extent(mut self, extent: Extent) -> Self {
        self.extent = extent;
        self
    }

    /// Stores the elements in chunks of this shape.
    pub fn chunk(mut self, chunk: impl AsRef<[u64]>) -> Self {
        self.wanted = Wanted::Chunked(Some(chunk.as_ref().to_vec()));
        self
    }

    /// Stores the elements in chunks of a shape that suits the extent.
    pub fn chunk_auto(mut self) -> Self {
        self.wanted = Wanted::Chunked(None);
        self
    }

    /// Stores the elements in the object header; at most 65,000 bytes of them.
    pub fn compact(mut self) -> Self {
        self.wanted = Wanted::Compact;
        self
    }

    /// Stores the elements in one run of bytes.
    pub fn contiguous(mut self) -> Self {
        self.wanted = Wanted::Contiguous;
        self
    }

    /// Stores the elements in raw files beside this one: next in `size` bytes of the file at `path`, from `offset` on.
    /// Said for each piece; the last may be without end.
    ///
    /// The path is kept as it is. A relative one is looked for as [`DatasetAccess`](crate::DatasetAccess) says, then
    /// in the current directory, then in that of the HDF5 file. A raw file is made when elements are first written.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// let file = hyperslab::File::create(folder.path().join("run.h5"))?;
    /// let raw = folder.path().join("run.raw");
    /// let data = file.new_dataset::<u8>().shape([4]).external(raw.to_str().unwrap(), 2, None).create("data")?;
    /// data.write(&ndarray::array![5_u8, 6, 7, 8])?;
    /// assert_eq!(std::fs::read(&raw)?, [0, 0, 5, 6, 7, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn external(mut self, path: impl Into<String>, offset: u64, size: Option<u64>) -> Self {
        let piece = ExternalFile { path: path.into(), offset, size: size.unwrap_or(u64::MAX) };
        match &mut self.wanted {
            Wanted::External(pieces) => pieces.push(piece),
            wanted => *wanted = Wanted::External(vec![piece]),
        }
        self
    }

    /// Compresses with deflate (gzip), level 0 to 9.
    pub fn deflate(self, level: u32) -> Self {
        self.filter(Filter::deflate(level))
    }

    /// Puts the first bytes of all elements before the second ones, and so on, which helps a compressor.
    pub fn shuffle(self) -> Self {
        self.filter(Filter::shuffle())
    }

    /// Adds a checksum to each chunk.
    pub fn fletcher32(self) -> Self {
        self.filter(Filter::fletcher32())
    }

    /// Compresses with LZF, quickly and a little.
    pub fn lzf(self) -> Self {
        self.filter(Filter::lzf())
    }

    /// Compresses with LZ4; readers need the registered plugin.
    pub fn lz4(self) -> Self {
        self.filter(Filter::lz4())
    }

    /// Compresses with zstd, level 1 to 22; readers need the registered plugin.
    pub fn zstd(self, level: u32) -> Self {
        self.filter(Filter::zstd(level))
    }

    /// Puts the first bits of all elements before the second ones, and compresses with LZ4; readers need the
    /// registered plugin.
    pub fn bitshuffle_lz4(self) -> Self {
        self.filter(Filter::bitshuffle(BitshuffleCompression::Lz4))
    }

    /// As [`bitshuffle_lz4`](Self::bitshuffle_lz4), with zstd of level 1 to 22.
    pub fn bitshuffle_zstd(self, level: u32) -> Self {
        self.filter(Filter::bitshuffle(BitshuffleCompression::Zstd(level)))
    }

    /// Stores integers in as many bits as their range in a chunk needs, or in `bits` when that is not 0.
    pub fn scale_offset_bits(self, bits: u32) -> Self {
        self.filter(Filter::scale_offset(Scale::Bits(bits)))
    }

    /// Stores floating-point numbers with so many decimal digits behind the point; the rest is lost.
    pub fn scale_offset_digits(self, digits: i32) -> Self {
        self.filter(Filter::scale_offset(Scale::Digits(digits)))
    }

    /// Stores only the bits of each element that its datatype gives a meaning.
    pub fn nbit(self) -> Self {
        self.filter(Filter::nbit())
    }

    /// Puts the first bits of all elements before the second ones; readers need the registered plugin.
    pub fn bitshuffle(self) -> Self {
        self.filter(Filter::bitshuffle(BitshuffleCompression::None))
    }

    /// Compresses with szip, `pixels` elements at a time.
    ///
    /// # Errors
    /// `Usage` unless `pixels` is even and from 2 to 32.
    pub fn szip(self, coding: SzipCoding, pixels: u32) -> Result<Self> {
        Ok(self.filter(Filter::szip(coding, pixels)?))
    }

    /// Adds a filter by its registered number, with its own parameters.
    pub fn filter_number(self, number: u16, parameters: impl Into<Vec<u32>>, optional: bool) -> Self {
        self.filter(Filter { id: number, name: None, optional, client: parameters.into() })
    }

    /// Leaves out the filters that were asked for before.
    pub fn without_filters(mut self) -> Self {
        self.filters.filters.clear();
        self
    }

    pub(crate) fn filter(mut self, filter: Filter) -> Self {
        self.filters.filters.push(filter);
        self
    }

    /// What elements read as before they are written.
    pub fn fill_value<T: Element>(self, value: T) -> Self {
        self.fill_bytes(bytemuck::bytes_of(&value).to_vec())
    }

    /// What elements read as before they are written: one element in the dataset's datatype.
    pub fn fill_bytes(mut self, value: Vec<u8>) -> Self {
        self.fill = Fill::Value(value);
        self
    }

    /// What elements read as before they are written, as a value; one of variable length goes into the file.
    ///
    /// # Errors
    /// `Usage` when it is no value of the dataset's datatype, or the file is open to read only.
    pub fn fill_with(mut self, value: &Value) -> Result<Self> {
        let file = Arc::clone(&self.group.file);
        let _writing = file.writing()?;
        self.fill = Fill::Value(Value::encode(&self.datatype, value, &file.objects)?);
        Ok(self)
    }

    /// Says that unwritten elements have no value of their own.
    pub fn without_fill(mut self) -> Self {
        self.fill = Fill::Undefined;
        self
    }

    /// When the fill value is written.
    pub fn fill_time(mut self, time: FillTime) -> Self {
        self.fill_time = time;
        self
    }

    /// When space is allocated.
    pub fn allocation(mut self, allocation: Allocation) -> Self {
        self.allocation = allocation;
        self
    }

    /// Whether attributes remember the order in which they are made.
    pub fn track_order(mut self, on: bool) -> Self {
        self.track_order = on;
        self
    }

    /// Whether the dataset says when it was made; in a file of the [earliest](Bounds::Earliest) form every one does.
    pub fn track_times(mut self, on: bool) -> Self {
        self.track_times = on;
        self
    }

    /// Uses a named datatype.
    pub fn named_datatype(mut self, named: &crate::group::NamedDatatype) -> Self {
        self.datatype = named.datatype().clone();
        self.named = Some(named.address);
        self
    }

    /// Takes the elements from other datasets.
    pub fn virtual_layout(mut self, layout: impl Into<Arc<VirtualLayout>>) -> Self {
        let layout = layout.into();
        self.extent = layout.extent().clone();
        self.wanted = Wanted::Virtual(layout);
        self
    }

    /// Makes the dataset, and the groups on the way to it.
    ///
    /// # Errors
    /// `Usage` when something has its name, the file is open to read only, or what was asked for does not go together.
    pub fn create(&self, path: impl AsRef<[u8]>) -> Result<Dataset> {
        let path = path.as_ref();
        let whole = || place(&self.group.file, &join(&self.group.path, path));
        let location = self.group.insert(path, |file| self.make(file))?;
        let file = Arc::clone(&location.file);
        let _writing = file.writing()?;
        let Object::Dataset(dataset) = Object::at(location).at(whole)? else {
            return Err(Error::usage("is not a dataset").at(whole()));
        };
        if self.allocation == Allocation::Early {
            let nothing = vec![0; self.extent.dims().len()];
            dataset.allocate_beyond(&nothing).at(whole)?;
        }
        Ok(dataset)
    }

    /// Makes the dataset and writes its elements, in row-major order; without a shape it is that of `data`.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`Dataset::write`].
    pub fn create_with<'a, T: Element, D: ndarray::Dimension>(
        mut self,
        path: impl AsRef<[u8]>,
        data: impl Into<ndarray::ArrayView<'a, T, D>>,
    ) -> Result<Dataset> {
        let data = data.into();
        let shape = || data.shape().iter().map(|length| *length as u64).collect::<Vec<_>>();
        match &mut self.extent {
            Extent::Scalar => self.extent = Extent::fixed(&shape()),
            Extent::Simple { dims, max } if dims.is_empty() && !max.is_empty() => *dims = shape(),
            _ => {}
        }
        let dataset = self.create(path)?;
        dataset.write(data)?;
        Ok(dataset)
    }

    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Encodes the header of the dataset.
    pub(crate) fn make(&self, file: &Arc<FileState>) -> Result<Address> {
        self.check()?;
        let md = file.metadata();
        let chunk = self.chunk_shape()?;
        let pipeline = match &chunk {
            Some(chunk) if !self.filters.is_empty() => {
                Some(self.filters.prepared(&self.datatype, chunk, self.fill_element())?)
            }
            _ => None,
        };
        let layout = self.layout(file, chunk, pipeline.is_some())?;
        let message = |kind, flags, body| RawMessage { kind, flags, body };
        let mut messages = Vec::with_capacity(MESSAGES);
        messages.push(message(kind::DATASPACE, 0, md.body(&self.extent)?));
        messages.push(self.datatype_message(file)?);
        messages.push(message(kind::FILL, CONSTANT, md.body(&self.fill_message(&layout))?));
        if let Some(pipeline) = &pipeline {
            messages.push(message(kind::FILTER_PIPELINE, CONSTANT, md.body(pipeline)?));
        }
        messages.push(message(kind::LAYOUT, 0, md.body(&layout)?));
        if let Wanted::External(files) = &self.wanted {
            messages.push(raw_files::message(md, files)?);
        }
        if md.bounds() == Bounds::Earliest {
            messages.push(message(kind::TIME, 0, md.body(&modification_time())?));
        }
        let options = edit::Options {
            spare: edit::ROOM,
            track_attributes: self.track_order,
            index_attributes: self.track_order,
            now: (self.track_times && md.bounds() != Bounds::Earliest).then(|| modification_time().seconds),
            whole: matches!(layout, DataLayout::Chunked(_)),
        };
        let address = edit::create_apart(md, messages, options)?;
        // What was written just now need not be read.
        if let Wanted::Virtual(layout) = &self.wanted
            && layout.is_stored_at(&self.extent)
        {
            file.keep_layout(address, layout);
        }
        Ok(address)
    }

    fn datatype_message(&self, file: &FileState) -> Result<RawMessage> {
        let md = file.metadata();
        let Some(named) = self.named else {
            return Ok(RawMessage { kind: kind::DATATYPE, flags: CONSTANT, body: md.body(&self.datatype)? });
        };
        let mut sink = Sink::new(md.widths());
        Shared::Committed(named).write(&mut sink)?;
        delete::link(&file.objects, named)?;
        Ok(RawMessage { kind: kind::DATATYPE, flags: CONSTANT | SHARED, body: sink.into_body() })
    }

    fn fill_message(&self, layout: &DataLayout) -> FillValue {
        let time = match self.fill_time {
            FillTime::WithAllocation => 0,
            FillTime::Never => 1,
            FillTime::IfSet => 2,
        };
        FillValue { allocation: self.allocation_of(layout), time, fill: self.fill.clone() }
    }

    fn fill_element(&self) -> Option<&[u8]> {
        match &self.fill {
            Fill::Value(value) => Some(value),
            _ => None,
        }
    }

    fn check(&self) -> Result<()> {
        let (dims, max) = (self.extent.dims(), self.extent.max());
        if max.len() != dims.len() {
            return Err(Error::usage(format!(
                "{} axes, of {} it was said how long they may become",
                dims.len(),
                max.len()
            )));
        }
        if let Some((dim, max)) = dims.iter().zip(max).find(|(dim, max)| max.is_some_and(|max| max < **dim)) {
            return Err(Error::usage(format!("an axis of {dim} may become {max:?} long")));
        }
        if let Some(fill) = self.fill_element().filter(|fill| fill.len() != self.datatype.size()) {
            let message =
                format!("a fill value of {} bytes for elements of {}", fill.len(), self.datatype.size());
            return Err(Error::usage(message));
        }
        let chunked = matches!(self.wanted, Wanted::Any | Wanted::Chunked(_));
        if !chunked && !self.filters.is_empty() {
            return Err(Error::usage("filters work on chunks, so the dataset must be chunked"));
        }
        let grows = dims.iter().zip(max).any(|(dim, max)| *max != Some(*dim));
        if grows && matches!(self.wanted, Wanted::Compact | Wanted::Contiguous) {
            return Err(Error::usage("a dataset that can grow must be chunked"));
        }
        match &self.wanted {
            Wanted::External(files) => raw_files::check(files, &self.extent, self.datatype.size() as u64),
            _ => Ok(()),
        }
    }

    /// The shape of a chunk, when there are to be chunks.
    fn chunk_shape(&self) -> Result<Option<Vec<u64>>> {
        let (dims, max) = (self.extent.dims(), self.extent.max());
        let wanted = match &self.wanted {
            Wanted::Chunked(wanted) => wanted.clone(),
            Wanted::Any => {
                let grows = dims.iter().zip(max).any(|(dim, max)| *max != Some(*dim));
                if !grows && self.filters.is_empty() {
                    return Ok(None);
                }
                None
            }
            _ => return Ok(None),
        };
        if dims.is_empty() {
            return Err(Error::usage("a scalar has no chunks, so neither filters"));
        }
        let chunk = wanted.unwrap_or_else(|| suitable_chunk(&self.extent, self.datatype.size() as u64));
        if chunk.len() != dims.len() || chunk.contains(&0) {
            return Err(Error::usage(format!(
                "chunks of {chunk:?} elements for a dataset of {} axes",
                dims.len()
            )));
        }
        if let Some((chunk, max)) =
            chunk.iter().zip(max).find(|(chunk, max)| max.is_some_and(|max| **chunk > max))
        {
            return Err(Error::usage(format!(
                "a chunk of {chunk} elements along an axis of at most {max:?}"
            )));
        }
        let bytes =
            chunk.iter().try_fold(self.datatype.size() as u64, |bytes, side| bytes.checked_mul(*side));
        if bytes.is_none_or(|bytes| bytes > u64::from(u32::MAX)) {
            return Err(Error::usage(format!("chunks of {chunk:?} elements have 4 GiB or more")));
        }
        Ok(Some(chunk))
    }

    fn layout(&self, file: &FileState, chunk: Option<Vec<u64>>, filtered: bool) -> Result<DataLayout> {
        let element_size = self.datatype.size() as u64;
        if let Some(chunk) = chunk {
            let (dims, max) = (self.extent.dims().to_vec(), self.extent.max().to_vec());
            let grid = index::ChunkGrid { dims, max, chunk, element_size };
            let early = self.allocation == Allocation::Early;
            let creation = index::Creation { filtered, early, edge_unfiltered: false };
            return index::create(file.metadata(), &grid, creation).map(DataLayout::Chunked);
        }
        let size = self.extent.count()?.checked_mul(element_size);
        let size = size.ok_or_else(|| Error::limit("the dataset has more than 2^64 bytes"))?;
        Ok(match &self.wanted {
            Wanted::Virtual(layout) => {
                let block = layout.encode(file.metadata().widths())?;
                let object = block
                    .map(|block| file.objects.global_heap.insert(file.metadata(), &block))
                    .transpose()?;
                let (collection, index) = object.map_or((None, 0), |(address, index)| (Some(address), index));
                DataLayout::Virtual { collection, index }
            }
            Wanted::Compact if size > MOST_COMPACT => {
                return Err(Error::usage(format!(
                    "{size} bytes do not fit a compact dataset, which has {MOST_COMPACT} at most"
                )));
            }
            Wanted::Compact => {
                let count = usize::try_from(self.extent.count()?).unwrap_or(0);
                let one = self.fill_element().map_or_else(|| vec![0; self.datatype.size()], <[u8]>::to_vec);
                DataLayout::Compact(one.repeat(count))
            }
            _ => DataLayout::Contiguous { address: None, size: Some(size) },
        })
    }

    fn allocation_of(&self, layout: &DataLayout) -> u8 {
        match (self.allocation, layout) {
            (Allocation::Early, _) | (Allocation::Default, DataLayout::Compact(_)) => 1,
            (Allocation::Late, _) | (Allocation::Default, DataLayout::Contiguous { .. }) => 2,
            (Allocation::Incremental | Allocation::Default, _) => 3,
        }
    }
}

/// Sides of chunks of about the [goal](CHUNK_GOAL): whole rows where they fit, else the slowest axes cut first.
fn suitable_chunk(extent: &Extent, element_size: u64) -> Vec<u64> {
    let side =
        |(dim, max): (&u64, &Option<u64>)| if max.is_none() { (*dim).max(1024) } else { (*dim).max(1) };
    let mut chunk: Vec<u64> = extent.dims().iter().zip(extent.max()).map(side).collect();
    let mut axis = 0;
    loop {
        let bytes = chunk.iter().fold(element_size.max(1), |bytes, side| bytes.saturating_mul(*side));
        if bytes <= CHUNK_GOAL || chunk.iter().all(|side| *side == 1) {
            return chunk;
        }
        let rank = chunk.len();
        if let Some(side) = chunk.get_mut(axis) {
            *side = side.div_ceil(2);
        }
        axis = (axis + 1) % rank;
    }
}

/// The time now, for an object of a version-1 header.
fn modification_time() -> ModificationTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    ModificationTime { reserved: [0; 3], seconds: u32::try_from(since.as_secs()).unwrap_or(u32::MAX) }
}

/// The group that the last name of a path is to be in, made with those on the way, and that name.
///
/// The caller holds the gate.
pub(crate) fn create_parents<'p>(group: &Group, path: &'p [u8]) -> Result<(Group, &'p [u8])> {
    let (before, name) = split(path);
    if name.is_empty() {
        return Err(Error::usage("the path has no name at its end"));
    }
    let mut parent = if path.starts_with(b"/") { group.root() } else { group.clone() };
    for part in before.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        parent = match parent.open(part) {
            Ok(object) => object.into_group().ok_or_else(|| {
                Error::usage(format!("{} on the way is not a group", String::from_utf8_lossy(part)))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let address = crate::object::group::create(&parent.file.objects, GroupOptions::default())?;
                parent.add_link(part, crate::format::message::link::LinkTarget::Hard(address))?;
                Group {
                    location: crate::location::Location::new(
                        &parent.file,
                        address,
                        &join(&parent.path, part),
                    ),
                }
            }
            Err(error) => return Err(error),
        };
    }
    Ok((parent, name))
}
