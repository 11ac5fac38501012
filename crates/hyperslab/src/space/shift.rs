//! [`Shift`]: a mapping of a box to a box of the same shape, which only moves coordinates.

use crate::space::axis::Axis;
use crate::space::hyperslab::Hyperslab;
use crate::space::part::{Part, PartAxis, Segment, Segments};
use crate::space::selection::Selection;
use smallvec::SmallVec;

/// What happens to the coordinates of each axis.
#[derive(Clone, Debug)]
pub(crate) struct Shift(SmallVec<[Moved; 4]>);

/// The coordinates `from..end` of one axis are those from `to` on.
#[derive(Clone, Copy, Debug)]
struct Moved {
    from: u64,
    end: u64,
    to: u64,
}

impl Shift {
    /// The mapping of `source` to `virtual_selection`, if both are boxes of the same shape.
    pub(crate) fn between(
        virtual_selection: &Selection,
        vdims: &[u64],
        source: &Selection,
        sdims: &[u64],
    ) -> Option<Self> {
        let (rank, source_rank) = (rank(virtual_selection, vdims), rank(source, sdims));
        let axes = (0..rank.filter(|_| rank == source_rank)?).map(|axis| {
            let (from, length) = range(virtual_selection, vdims, axis)?;
            let (to, other_length) = range(source, sdims, axis)?;
            (length == other_length && length > 0).then_some(())?;
            Some(Moved { from, end: from.checked_add(length)?, to })
        });
        axes.collect::<Option<_>>().map(Self)
    }

    /// How many elements correspond.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|moved| moved.end - moved.from).product()
    }

    /// `part`, whose source side is the virtual dataset, as a part of the source.
    pub(crate) fn project(&self, part: &Part) -> Option<Part> {
        let mut axes = Vec::with_capacity(part.axes.len());
        for axis in &part.axes {
            let Some(number) = axis.source_axis else {
                axes.push(axis.clone());
                continue;
            };
            let moved = self.0.get(number)?;
            let clipped = axis.segments.iter().filter_map(|segment| segment.clip(moved.from, moved.end));
            let shifted = clipped.map(|one| Segment { source: one.source - moved.from + moved.to, ..one });
            let segments: Segments = shifted.collect();
            if segments.is_empty() {
                return None;
            }
            axes.push(PartAxis { segments, ..*axis });
        }
        Some(Part { axes })
    }
}

/// The axes of a selection that may be a box.
fn rank(selection: &Selection, dims: &[u64]) -> Option<usize> {
    match selection {
        Selection::All => Some(dims.len()),
        Selection::Hyperslab(Hyperslab::Regular(axes)) => Some(axes.len()),
        _ => None,
    }
}

/// The first coordinate on an axis and how many follow one another from there, if that is all of them.
fn range(selection: &Selection, dims: &[u64], axis: usize) -> Option<(u64, u64)> {
    let Selection::Hyperslab(Hyperslab::Regular(slabs)) = selection else {
        return Some((0, *dims.get(axis)?));
    };
    let slab = slabs.get(axis).filter(|slab| !slab.is_unlimited())?;
    match slab.axis(slab.slices(0).ok()?).ok()? {
        Axis::Steps { start, stride: 1, block: 1, length } => Some((start, length)),
        _ => None,
    }
}
