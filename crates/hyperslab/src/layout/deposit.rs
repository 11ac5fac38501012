//! Moves elements from memory into tiles: gather, convert, scatter.

use crate::error::{Error, Result};
use crate::layout::contiguous;
use crate::layout::execute::{GAP, Memory, Moving, STAGED, Stored, room};
use crate::layout::plan::{Division, Lane, Nest, Window};
use crate::layout::write::Order;

/// A run of at least this many bytes is written straight from memory, one write for each run.
const DIRECT: usize = 16 << 10;
/// Bytes of a tile that are converted at once; small enough to stay in a cache.
const CONVERTED: usize = 256 << 10;

/// Bytes that elements are stored in and that may change, from offset 0 on.
pub(crate) trait StoredMut: Stored {
    /// Writes all of `bytes` from `offset` on.
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()>;
}

/// How elements go from memory to tiles.
#[derive(Clone, Copy)]
pub(crate) struct Deposit<'a> {
    /// The conversion is from memory to the file here.
    memory: &'a Memory<'a>,
    input: &'a [u8],
    /// Bytes of an element in the file.
    element: usize,
    copy: bool,
    /// Whether elements keep some of what they were: a compound of which only some members are written.
    keeps: bool,
}

impl<'a> Deposit<'a> {
    pub(crate) fn new(memory: &'a Memory<'a>, element: usize, input: &'a [u8]) -> Result<Self> {
        let conversion = memory.conversion;
        let (from, to) = (conversion.source_size(), conversion.target_size());
        if from != memory.size || to != element {
            return Err(Error::usage(format!(
                "elements of {} bytes become such of {element}, conversion is from {from} to {to}",
                memory.size
            )));
        }
        Ok(Self { memory, input, element, copy: conversion.is_copy(), keeps: conversion.is_partial() })
    }

    /// Whether elements keep some of what they were, so must be known before they are written.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether threads may convert side by side: a heap takes one element after the other.
    pub(crate) fn is_parallel(&self) -> bool {
        !self.memory.conversion.fills_heap()
    }

    /// All elements where they are in memory, when that is how they are stored and what an order writes.
    pub(crate) fn everything(&self, order: &Order<'_>, dims: &[u64]) -> Option<&'a [u8]> {
        let total = contiguous::total(dims, self.element).ok()?;
        (self.copy && self.input.len() as u64 == total && order.is_everything(dims)).then_some(self.input)
    }

    /// The elements of a cell where they are in memory, when those are the bytes of a tile of `length`.
    pub(crate) fn run(&self, nest: &Nest, length: usize) -> Option<&'a [u8]> {
        if !self.copy || nest.shortest_run(self.element) != length {
            return None;
        }
        let (start, length) = nest.whole().place_run(self.element)?;
        self.input.get(start..start.checked_add(length)?)
    }

    /// Puts a cell into its tile's bytes.
    pub(crate) fn put(&self, nest: &Nest, tile: &mut [u8], moving: &mut Moving) -> Result<()> {
        let spans = Division::Spans { gap: usize::MAX, limit: CONVERTED };
        let division = if self.copy { Division::Whole } else { spans };
        let most = tile.len();
        nest.windows(division, self.element, &mut |window| {
            let Window { start, length, .. } = *window;
            let span = start.checked_add(length).and_then(|end| tile.get_mut(start..end));
            let span = span.ok_or_else(|| {
                Error::malformed(format!("needs {length} bytes at {start} of a tile of {most}"))
            })?;
            self.place(window, span, moving)
        })
    }

    /// Puts a cell into storage, where its tile begins at `offset`, reading what is between if need be.
    pub(crate) fn write(
        &self,
        nest: &Nest,
        stored: &dyn StoredMut,
        offset: u64,
        moving: &mut Moving,
    ) -> Result<()> {
        let direct = self.copy && nest.shortest_run(self.element) >= DIRECT;
        let division = if direct { Division::Rows } else { Division::Spans { gap: GAP, limit: STAGED } };
        nest.windows(division, self.element, &mut |window| {
            let Window { start, length, .. } = *window;
            let offset = offset.checked_add(start as u64);
            let offset = offset.ok_or_else(|| Error::malformed("an element's address passes 2^64"))?;
            let dense = window.is_source_run(self.element);
            if self.copy
                && dense
                && let Some((start, length)) = window.place_run(self.element)
            {
                return stored.write(offset, self.memory_at(start, length)?);
            }
            let mut staged = std::mem::take(&mut moving.staged);
            let span = room(&mut staged, length)?;
            if !dense || self.keeps {
                stored.read(offset, span)?;
            }
            self.place(window, span, moving)?;
            stored.write(offset, span)?;
            moving.staged = staged;
            Ok(())
        })
    }

    fn memory_at(&self, start: usize, length: usize) -> Result<&'a [u8]> {
        start.checked_add(length).and_then(|end| self.input.get(start..end)).ok_or_else(|| {
            Error::usage(format!("{length} bytes at {start} of {} in memory", self.input.len()))
        })
    }

    /// Puts a window into the bytes of the tile that it spans.
    fn place(&self, window: &Window<'_>, span: &mut [u8], moving: &mut Moving) -> Result<()> {
        let (element, size) = (self.element, self.memory.size);
        if self.copy {
            return window.rows(&mut |lane| copy_lane(lane, element, self.input, span));
        }
        let count = window.count();
        let Moving { gathered, converted, .. } = moving;
        let elements = if let Some((start, length)) = window.place_run(size) {
            self.memory_at(start, length)?
        } else {
            let dense = room(gathered, count.saturating_mul(size))?;
            let mut done = 0;
            window.rows(&mut |lane| {
                let dense_lane = Lane { source: done, source_step: size, ..*lane };
                done += lane.count * size;
                copy_lane(&dense_lane, size, self.input, dense)
            })?;
            dense
        };
        let Memory { conversion, heap, .. } = *self.memory;
        if window.is_source_run(element) {
            return conversion.lay_over(elements, span, count, heap);
        }
        let converted = room(converted, count.saturating_mul(element))?;
        if self.keeps {
            dense_rows(window, element, &mut |source, dense| {
                copy_lane(&swapped(source, dense), element, span, converted)
            })?;
        }
        conversion.lay_over(elements, converted, count, heap)?;
        dense_rows(window, element, &mut |source, dense| {
            copy_lane(&swapped(dense, source), element, converted, span)
        })
    }
}

/// Start and step of elements.
#[derive(Clone, Copy)]
struct Spaced(usize, usize, usize);

/// Calls `each` with where every row is in the tile, and where it is in an array of nothing else.
fn dense_rows(
    window: &Window<'_>,
    element: usize,
    each: &mut dyn FnMut(Spaced, Spaced) -> Result<()>,
) -> Result<()> {
    let mut done = 0;
    window.rows(&mut |lane| {
        let at = done;
        done += lane.count * element;
        each(Spaced(lane.source, lane.source_step, lane.count), Spaced(at, element, lane.count))
    })
}

/// The lane that takes elements from the first and puts them in the second.
fn swapped(from: Spaced, to: Spaced) -> Lane {
    Lane { place: from.0, place_step: from.1, source: to.0, source_step: to.1, count: from.2 }
}

/// Copies elements of `size` bytes from their places in `from` to their sources in `to`.
fn copy_lane(lane: &Lane, size: usize, from: &[u8], to: &mut [u8]) -> Result<()> {
    let (has_from, has_to) = (from.len(), to.len());
    let outside = || Error::usage(format!("{lane:?} from {has_from} to {has_to} bytes"));
    let Some(moves) = lane.count.checked_sub(1) else { return Ok(()) };
    let length = |step: usize| moves.checked_mul(step)?.checked_add(size);
    let from = length(lane.place_step).and_then(|length| from.get(lane.place..)?.get(..length));
    let to = length(lane.source_step).and_then(|length| to.get_mut(lane.source..)?.get_mut(..length));
    let (Some(from), Some(to)) = (from, to) else { return Err(outside()) };
    let steps = (lane.place_step.max(1), lane.source_step.max(1));
    if moves == 0 || (lane.place_step == size && lane.source_step == size) {
        to.copy_from_slice(from);
        return Ok(());
    }
    match size {
        1 => copy_strided::<1>(from, to, steps),
        2 => copy_strided::<2>(from, to, steps),
        4 => copy_strided::<4>(from, to, steps),
        8 => copy_strided::<8>(from, to, steps),
        16 => copy_strided::<16>(from, to, steps),
        _ => {
            for (to, from) in to.chunks_mut(steps.1).zip(from.chunks(steps.0)) {
                if let (Some(to), Some(from)) = (to.get_mut(..size), from.get(..size)) {
                    to.copy_from_slice(from);
                }
            }
        }
    }
    Ok(())
}

fn copy_strided<const N: usize>(from: &[u8], to: &mut [u8], steps: (usize, usize)) {
    for (to, from) in to.chunks_mut(steps.1).zip(from.chunks(steps.0)) {
        if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
            *to = *from;
        }
    }
}
