//! Zstandard (32015): frames of zstd.

use crate::error::{Error, Result};
use crate::filter::pipeline::Filter;

/// Decompresses to the front of `out`.
#[cfg(feature = "zstd")]
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    zstd::bulk::decompress_to_buffer(input, out).map_err(|error| malformed(&error))
}

/// Decompresses to the front of `out`.
#[cfg(not(feature = "zstd"))]
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    /// The window of zstd's highest ordinary level; a chunk needs no larger one than itself.
    const WINDOW: u64 = 8 << 20;
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    decoder.set_max_window_size(WINDOW.max(u64::try_from(out.len()).unwrap_or(u64::MAX)));
    decoder.decode_all(input, out).map_err(|error| malformed(&error))
}

fn malformed(error: &dyn std::error::Error) -> Error {
    Error::malformed(format!("not a zstd frame that fits the chunk: {error}"))
}

/// One frame at the level the filter asks for, 3 when it does not.
#[cfg(feature = "zstd")]
pub(super) fn encode(filter: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    let level = filter.client.first().and_then(|level| i32::try_from(*level).ok()).filter(|level| *level > 0);
    compress(raw, level.unwrap_or(3))
}

/// One frame at `level`.
#[cfg(feature = "zstd")]
pub(super) fn compress(raw: &[u8], level: i32) -> Result<Vec<u8>> {
    zstd::bulk::compress(raw, level.min(22))
        .map_err(|error| Error::limit(format!("cannot compress: {error}")))
}

/// Needs the feature `zstd`.
#[cfg(not(feature = "zstd"))]
pub(super) fn encode(_: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    compress(raw, 3)
}

/// Needs the feature `zstd`.
#[cfg(not(feature = "zstd"))]
pub(super) fn compress(_: &[u8], _: i32) -> Result<Vec<u8>> {
    Err(Error::unsupported("its encoder is not built in; enable feature \"zstd\""))
}
