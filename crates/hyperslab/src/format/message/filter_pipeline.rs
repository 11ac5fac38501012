//! The filter pipeline message: what was done to each chunk before it was stored.
//!
//! Spec: IV.A.2.l "The Data Storage - Filter Pipeline Message", versions 1 and 2.

use crate::error::{Error, Result};
use crate::filter::{Filter, FilterPipeline};
use crate::format::bytes::{Bounds, Cursor, Sink, Wire};

/// No pipeline has more filters: the filter mask of a chunk has one bit for each.
const MOST: u8 = 32;
/// Identifiers below this need no name.
const RESERVED: u16 = 256;

impl Wire for FilterPipeline {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let version = cursor.version(&[1, 2])?;
        let count = cursor.u8()?;
        if count > MOST {
            return Err(Error::malformed(format!("{count} filters, at most {MOST} expected")));
        }
        if version == 1 {
            cursor.skip(6)?;
        }
        let filters = (0..count).map(|_| read_filter(cursor, version)).collect::<Result<_>>()?;
        Ok(Self { filters })
    }

    /// Writes version 1 for readers that know no other, else version 2.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        let version = if sink.bounds() == Bounds::Earliest { 1 } else { 2 };
        sink.u8(version);
        sink.uint(u64::try_from(self.filters.len()).unwrap_or(u64::MAX), 1)?;
        if version == 1 {
            sink.zeros(6);
        }
        self.filters.iter().try_for_each(|filter| write_filter(filter, sink, version))
    }
}

fn read_filter(cursor: &mut Cursor<'_>, version: u8) -> Result<Filter> {
    let id = cursor.u16()?;
    let name_length = if version == 1 || id >= RESERVED { usize::from(cursor.u16()?) } else { 0 };
    let flags = cursor.u16()?;
    let count = cursor.u16()?;
    if version == 1 && name_length % 8 != 0 {
        return Err(Error::malformed(format!(
            "a filter's name takes {name_length} bytes, expected a multiple of 8"
        )));
    }
    let name = cursor.take(name_length)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    cursor.expect_items(u64::from(count), 4)?;
    let client = (0..count).map(|_| cursor.u32()).collect::<Result<_>>()?;
    if version == 1 && count % 2 == 1 {
        cursor.skip(4)?;
    }
    let name = (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned());
    Ok(Filter { id, name, optional: flags & 1 != 0, client })
}

fn write_filter(filter: &Filter, sink: &mut Sink, version: u8) -> Result<()> {
    let named = version == 1 || filter.id >= RESERVED;
    let name = filter.name.as_deref().filter(|name| named && !name.is_empty());
    let length = name.map_or(0, |name| name.len().saturating_add(1));
    let room = if version == 1 { length.next_multiple_of(8) } else { length };
    sink.u16(filter.id);
    if named {
        sink.uint(u64::try_from(room).unwrap_or(u64::MAX), 2)?;
    }
    sink.u16(u16::from(filter.optional));
    sink.uint(u64::try_from(filter.client.len()).unwrap_or(u64::MAX), 2)?;
    if let Some(name) = name {
        sink.put(name.as_bytes());
        sink.zeros(room.saturating_sub(name.len()));
    }
    filter.client.iter().for_each(|value| sink.u32(*value));
    if version == 1 && !filter.client.len().is_multiple_of(2) {
        sink.zeros(4);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::filter::{Filter, FilterPipeline};
    use crate::format::bytes::{Bounds, Cursor, Sink, Widths, Wire};
    use proptest::prelude::*;

    fn filter() -> impl Strategy<Value = Filter> {
        let client = proptest::collection::vec(any::<u32>(), 0..9);
        (256..40_000_u16, proptest::option::of("[a-z]{1,20}"), any::<bool>(), client)
            .prop_map(|(id, name, optional, client)| Filter { id, name, optional, client })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(filters in proptest::collection::vec(filter(), 0..5)) {
            let pipeline = FilterPipeline { filters };
            for bounds in [Bounds::Earliest, Bounds::V18] {
                let mut sink = Sink::new(Widths::EIGHT).bounded(bounds);
                pipeline.write(&mut sink).unwrap();
                let again = FilterPipeline::read(&mut Cursor::new(&sink.into_bytes(), Widths::EIGHT)).unwrap();
                prop_assert_eq!(&again, &pipeline);
            }
        }
    }
}
