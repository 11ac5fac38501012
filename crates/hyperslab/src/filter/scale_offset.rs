//! Scale-offset (6): differences from the smallest value, in as few bits as the largest one needs.

use crate::error::{Error, Result, to_usize};
use crate::filter::bits::Bits;
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
            _ => Some(
                u64::from(filter.parameter(8)?)
                    | (u64::from(filter.client.get(9).copied().unwrap_or(0)) << 32),
            ),
        };
        let count = to_usize(u64::from(filter.parameter(2)?))?;
        Ok(Self { count, size, scaling, big_endian: filter.parameter(6)? == 1, fill })
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
