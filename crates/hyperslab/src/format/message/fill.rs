//! The fill value messages: what an element reads as before it is written.
//!
//! Spec: IV.A.2.e and IV.A.2.f, "The Data Storage - Fill Value (Old) Message" and its successor.

use crate::error::{Error, Result};
use crate::format::bytes::{Bounds, Cursor, Sink, Wire};

/// What unwritten elements read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Zero.
    Default,
    /// Nobody said; they read as zero too.
    Undefined,
    /// One element in the dataset's datatype.
    Value(Vec<u8>),
}

/// The fill value and when space and fill are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FillValue {
    /// When space is allocated: 1 early, 2 late, 3 incrementally.
    pub(crate) allocation: u8,
    /// When the fill is written: 0 at allocation, 1 never, 2 when the user set one.
    pub(crate) time: u8,
    pub(crate) fill: Fill,
}

impl Wire for FillValue {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let version = cursor.version(&[1, 2, 3])?;
        if version == 3 {
            let flags = cursor.u8()?;
            if flags & 0xc0 != 0 || flags & 0x30 == 0x30 {
                return Err(Error::malformed(format!("fill value flags are {flags:#x}")));
            }
            let fill = match flags & 0x30 {
                0x10 => Fill::Undefined,
                0x20 => read_old(cursor)?,
                _ => Fill::Default,
            };
            return Ok(Self { allocation: flags & 3, time: flags.wrapping_shr(2) & 3, fill });
        }
        let [allocation, time, defined] = cursor.array()?;
        let fill = if version == 1 || defined != 0 { sized(cursor)? } else { Fill::Undefined };
        Ok(Self { allocation, time, fill })
    }

    /// Writes version 2 for readers that know no other, else version 3.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        if sink.bounds() == Bounds::Earliest {
            let defined = u8::from(self.fill != Fill::Undefined);
            sink.put(&[2, self.allocation, self.time, defined]);
            return if defined == 1 { write_old(&self.fill, sink) } else { Ok(()) };
        }
        let state = match &self.fill {
            Fill::Default => 0,
            Fill::Undefined => 0x10,
            Fill::Value(_) => 0x20,
        };
        sink.put(&[3, self.allocation & 3 | (self.time & 3).wrapping_shl(2) | state]);
        if matches!(self.fill, Fill::Value(_)) { write_old(&self.fill, sink) } else { Ok(()) }
    }
}

/// A signed size and as many bytes; a negative size says that nobody defined one.
fn sized(cursor: &mut Cursor<'_>) -> Result<Fill> {
    match i32::from_le_bytes(cursor.array()?) {
        0 => Ok(Fill::Default),
        size => match usize::try_from(size) {
            Ok(size) => Ok(Fill::Value(cursor.take(size)?.to_vec())),
            Err(_) => Ok(Fill::Undefined),
        },
    }
}

/// Reads the old message, which holds nothing but the value.
pub(crate) fn read_old(cursor: &mut Cursor<'_>) -> Result<Fill> {
    let size = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
    if size == 0 {
        return Ok(Fill::Default);
    }
    Ok(Fill::Value(cursor.take(size)?.to_vec()))
}

/// Writes the old message; a dataset for the oldest readers has it beside the new one when there is a value.
pub(crate) fn write_old(fill: &Fill, sink: &mut Sink) -> Result<()> {
    let value = if let Fill::Value(value) = fill { value.as_slice() } else { &[] };
    sink.uint(u64::try_from(value.len()).unwrap_or(u64::MAX), 4)?;
    sink.put(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Fill, FillValue};
    use crate::format::bytes::{Bounds, Cursor, Sink, Widths, Wire};
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    fn read(bytes: &[u8]) -> crate::error::Result<FillValue> {
        FillValue::read(&mut Cursor::new(bytes, Widths::EIGHT))
    }

    #[test]
    fn a_value_of_half_the_range_of_sizes_is_not_taken_for_an_undefined_one() {
        assert!(read(&[3, 0x2a, 0, 0, 0, 0x80, b'a', b'b']).is_err());
        assert_eq!(read(&[3, 0x2a, 2, 0, 0, 0, b'a', b'b']).unwrap().fill, Fill::Value(b"ab".to_vec()));
        assert_eq!(read(&[2, 2, 2, 1, 0xff, 0xff, 0xff, 0xff]).unwrap().fill, Fill::Undefined);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            allocation in 1_u8..4, time in 0_u8..3,
            fill in prop_oneof![
                Just(Fill::Default),
                Just(Fill::Undefined),
                proptest::collection::vec(any::<u8>(), 1..40).prop_map(Fill::Value)
            ],
        ) {
            let message = FillValue { allocation, time, fill };
            for bounds in [Bounds::Earliest, Bounds::V18, Bounds::V110] {
                let mut sink = Sink::new(Widths::EIGHT).bounded(bounds);
                message.write(&mut sink).unwrap();
                assert_eq!(read(&sink.into_bytes()).unwrap(), message);
            }
        }
    }
}
