//! [`ChunkGrid`]: the chunks of a dataset as an array; boxes of them, and their order in an index.

use crate::error::{Error, Result};

/// How a dataset is cut into chunks. All axes have the same order as the dataset's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChunkGrid {
    /// Elements of the dataset along each axis, now.
    pub(crate) dims: Vec<u64>,
    /// The most elements it may grow to; none without limit.
    pub(crate) max: Vec<Option<u64>>,
    /// Elements of a chunk.
    pub(crate) chunk: Vec<u64>,
    /// Bytes of an element.
    pub(crate) element_size: u64,
}

impl ChunkGrid {
    /// Fails unless all axes agree and no chunk is empty or too large to count.
    pub(crate) fn check(&self) -> Result<()> {
        let rank = self.chunk.len();
        if rank == 0 || self.dims.len() != rank || self.max.len() != rank {
            return Err(Error::malformed(format!(
                "chunks have {rank} axes, the dataset has {}",
                self.dims.len()
            )));
        }
        if self.chunk.contains(&0) {
            return Err(Error::malformed(format!("chunk of {:?} elements", self.chunk)));
        }
        self.chunk_bytes().map(|_| ())
    }

    pub(crate) fn rank(&self) -> usize {
        self.chunk.len()
    }

    /// Bytes of a chunk before filters.
    pub(crate) fn chunk_bytes(&self) -> Result<u64> {
        let bytes = self.chunk.iter().try_fold(self.element_size, |bytes, side| bytes.checked_mul(*side));
        bytes.ok_or_else(|| Error::malformed(format!("chunk of {:?} elements passes 2^64 bytes", self.chunk)))
    }

    /// Chunks along each axis, now.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> {
        self.dims.iter().zip(&self.chunk).map(|(dim, side)| dim.div_ceil((*side).max(1)))
    }

    /// Chunks along `axis` when the dataset is as large as it may grow; none without limit.
    pub(crate) fn max_count(&self, axis: usize) -> Option<u64> {
        let (max, side) = (self.max.get(axis).copied().flatten()?, self.chunk.get(axis)?);
        Some(max.div_ceil((*side).max(1)))
    }

    /// The order of chunks in an array index: row-major over the largest extent.
    ///
    /// With `growing` the one unlimited axis comes first, whatever its place.
    pub(crate) fn order(&self, growing: bool) -> Result<Order> {
        let unlimited: Vec<usize> =
            self.max.iter().enumerate().filter(|(_, max)| max.is_none()).map(|(axis, _)| axis).collect();
        let mut axes: Vec<usize> = (0..self.rank()).collect();
        match (growing, unlimited.as_slice()) {
            (false, []) => {}
            (true, [growing]) => {
                axes.retain(|axis| axis != growing);
                axes.insert(0, *growing);
            }
            _ => {
                return Err(Error::malformed(format!(
                    "the chunk index cannot serve a dataset with {} unlimited axes",
                    unlimited.len()
                )));
            }
        }
        let mut steps = vec![0; axes.len()];
        let mut step = Some(1_u64);
        for (axis, place) in axes.iter().zip(&mut steps).rev() {
            *place = step.ok_or_else(|| Error::malformed("more chunks than 64 bits count"))?;
            // An axis without room has no chunks; their numbers need no step of 0, which leads nowhere.
            step = self.max_count(*axis).and_then(|count| place.checked_mul(count.max(1)));
        }
        let sides = axes.iter().map(|axis| self.max_count(*axis)).collect();
        Ok(Order { axes, steps, sides })
    }
}

/// Takes coordinates, number and count of a run of chunks, and the axis it runs along.
type OnRun<'a> = dyn FnMut(&mut [u64], u64, u64, usize) -> Result<u64> + 'a;

/// How chunk coordinates become one number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    /// Axes, slowest first.
    axes: Vec<usize>,
    /// How far apart neighbours along each of them are.
    steps: Vec<u64>,
    /// Chunks along each of them; none without limit.
    sides: Vec<Option<u64>>,
}

impl Order {
    /// The number of the chunk at `coords`.
    pub(crate) fn index(&self, coords: &[u64]) -> Result<u64> {
        let total = self.axes.iter().zip(&self.steps).try_fold(0_u64, |total, (axis, step)| {
            coords
                .get(*axis)
                .and_then(|coord| coord.checked_mul(*step))
                .and_then(|part| total.checked_add(part))
        });
        total.ok_or_else(|| {
            Error::usage(format!("no chunk {coords:?} in a dataset of {} axes", self.axes.len()))
        })
    }

    /// The number of the chunk at `coords`, to store it: it must be within the largest extent.
    pub(crate) fn place(&self, coords: &[u64]) -> Result<u64> {
        let inside = |(axis, side): (&usize, &Option<u64>)| {
            coords.get(*axis).is_some_and(|coord| side.is_none_or(|side| *coord < side))
        };
        if coords.len() == self.axes.len() && self.axes.iter().zip(&self.sides).all(inside) {
            return self.index(coords);
        }
        Err(Error::usage(format!("chunk {coords:?} is outside the largest extent of the dataset")))
    }

    /// How many chunks the largest extent has; none without limit.
    pub(crate) fn count(&self) -> Option<u64> {
        self.sides.iter().try_fold(1_u64, |count, side| count.checked_mul((*side)?))
    }

    /// Calls `run` with the coordinates, number and count of each run of consecutive chunks of
    /// the box, in order; coordinates step along the axis given last. What it returns is the number of
    /// the first chunk that is wanted after these: an extent may be enormous, of which next to nothing was written.
    pub(crate) fn runs(&self, first: &[u64], last: &[u64], run: &mut OnRun<'_>) -> Result<()> {
        let Some(fastest) = self.axes.last() else { return Ok(()) };
        if first.len() != self.axes.len() || last.len() != first.len() {
            return Err(Error::usage(format!("a box of {} axes, {} expected", first.len(), self.axes.len())));
        }
        if first.iter().zip(last).any(|(first, last)| first > last) {
            return Ok(());
        }
        let (first, last) = (self.slowest_first(first), self.slowest_first(last));
        let chunks = ChunkBox { first: &first, last: &last };
        let (mut at, mut coords) = (first.clone(), vec![0; first.len()]);
        loop {
            for (axis, coord) in self.axes.iter().zip(&at) {
                if let Some(place) = coords.get_mut(*axis) {
                    *place = *coord;
                }
            }
            let left = at.last().zip(last.last()).and_then(|(at, last)| last.checked_sub(*at));
            let count = left.and_then(|left| left.checked_add(1));
            let count = count.ok_or_else(|| Error::usage("a box of 2^64 chunks"))?;
            let start = self.index(&coords)?;
            let next = run(&mut coords, start, count, *fastest)?;
            let end = start.saturating_add(count);
            if next > end {
                at = self.chunk_at(next);
                if !chunks.advance(&mut at) {
                    return Ok(());
                }
            } else if !chunks.next_run(&mut at) {
                return Ok(());
            }
        }
    }

    /// What there is for each axis, slowest first.
    fn slowest_first(&self, each: &[u64]) -> Vec<u64> {
        self.axes.iter().map(|axis| each.get(*axis).copied().unwrap_or(0)).collect()
    }

    /// The chunk of a number, slowest axis first.
    fn chunk_at(&self, number: u64) -> Vec<u64> {
        let mut rest = number;
        let mut coord = |step: &u64| {
            let coord = rest.checked_div(*step).unwrap_or(0);
            rest = rest.checked_rem(*step).unwrap_or(0);
            coord
        };
        self.steps.iter().map(&mut coord).collect()
    }
}

/// A box of chunks, tested against intervals of row-major order.
#[derive(Debug)]
pub(crate) struct ChunkBox<'a> {
    pub(crate) first: &'a [u64],
    pub(crate) last: &'a [u64],
}

impl ChunkBox<'_> {
    pub(crate) fn contains(&self, coords: &[u64]) -> bool {
        let sides = self.first.iter().zip(self.last);
        coords.iter().zip(sides).all(|(coord, (first, last))| first <= coord && coord <= last)
    }

    /// Whether some chunk of the box is not before `low` and not after `high`.
    ///
    /// `low` is lost: it becomes the first chunk of the box not before it.
    pub(crate) fn meets(&self, low: &mut [u64], high: &[u64]) -> bool {
        self.advance(low) && &*low <= high
    }

    /// Moves `point` to the first chunk of the box not before it in row-major order.
    fn advance(&self, point: &mut [u64]) -> bool {
        let outside = point
            .iter()
            .zip(self.first.iter().zip(self.last))
            .position(|(at, (first, last))| at < first || at > last);
        let Some(axis) = outside else { return true };
        if point.get(axis) < self.first.get(axis) {
            self.restart(point, axis);
            return true;
        }
        self.bump(point, axis)
    }

    /// Moves the first chunk of a run to that of the next one.
    fn next_run(&self, point: &mut [u64]) -> bool {
        self.bump(point, point.len().saturating_sub(1))
    }

    /// Moves `point` to the first chunk of the box behind all that begin with the same coordinates before `axis`.
    fn bump(&self, point: &mut [u64], axis: usize) -> bool {
        let mut slower = point.iter_mut().zip(self.last).take(axis).enumerate().rev();
        let Some((axis, (at, _))) = slower.find(|(_, (at, last))| **at < **last) else { return false };
        *at += 1;
        self.restart(point, axis + 1);
        true
    }

    /// The coordinates from `axis` on become the first ones of the box.
    fn restart(&self, point: &mut [u64], axis: usize) {
        for (at, first) in point.iter_mut().zip(self.first).skip(axis) {
            *at = *first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkBox, ChunkGrid};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    fn grid(max: Vec<Option<u64>>) -> ChunkGrid {
        ChunkGrid { dims: vec![20, 30, 7], max, chunk: vec![10, 4, 3], element_size: 2 }
    }

    #[test]
    fn the_unlimited_axis_is_the_slowest_of_a_growing_index() {
        let order = grid(vec![Some(20), None, Some(7)]).order(true).unwrap();
        assert_eq!(order.index(&[1, 0, 2]).unwrap(), 5);
        assert_eq!(order.index(&[0, 2, 1]).unwrap(), 13);
        assert!(grid(vec![Some(20), None, None]).order(true).is_err());
        assert!(grid(vec![Some(20), None, Some(7)]).order(false).is_err());
    }

    #[test]
    fn a_walk_of_a_box_ends_also_where_there_is_no_room_for_it() {
        let order = grid(vec![Some(20), Some(0), Some(0)]).order(false).unwrap();
        let mut calls = 0;
        let run = &mut |_: &mut [u64], start: u64, count: u64, _| {
            calls += 1;
            Ok(start + count + 1)
        };
        order.runs(&[0, 0, 0], &[3, 3, 3], run).unwrap();
        assert!(calls <= 16, "{calls}");
    }

    #[test]
    fn runs_cover_a_box_once_in_order() {
        let order = grid(vec![Some(20), Some(30), Some(9)]).order(false).unwrap();
        let mut seen = Vec::new();
        order
            .runs(&[0, 2, 1], &[1, 3, 2], &mut |coords, index, count, axis| {
                assert_eq!((count, axis), (2, 2));
                seen.push((coords.to_vec(), index));
                Ok(0)
            })
            .unwrap();
        let expected = [([0, 2, 1], 7), ([0, 3, 1], 10), ([1, 2, 1], 31), ([1, 3, 1], 34)];
        assert_eq!(seen, expected.map(|(coords, index)| (coords.to_vec(), index)));
    }

    proptest! {
        #[test]
        fn runs_pass_over_what_is_not_wanted_and_over_nothing_else(
            growing in any::<bool>(), skip in 1_u64..99,
            first in prop::collection::vec(0_u64..3, 3), size in prop::collection::vec(0_u64..4, 3),
        ) {
            let order = grid(vec![Some(60), if growing { None } else { Some(30) }, Some(20)]).order(growing).unwrap();
            let last: Vec<u64> = first.iter().zip(size).map(|(first, size)| first + size).collect();
            let walk = |skip: Option<u64>| {
                let mut chunks = Vec::new();
                let mut run = |coords: &mut [u64], start, count, axis: usize| {
                    for number in start..start + count {
                        chunks.push((number, coords.to_vec()));
                        coords[axis] += 1;
                    }
                    Ok(skip.map_or(0, |skip| (start / skip + 1) * skip))
                };
                order.runs(&first, &last, &mut run).unwrap();
                chunks
            };
            let all = walk(None);
            prop_assert!(all.is_sorted() && all.iter().all(|(number, at)| order.index(at).unwrap() == *number));
            let (mut expected, mut wanted) = (Vec::new(), 0);
            for run in all.chunk_by(|one, next| one.1[..2] == next.1[..2]) {
                let rest: Vec<_> = run.iter().filter(|(number, _)| *number >= wanted).cloned().collect();
                if let Some((number, _)) = rest.first() {
                    wanted = (number / skip + 1) * skip;
                }
                expected.extend(rest);
            }
            let some = walk(Some(skip));
            prop_assert_eq!(some, expected);
        }

        #[test]
        fn meeting_an_interval_equals_trying_every_chunk(
            low in prop::collection::vec(0_u64..4, 3), high in prop::collection::vec(0_u64..4, 3),
            first in prop::collection::vec(0_u64..4, 3), size in prop::collection::vec(0_u64..3, 3),
        ) {
            let last: Vec<u64> = first.iter().zip(size).map(|(first, size)| first + size).collect();
            let chunks = ChunkBox { first: &first, last: &last };
            let mut any = false;
            for a in 0..7 {
                for b in 0..7 {
                    for c in 0..7 {
                        let at = vec![a, b, c];
                        any |= chunks.contains(&at) && low <= at && at <= high;
                    }
                }
            }
            let mut point = low;
            prop_assert_eq!(chunks.meets(&mut point, &high), any);
        }
    }
}
