//! N-bit (5): only the significant bits of each number, packed without gaps.

use crate::error::{Error, Result, to_usize};
use crate::filter::bits::{BitSink, Bits};
use crate::filter::pipeline::{Filter, copy, too_long};

const ATOMIC: u32 = 1;
const ARRAY: u32 = 2;
const COMPOUND: u32 = 3;
const NO_OPERATION: u32 = 4;
/// Datatypes inside datatypes, more than any file has.
const DEEPEST: usize = 32;

/// What the parameters say about one element.
#[derive(Clone, Debug)]
struct Shape {
    /// Bytes in the decoded chunk.
    size: usize,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Atomic(Atomic),
    Array(Box<Shape>),
    /// Each member with its offset.
    Compound(Vec<(usize, Shape)>),
    Whole,
}

#[derive(Clone, Copy, Debug)]
struct Atomic {
    big_endian: bool,
    precision: usize,
    offset: usize,
}

/// Reads the parameters one after another.
struct Parameters<'a>(std::slice::Iter<'a, u32>);

impl Parameters<'_> {
    fn next(&mut self) -> Result<u32> {
        self.0.next().copied().ok_or_else(|| Error::malformed("the parameters end early"))
    }

    fn size(&mut self) -> Result<usize> {
        match to_usize(u64::from(self.next()?))? {
            0 => Err(Error::malformed("a datatype has size 0")),
            size => Ok(size),
        }
    }

    fn shape(&mut self, depth: usize) -> Result<Shape> {
        if depth > DEEPEST {
            return Err(Error::limit(format!("datatypes are nested deeper than {DEEPEST}")));
        }
        let class = self.next()?;
        let size = self.size()?;
        let kind = match class {
            ATOMIC => Kind::Atomic(self.atomic(size)?),
            ARRAY => Kind::Array(Box::new(self.base(size, depth)?)),
            COMPOUND => Kind::Compound(self.members(size, depth)?),
            NO_OPERATION => Kind::Whole,
            other => return Err(Error::malformed(format!("datatype class is {other}, expected 1 to 4"))),
        };
        Ok(Shape { size, kind })
    }

    fn atomic(&mut self, size: usize) -> Result<Atomic> {
        let order = self.next()?;
        let precision = to_usize(u64::from(self.next()?))?;
        let offset = to_usize(u64::from(self.next()?))?;
        let bits = size.saturating_mul(8);
        if order > 1 || precision == 0 || precision.saturating_add(offset) > bits {
            return Err(Error::malformed(format!(
                "{precision} bits at offset {offset} in order {order}, expected at most {bits} in order 0 or 1"
            )));
        }
        Ok(Atomic { big_endian: order == 1, precision, offset })
    }

    fn base(&mut self, size: usize, depth: usize) -> Result<Shape> {
        let base = self.shape(depth.saturating_add(1))?;
        // An array of something that is stored whole is stored whole itself.
        match base.kind {
            Kind::Whole => Ok(Shape { size, ..base }),
            _ if base.size > size => {
                Err(Error::malformed(format!("array of {size} bytes has larger elements")))
            }
            _ => Ok(base),
        }
    }

    fn members(&mut self, size: usize, depth: usize) -> Result<Vec<(usize, Shape)>> {
        let count = self.next()?;
        let mut members = Vec::new();
        let mut used = 0_usize;
        for _ in 0..count {
            let offset = to_usize(u64::from(self.next()?))?;
            let member = self.shape(depth.saturating_add(1))?;
            used = used.saturating_add(member.size);
            if used > size || offset.saturating_add(member.size) > size {
                return Err(Error::malformed(format!("members take more than the compound's {size} bytes")));
            }
            members.push((offset, member));
        }
        Ok(members)
    }
}

impl Shape {
    fn decode(&self, bits: &mut Bits<'_>, out: &mut [u8]) -> Result<()> {
        match &self.kind {
            Kind::Atomic(atomic) => atomic.decode(bits, out),
            Kind::Array(base) => {
                out.chunks_exact_mut(base.size).try_for_each(|element| base.decode(bits, element))
            }
            Kind::Compound(members) => members.iter().try_for_each(|(offset, member)| {
                let end = offset.saturating_add(member.size);
                member.decode(bits, out.get_mut(*offset..end).unwrap_or_default())
            }),
            Kind::Whole => out.iter_mut().try_for_each(|byte| {
                *byte = low_byte(bits.take(8)?);
                Ok(())
            }),
        }
    }
}

impl Shape {
    fn encode(&self, element: &[u8], bits: &mut BitSink) {
        match &self.kind {
            Kind::Atomic(atomic) => atomic.encode(element, bits),
            Kind::Array(base) => element.chunks_exact(base.size).for_each(|one| base.encode(one, bits)),
            Kind::Compound(members) => members.iter().for_each(|(offset, member)| {
                let end = offset.saturating_add(member.size);
                member.encode(element.get(*offset..end).unwrap_or_default(), bits);
            }),
            Kind::Whole => element.iter().for_each(|byte| bits.put(u64::from(*byte), 8)),
        }
    }
}

impl Atomic {
    /// The bytes of a number from the most significant on, of each only the bits that count.
    fn encode(&self, element: &[u8], bits: &mut BitSink) {
        if element.len() <= 8 {
            let append = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
            let value = if self.big_endian {
                element.iter().fold(0, append)
            } else {
                element.iter().rev().fold(0, append)
            };
            let precision = u32::try_from(self.precision).unwrap_or(0);
            let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
            return bits.put(value.checked_shr(offset).unwrap_or(0), precision);
        }
        for (position, from, count) in self.bytes(element.len()) {
            let byte = element.get(position).copied().unwrap_or(0);
            bits.put(u64::from(byte >> from), count);
        }
    }

    /// Bytes that hold significant bits, the most significant first: position, lowest bit, number of bits.
    fn bytes(&self, size: usize) -> impl Iterator<Item = (usize, u32, u32)> {
        let Self { big_endian, offset, precision } = *self;
        let end = precision.saturating_add(offset);
        (offset / 8..end.div_ceil(8)).rev().map(move |byte| {
            let lowest = offset.max(byte.saturating_mul(8));
            let highest = end.min(byte.saturating_add(1).saturating_mul(8));
            let count = u32::try_from(highest.abs_diff(lowest)).unwrap_or(0);
            let from = u32::try_from(lowest % 8).unwrap_or(0);
            let position = if big_endian { size.saturating_sub(1).saturating_sub(byte) } else { byte };
            (position, from, count)
        })
    }

    /// Reads one number and puts it at its offset, the other bits being zero.
    fn decode(&self, bits: &mut Bits<'_>, out: &mut [u8]) -> Result<()> {
        if out.len() <= 8 {
            let precision = u32::try_from(self.precision).unwrap_or(u32::MAX);
            let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
            let value = bits.take(precision)?.checked_shl(offset).unwrap_or(0);
            let bytes = value.to_le_bytes();
            let bytes = bytes.iter().take(out.len());
            if self.big_endian {
                out.iter_mut().zip(bytes.rev()).for_each(|(to, from)| *to = *from);
            } else {
                out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            }
            return Ok(());
        }
        self.decode_wide(bits, out)
    }

    /// A number of more than eight bytes, byte by byte from the most significant.
    fn decode_wide(&self, bits: &mut Bits<'_>, out: &mut [u8]) -> Result<()> {
        out.fill(0);
        for (position, from, count) in self.bytes(out.len()) {
            let value = low_byte(bits.take(count)? << from);
            if let Some(to) = out.get_mut(position) {
                *to = value;
            }
        }
        Ok(())
    }
}

fn low_byte(value: u64) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

/// Decodes to the front of `out`.
pub(super) fn decode(filter: &Filter, input: &[u8], out: &mut [u8]) -> Result<usize> {
    if filter.parameter(1)? != 0 {
        return copy(input, out);
    }
    let count = to_usize(u64::from(filter.parameter(2)?))?;
    let shape = Parameters(filter.client.get(3..).unwrap_or_default().iter()).shape(0)?;
    let size = count.saturating_mul(shape.size);
    let most = out.len();
    let out = out.get_mut(..size).ok_or_else(|| too_long(size, most))?;
    if !matches!(shape.kind, Kind::Atomic(_)) {
        out.fill(0);
    }
    let mut bits = Bits::new(input);
    out.chunks_exact_mut(shape.size).try_for_each(|element| shape.decode(&mut bits, element))?;
    Ok(size)
}

/// The stored form of a chunk; as libhdf5 does, a byte longer than it need be when its bits fill the last byte.
pub(super) fn encode(filter: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    if filter.parameter(1)? != 0 {
        return Ok(raw.to_vec());
    }
    let count = to_usize(u64::from(filter.parameter(2)?))?;
    let shape = Parameters(filter.client.get(3..).unwrap_or_default().iter()).shape(0)?;
    if count.checked_mul(shape.size) != Some(raw.len()) {
        let (size, length) = (shape.size, raw.len());
        return Err(Error::usage(format!("{length} bytes are not {count} elements of {size} bytes")));
    }
    let mut bits = BitSink::after(Vec::new(), raw.len());
    raw.chunks_exact(shape.size).for_each(|element| shape.encode(element, &mut bits));
    bits.put(0, 1);
    Ok(bits.finish())
}
