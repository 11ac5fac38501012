//! Elements in one run of bytes: tiled by arithmetic, so large reads are shared by threads.

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::Address;
use crate::index::ChunkGrid;
use crate::layout::cut::Cut;
use crate::layout::deposit::{Deposit, StoredMut};
use crate::layout::disjoint::Disjoint;
use crate::layout::execute::{Linear, Scratch, Stored, Transfer};
use crate::layout::fill;
use crate::layout::plan::Tiling;
use crate::layout::pool;
use crate::layout::wanted::Wanted;
use crate::layout::write::Order;
use crate::metadata::Metadata;
use crate::space::{Part, product};
use std::ops::Range;

/// Bytes of a tile, and so of the largest read.
const TILE: u64 = 4 << 20;
/// Reads of fewer bytes stay on the calling thread.
const PARALLEL: u64 = 2 << 20;
/// As do fewer separate reads than this.
const MANY: usize = 512;
/// Cells of several parts that are sorted by tile at once; bounds the list of them.
const CELLS: usize = 1 << 18;
/// Bytes of fill value that are written at once.
const FILLED: u64 = 1 << 20;

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
                let offset =
                    offset((self.start, self.dims, self.element), &cells.tile(cell), tiling.shape())?;
                let Some(mut cell) = cells.claim(cell)? else { return Ok(()) };
                Scratch::with(|scratch| transfer.read(&mut cell, self.stored, offset, &mut scratch.moving))
            })
        })
    }
}

/// Where a tile of a run begins: of elements of some bytes, from an offset on.
fn offset((start, dims, element): (u64, &[u64], usize), tile: &[u64], shape: &[u64]) -> Result<u64> {
    let axes = tile.iter().zip(shape).zip(dims);
    let index = axes.into_iter().try_fold(0u64, |offset, ((tile, length), dim)| {
        offset.checked_mul(*dim)?.checked_add(tile.checked_mul(*length)?)
    });
    index
        .and_then(|index| index.checked_mul(element as u64)?.checked_add(start))
        .ok_or_else(|| Error::malformed("an element's address passes 2^64"))
}

/// Elements one after the other that are written.
pub(crate) struct RunMut<'a> {
    pub(crate) stored: &'a dyn StoredMut,
    pub(crate) start: u64,
    pub(crate) dims: &'a [u64],
    pub(crate) element: usize,
}

impl RunMut<'_> {
    /// Writes the parts of an order.
    pub(crate) fn write(&self, order: &Order<'_>, deposit: &Deposit<'_>) -> Result<()> {
        // One file takes one write at a time, so threads would only wait for each other.
        if let Some(bytes) = deposit.everything(order, self.dims) {
            return self.stored.write(self.start, bytes);
        }
        let tiling = Tiling::new(&tile(self.dims, self.element as u64), self.element)?;
        let mut batch: Vec<Cut<'_>> = Vec::new();
        let mut count = 0usize;
        for part in order.parts {
            let cut = Cut::new(part, order.strides, &tiling)?;
            count = count.saturating_add(cut.count());
            if count > CELLS && !batch.is_empty() {
                self.write_batch(&batch, &tiling, deposit)?;
                batch.clear();
                count = cut.count();
            }
            batch.push(cut);
        }
        self.write_batch(&batch, &tiling, deposit)
    }

    /// Tiles side by side; what several parts put into one tile in their order.
    fn write_batch(&self, cuts: &[Cut<'_>], tiling: &Tiling, deposit: &Deposit<'_>) -> Result<()> {
        let grid = ChunkGrid {
            dims: self.dims.to_vec(),
            max: Vec::new(),
            chunk: tiling.shape().to_vec(),
            element_size: self.element as u64,
        };
        let wanted = Wanted::new(cuts, &grid)?;
        let mut tiles: Vec<(u64, (usize, usize))> = Vec::new();
        wanted.each_chunk(|coords, first, count| {
            let offset = offset((self.start, self.dims, self.element), coords, tiling.shape())?;
            tiles.push((offset, (first, count)));
            Ok(())
        })?;
        pool::each(0..tiles.len(), deposit.is_parallel() && tiles.len() > 1, |at| {
            let Some((offset, cells)) = tiles.get(at) else { return Ok(()) };
            Scratch::with(|scratch| {
                wanted.each_nest(*cells, &mut |nest| {
                    deposit.write(nest, self.stored, *offset, &mut scratch.moving)
                })
            })
        })
    }
}

/// Elements in the file itself.
pub(crate) struct Writable<'a> {
    pub(crate) metadata: &'a Metadata,
    pub(crate) linear: Linear<'a>,
}

impl Stored for Writable<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.linear.read(address, buffer)
    }
}

impl StoredMut for Writable<'_> {
    fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        self.metadata.write_data(Address(address), bytes)
    }
}

/// Room for `size` bytes of elements, filled with `fill` if there is one; an empty one stands for zeroes.
pub(crate) fn allocate(metadata: &Metadata, size: u64, fill: Option<&[u8]>) -> Result<Address> {
    let start = metadata.allocate_data(to_usize(size)?)?;
    let Some(fill) = fill else { return Ok(start) };
    let length = metadata.storage().len();
    let length = length.map_err(|error| Error::io("asking for the length of the file", error))?;
    // What lies beyond the end of the file is zero without being written.
    let there = length.saturating_sub(metadata.base()).saturating_sub(start.0);
    let zero = fill.iter().all(|byte| *byte == 0);
    let end = if zero { size.min(there) } else { size };
    let element = fill.len().max(1) as u64;
    let piece = end.min((FILLED / element).max(1).saturating_mul(element));
    let mut pattern = vec![0; to_usize(piece)?];
    fill::fill(&mut pattern, fill);
    let mut at = 0;
    while at < end {
        let bytes = pattern.get(..to_usize(piece.min(end - at))?).unwrap_or_default();
        metadata.write_data(Address(start.0.saturating_add(at)), bytes)?;
        at = at.saturating_add(piece);
    }
    Ok(start)
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
