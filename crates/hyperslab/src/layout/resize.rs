//! What changes in the chunks when an extent does: those outside are dropped, those it cuts are filled.

use crate::error::{Error, Result};
use crate::index::{ChunkGrid, StoredChunk};
use crate::layout::chunked::is_edge;
use crate::layout::chunked_mut::{ChunkWriter, Tile};
use crate::layout::execute::Scratch;
use crate::layout::fill;
use std::collections::BTreeMap;

/// A box of chunks, both corners included.
type Slab = (Vec<u64>, Vec<u64>);

impl ChunkWriter<'_> {
    /// Makes the chunks those of an extent of `dims`; what is outside of it reads as the fill value, should
    /// the extent grow again.
    pub(crate) fn resize(&mut self, dims: &[u64]) -> Result<()> {
        if dims.len() != self.grid.dims.len() {
            return Err(Error::usage(format!("{dims:?} for an extent of {:?}", self.grid.dims)));
        }
        let old = self.set.grid;
        let new = ChunkGrid { dims: dims.to_vec(), ..old.clone() };
        let shrinks = old.dims.iter().zip(dims).any(|(old, new)| new < old);
        let refilters = self.set.edge_unfiltered && !self.set.pipeline.is_empty();
        if shrinks {
            self.prune(&new)?;
        }
        if shrinks || refilters {
            // From here on a chunk that leaves the cache is one that was changed below.
            self.flush()?;
        }
        // Chunks that both extents have; some indexes know chunks that no extent had yet.
        let both = old.dims.iter().zip(dims).map(|(old, new)| *old.min(new)).collect();
        let both = ChunkGrid { dims: both, ..new.clone() };
        let mut touched = BTreeMap::new();
        for axis in 0..dims.len() {
            let (before, after) = (at(&old.dims, axis), at(&new.dims, axis));
            if before == after {
                continue;
            }
            if refilters {
                self.stored_in(cut_slab(old, &both, axis), &mut touched)?;
            }
            if refilters || after < before {
                self.stored_in(cut_slab(&new, &both, axis), &mut touched)?;
            }
        }
        self.grid = new;
        for (coords, stored) in touched {
            let refiltered = refilters && is_edge(old, &coords) != is_edge(&self.grid, &coords);
            if shrinks || refiltered {
                self.fill_outside(&coords, stored)?;
            }
        }
        Ok(())
    }

    /// Drops the chunks that are outside of a smaller extent.
    fn prune(&mut self, new: &ChunkGrid) -> Result<()> {
        self.set.cache.forget_where(|coords| {
            let axes = coords.iter().zip(&new.chunk).zip(&new.dims);
            axes.into_iter().any(|((at, chunk), dim)| at.saturating_mul(*chunk) >= *dim)
        });
        let outside = outside(self.set.grid, new);
        let mut gone = BTreeMap::new();
        for slab in outside {
            self.stored_in(Some(slab), &mut gone)?;
        }
        for (coords, stored) in gone {
            if !self.remove(&coords)? {
                // An index that cannot lose chunks keeps this one, empty.
                let tile = self.filled()?;
                let tile = Tile { coords: &coords, bytes: &tile, changed: 0..tile.len() };
                self.store_tiles(&[tile], &[stored])?;
            }
        }
        Ok(())
    }

    /// A chunk of nothing but fill values.
    fn filled(&self) -> Result<Vec<u8>> {
        let mut tile = crate::layout::fresh::zeroed(self.bytes)?;
        fill::fill(&mut tile, self.fill_value());
        Ok(tile)
    }

    /// The chunks of a slab that are stored or cached.
    fn stored_in(
        &self,
        slab: Option<Slab>,
        found: &mut BTreeMap<Vec<u64>, Option<StoredChunk>>,
    ) -> Result<()> {
        let Some((first, last)) = slab else { return Ok(()) };
        for (coords, _) in self.set.cache.all() {
            let inside =
                coords.iter().zip(&first).zip(&last).all(|((at, low), high)| low <= at && at <= high);
            if inside {
                found.entry(coords).or_insert(None);
            }
        }
        self.index().visit(self.metadata, &first, &last, &mut |coords, stored| {
            found.insert(coords.to_vec(), Some(stored));
            Ok(())
        })
    }

    /// Fills what the extent cuts off a chunk, which is stored anew by and by.
    fn fill_outside(&mut self, coords: &[u64], stored: Option<StoredChunk>) -> Result<()> {
        let (mut tile, _) = Scratch::with(|scratch| self.known(coords, stored, scratch))?;
        let axes = coords.iter().zip(&self.grid.chunk).zip(&self.grid.dims);
        let kept: Vec<(u64, u64)> = axes
            .map(|((at, chunk), dim)| (*chunk, dim.saturating_sub(at.saturating_mul(*chunk)).min(*chunk)))
            .collect();
        fill_beyond(&mut tile, &kept, self.fill_value());
        let changed = 0..tile.len();
        self.set.cache.keep(coords, tile, changed);
        self.trim()
    }

    /// Stores a chunk of fill values for every chunk outside of `old` dims, whether it is stored or not.
    pub(crate) fn allocate(&mut self, old: &[u64]) -> Result<()> {
        let before = ChunkGrid { dims: old.to_vec(), ..self.grid.clone() };
        let tile = self.filled()?;
        let most = self.group();
        for (first, last) in outside(&self.grid.clone(), &before) {
            let mut group: Vec<Vec<u64>> = Vec::new();
            let mut coords = first.clone();
            loop {
                group.push(coords.clone());
                let more = step(&mut coords, &first, &last);
                if !more || group.len() >= most {
                    let at: Vec<&[u64]> = group.iter().map(Vec::as_slice).collect();
                    let stored = self.find(&at)?;
                    let tiles = at.iter().map(|at| Tile { coords: at, bytes: &tile, changed: 0..tile.len() });
                    self.store_tiles(&tiles.collect::<Vec<_>>(), &stored)?;
                    for coords in group.drain(..) {
                        self.set.cache.forget(&coords);
                    }
                }
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn at(values: &[u64], axis: usize) -> u64 {
    values.get(axis).copied().unwrap_or(0)
}

fn counts(grid: &ChunkGrid) -> Vec<u64> {
    grid.dims.iter().zip(&grid.chunk).map(|(dim, chunk)| dim.div_ceil((*chunk).max(1))).collect()
}

/// The chunks of `all` that are not chunks of `part`, in boxes that share none.
fn outside(all: &ChunkGrid, part: &ChunkGrid) -> Vec<Slab> {
    let (all, part) = (counts(all), counts(part));
    let mut slabs = Vec::new();
    // Along the axes before this one the boxes lie within the part.
    let mut within: Vec<u64> = all.clone();
    for (axis, (count, inner)) in all.iter().zip(&part).enumerate() {
        if inner < count && within.iter().all(|count| *count > 0) {
            let mut first = vec![0; all.len()];
            let last = within.iter().map(|count| count - 1).collect();
            if let Some(first) = first.get_mut(axis) {
                *first = *inner;
            }
            slabs.push((first, last));
        }
        if let Some(within) = within.get_mut(axis) {
            *within = *count.min(inner);
        }
    }
    slabs
}

/// The chunks within `bounds` that `grid` cuts along an axis.
fn cut_slab(grid: &ChunkGrid, bounds: &ChunkGrid, axis: usize) -> Option<Slab> {
    let (dim, side) = (at(&grid.dims, axis), at(&grid.chunk, axis).max(1));
    let within = counts(bounds);
    let edge = dim / side;
    if dim % side == 0 || edge >= at(&within, axis) || within.contains(&0) {
        return None;
    }
    let mut first = vec![0; within.len()];
    let mut last: Vec<u64> = within.iter().map(|count| count - 1).collect();
    if let (Some(first), Some(last)) = (first.get_mut(axis), last.get_mut(axis)) {
        (*first, *last) = (edge, edge);
    }
    Some((first, last))
}

/// The next coordinates of a box in row-major order; `false` after the last.
fn step(coords: &mut [u64], first: &[u64], last: &[u64]) -> bool {
    for ((at, first), last) in coords.iter_mut().zip(first).zip(last).rev() {
        if *at < *last {
            *at += 1;
            return true;
        }
        *at = *first;
    }
    false
}

/// Fills the elements of a tile that are beyond what is kept along some axis; `axes` has sides and what
/// is kept of them.
fn fill_beyond(tile: &mut [u8], axes: &[(u64, u64)], value: &[u8]) {
    let Some(((side, kept), inner)) = axes.split_first() else { return };
    let (side, kept) = (usize::try_from(*side).unwrap_or(1), usize::try_from(*kept).unwrap_or(0));
    let row = (tile.len() / side.max(1)).max(1);
    let (inside, beyond) = tile.split_at_mut_checked(kept.saturating_mul(row)).unwrap_or_default();
    fill::fill(beyond, value);
    if inner.iter().any(|(side, kept)| kept < side) {
        inside.chunks_exact_mut(row).for_each(|row| fill_beyond(row, inner, value));
    }
}

#[cfg(test)]
mod tests {
    use super::{fill_beyond, outside};
    use crate::index::ChunkGrid;
    use std::collections::BTreeSet;

    #[test]
    fn beyond_what_is_kept_is_the_fill_value() {
        let mut tile = vec![1; 12];
        fill_beyond(&mut tile, &[(2, 2), (3, 1)], &[7, 8]);
        assert_eq!(tile, [1, 1, 7, 8, 7, 8, 1, 1, 7, 8, 7, 8]);
        fill_beyond(&mut tile, &[(2, 1), (3, 3)], &[]);
        assert_eq!(tile, [1, 1, 7, 8, 7, 8, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_boxes_outside_share_no_chunk() {
        let grid = |dims: [u64; 3]| {
            let max = vec![None; 3];
            ChunkGrid { dims: dims.to_vec(), max, chunk: vec![2, 3, 1], element_size: 1 }
        };
        for (all, part, expected) in [
            ([8, 9, 2], [3, 3, 1], 24 - 2),
            ([8, 9, 2], [20, 0, 2], 24),
            ([4, 6, 2], [4, 9, 1], 4),
            ([0, 6, 2], [0, 0, 0], 0),
        ] {
            let mut seen = BTreeSet::new();
            for (first, last) in outside(&grid(all), &grid(part)) {
                for a in first[0]..=last[0] {
                    for b in first[1]..=last[1] {
                        for c in first[2]..=last[2] {
                            assert!(seen.insert((a, b, c)));
                        }
                    }
                }
            }
            assert_eq!(seen.len(), expected, "{all:?} {part:?}");
        }
    }
}
