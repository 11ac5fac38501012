//! [`Index`]: which of many boxes meet a box, without asking each of them.

/// Boxes sorted along the axis that tells them apart best.
#[derive(Debug)]
pub(crate) struct Index {
    rank: usize,
    axis: usize,
    /// Per box and axis: smallest and largest coordinate; empty boxes are left out.
    sides: Vec<(u64, u64)>,
    /// The number of each box.
    numbers: Vec<usize>,
    /// The largest coordinate on the sorted axis of this box and all before it.
    reach: Vec<u64>,
}

/// Boxes of one rank to be put in an index, each with its number.
#[derive(Debug)]
pub(crate) struct Boxes {
    rank: usize,
    sides: Vec<(u64, u64)>,
    numbers: Vec<usize>,
}

impl Boxes {
    pub(crate) fn new(rank: usize) -> Self {
        Self { rank, sides: Vec::new(), numbers: Vec::new() }
    }

    /// Adds a box: per axis its smallest and largest coordinate.
    pub(crate) fn push(&mut self, number: usize, sides: impl Iterator<Item = (u64, u64)>) {
        self.sides.extend(sides.take(self.rank));
        self.numbers.push(number);
        self.sides.resize(self.numbers.len().saturating_mul(self.rank), (0, u64::MAX));
    }

    fn along(&self, axis: usize) -> impl Iterator<Item = (u64, u64)> {
        self.sides.iter().skip(axis).step_by(self.rank.max(1)).copied()
    }

    /// The same boxes, sorted along an axis.
    fn sorted(self, axis: usize) -> Self {
        if self.along(axis).is_sorted_by_key(|side| side.0) {
            return self;
        }
        let sides = self.sides.chunks_exact(self.rank.max(1));
        let mut order: Vec<_> = self.along(axis).map(|side| side.0).zip(sides).zip(&self.numbers).collect();
        order.sort_by_key(|((low, _), _)| *low);
        let numbers = order.iter().map(|(_, number)| **number).collect();
        let sides = order.iter().flat_map(|((_, sides), _)| *sides).copied().collect();
        Self { sides, numbers, ..self }
    }
}

impl Index {
    pub(crate) fn new(boxes: Boxes) -> Self {
        let axis = best_axis(&boxes);
        let boxes = boxes.sorted(axis);
        let mut furthest = 0;
        let reach = boxes.along(axis).map(|side| {
            furthest = side.1.max(furthest);
            furthest
        });
        let reach = reach.collect();
        let Boxes { rank, sides, numbers } = boxes;
        Self { rank, axis, sides, numbers, reach }
    }

    /// Calls `found` with the number of each box that meets `wanted`, in no particular order.
    pub(crate) fn meeting(&self, wanted: &[(u64, u64)], mut found: impl FnMut(usize)) {
        if self.rank == 0 {
            return self.numbers.iter().copied().for_each(found);
        }
        let Some((low, high)) = wanted.get(self.axis) else { return };
        let sides = self.sides.chunks_exact(self.rank);
        let end = self.below(*high);
        let begin = self.reach.partition_point(|reach| reach < low);
        let within = sides.zip(&self.numbers).take(end).skip(begin);
        for (sides, number) in within {
            if sides.iter().zip(wanted).all(|((low, high), (from, to))| low <= to && from <= high) {
                found(*number);
            }
        }
    }

    /// How many boxes begin at or before `high` on the sorted axis.
    fn below(&self, high: u64) -> usize {
        let (mut low, mut end) = (0, self.numbers.len());
        while low < end {
            let middle = low.midpoint(end);
            let start = self.sides.get(middle * self.rank + self.axis).map_or(u64::MAX, |side| side.0);
            if start <= high { low = middle + 1 } else { end = middle }
        }
        low
    }
}

/// The axis on which the boxes are shortest, compared with the room they take together.
fn best_axis(boxes: &Boxes) -> usize {
    let crowding = |axis: usize| {
        let sides = || boxes.along(axis);
        let low = sides().map(|side| side.0).min().unwrap_or(0);
        let high = sides().map(|side| side.1).filter(|high| *high < u64::MAX).max().unwrap_or(low);
        let room = u128::from(high.saturating_sub(low)) + 1;
        let total: u128 =
            sides().map(|(low, high)| u128::from(high.min(low.saturating_add(1 << 60)) - low) + 1).sum();
        total.saturating_mul(1 << 20) / room
    };
    (0..boxes.rank).min_by_key(|axis| crowding(*axis)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Boxes, Index};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_boxes_found_are_those_that_meet(
            boxes in prop::collection::vec(prop::collection::vec((0..40_u64, 0..6_u64), 2), 0..80),
            wanted in prop::collection::vec((0..40_u64, 0..20_u64), 2),
        ) {
            let sides = |sides: &Vec<(u64, u64)>| sides.iter().map(|(low, more)| (*low, low + more)).collect::<Vec<_>>();
            let boxes: Vec<_> = boxes.iter().map(sides).enumerate().collect();
            let wanted = sides(&wanted);
            let expected: Vec<usize> = boxes.iter()
                .filter(|(_, sides)| sides.iter().zip(&wanted).all(|(a, b)| a.0 <= b.1 && b.0 <= a.1))
                .map(|(number, _)| *number).collect();
            let mut found = Vec::new();
            let mut all = Boxes::new(2);
            for (number, sides) in boxes {
                all.push(number, sides.into_iter());
            }
            Index::new(all).meeting(&wanted, |number| found.push(number));
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
