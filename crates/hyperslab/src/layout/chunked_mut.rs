//! Writing elements in chunks: what is overwritten whole is encoded at once, what is not is changed in
//! the cache and encoded when it leaves.
//!
//! Chunks are gathered and encoded side by side; then they get their places in the file one after the
//! other, so that neighbours lie together and are written together.

use crate::error::{Error, Place, Result};
use crate::filter::FilterPipeline;
use crate::format::bytes::Address;
use crate::format::message::layout::ChunkedLayout;
use crate::index::{self, ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::layout::cache::{Cached, ChunkCache, both};
use crate::layout::chunked::{Chunks, chunk_bytes, is_edge};
use crate::layout::cut::Cut;
use crate::layout::deposit::Deposit;
use crate::layout::execute::{Linear, Scratch};
use crate::layout::fill;
use crate::layout::fresh;
use crate::layout::plan::{Nest, Tiling};
use crate::layout::pool;
use crate::layout::wanted::Wanted;
use crate::layout::write::{Change, Order};
use crate::metadata::Metadata;
use parking_lot::Mutex;
use std::ops::Range;

/// Decoded bytes of the chunks that are worked on at once; bounds what they take in memory.
const GROUP: usize = 32 << 20;
/// And how many of them.
const CHUNKS: usize = 1 << 13;
/// Cells of several parts that are sorted by chunk at once; bounds the list of them.
const CELLS: usize = 1 << 18;
/// Encoding fewer bytes than this stays on the calling thread.
const PARALLEL: usize = 128 << 10;
/// Chunks are looked up one by one when this many times more lie around them.
const SPARSE: u64 = 16;
/// Neighbours in the file are written by one write up to so many bytes.
const WRITTEN: usize = 1 << 20;
/// Chunks of more bytes are written from where they are.
const DIRECT: usize = 128 << 10;

/// The chunks of a dataset that is written.
#[derive(Clone, Copy)]
pub(crate) struct ChunkSet<'a> {
    pub(crate) grid: &'a ChunkGrid,
    pub(crate) index: &'a dyn ChunkIndex,
    pub(crate) pipeline: &'a FilterPipeline,
    /// Whether chunks that the extent cuts are stored without the filters.
    pub(crate) edge_unfiltered: bool,
    /// The one of the dataset, which all its handles share.
    pub(crate) cache: &'a ChunkCache,
}

/// Changes the chunks of a dataset.
pub(crate) struct ChunkWriter<'a> {
    pub(crate) metadata: &'a Metadata,
    pub(crate) set: ChunkSet<'a>,
    /// The grid of what is stored from now on.
    pub(crate) grid: ChunkGrid,
    /// The index after its layout changed.
    reopened: Option<Box<dyn ChunkIndex>>,
    change: &'a mut Option<Change>,
    pub(crate) element: usize,
    fill: &'a [u8],
    /// Bytes of a decoded chunk.
    pub(crate) bytes: usize,
}

/// A chunk that is to be written.
struct Job {
    coords: Vec<u64>,
    /// Where its cells are in the list of them.
    cells: (usize, usize),
    old: Option<StoredChunk>,
}

/// What a chunk became.
enum Done<'a> {
    /// These bytes of the caller's, as they are.
    Input(&'a [u8]),
    /// These bytes, and the mask of the filters left out.
    Encoded(Vec<u8>, u32),
    /// A chunk for the cache, and what of it the file may not have.
    Kept(Vec<u8>, Range<usize>),
}

/// A decoded chunk that is to be stored.
pub(crate) struct Tile<'a> {
    pub(crate) coords: &'a [u64],
    pub(crate) bytes: &'a [u8],
    /// What of it the file may not have.
    pub(crate) changed: Range<usize>,
}

/// A chunk on its way to the file.
pub(crate) struct Outgoing<'a> {
    pub(crate) coords: &'a [u64],
    pub(crate) old: Option<StoredChunk>,
    pub(crate) bytes: &'a [u8],
    pub(crate) mask: u32,
    /// Where `bytes` may differ from what is stored without filters.
    pub(crate) changed: Range<usize>,
}

impl<'a> ChunkWriter<'a> {
    pub(crate) fn new(
        metadata: &'a Metadata,
        set: ChunkSet<'a>,
        (element, fill): (usize, &'a [u8]),
        change: &'a mut Option<Change>,
    ) -> Result<Self> {
        let bytes = chunk_bytes(metadata, set.grid, element)?;
        if !fill.is_empty() && fill.len() != element {
            return Err(Error::malformed(format!(
                "fill value has {} bytes, an element has {element}",
                fill.len()
            )));
        }
        Ok(Self { metadata, set, grid: set.grid.clone(), reopened: None, change, element, fill, bytes })
    }

    /// Writes the parts of an order.
    pub(crate) fn write(&mut self, order: &Order<'_>, deposit: &Deposit<'_>) -> Result<()> {
        let tiling = Tiling::new(&self.grid.chunk, self.element)?;
        let mut batch: Vec<Cut<'_>> = Vec::new();
        let mut count = 0usize;
        for part in order.parts {
            let cut = Cut::new(part, order.strides, &tiling)?;
            count = count.saturating_add(cut.count());
            if count > CELLS && !batch.is_empty() {
                self.write_batch(&batch, deposit)?;
                batch.clear();
                count = cut.count();
            }
            batch.push(cut);
        }
        self.write_batch(&batch, deposit)
    }

    fn write_batch(&mut self, cuts: &[Cut<'_>], deposit: &Deposit<'_>) -> Result<()> {
        let wanted = Wanted::new(cuts, self.set.grid)?;
        let most = self.group();
        let mut jobs: Vec<Job> = Vec::new();
        wanted.each_chunk(|coords, first, count| {
            jobs.push(Job { coords: coords.to_vec(), cells: (first, count), old: None });
            if jobs.len() < most {
                return Ok(());
            }
            self.write_group(&wanted, &mut jobs, deposit)
        })?;
        self.write_group(&wanted, &mut jobs, deposit)
    }

    /// How many chunks are worked on at once.
    pub(crate) fn group(&self) -> usize {
        (GROUP / self.bytes.max(1)).clamp(pool::threads().saturating_mul(4), CHUNKS)
    }

    /// Writes some chunks, and forgets them.
    fn write_group(
        &mut self,
        wanted: &Wanted<'_, Cut<'_>>,
        jobs: &mut Vec<Job>,
        deposit: &Deposit<'_>,
    ) -> Result<()> {
        jobs.sort_by(|one, other| one.coords.cmp(&other.coords));
        let coords: Vec<&[u64]> = jobs.iter().map(|job| job.coords.as_slice()).collect();
        let old = self.find(&coords)?;
        jobs.iter_mut().zip(old).for_each(|(job, old)| job.old = old);
        let slots: Vec<Mutex<Option<Done<'_>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
        let parallel = deposit.is_parallel() && jobs.len().saturating_mul(self.bytes) >= PARALLEL;
        let prepared = pool::each(0..jobs.len(), parallel, |at| {
            let (Some(job), Some(slot)) = (jobs.get(at), slots.get(at)) else { return Ok(()) };
            let mut done = None;
            let prepared = Scratch::with(|scratch| self.prepare(wanted, job, deposit, (scratch, &mut done)));
            *slot.lock() = done;
            prepared.at(|| format!("chunk {:?}", job.coords))
        });
        let mut outgoing = Vec::new();
        let done: Vec<Option<Done<'_>>> = slots.into_iter().map(Mutex::into_inner).collect();
        let mut encoded = Vec::new();
        for (job, done) in jobs.iter().zip(done) {
            match done {
                Some(Done::Kept(tile, changed)) => self.set.cache.keep(&job.coords, tile, changed),
                Some(done) => encoded.push((job, done)),
                None => {}
            }
        }
        prepared?;
        for (job, done) in &encoded {
            let (bytes, mask) = match done {
                Done::Input(bytes) => (*bytes, 0),
                Done::Encoded(bytes, mask) => (bytes.as_slice(), *mask),
                Done::Kept(..) => continue,
            };
            outgoing.push(Outgoing {
                coords: &job.coords,
                old: job.old,
                bytes,
                mask,
                changed: 0..bytes.len(),
            });
        }
        self.store(&outgoing)?;
        for (job, _) in &encoded {
            self.set.cache.forget(&job.coords);
        }
        jobs.clear();
        self.trim()
    }

    /// Gathers a chunk, and encodes it when nothing of it stays.
    ///
    /// What is left in `done` is kept also after an error.
    fn prepare<'d>(
        &self,
        wanted: &Wanted<'_, Cut<'_>>,
        job: &Job,
        deposit: &Deposit<'d>,
        (scratch, done): (&mut Scratch, &mut Option<Done<'d>>),
    ) -> Result<()> {
        let inside = self.inside(&job.coords);
        let mut whole = false;
        let mut only = None;
        wanted.each_nest(job.cells, &mut |nest| {
            whole |= nest.count() as u64 == inside && !deposit.keeps();
            if job.cells.1 == 1 {
                only = deposit.run(nest, self.bytes);
            }
            Ok(())
        })?;
        if !whole {
            let (mut tile, mut changed) = self.known(&job.coords, job.old, scratch)?;
            let put = wanted.each_nest(job.cells, &mut |nest| {
                changed = both(changed.clone(), nest.span(self.element));
                deposit.put(nest, &mut tile, &mut scratch.moving)
            });
            *done = Some(Done::Kept(tile, changed));
            return put;
        }
        let raw = self.is_raw(&job.coords);
        if let Some(run) = only {
            *done = Some(if raw { Done::Input(run) } else { self.encode(&job.coords, run, scratch)? });
            return Ok(());
        }
        let mut tile = if raw { fresh::zeroed(self.bytes)? } else { std::mem::take(&mut scratch.decoded) };
        scratch.holds = None;
        tile.resize(self.bytes, 0);
        if is_edge(&self.grid, &job.coords) {
            fill::fill(&mut tile, self.fill);
        }
        let mut put = |nest: &Nest| deposit.put(nest, &mut tile, &mut scratch.moving);
        wanted.each_nest(job.cells, &mut put)?;
        if raw {
            *done = Some(Done::Encoded(tile, 0));
        } else {
            *done = Some(self.encode(&job.coords, &tile, scratch)?);
            scratch.decoded = tile;
        }
        Ok(())
    }

    fn encode<'d>(&self, coords: &[u64], tile: &[u8], scratch: &mut Scratch) -> Result<Done<'d>> {
        if self.is_raw(coords) {
            return Ok(Done::Encoded(tile.to_vec(), 0));
        }
        let (bytes, mask) = self.set.pipeline.encode_with(tile, &mut scratch.filter)?;
        Ok(Done::Encoded(bytes, mask))
    }

    /// Elements of a chunk that lie in the extent.
    fn inside(&self, coords: &[u64]) -> u64 {
        let axes = coords.iter().zip(&self.grid.chunk).zip(&self.grid.dims);
        axes.map(|((at, chunk), dim)| dim.saturating_sub(at.saturating_mul(*chunk)).min(*chunk))
            .fold(1, u64::saturating_mul)
    }

    /// The fill value in the file's datatype; empty for zeroes.
    pub(crate) fn fill_value(&self) -> &'a [u8] {
        self.fill
    }

    /// Whether a chunk is stored as it is.
    fn is_raw(&self, coords: &[u64]) -> bool {
        self.set.pipeline.is_empty() || (self.set.edge_unfiltered && is_edge(&self.grid, coords))
    }

    /// A chunk as it is now, and what of it the file may not have: from the cache, from the file, or fill values.
    pub(crate) fn known(
        &self,
        coords: &[u64],
        stored: Option<StoredChunk>,
        scratch: &mut Scratch,
    ) -> Result<(Vec<u8>, Range<usize>)> {
        if let Some(known) = self.set.cache.take(coords) {
            return Ok(known);
        }
        let mut tile = fresh::zeroed(self.bytes)?;
        let Some(stored) = stored else {
            fill::fill(&mut tile, self.fill);
            return Ok((tile, 0..self.bytes));
        };
        self.chunks().load(&stored, coords, &mut tile, scratch)?;
        Ok((tile, 0..0))
    }

    /// The chunks as they are read, at the extent they were stored with.
    fn chunks(&self) -> Chunks<'_> {
        let ChunkSet { grid, pipeline, edge_unfiltered, .. } = self.set;
        Chunks {
            metadata: self.metadata,
            linear: Linear::of(self.metadata),
            grid,
            index: self.index(),
            pipeline,
            edge_unfiltered,
            reuse: None,
            cache: None,
            element: self.element,
            fill: self.fill,
        }
    }

    pub(crate) fn index(&self) -> &dyn ChunkIndex {
        self.reopened.as_deref().unwrap_or(self.set.index)
    }

    /// Where chunks are stored now; `coords` are sorted.
    pub(crate) fn find(&self, coords: &[&[u64]]) -> Result<Vec<Option<StoredChunk>>> {
        let mut first = coords.first().copied().unwrap_or_default().to_vec();
        let mut last = first.clone();
        for at in coords {
            first.iter_mut().zip(*at).for_each(|(first, at)| *first = (*first).min(*at));
            last.iter_mut().zip(*at).for_each(|(last, at)| *last = (*last).max(*at));
        }
        let sides = first.iter().zip(&last).map(|(first, last)| (last - first).saturating_add(1));
        let around = sides.fold(1, u64::saturating_mul);
        if coords.len() < 3 || around / SPARSE > coords.len() as u64 {
            return coords.iter().map(|at| self.index().lookup(self.metadata, at)).collect();
        }
        let mut found = vec![None; coords.len()];
        self.index().visit(self.metadata, &first, &last, &mut |at, stored| {
            let slot = coords.binary_search(&at).ok().and_then(|at| found.get_mut(at));
            if let Some(slot) = slot {
                *slot = Some(stored);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Stores encoded chunks, which are sorted by their coordinates.
    pub(crate) fn store(&mut self, chunks: &[Outgoing<'_>]) -> Result<()> {
        self.set.cache.renew();
        let mut run = Run { metadata: self.metadata, start: 0, bytes: Vec::new() };
        let mut places = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let size = chunk.bytes.len() as u64;
            let all = 0..chunk.bytes.len();
            let plain = self.set.pipeline.is_empty();
            let (address, changed) = match chunk.old {
                Some(old) if old.size == size && plain => (old.address, chunk.changed.clone()),
                Some(old) if old.size == size && self.metadata.is_unseen(old.address) => (old.address, all),
                _ => (self.metadata.allocate_chunk(chunk.bytes.len())?, all),
            };
            let start = Address(address.0.saturating_add(changed.start as u64));
            run.write(start, chunk.bytes.get(changed).unwrap_or_default())
                .at(|| format!("chunk {:?}", chunk.coords))?;
            places.push(StoredChunk { address, size, filter_mask: chunk.mask });
        }
        run.flush()?;
        for (chunk, place) in chunks.iter().zip(places) {
            if chunk.old == Some(place) {
                continue;
            }
            self.insert(chunk.coords, place)?;
            if let Some(old) = chunk.old.filter(|old| old.address != place.address) {
                self.metadata.free(old.address, old.size)?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, coords: &[u64], chunk: StoredChunk) -> Result<()> {
        let changed = self.index().insert(self.metadata, coords, chunk).at(|| format!("chunk {coords:?}"))?;
        if let Some(layout) = changed {
            self.changed(layout)?;
        }
        Ok(())
    }

    /// Goes on with an index whose layout message changed.
    fn changed(&mut self, layout: ChunkedLayout) -> Result<()> {
        let filtered = !self.set.pipeline.is_empty();
        self.reopened = Some(index::open(&layout, &self.grid, filtered)?);
        *self.change = Some(Change::Chunked(layout));
        Ok(())
    }

    /// Takes a chunk out of the index and gives its space back; `false` when the index cannot.
    pub(crate) fn remove(&mut self, coords: &[u64]) -> Result<bool> {
        let Removed { chunk, layout } = self.index().remove(self.metadata, coords)?;
        if let Some(layout) = layout {
            self.changed(layout)?;
        }
        let Some(removed) = chunk else { return Ok(false) };
        self.metadata.free(removed.address, removed.size)?;
        Ok(true)
    }

    /// Stores every chunk of the cache that the file does not have.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let dirty = self.set.cache.dirty();
        self.store_cached(&dirty)
    }

    /// Stores the oldest chunks of a cache that has too many, and forgets them.
    pub(crate) fn trim(&mut self) -> Result<()> {
        let beyond = self.set.cache.beyond();
        self.store_cached(&beyond)?;
        self.set.cache.trim();
        Ok(())
    }

    /// Encodes and stores chunks of the cache.
    fn store_cached(&mut self, chunks: &[Cached]) -> Result<()> {
        for group in chunks.chunks(self.group()) {
            let coords: Vec<&[u64]> = group.iter().map(|chunk| chunk.coords.as_slice()).collect();
            let old = self.find(&coords)?;
            let tiles = group.iter().map(|Cached { coords, bytes, changed }| Tile {
                coords,
                bytes,
                changed: changed.clone(),
            });
            self.store_tiles(&tiles.collect::<Vec<_>>(), &old)?;
            self.set.cache.stored(group);
        }
        Ok(())
    }

    /// Encodes and stores decoded chunks, which replace the old ones.
    pub(crate) fn store_tiles(&mut self, tiles: &[Tile<'_>], old: &[Option<StoredChunk>]) -> Result<()> {
        let slots: Vec<Mutex<Option<Done<'_>>>> = tiles.iter().map(|_| Mutex::new(None)).collect();
        let parallel = tiles.len().saturating_mul(self.bytes) >= PARALLEL;
        pool::each(0..tiles.len(), parallel, |at| {
            let (Some(Tile { coords, bytes, .. }), Some(slot)) = (tiles.get(at), slots.get(at)) else {
                return Ok(());
            };
            if !self.is_raw(coords) {
                let encoded = Scratch::with(|scratch| self.encode(coords, bytes, scratch));
                *slot.lock() = Some(encoded.at(|| format!("chunk {coords:?}"))?);
            }
            Ok(())
        })?;
        let encoded: Vec<Option<Done<'_>>> = slots.into_iter().map(Mutex::into_inner).collect();
        let chunks = tiles.iter().zip(&encoded).zip(old);
        let outgoing = chunks.map(|((tile, done), old)| {
            let (bytes, mask) = match done {
                Some(Done::Encoded(bytes, mask)) => (bytes.as_slice(), *mask),
                _ => (tile.bytes, 0),
            };
            Outgoing { coords: tile.coords, old: *old, bytes, mask, changed: tile.changed.clone() }
        });
        let outgoing: Vec<Outgoing<'_>> = outgoing.collect();
        self.store(&outgoing)
    }
}

/// Bytes that are neighbours in the file, collected to be written at once.
struct Run<'a> {
    metadata: &'a Metadata,
    start: u64,
    bytes: Vec<u8>,
}

impl Run<'_> {
    fn write(&mut self, address: Address, bytes: &[u8]) -> Result<()> {
        let end = self.start.saturating_add(self.bytes.len() as u64);
        let fits = bytes.len() <= DIRECT && self.bytes.len() + bytes.len() <= WRITTEN;
        if address.0 != end || !fits {
            self.flush()?;
            if bytes.len() > DIRECT {
                return self.metadata.write_data(address, bytes);
            }
            self.start = address.0;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.bytes.is_empty() {
            self.metadata.write_data(Address(self.start), &self.bytes)?;
            self.bytes.clear();
        }
        Ok(())
    }
}
