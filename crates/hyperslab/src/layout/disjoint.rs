//! [`Disjoint`]: many threads write different parts of one buffer.
//!
//! The constructor checks that the parts lie in the buffer and share no place. A part is then claimed
//! once, and a cell of a part, what it has in common with one tile, is claimed once: so no byte has two
//! writers, and what a cell writes is enumerated from the part it was cut from.
#![expect(unsafe_code, reason = "threads write disjoint bytes of one buffer, which slices cannot express")]

use crate::error::{Error, Result};
use crate::layout::cut::{Cut, Tile, Tiled, check, strides};
use crate::layout::fill::fill;
use crate::layout::plan::{Division, Lane, Nest, Tiling, Window};
use crate::space::{Part, PartAxis, disjoint};
use smallvec::SmallVec;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Pairs of segments of one axis that are compared before they are taken to overlap.
const PAIRS: usize = 1 << 20;

/// An output buffer and the parts of it that will be written, which share no place.
#[derive(Debug)]
pub(crate) struct Disjoint<'a> {
    output: Output,
    /// Bytes of an element in the buffer.
    size: usize,
    /// Bytes from one place to the next along each axis of the output array.
    strides: Vec<usize>,
    parts: &'a [Part],
    claimed: Vec<AtomicBool>,
    buffer: PhantomData<&'a mut [u8]>,
}

#[derive(Clone, Copy, Debug)]
struct Output {
    start: *mut u8,
    length: usize,
}

// SAFETY: an `Output` is only written through claims, each given to one owner, and the constructor of
// `Disjoint` checked that what different claims write has no byte in common.
unsafe impl Send for Output {}
// SAFETY: as above; sharing an `Output` gives no access without a claim.
unsafe impl Sync for Output {}

impl<'a> Disjoint<'a> {
    /// Takes `out`, an array of `dims` elements of `size` bytes; `None` when two parts may share a place.
    ///
    /// # Errors
    /// `Usage` when the buffer has another length or a part leaves it.
    pub(crate) fn new(
        out: &'a mut [u8],
        dims: &[u64],
        size: usize,
        parts: &'a [Part],
    ) -> Result<Option<Self>> {
        let (strides, bytes) = strides(dims, size)?;
        if bytes != out.len() || size == 0 {
            return Err(Error::usage(format!(
                "the output has {} bytes, {dims:?} elements of {size} bytes need {bytes}",
                out.len()
            )));
        }
        for part in parts {
            check(part, dims)?;
        }
        let apart = parts.iter().all(|part| part.axes.iter().all(is_apart));
        if !apart || (parts.len() > 1 && !disjoint(parts)) {
            return Ok(None);
        }
        let output = Output { start: out.as_mut_ptr(), length: out.len() };
        let claimed = parts.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Some(Self { output, size, strides, parts, claimed, buffer: PhantomData }))
    }

    /// Bytes of an element in the buffer.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The parts, in the order they were given.
    pub(crate) fn parts(&self) -> &'a [Part] {
        self.parts
    }

    /// The right to write part number `index`, given once.
    pub(crate) fn claim(&self, index: usize) -> Result<Region<'_>> {
        let (Some(part), Some(claimed)) = (self.parts.get(index), self.claimed.get(index)) else {
            return Err(Error::usage(format!("part {index} of {} parts", self.parts.len())));
        };
        if claimed.swap(true, Ordering::Relaxed) {
            return Err(Error::usage(format!("part {index} is written twice")));
        }
        Ok(Region { output: self.output, size: self.size, strides: &self.strides, part })
    }
}

/// Whether no two segments of an axis share a place; `false` also when that is too long to find out.
fn is_apart(axis: &PartAxis) -> bool {
    if axis.segments.len() < 2 {
        return true;
    }
    let mut places: Vec<_> =
        axis.segments.iter().filter(|s| s.count > 0).map(crate::space::Segment::places).collect();
    places.sort_by_key(|places| places.start);
    let mut pairs = 0;
    for (index, one) in places.iter().enumerate() {
        let later = places.get(index + 1..).unwrap_or_default();
        for other in later.iter().take_while(|other| other.start <= one.last()) {
            pairs += 1;
            if pairs > PAIRS || one.meet(other).is_some() {
                return false;
            }
        }
    }
    true
}

/// The right to write one part.
#[derive(Debug)]
pub(crate) struct Region<'d> {
    output: Output,
    size: usize,
    strides: &'d [usize],
    part: &'d Part,
}

impl<'d> Region<'d> {
    /// The part cut at the tiles of its source, in cells.
    pub(crate) fn cells(self, tiling: &Tiling) -> Result<Cells<'d>> {
        let cut = Cut::new(self.part, self.strides, tiling)?;
        let claimed = (0..cut.count().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Cells { region: self, cut, claimed })
    }

    /// Writes one element, `pattern`, to every place of the part.
    pub(crate) fn fill(&self, pattern: &[u8]) -> Result<()> {
        let mut axes: Vec<&PartAxis> = self.part.axes.iter().collect();
        axes.sort_by_key(|axis| axis.place_axis);
        let lanes = |axis: &&PartAxis| {
            let stride = self.stride(axis.place_axis);
            axis.segments.iter().filter(|s| s.count > 0).map(|s| Lane::of_places(s, stride)).collect()
        };
        let nest = Nest::new(axes.iter().map(lanes).collect::<Result<_>>()?);
        if nest.count() == 0 {
            return Ok(());
        }
        let mut cell = Cell { output: self.output, size: self.size, element: 0, nest, part: PhantomData };
        cell.fill(pattern)
    }

    fn stride(&self, axis: Option<usize>) -> usize {
        axis.and_then(|axis| self.strides.get(axis)).copied().unwrap_or(0)
    }
}

/// A part cut into cells, one for each tile it meets.
#[derive(Debug)]
pub(crate) struct Cells<'d> {
    region: Region<'d>,
    cut: Cut<'d>,
    /// A bit for each cell that was claimed.
    claimed: SmallVec<[AtomicU64; 1]>,
}

impl Tiled for Cells<'_> {
    fn cut(&self) -> &Cut<'_> {
        &self.cut
    }
}

impl Cells<'_> {
    /// How many tiles the part meets.
    pub(crate) fn count(&self) -> usize {
        self.cut.count()
    }

    /// The coordinates of a cell's tile.
    pub(crate) fn tile(&self, cell: usize) -> Tile {
        self.cut.tile(cell)
    }

    /// The right to write a cell; `None` when it was given before.
    pub(crate) fn claim(&self, cell: usize) -> Result<Option<Cell<'_>>> {
        let bit = 1 << (cell % 64);
        let word = self.claimed.get(cell / 64).filter(|_| cell < self.count());
        let word = word.ok_or_else(|| Error::usage(format!("cell {cell} of {}", self.count())))?;
        if word.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            return Ok(None);
        }
        let nest = self.cut.nest(cell)?;
        let Region { output, size, .. } = self.region;
        Ok(Some(Cell { output, size, element: self.cut.element(), nest, part: PhantomData }))
    }

    /// The cells that are one run of `bytes` bytes each, in the output and in their tile, one after the other in the
    /// output; `None` when few are.
    pub(crate) fn row(&self, bytes: usize) -> Result<Option<Row>> {
        let Some(cells) = self.cut.row() else { return Ok(None) };
        let run = |cell: usize| {
            let nest = self.cut.nest(cell)?;
            let dense =
                self.region.size == self.cut.element() && nest.shortest_run(self.region.size) == bytes;
            Ok(nest.whole().place_run(self.region.size).filter(|(_, length)| dense && *length == bytes))
        };
        // Places are evenly spaced, so two of them tell of all.
        let (Some((start, _)), Some((next, _))) = (run(cells.start)?, run(cells.start + 1)?) else {
            return Ok(None);
        };
        Ok((start.checked_add(bytes) == Some(next)).then_some(Row { cells, start, bytes }))
    }

    /// The right to write some cells of a row; `None` when one of them was given before.
    pub(crate) fn claim_row(&self, row: &Row, cells: Range<usize>) -> Result<Option<RowSlot<'_>>> {
        if cells.start < row.cells.start || cells.end > row.cells.end || cells.is_empty() {
            return Err(Error::usage(format!("cells {cells:?} of a row of {:?}", row.cells)));
        }
        let mut first = cells.start;
        while first < cells.end {
            let (word, bit) = (first / 64, first % 64);
            let count = (64 - bit).min(cells.end - first);
            let bits = (u64::MAX >> (64 - count)) << bit;
            let word = self.claimed.get(word).ok_or_else(|| Error::usage("a cell outside its part"))?;
            if word.fetch_or(bits, Ordering::Relaxed) & bits != 0 {
                return Ok(None);
            }
            first += count;
        }
        let start =
            (cells.start - row.cells.start).checked_mul(row.bytes).and_then(|at| at.checked_add(row.start));
        let length = cells.len().checked_mul(row.bytes);
        let (Some(start), Some(length)) = (start, length) else {
            return Err(Error::limit("a row passes 2^64 bytes"));
        };
        Ok(Some(RowSlot { output: self.region.output, start, length, part: PhantomData }))
    }

    /// Bytes of the elements of all cells.
    pub(crate) fn bytes(&self) -> u64 {
        self.region.part.count().saturating_mul(self.cut.element() as u64)
    }

    /// Whether a cell was not claimed.
    pub(crate) fn has_rest(&self) -> bool {
        let claimed: usize =
            self.claimed.iter().map(|w| w.load(Ordering::Relaxed).count_ones() as usize).sum();
        claimed < self.count()
    }

    /// Writes one element, `pattern`, to every cell that was not claimed.
    pub(crate) fn fill_rest(&self, pattern: &[u8]) -> Result<()> {
        if self.claimed.iter().all(|word| word.load(Ordering::Relaxed) == 0) {
            return self.region.fill(pattern);
        }
        for (index, word) in self.claimed.iter().enumerate() {
            let claimed = word.load(Ordering::Relaxed);
            let cells = (index * 64..self.count()).take(64);
            for cell in cells.filter(|cell| claimed & (1 << (cell % 64)) == 0) {
                if let Some(mut cell) = self.claim(cell)? {
                    cell.fill(pattern)?;
                }
            }
        }
        Ok(())
    }
}

/// Cells that lie one after the other in the output, each one run there and in its tile.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) cells: Range<usize>,
    start: usize,
    pub(crate) bytes: usize,
}

/// The right to write neighbouring cells of a row.
#[derive(Debug)]
pub(crate) struct RowSlot<'c> {
    output: Output,
    start: usize,
    length: usize,
    part: PhantomData<&'c mut [u8]>,
}

impl RowSlot<'_> {
    /// The cells in the output.
    pub(crate) fn run(&mut self) -> Result<&mut [u8]> {
        self.output.slice(self.start, self.length)
    }
}

/// The right to write what one part and one tile have in common.
#[derive(Debug)]
pub(crate) struct Cell<'c> {
    output: Output,
    size: usize,
    element: usize,
    nest: Nest,
    part: PhantomData<&'c mut [u8]>,
}

impl Cell<'_> {
    /// Bytes of the shortest run that is the same in the tile and in the output.
    pub(crate) fn shortest_run(&self) -> usize {
        self.nest.shortest_run(self.element)
    }

    /// Calls `each` with one window of the cell after the other.
    pub(crate) fn windows(
        &mut self,
        division: Division,
        each: &mut dyn FnMut(&mut Slot<'_>) -> Result<()>,
    ) -> Result<()> {
        let (output, size) = (self.output, self.size);
        self.nest.windows(division, self.element, &mut |window| {
            each(&mut Slot { output, size, window, cell: PhantomData })
        })
    }

    /// Writes one element, `pattern`, to every place of the cell.
    pub(crate) fn fill(&mut self, pattern: &[u8]) -> Result<()> {
        self.windows(Division::Whole, &mut |slot| slot.fill(pattern))
    }
}

/// The right to write one window of a cell.
#[derive(Debug)]
pub(crate) struct Slot<'w> {
    output: Output,
    size: usize,
    window: &'w Window<'w>,
    cell: PhantomData<&'w mut [u8]>,
}

impl Slot<'_> {
    /// Where the window is in the tile.
    pub(crate) fn window(&self) -> &Window<'_> {
        self.window
    }

    /// The window in the output, when it is one run of bytes there.
    pub(crate) fn run(&mut self) -> Option<&mut [u8]> {
        let (start, length) = self.window.place_run(self.size)?;
        self.output.slice(start, length).ok()
    }

    /// Copies the elements of the window from the tile's bytes that the window spans.
    pub(crate) fn scatter(&mut self, span: &[u8]) -> Result<()> {
        self.window.rows(&mut |lane| self.output.put(lane, self.size, span))
    }

    /// Copies the elements of the window from an array that has nothing else, in the window's order.
    pub(crate) fn scatter_dense(&mut self, elements: &[u8]) -> Result<()> {
        let mut done = 0;
        self.window.rows(&mut |lane| {
            let dense = Lane { source: done, source_step: self.size, ..*lane };
            done += lane.count * self.size;
            self.output.put(&dense, self.size, elements)
        })
    }

    /// Writes one element, `pattern`, to every place of the window.
    pub(crate) fn fill(&mut self, pattern: &[u8]) -> Result<()> {
        self.window.rows(&mut |lane| {
            if lane.count == 1 || lane.place_step == self.size {
                let mut output = self.output;
                fill(output.slice(lane.place, lane.count * self.size)?, pattern);
                return Ok(());
            }
            self.output.put(&Lane { source: 0, source_step: 0, ..*lane }, self.size, pattern)
        })
    }
}

impl Output {
    /// A run of the buffer. Callers hold the claim to it.
    fn slice(&mut self, start: usize, length: usize) -> Result<&mut [u8]> {
        if start.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(Error::usage(format!("{length} bytes at {start} of {} in memory", self.length)));
        }
        // SAFETY: the run is in the buffer, checked above, and belongs to the one claim that asks for it.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) })
    }

    /// Copies the elements of a lane from `span`. Callers hold the claim to the lane's places.
    fn put(&mut self, lane: &Lane, size: usize, span: &[u8]) -> Result<()> {
        let Some(moves) = lane.count.checked_sub(1) else { return Ok(()) };
        let end = |start: usize, step: usize| moves.checked_mul(step)?.checked_add(start)?.checked_add(size);
        let places_end = end(lane.place, lane.place_step).filter(|end| *end <= self.length);
        let source_end = end(lane.source, lane.source_step).filter(|end| *end <= span.len());
        if places_end.is_none() || source_end.is_none() {
            return Err(Error::usage(format!("{lane:?} from {} to {} bytes", span.len(), self.length)));
        }
        // SAFETY: the first and the last element of the lane, and so all between them, are in the buffer
        // and in `span`, checked above; the places belong to the one claim that is being served, and
        // `span` is not part of the buffer, which stays exclusively borrowed while it is written here.
        unsafe {
            let (to, from) = (self.start.add(lane.place), span.as_ptr().add(lane.source));
            match size {
                _ if lane.place_step == size && lane.source_step == size => {
                    from.copy_to_nonoverlapping(to, lane.count * size);
                }
                1 => strided::<1>(to, from, lane),
                2 => strided::<2>(to, from, lane),
                4 => strided::<4>(to, from, lane),
                8 => strided::<8>(to, from, lane),
                16 => strided::<16>(to, from, lane),
                _ => {
                    for k in 0..lane.count {
                        let (to, from) = (to.add(k * lane.place_step), from.add(k * lane.source_step));
                        from.copy_to_nonoverlapping(to, size);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Copies elements of `N` bytes.
///
/// # Safety
/// All elements of the lane, counted from `to` and `from`, are in memory the caller may write and read.
unsafe fn strided<const N: usize>(to: *mut u8, from: *const u8, lane: &Lane) {
    for k in 0..lane.count {
        // SAFETY: element `k` is one of the lane's, which the caller vouches for.
        unsafe {
            from.add(k * lane.source_step).copy_to_nonoverlapping(to.add(k * lane.place_step), N);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Disjoint;
    use crate::error::ErrorKind;
    use crate::layout::cut::Tiled;
    use crate::layout::plan::{Division, Tiling};
    use crate::layout::pool;
    use crate::space::{Part, PartAxis, Segment};
    use proptest::prelude::*;

    /// Two axes of a part: (place, place step, source, source step, count) each.
    fn part(rows: [u64; 5], columns: [u64; 5]) -> Part {
        let axis = |number, [place, place_step, source, source_step, count]: [u64; 5]| PartAxis {
            place_axis: Some(number),
            source_axis: Some(number),
            segments: [Segment { place, place_step, source, source_step, count }].into(),
        };
        Part { axes: vec![axis(0, rows), axis(1, columns)] }
    }

    proptest! {
        #[test]
        fn scattering_from_many_threads_equals_scattering_element_by_element(
            size in prop::sample::select(vec![1usize, 2, 3, 4, 8, 16, 24]),
            steps in prop::array::uniform4(1..4u64),
            counts in prop::array::uniform2(1..9u64),
            tile in prop::array::uniform2(1..7u64),
            split in any::<bool>(),
        ) {
            let [down, across, below, beside] = steps;
            // Interleaved columns: two parts that overlap in their bounds and share no place.
            let wide = 2 * across;
            let one = part([1, down, 2, below, counts[0]], [0, wide, 1, beside, counts[1]]);
            let two = part([1, down, 0, below, counts[0]], [across, wide, 3, beside, counts[1]]);
            let parts = [one, two];
            let dims = [2 + down * counts[0], wide * counts[1] + across];
            let tiling = Tiling::new(&tile, size).unwrap();
            let byte = |row: u64, column: u64, k: usize| (row * 37 + column * 11 + k as u64).to_le_bytes()[0];
            let length = usize::try_from(dims[0] * dims[1]).unwrap() * size;
            let mut expected = vec![0xff; length];
            for part in &parts {
                for (place, source) in part.elements() {
                    let start = usize::try_from(place[0] * dims[1] + place[1]).unwrap() * size;
                    for k in 0..size {
                        expected[start + k] = byte(source[0], source[1], k);
                    }
                }
            }
            let mut out = vec![0xff; length];
            let disjoint = Disjoint::new(&mut out, &dims, size, &parts).unwrap().unwrap();
            let limit = if split { 2 * size } else { usize::MAX };
            pool::each(0..2, true, |number| {
                let cells = disjoint.claim(number)?.cells(&tiling)?;
                pool::each(0..cells.count(), true, |cell| {
                    let at = cells.tile(cell);
                    let bytes: Vec<u8> = (0..tile[0] * tile[1])
                        .flat_map(|n| (0..size).map(move |k| (n, k)))
                        .map(|(n, k)| byte(at[0] * tile[0] + n / tile[1], at[1] * tile[1] + n % tile[1], k))
                        .collect();
                    let mut claimed = cells.claim(cell)?.unwrap();
                    assert!(cells.claim(cell)?.is_none());
                    claimed.windows(Division::Spans { gap: 1, limit }, &mut |slot| {
                        let (start, length) = (slot.window().start, slot.window().length);
                        slot.scatter(&bytes[start..start + length])
                    })
                })
            })
            .unwrap();
            prop_assert_eq!(out, expected);
        }
    }

    proptest! {
        #[test]
        fn the_cells_of_a_row_are_where_they_are_one_by_one(
            first in 0..9u64, count in 1..80u64, step in 1..3u64, tile in 1..5u64, columns in 1..4u64,
            place_step in 1..3u64, wide in any::<bool>(),
        ) {
            let beside = if wide { columns + 1 } else { columns };
            let parts = [part([0, place_step, first, step, count], [0, 1, 0, 1, columns])];
            let dims = [place_step * count, beside];
            let length = usize::try_from(dims[0] * dims[1]).unwrap() * 2;
            let mut out = vec![0; length];
            let start = out.as_ptr() as usize;
            let tiling = Tiling::new(&[tile, columns], 2).unwrap();
            let bytes = usize::try_from(tile * columns).unwrap() * 2;
            let disjoint = Disjoint::new(&mut out, &dims, 2, &parts).unwrap().unwrap();
            let cells = disjoint.claim(0).unwrap().cells(&tiling).unwrap();
            let Some(row) = cells.row(bytes).unwrap() else { return Ok(()) };
            prop_assert!(step == 1 && (place_step == 1 || tile == 1));
            for cell in row.cells.clone() {
                let mut slot = cells.claim_row(&row, cell..cell + 1).unwrap().unwrap();
                let run = slot.run().unwrap();
                let nest = cells.cut().nest(cell).unwrap();
                prop_assert_eq!(nest.whole().place_run(2), Some((run.as_ptr() as usize - start, run.len())));
                prop_assert_eq!(nest.shortest_run(2), bytes);
            }
            prop_assert!(cells.claim_row(&row, row.cells.clone()).unwrap().is_none());
            prop_assert!(cells.claim(row.cells.start).unwrap().is_none());
            prop_assert!(cells.claim_row(&row, 0..2).is_err());
        }
    }

    #[test]
    fn parts_that_share_a_place_are_not_disjoint() {
        let one = part([0, 1, 0, 1, 2], [0, 2, 0, 1, 2]);
        let two = part([1, 1, 0, 1, 1], [2, 1, 0, 1, 1]);
        let mut out = [0; 8];
        assert!(Disjoint::new(&mut out, &[2, 4], 1, &[one.clone(), two]).unwrap().is_none());
        let mut twice = one;
        let first = twice.axes[1].segments[0];
        twice.axes[1].segments.push(Segment { place: 2, ..first });
        twice.axes[1].segments[1].count = 1;
        assert!(Disjoint::new(&mut out, &[2, 4], 1, &[twice]).unwrap().is_none());
    }

    #[test]
    fn a_part_is_claimed_once_and_lies_in_the_output() {
        let parts = [part([0, 1, 0, 1, 2], [0, 2, 0, 1, 2])];
        let mut out = [0; 8];
        let disjoint = Disjoint::new(&mut out, &[2, 4], 1, &parts).unwrap().unwrap();
        assert!(disjoint.claim(0).is_ok());
        assert_eq!(disjoint.claim(0).unwrap_err().kind(), ErrorKind::Usage);
        assert!(Disjoint::new(&mut out, &[4, 2], 1, &parts).is_err());
        assert!(Disjoint::new(&mut out, &[2, 3], 1, &parts).is_err());
        let flat = [Part { axes: parts[0].axes[..1].to_vec() }];
        assert!(Disjoint::new(&mut out, &[2, 4], 1, &flat).is_err());
    }
}
