//! [`Selection`]: which elements of a dataset.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::space::blocks::Blocks;
use crate::space::extent::product;
use crate::space::hyperslab::{AxisSlab, Hyperslab};
use crate::space::points::Points;
use crate::space::shape::Shape;

/// Which elements of a dataset.
///
/// Except for points, which keep their list order, elements are counted in row-major order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Selection {
    /// Every element.
    All,
    /// No element.
    None,
    /// Single elements, in list order.
    Points(Points),
    /// Boxes, regularly spaced or not.
    Hyperslab(Hyperslab),
}

impl Selection {
    /// The box of one range per axis.
    ///
    /// # Errors
    /// `Usage` when there are no axes, more than 32, or a range ends before it starts.
    pub fn from_ranges(ranges: &[Range<u64>]) -> Result<Self> {
        let slabs = ranges.iter().map(|range| {
            let length = range.end.checked_sub(range.start);
            length.map(|length| AxisSlab::range(range.start, length)).ok_or_else(|| {
                Error::usage(format!("range {}..{} ends before it starts", range.start, range.end))
            })
        });
        Self::from_axes(slabs.collect::<Result<_>>()?)
    }

    /// Regularly spaced blocks, one [`AxisSlab`] per axis.
    ///
    /// # Errors
    /// As [`Hyperslab::from_axes`].
    pub fn from_axes(axes: Vec<AxisSlab>) -> Result<Self> {
        Hyperslab::from_axes(axes).map(Self::Hyperslab)
    }

    /// The union of boxes: per box `rank` first coordinates, then `rank` last coordinates (inclusive).
    ///
    /// # Errors
    /// As [`Blocks::new`].
    pub fn from_blocks(rank: usize, boxes: &[u64]) -> Result<Self> {
        Ok(Self::Hyperslab(Hyperslab::Blocks(Blocks::new(rank, boxes)?)))
    }

    /// How many axes; `None` for all and none, which fit any dataset.
    #[must_use]
    pub fn rank(&self) -> Option<usize> {
        match self {
            Self::All | Self::None => None,
            Self::Points(points) => Some(points.rank()),
            Self::Hyperslab(slab) => Some(slab.rank()),
        }
    }

    /// The axis whose selected length depends on the extent, if there is one.
    #[must_use]
    pub fn unlimited_axis(&self) -> Option<usize> {
        match self {
            Self::Hyperslab(slab) => slab.unlimited_axis(),
            _ => None,
        }
    }

    /// How many elements of a dataset of size `dims`; an unlimited axis ends at its length.
    ///
    /// # Errors
    /// `Limit` when the number does not fit 64 bits.
    pub fn count(&self, dims: &[u64]) -> Result<u64> {
        match self {
            Self::All => product(dims.iter().copied()),
            Self::None => Ok(0),
            Self::Points(points) => Ok(points.len() as u64),
            Self::Hyperslab(slab) => slab.count(dims),
        }
    }

    /// The shape of the array a read gives: one length per axis for boxes that form a product, and
    /// otherwise a single axis of all elements.
    ///
    /// # Errors
    /// `Limit` when a length does not fit 64 bits.
    pub fn shape(&self, dims: &[u64]) -> Result<Vec<u64>> {
        match self {
            Self::All => Ok(dims.to_vec()),
            Self::None => Ok(vec![0]),
            Self::Points(points) => Ok(vec![points.len() as u64]),
            Self::Hyperslab(Hyperslab::Regular(axes)) => lengths(axes, dims),
            Self::Hyperslab(Hyperslab::Blocks(_)) => {
                let shape = Shape::of(self, dims, None)?;
                Ok(shape.axes().map_or_else(
                    || vec![shape.count()],
                    |axes| axes.iter().map(|axis| axis.length()).collect(),
                ))
            }
        }
    }

    /// The smallest box around the selection as first and last coordinates; `None` when it is empty.
    ///
    /// # Errors
    /// `Limit` when it ends beyond 64 bits.
    pub fn bounds(&self, dims: &[u64]) -> Result<Option<(Vec<u64>, Vec<u64>)>> {
        match self {
            Self::None => Ok(None),
            Self::All => {
                let last: Option<Vec<u64>> = dims.iter().map(|dim| dim.checked_sub(1)).collect();
                Ok(last.map(|last| (vec![0; dims.len()], last)))
            }
            Self::Points(points) => {
                let mut all = points.iter().map(|point| (point.to_vec(), point.to_vec()));
                let first = all.next();
                Ok(first.map(|first| {
                    all.fold(first, |(low, high), (point, _)| {
                        let low = low.iter().zip(&point).map(|(a, b)| *a.min(b)).collect();
                        (low, high.iter().zip(&point).map(|(a, b)| *a.max(b)).collect())
                    })
                }))
            }
            Self::Hyperslab(Hyperslab::Blocks(blocks)) => Ok(blocks.bounds()),
            Self::Hyperslab(Hyperslab::Regular(axes)) => {
                let ends = axes
                    .iter()
                    .zip(lengths(axes, dims)?)
                    .map(|(slab, length)| Ok(slab.axis(length)?.bounds()));
                let ends: Result<Option<Vec<(u64, u64)>>> = ends.collect();
                Ok(ends?.map(|ends| ends.into_iter().unzip()))
            }
        }
    }

    /// Fails unless the selection has the rank of `dims` and lies inside.
    ///
    /// # Errors
    /// `Usage` saying which axis is left, and where.
    pub fn check(&self, dims: &[u64]) -> Result<()> {
        if let Some(rank) = self.rank().filter(|rank| *rank != dims.len()) {
            return Err(Error::usage(format!("selection has {rank} axes, the dataset has {}", dims.len())));
        }
        match self {
            Self::All => Ok(()),
            Self::Hyperslab(Hyperslab::Regular(axes)) => {
                let (mut found, mut empty) = (Ok(()), false);
                for (axis, (slab, dim)) in axes.iter().zip(dims).enumerate() {
                    match slab.axis(slab.slices(*dim)?)?.bounds() {
                        Some(side) => found = found.and_then(|()| inside(axis, side, *dim)),
                        None => empty = true,
                    }
                }
                if empty { Ok(()) } else { found }
            }
            _ => {
                let Some((low, high)) = self.bounds(dims)? else { return Ok(()) };
                let mut sides = low.into_iter().zip(high).zip(dims).enumerate();
                sides.try_for_each(|(axis, (side, dim))| inside(axis, side, *dim))
            }
        }
    }

    /// What is in either; both are combined as boxes inside `dims`.
    ///
    /// # Errors
    /// `Usage` for points or different ranks; `Limit` when there are too many boxes.
    pub fn union(&self, other: &Self, dims: &[u64]) -> Result<Self> {
        Ok(Self::Hyperslab(Hyperslab::Blocks(self.blocks(dims)?.union(&other.blocks(dims)?)?)))
    }

    /// What is in both; both are combined as boxes inside `dims`.
    ///
    /// # Errors
    /// `Usage` for points or different ranks; `Limit` when there are too many boxes.
    pub fn intersection(&self, other: &Self, dims: &[u64]) -> Result<Self> {
        Ok(Self::Hyperslab(Hyperslab::Blocks(self.blocks(dims)?.intersection(&other.blocks(dims)?)?)))
    }

    /// The selection as boxes.
    fn blocks(&self, dims: &[u64]) -> Result<Blocks> {
        match self {
            Self::None => Blocks::new(dims.len(), &[]),
            Self::All => Hyperslab::from_axes(dims.iter().map(|dim| AxisSlab::range(0, *dim)).collect())?
                .to_blocks(dims),
            Self::Hyperslab(slab) => slab.to_blocks(dims),
            Self::Points(_) => {
                Err(Error::usage("a list of points cannot be combined with another selection"))
            }
        }
    }
}

impl From<Hyperslab> for Selection {
    fn from(slab: Hyperslab) -> Self {
        Self::Hyperslab(slab)
    }
}

impl From<Points> for Selection {
    fn from(points: Points) -> Self {
        Self::Points(points)
    }
}

/// Fails unless coordinates of an axis lie in its length.
fn inside(axis: usize, (low, high): (u64, u64), dim: u64) -> Result<()> {
    if high < dim {
        return Ok(());
    }
    let end = high.saturating_add(1);
    Err(Error::usage(format!("selection {low}..{end} on axis {axis} is outside extent 0..{dim}")))
}

/// Selected coordinates per axis.
fn lengths(axes: &[AxisSlab], dims: &[u64]) -> Result<Vec<u64>> {
    axes.iter().enumerate().map(|(axis, slab)| slab.slices(dims.get(axis).copied().unwrap_or(0))).collect()
}

#[cfg(test)]
mod tests {
    use super::Selection;
    use crate::space::AxisSlab;

    #[test]
    fn a_selection_outside_the_extent_is_refused_with_its_axis() {
        let selection = Selection::from_ranges(&[0..2, 3..9]).unwrap();
        assert_eq!(selection.count(&[]).unwrap(), 12);
        assert!(selection.check(&[2, 9]).is_ok());
        let error = selection.check(&[2, 8]).unwrap_err().to_string();
        assert_eq!(error, "selection 3..9 on axis 1 is outside extent 0..8");
        assert!(selection.check(&[2]).is_err());
        assert!(Selection::from_ranges(&[0..0, 100..100]).unwrap().check(&[2, 8]).is_ok());
    }

    #[test]
    fn an_unlimited_selection_ends_at_the_extent() {
        let every_third =
            Selection::from_axes(vec![AxisSlab::unlimited(1, 3), AxisSlab::range(0, 2)]).unwrap();
        assert_eq!(every_third.shape(&[9, 2]).unwrap(), [3, 2]);
        assert_eq!(every_third.bounds(&[9, 2]).unwrap(), Some((vec![1, 0], vec![7, 1])));
        assert_eq!(every_third.unlimited_axis(), Some(0));
    }

    #[test]
    fn selections_combine_as_boxes() {
        let rows = Selection::from_ranges(&[1..3, 0..4]).unwrap();
        let columns = Selection::from_ranges(&[0..4, 1..2]).unwrap();
        assert_eq!(rows.union(&columns, &[4, 4]).unwrap().count(&[4, 4]).unwrap(), 10);
        assert_eq!(
            rows.intersection(&columns, &[4, 4]).unwrap(),
            Selection::from_blocks(2, &[1, 1, 2, 1]).unwrap()
        );
        assert_eq!(Selection::All.intersection(&rows, &[4, 4]).unwrap().count(&[4, 4]).unwrap(), 8);
    }
}
