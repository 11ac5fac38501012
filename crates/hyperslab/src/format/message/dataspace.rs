//! The dataspace message: how large a dataset or attribute is.
//!
//! Spec: IV.A.2.b "The Dataspace Message", versions 1 and 2.

use crate::error::{Error, Result};
use crate::format::bytes::{Bounds, Cursor, Sink, Wire};
use crate::space::{Extent, MAX_RANK};

impl Wire for Extent {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let version = cursor.version(&[1, 2])?;
        let rank = usize::from(cursor.u8()?);
        let flags = cursor.u8()?;
        let class = if version == 2 { cursor.u8()? } else { u8::from(rank > 0) };
        if version == 1 {
            cursor.skip(5)?;
        }
        if rank > MAX_RANK {
            return Err(Error::malformed(format!("{rank} dimensions, at most {MAX_RANK} expected")));
        }
        if flags & !3 != 0 || (version == 2 && flags & 2 != 0) {
            return Err(Error::malformed(format!("dataspace flags are {flags:#x}")));
        }
        match class {
            0 | 1 if rank == 0 => Ok(Self::Scalar),
            2 if rank == 0 => Ok(Self::Null),
            1 => read_simple(cursor, rank, flags),
            _ => Err(Error::malformed(format!("dataspace of class {class} with {rank} dimensions"))),
        }
    }

    /// Writes version 1 for readers that know no other, unless there are no elements to speak of; else version 2.
    ///
    /// Maximum lengths are always written, as libhdf5 does.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        let (dims, max) = (self.dims(), self.max());
        let old = sink.bounds() == Bounds::Earliest && *self != Self::Null;
        sink.u8(if old { 1 } else { 2 });
        sink.uint(u64::try_from(dims.len()).unwrap_or(u64::MAX), 1)?;
        sink.u8(u8::from(!dims.is_empty()));
        if old {
            sink.zeros(5);
        } else {
            sink.u8(if *self == Self::Null { 2 } else { u8::from(!dims.is_empty()) });
        }
        dims.iter().try_for_each(|dim| sink.length(*dim))?;
        max.iter().try_for_each(|max| sink.length_or_unlimited(*max))
    }
}

fn read_simple(cursor: &mut Cursor<'_>, rank: usize, flags: u8) -> Result<Extent> {
    let dims = (0..rank).map(|_| cursor.length()).collect::<Result<Vec<_>>>()?;
    let max = if flags & 1 != 0 {
        (0..rank).map(|_| cursor.length_or_unlimited()).collect::<Result<Vec<_>>>()?
    } else {
        dims.iter().copied().map(Some).collect()
    };
    for (axis, (dim, most)) in dims.iter().zip(&max).enumerate() {
        if most.is_some_and(|most| *dim > most) {
            return Err(Error::malformed(format!(
                "length {dim} of axis {axis} is above its maximum {most:?}"
            )));
        }
    }
    Ok(Extent::Simple { dims, max })
}

#[cfg(test)]
mod tests {
    use crate::format::bytes::{Bounds, Cursor, Sink, Widths, Wire};
    use crate::space::Extent;
    use proptest::prelude::{any, prop, proptest};

    proptest! {
        #[test]
        fn what_is_written_is_read_back(dims in prop::collection::vec((0_u32..1000, any::<Option<u8>>()), 0..6)) {
            let (dims, max): (Vec<u64>, Vec<Option<u64>>) =
                dims.into_iter().map(|(dim, more)| (u64::from(dim), more.map(|more| u64::from(dim) + u64::from(more)))).unzip();
            let extent = Extent::resizable(&dims, &max).unwrap();
            for (extent, bounds) in [(&extent, Bounds::Earliest), (&extent, Bounds::V18), (&Extent::Null, Bounds::Earliest)] {
                for widths in [Widths { offsets: 4, lengths: 2 }, Widths::EIGHT] {
                    let mut sink = Sink::new(widths).bounded(bounds);
                    extent.write(&mut sink).unwrap();
                    assert_eq!(&Extent::read(&mut Cursor::new(&sink.into_bytes(), widths)).unwrap(), extent);
                }
            }
        }
    }
}
