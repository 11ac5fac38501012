//! Which chunks some parts meet, and which cells of the parts each chunk serves.

use crate::error::{Error, Result, to_usize};
use crate::index::{ChunkGrid, StoredChunk};
use crate::layout::contiguous;
use crate::layout::cut::{Tile, Tiled};
use crate::layout::disjoint::{Cell, Cells};
use crate::layout::plan::Nest;

/// Fewer chunks than this are looked up one by one.
const FEW: usize = 3;
/// Chunks are looked up one by one also where this many times more lie around them.
const SPARSE: u64 = 16;

/// A stored chunk and where its cells are in the list of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) stored: StoredChunk,
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// The cells of some parts by chunk.
pub(crate) struct Wanted<'w, T> {
    cells: &'w [T],
    grid: &'w ChunkGrid,
    /// Chunk number, part and cell, sorted; empty for a single part, whose cells are the chunks.
    list: Vec<(u64, usize, usize)>,
    chunks: usize,
    /// The smallest box of chunks around all of them, both corners included.
    bounds: Option<(Tile, Tile)>,
}

impl<'w, T: Tiled> Wanted<'w, T> {
    pub(crate) fn new(cells: &'w [T], grid: &'w ChunkGrid) -> Result<Self> {
        let mut wanted = Self { cells, grid, list: Vec::new(), chunks: 0, bounds: bounds(cells) };
        if let [one] = cells {
            wanted.chunks = one.cut().count();
            return Ok(wanted);
        }
        let mut list = Vec::with_capacity(cells.iter().map(|cells| cells.cut().count()).sum());
        for (part, cells) in cells.iter().enumerate() {
            let cut = cells.cut();
            for cell in 0..cut.count() {
                let number = wanted.number(&cut.tile(cell));
                list.push((number.ok_or_else(|| Error::limit("a dataset has 2^64 chunks"))?, part, cell));
            }
        }
        list.sort_unstable();
        wanted.chunks = list.chunk_by(|a, b| a.0 == b.0).count();
        wanted.list = list;
        Ok(wanted)
    }

    pub(crate) fn chunk_bytes(&self, element: usize) -> Result<usize> {
        to_usize(contiguous::total(&self.grid.chunk, element)?)
    }

    /// A chunk's position among all chunks in row-major order.
    fn number(&self, coords: &[u64]) -> Option<u64> {
        let axes = coords.iter().zip(&self.grid.chunk).zip(&self.grid.dims);
        axes.into_iter().try_fold(0u64, |number, ((at, chunk), dim)| {
            number.checked_mul(dim.div_ceil((*chunk).max(1)))?.checked_add(*at)
        })
    }

    /// Whether looking chunks up one by one is less work than visiting the box around them.
    pub(crate) fn is_sparse(&self) -> bool {
        let Some((first, last)) = self.bounds() else { return true };
        let sides = first.iter().zip(last).map(|(first, last)| last.saturating_sub(*first).saturating_add(1));
        self.chunks < FEW || sides.fold(1, u64::saturating_mul) / SPARSE > self.chunks as u64
    }

    /// The smallest box of chunks around all that is wanted, both corners included.
    pub(crate) fn bounds(&self) -> Option<(&[u64], &[u64])> {
        self.bounds.as_ref().map(|(first, last)| (first.as_slice(), last.as_slice()))
    }

    /// Calls `each` with every chunk and where its cells are.
    pub(crate) fn each_chunk(&self, mut each: impl FnMut(&[u64], usize, usize) -> Result<()>) -> Result<()> {
        if let [one] = self.cells {
            let cut = one.cut();
            return (0..cut.count()).try_for_each(|cell| each(&cut.tile(cell), cell, 1));
        }
        let mut first = 0;
        for cells in self.list.chunk_by(|a, b| a.0 == b.0) {
            each(&self.tile(first), first, cells.len())?;
            first += cells.len();
        }
        Ok(())
    }

    /// Where the cells of a chunk are, if it is wanted.
    pub(crate) fn locate(&self, coords: &[u64]) -> Option<(usize, usize)> {
        if let [one] = self.cells {
            return one.cut().find(coords).map(|cell| (cell, 1));
        }
        let number = self.number(coords)?;
        let first = self.list.partition_point(|(at, ..)| *at < number);
        let rest = self.list.get(first..)?;
        let count = rest.partition_point(|(at, ..)| *at == number);
        (count > 0).then_some((first, count))
    }

    /// The coordinates of a chunk.
    pub(crate) fn coords(&self, task: &Task) -> Tile {
        self.tile(task.first)
    }

    /// The coordinates of the chunk of a cell in the list.
    pub(crate) fn tile(&self, index: usize) -> Tile {
        self.cell(index).map(|(cells, cell)| cells.cut().tile(cell)).unwrap_or_default()
    }

    fn cell(&self, index: usize) -> Option<(&T, usize)> {
        if let [one] = self.cells {
            return Some((one, index));
        }
        let (_, part, cell) = self.list.get(index)?;
        Some((self.cells.get(*part)?, *cell))
    }

    /// Calls `each` with each cell of a chunk, in the order of the parts.
    pub(crate) fn each_nest(
        &self,
        (first, count): (usize, usize),
        each: &mut dyn FnMut(&Nest) -> Result<()>,
    ) -> Result<()> {
        for index in first..first.saturating_add(count) {
            let Some((cells, cell)) = self.cell(index) else { return Ok(()) };
            each(&cells.cut().nest(cell)?)?;
        }
        Ok(())
    }
}

fn bounds<T: Tiled>(cells: &[T]) -> Option<(Tile, Tile)> {
    let mut boxes = cells.iter().filter_map(|cells| cells.cut().bounds());
    let (mut first, mut last) = boxes.next()?;
    for (low, high) in boxes {
        first.iter_mut().zip(low).for_each(|(first, low)| *first = low.min(*first));
        last.iter_mut().zip(high).for_each(|(last, high)| *last = high.max(*last));
    }
    Some((first, last))
}

impl Wanted<'_, Cells<'_>> {
    /// Calls `each` with the right to write each cell of a chunk.
    pub(crate) fn each_cell(
        &self,
        (first, count): (usize, usize),
        each: &mut dyn FnMut(Cell<'_>) -> Result<()>,
    ) -> Result<()> {
        for index in first..first.saturating_add(count) {
            let Some((cells, cell)) = self.cell(index) else { return Ok(()) };
            let cell = cells.claim(cell)?;
            each(cell.ok_or_else(|| Error::malformed("the index has the chunk twice"))?)?;
        }
        Ok(())
    }
}
