//! [`Ranks`]: axes that correspond only by counting elements in row-major order.

use crate::space::part::{Part, PartAxis, Segment, Segments};
use crate::space::progression::{Hit, Progression, gcd};
use crate::space::project::paired;
use crate::space::shape::Piece;

/// A run at least this long is moved as it is, even when a longer strided one could be had.
const LONG_RUN: u64 = 32;

/// The k-th element of one side corresponds to the k-th of the other.
#[derive(Clone, Debug)]
pub(crate) struct Ranks {
    pub(crate) from: Side,
    pub(crate) to: Side,
}

/// Some axes of a selection, as pieces in the order of their elements.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) axes: Vec<usize>,
    pub(crate) pieces: Vec<Piece>,
}

/// What a part selects on one axis of a piece: its segment, and the hits of that segment.
type Met = Vec<(Segment, Hit)>;

/// Evenly spaced elements along one place axis (or none), the places of the other axes being fixed.
struct Line {
    along: Option<usize>,
    segment: Segment,
    fixed: Vec<(usize, u64)>,
    /// The ranks of the elements.
    ranks: Progression,
}

impl Ranks {
    /// The axes of this group, for each of the parts they come apart into.
    pub(crate) fn project(&self, part: &Part) -> Vec<Vec<PartAxis>> {
        let mut found = Vec::new();
        let axes: Option<Vec<&PartAxis>> =
            self.from.axes.iter().map(|axis| part.along_source(*axis)).collect();
        let Some(axes) = axes else { return found };
        for piece in &self.from.pieces {
            if let Some(met) = meet(piece, &axes) {
                lines(piece, &axes, &met, &mut |line| self.to.locate(&line, &mut found));
            }
        }
        found
    }
}

/// What the part selects on each axis of a piece; `None` when they miss each other.
fn meet(piece: &Piece, axes: &[&PartAxis]) -> Option<Vec<Met>> {
    let on_axis = |(own, axis): (&crate::space::axis::Axis, &&PartAxis)| {
        let mut met = Vec::new();
        for segment in &axis.segments {
            own.meet(&segment.sources(), |hit| met.push((*segment, hit)));
        }
        (!met.is_empty()).then_some(met)
    };
    piece.axes.iter().zip(axes).map(on_axis).collect()
}

/// Cuts what was met into lines along the axis that gives the fewest of reasonable length.
fn lines(piece: &Piece, axes: &[&PartAxis], met: &[Met], found: &mut impl FnMut(Line)) {
    let longest = |met: &Met| met.iter().map(|(_, hit)| hit.count).max().unwrap_or(0);
    let last = met.len().saturating_sub(1);
    let along = match met.last() {
        Some(met) if longest(met) >= LONG_RUN => last,
        _ => (0..met.len()).max_by_key(|axis| met.get(*axis).map(longest)).unwrap_or(0),
    };
    let mut weights = vec![1; piece.axes.len()];
    let mut weight = 1;
    for (own, axis) in weights.iter_mut().zip(&piece.axes).rev() {
        *own = weight;
        weight *= axis.length();
    }
    let outer: Vec<usize> = (0..met.len()).filter(|axis| *axis != along).collect();
    let start = Line {
        along: axes.get(along).and_then(|axis| axis.place_axis),
        segment: Segment::single(0, 0),
        fixed: Vec::new(),
        ranks: Progression { start: piece.before, step: 1, count: 1 },
    };
    let lines = Lines { axes, met, weights: &weights, along };
    lines.descend(&outer, &start, found);
}

struct Lines<'a> {
    axes: &'a [&'a PartAxis],
    met: &'a [Met],
    weights: &'a [u64],
    along: usize,
}

impl Lines<'_> {
    /// Fixes one element on each of the `outer` axes in turn, then runs along the chosen axis.
    fn descend(&self, outer: &[usize], line: &Line, found: &mut impl FnMut(Line)) {
        let Some((axis, rest)) = outer.split_first() else { return self.run(line, found) };
        let weight = self.weights.get(*axis).copied().unwrap_or(1);
        let place_axis = self.axes.get(*axis).and_then(|axis| axis.place_axis);
        for (segment, hit) in self.met.get(*axis).into_iter().flatten() {
            for at in 0..hit.count {
                let mut fixed = line.fixed.clone();
                let place = segment.place + (hit.first + at * hit.first_step) * segment.place_step;
                fixed.extend(place_axis.map(|axis| (axis, place)));
                let index = hit.second + at * hit.second_step;
                let ranks = Progression { start: line.ranks.start + index * weight, ..line.ranks };
                self.descend(rest, &Line { fixed, ranks, ..*line }, found);
            }
        }
    }

    fn run(&self, line: &Line, found: &mut impl FnMut(Line)) {
        let weight = self.weights.get(self.along).copied().unwrap_or(1);
        let Some(met) = self.met.get(self.along) else {
            return found(Line { fixed: line.fixed.clone(), ..*line });
        };
        for (segment, hit) in met {
            let ranks = Progression {
                start: line.ranks.start + hit.second * weight,
                step: if hit.count > 1 { hit.second_step * weight } else { 1 },
                count: hit.count,
            };
            found(Line { segment: segment.through(hit), fixed: line.fixed.clone(), ranks, ..*line });
        }
    }
}

impl Side {
    /// Finds the elements of a line on this side; those it does not have are left out.
    fn locate(&self, line: &Line, found: &mut Vec<Vec<PartAxis>>) {
        let from = self.pieces.partition_point(|piece| piece.before + piece.count() <= line.ranks.start);
        for piece in self.pieces.iter().skip(from).take_while(|piece| piece.before <= line.ranks.last()) {
            let Some((first, count)) = line.ranks.within(piece.before, piece.before + piece.count()) else {
                continue;
            };
            let hit = Hit { first, first_step: 1, second: 0, second_step: 1, count };
            let within = Progression {
                start: line.ranks.start + first * line.ranks.step - piece.before,
                step: line.ranks.step,
                count,
            };
            let mut indices = vec![0; piece.axes.len()];
            self.split(piece, piece.axes.len(), &hit, within, &mut indices, line, found);
        }
    }

    /// Splits ranks within the first `depth` axes of a piece until they vary along one axis only.
    #[expect(clippy::too_many_arguments, reason = "a recursion that carries its state")]
    fn split(
        &self,
        piece: &Piece,
        depth: usize,
        members: &Hit,
        ranks: Progression,
        indices: &mut Vec<u64>,
        line: &Line,
        found: &mut Vec<Vec<PartAxis>>,
    ) {
        let Some((axis, at)) = depth.checked_sub(1).and_then(|axis| Some((axis, piece.axes.get(axis)?)))
        else {
            return self.emit(
                piece,
                usize::MAX,
                members,
                Progression { count: 1, ..ranks },
                indices,
                line,
                found,
            );
        };
        let length = at.length();
        let classes = length / gcd(ranks.step, length);
        let (first_row, last_row) = (ranks.start / length, ranks.last() / length);
        let rows = last_row - first_row + 1;
        if rows == 1 || (classes > 1 && (rows <= classes || ranks.count / rows >= LONG_RUN)) {
            for row in first_row..=last_row {
                let Some((first, count)) = ranks.within(row * length, (row + 1) * length) else { continue };
                let hit = Hit { first, first_step: 1, second: 0, second_step: 1, count };
                let start = ranks.start + first * ranks.step - row * length;
                set_row(piece, axis, row, indices);
                self.emit(
                    piece,
                    axis,
                    &members.then(&hit),
                    Progression { start, step: ranks.step, count },
                    indices,
                    line,
                    found,
                );
            }
            return;
        }
        for class in 0..classes.min(ranks.count) {
            let rank = ranks.start + class * ranks.step;
            let count = (ranks.count - class).div_ceil(classes);
            let hit = Hit { first: class, first_step: classes, second: 0, second_step: 1, count }.tidy();
            if let Some(index) = indices.get_mut(axis) {
                *index = rank % length;
            }
            let step = if count > 1 { ranks.step * classes / length } else { 1 };
            let above = Progression { start: rank / length, step, count };
            self.split(piece, axis, &members.then(&hit), above, indices, line, found);
        }
    }

    /// Elements that vary along `axis` of this side, with everything else fixed.
    #[expect(clippy::too_many_arguments, reason = "the end of a recursion that carries its state")]
    fn emit(
        &self,
        piece: &Piece,
        axis: usize,
        members: &Hit,
        along: Progression,
        indices: &[u64],
        line: &Line,
        found: &mut Vec<Vec<PartAxis>>,
    ) {
        let fixed = piece.axes.iter().zip(&self.axes).zip(indices).enumerate();
        let fixed = fixed.filter(|(number, _)| *number != axis);
        let sources: Vec<(usize, u64)> =
            fixed.map(|(_, ((own, axis), index))| (*axis, own.coordinate(*index))).collect();
        let mut segments = Segments::new();
        if let Some(own) = piece.axes.get(axis) {
            own.locate(&along, |hit| segments.push(line.segment.through(&members.then(&hit))));
        } else {
            segments.push(line.segment.through(&Hit { second: 0, ..*members }));
        }
        let source_axis = self.axes.get(axis).copied();
        let mut group = Vec::with_capacity(1 + line.fixed.len().max(sources.len()));
        if line.along.is_some() || source_axis.is_some() {
            group.push(PartAxis { place_axis: line.along, source_axis, segments });
        }
        group.extend(paired(&line.fixed, &sources));
        found.push(group);
    }
}

/// The indices of the axes before `axis`, for the `row`-th of their combinations.
fn set_row(piece: &Piece, axis: usize, row: u64, indices: &mut [u64]) {
    let mut rest = row;
    for (index, own) in indices.iter_mut().zip(&piece.axes).take(axis).rev() {
        *index = rest % own.length();
        rest /= own.length();
    }
}
