//! Chunks as they are stored, past filters and conversion.

use crate::error::{Error, Result, to_usize};
use crate::layout::chunked::is_edge;
use crate::layout::chunked_mut::{ChunkSet, Outgoing};
use crate::layout::execute::{Linear, Stored};
use crate::layout::write::{ElementsMut, LayoutMut};
use crate::layout::{Elements, Layout};

/// The stored bytes of a chunk and the mask of the filters that were left out of it; `None` when it was
/// never written. `coords` count chunks.
///
/// # Errors
/// `Usage` when the elements are not in chunks or there is no such chunk; `Io` or `Malformed` when it
/// cannot be read.
pub(crate) fn read_chunk(elements: &Elements<'_>, coords: &[u64]) -> Result<Option<(Vec<u8>, u32)>> {
    let Layout::Chunked { grid, index, pipeline, edge_unfiltered, cache, .. } = elements.layout else {
        return Err(Error::usage("the dataset is not stored in chunks"));
    };
    check(&grid.dims, &grid.chunk, coords)?;
    if let Some((tile, true)) = cache.and_then(|cache| cache.get(coords)) {
        let raw = edge_unfiltered && is_edge(grid, coords);
        return if raw { Ok(Some((tile.to_vec(), 0))) } else { pipeline.encode(&tile).map(Some) };
    }
    let Some(index) = index else { return Ok(None) };
    let Some(stored) = index.lookup(elements.metadata, coords)? else { return Ok(None) };
    let linear = Linear::of(elements.metadata);
    if pipeline.is_empty() {
        linear.check(stored.address.0, stored.size)?;
    } else {
        linear.check_whole(stored.address.0, stored.size)?;
    }
    let mut bytes = crate::layout::fresh::zeroed(to_usize(stored.size)?)?;
    linear.read(stored.address.0, &mut bytes)?;
    Ok(Some((bytes, stored.filter_mask)))
}

/// Stores `bytes`, encoded by all filters but those of `mask`, as a chunk. `coords` count chunks.
///
/// # Errors
/// `Usage` when the elements are not in chunks, there is no such chunk, or without filters when `bytes` is
/// not a chunk long; `Io` when it cannot be written.
pub(crate) fn write_chunk(
    elements: &mut ElementsMut<'_>,
    coords: &[u64],
    bytes: &[u8],
    mask: u32,
) -> Result<()> {
    let mut writer = elements.chunks()?;
    let ChunkSet { grid, pipeline, cache, .. } = writer.set;
    check(&grid.dims, &grid.chunk, coords)?;
    if bytes.is_empty() || (pipeline.is_empty() && bytes.len() != writer.bytes) {
        return Err(Error::usage(format!("{} bytes for a chunk of {}", bytes.len(), writer.bytes)));
    }
    let old = writer.index().lookup(writer.metadata, coords)?;
    writer.store(&[Outgoing { coords, old, bytes, mask, changed: 0..bytes.len() }])?;
    cache.forget(coords);
    Ok(())
}

fn check(dims: &[u64], chunk: &[u64], coords: &[u64]) -> Result<()> {
    let axes = coords.iter().zip(chunk).zip(dims);
    let inside = axes.into_iter().all(|((at, chunk), dim)| *at < dim.div_ceil((*chunk).max(1)));
    if inside && coords.len() == dims.len() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "there is no chunk {coords:?} in an extent of {dims:?} with chunks of {chunk:?}"
    )))
}

/// Stores every chunk of the cache that the file does not have; of other layouts there is nothing to do.
///
/// # Errors
/// `Io` when the file cannot be written; what an encoder says.
pub(crate) fn flush(elements: &mut ElementsMut<'_>) -> Result<()> {
    match elements.layout {
        LayoutMut::Chunked(_) => elements.chunks()?.flush(),
        _ => Ok(()),
    }
}

/// Makes the stored elements those of an extent of `dims`; `elements` still has the old one. The caller
/// stores the new extent.
///
/// # Errors
/// `Usage` when the elements are not in chunks; `Io` or `Malformed` when they cannot be changed.
pub(crate) fn resize(elements: &mut ElementsMut<'_>, dims: &[u64]) -> Result<()> {
    elements.chunks()?.resize(dims)
}

/// Stores fill values for everything that an extent of `old` did not have, before anything is written.
///
/// # Errors
/// `Io` when the file cannot be written; what an encoder says.
pub(crate) fn allocate(elements: &mut ElementsMut<'_>, old: &[u64]) -> Result<()> {
    match elements.layout {
        LayoutMut::Chunked(_) => elements.chunks()?.allocate(old),
        LayoutMut::Contiguous { .. } => elements.allocate_run(),
        LayoutMut::Compact(_) | LayoutMut::External { .. } => Ok(()),
    }
}
