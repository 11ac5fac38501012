//! [`Part`]: which elements of a source go to which places of an output array, as a product of axes.

use crate::space::progression::{Hit, Progression};
use smallvec::{SmallVec, smallvec};

/// Evenly spaced elements of one axis: element `k` is at `place + k * place_step` in the output array
/// and at `source + k * source_step` in the source. A single element has steps of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) place: u64,
    pub(crate) place_step: u64,
    pub(crate) source: u64,
    pub(crate) source_step: u64,
    pub(crate) count: u64,
}

/// Segments of one axis, most often a single one.
pub(crate) type Segments = SmallVec<[Segment; 1]>;

/// One axis of a correspondence. A side without an axis is fixed: one segment of count 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartAxis {
    /// The axis of the output array, if there is one.
    pub(crate) place_axis: Option<usize>,
    /// The axis of the source, if there is one.
    pub(crate) source_axis: Option<usize>,
    /// In no particular order; no two share a place or a source coordinate.
    pub(crate) segments: Segments,
}

/// What a part becomes in another source, most often a single part.
pub(crate) type Parts = SmallVec<[Part; 1]>;

/// A correspondence between an output array and a source: the product of its axes.
///
/// Each axis of the output array and of the source occurs exactly once; elements correspond one to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) axes: Vec<PartAxis>,
}

impl Segment {
    /// A single element.
    pub(crate) fn single(place: u64, source: u64) -> Self {
        Self { place, place_step: 1, source, source_step: 1, count: 1 }
    }

    pub(crate) fn places(&self) -> Progression {
        Progression { start: self.place, step: self.place_step, count: self.count }
    }

    pub(crate) fn sources(&self) -> Progression {
        Progression { start: self.source, step: self.source_step, count: self.count }
    }

    /// The elements of this segment that `hit` names first, with what it reached as their source.
    pub(crate) fn through(&self, hit: &Hit) -> Self {
        Self {
            place: self.place + hit.first * self.place_step,
            place_step: if hit.count > 1 { self.place_step * hit.first_step } else { 1 },
            source: hit.second,
            source_step: hit.second_step,
            count: hit.count,
        }
    }

    /// The elements whose source coordinate is in `low..high`.
    pub(crate) fn clip(&self, low: u64, high: u64) -> Option<Self> {
        let (first, count) = self.sources().within(low, high)?;
        let step = |step| if count > 1 { step } else { 1 };
        Some(Self {
            place: self.place + first * self.place_step,
            place_step: step(self.place_step),
            source: self.source + first * self.source_step,
            source_step: step(self.source_step),
            count,
        })
    }
}

impl PartAxis {
    /// A fixed pair of an axis of the output array and an axis of the source, or one of them alone.
    pub(crate) fn fixed(place: Option<(usize, u64)>, source: Option<(usize, u64)>) -> Self {
        let at = |side: Option<(usize, u64)>| side.map_or(0, |(_, at)| at);
        Self {
            place_axis: place.map(|(axis, _)| axis),
            source_axis: source.map(|(axis, _)| axis),
            segments: smallvec![Segment::single(at(place), at(source))],
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.segments.iter().map(|segment| segment.count).sum()
    }

    /// The smallest and largest place on this axis.
    pub(crate) fn place_bounds(&self) -> Option<(u64, u64)> {
        bounds(self.segments.iter().map(Segment::places))
    }

    /// The smallest and largest source coordinate on this axis.
    pub(crate) fn source_bounds(&self) -> Option<(u64, u64)> {
        bounds(self.segments.iter().map(Segment::sources))
    }
}

fn bounds(numbers: impl Iterator<Item = Progression>) -> Option<(u64, u64)> {
    numbers
        .filter(|progression| progression.count > 0)
        .map(|progression| (progression.start, progression.last()))
        .reduce(|(low, high), (start, last)| (low.min(start), high.max(last)))
}

impl Part {
    /// How many elements.
    pub(crate) fn count(&self) -> u64 {
        self.axes.iter().map(PartAxis::count).product()
    }

    pub(crate) fn place_rank(&self) -> usize {
        self.axes.iter().filter(|axis| axis.place_axis.is_some()).count()
    }

    #[cfg(test)]
    pub(crate) fn source_rank(&self) -> usize {
        self.axes.iter().filter(|axis| axis.source_axis.is_some()).count()
    }

    /// The part's axis that runs along `axis` of the source.
    pub(crate) fn along_source(&self, axis: usize) -> Option<&PartAxis> {
        // Usually the axes are in order, so the first guess is right.
        let fits = |candidate: &&PartAxis| candidate.source_axis == Some(axis);
        self.axes.get(axis).filter(fits).or_else(|| self.axes.iter().find(fits))
    }

    /// The part's axis that runs along `axis` of the output array.
    pub(crate) fn along_place(&self, axis: usize) -> Option<&PartAxis> {
        let fits = |candidate: &&PartAxis| candidate.place_axis == Some(axis);
        self.axes.get(axis).filter(fits).or_else(|| self.axes.iter().find(fits))
    }

    /// What is left when the source extends only to `dims`; `None` when nothing is.
    pub(crate) fn clip_source(&self, dims: &[u64]) -> Option<Self> {
        let axes = self.axes.iter().map(|axis| {
            let Some(source_axis) = axis.source_axis else { return Some(axis.clone()) };
            let dim = dims.get(source_axis).copied()?;
            let segments: Segments =
                axis.segments.iter().filter_map(|segment| segment.clip(0, dim)).collect();
            (!segments.is_empty()).then_some(PartAxis { segments, ..*axis })
        });
        axes.collect::<Option<Vec<_>>>().map(|axes| Self { axes })
    }

    /// Whether all of the part lies in a source that extends to `dims`.
    pub(crate) fn fits_source(&self, dims: &[u64]) -> bool {
        self.axes.iter().all(|axis| {
            let Some(source_axis) = axis.source_axis else { return true };
            let Some((_, last)) = axis.source_bounds() else { return true };
            dims.get(source_axis).is_some_and(|dim| last < *dim)
        })
    }

    /// Every (place coordinates, source coordinates) pair.
    #[cfg(test)]
    pub(crate) fn elements(&self) -> Vec<(Vec<u64>, Vec<u64>)> {
        let mut all = vec![(vec![0; self.place_rank()], vec![0; self.source_rank()])];
        for axis in &self.axes {
            let mut next = Vec::new();
            for (place, source) in &all {
                for segment in &axis.segments {
                    for k in 0..segment.count {
                        let (mut place, mut source) = (place.clone(), source.clone());
                        if let Some(axis) = axis.place_axis {
                            place[axis] = segment.place + k * segment.place_step;
                        }
                        if let Some(axis) = axis.source_axis {
                            source[axis] = segment.source + k * segment.source_step;
                        }
                        next.push((place, source));
                    }
                }
            }
            all = next;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, PartAxis, Segment};

    #[test]
    fn clipping_a_part_keeps_the_elements_inside_the_source() {
        let strided = Segment { place: 10, place_step: 2, source: 1, source_step: 3, count: 5 };
        let part = Part {
            axes: vec![
                PartAxis { place_axis: Some(0), source_axis: Some(1), segments: [strided].into() },
                PartAxis::fixed(None, Some((0, 4))),
            ],
        };
        let clipped = part.clip_source(&[5, 8]).unwrap();
        assert_eq!(
            clipped.elements(),
            vec![(vec![10], vec![4, 1]), (vec![12], vec![4, 4]), (vec![14], vec![4, 7])]
        );
        assert!(part.fits_source(&[5, 14]) && !part.fits_source(&[5, 13]));
        assert_eq!(part.clip_source(&[4, 14]), None);
    }
}
