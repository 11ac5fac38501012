//! Bzip2 (307): a bzip2 stream.

use crate::error::{Error, Result};
use crate::filter::pipeline::too_long;
use bzip2::{Decompress, Status};

/// Decompresses to the front of `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut decoder = Decompress::new(false);
    loop {
        let (read, written) = (total(decoder.total_in()), total(decoder.total_out()));
        let rest = input.get(read..).unwrap_or_default();
        let status = decoder
            .decompress(rest, out.get_mut(written..).unwrap_or_default())
            .map_err(|error| Error::malformed(format!("not a bzip2 stream: {error}")))?;
        let length = total(decoder.total_out());
        if status == Status::StreamEnd {
            return Ok(length);
        }
        if total(decoder.total_in()) == read && length == written {
            if length >= out.len() {
                return Err(too_long(length.saturating_add(1), out.len()));
            }
            return Err(Error::malformed(format!(
                "the bzip2 stream ends early, after {length} decoded bytes"
            )));
        }
    }
}

fn total(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
