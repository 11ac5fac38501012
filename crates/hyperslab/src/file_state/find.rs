//! Finding the superblock of a file, and whether it allows what is to be done.

use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::format::bytes::{Address, Bounds, Cursor, Widths, Wire};
use crate::format::superblock::{OldGroups, Purpose, SIGNATURE, Superblock};
use crate::metadata::Metadata;
use crate::object::Objects;
use crate::storage::pages::Pages;
use crate::storage::{ReadAt, WriteAt};
use std::sync::Arc;

/// Bytes in which every superblock fits.
const SUPERBLOCK_MAX: usize = 256;

impl FileState {
    /// The marks in the superblock as they are on disk now.
    pub(crate) fn marks(&self) -> Result<u32> {
        self.attempt(|| {
            let bytes = self.metadata().read_up_to(Address(0), SUPERBLOCK_MAX)?;
            let superblock = Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT));
            Ok(superblock.at(|| "superblock at 0x0")?.flags)
        })
    }
}
/// Superblock and objects of a file that is to be changed. `end` gives the address at which it ends, from the one
/// it says and the one its bytes end at.
pub(crate) fn editable(
    storage: Arc<dyn WriteAt>,
    purpose: Purpose,
    end: impl FnOnce(u64, u64) -> u64,
) -> Result<(Superblock, Objects)> {
    let pages = Pages::new(Arc::clone(&storage) as Arc<dyn ReadAt>)
        .map_err(|error| Error::io("cannot read the file", error))?;
    let (superblock, probe) = find_superblock(pages, purpose)?;
    let said = superblock.end_of_file.map(|end| end.0.saturating_sub(superblock.base));
    let end = end(said.unwrap_or_else(|| probe.end()), probe.end());
    let bounds = match superblock.version {
        0 | 1 => Bounds::Earliest,
        2 => Bounds::V18,
        _ => Bounds::V110,
    };
    let superblock = Superblock { base: probe.base(), ..superblock };
    let tree_k = superblock.groups.as_ref().map(OldGroups::tree_k).transpose()?;
    let metadata = Metadata::writable(storage, probe.base(), superblock.widths, end)?
        .with_bounds(bounds)
        .with_tree_k(tree_k.unwrap_or_default());
    let objects = Objects::open(metadata, superblock.extension)?;
    Ok((superblock, objects))
}

/// The superblock is at offset 0, or behind a user block at 512, 1024, 2048, ...
pub(super) fn find_superblock(pages: Pages, purpose: Purpose) -> Result<(Superblock, Metadata)> {
    let start = find_signature(&pages)?;
    let place = || format!("superblock at {start:#x}");
    let probe = Metadata::new(pages, start, Widths::EIGHT);
    let bytes = probe.read_up_to(Address(0), SUPERBLOCK_MAX)?;
    let superblock = Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT)).at(place)?;
    superblock.check_marks(purpose).at(place)?;
    check_superblock(&superblock, &probe, purpose).at(place)?;
    Ok((superblock, probe))
}

fn find_signature(pages: &Pages) -> Result<u64> {
    let mut offset = 0_u64;
    while offset.saturating_add(SIGNATURE.len() as u64) <= pages.len() {
        let mut bytes = [0; SIGNATURE.len()];
        pages.read_at(offset, &mut bytes).map_err(|error| Error::io("cannot read the file", error))?;
        if bytes == SIGNATURE {
            return Ok(offset);
        }
        offset = if offset == 0 { 512 } else { offset.saturating_mul(2) };
    }
    Err(Error::malformed(format!("no HDF5 signature in its {} bytes: this is not an HDF5 file", pages.len())))
}

/// The block that says how the file's driver lays it out must be in the file.
///
/// Spec: II.B "Driver Info".
fn check_driver(probe: &Metadata, address: Address) -> Result<()> {
    const HEAD: usize = 16;
    let head = probe.read(address, HEAD)?;
    let mut cursor = Cursor::new(&head, Widths::EIGHT);
    cursor.version(&[0])?;
    cursor.skip(3)?;
    let size = cursor.u32()?;
    if u64::from(size) > probe.end().saturating_sub(address.0).saturating_sub(HEAD as u64) {
        return Err(Error::malformed(format!("it has {size} bytes at {address}, outside the file")));
    }
    Ok(())
}

fn check_superblock(superblock: &Superblock, probe: &Metadata, purpose: Purpose) -> Result<()> {
    let length = probe.end();
    if superblock.base > probe.base() {
        return Err(Error::malformed(format!(
            "base address is {:#x}, the superblock itself is at {:#x}",
            superblock.base,
            probe.base()
        )));
    }
    if let Some(address) = superblock.driver {
        check_driver(probe, address).at(|| "driver information")?;
    }
    // A live writer says where its file ends before it is that long.
    if !matches!(purpose, Purpose::Follow | Purpose::Recover)
        && let Some(end) = superblock.end_of_file
        && end.0.saturating_sub(superblock.base) > length
    {
        return Err(Error::malformed(format!(
            "the file is truncated: it says it is {} bytes long, but {length} are there",
            end.0.saturating_sub(superblock.base)
        )));
    }
    Ok(())
}
