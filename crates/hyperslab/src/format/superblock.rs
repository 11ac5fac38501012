//! The superblock: where the root is, and how wide addresses and lengths are.
//!
//! Spec: II.A "Format Signature and Superblock", versions 0 to 3.

use crate::error::{Error, Result};
use crate::format::btree_v1::TreeK;
use crate::format::bytes::{Address, Bounds, Cursor, Sink, Widths, Wire};
use crate::format::symbol_table::{HeapOffset, SymbolEntry};
use std::io;

/// The eight bytes every HDF5 file has at offset 0, 512, 1024, ...
pub(crate) const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// A version-3 superblock is marked while a writer has the file open.
pub(crate) const OPEN_FOR_WRITE: u32 = 1;
/// A version-3 superblock is marked while a single writer lets readers in.
pub(crate) const OPEN_FOR_SWMR: u32 = 4;

/// A mark that old programs left, and that means nothing.
const OLD_MARK: u32 = 2;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read what nobody writes.
    Read,
    /// To write, alone or with readers.
    Write,
    /// To read while a live writer writes, or when nobody does.
    Follow,
    /// To make it whole when its writer is gone.
    Recover,
}

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
    /// What only versions 0 and 1 have, and always have.
    pub(crate) groups: Option<OldGroups>,
}

/// What a superblock before version 2 says of groups: the shape of their trees, and where the root's is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OldGroups {
    /// Half the most entries of a symbol table node.
    pub(crate) leaf_k: u16,
    /// Half the most children of a node of a group's tree.
    pub(crate) internal_k: u16,
    /// Half the most children of a node of a chunk tree; version 0 has the default.
    pub(crate) chunk_k: u16,
    /// Free space of the file; no library ever wrote it.
    pub(crate) free_space: Option<Address>,
    /// The root's entry; its header is the superblock's `root`.
    pub(crate) root: SymbolEntry,
}

/// Half the most children of a node of a chunk tree, when nobody says.
pub(crate) const CHUNK_K: u16 = 32;

impl OldGroups {
    /// The shape of trees in almost every file, and a root whose tree and heap are not noted.
    pub(crate) fn new() -> Self {
        let root =
            SymbolEntry { name: HeapOffset(0), header: None, cache_type: 0, reserved: 0, scratch: [0; 16] };
        Self { leaf_k: 4, internal_k: 16, chunk_k: CHUNK_K, free_space: None, root }
    }

    /// How large nodes are.
    pub(crate) fn tree_k(&self) -> Result<TreeK> {
        TreeK { leaf: self.leaf_k, group: self.internal_k, chunk: self.chunk_k }.checked()
    }

    /// Notes where the root's tree and heap are.
    pub(crate) fn rooted(mut self, btree: Address, heap: Address, widths: Widths) -> Result<Self> {
        let mut scratch = Sink::new(widths);
        scratch.address(Some(btree))?;
        scratch.address(Some(heap))?;
        scratch.zeros(16_usize.saturating_sub(scratch.position()));
        let bytes = scratch.into_bytes();
        self.root.scratch = bytes.first_chunk().copied().unwrap_or_default();
        self.root.cache_type = 1;
        Ok(self)
    }
}

impl Superblock {
    /// Of a new file for readers as old as `bounds` says, behind a user block of `base` bytes; the root is not
    /// known yet.
    pub(crate) fn new(bounds: Bounds, base: u64) -> Self {
        let version = match bounds {
            Bounds::Earliest => 0,
            Bounds::V18 => 2,
            Bounds::V110 => 3,
        };
        Self {
            version,
            widths: Widths::EIGHT,
            flags: 0,
            base,
            extension: None,
            end_of_file: None,
            root: Address(0),
            driver: None,
            groups: (version == 0).then(OldGroups::new),
        }
    }

    /// Fails when the marks of the file say that it is not to be opened for this now.
    pub(crate) fn check_marks(&self, purpose: Purpose) -> Result<()> {
        if self.flags & !(OPEN_FOR_WRITE | OLD_MARK | OPEN_FOR_SWMR) != 0 {
            return Err(Error::malformed(format!("superblock: consistency flags are {:#x}", self.flags)));
        }
        let marks = self.flags & (OPEN_FOR_WRITE | OPEN_FOR_SWMR);
        let cause = match purpose {
            Purpose::Recover => return Ok(()),
            _ if self.version < 3 || marks == 0 => return Ok(()),
            Purpose::Follow if marks == OPEN_FOR_WRITE | OPEN_FOR_SWMR => return Ok(()),
            Purpose::Follow => "it is marked as open, but not for SWMR writing",
            _ if marks & OPEN_FOR_SWMR != 0 => "it is marked as already open for SWMR writing",
            _ => "it is marked as already open for writing",
        };
        let way_out =
            "when its writer is gone, `hyperslab recover` makes the file whole and takes the mark off";
        let cause = io::Error::new(io::ErrorKind::ResourceBusy, format!("{cause}; {way_out}"));
        Err(Error::io("cannot open the file", cause))
    }

    /// Bytes on disk.
    pub(crate) fn size(&self) -> u64 {
        let entry = u64::from(self.widths.offsets).saturating_mul(2).saturating_add(24);
        let rest = match self.version {
            0 => entry.saturating_add(24),
            1 => entry.saturating_add(28),
            _ => 16,
        };
        u64::from(self.widths.offsets).saturating_mul(4).saturating_add(rest)
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

    /// Writes the version it has, with addresses at the widths it says itself.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        let mut block = Sink::new(self.widths);
        block.put(&SIGNATURE);
        block.u8(self.version);
        if self.version < 2 {
            write_old(self, &mut block)?;
        } else {
            block.put(&[self.widths.offsets, self.widths.lengths]);
            block.uint(u64::from(self.flags), 1)?;
            block.address(Some(Address(self.base)))?;
            block.address(self.extension)?;
            block.address(self.end_of_file)?;
            block.address(Some(self.root))?;
            block.checksum(0);
        }
        sink.put(&block.into_bytes());
        Ok(())
    }
}

fn write_old(superblock: &Superblock, block: &mut Sink) -> Result<()> {
    let missing = || Error::usage("a superblock before version 2 says nothing of groups");
    let groups = superblock.groups.as_ref().ok_or_else(missing)?;
    // Versions of free space, of the root's entry and of shared headers, with a reserved byte among them.
    block.zeros(4);
    block.put(&[superblock.widths.offsets, superblock.widths.lengths, 0]);
    block.u16(groups.leaf_k);
    block.u16(groups.internal_k);
    block.u32(superblock.flags);
    if superblock.version == 1 {
        block.u16(groups.chunk_k);
        block.u16(0);
    }
    block.address(Some(Address(superblock.base)))?;
    block.address(groups.free_space)?;
    block.address(superblock.end_of_file)?;
    block.address(superblock.driver)?;
    SymbolEntry { header: Some(superblock.root), ..groups.root.clone() }.write(block)
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
    let chunk_k = if version == 1 { cursor.u16()? } else { CHUNK_K };
    if chunk_k == 0 {
        return Err(Error::malformed("chunk B-tree K value is 0, expected more"));
    }
    cursor.skip(if version == 1 { 2 } else { 0 })?;
    let rest = cursor.rest();
    let mut cursor = Cursor::new(rest, widths);
    let base = base_address(cursor.address()?)?;
    let free_space = cursor.address()?;
    let end_of_file = cursor.address()?;
    let driver = cursor.address()?;
    let root_entry = SymbolEntry::read(&mut cursor)?;
    let root = root_address(root_entry.header)?;
    let groups = Some(OldGroups { leaf_k, internal_k, chunk_k, free_space, root: root_entry });
    Ok(Superblock { version, widths, flags, base, extension: None, end_of_file, root, driver, groups })
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
    let (driver, groups) = (None, None);
    Ok(Superblock { version, widths, flags, base, extension, end_of_file, root, driver, groups })
}

#[cfg(test)]
mod tests {
    use super::{OldGroups, Purpose, Superblock};
    use crate::format::bytes::{Address, Bounds, Cursor, Sink, Widths, Wire};
    use proptest::prelude::{Strategy, any, prop, proptest};

    #[test]
    fn the_root_of_an_old_superblock_has_its_tree_and_heap_noted() {
        let widths = Widths { offsets: 4, lengths: 4 };
        let groups = OldGroups::new().rooted(Address(136), Address(680), widths).unwrap();
        assert_eq!(groups.root.cache_type, 1);
        assert_eq!(groups.root.scratch[..9], [136, 0, 0, 0, 0xa8, 2, 0, 0, 0]);
    }

    #[test]
    fn marks_keep_out_whom_they_concern() {
        let marked = |version, flags| Superblock { version, flags, ..Superblock::new(Bounds::V110, 0) };
        let opens = |version, flags| {
            [Purpose::Read, Purpose::Write, Purpose::Follow]
                .map(|purpose| marked(version, flags).check_marks(purpose).is_ok())
        };
        assert_eq!(opens(3, 0), [true; 3]);
        assert_eq!(opens(3, 2), [true; 3]);
        assert_eq!(opens(3, 1), [false; 3]);
        assert_eq!(opens(3, 4), [false; 3]);
        assert_eq!(opens(3, 5), [false, false, true]);
        assert_eq!(opens(2, 5), [true; 3]);
        assert_eq!(opens(2, 8), [false; 3]);
    }

    fn block() -> impl Strategy<Value = Superblock> {
        let widths = (prop::sample::select(vec![2_u8, 4, 8]), prop::sample::select(vec![2_u8, 4, 8]));
        let address = || proptest::option::of(0..u64::from(u16::MAX));
        let shape = (1_u16.., 1_u16.., 1_u16.., any::<[u8; 16]>());
        (0_u8..4, widths, 0_u32..256, [address(), address(), address()], shape).prop_map(
            |(version, (offsets, lengths), flags, addresses, (leaf_k, internal_k, chunk_k, scratch))| {
                let [end, other, base] = addresses.map(|address| address.map(Address));
                let mut block = Superblock::new(Bounds::Earliest, 0);
                (block.widths, block.root) = (Widths { offsets, lengths }, Address(96));
                (block.version, block.flags, block.end_of_file) = (version, flags, end);
                block.base = base.unwrap_or(Address(0)).0;
                if version > 1 {
                    return Superblock { extension: other, groups: None, ..block };
                }
                let chunk_k = if version == 1 { chunk_k } else { super::CHUNK_K };
                let mut groups = OldGroups { leaf_k, internal_k, chunk_k, ..OldGroups::new() };
                (groups.root.header, groups.root.scratch) = (Some(block.root), scratch);
                Superblock { driver: other, groups: Some(groups), ..block }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_whatever_the_widths_around_it(block in block()) {
            let mut sink = Sink::new(Widths::EIGHT);
            block.write(&mut sink).unwrap();
            let bytes = sink.into_bytes();
            assert_eq!(bytes.len() as u64, block.size());
            assert_eq!(Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT)).unwrap(), block);
        }

        #[test]
        fn any_bytes_read_or_say_why(bytes in any::<Vec<u8>>()) {
            let mut all = super::SIGNATURE.to_vec();
            all.extend(bytes);
            let _ = Superblock::read(&mut Cursor::new(&all, Widths::EIGHT));
        }
    }
}
