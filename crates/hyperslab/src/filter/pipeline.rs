//! [`FilterPipeline`]: the filters of a dataset, undone last to first when a chunk is read.

use crate::error::{Error, ErrorKind, Place, Result};
use crate::filter::{
    bitshuffle, blosc, bzip2, deflate, fletcher32, lz4, lzf, names, nbit, scale_offset, shuffle, szip,
    szip_encode, zstd,
};

/// The filters of a dataset, in the order they are applied when writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FilterPipeline {
    pub(crate) filters: Vec<Filter>,
}

/// One filter and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The registered number, one of [`names`].
    pub(crate) id: u16,
    pub(crate) name: Option<String>,
    /// A writer may leave the filter out of a chunk that it cannot be applied to.
    pub(crate) optional: bool,
    /// The filter's parameters ("client data").
    pub(crate) client: Vec<u32>,
}

/// Buffers that decoding needs, kept between chunks; one for each thread.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    front: Vec<u8>,
    back: Vec<u8>,
    work: Work,
}

/// What single filters keep between chunks.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) inflate: deflate::Inflate,
    /// With the level it was made for.
    pub(super) deflate: Option<(u32, flate2::Compress)>,
    /// One block of a blocked format, decompressed.
    pub(super) block: Vec<u8>,
    /// Byte planes on their way back to elements.
    pub(super) planes: Vec<u8>,
}

impl FilterPipeline {
    /// Whether every chunk is stored as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Decodes a stored chunk into `out`, whose length is the size of the decoded chunk.
    ///
    /// A bit set in `mask` says that the filter at that position was left out of this chunk.
    ///
    /// # Errors
    /// `Malformed` when the bytes do not decode to exactly `out`, `Unsupported` when a filter is not built in.
    pub(crate) fn decode_into(
        &self,
        stored: &[u8],
        mask: u32,
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let applied: Vec<&Filter> = self.applied(mask).rev().collect();
        let Some((last, before)) = applied.split_last() else {
            return copy_whole(stored, out);
        };
        let most = largest_between(out.len())?;
        let Scratch { front, back, work } = scratch;
        let mut stored = stored;
        let mut held = None;
        for filter in before {
            let input = held.map_or(stored, |length| front.get(..length).unwrap_or_default());
            if filter.id == names::FLETCHER32 {
                let kept = fletcher32::verified(input).at(|| filter.label())?.len();
                match held {
                    Some(_) => held = Some(kept),
                    None => stored = stored.get(..kept).unwrap_or_default(),
                }
                continue;
            }
            let length = filter.decode(input, room(back, most), work).at(|| filter.label())?;
            std::mem::swap(front, back);
            held = Some(length);
        }
        let input = held.map_or(stored, |length| front.get(..length).unwrap_or_default());
        let length = filter_into(last, input, out, work)?;
        if length == out.len() {
            return Ok(());
        }
        Err(short(length, out.len()).at(last.label()))
    }

    /// Decodes a stored chunk of `size` decoded bytes.
    ///
    /// # Errors
    /// As [`Self::decode_into`].
    pub(crate) fn decode(&self, stored: &[u8], mask: u32, size: usize) -> Result<Vec<u8>> {
        let mut out = vec![0; size];
        self.decode_into(stored, mask, &mut out, &mut Scratch::default())?;
        Ok(out)
    }

    /// The stored form of a chunk, and the mask of the optional filters left out of it.
    ///
    /// # Errors
    /// `Unsupported` when a required filter has no encoder here, or makes the chunk much larger.
    pub(crate) fn encode(&self, raw: &[u8]) -> Result<(Vec<u8>, u32)> {
        self.encode_with(raw, &mut Scratch::default())
    }

    /// As [`encode`](Self::encode), with buffers that are kept between chunks.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) fn encode_with(&self, raw: &[u8], scratch: &mut Scratch) -> Result<(Vec<u8>, u32)> {
        let Scratch { front, back, work } = scratch;
        let most = largest_between(raw.len())?;
        // What is stored here must be read again, by a reader that bounds what it decodes.
        let check = |length: usize| {
            if length <= most {
                return Ok(length);
            }
            Err(Error::unsupported(format!(
                "it makes {length} bytes of a chunk, at most {most} are read again"
            )))
        };
        let mut mask = 0;
        let mut held = None;
        for (filter, bit) in self.filters.iter().zip(bits()) {
            let input = held.map_or(raw, |length| front.get(..length).unwrap_or_default());
            let encoded = filter.encode_into(input, back, work).and_then(check);
            match encoded {
                Ok(length) => {
                    std::mem::swap(front, back);
                    held = Some(length);
                }
                Err(error) if filter.optional && error.kind() == ErrorKind::Unsupported => mask |= bit,
                Err(error) => return Err(error.at(filter.label())),
            }
        }
        Ok((held.map_or(raw, |length| front.get(..length).unwrap_or_default()).to_vec(), mask))
    }

    fn applied(&self, mask: u32) -> impl DoubleEndedIterator<Item = &Filter> {
        let masked = move |position: usize| {
            u32::try_from(position).is_ok_and(|at| mask.checked_shr(at).is_some_and(|rest| rest & 1 == 1))
        };
        self.filters
            .iter()
            .enumerate()
            .filter(move |(position, _)| !masked(*position))
            .map(|(_, filter)| filter)
    }
}

impl Filter {
    /// For example `filter 32008 (bitshuffle)`.
    pub(crate) fn label(&self) -> String {
        match names::name_of(self.id).or(self.name.as_deref()) {
            Some(name) => format!("filter {} ({name})", self.id),
            None => format!("filter {}", self.id),
        }
    }

    /// The parameter at `position`.
    pub(super) fn parameter(&self, position: usize) -> Result<u32> {
        self.client.get(position).copied().ok_or_else(|| {
            let count = self.client.len();
            Error::malformed(format!("{count} parameters, number {position} (from 0) is needed"))
        })
    }

    /// Undoes the filter; gives the number of bytes written to the front of `out`.
    fn decode(&self, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
        match self.id {
            names::DEFLATE => deflate::decode(input, out, work),
            names::SHUFFLE => shuffle::decode(self, input, out),
            names::FLETCHER32 => copy(fletcher32::verified(input)?, out),
            names::SZIP => szip::decode(self, input, out, work),
            names::NBIT => nbit::decode(self, input, out),
            names::SCALE_OFFSET => scale_offset::decode(self, input, out),
            names::BZIP2 => bzip2::decode(input, out),
            names::LZF => lzf::decode(input, out),
            names::BLOSC => blosc::decode(input, out, work),
            names::LZ4 => lz4::decode(input, out),
            names::BITSHUFFLE => bitshuffle::decode(self, input, out, work),
            names::ZSTD => zstd::decode(input, out),
            _ => Err(Error::unsupported("it is not built in")),
        }
    }

    /// Applies the filter; gives the number of bytes written to the front of `out`, which grows.
    fn encode_into(&self, raw: &[u8], out: &mut Vec<u8>, work: &mut Work) -> Result<usize> {
        match self.id {
            names::DEFLATE => return deflate::encode(self, raw, out, work),
            names::SHUFFLE => shuffle::encode(self, raw, room(out, raw.len()))?,
            _ => {
                *out = self.encode(raw)?;
                return Ok(out.len());
            }
        }
        Ok(raw.len())
    }

    fn encode(&self, raw: &[u8]) -> Result<Vec<u8>> {
        match self.id {
            names::FLETCHER32 => Ok(fletcher32::encode(raw)),
            names::SZIP => self.worth(szip_encode::encode(self, raw)?, raw),
            names::NBIT => nbit::encode(self, raw),
            names::SCALE_OFFSET => scale_offset::encode(self, raw),
            names::LZF => self.worth(lzf::encode(raw), raw),
            names::LZ4 => lz4::encode(self, raw),
            names::BITSHUFFLE => bitshuffle::encode(self, raw),
            names::ZSTD => zstd::encode(self, raw),
            _ => Err(Error::unsupported("it has no encoder here")),
        }
    }
}

impl Filter {
    /// What was encoded, unless the filter may be left out and makes the chunk no smaller.
    fn worth(&self, encoded: Vec<u8>, raw: &[u8]) -> Result<Vec<u8>> {
        if self.optional && encoded.len() >= raw.len() {
            return Err(Error::unsupported("it does not make the chunk smaller"));
        }
        Ok(encoded)
    }
}

fn filter_into(filter: &Filter, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    filter.decode(input, out, work).at(|| filter.label())
}

/// The bits of a filter mask, lowest first.
fn bits() -> impl Iterator<Item = u32> {
    (0..u32::BITS).map(|position| 1 << position)
}

/// The most bytes a chunk of `size` takes between two filters: some add a little, and szip fills lines up to
/// whole blocks.
fn largest_between(size: usize) -> Result<usize> {
    size.checked_mul(2)
        .and_then(|most| most.checked_add(4096))
        .ok_or_else(|| Error::limit(format!("a chunk of {size} bytes is more than this machine can address")))
}

/// The first `length` bytes of `buffer`, which grows when it is shorter.
pub(super) fn room(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    buffer.get_mut(..length).unwrap_or_default()
}

/// Copies `input` to the front of `out`.
pub(super) fn copy(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let most = out.len();
    let to = out.get_mut(..input.len()).ok_or_else(|| too_long(input.len(), most))?;
    to.copy_from_slice(input);
    Ok(input.len())
}

fn copy_whole(input: &[u8], out: &mut [u8]) -> Result<()> {
    if input.len() != out.len() {
        return Err(short(input.len(), out.len()));
    }
    out.copy_from_slice(input);
    Ok(())
}

/// More bytes than the chunk can have.
pub(super) fn too_long(found: usize, most: usize) -> Error {
    Error::malformed(format!("decodes to {found} bytes, at most {most} expected"))
}

fn short(found: usize, expected: usize) -> Error {
    Error::malformed(format!("decodes to {found} bytes, expected {expected}"))
}
