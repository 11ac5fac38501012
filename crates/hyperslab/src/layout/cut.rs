//! [`Cut`]: a part cut at the tiles of its source, in cells, one for each tile it meets.

use crate::error::{Error, Result};
use crate::layout::plan::{Axes, CutAxis, Nest, Tiling};
use crate::space::Part;
use smallvec::{SmallVec, smallvec};
use std::ops::Range;

/// Fewer cells are not worth finding out that they are in a row.
const SHORTEST_ROW: usize = 8;

/// The coordinates of a tile, a number for each axis of the source.
pub(crate) type Tile = SmallVec<[u64; 4]>;

/// A part cut into cells.
#[derive(Debug)]
pub(crate) struct Cut<'p> {
    /// In the order of the source.
    axes: Vec<CutAxis<'p>>,
    /// Bytes from one place to the next along each axis of the array in memory.
    strides: &'p [usize],
    count: usize,
    element: usize,
}

/// What is cut at tiles.
pub(crate) trait Tiled {
    /// The cells.
    fn cut(&self) -> &Cut<'_>;
}

impl Tiled for Cut<'_> {
    fn cut(&self) -> &Cut<'_> {
        self
    }
}

impl<'p> Cut<'p> {
    /// `strides` are those of the array in memory, which [`check`] found to hold the part.
    pub(crate) fn new(part: &'p Part, strides: &'p [usize], tiling: &Tiling) -> Result<Self> {
        let rank = tiling.shape().len();
        let mut axes = Vec::with_capacity(part.axes.len());
        for axis in &part.axes {
            axes.push(CutAxis::new(axis, tiling)?);
        }
        axes.sort_by_key(CutAxis::source_axis);
        if !axes.iter().filter_map(CutAxis::source_axis).eq(0..rank) {
            return Err(Error::usage(format!(
                "a part does not have the {rank} axes of its source once each"
            )));
        }
        let count = axes.iter().try_fold(1, |all: usize, axis| all.checked_mul(axis.count()));
        let count = count.ok_or_else(|| Error::limit("a part meets 2^64 tiles"))?;
        Ok(Self { axes, strides, count, element: tiling.element() })
    }

    /// How many tiles the part meets.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of an element in its tile.
    pub(crate) fn element(&self) -> usize {
        self.element
    }

    /// The coordinates of a cell's tile.
    pub(crate) fn tile(&self, cell: usize) -> Tile {
        let cuts = self.cuts(cell).filter(|(axis, _)| axis.source_axis().is_some());
        let mut coords: Tile = cuts.map(|(axis, cut)| axis.tile(cut)).collect();
        coords.reverse();
        coords
    }

    /// The cell of a tile, if the part meets it.
    pub(crate) fn find(&self, coords: &[u64]) -> Option<usize> {
        self.axes.iter().try_fold(0usize, |cell, axis| {
            let cut = match axis.source_axis() {
                Some(at) => axis.find(*coords.get(at)?)?,
                None => 0,
            };
            cell.checked_mul(axis.count())?.checked_add(cut)
        })
    }

    /// The smallest box of tiles around the part, both corners included; `None` for a part without elements.
    pub(crate) fn bounds(&self) -> Option<(Tile, Tile)> {
        self.count.checked_sub(1).map(|last| (self.tile(0), self.tile(last)))
    }

    /// What a cell is in memory and in its tile.
    pub(crate) fn nest(&self, cell: usize) -> Result<Nest> {
        let lanes = self.cuts(cell).map(|(axis, cut)| {
            let stride = axis.place_axis().and_then(|axis| self.strides.get(axis)).copied().unwrap_or(0);
            axis.lanes(cut, stride)
        });
        let mut lanes = lanes.collect::<Result<Axes>>()?;
        lanes.reverse();
        Ok(Nest::new(lanes))
    }

    /// Cells in whole neighbouring tiles along one axis, whose places are evenly spaced; `None` when few are.
    pub(crate) fn row(&self) -> Option<Range<usize>> {
        let mut varying = self.axes.iter().filter(|axis| axis.count() > 1);
        let (axis, None) = (varying.next()?, varying.next()) else { return None };
        (axis.is_steady() && self.count >= SHORTEST_ROW).then(|| 1..self.count - 1)
    }

    /// The axes, the last one first, and the cut of each that the cell is in.
    fn cuts(&self, cell: usize) -> impl Iterator<Item = (&CutAxis<'p>, usize)> {
        let mut rest = cell;
        self.axes.iter().rev().map(move |axis| {
            let count = axis.count().max(1);
            let cut = rest % count;
            rest /= count;
            (axis, cut)
        })
    }
}

/// Bytes from one element to the next along each axis of an array in memory, and bytes of all.
pub(crate) fn strides(dims: &[u64], size: usize) -> Result<(Vec<usize>, usize)> {
    let mut strides = Vec::with_capacity(dims.len());
    let mut bytes = size;
    for dim in dims.iter().rev() {
        strides.push(bytes);
        let dim = usize::try_from(*dim).ok();
        bytes = dim
            .and_then(|dim| bytes.checked_mul(dim))
            .ok_or_else(|| Error::limit(format!("an array of {dims:?} elements passes 2^64 bytes")))?;
    }
    strides.reverse();
    Ok((strides, bytes))
}

/// Each axis of the array in memory occurs once in the part, and no place is outside of it.
pub(crate) fn check(part: &Part, dims: &[u64]) -> Result<()> {
    let mut found: SmallVec<[bool; 16]> = smallvec![false; dims.len()];
    for axis in &part.axes {
        let dim = match axis.place_axis {
            None => {
                if axis.count() > 1 {
                    return Err(Error::usage("a part puts several elements on an axis its array lacks"));
                }
                continue;
            }
            Some(at) => match (dims.get(at), found.get_mut(at)) {
                (Some(dim), Some(found)) if !*found => {
                    *found = true;
                    *dim
                }
                _ => return Err(Error::usage(format!("axis {at} of a part, its array has {dims:?}"))),
            },
        };
        for segment in axis.segments.iter().filter(|segment| segment.count > 0) {
            let far = (segment.count - 1).checked_mul(segment.place_step);
            let last = far.and_then(|far| far.checked_add(segment.place));
            if last.is_none_or(|last| last >= dim) || (segment.count > 1 && segment.place_step == 0) {
                return Err(Error::usage(format!("{segment:?} of a part is not in an array of {dims:?}")));
            }
        }
    }
    if found.contains(&false) {
        return Err(Error::usage(format!("a part lacks an axis of its array of {dims:?}")));
    }
    Ok(())
}
