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

impl Index {
    /// From (number, bounds per axis), all of `rank` axes.
    pub(crate) fn new(rank: usize, boxes: Vec<(usize, Vec<(u64, u64)>)>) -> Self {
        let mut boxes = boxes;
        let axis = best_axis(rank, &boxes);
        let side = |sides: &[(u64, u64)]| sides.get(axis).copied().unwrap_or((0, u64::MAX));
        boxes.sort_by_key(|(_, sides)| side(sides).0);
        let mut reach = Vec::with_capacity(boxes.len());
        let mut furthest = 0;
        for (_, sides) in &boxes {
            furthest = side(sides).1.max(furthest);
            reach.push(furthest);
        }
        let numbers = boxes.iter().map(|(number, _)| *number).collect();
        Self { rank, axis, sides: boxes.into_iter().flat_map(|(_, sides)| sides).collect(), numbers, reach }
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
fn best_axis(rank: usize, boxes: &[(usize, Vec<(u64, u64)>)]) -> usize {
    let crowding = |axis: usize| {
        let sides = || boxes.iter().filter_map(move |(_, sides)| sides.get(axis));
        let low = sides().map(|side| side.0).min().unwrap_or(0);
        let high = sides().map(|side| side.1).filter(|high| *high < u64::MAX).max().unwrap_or(low);
        let room = u128::from(high.saturating_sub(low)) + 1;
        let total: u128 =
            sides().map(|(low, high)| u128::from((*high).min(low.saturating_add(1 << 60)) - low) + 1).sum();
        total.saturating_mul(1 << 20) / room
    };
    (0..rank).min_by_key(|axis| crowding(*axis)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Index;
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
            Index::new(2, boxes).meeting(&wanted, |number| found.push(number));
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
