//! [`Mapper`]: one virtual mapping as arithmetic, from parts of the virtual dataset to parts of its source.
//!
//! The k-th element of the virtual selection is the k-th of the source selection, both in row-major
//! order. Axes of length 1 do not matter to that order. The others are put in groups of equal size, and
//! each group is independent of the others: usually one axis against one axis, which is a closed form.

use crate::error::Result;
use crate::space::axis::Axis;
use crate::space::part::{Part, PartAxis, Parts, Segment, Segments};
use crate::space::ranks::{Ranks, Side};
use crate::space::selection::Selection;
use crate::space::shape::{Factor, Shape, pieces};
use crate::space::shift::Shift;
use smallvec::SmallVec;

/// One mapping, ready to project any number of parts.
#[derive(Clone, Debug)]
pub(crate) enum Mapper {
    /// A box against a box of the same shape, as most mappings are.
    Shift(Shift),
    Grouped(Box<Grouped>),
}

/// Groups of axes that correspond.
#[derive(Clone, Debug)]
pub(crate) struct Grouped {
    rank: usize,
    /// Virtual axes with a single coordinate.
    virtual_fixed: Fixed,
    /// Source axes with a single coordinate.
    source_fixed: Fixed,
    groups: Groups,
    count: u64,
    virtual_count: u64,
}

/// Axes with the coordinate or place they are at.
type Fixed = SmallVec<[(usize, u64); 2]>;
type Groups = SmallVec<[Group; 3]>;

/// Axes of both sides that correspond among themselves.
#[derive(Clone, Debug)]
enum Group {
    /// Index `i` of one axis is index `i` of the other.
    Pair { virtual_axis: usize, source_axis: usize, from: Axis, to: Axis },
    /// Axes that only correspond by counting their elements.
    Ranks(Ranks),
}

/// A factor with the first axis it covers.
type Placed<'a> = (usize, &'a Factor);
type AllPlaced<'a> = SmallVec<[Placed<'a>; 4]>;

impl Mapper {
    /// The mapping of `source` to `virtual_selection`.
    ///
    /// Two unlimited selections are cut to the same number of slices, as many as both extents hold. When
    /// the counts differ otherwise, as they may for a source taken whole, the elements of the shorter
    /// correspond to the first of the longer.
    ///
    /// # Errors
    /// `Usage` for points; `Limit` for selections that do not fit 64 bits or are too irregular.
    pub(crate) fn new(
        virtual_selection: &Selection,
        vdims: &[u64],
        source: &Selection,
        sdims: &[u64],
    ) -> Result<Self> {
        if let Some(shift) = Shift::between(virtual_selection, vdims, source, sdims) {
            return Ok(Self::Shift(shift));
        }
        let slices = match (slices(virtual_selection, vdims)?, slices(source, sdims)?) {
            (Some(here), Some(there)) => Some(here.min(there)),
            _ => None,
        };
        Self::between(&Shape::of(virtual_selection, vdims, slices)?, &Shape::of(source, sdims, slices)?)
    }

    pub(crate) fn between(from: &Shape, to: &Shape) -> Result<Self> {
        Grouped::between(from, to).map(|groups| Self::Grouped(Box::new(groups)))
    }

    /// How many elements correspond.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Shift(shift) => shift.count(),
            Self::Grouped(groups) => groups.count,
        }
    }

    /// Whether the source has fewer elements than the virtual selection.
    pub(crate) fn is_short(&self) -> bool {
        match self {
            Self::Shift(_) => false,
            Self::Grouped(groups) => groups.count < groups.virtual_count,
        }
    }

    /// `part`, whose source side is the virtual dataset, as parts of the source.
    pub(crate) fn project(&self, part: &Part) -> Parts {
        match self {
            Self::Shift(shift) => shift.project(part).into_iter().collect(),
            Self::Grouped(groups) => groups.project(part).unwrap_or_default(),
        }
    }
}

impl Grouped {
    fn between(from: &Shape, to: &Shape) -> Result<Self> {
        let count = from.count().min(to.count());
        let mut mapper = Self {
            rank: from.rank(),
            virtual_fixed: Fixed::new(),
            source_fixed: Fixed::new(),
            groups: Groups::new(),
            count,
            virtual_count: from.count(),
        };
        if count == 0 {
            return Ok(mapper);
        }
        if from.count() == to.count() {
            let from = without_single(from, &mut mapper.virtual_fixed);
            let to = without_single(to, &mut mapper.source_fixed);
            mapper.groups = groups(&from, &to)?;
        } else {
            mapper.groups.push(by_counting(&placed(from), &placed(to))?);
        }
        Ok(mapper)
    }

    /// `None` when nothing of the part has a source.
    fn project(&self, part: &Part) -> Option<Parts> {
        if self.count == 0 {
            return None;
        }
        let mut places = Fixed::new();
        for axis in part.axes.iter().filter(|axis| axis.source_axis.is_none()) {
            places.extend(axis.place_axis.zip(axis.segments.first().map(|segment| segment.place)));
        }
        for (axis, coordinate) in &self.virtual_fixed {
            let axis = part.along_source(*axis)?;
            let high = coordinate.checked_add(1)?;
            let segment = axis.segments.iter().find_map(|segment| segment.clip(*coordinate, high))?;
            places.extend(axis.place_axis.map(|place| (place, segment.place)));
        }
        let mut pairs = Vec::with_capacity(self.rank + self.source_fixed.len());
        let mut alternatives: Vec<Vec<Vec<PartAxis>>> = Vec::new();
        for group in &self.groups {
            match group {
                Group::Pair { virtual_axis, source_axis, from, to } => {
                    let axis = part.along_source(*virtual_axis)?;
                    let segments = through(&axis.segments, from, to);
                    if segments.is_empty() {
                        return None;
                    }
                    pairs.push(PartAxis {
                        place_axis: axis.place_axis,
                        source_axis: Some(*source_axis),
                        segments,
                    });
                }
                Group::Ranks(ranks) => {
                    let found = ranks.project(part);
                    if found.is_empty() {
                        return None;
                    }
                    alternatives.push(found);
                }
            }
        }
        pairs.extend(paired(&places, &self.source_fixed));
        Some(product(pairs, &alternatives))
    }
}

/// Slices of an unlimited selection that `dims` holds.
fn slices(selection: &Selection, dims: &[u64]) -> Result<Option<u64>> {
    let Some(axis) = selection.unlimited_axis() else { return Ok(None) };
    Ok(selection.shape(dims)?.get(axis).copied())
}

/// Segments of a virtual axis as segments of the source axis.
fn through(segments: &[Segment], from: &Axis, to: &Axis) -> Segments {
    let mut all = Segments::new();
    for segment in segments {
        from.meet(&segment.sources(), |hit| {
            to.locate(&hit.reached(), |next| all.push(segment.through(&hit.then(&next))));
        });
    }
    all
}

/// Fixed axes of the two sides, side by side as far as they go.
pub(crate) fn paired<'a>(
    places: &'a [(usize, u64)],
    sources: &'a [(usize, u64)],
) -> impl Iterator<Item = PartAxis> + 'a {
    (0..places.len().max(sources.len()))
        .map(|at| PartAxis::fixed(places.get(at).copied(), sources.get(at).copied()))
}

/// Every combination of the groups' alternatives, each with the axes common to all.
fn product(common: Vec<PartAxis>, alternatives: &[Vec<Vec<PartAxis>>]) -> Parts {
    let mut all = Parts::from([Part { axes: common }]);
    for group in alternatives {
        let extended = |part: &Part| {
            let part = part.clone();
            group
                .iter()
                .map(move |axes| Part { axes: part.axes.iter().chain(axes).cloned().collect() })
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(extended).collect();
    }
    for part in &mut all {
        // The usual order; whoever asks for an axis by number finds it at the first try.
        part.axes.sort_by_key(|axis| (axis.source_axis.is_none(), axis.source_axis));
    }
    all
}

fn placed(shape: &Shape) -> AllPlaced<'_> {
    let mut axis = 0;
    let place = |factor| {
        let at = axis;
        axis += Factor::rank(factor);
        (at, factor)
    };
    shape.factors().iter().map(place).collect()
}

/// The factors of more than one element; the others go to `fixed`.
fn without_single<'a>(shape: &'a Shape, fixed: &mut Fixed) -> AllPlaced<'a> {
    let mut rest = placed(shape);
    rest.retain(|(at, factor)| match factor {
        Factor::Axis(axis) if axis.length() == 1 => {
            fixed.push((*at, axis.coordinate(0)));
            false
        }
        _ => true,
    });
    rest
}

/// Factors of the two sides in the smallest groups of equal size; the totals are equal.
fn groups(from: &[Placed<'_>], to: &[Placed<'_>]) -> Result<Groups> {
    let mut groups = Groups::new();
    let (mut here, mut there) = (from, to);
    while !here.is_empty() || !there.is_empty() {
        let (mut size, mut other_size) = (1_u64, 1_u64);
        let (mut taken, mut other_taken) = (0, 0);
        while size != other_size || taken == 0 || other_taken == 0 {
            let (sizes, taken, from) = if size <= other_size && taken < here.len() {
                (&mut size, &mut taken, here)
            } else {
                (&mut other_size, &mut other_taken, there)
            };
            let Some((_, factor)) = from.get(*taken) else { break };
            *sizes = sizes.saturating_mul(factor.count());
            *taken += 1;
        }
        let (group, rest) = here.split_at(taken);
        let (other_group, other_rest) = there.split_at(other_taken);
        groups.push(match (group, other_group) {
            ([(virtual_axis, Factor::Axis(from))], [(source_axis, Factor::Axis(to))]) => Group::Pair {
                virtual_axis: *virtual_axis,
                source_axis: *source_axis,
                from: from.clone(),
                to: to.clone(),
            },
            _ => by_counting(group, other_group)?,
        });
        (here, there) = (rest, other_rest);
    }
    Ok(groups)
}

fn by_counting(from: &[Placed<'_>], to: &[Placed<'_>]) -> Result<Group> {
    let side = |factors: &[Placed<'_>]| -> Result<Side> {
        let axes = factors.iter().flat_map(|(at, factor)| *at..*at + factor.rank()).collect();
        let factors: Vec<&Factor> = factors.iter().map(|(_, factor)| *factor).collect();
        Ok(Side { axes, pieces: pieces(&factors)? })
    };
    Ok(Group::Ranks(Ranks { from: side(from)?, to: side(to)? }))
}
