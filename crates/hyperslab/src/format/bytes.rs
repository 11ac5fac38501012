//! [`Cursor`] and [`Sink`]: bytes of a structure, read and written at the widths the file chose.

use crate::error::{Error, Result, to_usize};
use crate::format::checksum::{is_right, lookup3};
use smallvec::SmallVec;

/// Sizes in bytes of addresses and lengths in this file.
///
/// Spec: II.A "Size of Offsets", "Size of Lengths".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Widths {
    /// Bytes of an address: 2, 4 or 8.
    pub(crate) offsets: u8,
    /// Bytes of a length: 2, 4 or 8.
    pub(crate) lengths: u8,
}

impl Widths {
    /// The widths of almost every file.
    pub(crate) const EIGHT: Self = Self { offsets: 8, lengths: 8 };
}

/// How old a program may be that reads what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bounds {
    /// Any: superblock 0, symbol tables, version-1 headers and B-trees, as HDF5 writes by default.
    Earliest,
    /// HDF5 1.8 and later: superblock 2, links in headers and heaps, version-2 headers, version-1 B-trees.
    V18,
    /// HDF5 1.10 and later: superblock 3, and the chunk indexes that can be followed while they grow.
    #[default]
    V110,
}

/// A place in the file, relative to the superblock's base address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(pub(crate) u64);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A structure that knows its bytes, in both directions.
pub(crate) trait Wire: Sized {
    /// Takes the structure from the cursor.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self>;
    /// Appends the structure to the sink; what `read` took is what `write` gives.
    fn write(&self, sink: &mut Sink) -> Result<()>;
}

/// Reads little-endian numbers from bytes in memory; never past their end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    widths: Widths,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], widths: Widths) -> Self {
        Self { bytes, position: 0, widths }
    }

    pub(crate) fn widths(&self) -> Widths {
        self.widths
    }

    /// Bytes taken so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    /// What is left, without taking it.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// What was taken since `start`, a former [`position`](Self::position).
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.position).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some(taken) = self.rest().get(..count) else { return Err(self.short(count)) };
        self.position = self.position.saturating_add(count);
        Ok(taken)
    }

    #[cold]
    fn short(&self, count: usize) -> Error {
        Error::malformed(format!("ends after {} bytes, {count} more expected", self.remaining()))
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(|_| ())
    }

    /// Takes `count` bytes as a cursor of their own.
    pub(crate) fn sub(&mut self, count: usize) -> Result<Self> {
        Ok(Self { bytes: self.take(count)?, position: 0, widths: self.widths })
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(u8::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of `width` bytes, 0 to 8.
    pub(crate) fn uint(&mut self, width: usize) -> Result<u64> {
        if width == 8 {
            return self.u64();
        }
        let mut bytes = [0; 8];
        let taken = self.take(width)?;
        bytes
            .get_mut(..width)
            .ok_or_else(|| Error::malformed(format!("a number of {width} bytes, at most 8 expected")))?
            .copy_from_slice(taken);
        Ok(u64::from_le_bytes(bytes))
    }

    /// An address at the file's width; all ones means none.
    pub(crate) fn address(&mut self) -> Result<Option<Address>> {
        let width = self.widths.offsets;
        let value = self.uint(usize::from(width))?;
        Ok((value != all_ones(width)).then_some(Address(value)))
    }

    /// A length at the file's width.
    pub(crate) fn length(&mut self) -> Result<u64> {
        self.uint(usize::from(self.widths.lengths))
    }

    /// A length at the file's width; all ones means unlimited.
    pub(crate) fn length_or_unlimited(&mut self) -> Result<Option<u64>> {
        let value = self.length()?;
        Ok((value != all_ones(self.widths.lengths)).then_some(value))
    }

    /// Bytes up to a NUL, which is taken too.
    pub(crate) fn until_nul(&mut self) -> Result<&'a [u8]> {
        let length =
            memchr::memchr(0, self.rest()).ok_or_else(|| Error::malformed("a name has no end (NUL)"))?;
        let name = self.take(length)?;
        self.skip(1)?;
        Ok(name)
    }

    /// Fails unless `count` items of at least `size` bytes can still follow: ask before allocating.
    pub(crate) fn expect_items(&self, count: u64, size: usize) -> Result<usize> {
        let count = to_usize(count)?;
        match count.checked_mul(size) {
            Some(bytes) if bytes <= self.remaining() => Ok(count),
            _ => Err(Error::malformed(format!(
                "{count} items of at least {size} bytes do not fit the {} bytes left",
                self.remaining()
            ))),
        }
    }

    pub(crate) fn signature(&mut self, expected: [u8; 4]) -> Result<()> {
        let found = self.array::<4>()?;
        if found == expected {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "signature is \"{}\", expected \"{}\"",
            found.escape_ascii(),
            expected.escape_ascii()
        )))
    }

    /// Fails unless the next byte is one of `allowed`.
    pub(crate) fn version(&mut self, allowed: &[u8]) -> Result<u8> {
        let found = self.u8()?;
        if allowed.contains(&found) {
            return Ok(found);
        }
        Err(Error::malformed(format!("version is {found}, expected one of {allowed:?}")))
    }

    /// Takes a checksum and compares it with that of everything taken since `start`.
    pub(crate) fn checksum(&mut self, start: usize) -> Result<()> {
        let computed = lookup3(self.since(start));
        let stored = self.u32()?;
        if is_right(stored, computed) {
            return Ok(());
        }
        Err(Error::malformed(format!("checksum is {stored:#010x}, its bytes give {computed:#010x}")))
    }
}

/// Bytes that most structures fit in.
const USUAL: usize = 160;
/// Bytes that most messages of headers fit in.
const SHORT: usize = 56;

/// The bytes of a message; short ones are where it is.
pub(crate) type Body = SmallVec<[u8; SHORT]>;

/// Collects little-endian numbers at the file's widths.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    short: [u8; USUAL],
    /// Bytes of it in use.
    used: usize,
    /// All bytes, once they are too many.
    long: Option<Vec<u8>>,
    widths: Widths,
    bounds: Bounds,
}

impl Sink {
    pub(crate) fn new(widths: Widths) -> Self {
        Self { short: [0; USUAL], used: 0, long: None, widths, bounds: Bounds::default() }
    }

    /// A sink with room for so many bytes before it has to grow.
    pub(crate) fn with_room(widths: Widths, room: usize) -> Self {
        Self { long: Some(Vec::with_capacity(room)), ..Self::new(widths) }
    }

    /// The same sink, for readers as old as `bounds` says.
    pub(crate) fn bounded(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    pub(crate) fn widths(&self) -> Widths {
        self.widths
    }

    /// How old a program may be that reads what is put here.
    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(crate) fn position(&self) -> usize {
        self.long.as_ref().map_or(self.used, Vec::len)
    }

    /// What was collected, to look at it.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.long {
            None => self.short.get(..self.used).unwrap_or_default(),
            Some(bytes) => bytes,
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.long.unwrap_or_else(|| self.short.get(..self.used).unwrap_or_default().to_vec())
    }

    /// What was collected, as the body of a message.
    pub(crate) fn into_body(self) -> Body {
        match self.long {
            None => Body::from_slice(self.short.get(..self.used).unwrap_or_default()),
            Some(bytes) => Body::from_vec(bytes),
        }
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        if self.long.is_none()
            && let Some(place) = self.short.get_mut(self.used..end)
        {
            place.copy_from_slice(bytes);
            self.used = end;
        } else {
            self.long(bytes.len()).extend_from_slice(bytes);
        }
    }

    /// The bytes where they may grow, by `more` in a moment.
    fn long(&mut self, more: usize) -> &mut Vec<u8> {
        self.long.get_or_insert_with(|| {
            let mut bytes = Vec::with_capacity(self.used.saturating_add(more).max(2 * USUAL));
            bytes.extend_from_slice(self.short.get(..self.used).unwrap_or_default());
            bytes
        })
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        let end = self.used.saturating_add(count);
        if self.long.is_none()
            && let Some(place) = self.short.get_mut(self.used..end)
        {
            place.fill(0);
            self.used = end;
        } else {
            let bytes = self.long(count);
            bytes.resize(bytes.len().saturating_add(count), 0);
        }
    }

    #[inline]
    pub(crate) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    #[inline]
    pub(crate) fn u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    #[inline]
    pub(crate) fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    #[inline]
    pub(crate) fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    /// The low `width` bytes of `value`; an error when it needs more.
    #[inline]
    pub(crate) fn uint(&mut self, value: u64, width: usize) -> Result<()> {
        match (width, u8::try_from(value), u16::try_from(value), u32::try_from(value)) {
            (8, ..) => self.u64(value),
            (4, .., Ok(value)) => self.u32(value),
            (2, _, Ok(value), _) => self.u16(value),
            (1, Ok(value), ..) => self.u8(value),
            _ => return self.odd(value, width),
        }
        Ok(())
    }

    /// A number of an unusual width, or one that does not fit.
    #[cold]
    fn odd(&mut self, value: u64, width: usize) -> Result<()> {
        let bytes = value.to_le_bytes();
        let (low, high) = bytes
            .split_at_checked(width)
            .ok_or_else(|| Error::usage(format!("a number of {width} bytes, at most 8 can be written")))?;
        if high.iter().any(|byte| *byte != 0) {
            return Err(Error::usage(format!("{value} does not fit {width} bytes")));
        }
        self.put(low);
        Ok(())
    }

    /// An address at the file's width; all ones when there is none.
    pub(crate) fn address(&mut self, address: Option<Address>) -> Result<()> {
        let width = self.widths.offsets;
        self.uint(address.map_or_else(|| all_ones(width), |address| address.0), usize::from(width))
    }

    /// A length at the file's width.
    pub(crate) fn length(&mut self, length: u64) -> Result<()> {
        self.uint(length, usize::from(self.widths.lengths))
    }

    /// A length at the file's width; all ones when unlimited.
    pub(crate) fn length_or_unlimited(&mut self, length: Option<u64>) -> Result<()> {
        self.length(length.unwrap_or_else(|| all_ones(self.widths.lengths)))
    }

    /// Appends the checksum of everything put since `start`.
    pub(crate) fn checksum(&mut self, start: usize) {
        let sum = lookup3(self.bytes().get(start..).unwrap_or_default());
        self.u32(sum);
    }
}

/// The number in at most eight little-endian bytes; bytes beyond the eighth are not looked at.
pub(crate) fn little_endian(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// The value with all bits of `width` bytes set: an undefined address, an unlimited length.
pub(crate) fn all_ones(width: u8) -> u64 {
    let bits = u32::from(width).saturating_mul(8);
    if bits == 0 { 0 } else { u64::MAX >> 64_u32.saturating_sub(bits) }
}

/// One value of a [`record!`](super::record) field, at the widths of the file.
pub(crate) trait Field: Sized {
    fn take(cursor: &mut Cursor<'_>) -> Result<Self>;
    fn put(&self, sink: &mut Sink) -> Result<()>;
}

macro_rules! number_fields {
    ($($number:ident)*) => { $(
        impl Field for $number {
            fn take(cursor: &mut Cursor<'_>) -> Result<Self> { cursor.$number() }
            fn put(&self, sink: &mut Sink) -> Result<()> { sink.$number(*self); Ok(()) }
        }
    )* };
}
number_fields! { u8 u16 u32 u64 }

/// A count or size of the file at its length width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Length(pub(crate) u64);

impl Field for Length {
    fn take(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.length().map(Self)
    }
    fn put(&self, sink: &mut Sink) -> Result<()> {
        sink.length(self.0)
    }
}

impl Field for Option<Address> {
    fn take(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.address()
    }
    fn put(&self, sink: &mut Sink) -> Result<()> {
        sink.address(*self)
    }
}

impl<const N: usize> Field for [u8; N] {
    fn take(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.array()
    }
    fn put(&self, sink: &mut Sink) -> Result<()> {
        sink.put(self);
        Ok(())
    }
}
