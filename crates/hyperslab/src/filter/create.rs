//! Filters by name, and the parameters that a filter takes from the datatype, the chunk and the fill value.

use crate::datatype::{ByteOrder, Class, Datatype};
use crate::error::{Error, Place, Result};
use crate::filter::names;
use crate::filter::pipeline::{Filter, FilterPipeline};

/// Parameters libhdf5 gives scale-offset, whatever of them it uses.
const SCALE_OFFSET_PARAMETERS: usize = 20;
/// Parameters n-bit may have.
const NBIT_PARAMETERS: usize = 4096;
/// Options of szip: blocks may be split at bit 13, the bytes have no header of their own, and their order.
const SZIP_ALWAYS: u32 = 1 | 128;
const SZIP_ENTROPY: u32 = 4;
const SZIP_LITTLE: u32 = 8;
const SZIP_BIG: u32 = 16;
const SZIP_NEAREST: u32 = 32;
/// Limits of szip: samples per block, blocks and samples per scanline.
const SZIP_LARGEST_BLOCK: u32 = 32;
const SZIP_BLOCKS: u32 = 128;
/// Versions that h5py's lzf and bitshuffle leave in their parameters.
const LZF_VERSIONS: [u32; 2] = [4, 0x0105];
const BITSHUFFLE_VERSION: [u32; 2] = [0, 4];

/// What scale-offset keeps of each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// So many bits of an integer; 0: as many as needed.
    Bits(u32),
    /// So many decimal digits behind the point of a float.
    Digits(i32),
}

/// How szip prepares samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SzipCoding {
    /// As they are.
    Entropy,
    /// As differences from the one before.
    NearestNeighbour,
}

/// What compresses the bit planes of bitshuffle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BitshuffleCompression {
    None,
    Lz4,
    /// At a level from 1 to 22.
    Zstd(u32),
}

/// Constructors; what a filter takes from the dataset is filled in by [`FilterPipeline::prepared`].
impl Filter {
    fn named(id: u16, name: &str, client: &[u32]) -> Self {
        Self { id, name: Some(name.to_owned()), optional: true, client: client.to_vec() }
    }

    /// A zlib stream at a level from 0 to 9.
    pub(crate) fn deflate(level: u32) -> Self {
        Self::named(names::DEFLATE, "deflate", &[level.min(9)])
    }

    pub(crate) fn shuffle() -> Self {
        Self::named(names::SHUFFLE, "shuffle", &[])
    }

    pub(crate) fn fletcher32() -> Self {
        Self { optional: false, ..Self::named(names::FLETCHER32, "fletcher32", &[]) }
    }

    pub(crate) fn lzf() -> Self {
        Self::named(names::LZF, "lzf", &LZF_VERSIONS)
    }

    pub(crate) fn nbit() -> Self {
        Self::named(names::NBIT, "nbit", &[])
    }

    pub(crate) fn scale_offset(scale: Scale) -> Self {
        let client = match scale {
            Scale::Bits(bits) => [2, bits],
            Scale::Digits(digits) => [0, digits.cast_unsigned()],
        };
        Self::named(names::SCALE_OFFSET, "scaleoffset", &client)
    }

    /// # Errors
    /// `Usage` unless `pixels`, the samples of a block, are even and at most 32.
    pub(crate) fn szip(coding: SzipCoding, pixels: u32) -> Result<Self> {
        if pixels == 0 || pixels % 2 == 1 || pixels > SZIP_LARGEST_BLOCK {
            return Err(Error::usage(format!(
                "szip with {pixels} pixels per block, an even number up to {SZIP_LARGEST_BLOCK} expected"
            )));
        }
        let coding = match coding {
            SzipCoding::Entropy => SZIP_ENTROPY,
            SzipCoding::NearestNeighbour => SZIP_NEAREST,
        };
        Ok(Self::named(names::SZIP, "szip", &[SZIP_ALWAYS | coding, pixels]))
    }

    /// LZ4 in one block.
    pub(crate) fn lz4() -> Self {
        let name = "HDF5 lz4 filter; see https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md";
        Self::named(names::LZ4, name, &[0])
    }

    /// Zstandard at a level from 1 to 22.
    pub(crate) fn zstd(level: u32) -> Self {
        let name = "HDF5 zstd filter; see https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md";
        Self::named(names::ZSTD, name, &[level])
    }

    pub(crate) fn bitshuffle(compression: BitshuffleCompression) -> Self {
        let [major, minor] = BITSHUFFLE_VERSION;
        let mut client = vec![major, minor, 0, 0];
        match compression {
            BitshuffleCompression::None => client.push(0),
            BitshuffleCompression::Lz4 => client.push(2),
            BitshuffleCompression::Zstd(level) => client.extend([3, level]),
        }
        Self::named(names::BITSHUFFLE, "bitshuffle; see https://github.com/kiyo-masui/bitshuffle", &client)
    }
}

/// What filters may take from a dataset.
struct Dataset<'a> {
    datatype: &'a Datatype,
    /// Elements of a chunk along each axis.
    chunk: &'a [u64],
    /// One element, or nothing for zero; none when elements have no fill value.
    fill: Option<&'a [u8]>,
}

impl FilterPipeline {
    /// The same filters with the parameters that depend on the dataset, as libhdf5 and the plugins set them.
    ///
    /// `fill` is one element or empty for zero, none when the fill value is undefined.
    ///
    /// # Errors
    /// `Usage` when a filter cannot work on the datatype or the chunk.
    pub(crate) fn prepared(&self, datatype: &Datatype, chunk: &[u64], fill: Option<&[u8]>) -> Result<Self> {
        let dataset = Dataset { datatype, chunk, fill };
        let prepare = |filter: &Filter| {
            let client = dataset.client(filter).at(|| filter.label())?;
            Ok(Filter { client, ..filter.clone() })
        };
        Ok(Self { filters: self.filters.iter().map(prepare).collect::<Result<_>>()? })
    }
}

impl Dataset<'_> {
    fn client(&self, filter: &Filter) -> Result<Vec<u32>> {
        let size = narrow(self.datatype.size() as u64)?;
        let mut client = filter.client.clone();
        match filter.id {
            names::SHUFFLE => client = vec![size],
            names::NBIT => client = self.nbit()?,
            names::SCALE_OFFSET => client = self.scale_offset(filter)?,
            names::SZIP => client = self.szip(filter)?,
            names::LZF => {
                client.resize(2, 0);
                client.push(narrow(self.elements()?.saturating_mul(u64::from(size)))?);
            }
            names::BITSHUFFLE => {
                if let Some(of) = client.get_mut(2) {
                    *of = size;
                }
            }
            _ => {}
        }
        Ok(client)
    }

    fn elements(&self) -> Result<u64> {
        let count = self.chunk.iter().try_fold(1_u64, |count, dim| count.checked_mul(*dim));
        count.ok_or_else(|| Error::usage(format!("chunk of {:?} elements passes 2^64", self.chunk)))
    }

    fn nbit(&self) -> Result<Vec<u32>> {
        let mut client = vec![0, 1, narrow(self.elements()?)?];
        if !matches!(class_of(self.datatype), NbitClass::Whole) {
            nbit_parameters(self.datatype, &mut client)?;
        }
        if client.len() > NBIT_PARAMETERS {
            return Err(Error::usage(format!(
                "{} needs more than {NBIT_PARAMETERS} parameters",
                self.datatype
            )));
        }
        let count = narrow(client.len() as u64)?;
        if let Some(first) = client.first_mut() {
            *first = count;
        }
        Ok(client)
    }

    fn scale_offset(&self, filter: &Filter) -> Result<Vec<u32>> {
        let size = self.datatype.size();
        let (class, signed, order, sizes): (u32, bool, ByteOrder, &[usize]) = match self.datatype.class() {
            Class::Integer(integer) => (0, integer.signed, integer.order, &[1, 2, 4, 8]),
            Class::Float(float) => (1, false, float.order, &[4, 8]),
            _ => {
                return Err(Error::usage(format!(
                    "elements are {}, an integer or a floating-point number expected",
                    self.datatype
                )));
            }
        };
        let kind = filter.client.first().copied().unwrap_or(2);
        if (class == 1) != (kind == 0) {
            return Err(Error::usage(format!("scale type {kind} for elements of {}", self.datatype)));
        }
        if !sizes.contains(&size) {
            return Err(Error::usage(format!("elements of {size} bytes, one of {sizes:?} expected")));
        }
        let factor = filter.client.get(1).copied().unwrap_or(0);
        let order = order_code(order)?;
        let mut client = vec![kind, factor, narrow(self.elements()?)?, class, narrow(size as u64)?];
        client.extend([u32::from(signed), order, u32::from(self.fill.is_some())]);
        let mut fill = [0; 8];
        fill.iter_mut().zip(self.fill.unwrap_or_default()).for_each(|(to, from)| *to = *from);
        if order == 1 && self.fill.is_some_and(|fill| !fill.is_empty()) {
            fill.get_mut(..size).unwrap_or_default().reverse();
        }
        let (words, _) = fill.as_chunks::<4>();
        client.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
        client.resize(SCALE_OFFSET_PARAMETERS, 0);
        Ok(client)
    }

    fn szip(&self, filter: &Filter) -> Result<Vec<u32>> {
        let mask = filter.client.first().copied().unwrap_or(SZIP_ALWAYS | SZIP_NEAREST);
        let block = filter.client.get(1).copied().unwrap_or(16);
        let bits = narrow(self.datatype.size() as u64)?.saturating_mul(8);
        let Some((order, precision, offset)) = atom(self.datatype).filter(|_| bits <= 32 || bits == 64)
        else {
            return Err(Error::usage(format!(
                "elements are {}, numbers of at most 64 bits expected",
                self.datatype
            )));
        };
        let precision = match u32::from(precision) {
            precision if precision < bits && offset != 0 => bits.max(precision),
            precision => precision,
        };
        let precision = match precision {
            0..=24 => precision,
            25..=32 => 32,
            _ => 64,
        };
        let order = if order_code(order)? == 1 { SZIP_BIG } else { SZIP_LITTLE };
        let mask = mask & !(SZIP_LITTLE | SZIP_BIG) | order;
        let last = self.chunk.last().copied().unwrap_or(1);
        let line = if last < u64::from(block) { self.elements()? } else { last };
        if line < u64::from(block) {
            return Err(Error::usage(format!("a chunk of {line} elements is less than a block of {block}")));
        }
        let line = line.min(u64::from(block.saturating_mul(SZIP_BLOCKS)));
        Ok(vec![mask, block, precision, narrow(line)?])
    }
}

enum NbitClass<'a> {
    Atom(ByteOrder, u16, u16),
    Array(&'a Datatype),
    Compound(&'a crate::datatype::Compound),
    /// Stored as it is.
    Whole,
}

fn class_of(datatype: &Datatype) -> NbitClass<'_> {
    match datatype.class() {
        Class::Integer(integer) => NbitClass::Atom(integer.order, integer.precision, integer.offset),
        Class::Float(float) => NbitClass::Atom(float.order, float.precision, float.offset),
        Class::Array(array) => NbitClass::Array(array.base()),
        Class::Compound(compound) => NbitClass::Compound(compound),
        _ => NbitClass::Whole,
    }
}

/// Appends what n-bit must know of a datatype, and notes in parameter 1 when some bits are to be saved.
fn nbit_parameters(datatype: &Datatype, client: &mut Vec<u32>) -> Result<()> {
    let size = narrow(datatype.size() as u64)?;
    match class_of(datatype) {
        NbitClass::Atom(order, precision, offset) => {
            let (precision, offset) = (u32::from(precision), u32::from(offset));
            client.extend([1, size, order_code(order)?, precision, offset]);
            if (offset != 0 || precision != size.saturating_mul(8))
                && let Some(useless) = client.get_mut(1)
            {
                *useless = 0;
            }
        }
        NbitClass::Array(base) => {
            if matches!(base.class(), Class::VariableLength(_)) {
                return Err(Error::usage("arrays of variable length"));
            }
            client.extend([2, size]);
            nbit_parameters(base, client)?;
        }
        NbitClass::Compound(compound) => {
            client.extend([3, size, narrow(compound.members().len() as u64)?]);
            for member in compound.members() {
                client.push(narrow(member.offset() as u64)?);
                nbit_parameters(member.datatype(), client)?;
            }
        }
        NbitClass::Whole => client.extend([4, size]),
    }
    Ok(())
}

/// Byte order, precision and offset of numbers, also of those that have names.
fn atom(datatype: &Datatype) -> Option<(ByteOrder, u16, u16)> {
    match datatype.class() {
        Class::Integer(integer) => Some((integer.order, integer.precision, integer.offset)),
        Class::Float(float) => Some((float.order, float.precision, float.offset)),
        Class::Bitfield(bits) => Some((bits.order, bits.precision, bits.offset)),
        Class::Enumeration(enumeration) => atom(enumeration.base()),
        _ => None,
    }
}

fn order_code(order: ByteOrder) -> Result<u32> {
    match order {
        ByteOrder::Little => Ok(0),
        ByteOrder::Big => Ok(1),
        ByteOrder::Vax => Err(Error::usage("elements in VAX order")),
    }
}

fn narrow(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::usage(format!("{number} does not fit a parameter of 32 bits")))
}
