//! [`disjoint`]: whether no two parts share a place of the output array.

use std::collections::BTreeMap;

use crate::space::part::{Part, PartAxis};

/// Comparisons allowed per part, on average, before giving up and saying "not disjoint".
const WORK_PER_PART: usize = 64;

/// Whether no two of `parts` share a place; when that takes too long to tell, `false`.
///
/// Parts are separated by the intervals they take on an axis, by the class of their places when they are
/// evenly spaced, axis by axis, and what is left pair by pair.
pub(crate) fn disjoint(parts: &[Part]) -> bool {
    let Some(first) = parts.first() else { return true };
    let rank = first.place_rank();
    if parts.len() == 1 {
        return true;
    }
    let mut places = Vec::with_capacity(parts.len().saturating_mul(rank));
    let all = parts.iter().all(|part| (0..rank).all(|axis| push_places(part, axis, &mut places).is_some()));
    if !all || rank == 0 {
        return false;
    }
    let mut work = parts.len().saturating_mul(WORK_PER_PART).saturating_mul(rank).saturating_add(1 << 16);
    let mut waiting = vec![Together { rows: places.chunks_exact(rank).collect(), axis: 0, stuck: 0 }];
    while let Some(together) = waiting.pop() {
        let Some(left) = work.checked_sub(together.rows.len()) else { return false };
        work = left;
        if together.stuck == rank {
            if !pairwise(&together.rows, &mut work) {
                return false;
            }
            continue;
        }
        let (axis, stuck) = (together.axis, together.stuck);
        let count = together.rows.len();
        let groups = separate(together.rows, axis);
        let stuck = if groups.first().is_some_and(|group| group.len() == count) { stuck + 1 } else { 0 };
        waiting.extend(groups.into_iter().map(|rows| Together { rows, axis: (axis + 1) % rank, stuck }));
    }
    true
}

/// Parts not yet told apart.
struct Together<'a> {
    rows: Vec<Row<'a>>,
    /// The axis to look at next.
    axis: usize,
    /// Axes looked at in a row without telling any apart.
    stuck: usize,
}

/// The places of one part, axis by axis.
type Row<'a> = &'a [Places<'a>];

struct Places<'a> {
    low: u64,
    high: u64,
    /// All places differ by multiples of this; 0 for a single place.
    step: u64,
    axis: &'a PartAxis,
}

/// Adds the places a part takes on one axis; `None` when it has no such axis, or nothing on it.
fn push_places<'a>(part: &'a Part, number: usize, all: &mut Vec<Places<'a>>) -> Option<()> {
    let axis = part.along_place(number)?;
    let (low, high) = axis.place_bounds()?;
    let steps = axis.segments.iter().filter(|segment| segment.count > 1).map(|segment| segment.place_step);
    let step = steps.reduce(|one, other| if one == other { one } else { 1 }).unwrap_or(high - low);
    let even = step <= 1 || axis.segments.iter().all(|segment| (segment.place - low).is_multiple_of(step));
    all.push(Places { low, high, step: if even { step } else { 1 }, axis });
    Some(())
}

/// Groups of several parts that may share places as far as this axis tells.
fn separate(mut rows: Vec<Row<'_>>, axis: usize) -> Vec<Vec<Row<'_>>> {
    let low = |row: Row<'_>| row.get(axis).map_or(0, |places| places.low);
    let high = |row: Row<'_>| row.get(axis).map_or(u64::MAX, |places| places.high);
    rows.sort_unstable_by_key(|row| low(row));
    let mut groups: Vec<Vec<Row<'_>>> = Vec::new();
    let mut rest = rows.as_slice();
    while let Some((first, others)) = rest.split_first() {
        let mut end = high(first);
        let together = others.iter().take_while(|row| {
            let meets = low(row) <= end;
            end = end.max(high(row));
            meets
        });
        let (group, next) = rest.split_at_checked(1 + together.count()).unwrap_or_default();
        if group.len() > 1 {
            groups.extend(by_class(group, axis));
        }
        rest = next;
    }
    groups
}

/// Parts spaced by the same step meet only when they have the same remainder.
fn by_class<'a>(group: &[Row<'a>], axis: usize) -> Vec<Vec<Row<'a>>> {
    let steps =
        group.iter().filter_map(|row| row.get(axis)).map(|places| places.step).filter(|step| *step != 0);
    let common = steps.reduce(|one, other| if one == other { one } else { 1 });
    let Some(step) = common.filter(|step| *step > 1) else { return vec![group.to_vec()] };
    let mut classes: BTreeMap<u64, Vec<Row<'_>>> = BTreeMap::new();
    for row in group {
        let class = row.get(axis).map_or(0, |places| places.low % step);
        classes.entry(class).or_default().push(row);
    }
    classes.into_values().filter(|class| class.len() > 1).collect()
}

/// Whether all pairs are disjoint, exactly; `false` when `work` runs out.
fn pairwise(rows: &[Row<'_>], work: &mut usize) -> bool {
    rows.iter()
        .enumerate()
        .all(|(number, one)| rows.iter().skip(number + 1).all(|other| apart(one, other, work)))
}

fn apart(one: Row<'_>, other: Row<'_>, work: &mut usize) -> bool {
    one.iter().zip(other).any(|(one, other)| {
        let pairs = one.axis.segments.len().saturating_mul(other.axis.segments.len());
        let Some(left) = work.checked_sub(pairs) else { return false };
        *work = left;
        one.high < other.low
            || other.high < one.low
            || !one.axis.segments.iter().any(|segment| {
                other.axis.segments.iter().any(|against| segment.places().meet(&against.places()).is_some())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::disjoint;
    use crate::space::part::{Part, PartAxis, Segment};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn axis(number: usize, (place, place_step, count): (u64, u64, u64)) -> PartAxis {
        let segment = Segment { place, place_step, source: 0, source_step: 1, count };
        PartAxis { place_axis: Some(number), source_axis: Some(number), segments: [segment].into() }
    }

    fn part(axes: &[(u64, u64, u64)]) -> Part {
        Part { axes: axes.iter().enumerate().map(|(number, side)| axis(number, *side)).collect() }
    }

    proptest! {
        #[test]
        fn parts_that_share_a_place_are_never_called_disjoint(
            parts in prop::collection::vec(prop::collection::vec((0..12_u64, 1..4_u64, 1..4_u64), 2), 0..6)
        ) {
            let parts: Vec<Part> = parts.iter().map(|axes| part(axes)).collect();
            let mut seen = BTreeSet::new();
            let expected = parts.iter().flat_map(Part::elements).all(|(place, _)| seen.insert(place));
            prop_assert_eq!(disjoint(&parts), expected);
        }
    }

    #[test]
    fn many_interleaved_or_tiled_parts_are_told_apart_quickly() {
        let count = 100_000;
        let interleaved: Vec<Part> = (0..count).map(|k| part(&[(k, count, 50), (0, 1, 8)])).collect();
        assert!(disjoint(&interleaved));
        let rows: Vec<Part> = (0..count).map(|k| part(&[(k, 1, 1), (0, 1, 8)])).collect();
        assert!(disjoint(&rows));
        let mut tiles: Vec<Part> =
            (0..count).map(|k| part(&[(k / 300 * 4 + k % 2, 1, 4), (k % 300 * 4, 1, 4)])).collect();
        assert!(disjoint(&tiles));
        tiles.push(part(&[(77, 1, 1), (123, 1, 1)]));
        assert!(!disjoint(&tiles));
    }
}
