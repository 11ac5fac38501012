//! How a selection becomes bytes: where elements are stored, and reading parts of them into memory.
//!
//! Whatever the layout, a read is the same: the parts are checked to share no place of the output
//! ([`disjoint`]), cut at the tiles the elements are stored in ([`plan`]), and moved tile by tile, on
//! many threads where that pays ([`execute`]).

pub(crate) mod cache;
pub(crate) mod chunked;
pub(crate) mod chunked_mut;
pub(crate) mod compact;
pub(crate) mod contiguous;
pub(crate) mod cut;
pub(crate) mod deposit;
pub(crate) mod direct;
pub(crate) mod disjoint;
pub(crate) mod execute;
pub(crate) mod external;
pub(crate) mod fill;
pub(crate) mod fresh;
pub(crate) mod plan;
pub(crate) mod pool;
pub(crate) mod recent;
mod resize;
mod wanted;
pub(crate) mod write;

use crate::error::{Error, Result};
use crate::filter::FilterPipeline;
use crate::format::bytes::Address;
use crate::index::{ChunkGrid, ChunkIndex};
use crate::layout::cache::ChunkCache;
use crate::layout::chunked::Chunks;
use crate::layout::compact::Held;
use crate::layout::contiguous::Run;
use crate::layout::disjoint::Disjoint;
use crate::layout::execute::{Identity, Linear, Memory, Transfer};
use crate::layout::external::{ExternalFile, Opener, Pieces};
use crate::metadata::Metadata;
use crate::space::{Part, PartAxis};
use std::ops::Range;

/// The stored elements of a dataset.
pub(crate) struct Elements<'a> {
    pub(crate) metadata: &'a Metadata,
    pub(crate) layout: Layout<'a>,
    pub(crate) dims: &'a [u64],
    /// Bytes of an element in the file.
    pub(crate) element: usize,
    /// The fill value in the file's datatype; empty for zeroes.
    pub(crate) fill: &'a [u8],
}

/// Where elements are stored.
pub(crate) enum Layout<'a> {
    /// In the object header.
    Compact(&'a [u8]),
    /// In one run of bytes, if it was ever allocated.
    Contiguous { address: Option<Address>, size: u64 },
    /// In other files.
    External { files: &'a [ExternalFile], opener: &'a dyn Opener },
    /// In chunks.
    Chunked {
        grid: &'a ChunkGrid,
        /// None before the first chunk.
        index: Option<&'a dyn ChunkIndex>,
        pipeline: &'a FilterPipeline,
        /// Whether chunks that the extent cuts are stored without the filters.
        edge_unfiltered: bool,
        /// Lets the chunk a thread decoded last serve its next read; none while chunks may change in place.
        reuse: Option<Identity>,
        /// Chunks that were written and are not stored yet.
        cache: Option<&'a ChunkCache>,
    },
}

/// Reads parts of the elements into `out`, an array of `place_dims` elements in memory.
///
/// Where parts share places of the output, later ones win.
///
/// # Errors
/// `Usage` when a part leaves the elements or the output; `Malformed`, `Unsupported`, `Limit` or `Io`
/// when elements cannot be read.
pub(crate) fn read(
    elements: &Elements<'_>,
    parts: &[Part],
    place_dims: &[u64],
    memory: &Memory<'_>,
    out: &mut [u8],
) -> Result<()> {
    if let Some(output) = Disjoint::new(out, place_dims, memory.size, parts)? {
        return read_shared(elements, 0..parts.len(), memory, &output);
    }
    // A place may be written twice from here on, so what it held does not count.
    let memory = Memory { zeroed: false, ..*memory };
    for part in parts {
        one_by_one(part, place_dims, memory.size, out, &mut |output| {
            read_shared(elements, 0..output.parts().len(), &memory, output)
        })?;
    }
    Ok(())
}

/// Reads the parts of `output` that are numbered `range`; other threads may write its other parts.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_shared(
    elements: &Elements<'_>,
    range: Range<usize>,
    memory: &Memory<'_>,
    output: &Disjoint<'_>,
) -> Result<()> {
    let parts = output.parts().get(range.clone());
    let parts = parts.ok_or_else(|| Error::usage(format!("parts {range:?} of {}", output.parts().len())))?;
    if output.size() != memory.size {
        return Err(Error::usage(format!("elements of {} bytes for {}", memory.size, output.size())));
    }
    if let Some(part) = parts.iter().find(|part| !part.fits_source(elements.dims)) {
        return Err(Error::usage(format!("a part leaves the extent {:?}: {part:?}", elements.dims)));
    }
    if parts.iter().all(|part| part.count() == 0) {
        return Ok(());
    }
    let transfer = Transfer::new(memory, elements.element)?;
    elements.read(range, &transfer, output)
}

/// Writes the fill value to `parts` of `out`, an array of `place_dims` elements in memory.
///
/// # Errors
/// `Usage` when a part leaves the output; when the fill value cannot be converted.
pub(crate) fn fill_parts(
    (fill, element): (&[u8], usize),
    parts: &[Part],
    place_dims: &[u64],
    memory: &Memory<'_>,
    out: &mut [u8],
) -> Result<()> {
    let Some(pattern) = Transfer::new(memory, element)?.pattern(fill)? else { return Ok(()) };
    parts.iter().try_for_each(|part| {
        one_by_one(part, place_dims, memory.size, out, &mut |output| {
            (0..output.parts().len()).try_for_each(|at| output.claim(at)?.fill(&pattern))
        })
    })
}

impl Elements<'_> {
    fn read(&self, range: Range<usize>, transfer: &Transfer<'_>, output: &Disjoint<'_>) -> Result<()> {
        let Self { metadata, dims, element, fill, .. } = *self;
        let linear = Linear::of(metadata);
        match self.layout {
            Layout::Compact(bytes) => Held { bytes, dims, element }.read(output, range, transfer),
            Layout::Contiguous { address: Some(Address(start)), size } => {
                contiguous::check(dims, element, size)?;
                Run { stored: &linear, start, dims, element }.read(output, range, transfer)
            }
            Layout::External { files, opener } => {
                let pieces = Pieces::new(files, opener);
                contiguous::check(dims, element, pieces.size())?;
                Run { stored: &pieces, start: 0, dims, element }.read(output, range, transfer)
            }
            Layout::Chunked { grid, index: Some(index), pipeline, edge_unfiltered, reuse, cache } => {
                // What is written in place looks the same to the index.
                let changing = cache.filter(|_| metadata.is_writable()).map(ChunkCache::identity);
                let reuse = reuse.map(|own| changing.unwrap_or(own));
                let chunks = Chunks {
                    metadata,
                    linear,
                    grid,
                    index,
                    pipeline,
                    edge_unfiltered,
                    reuse,
                    cache,
                    element,
                    fill,
                };
                chunks.read(output, range, transfer)
            }
            Layout::Contiguous { address: None, .. } | Layout::Chunked { index: None, .. } => {
                match transfer.pattern(fill)? {
                    Some(pattern) => range.into_iter().try_for_each(|at| output.claim(at)?.fill(&pattern)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Calls `each` with one part after the other, with each of its segments alone if they share places.
fn one_by_one(
    part: &Part,
    dims: &[u64],
    size: usize,
    out: &mut [u8],
    each: &mut dyn FnMut(&Disjoint<'_>) -> Result<()>,
) -> Result<()> {
    if let Some(output) = Disjoint::new(out, dims, size, std::slice::from_ref(part))? {
        return each(&output);
    }
    let Some(axis) = part.axes.iter().position(|axis| axis.segments.len() > 1) else { return Ok(()) };
    let segments = part.axes.get(axis).map(|axis| axis.segments.as_slice()).unwrap_or_default();
    for segment in segments {
        let alone = |(at, whole): (usize, &PartAxis)| {
            let segments = if at == axis { [*segment].into() } else { whole.segments.clone() };
            PartAxis { segments, ..*whole }
        };
        let part = Part { axes: part.axes.iter().enumerate().map(alone).collect() };
        one_by_one(&part, dims, size, out, each)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
