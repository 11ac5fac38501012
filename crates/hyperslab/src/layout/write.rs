//! Writing parts of the elements from memory: the mirror of a read, with the same plan.
//!
//! The parts are cut at the tiles the elements are stored in; tiles are written side by side, and what
//! several parts put into one tile is put there in the order of the parts, so that later ones win.

use crate::error::{Error, Result};
use crate::format::bytes::Address;
use crate::format::message::layout::ChunkedLayout;
use crate::layout::chunked_mut::{ChunkSet, ChunkWriter};
use crate::layout::contiguous::{self, RunMut};
use crate::layout::cut;
use crate::layout::deposit::Deposit;
use crate::layout::execute::{Linear, Memory, Scratch};
use crate::layout::external::{ExternalFile, Opener, Pieces};
use crate::layout::plan::Tiling;
use crate::metadata::Metadata;
use crate::space::{Part, PartAxis, Segment};

/// Pairs of segments of one axis that are compared before they are taken to overlap.
const PAIRS: usize = 1 << 20;

/// The elements of a dataset that is written.
pub(crate) struct ElementsMut<'a> {
    pub(crate) metadata: &'a Metadata,
    pub(crate) layout: LayoutMut<'a>,
    pub(crate) dims: &'a [u64],
    /// Bytes of an element in the file.
    pub(crate) element: usize,
    /// The fill value in the file's datatype; empty for zeroes.
    pub(crate) fill: &'a [u8],
    /// What the layout message has to say from now on, also after an error; the caller stores it.
    pub(crate) change: Option<Change>,
}

/// Where elements are stored that are written.
pub(crate) enum LayoutMut<'a> {
    /// In the layout message, which the caller stores afterwards.
    Compact(&'a mut [u8]),
    /// In one run of bytes; it is allocated at the first write.
    Contiguous {
        address: Option<Address>,
        size: u64,
        /// Whether what is not written becomes the fill value.
        filled: bool,
    },
    /// In other files.
    External { files: &'a [ExternalFile], opener: &'a dyn Opener },
    /// In chunks.
    Chunked(ChunkSet<'a>),
}

/// A change of the layout message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Where the elements were allocated.
    Contiguous(Address),
    /// The index of the chunks, or the one chunk.
    Chunked(ChunkedLayout),
}

/// Writes `input`, an array of `place_dims` elements in memory, to parts of the elements.
///
/// A part's places are in `input`, its sources are the elements that are written. Where parts share
/// elements, later ones win.
///
/// # Errors
/// `Usage` when a part leaves the elements or the input; `Malformed`, `Unsupported`, `Limit` or `Io` when
/// elements cannot be converted or written.
pub(crate) fn write(
    elements: &mut ElementsMut<'_>,
    parts: &[Part],
    place_dims: &[u64],
    memory: &Memory<'_>,
    input: &[u8],
) -> Result<()> {
    let (strides, bytes) = cut::strides(place_dims, memory.size)?;
    if bytes != input.len() {
        return Err(Error::usage(format!(
            "the input has {} bytes, {place_dims:?} elements of {} bytes need {bytes}",
            input.len(),
            memory.size
        )));
    }
    for part in parts {
        cut::check(part, place_dims)?;
        if !part.fits_source(elements.dims) {
            return Err(Error::usage(format!("a part leaves the extent {:?}: {part:?}", elements.dims)));
        }
    }
    if parts.iter().all(|part| part.count() == 0) {
        return Ok(());
    }
    let split;
    let parts = if parts.iter().all(|part| part.axes.iter().all(is_apart)) {
        parts
    } else {
        split = parts.iter().flat_map(one_by_one).collect::<Vec<_>>();
        &split
    };
    let deposit = Deposit::new(memory, elements.element, input)?;
    elements.write(&Order { parts, strides: &strides }, &deposit)
}

/// What is to be written, in order.
pub(crate) struct Order<'a> {
    /// No element occurs twice in one part.
    pub(crate) parts: &'a [Part],
    /// Those of the array in memory.
    pub(crate) strides: &'a [usize],
}

impl Order<'_> {
    /// Whether every element is written, from the same place in an array of the same shape.
    pub(crate) fn is_everything(&self, dims: &[u64]) -> bool {
        let [part] = self.parts else { return false };
        let same = |(number, (axis, dim)): (usize, (&PartAxis, &u64))| {
            let all = Segment { place: 0, place_step: 1, source: 0, source_step: 1, count: *dim };
            (axis.place_axis, axis.source_axis) == (Some(number), Some(number)) && *axis.segments == [all]
        };
        part.axes.len() == dims.len() && part.axes.iter().zip(dims).enumerate().all(same)
    }

    /// Whether every element is written.
    fn covers(&self, dims: &[u64]) -> bool {
        let all = dims.iter().try_fold(1_u64, |all, dim| all.checked_mul(*dim));
        self.parts.iter().any(|part| Some(part.count()) == all)
    }
}

impl ElementsMut<'_> {
    fn write(&mut self, order: &Order<'_>, deposit: &Deposit<'_>) -> Result<()> {
        let Self { metadata, dims, element, .. } = *self;
        match &mut self.layout {
            LayoutMut::Compact(bytes) => hold(bytes, (dims, element), order, deposit),
            LayoutMut::External { files, opener } => {
                let pieces = Pieces::new_mut(files, *opener);
                contiguous::check(dims, element, pieces.size())?;
                RunMut { stored: &pieces, start: 0, dims, element }.write(order, deposit)
            }
            LayoutMut::Chunked(_) => self.chunks()?.write(order, deposit),
            LayoutMut::Contiguous { address, size, filled } => {
                contiguous::check(dims, element, *size)?;
                let start = if let Some(start) = address {
                    *start
                } else {
                    let fills = *filled && (deposit.keeps() || !order.covers(dims));
                    let start = contiguous::allocate(metadata, *size, fills.then_some(self.fill))?;
                    *address = Some(start);
                    self.change = Some(Change::Contiguous(start));
                    start
                };
                let linear = Linear::of(metadata);
                let stored = contiguous::Writable { metadata, linear };
                RunMut { stored: &stored, start: start.0, dims, element }.write(order, deposit)
            }
        }
    }

    /// Allocates and fills a run of bytes that has no place yet.
    pub(crate) fn allocate_run(&mut self) -> Result<()> {
        if let LayoutMut::Contiguous { address: address @ None, size, filled } = &mut self.layout
            && *size > 0
        {
            let start = contiguous::allocate(self.metadata, *size, filled.then_some(self.fill))?;
            *address = Some(start);
            self.change = Some(Change::Contiguous(start));
        }
        Ok(())
    }

    /// The one who changes the chunks.
    pub(crate) fn chunks(&mut self) -> Result<ChunkWriter<'_>> {
        let LayoutMut::Chunked(set) = self.layout else {
            return Err(Error::usage("the dataset is not stored in chunks"));
        };
        ChunkWriter::new(self.metadata, set, (self.element, self.fill), &mut self.change)
    }
}

/// Writes to elements in memory.
fn hold(
    bytes: &mut [u8],
    (dims, element): (&[u64], usize),
    order: &Order<'_>,
    deposit: &Deposit<'_>,
) -> Result<()> {
    contiguous::check(dims, element, bytes.len() as u64)?;
    let tiling = Tiling::new(dims, element)?;
    Scratch::with(|scratch| {
        order.parts.iter().try_for_each(|part| {
            let cut = cut::Cut::new(part, order.strides, &tiling)?;
            (0..cut.count()).try_for_each(|cell| deposit.put(&cut.nest(cell)?, bytes, &mut scratch.moving))
        })
    })
}

/// Whether no two segments of an axis share an element; `false` also when that takes long to find out.
fn is_apart(axis: &PartAxis) -> bool {
    if axis.segments.len() < 2 {
        return true;
    }
    let mut sources: Vec<_> =
        axis.segments.iter().filter(|segment| segment.count > 0).map(Segment::sources).collect();
    sources.sort_by_key(|sources| sources.start);
    let mut pairs = 0;
    sources.iter().enumerate().all(|(at, one)| {
        let later = sources.get(at + 1..).unwrap_or_default();
        later.iter().take_while(|other| other.start <= one.last()).all(|other| {
            pairs += 1;
            pairs <= PAIRS && one.meet(other).is_none()
        })
    })
}

/// A part for each segment of the first axis whose segments share elements, and so on.
fn one_by_one(part: &Part) -> Vec<Part> {
    let Some(axis) = part.axes.iter().position(|axis| !is_apart(axis)) else { return vec![part.clone()] };
    let segments = part.axes.get(axis).map(|axis| axis.segments.as_slice()).unwrap_or_default();
    let alone = |segment: &Segment| {
        let cut = part.axes.iter().enumerate().map(|(at, whole)| {
            let segments = if at == axis { [*segment].into() } else { whole.segments.clone() };
            PartAxis { segments, ..*whole }
        });
        one_by_one(&Part { axes: cut.collect() })
    };
    segments.iter().flat_map(alone).collect()
}

#[cfg(test)]
mod chunk_tests;
#[cfg(test)]
mod tests;
