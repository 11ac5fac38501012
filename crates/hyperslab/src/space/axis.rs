//! [`Axis`]: the coordinates a selection takes on one axis, in closed form where there is one.

use crate::space::progression::{Hit, Progression, gcd};

/// How many short contiguous hits are still preferred over one long strided hit.
const CONTIGUOUS_PREFERENCE: u64 = 8;

/// The selected coordinates of one axis, in increasing order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Blocks of `block` neighbours every `stride`, cut after `length` coordinates.
    /// Neighbours without gaps are always kept as stride 1, block 1.
    Steps { start: u64, stride: u64, block: u64, length: u64 },
    /// Runs of neighbours at uneven places; sorted, apart from each other.
    Spans(Vec<Span>),
}

/// One run of neighbouring coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// Selected coordinates before this run.
    pub(crate) before: u64,
}

impl Axis {
    pub(crate) fn range(start: u64, length: u64) -> Self {
        Self::Steps { start, stride: 1, block: 1, length }
    }

    /// `length` coordinates in blocks; the caller has checked that the last one fits a `u64`.
    pub(crate) fn steps(start: u64, stride: u64, block: u64, length: u64) -> Self {
        if block == stride || length <= block {
            return Self::range(start, length);
        }
        Self::Steps { start, stride, block, length }
    }

    /// From runs as (start, length), sorted and apart.
    pub(crate) fn from_runs(runs: &[(u64, u64)]) -> Self {
        let mut starts = runs.windows(2).map(|pair| match pair {
            [(a, _), (b, _)] => b - a,
            _ => 0,
        });
        let (first, length) = runs.first().copied().unwrap_or((0, 0));
        let total = runs.iter().map(|(_, length)| length).sum();
        let stride = starts.next().unwrap_or(1);
        if starts.all(|step| step == stride) && runs.iter().all(|(_, other)| *other == length) {
            return Self::steps(first, stride, length, total);
        }
        let mut before = 0;
        let spans = runs.iter().map(|&(start, length)| {
            let span = Span { start, length, before };
            before += length;
            span
        });
        Self::Spans(spans.collect())
    }

    /// How many coordinates.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Steps { length, .. } => *length,
            Self::Spans(spans) => spans.last().map_or(0, |span| span.before + span.length),
        }
    }

    /// The smallest and the largest coordinate.
    pub(crate) fn bounds(&self) -> Option<(u64, u64)> {
        let last = self.length().checked_sub(1)?;
        Some((self.coordinate(0), self.coordinate(last)))
    }

    /// The coordinate at `index`, which is below the length.
    pub(crate) fn coordinate(&self, index: u64) -> u64 {
        match self {
            Self::Steps { start, stride, block, .. } => start + index / block * stride + index % block,
            Self::Spans(spans) => {
                let at = spans.partition_point(|span| span.before <= index).saturating_sub(1);
                spans.get(at).map_or(0, |span| span.start + (index - span.before))
            }
        }
    }

    /// Which members of `coordinates` are selected, and at what index on this axis.
    pub(crate) fn meet(&self, coordinates: &Progression, mut found: impl FnMut(Hit)) {
        match self {
            Self::Steps { start, stride, block: 1, length } => {
                let own = Progression { start: *start, step: *stride, count: *length };
                coordinates.meet(&own).into_iter().for_each(found);
            }
            Self::Steps { start, stride, block, length } => {
                meet_blocks([*start, *stride, *block, *length], coordinates, &mut found);
            }
            Self::Spans(spans) => {
                let from = spans.partition_point(|span| span.start + span.length <= coordinates.start);
                for span in spans.iter().skip(from).take_while(|span| span.start <= coordinates.last()) {
                    meet_run(span, coordinates, &mut found);
                }
            }
        }
    }

    /// The coordinates at `indices`, all below the length.
    pub(crate) fn locate(&self, indices: &Progression, mut found: impl FnMut(Hit)) {
        match self {
            Self::Steps { start, stride, block: 1, .. } => found(
                Hit {
                    first: 0,
                    first_step: 1,
                    second: start + indices.start * stride,
                    second_step: if indices.count > 1 { indices.step * stride } else { 1 },
                    count: indices.count,
                }
                .tidy(),
            ),
            Self::Steps { start, stride, block, .. } => {
                locate_blocks([*start, *stride, *block], indices, &mut found);
            }
            Self::Spans(spans) => {
                let from = spans.partition_point(|span| span.before + span.length <= indices.start);
                for span in spans.iter().skip(from).take_while(|span| span.before <= indices.last()) {
                    let mirrored = Span { start: span.before, before: span.start, ..*span };
                    meet_run(&mirrored, indices, &mut found);
                }
            }
        }
    }
}

/// Hits of `numbers` in one run, as offsets from the run's `before`.
fn meet_run(span: &Span, numbers: &Progression, found: &mut impl FnMut(Hit)) {
    if let Some((first, count)) = numbers.within(span.start, span.start + span.length) {
        let second = span.before + (numbers.start + first * numbers.step - span.start);
        found(Hit { first, first_step: 1, second, second_step: numbers.step, count }.tidy());
    }
}

/// Hits in blocks: block by block, or, when there are too many, place by place within a block.
fn meet_blocks(steps: [u64; 4], coordinates: &Progression, found: &mut impl FnMut(Hit)) {
    let [start, stride, block, length] = steps;
    if length == 0 || coordinates.count == 0 || coordinates.last() < start {
        return;
    }
    let from = coordinates.start.saturating_sub(start) / stride;
    let to = ((coordinates.last() - start) / stride).min((length - 1) / block);
    if from > to {
        return;
    }
    if to - from < block.saturating_mul(CONTIGUOUS_PREFERENCE) {
        for number in from..=to {
            let before = number * block;
            let span = Span { start: start + number * stride, length: block.min(length - before), before };
            meet_run(&span, coordinates, found);
        }
        return;
    }
    for within in 0..block.min(length) {
        let own =
            Progression { start: start + within, step: stride, count: (length - within).div_ceil(block) };
        if let Some(hit) = coordinates.meet(&own) {
            let second_step = if hit.count > 1 { hit.second_step * block } else { 1 };
            found(Hit { second: hit.second * block + within, second_step, ..hit });
        }
    }
}

/// Coordinates of indices in blocks, by whichever of blocks and classes needs fewer hits.
fn locate_blocks(steps: [u64; 3], indices: &Progression, found: &mut impl FnMut(Hit)) {
    let [start, stride, block] = steps;
    if indices.count == 0 {
        return;
    }
    let classes = block / gcd(indices.step, block);
    let (from, to) = (indices.start / block, indices.last() / block);
    if classes > 1 && to - from < classes.saturating_mul(CONTIGUOUS_PREFERENCE) {
        for number in from..=to {
            let span = Span { start: number * block, length: block, before: start + number * stride };
            meet_run(&span, indices, found);
        }
        return;
    }
    for class in 0..classes.min(indices.count) {
        let index = indices.start + class * indices.step;
        let count = (indices.count - class).div_ceil(classes);
        let second_step = if count > 1 { indices.step * classes / block * stride } else { 1 };
        let second = start + index / block * stride + index % block;
        found(Hit { first: class, first_step: classes, second, second_step, count }.tidy());
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;
    use crate::space::progression::{Hit, Progression};
    use proptest::prelude::*;

    fn axes() -> impl Strategy<Value = Axis> {
        prop_oneof![
            (0..20_u64, 1..4_u64, 0..4_u64, 0..30_u64).prop_map(|(start, block, gap, length)| Axis::steps(
                start,
                block + gap,
                block,
                length
            )),
            prop::collection::vec((1..5_u64, 1..5_u64), 0..8).prop_map(|gaps| {
                let mut at = 0;
                let runs: Vec<(u64, u64)> = gaps
                    .into_iter()
                    .map(|(gap, length)| {
                        let start = at + gap;
                        at = start + length;
                        (start, length)
                    })
                    .collect();
                Axis::from_runs(&runs)
            }),
        ]
    }

    fn pairs(hits: &[Hit]) -> Vec<(u64, u64)> {
        let mut pairs: Vec<(u64, u64)> = hits
            .iter()
            .flat_map(|h| (0..h.count).map(|i| (h.first + i * h.first_step, h.second + i * h.second_step)))
            .collect();
        pairs.sort_unstable();
        pairs
    }

    proptest! {
        #[test]
        fn meeting_finds_each_selected_coordinate_once(axis in axes(), start in 0..30_u64, step in 1..9_u64, count in 0..30_u64) {
            let coordinates: Vec<u64> = (0..axis.length()).map(|i| axis.coordinate(i)).collect();
            let mut expected = Vec::new();
            for k in 0..count {
                if let Some(index) = coordinates.iter().position(|c| *c == start + k * step) {
                    expected.push((k, index as u64));
                }
            }
            let mut hits = Vec::new();
            axis.meet(&Progression { start, step, count }, |hit| hits.push(hit));
            prop_assert_eq!(pairs(&hits), expected);
        }

        #[test]
        fn locating_gives_the_coordinate_of_each_index(axis in axes(), start in 0..30_u64, step in 1..9_u64) {
            let length = axis.length();
            prop_assume!(start < length);
            let count = (length - start).div_ceil(step);
            let expected: Vec<(u64, u64)> = (0..count).map(|k| (k, axis.coordinate(start + k * step))).collect();
            let mut hits = Vec::new();
            axis.locate(&Progression { start, step, count }, |hit| hits.push(hit));
            prop_assert_eq!(pairs(&hits), expected);
        }
    }
}
