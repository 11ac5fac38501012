//! Scale-offset (6): differences from the smallest value, in as few bits as the largest one needs.

use crate::error::{Error, Result, to_usize};
use crate::filter::bits::{BitSink, Bits};
use crate::filter::pipeline::{Filter, copy, too_long};

/// Bytes before the packed values: bits per value, size of the smallest value, the value, padding.
const HEADER: usize = 21;

/// The parameters of the filter.
#[derive(Clone, Copy, Debug)]
struct Parameters {
    count: usize,
    /// Bytes of an element: 1, 2, 4 or 8.
    size: usize,
    scaling: Scaling,
    big_endian: bool,
    signed: bool,
    /// The fill value's bits, when there is one; the largest packed value stands for it.
    fill: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scaling {
    /// Integers, and the bits asked for; 0 when they are found from the data.
    Integer { bits: u32 },
    /// Floats multiplied by a power of ten.
    Decimal { exponent: i32 },
}

impl Parameters {
    fn of(filter: &Filter) -> Result<Self> {
        let factor = i32::from_le_bytes(filter.parameter(1)?.to_le_bytes());
        let size = to_usize(u64::from(filter.parameter(4)?))?;
        let (kind, class) = (filter.parameter(0)?, filter.parameter(3)?);
        let scaling = match (class, kind) {
            (0, 2) => Scaling::Integer { bits: u32::try_from(factor).unwrap_or(0) },
            (1, 0) => Scaling::Decimal { exponent: factor },
            (1, 1) => return Err(Error::unsupported("scaling floats by a power of two is not defined")),
            _ => {
                return Err(Error::malformed(format!(
                    "scale type {kind} does not fit datatype class {class}"
                )));
            }
        };
        let sizes: &[usize] = if class == 0 { &[1, 2, 4, 8] } else { &[4, 8] };
        if !sizes.contains(&size) {
            return Err(Error::malformed(format!("elements have {size} bytes, expected one of {sizes:?}")));
        }
        let fill = match filter.parameter(7)? {
            0 => None,
            1 => Some(
                u64::from(filter.parameter(8)?)
                    | (u64::from(filter.client.get(9).copied().unwrap_or(0)) << 32),
            ),
            known => {
                let message = format!("whether there is a fill value is {known:#x}, expected 0 or 1");
                return Err(Error::malformed(message));
            }
        };
        let count = to_usize(u64::from(filter.parameter(2)?))?;
        let (signed, big_endian) = (filter.parameter(5)? == 1, filter.parameter(6)? == 1);
        Ok(Self { count, size, scaling, big_endian, signed, fill })
    }

    fn width(&self) -> u32 {
        u32::try_from(self.size.saturating_mul(8)).unwrap_or(u32::MAX)
    }

    /// Unpacks values of `width` bits each and hands them to `value`, which gives an element's bits.
    fn unpack(&self, packed: &[u8], width: u32, out: &mut [u8], value: impl Fn(u64) -> u64) -> Result<()> {
        let mut bits = Bits::new(packed);
        for element in out.chunks_exact_mut(self.size) {
            let bytes = value(bits.take(width)?).to_le_bytes();
            let bytes = bytes.iter().take(self.size);
            if self.big_endian {
                element.iter_mut().zip(bytes.rev()).for_each(|(to, from)| *to = *from);
            } else {
                element.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            }
        }
        Ok(())
    }

    fn unpack_integers(&self, packed: &[u8], width: u32, smallest: u64, out: &mut [u8]) -> Result<()> {
        let Some(fill) = self.fill else {
            return self.unpack(packed, width, out, |value| value.wrapping_add(smallest));
        };
        let stands_for_fill = stands_for_fill(width);
        self.unpack(packed, width, out, |value| {
            if value == stands_for_fill { fill } else { value.wrapping_add(smallest) }
        })
    }

    fn unpack_floats(&self, packed: &[u8], width: u32, smallest: u64, out: &mut [u8]) -> Result<()> {
        let Scaling::Decimal { exponent } = self.scaling else { return Ok(()) };
        let (fill, none) = (self.fill.unwrap_or(0), self.fill.is_none());
        let stands_for_fill = stands_for_fill(width);
        let is_value = |value: u64| none || value != stands_for_fill;
        if self.size == 4 {
            #[expect(clippy::cast_precision_loss, reason = "libhdf5 computes in the element's own precision")]
            let scale = 10_f32.powf(exponent as f32);
            let smallest = f32::from_bits(low_half(smallest));
            return self.unpack(packed, width, out, |value| {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "libhdf5 computes in the element's own precision"
                )]
                let float = low_half(value).cast_signed() as f32 / scale + smallest;
                if is_value(value) { u64::from(float.to_bits()) } else { fill }
            });
        }
        let scale = 10_f64.powf(f64::from(exponent));
        let smallest = f64::from_bits(smallest);
        self.unpack(packed, width, out, |value| {
            #[expect(clippy::cast_precision_loss, reason = "libhdf5 computes in the element's own precision")]
            let float = value.cast_signed() as f64 / scale + smallest;
            if is_value(value) { float.to_bits() } else { fill }
        })
    }
}

/// The packed value that means the fill value: all ones.
fn stands_for_fill(width: u32) -> u64 {
    1_u64.checked_shl(width).unwrap_or(0).wrapping_sub(1)
}

fn low_half(bits: u64) -> u32 {
    let [a, b, c, d, ..] = bits.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Decodes to the front of `out`.
pub(super) fn decode(filter: &Filter, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let parameters = Parameters::of(filter)?;
    let full = parameters.width();
    if let Scaling::Integer { bits } = parameters.scaling {
        if bits > full {
            return Err(Error::malformed(format!("{bits} bits per value, elements have {full}")));
        }
        if bits == full {
            return copy(input, out);
        }
    }
    let size = parameters.count.saturating_mul(parameters.size);
    let most = out.len();
    let out = out.get_mut(..size).ok_or_else(|| too_long(size, most))?;
    let (header, packed) = input
        .split_first_chunk::<HEADER>()
        .ok_or_else(|| Error::malformed(format!("{} bytes hold no header of {HEADER} bytes", input.len())))?;
    let [a, b, c, d, length, smallest @ ..] = header;
    let width = u32::from_le_bytes([*a, *b, *c, *d]);
    let length = usize::from(*length).min(8);
    let smallest =
        smallest.iter().take(length).rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    if width > full {
        return Err(Error::malformed(format!("{width} bits per value, elements have {full}")));
    }
    if width == full {
        parameters.unpack_whole(packed, out)?;
    } else if matches!(parameters.scaling, Scaling::Integer { .. }) {
        parameters.unpack_integers(packed, width, smallest, out)?;
    } else {
        parameters.unpack_floats(packed, width, smallest, out)?;
    }
    Ok(size)
}

impl Parameters {
    /// Elements that are stored whole, in the order of bytes of the machine that wrote them: little endian.
    fn unpack_whole(&self, packed: &[u8], out: &mut [u8]) -> Result<()> {
        let from = packed.get(..out.len()).ok_or_else(|| {
            let (found, expected) = (packed.len(), out.len());
            Error::malformed(format!("{found} bytes of whole elements, expected {expected}"))
        })?;
        out.copy_from_slice(from);
        if self.big_endian {
            out.chunks_exact_mut(self.size).for_each(<[u8]>::reverse);
        }
        Ok(())
    }
}

/// What becomes of the elements of a chunk.
struct Packed {
    /// Bits per value.
    width: u32,
    /// The smallest element's bits.
    smallest: u64,
    /// Values to be packed; none when the elements are stored whole.
    values: Option<Vec<u64>>,
}

/// The stored form of a chunk, the same as libhdf5 gives.
pub(super) fn encode(filter: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    let parameters = Parameters::of(filter)?;
    let full = parameters.width();
    if let Scaling::Integer { bits } = parameters.scaling {
        if bits > full {
            return Err(Error::usage(format!("{bits} bits per value, elements have {full}")));
        }
        if bits == full {
            return Ok(raw.to_vec());
        }
    }
    let (count, size) = (parameters.count, parameters.size);
    if count.checked_mul(size) != Some(raw.len()) {
        return Err(Error::usage(format!("{} bytes are not {count} elements of {size} bytes", raw.len())));
    }
    let packed = match parameters.scaling {
        Scaling::Integer { bits } => parameters.pack_integers(&parameters.load(raw), bits),
        Scaling::Decimal { exponent } => parameters.pack_floats(&parameters.load(raw), exponent),
    };
    let mut stored = packed.width.to_le_bytes().to_vec();
    stored.push(8);
    stored.extend_from_slice(&packed.smallest.to_le_bytes());
    stored.resize(HEADER, 0);
    let Some(values) = packed.values else {
        stored.extend_from_slice(raw);
        if parameters.big_endian {
            stored.get_mut(HEADER..).unwrap_or_default().chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        return Ok(stored);
    };
    let mut bits = BitSink::after(stored, raw.len());
    for value in &values {
        bits.put(*value, packed.width);
    }
    // A byte more than needed when the bits fill the last one, as libhdf5 does.
    bits.put(0, 1);
    Ok(bits.finish())
}

impl Parameters {
    /// The bits of each element.
    fn load(&self, raw: &[u8]) -> Vec<u64> {
        let append = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        let elements = raw.chunks_exact(self.size);
        if self.big_endian {
            elements.map(|element| element.iter().fold(0, append)).collect()
        } else {
            elements.map(|element| element.iter().rev().fold(0, append)).collect()
        }
    }

    /// Differences from the smallest; `bits` of each, 0 for as many as the largest needs.
    fn pack_integers(&self, elements: &[u64], bits: u32) -> Packed {
        let full = self.width();
        let mask = stands_for_fill(full);
        // Flipping the sign puts signed numbers in the order of unsigned ones.
        let sign = if self.signed { 1 << (full - 1) } else { 0 };
        let filler = self.fill.map(|fill| fill & mask);
        let kept =
            || elements.iter().filter(|element| Some(**element) != filler).map(|element| element ^ sign);
        let (lowest, highest) = (kept().min().unwrap_or(sign), kept().max().unwrap_or(sign));
        let range = highest - lowest;
        if bits == 0 && range > mask - 2 {
            return Packed { width: full, smallest: 0, values: None };
        }
        let smallest = lowest ^ sign;
        let width = if bits == 0 { bits_for(range + 1 + u64::from(filler.is_some())) } else { bits };
        let negative = smallest & sign != 0;
        let extended = if negative { smallest | !mask } else { smallest };
        if width >= full {
            return Packed { width: full, smallest: extended, values: None };
        }
        let value = |element: &u64| match filler {
            Some(filler) if *element == filler => stands_for_fill(width),
            _ => element.wrapping_sub(smallest) & mask,
        };
        Packed { width, smallest: extended, values: Some(elements.iter().map(value).collect()) }
    }

    fn pack_floats(&self, elements: &[u64], exponent: i32) -> Packed {
        if self.size == 4 {
            let floats: Vec<f32> = elements.iter().map(|bits| f32::from_bits(low_half(*bits))).collect();
            let fill = self.fill.map(|fill| f32::from_bits(low_half(fill)));
            return pack_singles(&floats, fill, exponent);
        }
        let floats: Vec<f64> = elements.iter().map(|bits| f64::from_bits(*bits)).collect();
        pack_doubles(&floats, self.fill.map(f64::from_bits), exponent)
    }
}

/// Bits that hold the numbers below `count`.
fn bits_for(count: u64) -> u32 {
    u64::BITS - count.saturating_sub(1).leading_zeros()
}

macro_rules! pack_floats {
    ($name:ident, $float:ident) => {
        /// Differences from the smallest in units of `10^-exponent`, computed as libhdf5 does; where it would lose
        /// what is not finite, the elements are stored whole.
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_lossless,
            reason = "libhdf5 computes in the element's own precision, and packs only the low bits"
        )]
        fn $name(elements: &[$float], fill: Option<$float>, exponent: i32) -> Packed {
            // 24 bits of mantissa in 32, 53 in 64.
            let full = $float::MANTISSA_DIGITS.next_power_of_two();
            let whole = |smallest: $float| Packed {
                width: full,
                smallest: u64::from(smallest.to_bits()),
                values: None,
            };
            let ten: $float = 10.0;
            let (scale, unit) = (ten.powf(exponent as $float), ten.powf(-exponent as $float));
            let wide_unit = 10_f64.powf(-f64::from(exponent));
            let wide_fill =
                |element: $float| fill.is_some_and(|fill| f64::from((element - fill).abs()) < wide_unit);
            let is_fill = |element: $float| fill.is_some_and(|fill| (element - fill).abs() < unit);
            if elements.iter().any(|element| !element.is_finite()) {
                return whole(0.0);
            }
            let kept = || elements.iter().copied().filter(|element| !wide_fill(*element));
            let smallest =
                kept().reduce(|least, next| if next < least { next } else { least }).unwrap_or(0.0);
            let largest = kept().reduce(|most, next| if next > most { next } else { most }).unwrap_or(0.0);
            let spread = (largest * scale - smallest * scale).round();
            let most = (2.0 as $float).powf((full - 1) as $float);
            if spread.is_nan() || spread > most {
                return whole(0.0);
            }
            let width = bits_for(spread as u64 + 1 + u64::from(fill.is_some()));
            if width >= full {
                return whole(smallest);
            }
            let value = |element: &$float| {
                if is_fill(*element) {
                    stands_for_fill(width)
                } else {
                    ((element * scale - smallest * scale).round() as i64).cast_unsigned()
                }
            };
            let values = Some(elements.iter().map(value).collect());
            Packed { width, smallest: u64::from(smallest.to_bits()), values }
        }
    };
}
pack_floats!(pack_singles, f32);
pack_floats!(pack_doubles, f64);

#[cfg(test)]
mod tests {
    use super::{Parameters, decode};
    use crate::filter::Filter;
    use crate::filter::create::Scale;

    #[test]
    fn a_fill_value_is_there_or_not() {
        let mut filter = Filter::scale_offset(Scale::Bits(0));
        for (says, there) in [(0, Some(false)), (1, Some(true)), (0x80_0001, None)] {
            filter.client = vec![2, 0, 12, 0, 4, 1, 0, says, 7, 0];
            let parameters = Parameters::of(&filter).map(|parameters| parameters.fill.is_some());
            assert_eq!(parameters.ok(), there, "{says:#x}");
        }
        let error = decode(&filter, &[0; 40], &mut [0; 48]).unwrap_err().to_string();
        assert!(error.contains("whether there is a fill value is 0x800001, expected 0 or 1"), "{error}");
    }
}
