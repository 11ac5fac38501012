//! The superblock: where the root is, and how wide addresses and lengths are.
//!
//! Spec: II.A "Format Signature and Superblock", versions 0 to 3.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Cursor, Sink, Widths, Wire};

/// The eight bytes every HDF5 file has at offset 0, 512, 1024, ...
pub(crate) const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// A version-3 superblock is marked while a writer has the file open.
pub(crate) const OPEN_FOR_WRITE: u32 = 1;
/// A version-3 superblock is marked while a single writer lets readers in.
pub(crate) const OPEN_FOR_SWMR: u32 = 4;

/// What the superblock says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Superblock {
    pub(crate) version: u8,
    pub(crate) widths: Widths,
    /// Consistency flags: who has the file open.
    pub(crate) flags: u32,
    /// Where address 0 is, as stored; an added user block can make it stale.
    pub(crate) base: u64,
    /// Header with what did not fit here, from version 2.
    pub(crate) extension: Option<Address>,
    /// One past the last byte in use.
    pub(crate) end_of_file: Option<Address>,
    /// Object header of the root group.
    pub(crate) root: Address,
    /// Driver information block, before version 2.
    pub(crate) driver: Option<Address>,
}

impl Superblock {
    /// Of a new file behind a user block of `base` bytes; the root is not known yet.
    pub(crate) fn new(_bounds: crate::format::bytes::Bounds, base: u64) -> Self {
        Self {
            version: 3,
            widths: Widths::EIGHT,
            flags: 0,
            base,
            extension: None,
            end_of_file: None,
            root: Address(0),
            driver: None,
        }
    }
    /// Bytes on disk.
    #[expect(clippy::unused_self, reason = "older versions have other sizes")]
    pub(crate) fn size(&self) -> u64 {
        48
    }
}

impl Wire for Superblock {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let start = cursor.position();
        if cursor.array::<8>()? != SIGNATURE {
            return Err(Error::malformed("the HDF5 signature is missing"));
        }
        match cursor.version(&[0, 1, 2, 3])? {
            version @ (0 | 1) => read_old(cursor, version),
            version => read_new(cursor, version, start),
        }
    }

    /// Writes version 2 or 3, an older one as version 2; addresses at the widths it says itself.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        let mut block = Sink::new(self.widths);
        block.put(&SIGNATURE);
        block.put(&[self.version.max(2), self.widths.offsets, self.widths.lengths]);
        block.uint(u64::from(self.flags), 1)?;
        block.address(Some(Address(self.base)))?;
        block.address(self.extension)?;
        block.address(self.end_of_file)?;
        block.address(Some(self.root))?;
        block.checksum(0);
        sink.put(&block.into_bytes());
        Ok(())
    }
}

fn checked_widths(offsets: u8, lengths: u8) -> Result<Widths> {
    if [2, 4, 8].contains(&offsets) && [2, 4, 8].contains(&lengths) {
        return Ok(Widths { offsets, lengths });
    }
    Err(Error::malformed(format!(
        "addresses of {offsets} and lengths of {lengths} bytes, expected 2, 4 or 8"
    )))
}

fn root_address(address: Option<Address>) -> Result<Address> {
    address.ok_or_else(|| Error::malformed("the root group has no address"))
}

fn base_address(address: Option<Address>) -> Result<u64> {
    address.map(|address| address.0).ok_or_else(|| Error::malformed("the base address is undefined"))
}

fn read_old(cursor: &mut Cursor<'_>, version: u8) -> Result<Superblock> {
    let [free_space, root_entry, _, shared_header, offsets, lengths, _] = cursor.array()?;
    if free_space != 0 || root_entry != 0 || shared_header != 0 {
        return Err(Error::malformed(format!(
            "versions of free space, root entry and shared headers are {free_space}, {root_entry}, {shared_header}, expected 0"
        )));
    }
    let widths = checked_widths(offsets, lengths)?;
    let leaf_k = cursor.u16()?;
    let internal_k = cursor.u16()?;
    if leaf_k == 0 || internal_k == 0 {
        return Err(Error::malformed(format!(
            "group B-tree K values are {leaf_k} (leaf) and {internal_k} (internal), expected more than 0"
        )));
    }
    let flags = cursor.u32()?;
    if version == 1 {
        cursor.skip(4)?;
    }
    let rest = cursor.rest();
    let mut cursor = Cursor::new(rest, widths);
    let base = base_address(cursor.address()?)?;
    cursor.address()?;
    let end_of_file = cursor.address()?;
    let driver = cursor.address()?;
    cursor.skip(usize::from(widths.offsets))?;
    let root = root_address(cursor.address()?)?;
    Ok(Superblock { version, widths, flags, base, extension: None, end_of_file, root, driver })
}

fn read_new(cursor: &mut Cursor<'_>, version: u8, start: usize) -> Result<Superblock> {
    let [offsets, lengths, flags] = cursor.array()?;
    let widths = checked_widths(offsets, lengths)?;
    let width = usize::from(widths.offsets);
    let fixed = cursor.sub(width.saturating_mul(4))?;
    cursor.checksum(start)?;
    let mut addresses = Cursor::new(fixed.rest(), widths);
    let base = base_address(addresses.address()?)?;
    let extension = addresses.address()?;
    let end_of_file = addresses.address()?;
    let root = root_address(addresses.address()?)?;
    let flags = u32::from(flags);
    Ok(Superblock { version, widths, flags, base, extension, end_of_file, root, driver: None })
}

#[cfg(test)]
mod tests {
    use super::Superblock;
    use crate::format::bytes::{Address, Cursor, Sink, Widths, Wire};
    use proptest::prelude::{any, proptest};

    #[test]
    fn an_old_superblock_is_written_as_one_of_version_2_whatever_the_widths_around_it() {
        let widths = Widths { offsets: 4, lengths: 4 };
        let (extension, end_of_file) = (None, Some(Address(800)));
        let old = Superblock {
            version: 0,
            widths,
            flags: 0,
            base: 0,
            extension,
            end_of_file,
            root: Address(96),
            driver: None,
        };
        let mut sink = Sink::new(Widths::EIGHT);
        old.write(&mut sink).unwrap();
        let bytes = sink.into_bytes();
        let read = Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT)).unwrap();
        assert_eq!(read, Superblock { version: 2, ..old });
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(extension in any::<Option<u32>>(), end in any::<u32>(), root in any::<u32>()) {
            for width in [4, 8] {
                let widths = Widths { offsets: width, lengths: width };
                let block = Superblock {
                    version: 3,
                    widths,
                    flags: 5,
                    base: 0,
                    extension: extension.filter(|a| *a != u32::MAX).map(|a| Address(u64::from(a))),
                    end_of_file: Some(Address(u64::from(end.min(u32::MAX - 1)))),
                    root: Address(u64::from(root.min(u32::MAX - 1))),
                    driver: None,
                };
                let mut sink = Sink::new(widths);
                block.write(&mut sink).unwrap();
                let bytes = sink.into_bytes();
                assert_eq!(Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT)).unwrap(), block);
            }
        }

        #[test]
        fn any_bytes_read_or_say_why(bytes in any::<Vec<u8>>()) {
            let mut all = super::SIGNATURE.to_vec();
            all.extend(bytes);
            let _ = Superblock::read(&mut Cursor::new(&all, Widths::EIGHT));
        }
    }
}
