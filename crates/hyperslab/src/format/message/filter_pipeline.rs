//! The filter pipeline message: what was done to each chunk before it was stored.
//!
//! Spec: IV.A.2.l "The Data Storage - Filter Pipeline Message", versions 1 and 2.

use crate::error::{Error, Result};
use crate::filter::{Filter, FilterPipeline};
use crate::format::bytes::{Cursor, Sink, Wire};

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

    /// Writes version 2.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.u8(2);
        sink.uint(u64::try_from(self.filters.len()).unwrap_or(u64::MAX), 1)?;
        for filter in &self.filters {
            sink.u16(filter.id);
            if filter.id >= RESERVED {
                let name = filter.name.as_deref().unwrap_or_default();
                let length = if name.is_empty() { 0 } else { name.len().saturating_add(1) };
                sink.uint(u64::try_from(length).unwrap_or(u64::MAX), 2)?;
            }
            sink.u16(u16::from(filter.optional));
            sink.uint(u64::try_from(filter.client.len()).unwrap_or(u64::MAX), 2)?;
            if let Some(name) =
                filter.name.as_deref().filter(|name| filter.id >= RESERVED && !name.is_empty())
            {
                sink.put(name.as_bytes());
                sink.u8(0);
            }
            filter.client.iter().for_each(|value| sink.u32(*value));
        }
        Ok(())
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
