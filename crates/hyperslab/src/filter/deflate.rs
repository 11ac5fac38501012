//! Deflate (1): a zlib stream.

use crate::error::{Error, Result};
use crate::filter::pipeline::{Filter, Work, room, too_long};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::fmt;

/// What inflates, kept between chunks.
#[derive(Default)]
pub(super) struct Inflate {
    #[cfg(feature = "libdeflate")]
    fast: Option<libdeflater::Decompressor>,
    plain: Option<Decompress>,
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate").finish_non_exhaustive()
    }
}

/// Inflates a zlib stream to the front of `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    #[cfg(feature = "libdeflate")]
    if let Ok(length) =
        work.inflate.fast.get_or_insert_with(libdeflater::Decompressor::new).zlib_decompress(input, out)
    {
        return Ok(length);
    }
    // Also to say what is wrong with a stream.
    decode_plainly(input, out, work)
}

fn decode_plainly(input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    let inflate = work.inflate.plain.get_or_insert_with(|| Decompress::new(true));
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

/// Writes a zlib stream at the level the filter asks for to the front of `out`, which grows; gives its length.
pub(super) fn encode(filter: &Filter, raw: &[u8], out: &mut Vec<u8>, work: &mut Work) -> Result<usize> {
    let level = strength(filter.client.first().copied().unwrap_or(6));
    let (_, deflate) = match &mut work.deflate {
        Some(kept) if kept.0 == level => {
            kept.1.reset();
            kept
        }
        other => other.insert((level, Compress::new(Compression::new(level), true))),
    };
    let mut length = raw.len().saturating_add(raw.len() / 1000).saturating_add(64);
    loop {
        let (read, written) = (count(deflate.total_in()), count(deflate.total_out()));
        let rest = raw.get(read..).unwrap_or_default();
        let room = room(out, length).get_mut(written..).unwrap_or_default();
        let status = deflate
            .compress(rest, room, FlushCompress::Finish)
            .map_err(|error| Error::limit(format!("cannot compress: {error}")))?;
        if status == Status::StreamEnd {
            return Ok(count(deflate.total_out()));
        }
        length = length.saturating_mul(2);
    }
}

/// The level of our encoder whose streams are about as long as those of zlib at `level`: its level 1 gives streams up to
/// 80 % longer, its levels 2 and 3 as short ones as zlib's 1 and 4, in less time than zlib.
fn strength(level: u32) -> u32 {
    match level {
        1 | 2 => 2,
        3 | 4 => 3,
        5 => 4,
        level => level.min(9),
    }
}

fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_plainly};
    use crate::filter::pipeline::Work;
    use flate2::{Compression, write::ZlibEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    proptest! {
        #[test]
        fn both_decoders_agree_on_streams_and_on_what_is_none(
            raw in prop::collection::vec(0_u8..9, 0..3000), level in 0_u32..10,
            change in any::<Option<(prop::sample::Index, u8)>>(), short in any::<bool>(),
        ) {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
            encoder.write_all(&raw).unwrap();
            let mut stream = encoder.finish().unwrap();
            if let Some((at, byte)) = change {
                let at = at.index(stream.len());
                stream[at] ^= byte;
            }
            let mut work = Work::default();
            let (mut one, mut other) = (vec![0; raw.len() + 9], vec![0; raw.len() + 9]);
            let room = if short { raw.len() / 2 } else { one.len() };
            let found = decode(&stream, &mut one[..room], &mut work);
            let expected = decode_plainly(&stream, &mut other[..room], &mut work);
            prop_assert_eq!(found.is_ok(), expected.is_ok());
            if let (Ok(found), Ok(expected)) = (found, expected) {
                prop_assert_eq!(&one[..found], &other[..expected]);
            }
        }
    }
}
