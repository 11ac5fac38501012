//! Elements in one run of bytes: tiled by arithmetic, so large reads are shared by threads.

use crate::error::{Error, Result, to_usize};
use crate::layout::disjoint::Disjoint;
use crate::layout::execute::{Scratch, Stored, Transfer};
use crate::layout::plan::Tiling;
use crate::layout::pool;
use crate::space::{Part, product};
use std::ops::Range;

/// Bytes of a tile, and so of the largest read.
const TILE: u64 = 4 << 20;
/// Reads of fewer bytes stay on the calling thread.
const PARALLEL: u64 = 2 << 20;
/// As do fewer separate reads than this.
const MANY: usize = 512;

/// Elements one after the other, from offset `start` of the stored bytes.
pub(crate) struct Run<'a> {
    pub(crate) stored: &'a dyn Stored,
    pub(crate) start: u64,
    pub(crate) dims: &'a [u64],
    pub(crate) element: usize,
}

/// Bytes of all elements.
pub(crate) fn total(dims: &[u64], element: usize) -> Result<u64> {
    product(dims.iter().copied().chain([element as u64]))
}

impl Run<'_> {
    /// Reads the parts numbered `range`.
    pub(crate) fn read(
        &self,
        output: &Disjoint<'_>,
        range: Range<usize>,
        transfer: &Transfer<'_>,
    ) -> Result<()> {
        let tiling = Tiling::new(&tile(self.dims, self.element as u64), self.element)?;
        let parts = output.parts().get(range.clone()).unwrap_or_default();
        let count = parts.iter().map(Part::count).fold(0, u64::saturating_add);
        let bytes = count.saturating_mul(self.element as u64);
        pool::each(range.clone(), range.len() > 1 && (bytes >= PARALLEL || range.len() >= MANY), |part| {
            let cells = output.claim(part)?.cells(&tiling)?;
            pool::each(0..cells.count(), bytes >= PARALLEL || cells.count() >= MANY, |cell| {
                let offset = self.offset(&cells.tile(cell), tiling.shape())?;
                let Some(mut cell) = cells.claim(cell)? else { return Ok(()) };
                Scratch::with(|scratch| transfer.read(&mut cell, self.stored, offset, &mut scratch.moving))
            })
        })
    }

    /// Where a tile begins.
    fn offset(&self, tile: &[u64], shape: &[u64]) -> Result<u64> {
        let axes = tile.iter().zip(shape).zip(self.dims);
        let element = axes.into_iter().try_fold(0u64, |offset, ((tile, length), dim)| {
            offset.checked_mul(*dim)?.checked_add(tile.checked_mul(*length)?)
        });
        element
            .and_then(|element| element.checked_mul(self.element as u64)?.checked_add(self.start))
            .ok_or_else(|| Error::malformed("an element's address passes 2^64"))
    }
}

/// The shape of tiles: whole inner axes, as much as fits of the next, one of the outer ones.
fn tile(dims: &[u64], element: u64) -> Vec<u64> {
    let mut left = (TILE / element.max(1)).max(1);
    let mut shape: Vec<u64> = dims
        .iter()
        .rev()
        .map(|dim| {
            let length = left.min(*dim).max(1);
            left = if length < *dim { 1 } else { left / length };
            length
        })
        .collect();
    shape.reverse();
    shape
}

/// A run of `size` bytes is large enough for all elements.
pub(crate) fn check(dims: &[u64], element: usize, size: u64) -> Result<usize> {
    let needed = total(dims, element)?;
    if needed > size {
        return Err(Error::malformed(format!(
            "{dims:?} elements of {element} bytes need {needed} bytes, the layout has {size}"
        )));
    }
    to_usize(needed)
}

#[cfg(test)]
mod tests {
    use super::tile;

    #[test]
    fn a_tile_is_a_run_of_the_file() {
        assert_eq!(tile(&[10, 20], 4), [10, 20]);
        assert_eq!(tile(&[3, 5, 1 << 20], 4), [1, 1, 1 << 20]);
        assert_eq!(tile(&[3, 5, 1 << 19], 4), [1, 2, 1 << 19]);
        assert_eq!(tile(&[3, 5, 1 << 30], 4), [1, 1, 1 << 20]);
        assert!(tile(&[], 4).is_empty());
    }
}
