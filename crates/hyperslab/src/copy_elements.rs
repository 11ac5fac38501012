//! Copying datasets: as they are stored where that says the same in the other file, else read and written.

use crate::builder::DatasetBuilder;
use crate::copy::{Copier, shared};
use crate::copy_values::is_bound;
use crate::dataset::{self, Dataset, Elements};
use crate::datatype::Datatype;
use crate::error::{Error, Place, Result, to_usize};
use crate::file_state::FileState;
use crate::filter::FilterPipeline;
use crate::format::bytes::{Address, Body, Bounds, Length, Sink, Wire, all_ones};
use crate::format::message::fill::{Fill, FillValue};
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout, DataLayout};
use crate::format::message::other::{ExternalFiles, ExternalSlot};
use crate::format::object_header::{CONSTANT, RawMessage, kind};
use crate::group::{Group, Object};
use crate::index::{self, ChunkGrid, Creation, StoredChunk};
use crate::layout::contiguous;
use crate::layout::execute::{Linear, Stored as _};
use crate::location::Location;
use crate::metadata::Metadata;
use crate::object::header::Header;
use crate::object::local_heap::write::Names;
use crate::object::local_heap::{self, LocalHeap};
use crate::space::{Extent, Selection};
use crate::stored::Stored;
use crate::vds::layout::VirtualLayout;

/// A message's flag for what is elsewhere.
const SHARED: u8 = 2;
/// Allocation time of the fill value message: with the dataset.
const EARLY: u8 = 1;
/// Bytes that are copied at a time.
const PIECE: u64 = 16 << 20;
/// Bytes of elements that are read and written at a time.
const BUDGET: u64 = 32 << 20;

/// A dataset whose elements are to be read and written.
pub(crate) struct Later {
    pub(crate) from: Dataset,
    to: Address,
}

/// What the header of a dataset says.
struct Described {
    extent: Extent,
    datatype: Datatype,
    /// The datatype in the other file.
    into: Datatype,
    pipeline: Option<FilterPipeline>,
    fill: FillValue,
    layout: DataLayout,
    external: Option<ExternalFiles>,
}

impl Described {
    fn of(from: &Location, header: &Header, width: usize) -> Result<Self> {
        let objects = &from.file.objects;
        let missing = |what| Error::malformed(format!("a dataset without {what}"));
        let extent = objects.decoded(header, kind::DATASPACE, Extent::read).at(|| "dataspace message")?;
        let datatype = objects.datatype(header)?;
        let pipeline = objects.decoded(header, kind::FILTER_PIPELINE, FilterPipeline::read);
        let layout = objects.decoded(header, kind::LAYOUT, DataLayout::read).at(|| "layout message")?;
        let external = objects.decoded(header, kind::EXTERNAL_FILES, ExternalFiles::read);
        Ok(Self {
            extent: extent.ok_or_else(|| missing("dataspace"))?,
            into: datatype.with_addresses(width)?,
            datatype,
            pipeline: pipeline.at(|| "filter pipeline message")?,
            fill: dataset::fill_value(objects, header)?,
            layout: layout.ok_or_else(|| missing("layout"))?,
            external: external.at(|| "external files message")?,
        })
    }

    /// Whether the stored bytes mean the same in every file.
    fn is_free(&self) -> bool {
        !is_bound(&self.datatype)
    }
}

impl Copier<'_> {
    /// The copy of a dataset, its elements perhaps later.
    pub(crate) fn dataset(&mut self, from: &Location, header: &Header) -> Result<Address> {
        if let Some(to) = self.reshaped(from)? {
            return Ok(to);
        }
        let width = usize::from(self.to.metadata().widths().offsets);
        let mut of = Described::of(from, header, width)?;
        if let Fill::Value(value) = &of.fill.fill {
            let value = self.moved(&from.file, (&of.datatype, &of.into), value).at(|| "fill value")?;
            of.fill.fill = Fill::Value(value);
        }
        let to = std::sync::Arc::clone(&self.to);
        let md = to.metadata();
        let mut messages = vec![message(kind::DATASPACE, 0, md.encode(&of.extent)?)];
        let named = header.first(kind::DATATYPE).map(|message| self.named(from, message)).transpose()?;
        messages.push(match named.flatten() {
            Some(named) => message(kind::DATATYPE, CONSTANT | SHARED, shared(named, md)?),
            None => message(kind::DATATYPE, CONSTANT, md.encode(&of.into)?),
        });
        messages.push(message(kind::FILL, CONSTANT, md.encode(&of.fill)?));
        if let Some(pipeline) = &of.pipeline {
            messages.push(message(kind::FILTER_PIPELINE, CONSTANT, md.encode(pipeline)?));
        }
        if let Some(external) = &of.external {
            let external = external_files(from, external, md).at(|| "external files message")?;
            let mut sink = Sink::new(md.widths());
            external.write(&mut sink)?;
            messages.push(message(kind::EXTERNAL_FILES, CONSTANT, sink.into_bytes()));
        }
        let (layout, complete) = self.layout(&from.file, &of)?;
        messages.push(message(kind::LAYOUT, 0, md.encode(&layout)?));
        let address = self.header(header, messages)?;
        if !complete {
            let Object::Dataset(from) = Object::open(&from.file, from.address, &from.path)? else {
                return Err(Error::malformed("is not a dataset"));
            };
            self.later.push_back(Later { from, to: address });
        }
        Ok(address)
    }

    /// The dataset as somebody wants it stored instead.
    fn reshaped(&mut self, from: &Location) -> Result<Option<Address>> {
        let Some(reshape) = self.options.reshape else { return Ok(None) };
        let Object::Dataset(from) = Object::open(&from.file, from.address, &from.path)? else {
            return Ok(None);
        };
        let width = usize::from(self.to.metadata().widths().offsets);
        let root = Group { location: Location::new(&self.to, self.to.superblock.root, b"/") };
        let builder = DatasetBuilder::like(root, &from, from.datatype().with_addresses(width)?);
        let Some(builder) = reshape(&from, builder)? else { return Ok(None) };
        let to = builder.make(&self.to)?;
        self.later.push_back(Later { from, to });
        Ok(Some(to))
    }

    /// Where the copy of the elements is, and whether they are there already.
    fn layout(&self, from: &FileState, of: &Described) -> Result<(DataLayout, bool)> {
        let element = (of.datatype.size() as u64, of.into.size() as u64);
        Ok(match &of.layout {
            DataLayout::Virtual { collection, index } => {
                let heap = collection.map(|collection| (collection, *index));
                (self.virtual_layout(from, heap, &of.extent)?, true)
            }
            layout @ DataLayout::Contiguous { .. } if of.external.is_some() => {
                let DataLayout::Contiguous { size, .. } = layout else { return Ok((layout.clone(), true)) };
                (DataLayout::Contiguous { address: None, size: *size }, true)
            }
            DataLayout::Compact(bytes) if of.is_free() => (DataLayout::Compact(bytes.clone()), true),
            DataLayout::Compact(bytes) => {
                let count = (bytes.len() as u64).checked_div(element.0).unwrap_or(0);
                (DataLayout::Compact(vec![0; to_usize(count.saturating_mul(element.1))?]), false)
            }
            DataLayout::Contiguous { address, .. } => {
                let count = if of.extent == Extent::Null { 0 } else { of.extent.count()? };
                let size = count.checked_mul(element.1);
                let size = size.ok_or_else(|| Error::malformed("the dataset has more than 2^64 bytes"))?;
                let address = match address {
                    Some(address) if of.is_free() && size > 0 => Some(self.bytes(from, *address, size)?),
                    _ => None,
                };
                let complete = of.is_free() || size == 0;
                (DataLayout::Contiguous { address, size: Some(size) }, complete)
            }
            DataLayout::Chunked(chunked) => self.chunks(from, of, chunked)?,
        })
    }

    fn virtual_layout(
        &self,
        from: &FileState,
        heap: Option<(Address, u32)>,
        extent: &Extent,
    ) -> Result<DataLayout> {
        let Some((collection, index)) = heap else {
            return Ok(DataLayout::Virtual { collection: None, index: 0 });
        };
        let md = from.metadata();
        let block = from.objects.global_heap.get(md, collection, index)?;
        let layout = VirtualLayout::decode(&block, md.widths(), extent).at(|| "virtual dataset block")?;
        let Some(block) = layout.encode(self.to.metadata().widths())? else {
            return Ok(DataLayout::Virtual { collection: None, index: 0 });
        };
        let (collection, index) = self.to.objects.global_heap.insert(self.to.metadata(), &block)?;
        Ok(DataLayout::Virtual { collection: Some(collection), index })
    }

    /// Copies a run of bytes.
    fn bytes(&self, from: &FileState, address: Address, size: u64) -> Result<Address> {
        let to = contiguous::allocate(self.to.metadata(), size, None)?;
        let linear = Linear::of(from.metadata());
        let mut buffer = vec![0; to_usize(size.min(PIECE))?];
        let mut at = 0;
        while at < size {
            let piece = buffer.get_mut(..to_usize((size - at).min(PIECE))?).unwrap_or_default();
            linear.read(address.0.saturating_add(at), piece)?;
            self.to.metadata().write_data(Address(to.0.saturating_add(at)), piece)?;
            self.report(piece.len() as u64);
            at = at.saturating_add(PIECE);
        }
        Ok(to)
    }

    /// Copies chunks as they are stored, when they mean the same there.
    fn chunks(
        &self,
        from: &FileState,
        of: &Described,
        chunked: &ChunkedLayout,
    ) -> Result<(DataLayout, bool)> {
        let md = self.to.metadata();
        let filtered = of.pipeline.as_ref().is_some_and(|pipeline| !pipeline.is_empty());
        let (dims, max) = (of.extent.dims().to_vec(), of.extent.max().to_vec());
        let element_size = of.into.size() as u64;
        let there = ChunkGrid { dims, max, chunk: chunked.chunk.clone(), element_size };
        let edge_unfiltered = chunked.edge_unfiltered() && md.bounds() == Bounds::V110;
        let early = of.fill.allocation == EARLY;
        let mut layout = index::create(md, &there, Creation { filtered, early, edge_unfiltered })?;
        if !of.is_free() || chunked.edge_unfiltered() != edge_unfiltered {
            return Ok((DataLayout::Chunked(layout), false));
        }
        let here = ChunkGrid { element_size: of.datatype.size() as u64, ..there.clone() };
        let mut index = index::open(&layout, &there, filtered)?;
        for (coords, stored) in stored_chunks(from, chunked, (&here, filtered))? {
            let mut bytes = vec![0; to_usize(stored.size)?];
            Linear::of(from.metadata()).read(stored.address.0, &mut bytes)?;
            if layout.indexing == ChunkIndexing::Implicit
                && let Some(chunk) = index.lookup(md, &coords)?
            {
                md.write_data(chunk.address, &bytes)?;
            } else {
                let address = md.allocate(bytes.len())?;
                md.write_data(address, &bytes)?;
                if let Some(changed) = index.insert(md, &coords, StoredChunk { address, ..stored })? {
                    layout = changed;
                    index = index::open(&layout, &there, filtered)?;
                }
            }
            self.report(bytes.len() as u64);
        }
        Ok((DataLayout::Chunked(layout), true))
    }

    fn report(&self, bytes: u64) {
        if let Some(progress) = self.options.progress {
            progress(bytes);
        }
    }

    /// Reads the elements of a dataset and writes them to its copy.
    pub(crate) fn elements(&mut self, later: &Later) -> Result<()> {
        let (from, file) = (&later.from, std::sync::Arc::clone(&self.to));
        let Object::Dataset(to) = Object::open(&file, later.to, &from.path)? else {
            return Err(Error::usage("the copy is not a dataset"));
        };
        if from.extent() == Extent::Null || from.extent().count()? == 0 || !is_stored(from) {
            return Ok(());
        }
        let shape = from.shape();
        let step = step(&shape, to.chunk_shape(), from.datatype().size() as u64);
        let mut start = Some(vec![0_u64; shape.len()]);
        while let Some(at) = start {
            let ranges: Vec<_> = at
                .iter()
                .zip(&step)
                .zip(&shape)
                .map(|((at, step), length)| *at..at.saturating_add(*step).min(*length))
                .collect();
            let selection = if ranges.is_empty() { Selection::All } else { Selection::from_ranges(&ranges)? };
            let count =
                ranges.iter().fold(1, |count: u64, range| count.saturating_mul(range.end - range.start));
            self.piece(from, &to, &selection)?;
            self.report(count.saturating_mul(from.datatype().size() as u64));
            start = next(at, &step, &shape);
        }
        Ok(())
    }

    /// Reads and writes one selection.
    fn piece(&mut self, from: &Dataset, to: &Dataset, selection: &Selection) -> Result<()> {
        let datatype = from.datatype();
        if !is_bound(datatype) {
            let bytes = from.read_bytes(selection, datatype)?;
            return to.write_bytes(selection, datatype, &bytes);
        }
        if from.is_virtual() && !datatype.has_reference() {
            // Each source has a heap of its own.
            return to.write_values(selection, &from.read_values(selection)?);
        }
        let bytes = from.read_bytes(selection, datatype)?;
        let moved = {
            let _reading = self.guard(&from.file)?;
            let file = std::sync::Arc::clone(&self.to);
            let _writing = file.writing()?;
            self.moved(&from.file, (datatype, to.datatype()), &bytes)?
        };
        to.write_bytes(selection, to.datatype(), &moved)
    }
}

/// Whether any element was written, as far as that is quickly said.
fn is_stored(dataset: &Dataset) -> bool {
    match &dataset.state().elements {
        Elements::Stored(Stored::Contiguous { address, .. }) => address.is_some(),
        _ => true,
    }
}

/// Every stored chunk, with its coordinates.
fn stored_chunks(
    from: &FileState,
    layout: &ChunkedLayout,
    (grid, filtered): (&ChunkGrid, bool),
) -> Result<Vec<(Vec<u64>, StoredChunk)>> {
    let mut found = Vec::new();
    if grid.dims.contains(&0) {
        return Ok(found);
    }
    let last = |(dim, side): (&u64, &u64)| dim.div_ceil((*side).max(1)).saturating_sub(1);
    let last: Vec<u64> = grid.dims.iter().zip(&grid.chunk).map(last).collect();
    let index = index::open(layout, grid, filtered)?;
    index.visit(from.metadata(), &vec![0; last.len()], &last, &mut |coords, chunk| {
        found.push((coords.to_vec(), chunk));
        Ok(())
    })?;
    Ok(found)
}

/// The names of raw files, in a heap of the other file.
fn external_files(from: &Location, external: &ExternalFiles, to: &Metadata) -> Result<ExternalFiles> {
    let names = LocalHeap::open(from.file.metadata(), external.heap)?;
    let heap = local_heap::write::create(to)?;
    let mut there = Names::open(to, heap)?;
    let all_ones = |md: &Metadata| all_ones(md.widths().lengths);
    let mut slots = Vec::with_capacity(external.slots.len());
    for slot in &external.slots {
        let name = Length(there.insert(names.name(slot.name.0)?)?);
        let open = slot.size.0 == all_ones(from.file.metadata());
        let size = if open { Length(all_ones(to)) } else { slot.size };
        slots.push(ExternalSlot { name, offset: slot.offset, size });
    }
    Ok(ExternalFiles { heap, slots })
}

fn message(kind: u16, flags: u8, body: impl Into<Body>) -> RawMessage {
    RawMessage { kind, flags, body: body.into() }
}

/// Sides of the boxes in which elements are read and written: whole chunks, as many as the budget holds.
fn step(shape: &[u64], chunk: Option<&[u64]>, element: u64) -> Vec<u64> {
    let mut step = chunk.map_or_else(|| vec![1; shape.len()], <[u64]>::to_vec);
    for axis in (0..shape.len()).rev() {
        let bytes = step.iter().fold(element.max(1), |bytes, side| bytes.saturating_mul(*side));
        let (Some(side), Some(length)) = (step.get_mut(axis), shape.get(axis)) else { break };
        let times = (BUDGET / bytes.max(1)).clamp(1, length.div_ceil((*side).max(1)).max(1));
        *side = side.saturating_mul(times);
    }
    step
}

/// Where the box after the one at `at` begins.
fn next(mut at: Vec<u64>, step: &[u64], shape: &[u64]) -> Option<Vec<u64>> {
    for axis in (0..at.len()).rev() {
        let (place, step, length) = (at.get_mut(axis)?, step.get(axis)?, shape.get(axis)?);
        *place = place.saturating_add((*step).max(1));
        if *place < *length {
            return Some(at);
        }
        *place = 0;
    }
    None
}
