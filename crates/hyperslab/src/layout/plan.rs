//! The arithmetic of a read: parts cut at tile boundaries, and the runs of bytes a cut needs.
//!
//! A tile is a box of elements stored together: a chunk, or a slab of a contiguous dataset.

use crate::error::{Error, Result, to_usize};
use crate::space::{PartAxis, Segment};
use smallvec::{SmallVec, smallvec};
use std::ops::Range;

/// How a source is tiled: the shape of its tiles and where an element is in one.
#[derive(Clone, Debug)]
pub(crate) struct Tiling {
    shape: Vec<u64>,
    /// Bytes from one element to the next along each axis.
    strides: Vec<usize>,
    element: usize,
}

impl Tiling {
    /// Tiles of `shape` elements of `element` bytes, in row-major order.
    pub(crate) fn new(shape: &[u64], element: usize) -> Result<Self> {
        if element == 0 || shape.contains(&0) {
            return Err(Error::malformed(format!(
                "tiles of {shape:?} elements of {element} bytes are empty"
            )));
        }
        let mut bytes = element;
        let mut strides = Vec::with_capacity(shape.len());
        for dim in shape.iter().rev() {
            strides.push(bytes);
            bytes = bytes.checked_mul(to_usize(*dim)?).ok_or_else(|| {
                Error::limit(format!("tiles of {shape:?} elements of {element} bytes pass 2^64 bytes"))
            })?;
        }
        strides.reverse();
        Ok(Self { shape: shape.to_vec(), strides, element })
    }

    /// Elements of a tile along each axis.
    pub(crate) fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Bytes of an element.
    pub(crate) fn element(&self) -> usize {
        self.element
    }

    /// Length and stride along an axis of the source; a side without an axis lies in tile 0.
    fn along(&self, axis: Option<usize>) -> Result<(u64, usize)> {
        let Some(axis) = axis else { return Ok((1, 0)) };
        let (shape, stride) = (self.shape.get(axis), self.strides.get(axis));
        shape.copied().zip(stride.copied()).ok_or_else(|| {
            Error::usage(format!("axis {axis} of a part is not in a source of rank {}", self.shape.len()))
        })
    }
}

/// One axis of a part, cut where it crosses from one tile to the next.
#[derive(Debug)]
pub(crate) struct CutAxis<'p> {
    axis: &'p PartAxis,
    length: u64,
    stride: usize,
    cuts: Cuts,
}

#[derive(Debug)]
enum Cuts {
    /// One segment with steps no longer than a tile: every tile from `first` on has a piece.
    Steady { segment: Segment, first: u64, count: usize },
    /// One segment with steps longer than a tile: every element is alone in its tile.
    Sparse { segment: Segment, count: usize },
    /// Pieces of several segments, sorted by tile; each cut is a range of them.
    Listed { pieces: Vec<(u64, Segment)>, ranges: Vec<(usize, usize)> },
}

impl<'p> CutAxis<'p> {
    pub(crate) fn new(axis: &'p PartAxis, tiling: &Tiling) -> Result<Self> {
        let (length, stride) = tiling.along(axis.source_axis)?;
        let cuts = match axis.segments.as_slice() {
            [one] if one.count > 0 => Cuts::of_one(*one, length)?,
            several => Cuts::of_several(several, length)?,
        };
        Ok(Self { axis, length, stride, cuts })
    }

    /// How many tiles are met.
    pub(crate) fn count(&self) -> usize {
        match &self.cuts {
            Cuts::Steady { count, .. } | Cuts::Sparse { count, .. } => *count,
            Cuts::Listed { ranges, .. } => ranges.len(),
        }
    }

    pub(crate) fn source_axis(&self) -> Option<usize> {
        self.axis.source_axis
    }

    pub(crate) fn place_axis(&self) -> Option<usize> {
        self.axis.place_axis
    }

    /// Whether neighbouring cuts are in neighbouring tiles, all but the first and the last of them whole.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(&self.cuts, Cuts::Steady { .. })
    }

    /// The tile of a cut.
    pub(crate) fn tile(&self, cut: usize) -> u64 {
        match &self.cuts {
            Cuts::Steady { first, .. } => first.saturating_add(cut as u64),
            Cuts::Sparse { segment, .. } => element_at(segment, cut as u64) / self.length,
            Cuts::Listed { pieces, ranges } => {
                let first = ranges.get(cut).and_then(|(start, _)| pieces.get(*start));
                first.map_or(u64::MAX, |(tile, _)| *tile)
            }
        }
    }

    /// The cut of a tile, if the axis meets it.
    pub(crate) fn find(&self, tile: u64) -> Option<usize> {
        match &self.cuts {
            Cuts::Steady { first, count, .. } => {
                usize::try_from(tile.checked_sub(*first)?).ok().filter(|cut| cut < count)
            }
            Cuts::Sparse { segment, count } => {
                let low = tile.checked_mul(self.length)?;
                let cut = low.saturating_sub(segment.source).div_ceil(segment.source_step);
                let cut = usize::try_from(cut).ok().filter(|cut| cut < count)?;
                (self.tile(cut) == tile).then_some(cut)
            }
            Cuts::Listed { pieces, ranges } => ranges
                .binary_search_by(|(start, _)| {
                    pieces.get(*start).map_or(std::cmp::Ordering::Greater, |(at, _)| at.cmp(&tile))
                })
                .ok(),
        }
    }

    /// The lanes of a cut: byte offsets in the output, and in the tile.
    pub(crate) fn lanes(&self, cut: usize, place_stride: usize) -> Result<Lanes> {
        let tile = self.tile(cut);
        let low = tile.saturating_mul(self.length);
        let lane = |segment: &Segment| {
            Lane::new(segment, low, place_stride, self.stride)
                .ok_or_else(|| Error::limit("an offset in a read passes 2^64 bytes"))
        };
        match &self.cuts {
            Cuts::Steady { segment, .. } => {
                let high = low.saturating_add(self.length);
                let first = low.saturating_sub(segment.source).div_ceil(segment.source_step);
                let past = high.saturating_sub(segment.source).div_ceil(segment.source_step);
                Ok(smallvec![lane(&slice(segment, first, past.min(segment.count).saturating_sub(first)))?])
            }
            Cuts::Sparse { segment, .. } => Ok(smallvec![lane(&slice(segment, cut as u64, 1))?]),
            Cuts::Listed { pieces, ranges } => {
                let (start, end) = ranges.get(cut).copied().unwrap_or_default();
                pieces.get(start..end).unwrap_or_default().iter().map(|(_, piece)| lane(piece)).collect()
            }
        }
    }
}

impl Cuts {
    fn of_one(mut segment: Segment, length: u64) -> Result<Self> {
        let last = last_source(&segment)?;
        // A step of zero is only meaningful on a single element, where any step will do.
        segment.source_step = segment.source_step.max(1);
        if segment.source_step <= length {
            let first = segment.source / length;
            let count = to_usize(last / length - first)?.saturating_add(1);
            return Ok(Self::Steady { segment, first, count });
        }
        Ok(Self::Sparse { segment, count: to_usize(segment.count)? })
    }

    fn of_several(segments: &[Segment], length: u64) -> Result<Self> {
        let mut pieces = Vec::with_capacity(segments.len());
        for segment in segments.iter().filter(|segment| segment.count > 0) {
            last_source(segment)?;
            let step = segment.source_step.max(1);
            let mut first = 0;
            while first < segment.count {
                let tile = element_at(segment, first) / length;
                let high = tile.saturating_add(1).saturating_mul(length);
                let past = (high - segment.source).div_ceil(step).min(segment.count);
                pieces.push((tile, slice(segment, first, past - first)));
                first = past;
            }
        }
        pieces.sort_by_key(|(tile, piece)| (*tile, piece.source));
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut last = None;
        for (index, (tile, _)) in pieces.iter().enumerate() {
            match ranges.last_mut() {
                Some(range) if last == Some(*tile) => range.1 = index + 1,
                _ => ranges.push((index, index + 1)),
            }
            last = Some(*tile);
        }
        Ok(Self::Listed { pieces, ranges })
    }
}

/// The source coordinate of the last element, which must be a number and, beyond one element, move.
fn last_source(segment: &Segment) -> Result<u64> {
    let moves = segment.count.saturating_sub(1);
    if moves > 0 && segment.source_step == 0 {
        return Err(Error::usage("a segment of several elements has a step of 0 in its source"));
    }
    let last = moves.checked_mul(segment.source_step).and_then(|far| far.checked_add(segment.source));
    last.ok_or_else(|| Error::limit("a source coordinate passes 2^64"))
}

fn element_at(segment: &Segment, k: u64) -> u64 {
    segment.source.saturating_add(k.saturating_mul(segment.source_step))
}

/// `count` elements of a segment from element `first` on.
fn slice(segment: &Segment, first: u64, count: u64) -> Segment {
    Segment {
        place: segment.place.saturating_add(first.saturating_mul(segment.place_step)),
        source: element_at(segment, first),
        count,
        ..*segment
    }
}

/// Evenly spaced elements, in bytes of the output and bytes of the tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) place: usize,
    pub(crate) place_step: usize,
    pub(crate) source: usize,
    pub(crate) source_step: usize,
    pub(crate) count: usize,
}

impl Lane {
    const ONE: Self = Self { place: 0, place_step: 0, source: 0, source_step: 0, count: 1 };

    fn new(segment: &Segment, low: u64, place_stride: usize, source_stride: usize) -> Option<Self> {
        let bytes = |steps: u64, stride: usize| usize::try_from(steps).ok()?.checked_mul(stride);
        let single = segment.count == 1;
        Some(Self {
            place: bytes(segment.place, place_stride)?,
            place_step: if single { 0 } else { bytes(segment.place_step, place_stride)? },
            source: bytes(segment.source.checked_sub(low)?, source_stride)?,
            source_step: if single { 0 } else { bytes(segment.source_step, source_stride)? },
            count: usize::try_from(segment.count).ok()?,
        })
    }

    /// Where a segment is in the output, for writing what is not from a source.
    pub(crate) fn of_places(segment: &Segment, stride: usize) -> Result<Self> {
        Self::new(&Segment { source: 0, source_step: 0, ..*segment }, 0, stride, 0)
            .ok_or_else(|| Error::limit("an offset in a read passes 2^64 bytes"))
    }

    /// The lane seen from an element of an outer lane.
    fn shifted(&self, place: usize, source: usize) -> Self {
        Self { place: self.place + place, source: self.source + source, ..*self }
    }

    /// From the first element's byte to the last element's.
    fn reach(&self) -> usize {
        self.source_step.saturating_mul(self.count.saturating_sub(1))
    }
}

/// Lanes along one axis, most often a single one.
pub(crate) type Lanes = SmallVec<[Lane; 1]>;
/// The lanes of each axis, most often few; they are not worth an allocation for every tile.
pub(crate) type Axes = SmallVec<[Lanes; 4]>;

/// What a tile and a part have in common: a product of axes of lanes, outermost in the source first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nest {
    axes: Axes,
}

/// How a nest is divided into windows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Division {
    /// One window for everything.
    Whole,
    /// One window for each innermost lane.
    Rows,
    /// Windows of few bytes between neighbours and few bytes in all.
    Spans { gap: usize, limit: usize },
}

impl Nest {
    /// From axes in the order of the source; what is one run on both sides becomes one lane.
    pub(crate) fn new(axes: Axes) -> Self {
        let mut merged = Axes::new();
        for outer in axes.into_iter().rev() {
            let joined = match merged.last().map(SmallVec::as_slice) {
                Some([inner]) => join(&outer, inner),
                _ => None,
            };
            match (joined, merged.last_mut()) {
                (Some(lanes), Some(last)) => *last = lanes,
                _ => merged.push(outer),
            }
        }
        merged.reverse();
        Self { axes: merged }
    }

    /// Elements in all.
    pub(crate) fn count(&self) -> usize {
        count(&self.axes)
    }

    /// Bytes of the shortest innermost run that is dense on both sides; 0 when one is not dense.
    pub(crate) fn shortest_run(&self, element: usize) -> usize {
        let Some(lanes) = self.axes.last() else { return element };
        let run = |lane: &Lane| {
            let dense = lane.count == 1 || (lane.place_step == element && lane.source_step == element);
            if dense { lane.count * element } else { 0 }
        };
        lanes.iter().map(run).min().unwrap_or(0)
    }

    /// The bytes of the tile between the first element and the last.
    pub(crate) fn span(&self, element: usize) -> Range<usize> {
        let Extent { low, length } = Extent::of(&self.axes, element);
        low..low.saturating_add(length)
    }

    /// Everything as one window.
    pub(crate) fn whole(&self) -> Window<'_> {
        Window { head: Lane::ONE, tail: &self.axes, start: 0, length: 0 }
    }

    /// Calls `each` with the windows of a division; together they are all of the nest.
    pub(crate) fn windows(
        &self,
        division: Division,
        element: usize,
        each: &mut dyn FnMut(&Window<'_>) -> Result<()>,
    ) -> Result<()> {
        let split = match division {
            Division::Whole => None,
            Division::Rows => self.axes.len().checked_sub(1),
            Division::Spans { gap, limit } => self.split(element, gap, limit),
        };
        let Some((outer, inner)) = split.and_then(|split| self.axes.split_at_checked(split)) else {
            let Extent { low: start, length } = Extent::of(&self.axes, element);
            return each(&Window { head: Lane::ONE, tail: &self.axes, start, length });
        };
        let Some((lanes, tail)) = inner.split_first() else { return Ok(()) };
        let extent = Extent::of(tail, element);
        walk(outer, 0, 0, &mut |place, source, lane| {
            each_lane(place, source, lane, &mut |place, source| {
                let mut lanes = lanes.iter().map(|lane| lane.shifted(place, source));
                lanes.try_for_each(|lane| cut(&lane, tail, &extent, division, each))
            })
        })
    }

    /// The axis along which windows are cut: all axes inside it fit one window.
    fn split(&self, element: usize, gap: usize, limit: usize) -> Option<usize> {
        let mut inside = element;
        for axis in (0..self.axes.len()).rev() {
            let tail = self.axes.get(axis..).unwrap_or_default();
            let elements = self.axes.get(axis).map_or(0, |lanes| lanes.iter().map(|lane| lane.count).sum());
            let length = Extent::of(tail, element).length;
            let loose = inside.saturating_add(gap).saturating_mul(elements);
            if length > limit || length > loose {
                return Some(axis);
            }
            inside = length;
        }
        None
    }
}

fn count(axes: &[Lanes]) -> usize {
    axes.iter()
        .map(|lanes| lanes.iter().fold(0, |sum: usize, lane| sum.saturating_add(lane.count)))
        .fold(1, usize::saturating_mul)
}

/// The lanes of two axes as one axis, when every inner lane continues the one before it.
fn join(outer: &[Lane], inner: &Lane) -> Option<Lanes> {
    let joined = outer.iter().map(|lane| {
        let shifted = lane.shifted(inner.place, inner.source);
        if inner.count == 1 {
            return Some(shifted);
        }
        let steps = Lane { count: lane.count * inner.count, ..inner.shifted(lane.place, lane.source) };
        let follows = lane.count == 1
            || (inner.place_step.checked_mul(inner.count)? == lane.place_step
                && inner.source_step.checked_mul(inner.count)? == lane.source_step);
        follows.then_some(steps)
    });
    joined.collect()
}

/// The bytes of a tile between the first and the last element of some axes.
struct Extent {
    low: usize,
    length: usize,
}

impl Extent {
    fn of(axes: &[Lanes], element: usize) -> Self {
        let (mut low, mut high) = (0usize, element);
        for lanes in axes {
            let ends = lanes.iter().map(|lane| lane.source.saturating_add(lane.reach()));
            low = low.saturating_add(lanes.iter().map(|lane| lane.source).min().unwrap_or(0));
            high = high.saturating_add(ends.max().unwrap_or(0));
        }
        Self { low, length: high.saturating_sub(low) }
    }
}

/// Cuts one lane of the splitting axis into windows.
fn cut(
    lane: &Lane,
    tail: &[Lanes],
    inside: &Extent,
    division: Division,
    each: &mut dyn FnMut(&Window<'_>) -> Result<()>,
) -> Result<()> {
    let most = match division {
        Division::Whole | Division::Rows => lane.count,
        Division::Spans { gap, .. } if lane.source_step > inside.length.saturating_add(gap) => 1,
        Division::Spans { limit, .. } => {
            let more = limit.saturating_sub(inside.length).checked_div(lane.source_step);
            more.map_or(lane.count, |more| more.saturating_add(1))
        }
    };
    let mut first = 0;
    while first < lane.count {
        let count = most.min(lane.count - first);
        let head = Lane {
            place: lane.place + first * lane.place_step,
            source: lane.source + first * lane.source_step,
            count,
            ..*lane
        };
        let (start, length) = (head.source + inside.low, head.reach() + inside.length);
        each(&Window { head, tail, start, length })?;
        first += count;
    }
    Ok(())
}

/// Some elements of a nest, and the bytes of the tile they are in.
#[derive(Debug)]
pub(crate) struct Window<'n> {
    head: Lane,
    tail: &'n [Lanes],
    /// First byte of the tile that is needed.
    pub(crate) start: usize,
    /// Bytes from there to the end of the last element.
    pub(crate) length: usize,
}

impl Window<'_> {
    /// Elements in the window.
    pub(crate) fn count(&self) -> usize {
        self.head.count.saturating_mul(count(self.tail))
    }

    /// Where the window is in the output, when it is one run of elements there.
    pub(crate) fn place_run(&self, size: usize) -> Option<(usize, usize)> {
        let lane = self.only_lane()?;
        let dense = lane.count == 1 || lane.place_step == size;
        Some((lane.place, lane.count.checked_mul(size)?)).filter(|_| dense)
    }

    /// Whether the window's bytes in the tile are its elements and nothing else.
    pub(crate) fn is_source_run(&self, element: usize) -> bool {
        self.only_lane().is_some_and(|lane| lane.count == 1 || lane.source_step == element)
    }

    fn only_lane(&self) -> Option<Lane> {
        match (self.head.count, self.tail) {
            (_, []) => Some(self.head),
            (1, [lanes]) => match lanes.as_slice() {
                [lane] => Some(lane.shifted(self.head.place, self.head.source)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Calls `each` with every innermost lane, its source counted from the window's start.
    pub(crate) fn rows(&self, each: &mut dyn FnMut(&Lane) -> Result<()>) -> Result<()> {
        if self.tail.is_empty() {
            return each(&Lane { source: self.head.source.saturating_sub(self.start), ..self.head });
        }
        each_lane(0, 0, &self.head, &mut |place, source| {
            walk(self.tail, place, source, &mut |place, source, lane| {
                let lane = lane.shifted(place, source);
                each(&Lane { source: lane.source.saturating_sub(self.start), ..lane })
            })
        })
    }
}

/// Calls `each` with the offsets of every element of a lane.
fn each_lane(
    place: usize,
    source: usize,
    lane: &Lane,
    each: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    let mut at = (place + lane.place, source + lane.source);
    for k in 0..lane.count {
        each(at.0, at.1)?;
        if k + 1 < lane.count {
            at = (at.0 + lane.place_step, at.1 + lane.source_step);
        }
    }
    Ok(())
}

/// Calls `each` with the innermost lanes and the offsets of the elements around them.
fn walk(
    axes: &[Lanes],
    place: usize,
    source: usize,
    each: &mut dyn FnMut(usize, usize, &Lane) -> Result<()>,
) -> Result<()> {
    match axes {
        [] => each(place, source, &Lane::ONE),
        [lanes] => lanes.iter().try_for_each(|lane| each(place, source, lane)),
        [lanes, inner @ ..] => lanes.iter().try_for_each(|lane| {
            each_lane(place, source, lane, &mut |place, source| walk(inner, place, source, each))
        }),
    }
}
