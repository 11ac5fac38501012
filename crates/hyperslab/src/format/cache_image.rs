//! The metadata cache image: metadata written in one block when the file was closed.
//!
//! Spec: IV.A.2.y "The Metadata Cache Image Message" and III.I "Metadata Cache Image Block".

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Cursor};

/// Bytes of an entry that do not depend on the widths of the file.
const ENTRY_MIN: usize = 14;

/// Where the image is; none when the file has none.
pub(crate) fn read_message(cursor: &mut Cursor<'_>) -> Result<Option<(Address, u64)>> {
    cursor.version(&[0])?;
    let address = cursor.address()?;
    let length = cursor.length()?;
    Ok(address.map(|address| (address, length)))
}

/// The entries of an image: each the bytes that belong at an address.
pub(crate) fn read_block(cursor: &mut Cursor<'_>) -> Result<Vec<(Address, Vec<u8>)>> {
    let start = cursor.position();
    cursor.signature(*b"MDCI")?;
    cursor.version(&[0])?;
    cursor.skip(1)?;
    cursor.length()?;
    let count = cursor.u32()?;
    let count = cursor.expect_items(u64::from(count), ENTRY_MIN)?;
    let entries = (0..count).map(|_| read_entry(cursor)).collect::<Result<_>>()?;
    cursor.checksum(start)?;
    Ok(entries)
}

fn read_entry(cursor: &mut Cursor<'_>) -> Result<(Address, Vec<u8>)> {
    cursor.skip(8)?;
    let parents = cursor.u16()?;
    cursor.skip(4)?;
    let address = cursor.address()?.ok_or_else(|| Error::malformed("an entry has no address"))?;
    let size = to_usize(cursor.length()?)?;
    cursor.skip(usize::from(parents).saturating_mul(usize::from(cursor.widths().offsets)))?;
    Ok((address, cursor.take(size)?.to_vec()))
}
