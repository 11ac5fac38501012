//! Elements in chunks: each chunk a read meets is fetched once and decoded once.

use crate::error::{Error, Place, Result, to_usize};
use crate::filter::{self, FilterPipeline};
use crate::index::{ChunkGrid, ChunkIndex, StoredChunk};
use crate::layout::cache::ChunkCache;
use crate::layout::contiguous;
use crate::layout::disjoint::{Cells, Disjoint, Row};
use crate::layout::execute::{GAP, Identity, Linear, Scratch, Stored, Transfer, room};
use crate::layout::plan::{Division, Tiling};
use crate::layout::pool;
use crate::layout::recent;
use crate::layout::wanted::{Task, Wanted};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::storage::coalesce;
use std::collections::BTreeSet;
use std::ops::Range;

/// Chunks that are known before they are read; bounds the list of them.
const TASKS: usize = 1 << 14;
/// Cells of several parts that are sorted by chunk at once; bounds the list of them.
const CELLS: usize = 1 << 18;
/// Bytes that are fetched by one read when chunks are neighbours.
const FETCHED: u64 = 2 << 20;
/// Decoding or moving fewer bytes than this stays on the calling thread.
const PARALLEL: u64 = 128 << 10;
/// Reads of few chunks that decode to no more than this keep them for the next read.
const SMALL: u64 = 256 << 10;
/// Chunks of a small read.
const FEW: usize = 16;
/// Chunks of at least this many bytes that no filter changed are read without staging.
const DIRECT: u64 = 32 << 10;
/// No deflate stream becomes more times its size.
const INFLATED: u64 = 1100;
/// Filters that keep the size of a chunk or are deflate: 1 deflate, 2 shuffle, 3 checksum.
const DEFLATE_FAMILY: Range<u16> = 1..4;

/// A chunked dataset.
pub(crate) struct Chunks<'a> {
    pub(crate) metadata: &'a Metadata,
    pub(crate) linear: Linear<'a>,
    pub(crate) grid: &'a ChunkGrid,
    pub(crate) index: &'a dyn ChunkIndex,
    pub(crate) pipeline: &'a FilterPipeline,
    /// Whether chunks that the extent cuts are stored without the filters.
    pub(crate) edge_unfiltered: bool,
    pub(crate) reuse: Option<Identity>,
    /// Chunks that count instead of those stored.
    pub(crate) cache: Option<&'a ChunkCache>,
    pub(crate) element: usize,
    pub(crate) fill: &'a [u8],
}

impl Chunks<'_> {
    /// Reads the parts numbered `range`.
    pub(crate) fn read(
        &self,
        output: &Disjoint<'_>,
        range: Range<usize>,
        transfer: &Transfer<'_>,
    ) -> Result<()> {
        chunk_bytes(self.metadata, self.grid, self.element)?;
        let tiling = Tiling::new(&self.grid.chunk, self.element)?;
        let mut batch: Vec<Cells<'_>> = Vec::with_capacity(range.len().min(CELLS));
        let mut count = 0usize;
        for part in range {
            let cells = output.claim(part)?.cells(&tiling)?;
            count = count.saturating_add(cells.count());
            if count > CELLS && !batch.is_empty() {
                self.read_batch(&batch, transfer)?;
                batch.clear();
                count = cells.count();
            }
            batch.push(cells);
        }
        self.read_batch(&batch, transfer)
    }

    fn read_batch(&self, cells: &[Cells<'_>], transfer: &Transfer<'_>) -> Result<()> {
        let wanted = Wanted::new(cells, self.grid)?;
        let bytes = wanted.chunk_bytes(self.element)?;
        let plain = transfer.is_copy() && self.pipeline.is_empty();
        let row = match cells {
            [cells] if plain => cells.row(bytes)?.map(|row| (cells, row)),
            _ => None,
        };
        let asked = cells.iter().fold(0, |sum: u64, cells| sum.saturating_add(cells.bytes()));
        let fetch = Fetch { chunks: self, wanted: &wanted, transfer, bytes, asked, row };
        let mut tasks: Vec<Task> = Vec::new();
        let served = self.read_cached(&wanted, transfer)?;
        if wanted.is_sparse() {
            wanted.each_chunk(|coords, first, count| {
                if served.contains(coords) {
                    return Ok(());
                }
                let found = self.index.lookup(self.metadata, coords)?;
                tasks.extend(found.map(|stored| Task { stored, first, count }));
                fetch.run_when_many(&mut tasks)
            })?;
        } else if let Some((first, last)) = wanted.bounds() {
            self.index.visit(self.metadata, first, last, &mut |coords, stored| {
                if let Some((first, count)) = wanted.locate(coords)
                    && !served.contains(coords)
                {
                    tasks.push(Task { stored, first, count });
                }
                fetch.run_when_many(&mut tasks)
            })?;
        }
        fetch.run(&mut tasks)?;
        if cells.iter().any(Cells::has_rest) {
            self.metadata.note_absence();
            if let Some(pattern) = transfer.pattern(self.fill)? {
                cells.iter().try_for_each(|cells| cells.fill_rest(&pattern))?;
            }
        }
        Ok(())
    }

    /// Whether a chunk is stored as it is; `at_edge` is only asked where that counts.
    fn is_raw(&self, stored: &StoredChunk, at_edge: impl FnOnce() -> bool) -> bool {
        let filters = self.pipeline.filters.len();
        let skipped = |filter: usize| filter < 32 && stored.filter_mask >> filter & 1 == 1;
        (0..filters).all(skipped) || (self.edge_unfiltered && at_edge())
    }

    /// Sizes make sense before anything is allocated for them; a decoded chunk has `bytes`.
    fn check(&self, chunk: &StoredChunk, raw: bool, bytes: usize) -> Result<()> {
        let (stored, bytes) = (chunk.size, bytes as u64);
        if raw {
            self.linear.check(chunk.address.0, stored)?;
            if stored != bytes {
                return Err(Error::malformed(format!(
                    "unfiltered chunk is stored in {stored} bytes, its elements have {bytes}"
                )));
            }
            return Ok(());
        }
        self.linear.check_whole(chunk.address.0, stored)?;
        Limits::check(stored, ("chunk_bytes", self.metadata.limits().chunk_bytes), "stored bytes")?;
        let deflated = self.pipeline.filters.iter().all(|filter| DEFLATE_FAMILY.contains(&filter.id));
        if deflated && bytes > stored.saturating_mul(INFLATED).saturating_add(64 << 10) {
            return Err(Error::malformed(format!(
                "{stored} bytes cannot inflate to the {bytes} bytes of a chunk"
            )));
        }
        Ok(())
    }

    /// Reads and decodes a chunk, all of it.
    pub(crate) fn load(
        &self,
        chunk: &StoredChunk,
        coords: &[u64],
        tile: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let load = |tile: &mut [u8], scratch: &mut Scratch| {
            let raw = self.is_raw(chunk, || is_edge(self.grid, coords));
            self.check(chunk, raw, tile.len())?;
            if raw {
                return self.linear.read(chunk.address.0, tile);
            }
            self.decode(chunk, tile, (&mut scratch.stored, &mut scratch.filter))
        };
        load(tile, scratch).at(|| format!("chunk {coords:?} at {}", chunk.address))
    }

    /// Reads the stored bytes of a chunk and decodes them.
    fn decode(
        &self,
        chunk: &StoredChunk,
        tile: &mut [u8],
        (stored, filter): (&mut Vec<u8>, &mut filter::Scratch),
    ) -> Result<()> {
        let stored = room(stored, to_usize(chunk.size)?)?;
        self.linear.read(chunk.address.0, stored)?;
        self.pipeline.decode_into(stored, chunk.filter_mask, tile, filter)
    }

    /// Places the cells of the chunks that are cached.
    fn read_cached(
        &self,
        wanted: &Wanted<'_, Cells<'_>>,
        transfer: &Transfer<'_>,
    ) -> Result<BTreeSet<Vec<u64>>> {
        let mut served = BTreeSet::new();
        for (coords, bytes) in self.cache.map(ChunkCache::all).unwrap_or_default() {
            let Some((first, count)) = wanted.locate(&coords) else { continue };
            Scratch::with(|scratch| {
                wanted.each_cell((first, count), &mut |mut cell| {
                    transfer.take(&mut cell, &bytes, &mut scratch.moving)
                })
            })?;
            served.insert(coords);
        }
        Ok(served)
    }
}

/// Bytes of a decoded chunk.
pub(crate) fn chunk_bytes(md: &Metadata, grid: &ChunkGrid, element: usize) -> Result<usize> {
    let bytes = contiguous::total(&grid.chunk, element)?;
    Limits::check(bytes, ("chunk_bytes", md.limits().chunk_bytes), "bytes of one chunk")?;
    to_usize(bytes)
}

/// Whether the extent cuts a chunk.
pub(crate) fn is_edge(grid: &ChunkGrid, coords: &[u64]) -> bool {
    let axes = coords.iter().zip(&grid.chunk).zip(&grid.dims);
    axes.into_iter().any(|((at, chunk), dim)| {
        at.checked_add(1).and_then(|next| next.checked_mul(*chunk)).is_none_or(|end| end > *dim)
    })
}

/// Fetching the chunks of one batch.
struct Fetch<'f> {
    chunks: &'f Chunks<'f>,
    wanted: &'f Wanted<'f, Cells<'f>>,
    transfer: &'f Transfer<'f>,
    /// Bytes of a decoded chunk.
    bytes: usize,
    /// Bytes of all elements of the batch.
    asked: u64,
    /// Chunks that follow one another in the output as they are.
    row: Option<(&'f Cells<'f>, Row)>,
}

impl Fetch<'_> {
    fn run_when_many(&self, tasks: &mut Vec<Task>) -> Result<()> {
        if tasks.len() < TASKS { Ok(()) } else { self.run(tasks) }
    }

    /// Reads, decodes and places chunks, and forgets them.
    fn run(&self, tasks: &mut Vec<Task>) -> Result<()> {
        for task in tasks.iter() {
            self.chunks.check(&task.stored, self.is_raw(task), self.bytes).at(|| self.name(task))?;
        }
        let whole = (tasks.len() as u64).saturating_mul(self.bytes as u64);
        if let Some(dataset) = self.keeper(tasks, whole) {
            let mut each = tasks.drain(..);
            return each.try_for_each(|task| self.run_small(dataset, &task).at(|| self.name(&task)));
        }
        tasks.sort_by_key(|task| (self.is_direct(task), task.stored.address));
        let direct = tasks.partition_point(|task| !self.is_direct(task));
        let (staged, _) = tasks.split_at_checked(direct).unwrap_or_default();
        let reads: Vec<(u64, u64)> =
            staged.iter().map(|task| (task.stored.address.0, task.stored.size)).collect();
        // Of chunks that need no decoding, only what is asked for is moved.
        let moved = if self.chunks.pipeline.is_empty() { whole.min(self.asked) } else { whole };
        let parallel = moved >= PARALLEL;
        let stored = reads.iter().fold(0, |sum: u64, (_, size)| sum.saturating_add(*size));
        let share = if parallel { stored / (4 * pool::threads() as u64) } else { stored };
        let limit = share.min(FETCHED);
        let mut groups = coalesce::groups(&reads, GAP as u64, limit);
        groups.extend((direct..tasks.len()).map(|task| task..task + 1));
        pool::each(0..groups.len(), parallel, |group| {
            let group = groups.get(group).cloned().and_then(|group| tasks.get(group)).unwrap_or_default();
            Scratch::with(|scratch| self.run_group(group, scratch))
        })?;
        tasks.clear();
        Ok(())
    }

    /// The dataset whose chunks stay decoded for the next read: these are few and small, `whole` bytes in all.
    fn keeper(&self, tasks: &[Task], whole: u64) -> Option<Identity> {
        let dataset = self.chunks.reuse.filter(|_| tasks.len() <= FEW)?;
        if !self.chunks.pipeline.is_empty() {
            return (whole <= SMALL).then_some(dataset);
        }
        // Chunks that need no decoding are read straight from the file until that has cost as much, large ones
        // always when most of them is wanted.
        let streams = whole > SMALL && self.asked > whole / 2;
        if self.chunks.linear.growing || whole > recent::BYTES as u64 || streams {
            return None;
        }
        let cost = GAP as u64 + self.asked / tasks.len().max(1) as u64;
        Scratch::with(|scratch| {
            let pays = |all, task: &Task| scratch.recent.pays((dataset, task.stored), cost) && all;
            tasks.iter().fold(true, pays).then_some(dataset)
        })
    }

    /// Places the elements of a chunk that stays decoded for the next read.
    fn run_small(&self, dataset: Identity, task: &Task) -> Result<()> {
        Scratch::with(|scratch| {
            let plain = self.chunks.pipeline.is_empty();
            if !plain && self.is_raw(task) {
                return self.read_raw(task, scratch);
            }
            let Scratch { stored, moving, filter, recent, .. } = scratch;
            let decode = |tile: &mut [u8]| {
                if plain {
                    return self.chunks.linear.read(task.stored.address.0, tile);
                }
                self.chunks.decode(&task.stored, tile, (stored, filter))
            };
            let tile = recent.get((dataset, task.stored), self.bytes, decode)?;
            self.wanted.each_cell((task.first, task.count), &mut |mut cell| {
                self.transfer.take(&mut cell, tile, moving)
            })
        })
    }

    /// Whether the chunk is stored as it is.
    fn is_raw(&self, task: &Task) -> bool {
        self.chunks.is_raw(&task.stored, || is_edge(self.chunks.grid, &self.wanted.coords(task)))
    }

    fn is_direct(&self, task: &Task) -> bool {
        task.stored.size >= DIRECT && self.is_raw(task)
    }

    fn name(&self, task: &Task) -> String {
        format!("chunk {:?} at {}", self.wanted.coords(task), task.stored.address)
    }

    /// Chunks that one read fetches.
    fn run_group(&self, group: &[Task], scratch: &mut Scratch) -> Result<()> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        if group.len() == 1 && self.is_raw(first) {
            return self.read_raw(first, scratch).at(|| self.name(first));
        }
        if group.len() == 1 && scratch.holds.is_some() && scratch.holds == self.identity(first) {
            return self.place_decoded(first, scratch).at(|| self.name(first));
        }
        let start = first.stored.address.0;
        if group.len() > 1 && group.is_sorted_by(|one, next| self.follows(one, next)) {
            return self.read_row(group).at(|| self.name(last));
        }
        let end = group.iter().map(|task| task.stored.address.0.saturating_add(task.stored.size)).max();
        let length = to_usize(end.unwrap_or(start).saturating_sub(start))?;
        let mut stored = std::mem::take(&mut scratch.stored);
        let span = room(&mut stored, length)?;
        self.chunks.linear.read(start, span).at(|| self.name(last))?;
        for tasks in group.chunk_by(|one, next| self.follows(one, next)) {
            let Some(task) = tasks.first() else { continue };
            let from = to_usize(task.stored.address.0.saturating_sub(start))?;
            let size = usize::try_from(task.stored.size).ok().and_then(|size| size.checked_mul(tasks.len()));
            let bytes = span.get(from..).and_then(|span| span.get(..size?)).unwrap_or_default();
            if tasks.len() > 1 {
                let copy = |row: &mut [u8]| {
                    row.copy_from_slice(bytes);
                    Ok(())
                };
                self.fill_row(tasks, copy).at(|| self.name(task))?;
            } else {
                self.place(task, bytes, scratch).at(|| self.name(task))?;
            }
        }
        scratch.stored = stored;
        Ok(())
    }

    /// Whether two chunks are neighbours where they are stored and in the output.
    fn follows(&self, one: &Task, next: &Task) -> bool {
        let Some((_, row)) = &self.row else { return false };
        one.first.checked_add(1) == Some(next.first)
            && row.cells.contains(&one.first)
            && row.cells.contains(&next.first)
            && one.stored.address.0.checked_add(row.bytes as u64) == Some(next.stored.address.0)
    }

    /// Reads chunks that follow one another straight to where they belong.
    fn read_row(&self, tasks: &[Task]) -> Result<()> {
        let start = tasks.first().map_or(0, |task| task.stored.address.0);
        self.fill_row(tasks, |row| self.chunks.linear.read(start, row))
    }

    fn fill_row(&self, tasks: &[Task], fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<()> {
        let (Some((cells, row)), Some(first)) = (&self.row, tasks.first()) else {
            return Err(Error::usage("chunks that are not in a row"));
        };
        let claimed = cells.claim_row(row, first.first..first.first.saturating_add(tasks.len()))?;
        fill(claimed.ok_or_else(|| Error::malformed("the index has the chunk twice"))?.run()?)
    }

    /// Reads only what is needed of a chunk that is stored as it is.
    fn read_raw(&self, task: &Task, scratch: &mut Scratch) -> Result<()> {
        self.wanted.each_cell((task.first, task.count), &mut |mut cell| {
            let start = task.stored.address.0;
            self.transfer.read(&mut cell, &self.chunks.linear, start, &mut scratch.moving)
        })
    }

    /// What tells a chunk from all others, while that is known.
    fn identity(&self, task: &Task) -> Option<(Identity, StoredChunk)> {
        self.chunks.reuse.map(|dataset| (dataset, task.stored))
    }

    /// Places the elements of the chunk that this thread decoded last.
    fn place_decoded(&self, task: &Task, scratch: &mut Scratch) -> Result<()> {
        let Scratch { decoded, moving, .. } = scratch;
        let tile = room(decoded, self.bytes)?;
        self.wanted
            .each_cell((task.first, task.count), &mut |mut cell| self.transfer.take(&mut cell, tile, moving))
    }

    /// Decodes a chunk and places its elements.
    fn place(&self, task: &Task, stored: &[u8], scratch: &mut Scratch) -> Result<()> {
        let Scratch { decoded, moving, filter, holds, .. } = scratch;
        let (pipeline, mask) = (self.chunks.pipeline, task.stored.filter_mask);
        if self.is_raw(task) {
            return self.wanted.each_cell((task.first, task.count), &mut |mut cell| {
                self.transfer.take(&mut cell, stored, moving)
            });
        }
        let mut is_decoded = false;
        self.wanted.each_cell((task.first, task.count), &mut |mut cell| {
            if task.count == 1 && self.transfer.is_copy() && cell.shortest_run() == self.bytes {
                return cell.windows(Division::Whole, &mut |slot| match slot.run() {
                    Some(run) => pipeline.decode_into(stored, mask, run, filter),
                    None => Err(Error::usage("a run of elements is not one")),
                });
            }
            let tile = room(decoded, self.bytes)?;
            if !is_decoded {
                *holds = None;
                pipeline.decode_into(stored, mask, tile, filter)?;
                *holds = self.identity(task);
                is_decoded = true;
            }
            self.transfer.take(&mut cell, tile, moving)
        })
    }
}
