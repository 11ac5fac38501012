//! [`StoredSelection`]: a selection as bytes, in every form writers use.
//!
//! Spec: VIII "Appendix D: Encoding of Dataspace Selections".

use crate::error::{Error, Result};
use crate::format::bytes::{Cursor, Sink, Wire, all_ones};
use crate::space::{AxisSlab, Blocks, Hyperslab, MAX_RANK, Points, Selection};

/// The oldest library that must be able to read what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Oldest {
    /// HDF5 1.10, the first with virtual datasets.
    #[default]
    V110,
    /// HDF5 1.12: selection forms with a number width of their own.
    V112,
    /// HDF5 2.0: names of a virtual block written once.
    #[cfg_attr(not(test), expect(dead_code, reason = "nobody asks for so new a form yet"))]
    V200,
}

/// A selection and the form its bytes have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredSelection {
    pub(crate) selection: Selection,
    form: Form,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// All and none, version 1.
    Whole,
    /// A list of boxes with 4-byte numbers: hyperslab version 1.
    BlockList,
    /// Start, stride, count and block with 8-byte numbers: hyperslab version 2, with its length field.
    Regular { length: u32 },
    /// Hyperslab version 3, numbers of `width` bytes.
    Sized { width: u8 },
    /// Points version 1, 4-byte numbers.
    PointList,
    /// Points version 2, numbers of `width` bytes.
    SizedPoints { width: u8 },
    /// Bytes that say the same in a way of their own, kept to be written back.
    Verbatim(Box<[u8]>),
}

const NONE: u32 = 0;
const POINTS: u32 = 1;
const HYPERSLAB: u32 = 2;
const ALL: u32 = 3;

impl StoredSelection {
    /// The form that suits `selection`, for readers as old as `oldest`.
    ///
    /// # Errors
    /// `Limit` when its counts or coordinates do not fit 64 bits.
    pub(crate) fn new(selection: &Selection, oldest: Oldest) -> Result<Self> {
        let form = match selection {
            Selection::All | Selection::None => Form::Whole,
            Selection::Points(points) => {
                let width = width(points.coordinates().iter().copied().chain([count(points.len())]).max());
                if oldest >= Oldest::V112 || width > 4 {
                    Form::SizedPoints { width }
                } else {
                    Form::PointList
                }
            }
            Selection::Hyperslab(Hyperslab::Blocks(blocks)) => {
                let width = width(blocks.boxes().iter().copied().chain([count(blocks.len())]).max());
                if oldest >= Oldest::V112 || width > 4 { Form::Sized { width } } else { Form::BlockList }
            }
            Selection::Hyperslab(Hyperslab::Regular(axes)) => return Self::regular(axes, oldest),
        };
        Ok(Self { selection: selection.clone(), form })
    }

    /// Writes `selection` in the form that suits it; as `new` and then `write`, but quicker for a single box.
    pub(crate) fn put(selection: &Selection, oldest: Oldest, sink: &mut Sink) -> Result<()> {
        match selection {
            Selection::Hyperslab(Hyperslab::Regular(axes))
                if oldest < Oldest::V112 && axes.iter().all(|axis| short_side(axis).is_some()) =>
            {
                head(sink, HYPERSLAB, 1);
                sink.u32(0);
                sink.u32(list_length(axes.len(), 1, 8)?);
                sink.u32(narrow(count(axes.len()))?);
                sink.u32(1);
                let sides = || axes.iter().filter_map(short_side);
                sides().for_each(|(first, _)| sink.u32(first));
                sides().for_each(|(_, last)| sink.u32(last));
                Ok(())
            }
            _ => Self::new(selection, oldest)?.write(sink),
        }
    }

    fn regular(axes: &[AxisSlab], oldest: Oldest) -> Result<Self> {
        if axes.iter().any(|axis| axis.count == Some(0) || axis.block == Some(0)) {
            return Ok(Self { selection: Selection::None, form: Form::Whole });
        }
        let axes: Vec<AxisSlab> = axes.iter().map(normal).collect();
        let selection = Selection::Hyperslab(Hyperslab::Regular(axes.clone()));
        if oldest >= Oldest::V112 {
            let places = axes.iter().flat_map(|axis| [axis.start, axis.stride]).max().unwrap_or(0);
            let sizes = axes.iter().flat_map(|axis| [axis.count, axis.block]).flatten().max().unwrap_or(0);
            let width = width(Some(places.max(sizes).saturating_add(1)));
            return Ok(Self { selection, form: Form::Sized { width } });
        }
        let blocks = axes.iter().try_fold(1_u64, |blocks, axis| blocks.checked_mul(axis.count?));
        let few = blocks.is_some_and(|blocks| blocks <= 3) && selection.unlimited_axis().is_none();
        let bounds = if few { selection.bounds(&[])? } else { None };
        if bounds.is_some_and(|(_, last)| last.iter().all(|last| u32::try_from(*last).is_ok())) {
            if blocks == Some(1) {
                return Ok(Self { selection, form: Form::BlockList });
            }
            let blocks = Hyperslab::Regular(axes).to_blocks(&[])?;
            return Ok(Self { selection: from_blocks(blocks), form: Form::BlockList });
        }
        let length = length_field(&axes)?;
        Ok(Self { selection, form: Form::Regular { length } })
    }

    fn read_hyperslab(cursor: &mut Cursor<'_>, version: u32) -> Result<Self> {
        match version {
            1 => {
                let (reserved, length) = (cursor.u32()?, cursor.u32()?);
                let rank = rank(cursor)?;
                let blocks = u64::from(cursor.u32()?);
                let (selection, plain) = read_blocks(cursor, rank, blocks, 4)?;
                let plain = plain
                    && reserved == 0
                    && list_length(rank, blocks, 8).is_ok_and(|expected| expected == length);
                Ok(Self { selection, form: Form::BlockList }.or_verbatim(plain))
            }
            2 => {
                let flags = cursor.u8()?;
                let length = cursor.u32()?;
                if flags & 1 == 0 {
                    return Err(Error::malformed(
                        "hyperslab selection version 2 is not regular, as it must be",
                    ));
                }
                let selection = read_regular(cursor, 8)?;
                Ok(Self { selection, form: Form::Regular { length } }.or_verbatim(flags == 1))
            }
            3 => {
                let flags = cursor.u8()?;
                let width = number_width(cursor)?;
                if flags & 1 == 1 {
                    let selection = read_regular(cursor, width)?;
                    return Ok(Self { selection, form: Form::Sized { width } }.or_verbatim(flags == 1));
                }
                let rank = rank(cursor)?;
                let blocks = cursor.uint(usize::from(width))?;
                let (selection, plain) = read_blocks(cursor, rank, blocks, width)?;
                let listed = matches!(selection, Selection::Hyperslab(Hyperslab::Blocks(_)));
                Ok(Self { selection, form: Form::Sized { width } }.or_verbatim(plain && listed && flags == 0))
            }
            _ => Err(Error::malformed(format!("hyperslab selection version is {version}, expected 1 to 3"))),
        }
    }

    fn read_points(cursor: &mut Cursor<'_>, version: u32) -> Result<Self> {
        let (rank, points, width, plain) = match version {
            1 => {
                let (reserved, length) = (cursor.u32()?, cursor.u32()?);
                let rank = rank(cursor)?;
                let points = u64::from(cursor.u32()?);
                (
                    rank,
                    points,
                    4,
                    reserved == 0 && list_length(rank, points, 4).is_ok_and(|expected| expected == length),
                )
            }
            2 => {
                let width = number_width(cursor)?;
                let rank = rank(cursor)?;
                (rank, cursor.uint(usize::from(width))?, width, true)
            }
            _ => {
                return Err(Error::malformed(format!(
                    "point selection version is {version}, expected 1 or 2"
                )));
            }
        };
        let coordinates = numbers(cursor, points, rank, width)?;
        let selection = Selection::Points(Points::new(rank, coordinates).map_err(|error| malformed(&error))?);
        let form = if version == 1 { Form::PointList } else { Form::SizedPoints { width } };
        Ok(Self { selection, form }.or_verbatim(plain))
    }

    /// Marks a form that does not say exactly what the bytes were; the caller fills in the bytes.
    fn or_verbatim(mut self, plain: bool) -> Self {
        if !plain {
            self.form = Form::Verbatim(Box::default());
        }
        self
    }
}

impl Wire for StoredSelection {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let start = cursor.position();
        let (kind, version) = (cursor.u32()?, cursor.u32()?);
        let mut stored = match kind {
            NONE | ALL => {
                if version != 1 {
                    return Err(Error::malformed(format!(
                        "all or none selection version is {version}, expected 1"
                    )));
                }
                let plain = cursor.u64()? == 0;
                let selection = if kind == ALL { Selection::All } else { Selection::None };
                Self { selection, form: Form::Whole }.or_verbatim(plain)
            }
            POINTS => Self::read_points(cursor, version)?,
            HYPERSLAB => Self::read_hyperslab(cursor, version)?,
            _ => return Err(Error::malformed(format!("selection type is {kind}, expected 0 to 3"))),
        };
        if let Form::Verbatim(bytes) = &mut stored.form {
            *bytes = cursor.since(start).into();
        }
        Ok(stored)
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        match (&self.form, &self.selection) {
            (Form::Verbatim(bytes), _) => sink.put(bytes),
            (_, Selection::All | Selection::None) => {
                sink.u32(if self.selection == Selection::All { ALL } else { NONE });
                sink.u32(1);
                sink.u64(0);
            }
            (form, Selection::Points(points)) => return write_points(sink, form, points),
            (Form::BlockList, Selection::Hyperslab(slab)) => {
                let blocks = slab.to_blocks(&[])?;
                head(sink, HYPERSLAB, 1);
                sink.u32(0);
                sink.u32(list_length(blocks.rank(), count(blocks.len()), 8)?);
                sink.u32(narrow(count(blocks.rank()))?);
                sink.u32(narrow(count(blocks.len()))?);
                return write_numbers(sink, blocks.boxes(), 4);
            }
            (Form::Sized { width }, Selection::Hyperslab(Hyperslab::Blocks(blocks))) => {
                head(sink, HYPERSLAB, 3);
                sink.u8(0);
                sink.u8(*width);
                sink.u32(narrow(count(blocks.rank()))?);
                sink.uint(count(blocks.len()), usize::from(*width))?;
                return write_numbers(sink, blocks.boxes(), *width);
            }
            (form, Selection::Hyperslab(Hyperslab::Regular(axes))) => return write_regular(sink, form, axes),
            (_, Selection::Hyperslab(Hyperslab::Blocks(_))) => {
                return Err(Error::usage("a union of blocks has no regular form"));
            }
        }
        Ok(())
    }
}

fn head(sink: &mut Sink, kind: u32, version: u32) {
    sink.u32(kind);
    sink.u32(version);
}

fn write_points(sink: &mut Sink, form: &Form, points: &Points) -> Result<()> {
    let (rank, points_count) = (narrow(count(points.rank()))?, count(points.len()));
    let width = if let Form::SizedPoints { width } = form {
        head(sink, POINTS, 2);
        sink.u8(*width);
        sink.u32(rank);
        sink.uint(points_count, usize::from(*width))?;
        *width
    } else {
        head(sink, POINTS, 1);
        sink.u32(0);
        sink.u32(list_length(points.rank(), points_count, 4)?);
        sink.u32(rank);
        sink.u32(narrow(points_count)?);
        4
    };
    write_numbers(sink, points.coordinates(), width)
}

fn write_regular(sink: &mut Sink, form: &Form, axes: &[AxisSlab]) -> Result<()> {
    let width = match form {
        Form::Sized { width } => {
            head(sink, HYPERSLAB, 3);
            sink.u8(1);
            sink.u8(*width);
            *width
        }
        Form::Regular { length } => {
            head(sink, HYPERSLAB, 2);
            sink.u8(1);
            sink.u32(*length);
            8
        }
        _ => return Err(Error::usage("a regular hyperslab in a form for something else")),
    };
    sink.u32(narrow(count(axes.len()))?);
    let unlimited = all_ones(width);
    for axis in axes {
        let numbers =
            [axis.start, axis.stride, axis.count.unwrap_or(unlimited), axis.block.unwrap_or(unlimited)];
        write_numbers(sink, &numbers, width)?;
    }
    Ok(())
}

fn write_numbers(sink: &mut Sink, numbers: &[u64], width: u8) -> Result<()> {
    numbers.iter().try_for_each(|number| sink.uint(*number, usize::from(width)))
}

fn read_regular(cursor: &mut Cursor<'_>, width: u8) -> Result<Selection> {
    let rank = rank(cursor)?;
    let bytes = usize::from(width);
    cursor.expect_items(count(rank), bytes.saturating_mul(4))?;
    let mut axes = Vec::with_capacity(rank);
    for _ in 0..rank {
        let (start, stride) = (cursor.uint(bytes)?, cursor.uint(bytes)?);
        let limited = |number: u64| (number != all_ones(width)).then_some(number);
        let (count, block) = (limited(cursor.uint(bytes)?), limited(cursor.uint(bytes)?));
        axes.push(AxisSlab { start, stride, count, block });
    }
    let selection = Selection::from_axes(axes).map_err(|error| malformed(&error))?;
    if selection.unlimited_axis().is_none() {
        selection.count(&[]).and_then(|_| selection.bounds(&[])).map_err(|error| malformed(&error))?;
    }
    Ok(selection)
}

/// A list of boxes, and whether writing the selection as a list gives the same list.
fn read_blocks(cursor: &mut Cursor<'_>, rank: usize, blocks: u64, width: u8) -> Result<(Selection, bool)> {
    let corners = numbers(cursor, blocks, rank.saturating_mul(2), width)?;
    if blocks == 1 {
        let (first, last) = corners.split_at_checked(rank).unwrap_or_default();
        let slabs = first.iter().zip(last).map(|(first, last)| range(*first, *last));
        let selection =
            Selection::from_axes(slabs.collect::<Result<_>>()?).map_err(|error| malformed(&error))?;
        selection.count(&[]).map_err(|error| malformed(&error))?;
        return Ok((selection, true));
    }
    let united = Blocks::new(rank, &corners).map_err(|error| malformed(&error))?;
    united.count().map_err(|error| malformed(&error))?;
    let plain = united.boxes() == corners && !united.is_empty();
    Ok((
        if width == 4 { from_blocks(united) } else { Selection::Hyperslab(Hyperslab::Blocks(united)) },
        plain,
    ))
}

fn range(first: u64, last: u64) -> Result<AxisSlab> {
    let length = last.checked_sub(first).and_then(|more| more.checked_add(1)).filter(|_| last < u64::MAX);
    length
        .map(|length| AxisSlab::range(first, length))
        .ok_or_else(|| Error::malformed(format!("a block from {first} to {last} ends before it begins")))
}

/// A single box as a regular hyperslab, which says the same with less work.
fn from_blocks(blocks: Blocks) -> Selection {
    let regular = {
        let mut boxes = blocks.iter();
        let single = boxes.next().filter(|_| blocks.len() == 1);
        single.and_then(|(first, last)| {
            first.iter().zip(last).map(|(first, last)| range(*first, *last).ok()).collect::<Option<Vec<_>>>()
        })
    };
    match regular {
        Some(axes) => Selection::Hyperslab(Hyperslab::Regular(axes)),
        None if blocks.is_empty() => Selection::None,
        None => Selection::Hyperslab(Hyperslab::Blocks(blocks)),
    }
}

fn numbers(cursor: &mut Cursor<'_>, items: u64, each: usize, width: u8) -> Result<Vec<u64>> {
    let width = usize::from(width);
    let items = cursor.expect_items(items, each.saturating_mul(width))?;
    (0..items.saturating_mul(each)).map(|_| cursor.uint(width)).collect()
}

fn rank(cursor: &mut Cursor<'_>) -> Result<usize> {
    let rank = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
    if (1..=MAX_RANK).contains(&rank) {
        return Ok(rank);
    }
    Err(Error::malformed(format!("selection rank is {rank}, expected 1 to {MAX_RANK}")))
}

fn number_width(cursor: &mut Cursor<'_>) -> Result<u8> {
    let width = cursor.u8()?;
    if [2, 4, 8].contains(&width) {
        return Ok(width);
    }
    Err(Error::malformed(format!("selection numbers have {width} bytes, expected 2, 4 or 8")))
}

/// The length field of a version-1 list: what follows it, in bytes.
fn list_length(rank: usize, items: u64, bytes: u64) -> Result<u32> {
    narrow(items.saturating_mul(count(rank)).saturating_mul(bytes).saturating_add(8))
}

/// The first and the last coordinate of a single block, when they fit 32 bits.
fn short_side(axis: &AxisSlab) -> Option<(u32, u32)> {
    let more = axis.block.filter(|_| axis.count == Some(1))?.checked_sub(1)?;
    let last = axis.start.checked_add(more)?;
    Some((u32::try_from(axis.start).ok()?, u32::try_from(last).ok()?))
}

fn length_field(axes: &[AxisSlab]) -> Result<u32> {
    narrow(count(axes.len()).saturating_mul(32).saturating_add(4))
}

/// The smallest width for numbers up to `largest`.
fn width(largest: Option<u64>) -> u8 {
    match largest.unwrap_or(0) {
        0..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// One way of saying what several quadruples say.
fn normal(axis: &AxisSlab) -> AxisSlab {
    match (axis.count, axis.block) {
        (Some(1), _) => AxisSlab { stride: 1, ..*axis },
        (Some(count), Some(block)) if axis.stride == block => {
            count.checked_mul(block).map_or(*axis, |length| AxisSlab::range(axis.start, length))
        }
        _ => *axis,
    }
}

fn malformed(error: &Error) -> Error {
    Error::malformed(error.to_string())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn narrow(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::usage(format!("{number} does not fit the 4 bytes of its field")))
}

#[cfg(test)]
mod tests {
    use super::{Oldest, StoredSelection};
    use crate::format::bytes::{Cursor, Sink, Widths, Wire};
    use crate::space::{AxisSlab, Points, Selection};
    use proptest::prelude::*;

    fn written(stored: &StoredSelection) -> Vec<u8> {
        let mut sink = Sink::new(Widths::EIGHT);
        stored.write(&mut sink).unwrap();
        sink.into_bytes()
    }

    fn read(bytes: &[u8]) -> crate::error::Result<StoredSelection> {
        StoredSelection::read(&mut Cursor::new(bytes, Widths::EIGHT))
    }

    fn version(selection: &Selection, oldest: Oldest) -> u8 {
        let bytes = written(&StoredSelection::new(selection, oldest).unwrap());
        let again = read(&bytes).unwrap();
        assert_eq!(again.selection.count(&[9]).unwrap(), selection.count(&[9]).unwrap());
        assert_eq!(written(&again), bytes);
        bytes[4]
    }

    #[test]
    fn the_form_is_the_oldest_that_can_say_it() {
        let regular = |start, stride, count, block| {
            Selection::from_axes(vec![AxisSlab { start, stride, count, block }]).unwrap()
        };
        assert_eq!(version(&regular(5, 1, Some(1), Some(7)), Oldest::V110), 1);
        assert_eq!(version(&regular(5, 4, Some(3), Some(2)), Oldest::V110), 1);
        assert_eq!(version(&regular(5, 4, Some(4), Some(2)), Oldest::V110), 2);
        assert_eq!(version(&regular(5, 4, None, Some(2)), Oldest::V110), 2);
        assert_eq!(version(&regular(5, 4, None, Some(2)), Oldest::V112), 3);
        assert_eq!(version(&regular(1 << 40, 1, Some(1), Some(2)), Oldest::V110), 2);
        assert_eq!(version(&Selection::from_blocks(1, &[0, 0, 2, 3]).unwrap(), Oldest::V110), 1);
        assert_eq!(version(&Selection::from_blocks(1, &[0, 0, 1 << 33, 1 << 33]).unwrap(), Oldest::V110), 3);
        assert_eq!(version(&Points::new(1, vec![4, 2]).unwrap().into(), Oldest::V110), 1);
        assert_eq!(version(&Points::new(1, vec![1 << 33]).unwrap().into(), Oldest::V110), 2);
        assert_eq!(version(&Selection::All, Oldest::V200), 1);
    }

    #[test]
    fn a_single_box_is_written_as_any_selection_is() {
        let slab = |start, stride, count, block| AxisSlab { start, stride, count, block };
        for axis in [
            slab(5, 9, Some(1), Some(7)),
            slab(u64::from(u32::MAX), 1, Some(1), Some(1)),
            slab(u64::from(u32::MAX), 1, Some(1), Some(2)),
            slab(0, 2, Some(2), Some(1)),
            slab(0, 1, Some(1), Some(0)),
            slab(0, 1, Some(1), None),
        ] {
            let selection = Selection::from_axes(vec![AxisSlab::range(3, 4), axis]).unwrap();
            for oldest in [Oldest::V110, Oldest::V112] {
                let mut sink = Sink::new(Widths::EIGHT);
                StoredSelection::put(&selection, oldest, &mut sink).unwrap();
                assert_eq!(sink.into_bytes(), written(&StoredSelection::new(&selection, oldest).unwrap()));
            }
        }
    }

    #[test]
    fn blocks_in_any_order_are_united_and_still_written_as_they_were() {
        let mut bytes = vec![2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        for number in [4_u32, 6, 2, 4] {
            bytes.extend(number.to_le_bytes());
        }
        let stored = read(&bytes).unwrap();
        assert_eq!(stored.selection, Selection::from_axes(vec![AxisSlab::range(2, 5)]).unwrap());
        assert_eq!(written(&stored), bytes);
    }

    #[test]
    fn counts_are_checked_before_room_is_made_for_them() {
        let mut bytes = vec![2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0];
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(read(&bytes).unwrap_err().to_string().contains("do not fit"));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_say_why(kind in 0..4_u32, version in 1..4_u32, flags in 0..2_u8, width in prop::sample::select(vec![2_u8, 4, 8]), rank in 1..3_u32, rest in prop::collection::vec(prop_oneof![3 => Just(0_u8), 2 => 0..8_u8, 1 => any::<u8>()], 0..120)) {
            let mut bytes = Vec::new();
            bytes.extend(kind.to_le_bytes());
            bytes.extend(version.to_le_bytes());
            if version == 3 { bytes.extend([flags, width]); bytes.extend(rank.to_le_bytes()); }
            if version == 2 && kind == 2 { bytes.extend([1, 0, 0, 0, 0]); bytes.extend(rank.to_le_bytes()); }
            bytes.extend(rest);
            let mut cursor = Cursor::new(&bytes, Widths::EIGHT);
            if let Ok(stored) = StoredSelection::read(&mut cursor) {
                prop_assert_eq!(written(&stored), &bytes[..cursor.position()]);
            }
        }
    }
}
