//! Elements in the object header itself: one tile, already in memory.

use crate::error::Result;
use crate::layout::contiguous;
use crate::layout::disjoint::Disjoint;
use crate::layout::execute::{Scratch, Transfer};
use crate::layout::plan::Tiling;
use std::ops::Range;

/// Elements in memory, one after the other.
pub(crate) struct Held<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) dims: &'a [u64],
    pub(crate) element: usize,
}

impl Held<'_> {
    /// Reads the parts numbered `range`.
    pub(crate) fn read(
        &self,
        output: &Disjoint<'_>,
        range: Range<usize>,
        transfer: &Transfer<'_>,
    ) -> Result<()> {
        contiguous::check(self.dims, self.element, self.bytes.len() as u64)?;
        let tiling = Tiling::new(self.dims, self.element)?;
        Scratch::with(|scratch| {
            range.into_iter().try_for_each(|part| {
                let cells = output.claim(part)?.cells(&tiling)?;
                (0..cells.count()).try_for_each(|cell| match cells.claim(cell)? {
                    Some(mut cell) => transfer.take(&mut cell, self.bytes, &mut scratch.moving),
                    None => Ok(()),
                })
            })
        })
    }
}
