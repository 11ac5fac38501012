//! [`Blocks`]: a union of boxes, kept as disjoint boxes in row-major order.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::space::extent::MAX_RANK;

/// Work allowed per box when uniting; boxes that never overlap need about one per axis.
const WORK_PER_BOX: usize = 64;

/// A union of boxes; element order is row-major over the union.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Blocks {
    rank: usize,
    /// Per box: the first coordinate on each axis, then the last on each axis.
    boxes: Vec<u64>,
}

/// Neighbouring coordinates of one axis that share the same selection on the axes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slab {
    pub(crate) start: u64,
    /// One past the last coordinate.
    pub(crate) end: u64,
    /// The selection on the following axes; empty after the last one.
    pub(crate) below: Arc<Vec<Slab>>,
}

impl Blocks {
    /// The union of `boxes`: per box `rank` first coordinates, then `rank` last coordinates (inclusive).
    ///
    /// # Errors
    /// `Usage` when the rank is 0 or above 32, the numbers do not divide into boxes, or a box ends before
    /// it begins; `Limit` when the boxes overlap so much that uniting them would take unreasonably long.
    pub fn new(rank: usize, boxes: &[u64]) -> Result<Self> {
        if rank == 0 || rank > MAX_RANK {
            return Err(Error::usage(format!("blocks of rank {rank}, 1 to {MAX_RANK} expected")));
        }
        if !boxes.len().is_multiple_of(2 * rank) {
            return Err(Error::usage(format!(
                "{} coordinates do not make blocks of rank {rank}",
                boxes.len()
            )));
        }
        for block in boxes.chunks_exact(2 * rank) {
            let (first, last) = block.split_at(rank);
            if first.iter().zip(last).any(|(first, last)| first > last || *last == u64::MAX) {
                return Err(Error::usage(format!(
                    "block from {first:?} to {last:?} ends before it begins or beyond 64 bits"
                )));
            }
        }
        let slabs = unite(rank, boxes)?;
        let mut united = Vec::with_capacity(boxes.len());
        let mut corner = (Vec::with_capacity(rank), Vec::with_capacity(rank));
        let most = boxes.len().saturating_mul(WORK_PER_BOX).saturating_add(1 << 16);
        flatten(&slabs, &mut corner, &mut united, most)?;
        Ok(Self { rank, boxes: united })
    }

    /// A single box, which is not empty.
    pub(crate) fn single(first: impl Iterator<Item = u64>, last: impl Iterator<Item = u64>) -> Self {
        let boxes: Vec<u64> = first.chain(last).collect();
        Self { rank: boxes.len() / 2, boxes }
    }

    /// How many axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The disjoint boxes in row-major order: first coordinates, then last coordinates (inclusive).
    #[must_use]
    pub fn boxes(&self) -> &[u64] {
        &self.boxes
    }

    /// Each box as (first coordinates, last coordinates).
    pub fn iter(&self) -> impl Iterator<Item = (&[u64], &[u64])> {
        self.boxes.chunks_exact(2 * self.rank.max(1)).map(|block| block.split_at(self.rank))
    }

    /// How many boxes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.boxes.len() / (2 * self.rank.max(1))
    }

    /// Whether nothing is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// How many elements.
    ///
    /// # Errors
    /// `Limit` when the number does not fit 64 bits.
    pub fn count(&self) -> Result<u64> {
        let size = |(first, last): (&[u64], &[u64])| {
            first.iter().zip(last).try_fold(1_u64, |size, (first, last)| size.checked_mul(last - first + 1))
        };
        self.iter()
            .try_fold(0_u64, |total, block| total.checked_add(size(block)?))
            .ok_or_else(|| Error::limit("the blocks select more elements than fit 64 bits"))
    }

    /// The smallest box around all of them: first and last coordinates.
    #[must_use]
    pub fn bounds(&self) -> Option<(Vec<u64>, Vec<u64>)> {
        let mut boxes = self.iter().map(|(first, last)| (first.to_vec(), last.to_vec()));
        let start = boxes.next()?;
        Some(boxes.fold(start, |(low, high), (first, last)| {
            let low = low.iter().zip(&first).map(|(a, b)| *a.min(b)).collect();
            (low, high.iter().zip(&last).map(|(a, b)| *a.max(b)).collect())
        }))
    }

    /// The union with `other`, which has the same rank.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn union(&self, other: &Self) -> Result<Self> {
        if self.rank != other.rank {
            return Err(Error::usage(format!(
                "blocks of rank {} and of rank {} cannot be united",
                self.rank, other.rank
            )));
        }
        let all: Vec<u64> = self.boxes.iter().chain(&other.boxes).copied().collect();
        Self::new(self.rank, &all)
    }

    /// What is in both; `other` has the same rank.
    ///
    /// # Errors
    /// As [`new`](Self::new); `Limit` when there are too many pairs of boxes.
    pub fn intersection(&self, other: &Self) -> Result<Self> {
        if self.rank != other.rank {
            return Err(Error::usage(format!(
                "blocks of rank {} and of rank {} cannot meet",
                self.rank, other.rank
            )));
        }
        if self.len().saturating_mul(other.len()) > 1 << 26 {
            return Err(Error::limit(format!(
                "{} blocks against {} are too many to intersect",
                self.len(),
                other.len()
            )));
        }
        let mut common = Vec::new();
        for (first, last) in self.iter() {
            for (other_first, other_last) in other.iter() {
                let low = first.iter().zip(other_first).map(|(a, b)| *a.max(b));
                let high = last.iter().zip(other_last).map(|(a, b)| *a.min(b));
                if low.clone().zip(high.clone()).all(|(low, high)| low <= high) {
                    common.extend(low.chain(high));
                }
            }
        }
        Self::new(self.rank, &common)
    }

    /// The selection axis by axis, for arithmetic.
    pub(crate) fn slabs(&self) -> Result<Arc<Vec<Slab>>> {
        unite(self.rank, &self.boxes)
    }
}

/// The boxes as slabs of the first axis, each with its own slabs on the next.
fn unite(rank: usize, boxes: &[u64]) -> Result<Arc<Vec<Slab>>> {
    let boxes: Vec<&[u64]> = boxes.chunks_exact(2 * rank.max(1)).collect();
    let mut work = boxes.len().saturating_mul(rank).saturating_mul(WORK_PER_BOX).saturating_add(1 << 16);
    unite_axis(0, rank, boxes, &mut work)
}

fn unite_axis(axis: usize, rank: usize, mut boxes: Vec<&[u64]>, work: &mut usize) -> Result<Arc<Vec<Slab>>> {
    if axis == rank {
        return Ok(Arc::default());
    }
    *work = work
        .checked_sub(boxes.len())
        .ok_or_else(|| Error::limit("the blocks of a selection overlap too much to be united"))?;
    let start = |block: &[u64]| block.get(axis).copied().unwrap_or(0);
    let end = |block: &[u64]| block.get(rank + axis).map_or(0, |last| last + 1);
    boxes.sort_unstable_by_key(|block| start(block));
    let mut cuts: Vec<u64> = boxes.iter().flat_map(|block| [start(block), end(block)]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut slabs: Vec<Slab> = Vec::new();
    let mut waiting = boxes.into_iter().peekable();
    let mut active: Vec<&[u64]> = Vec::new();
    for (low, high) in cuts.iter().zip(cuts.iter().skip(1)) {
        active.retain(|block| end(block) > *low);
        while let Some(block) = waiting.next_if(|block| start(block) <= *low) {
            active.push(block);
        }
        if active.is_empty() {
            continue;
        }
        let below = unite_axis(axis + 1, rank, active.clone(), work)?;
        match slabs.last_mut() {
            Some(slab) if slab.end == *low && slab.below == below => slab.end = *high,
            _ => slabs.push(Slab { start: *low, end: *high, below }),
        }
    }
    Ok(Arc::new(slabs))
}

fn flatten(
    slabs: &[Slab],
    corner: &mut (Vec<u64>, Vec<u64>),
    boxes: &mut Vec<u64>,
    most: usize,
) -> Result<()> {
    for slab in slabs {
        corner.0.push(slab.start);
        corner.1.push(slab.end - 1);
        if slab.below.is_empty() {
            boxes.extend(corner.0.iter().chain(&corner.1));
        } else {
            flatten(&slab.below, corner, boxes, most)?;
        }
        if boxes.len() > most {
            return Err(Error::limit("the blocks of a selection overlap too much to be united"));
        }
        corner.0.pop();
        corner.1.pop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Blocks;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn cells<'a>(boxes: impl Iterator<Item = (&'a [u64], &'a [u64])>) -> Vec<(u64, u64)> {
        boxes
            .flat_map(|(first, last)| {
                let (rows, columns) = (first[0]..=last[0], first[1]..=last[1]);
                rows.flat_map(move |row| columns.clone().map(move |column| (row, column)))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_union_holds_each_element_of_its_boxes_once(boxes in prop::collection::vec((0..8_u64, 0..8_u64, 0..4_u64, 0..4_u64), 0..8)) {
            let flat: Vec<u64> = boxes.iter().flat_map(|(r, c, h, w)| [*r, *c, r + h, c + w]).collect();
            let united = Blocks::new(2, &flat).unwrap();
            let expected: BTreeSet<(u64, u64)> = cells(flat.chunks_exact(4).map(|b| b.split_at(2))).into_iter().collect();
            let mut found = cells(united.iter());
            prop_assert_eq!(united.count().unwrap(), found.len() as u64);
            found.sort_unstable();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(&Blocks::new(2, united.boxes()).unwrap(), &united);
        }
    }

    #[test]
    fn neighbouring_boxes_become_one() {
        let halves = Blocks::new(2, &[0, 0, 3, 1, 0, 2, 3, 5]).unwrap();
        assert_eq!(halves.boxes(), [0, 0, 3, 5]);
        assert_eq!(halves.bounds(), Some((vec![0, 0], vec![3, 5])));
        let column = Blocks::new(2, &[2, 5, 8, 9]).unwrap();
        assert_eq!(halves.intersection(&column).unwrap().boxes(), [2, 5, 3, 5]);
        assert_eq!(halves.union(&column).unwrap().count().unwrap(), 24 + 35 - 2);
    }

    #[test]
    fn a_box_that_ends_before_it_begins_is_refused() {
        assert!(Blocks::new(1, &[3, 2]).is_err());
        assert!(Blocks::new(1, &[3, u64::MAX]).is_err());
        assert!(Blocks::new(0, &[]).is_err());
    }
}
