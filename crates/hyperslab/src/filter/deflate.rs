//! Deflate (1): a zlib stream.

use crate::error::{Error, Result};
use crate::filter::pipeline::{Filter, Work, too_long};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Inflates a zlib stream to the front of `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    let inflate = work.inflate.get_or_insert_with(|| Decompress::new(true));
    inflate.reset(true);
    let status = inflate
        .decompress(input, out, FlushDecompress::Finish)
        .map_err(|error| Error::malformed(format!("not a zlib stream: {error}")))?;
    let length = usize::try_from(inflate.total_out()).unwrap_or(usize::MAX);
    match status {
        Status::StreamEnd => Ok(length),
        _ if length >= out.len() => Err(too_long(length.saturating_add(1), out.len())),
        _ => Err(Error::malformed(format!("the zlib stream ends early, after {length} decoded bytes"))),
    }
}

/// A zlib stream at the level the filter asks for.
pub(super) fn encode(filter: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    let level = filter.client.first().copied().unwrap_or(6).min(9);
    let mut deflate = Compress::new(Compression::new(level), true);
    let mut stored = Vec::with_capacity(raw.len().saturating_add(raw.len() / 1000).saturating_add(64));
    loop {
        let read = usize::try_from(deflate.total_in()).unwrap_or(usize::MAX);
        let rest = raw.get(read..).unwrap_or_default();
        let status = deflate
            .compress_vec(rest, &mut stored, FlushCompress::Finish)
            .map_err(|error| Error::limit(format!("cannot compress: {error}")))?;
        if status == Status::StreamEnd {
            return Ok(stored);
        }
        stored.reserve(stored.capacity().max(64));
    }
}
