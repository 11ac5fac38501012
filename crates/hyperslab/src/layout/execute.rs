//! Moves elements from tiles to the output: read, convert, scatter.

use crate::datatype::{Conversion, Heap};
use crate::error::{Error, Result};
use crate::filter;
use crate::index::StoredChunk;
use crate::layout::disjoint::{Cell, Slot};
use crate::layout::fresh;
use crate::layout::plan::{Division, Window};
use crate::layout::recent::Recent;
use crate::metadata::Metadata;
use crate::storage::ReadAt;
use std::cell::Cell as Local;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// A run of at least this many bytes is read straight into the output, one read for each run.
const DIRECT: usize = 16 << 10;
/// Bytes between two runs that are read along, because another read would cost more.
pub(crate) const GAP: usize = 4 << 10;
/// Bytes that are read aside at once.
pub(crate) const STAGED: usize = 1 << 20;
/// Bytes of a tile that are converted at once; small enough to stay in a cache.
const CONVERTED: usize = 256 << 10;
/// Scratch of more than this is given back after use.
const KEPT: usize = 16 << 20;

/// What elements are in memory.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'a> {
    /// From the file's datatype to the one in memory, or, to write, from memory to the file.
    pub(crate) conversion: &'a Conversion,
    /// Bytes of an element in memory.
    pub(crate) size: usize,
    /// Where values of variable length are.
    pub(crate) heap: &'a dyn Heap,
    /// Whether the output is known to hold nothing but zeroes, so a fill value of zero costs nothing.
    pub(crate) zeroed: bool,
}

/// Bytes that elements are stored in, from offset 0 on.
pub(crate) trait Stored: Sync {
    /// Fills `buffer` from `offset`.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}

/// Bytes of the file, by address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear<'a> {
    pub(crate) storage: &'a dyn ReadAt,
    /// Where address 0 is.
    pub(crate) base: u64,
    /// One past the last address with bytes, when the file was opened.
    pub(crate) end: u64,
    /// Whether the file may be shorter than what was allocated, which reads as zeroes there.
    pub(crate) growing: bool,
    /// Whether somebody else writes the file, so that it may end before an element that it has.
    pub(crate) followed: bool,
}

impl<'a> Linear<'a> {
    pub(crate) fn of(metadata: &'a Metadata) -> Self {
        let (storage, base, end) = (&**metadata.storage(), metadata.base(), metadata.end());
        let followed = metadata.is_followed();
        Self { storage, base, end, growing: followed || metadata.is_writable(), followed }
    }

    /// Elements stored as they are can be read at an address.
    pub(crate) fn check(&self, address: u64, length: u64) -> Result<()> {
        if self.followed && address.checked_add(length).is_some() {
            return Ok(());
        }
        self.check_whole(address, length)
    }

    /// The bytes at an address exist.
    pub(crate) fn check_whole(&self, address: u64, length: u64) -> Result<()> {
        let inside = |end: u64| end.checked_sub(address).is_some_and(|left| left >= length);
        if inside(self.end) {
            return Ok(());
        }
        // A file that is being written may have grown since.
        let now =
            self.storage.len().map_err(|error| Error::io("asking for the length of the file", error))?;
        let end = now.saturating_sub(self.base);
        if inside(end) {
            return Ok(());
        }
        let left = end.saturating_sub(address);
        Err(Error::malformed(format!("needs {length} bytes at {address:#x}, the file has {left} there")))
    }
}

impl Stored for Linear<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.check(address, buffer.len() as u64)?;
        let offset = self.base.checked_add(address);
        let offset = offset.ok_or_else(|| Error::malformed(format!("address {address:#x} passes 2^64")))?;
        let read = self.storage.read_at(offset, buffer).or_else(|error| {
            if !self.growing || error.kind() != io::ErrorKind::UnexpectedEof {
                return Err(error);
            }
            let left = self.storage.len()?.saturating_sub(offset);
            let there = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let (there, missing) = buffer.split_at_mut_checked(there).unwrap_or_default();
            missing.fill(0);
            if there.is_empty() { Ok(()) } else { self.storage.read_at(offset, there) }
        });
        read.map_err(|error| {
            Error::io(format!("reading {} bytes of elements at {address:#x}", buffer.len()), error)
        })
    }
}

/// Tells the chunks of one dataset from all others, for as long as what is stored stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

impl Identity {
    /// One that no other has.
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// An [`Identity`] that can be replaced by one that no other has.
#[derive(Debug)]
pub(crate) struct Fresh(AtomicU64);

impl Default for Fresh {
    fn default() -> Self {
        Self(AtomicU64::new(Identity::fresh().0))
    }
}

impl Fresh {
    pub(crate) fn get(&self) -> Identity {
        Identity(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn renew(&self) {
        self.0.store(Identity::fresh().0, Ordering::Release);
    }
}

/// Buffers of a thread that are used again and again.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) stored: Vec<u8>,
    pub(crate) decoded: Vec<u8>,
    /// The chunk that `decoded` holds, if it is known.
    pub(crate) holds: Option<(Identity, StoredChunk)>,
    pub(crate) recent: Recent,
    pub(crate) moving: Moving,
    pub(crate) filter: filter::Scratch,
}

/// Buffers for elements on their way.
#[derive(Default)]
pub(crate) struct Moving {
    pub(crate) staged: Vec<u8>,
    pub(crate) gathered: Vec<u8>,
    pub(crate) converted: Vec<u8>,
}

impl Scratch {
    /// Runs `work` with this thread's scratch.
    pub(crate) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static SCRATCH: Local<Option<Box<Scratch>>> = const { Local::new(None) };
        }
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let result = work(&mut scratch);
        let Moving { staged, gathered, converted } = &mut scratch.moving;
        for buffer in [&mut scratch.stored, &mut scratch.decoded, staged, gathered, converted] {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
        if scratch.decoded.is_empty() {
            scratch.holds = None;
        }
        SCRATCH.set(Some(scratch));
        result
    }
}

/// The first `length` bytes of a buffer, whatever they hold; a larger buffer is a fresh one.
pub(crate) fn room(buffer: &mut Vec<u8>, length: usize) -> Result<&mut [u8]> {
    if buffer.len() < length {
        *buffer = Vec::new();
        *buffer = fresh::zeroed(length)?;
    }
    buffer.get_mut(..length).ok_or_else(|| Error::limit("scratch"))
}

/// How elements go from tiles to the output.
#[derive(Clone, Copy)]
pub(crate) struct Transfer<'a> {
    memory: &'a Memory<'a>,
    /// Bytes of an element in the file.
    element: usize,
    copy: bool,
}

impl<'a> Transfer<'a> {
    pub(crate) fn new(memory: &'a Memory<'a>, element: usize) -> Result<Self> {
        let copy = memory.conversion.is_copy();
        let expected = memory.conversion.source_size();
        if expected != element {
            return Err(Error::usage(format!(
                "elements have {element} bytes, conversion expects {expected}"
            )));
        }
        Ok(Self { memory, element, copy })
    }

    /// Whether elements are the same bytes in the file and in memory.
    pub(crate) fn is_copy(&self) -> bool {
        self.copy
    }

    /// The fill value in memory; `None` when the output already holds it.
    pub(crate) fn pattern(&self, fill: &[u8]) -> Result<Option<Vec<u8>>> {
        let pattern = match (self.copy, fill) {
            (true, []) => vec![0; self.element],
            (true, fill) => fill.to_vec(),
            (false, fill) => {
                let zero = vec![0; self.element];
                let mut pattern = vec![0; self.memory.size];
                let fill = if fill.is_empty() { zero.as_slice() } else { fill };
                self.memory.conversion.run(fill, &mut pattern, 1, self.memory.heap)?;
                pattern
            }
        };
        if pattern.len() != self.memory.size {
            return Err(Error::malformed(format!(
                "fill value has {} bytes, an element has {}",
                pattern.len(),
                self.memory.size
            )));
        }
        let there = self.memory.zeroed && pattern.iter().all(|byte| *byte == 0);
        Ok((!there).then_some(pattern))
    }

    /// Moves a cell out of its tile's bytes.
    pub(crate) fn take(&self, cell: &mut Cell<'_>, tile: &[u8], moving: &mut Moving) -> Result<()> {
        let spans = Division::Spans { gap: usize::MAX, limit: CONVERTED };
        let division = if self.copy { Division::Whole } else { spans };
        cell.windows(division, &mut |slot| {
            let Window { start, length, .. } = *slot.window();
            let span = start.checked_add(length).and_then(|end| tile.get(start..end));
            let span = span.ok_or_else(|| {
                Error::malformed(format!("needs {length} bytes at {start} of a tile of {}", tile.len()))
            })?;
            self.place(slot, span, moving)
        })
    }

    /// Moves a cell out of storage, where its tile begins at `offset`, reading only what is needed.
    pub(crate) fn read(
        &self,
        cell: &mut Cell<'_>,
        stored: &dyn Stored,
        offset: u64,
        moving: &mut Moving,
    ) -> Result<()> {
        let direct = self.copy && cell.shortest_run() >= DIRECT;
        let division = if direct { Division::Rows } else { Division::Spans { gap: GAP, limit: STAGED } };
        cell.windows(division, &mut |slot| {
            let Window { start, length, .. } = *slot.window();
            let offset = offset.checked_add(start as u64);
            let offset = offset.ok_or_else(|| Error::malformed("an element's address passes 2^64"))?;
            if self.copy
                && slot.window().is_source_run(self.element)
                && let Some(run) = slot.run()
            {
                return stored.read(offset, run);
            }
            let mut staged = std::mem::take(&mut moving.staged);
            let span = room(&mut staged, length)?;
            stored.read(offset, span)?;
            self.place(slot, span, moving)?;
            moving.staged = staged;
            Ok(())
        })
    }

    fn place(&self, slot: &mut Slot<'_>, span: &[u8], moving: &mut Moving) -> Result<()> {
        if self.copy {
            return slot.scatter(span);
        }
        let count = slot.window().count();
        let Moving { gathered, converted, .. } = moving;
        let elements = if slot.window().is_source_run(self.element) {
            span
        } else {
            let dense = room(gathered, count.saturating_mul(self.element))?;
            gather(slot.window(), span, self.element, dense)?;
            dense
        };
        let Memory { conversion, heap, .. } = *self.memory;
        if let Some(run) = slot.run() {
            return conversion.run(elements, run, count, heap);
        }
        let converted = room(converted, count.saturating_mul(self.memory.size))?;
        conversion.run(elements, converted, count, heap)?;
        slot.scatter_dense(converted)
    }
}

/// Copies the elements of a window from the bytes it spans to an array that has nothing else.
fn gather(window: &Window<'_>, span: &[u8], element: usize, dense: &mut [u8]) -> Result<()> {
    let mut rest = dense;
    window.rows(&mut |lane| {
        let here = std::mem::take(&mut rest);
        let parts = here.split_at_mut_checked(lane.count.saturating_mul(element));
        let (Some((row, later)), Some(from)) = (parts, span.get(lane.source..)) else {
            return Err(Error::usage(format!("{lane:?} of {} bytes", span.len())));
        };
        rest = later;
        match element {
            1 => gather_row::<1>(row, from, lane.source_step),
            2 => gather_row::<2>(row, from, lane.source_step),
            4 => gather_row::<4>(row, from, lane.source_step),
            8 => gather_row::<8>(row, from, lane.source_step),
            16 => gather_row::<16>(row, from, lane.source_step),
            _ => {
                let from = from.chunks(lane.source_step.max(element));
                for (to, from) in row.chunks_exact_mut(element).zip(from) {
                    if let Some(from) = from.get(..element) {
                        to.copy_from_slice(from);
                    }
                }
            }
        }
        Ok(())
    })
}

fn gather_row<const N: usize>(row: &mut [u8], from: &[u8], step: usize) {
    for (to, from) in row.as_chunks_mut::<N>().0.iter_mut().zip(from.chunks(step.max(N))) {
        if let Some(from) = from.first_chunk::<N>() {
            *to = *from;
        }
    }
}
