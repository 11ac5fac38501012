//! [`Record`]: Rust values that are elements of a datatype, member by member.

use super::{Class, Datatype, Element};
use crate::error::{Error, Result};
use half::{bf16, f16};
use std::fmt;

/// A Rust value that is an element of a datatype: a number, `bool`, [`Text`], an array of such, or a struct or
/// an enum with `#[derive(Record)]`.
///
/// A struct is a compound of its fields, one behind the other; an enum of names without values is an enumeration of
/// the integer of its `#[repr]`. `#[hyperslab(rename = "name")]` gives a field or a name another name in the file.
/// How the compiler lays out the struct does not matter, and members are found by their names, so a file may have
/// them in another order, of other sizes, or more of them.
///
/// ```
/// use hyperslab::{Record, Selection, Text};
///
/// #[derive(Record, Clone, Debug, PartialEq)]
/// #[repr(u8)]
/// enum Shutter {
///     Open = 1,
///     Closed = 2,
/// }
///
/// #[derive(Record, Clone, Debug, PartialEq)]
/// struct Frame {
///     number: u32,
///     #[hyperslab(rename = "beam centre")]
///     centre: [f64; 2],
///     shutter: Shutter,
///     good: bool,
///     detector: Text<8>,
/// }
///
/// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
/// let frame = Frame {
///     number: 7,
///     centre: [511.5, 511.5],
///     shutter: Shutter::Open,
///     good: true,
///     detector: Text::new("front")?,
/// };
/// let frames = file.new_dataset_of(&Frame::datatype()?).shape([1]).create("frames")?;
/// frames.write_records(&Selection::All, &[frame.clone()])?;
/// assert_eq!(frames.read_records::<Frame>(&Selection::All)?.into_raw_vec_and_offset().0, [frame]);
/// # Ok::<(), hyperslab::Error>(())
/// ```
pub trait Record: Sized {
    /// Bytes of a value: as many as the datatype has.
    const SIZE: usize;

    /// The datatype of a value in memory.
    ///
    /// # Errors
    /// `Usage` when the format has no such datatype, as for an array of no elements.
    fn datatype() -> Result<Datatype>;

    /// The value that begins `bytes`, which then are those behind it.
    ///
    /// # Errors
    /// `Malformed` when there are too few bytes, or they are no value of this type.
    fn take(bytes: &mut &[u8]) -> Result<Self>;

    /// Adds the bytes of the value, [`SIZE`](Self::SIZE) of them.
    fn put(&self, bytes: &mut Vec<u8>);
}

/// The first `size` bytes; the others stay.
fn first<'a>(bytes: &mut &'a [u8], size: usize) -> Result<&'a [u8]> {
    let short = || Error::malformed(format!("{} bytes of a record, {size} expected", bytes.len()));
    let (first, rest) = bytes.split_at_checked(size).ok_or_else(short)?;
    *bytes = rest;
    Ok(first)
}

macro_rules! numbers {
    ($($type:ty),*) => { $(
        impl Record for $type {
            const SIZE: usize = size_of::<Self>();

            fn datatype() -> Result<Datatype> {
                Ok(<Self as Element>::datatype())
            }

            fn take(bytes: &mut &[u8]) -> Result<Self> {
                first(bytes, Self::SIZE).map(bytemuck::pod_read_unaligned)
            }

            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(bytemuck::bytes_of(self));
            }
        }
    )* };
}

numbers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f16, bf16, f32, f64, Complex32, Complex64);

type Complex32 = num_complex::Complex<f32>;
type Complex64 = num_complex::Complex<f64>;

/// An enumeration of `FALSE` and `TRUE`, as h5py stores it; what is not 0 is true.
impl Record for bool {
    const SIZE: usize = 1;

    fn datatype() -> Result<Datatype> {
        Ok(Datatype::boolean())
    }

    fn take(bytes: &mut &[u8]) -> Result<Self> {
        first(bytes, 1).map(|byte| byte != [0])
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(*self));
    }
}

/// An array; an array of arrays is one of more dimensions.
impl<T: Record, const N: usize> Record for [T; N] {
    const SIZE: usize = T::SIZE * N;

    fn datatype() -> Result<Datatype> {
        let length = u32::try_from(N).map_err(|_| Error::usage(format!("an array of {N} elements")))?;
        let base = T::datatype()?;
        match base.class() {
            Class::Array(inner) => {
                let dims: Vec<u32> = std::iter::once(length).chain(inner.dims().iter().copied()).collect();
                Datatype::array(inner.base().clone(), &dims)
            }
            _ => Datatype::array(base, &[length]),
        }
    }

    fn take(bytes: &mut &[u8]) -> Result<Self> {
        let elements = (0..N).map(|_| T::take(bytes)).collect::<Result<Vec<T>>>()?;
        Self::try_from(elements).map_err(|_| Error::malformed("an array of another length"))
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        for element in self {
            element.put(bytes);
        }
    }
}

/// Text in `N` bytes, at least one, filled with NUL: a string of fixed length, `UTF-8`.
///
/// ```
/// use hyperslab::Text;
/// let name: Text<8> = Text::new("front")?;
/// assert_eq!(name.to_string(), "front");
/// assert!(Text::<3>::new("front").is_err());
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    /// The text.
    ///
    /// # Errors
    /// `Usage` when it has more than `N` bytes, or ends with a NUL, which nobody would see again.
    pub fn new(text: &str) -> Result<Self> {
        if text.len() > N || text.ends_with('\0') {
            return Err(Error::usage(format!(
                "{text:?} as text of at most {N} bytes without NUL at its end"
            )));
        }
        let mut bytes = [0; N];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self(bytes))
    }

    /// The bytes before the NULs at the end; what another program wrote need not be `UTF-8`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let length = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.0.get(..length).unwrap_or_default()
    }

    /// The text, if it is `UTF-8`.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

impl<const N: usize> Record for Text<N> {
    const SIZE: usize = N;

    fn datatype() -> Result<Datatype> {
        if N == 0 {
            return Err(Error::usage("text of no bytes"));
        }
        Ok(Datatype::string(N))
    }

    fn take(bytes: &mut &[u8]) -> Result<Self> {
        let text = first(bytes, N)?;
        <[u8; N]>::try_from(text).map(Self).map_err(|_| Error::malformed("text of another length"))
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, Text};

    fn back<T: Record + PartialEq + std::fmt::Debug>(value: &T) {
        let mut bytes = vec![];
        value.put(&mut bytes);
        assert_eq!((bytes.len(), T::datatype().unwrap().size()), (T::SIZE, T::SIZE));
        let mut rest = bytes.as_slice();
        assert_eq!(T::take(&mut rest).unwrap(), *value);
        assert!(rest.is_empty() && T::take(&mut rest).is_err());
    }

    #[test]
    fn a_value_is_what_its_bytes_were() {
        back(&-7_i64);
        back(&true);
        back(&[[1_u16, 2], [3, 4], [5, 6]]);
        back(&Text::<6>::new("straße").unwrap_or_default());
        back(&Text::<8>::new("straße").unwrap());
        let matrix = crate::Datatype::array(crate::Datatype::of::<f64>(), &[3, 2]);
        assert_eq!(<[[f64; 2]; 3]>::datatype().unwrap(), matrix.unwrap());
    }

    #[test]
    fn what_the_format_has_not_is_refused() {
        assert!(<[u8; 0]>::datatype().is_err() && Text::<0>::datatype().is_err());
        assert!(Text::<4>::new("abcde").is_err() && Text::<4>::new("a\0").is_err());
    }
}
