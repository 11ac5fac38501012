//! [`Hyperslab`]: regularly spaced blocks per axis, or a union of boxes.

use crate::error::{Error, Result};
use crate::space::axis::Axis;
use crate::space::blocks::Blocks;
use crate::space::extent::MAX_RANK;

/// Blocks of `block` neighbours, `count` of them, beginning `stride` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AxisSlab {
    /// The first selected coordinate.
    pub start: u64,
    /// From the start of one block to the start of the next; at least 1.
    pub stride: u64,
    /// How many blocks; `None` is as many as the extent holds.
    pub count: Option<u64>,
    /// How many neighbours in a block; `None` is all that the extent holds.
    pub block: Option<u64>,
}

/// A selection of boxes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hyperslab {
    /// The product of regularly spaced blocks on every axis; at most one axis is unlimited.
    Regular(Vec<AxisSlab>),
    /// A union of boxes.
    Blocks(Blocks),
}

impl AxisSlab {
    /// The coordinates `start` to `start + length`.
    #[must_use]
    pub fn range(start: u64, length: u64) -> Self {
        Self { start, stride: 1, count: Some(1), block: Some(length) }
    }

    /// Every `stride`-th coordinate from `start`, without end.
    #[must_use]
    pub fn unlimited(start: u64, stride: u64) -> Self {
        Self { start, stride, count: None, block: Some(1) }
    }

    /// Whether the number of coordinates depends on the extent.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.count.is_none() || self.block.is_none()
    }

    /// Coordinates selected on this axis, for an unlimited one those below `dim`.
    pub(crate) fn slices(&self, dim: u64) -> Result<u64> {
        let room = dim.saturating_sub(self.start);
        match (self.count, self.block) {
            (Some(count), Some(block)) => count
                .checked_mul(block)
                .ok_or_else(|| Error::limit(format!("{count} blocks of {block} do not fit 64 bits"))),
            (_, None) => Ok(room),
            (None, Some(block)) if block >= self.stride => Ok(room),
            (None, Some(block)) => {
                let blocks = room.div_ceil(self.stride.max(1));
                let last = blocks.saturating_sub(1).saturating_mul(self.stride);
                Ok(blocks.saturating_sub(1).saturating_mul(block) + block.min(room.saturating_sub(last)))
            }
        }
    }

    /// The least length of an axis that holds the first `slices` coordinates, with the gap after them when
    /// `trail` is set and they end a block.
    pub(crate) fn length_holding(&self, slices: u64, trail: bool) -> u64 {
        let is_run = self.block.is_none_or(|block| block == self.stride);
        let block = self.block.unwrap_or(slices).max(1);
        let Some(last) = slices.checked_sub(1) else { return if trail { self.start } else { 0 } };
        let (before, within) = match slices % block {
            0 if trail && !is_run => (slices / block, 0),
            _ => (last / block, (last % block).saturating_add(1)),
        };
        before.saturating_mul(self.stride).saturating_add(self.start).saturating_add(within)
    }

    /// The first `slices` coordinates.
    pub(crate) fn axis(&self, slices: u64) -> Result<Axis> {
        let block = self.block.unwrap_or(slices).max(1);
        let beyond = || Error::limit(format!("selection {self} ends beyond 64 bits"));
        let last = slices.checked_sub(1).map_or(Some(0), |last| {
            (last / block).checked_mul(self.stride)?.checked_add(last % block)?.checked_add(self.start)
        });
        last.filter(|last| *last < u64::MAX).ok_or_else(beyond)?;
        Ok(Axis::steps(self.start, self.stride, block, slices))
    }

    /// The first and the last coordinate of a single block.
    fn side(&self) -> Option<(u64, u64)> {
        let more = self.block.filter(|_| self.count == Some(1))?.checked_sub(1)?;
        let last = self.start.checked_add(more).filter(|last| *last < u64::MAX)?;
        Some((self.start, last))
    }

    fn check(&self) -> Result<()> {
        if self.stride == 0 {
            return Err(Error::usage(format!("selection {self} has stride 0, at least 1 expected")));
        }
        if self.count.is_none() && self.block.is_none() {
            return Err(Error::usage(format!("selection {self} is unlimited in both count and block")));
        }
        if let (None | Some(2..), Some(block)) = (self.count, self.block)
            && block > self.stride
        {
            return Err(Error::usage(format!("selection {self} has blocks that overlap")));
        }
        self.slices(0).map(|_| ())
    }
}

impl std::fmt::Display for AxisSlab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show =
            |number: Option<u64>| number.map_or_else(|| "unlimited".to_owned(), |number| number.to_string());
        let (count, block) = (show(self.count), show(self.block));
        write!(f, "(start {}, stride {}, count {count}, block {block})", self.start, self.stride)
    }
}

impl Hyperslab {
    /// Regularly spaced blocks, from four numbers per axis; see [`AxisSlab`].
    ///
    /// # Errors
    /// `Usage` when the four disagree about the number of axes, a stride is 0 or blocks overlap.
    pub fn regular(start: &[u64], stride: &[u64], count: &[u64], block: &[u64]) -> Result<Self> {
        if [stride.len(), count.len(), block.len()].iter().any(|length| *length != start.len()) {
            return Err(Error::usage(format!(
                "start, stride, count and block have {}, {}, {} and {} axes",
                start.len(),
                stride.len(),
                count.len(),
                block.len()
            )));
        }
        let steps = start.iter().zip(stride);
        let sizes = count.iter().zip(block);
        let slabs = steps.zip(sizes).map(|((start, stride), (count, block))| AxisSlab {
            start: *start,
            stride: *stride,
            count: Some(*count),
            block: Some(*block),
        });
        Self::from_axes(slabs.collect())
    }

    /// From one [`AxisSlab`] per axis.
    ///
    /// # Errors
    /// `Usage` when there are more than 32 axes, a stride is 0, blocks overlap, or more than one axis is
    /// unlimited.
    pub fn from_axes(axes: Vec<AxisSlab>) -> Result<Self> {
        if axes.is_empty() || axes.len() > MAX_RANK {
            return Err(Error::usage(format!(
                "a hyperslab of {} axes, 1 to {MAX_RANK} expected",
                axes.len()
            )));
        }
        axes.iter().try_for_each(AxisSlab::check)?;
        if axes.iter().filter(|axis| axis.is_unlimited()).count() > 1 {
            return Err(Error::usage("a hyperslab with more than one unlimited axis, at most one expected"));
        }
        Ok(Self::Regular(axes))
    }

    /// How many elements; an unlimited axis ends at `dims`.
    pub(crate) fn count(&self, dims: &[u64]) -> Result<u64> {
        let axes = match self {
            Self::Blocks(blocks) => return blocks.count(),
            Self::Regular(axes) => axes,
        };
        let (mut count, mut empty) = (Some(1_u64), false);
        for (number, axis) in axes.iter().enumerate() {
            let slices = axis.slices(dims.get(number).copied().unwrap_or(0))?;
            empty |= slices == 0;
            count = count.and_then(|count| count.checked_mul(slices));
        }
        count
            .or_else(|| empty.then_some(0))
            .ok_or_else(|| Error::limit("the hyperslab selects more elements than fit 64 bits"))
    }

    /// How many axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        match self {
            Self::Regular(axes) => axes.len(),
            Self::Blocks(blocks) => blocks.rank(),
        }
    }

    /// The axis without end, if there is one.
    #[must_use]
    pub fn unlimited_axis(&self) -> Option<usize> {
        match self {
            Self::Regular(axes) => axes.iter().position(AxisSlab::is_unlimited),
            Self::Blocks(_) => None,
        }
    }

    /// The same selection as boxes; an unlimited axis ends at `dims`.
    ///
    /// # Errors
    /// `Limit` when there would be more than 16 million boxes.
    pub fn to_blocks(&self, dims: &[u64]) -> Result<Blocks> {
        let axes = match self {
            Self::Blocks(blocks) => return Ok(blocks.clone()),
            Self::Regular(axes) => axes,
        };
        if let Some(sides) = axes.iter().map(AxisSlab::side).collect::<Option<Vec<_>>>() {
            return Ok(Blocks::single(sides.iter().map(|side| side.0), sides.iter().map(|side| side.1)));
        }
        let mut boxes: Vec<(Vec<u64>, Vec<u64>)> = vec![(Vec::new(), Vec::new())];
        for (number, slab) in axes.iter().enumerate() {
            let runs = runs(&slab.axis(slab.slices(dims.get(number).copied().unwrap_or(0))?)?, boxes.len())?;
            let mut product = Vec::with_capacity(boxes.len().saturating_mul(runs.len()));
            for (first, last) in &boxes {
                for (low, high) in &runs {
                    let grown = |corner: &Vec<u64>, at: u64| corner.iter().copied().chain([at]).collect();
                    product.push((grown(first, *low), grown(last, *high)));
                }
            }
            boxes = product;
        }
        let flat: Vec<u64> =
            boxes.into_iter().flat_map(|(first, last)| first.into_iter().chain(last)).collect();
        Blocks::new(axes.len(), &flat)
    }
}

/// The runs of neighbours of an axis, first and last coordinates; `others` bounds how many there may be.
fn runs(axis: &Axis, others: usize) -> Result<Vec<(u64, u64)>> {
    let Axis::Steps { start, stride, block, length } = *axis else { return Ok(Vec::new()) };
    if length == 0 {
        return Ok(Vec::new());
    }
    if stride == 1 {
        return Ok(vec![(start, start + length - 1)]);
    }
    let count = length.div_ceil(block);
    if count.saturating_mul(others as u64) > 1 << 24 {
        return Err(Error::limit("a hyperslab of more than 16 million blocks is not listed block by block"));
    }
    let run = |number| {
        let first = start + number * stride;
        (first, first + block.min(length - number * block) - 1)
    };
    Ok((0..count).map(run).collect())
}

#[cfg(test)]
mod tests {
    use super::{AxisSlab, Hyperslab};

    #[test]
    fn slices_of_an_unlimited_axis_follow_the_extent() {
        let blocks = AxisSlab { start: 1, stride: 5, count: None, block: Some(2) };
        let found: Vec<u64> =
            [0, 1, 2, 3, 6, 7, 8, 22].iter().map(|dim| blocks.slices(*dim).unwrap()).collect();
        assert_eq!(found, [0, 0, 1, 2, 2, 3, 4, 9]);
        let run = AxisSlab { start: 2, stride: 1, count: Some(1), block: None };
        assert_eq!(run.slices(6).unwrap(), 4);
    }

    #[test]
    fn impossible_hyperslabs_are_refused() {
        assert!(Hyperslab::regular(&[0], &[0], &[1], &[1]).is_err());
        assert!(Hyperslab::regular(&[0], &[2], &[2], &[3]).is_err());
        assert!(Hyperslab::regular(&[0, 0], &[1], &[1], &[1]).is_err());
        let unlimited = AxisSlab::unlimited(0, 1);
        assert!(Hyperslab::from_axes(vec![unlimited, unlimited]).is_err());
        assert!(Hyperslab::regular(&[u64::MAX], &[1], &[2], &[1]).unwrap().to_blocks(&[0]).is_err());
    }

    #[test]
    fn a_regular_hyperslab_lists_its_blocks() {
        let slab = Hyperslab::regular(&[1, 0], &[4, 1], &[2, 1], &[2, 3]).unwrap();
        assert_eq!(slab.to_blocks(&[]).unwrap().boxes(), [1, 0, 2, 2, 5, 0, 6, 2]);
    }
}
