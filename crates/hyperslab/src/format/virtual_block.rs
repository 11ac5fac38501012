//! [`VirtualBlock`]: the list of mappings of a virtual dataset.
//!
//! Spec: III.F "Virtual Dataset Global Heap Block"; version 1 is that of HDF5 2.0.

#[cfg(test)]
use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Cursor, Sink, Wire};
use crate::format::checksum::{is_right, lookup3};
use crate::format::selection::{Oldest, StoredSelection};
use crate::space::Selection;

/// An entry has two selections of at least 16 bytes, and at least two bytes for its names.
const SMALLEST_ENTRY: usize = 34;

const FILE_SHARED: u8 = 1;
const DATASET_SHARED: u8 = 2;
const SAME_FILE: u8 = 4;

/// The mappings of a virtual dataset, in list order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VirtualBlock {
    version: u8,
    pub(crate) entries: Vec<VirtualEntry>,
}

/// One mapping as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VirtualEntry {
    pub(crate) file: Arc<[u8]>,
    pub(crate) dataset: Arc<[u8]>,
    pub(crate) source: StoredSelection,
    pub(crate) here: StoredSelection,
    sharing: Sharing,
}

/// How a version-1 entry says its names.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sharing {
    /// The file is the one that holds the virtual dataset, and its name is left out.
    same_file: bool,
    /// The entry whose file name this one has.
    file: Option<u64>,
    dataset: Option<u64>,
}

/// The names of a file and of a dataset in it.
type Both<'a> = (&'a [u8], &'a [u8]);

/// A mapping as it is read; its names are where they were stored.
pub(crate) struct Entry<'a> {
    pub(crate) file: &'a [u8],
    pub(crate) dataset: &'a [u8],
    pub(crate) source: StoredSelection,
    pub(crate) here: StoredSelection,
    sharing: Sharing,
}

/// A mapping to be stored.
pub(crate) struct Mapped {
    pub(crate) file: Arc<[u8]>,
    pub(crate) dataset: Arc<[u8]>,
    pub(crate) source: Selection,
    pub(crate) here: Selection,
}

impl VirtualBlock {
    /// Puts `mappings` into the form that readers as old as `oldest` understand.
    ///
    /// # Errors
    /// `Usage` when a name contains a NUL.
    #[cfg(test)]
    pub(crate) fn new(mappings: impl IntoIterator<Item = Mapped>, oldest: Oldest) -> Result<Self> {
        let mut entries = Vec::new();
        for Mapped { file, dataset, source, here } in mappings {
            check_name(&file)?;
            check_name(&dataset)?;
            let (source, here) =
                (StoredSelection::new(&source, oldest)?, StoredSelection::new(&here, oldest)?);
            entries.push(VirtualEntry { file, dataset, source, here, sharing: Sharing::default() });
        }
        let mut block = Self { version: 0, entries };
        if oldest >= Oldest::V200 {
            block.share();
        }
        Ok(block)
    }

    /// Writes repeated names once, unless that makes the block larger.
    #[cfg(test)]
    fn share(&mut self) {
        let (mut files, mut datasets) = (HashMap::new(), HashMap::new());
        let mut saved = 0_usize;
        let mut sharings = Vec::with_capacity(self.entries.len());
        for (index, entry) in (0_u64..).zip(&self.entries) {
            let mut earlier = |seen: &mut HashMap<Arc<[u8]>, u64>, name: &Arc<[u8]>| {
                let first = *seen.entry(Arc::clone(name)).or_insert(index);
                let shared = (first != index && name.len() >= 7).then_some(first);
                // A reference has the size of a length, 8 in practice.
                saved = saved.saturating_add(shared.map_or(0, |_| name.len().saturating_sub(7)));
                shared
            };
            let same_file = *entry.file == *b".";
            let file = if same_file { None } else { earlier(&mut files, &entry.file) };
            let dataset = earlier(&mut datasets, &entry.dataset);
            saved = saved.saturating_add(if same_file { 2 } else { 0 });
            sharings.push(Sharing { same_file, file, dataset });
        }
        if saved < self.entries.len() {
            return;
        }
        self.version = 1;
        for (entry, sharing) in self.entries.iter_mut().zip(sharings) {
            entry.sharing = sharing;
        }
    }

    /// Writes so many mappings as version 0, one by one; as `new` and then `write`, but in little memory.
    pub(crate) fn write_all(
        count: usize,
        mappings: impl Iterator<Item = Mapped>,
        oldest: Oldest,
        sink: &mut Sink,
    ) -> Result<()> {
        let start = sink.position();
        sink.u8(0);
        sink.length(u64::try_from(count).unwrap_or(u64::MAX))?;
        for mapping in mappings {
            for name in [&*mapping.file, &*mapping.dataset] {
                check_name(name)?;
                write_name(sink, None, name)?;
            }
            StoredSelection::put(&mapping.source, oldest, sink)?;
            StoredSelection::put(&mapping.here, oldest, sink)?;
        }
        sink.checksum(start);
        Ok(())
    }

    /// Reads a whole block, and gives its mappings to `each` one by one; gives its version.
    pub(crate) fn read_each<'a>(
        cursor: &mut Cursor<'a>,
        mut each: impl FnMut(usize, Entry<'a>) -> Result<()>,
    ) -> Result<u8> {
        let (version, mut inside) = checked(cursor)?;
        let stored = inside.length()?;
        let count = inside.expect_items(stored, SMALLEST_ENTRY)?;
        let mut earlier: Vec<Both<'a>> = Vec::new();
        for index in 0..count {
            let entry = read_entry(version, &mut inside, &earlier);
            let entry = entry.at(|| format!("mapping {index}")).at(|| "virtual dataset block")?;
            if version > 0 {
                earlier.push((entry.file, entry.dataset));
            }
            each(index, entry)?;
        }
        if inside.remaining() > 0 {
            let left = inside.remaining();
            return Err(Error::malformed(format!(
                "virtual dataset block: {left} bytes after the last mapping"
            )));
        }
        Ok(version)
    }

    fn write_entry(&self, entry: &VirtualEntry, sink: &mut Sink) -> Result<()> {
        let sharing = entry.sharing;
        if self.version > 0 {
            let mut flags = if sharing.same_file { SAME_FILE } else { 0 };
            flags |= if sharing.file.is_some() { FILE_SHARED } else { 0 };
            flags |= if sharing.dataset.is_some() { DATASET_SHARED } else { 0 };
            sink.u8(flags);
        }
        if !sharing.same_file {
            write_name(sink, sharing.file, &entry.file)?;
        }
        write_name(sink, sharing.dataset, &entry.dataset)?;
        entry.source.write(sink)?;
        entry.here.write(sink)
    }
}

fn read_entry<'a>(version: u8, cursor: &mut Cursor<'a>, earlier: &[Both<'a>]) -> Result<Entry<'a>> {
    let flags = if version == 0 { 0 } else { cursor.u8()? };
    if flags & !(FILE_SHARED | DATASET_SHARED | SAME_FILE) != 0 {
        return Err(Error::malformed(format!("flags are {flags:#04x}, expected at most 0x07")));
    }
    let mut sharing = Sharing { same_file: flags & SAME_FILE != 0, file: None, dataset: None };
    let file = if sharing.same_file {
        b"."
    } else if flags & FILE_SHARED != 0 {
        let (index, (file, _)) = reference(cursor, earlier)?;
        sharing.file = Some(index);
        file
    } else {
        cursor.until_nul()?
    };
    let dataset = if flags & DATASET_SHARED != 0 {
        let (index, (_, dataset)) = reference(cursor, earlier)?;
        sharing.dataset = Some(index);
        dataset
    } else {
        cursor.until_nul()?
    };
    let source = StoredSelection::read(cursor).at(|| "source selection")?;
    let here = StoredSelection::read(cursor).at(|| "virtual selection")?;
    Ok(Entry { file, dataset, source, here, sharing })
}

fn check_name(name: &[u8]) -> Result<()> {
    match memchr::memchr(0, name) {
        None => Ok(()),
        Some(_) => Err(Error::usage(format!("name \"{}\" contains a NUL", name.escape_ascii()))),
    }
}

fn reference<T: Copy>(cursor: &mut Cursor<'_>, earlier: &[T]) -> Result<(u64, T)> {
    let index = cursor.length()?;
    let entry = usize::try_from(index).ok().and_then(|index| earlier.get(index));
    entry.map(|entry| (index, *entry)).ok_or_else(|| {
        Error::malformed(format!(
            "a name is said to be that of mapping {index}, of {} before it",
            earlier.len()
        ))
    })
}

fn write_name(sink: &mut Sink, same_as: Option<u64>, name: &[u8]) -> Result<()> {
    if let Some(index) = same_as {
        return sink.length(index);
    }
    sink.put(name);
    sink.u8(0);
    Ok(())
}

impl Wire for VirtualBlock {
    /// Takes everything the cursor has left: the block ends with its checksum.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut entries = Vec::new();
        let version = Self::read_each(cursor, |_, entry| {
            let Entry { file, dataset, source, here, sharing } = entry;
            entries.push(VirtualEntry { file: file.into(), dataset: dataset.into(), source, here, sharing });
            Ok(())
        })?;
        Ok(Self { version, entries })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        let start = sink.position();
        sink.u8(self.version);
        sink.length(u64::try_from(self.entries.len()).unwrap_or(u64::MAX))?;
        self.entries.iter().try_for_each(|entry| self.write_entry(entry, sink))?;
        sink.checksum(start);
        Ok(())
    }
}

/// The version of a block whose checksum is right, and its body behind that.
fn checked<'a>(cursor: &mut Cursor<'a>) -> Result<(u8, Cursor<'a>)> {
    let body = cursor.remaining().checked_sub(4).ok_or_else(|| {
        let found = cursor.remaining();
        Error::malformed(format!("virtual dataset block of {found} bytes, at least 4 expected"))
    })?;
    let computed = lookup3(cursor.rest().get(..body).unwrap_or_default());
    let mut inside = cursor.sub(body)?;
    let stored = cursor.u32()?;
    if !is_right(stored, computed) {
        return Err(Error::malformed(format!(
            "virtual dataset block: checksum is {stored:#010x}, its bytes give {computed:#010x}"
        )));
    }
    let version = inside.version(&[0, 1]).at(|| "virtual dataset block")?;
    Ok((version, inside))
}

#[cfg(test)]
mod tests {
    use super::{Mapped, VirtualBlock};
    use crate::format::bytes::{Cursor, Sink, Widths, Wire};
    use crate::format::checksum::lookup3;
    use crate::format::selection::Oldest;
    use crate::space::{AxisSlab, Selection};
    use proptest::prelude::*;
    use std::sync::Arc;

    const ALL: &str = "03000000 01000000 0000000000000000";
    const ENTRY: &str = "612e683500 6400";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn read(bytes: &[u8]) -> crate::error::Result<VirtualBlock> {
        VirtualBlock::read(&mut Cursor::new(bytes, Widths::EIGHT))
    }

    fn written(block: &VirtualBlock) -> Vec<u8> {
        let mut sink = Sink::new(Widths::EIGHT);
        block.write(&mut sink).unwrap();
        sink.into_bytes()
    }

    /// Decodes, encodes, compares; gives what was decoded.
    fn vector(hex: &str) -> VirtualBlock {
        let bytes = bytes(hex);
        let block = read(&bytes).unwrap();
        assert_eq!(written(&block), bytes);
        block
    }

    fn rebuilt(block: &VirtualBlock, oldest: Oldest) -> Vec<u8> {
        let mappings = block.entries.iter();
        let mappings = mappings.map(|entry| Mapped {
            file: Arc::clone(&entry.file),
            dataset: Arc::clone(&entry.dataset),
            source: entry.source.selection.clone(),
            here: entry.here.selection.clone(),
        });
        written(&VirtualBlock::new(mappings, oldest).unwrap())
    }

    #[test]
    fn version_1_block_lists_decode_and_encode() {
        let hex = format!(
            "00 0100000000000000 {ENTRY} {ALL} 02000000 01000000 00000000 18000000 02000000 01000000
             01000000 00000000 01000000 02000000 9b492670"
        );
        let block = vector(&hex);
        assert_eq!((&*block.entries[0].file, &*block.entries[0].dataset), (&b"a.h5"[..], &b"d"[..]));
        assert_eq!(block.entries[0].here.selection, Selection::from_ranges(&[1..2, 0..3]).unwrap());
        assert_eq!(rebuilt(&block, Oldest::V110), bytes(&hex));
    }

    #[test]
    fn unlimited_version_2_hyperslabs_decode_and_encode() {
        let (zero, one, ones) = ("0000000000000000", "0100000000000000", "ffffffffffffffff");
        let hex = format!(
            "00 {one} {ENTRY} 02000000 02000000 01 24000000 01000000 {zero}{one}{ones}{one}
             02000000 02000000 01 44000000 02000000 {zero}{one}{one}{one} {zero}{one}{ones}{one} e066471d"
        );
        let block = vector(&hex);
        assert_eq!(block.entries[0].here.selection.unlimited_axis(), Some(1));
        assert_eq!(rebuilt(&block, Oldest::V110), bytes(&hex));
    }

    #[test]
    fn version_3_hyperslabs_decode_and_encode() {
        let t3 = format!(
            "00 0100000000000000 {ENTRY} {ALL}
             02000000 03000000 01 02 02000000 0100010001000100 0000010001000300 d1b4f430"
        );
        assert_eq!(rebuilt(&vector(&t3), Oldest::V112), bytes(&t3));
        let t6 = format!(
            "00 0100000000000000 {ENTRY} 02000000 03000000 01 02 01000000 0000010001000300
             02000000 03000000 00 02 01000000 0200 00000000 02000300 684fded0"
        );
        assert_eq!(rebuilt(&vector(&t6), Oldest::V112), bytes(&t6));
        let t8 = format!(
            "00 0100000000000000 {ENTRY} {ALL}
             02000000 03000000 01 04 01000000 70110100 01000000 01000000 03000000 9942e316"
        );
        assert_eq!(rebuilt(&vector(&t8), Oldest::V112), bytes(&t8));
    }

    #[test]
    fn irregular_block_lists_decode_and_encode() {
        let hex = format!(
            "00 0100000000000000 {ENTRY}
             02000000 01000000 00000000 10000000 01000000 01000000 00000000 02000000
             02000000 01000000 00000000 18000000 01000000 02000000 00000000 00000000 02000000 03000000 d7e4210c"
        );
        assert_eq!(rebuilt(&vector(&hex), Oldest::V110), bytes(&hex));
    }

    #[test]
    fn names_are_shared_in_version_1_blocks() {
        let row = |row: u8| {
            format!("{ALL} 02000000 03000000 01 02 02000000 {row:02x}00010001000100 0000010001000300")
        };
        let path = "2f656e7472792f646174612f78 00";
        let hex = format!(
            "01 0400000000000000  04 {path} {}  06 0000000000000000 {}
             02 736f757263655f303030312e6835 00 0000000000000000 {}  01 0200000000000000 7900 {} 0fe10195",
            row(0),
            row(1),
            row(2),
            row(3)
        );
        let block = vector(&hex);
        let names: Vec<_> = block.entries.iter().map(|e| (&*e.file, &*e.dataset)).collect();
        assert_eq!(names[1], (&b"."[..], &b"/entry/data/x"[..]));
        assert_eq!(names[3], (&b"source_0001.h5"[..], &b"y"[..]));
        assert_eq!(rebuilt(&block, Oldest::V200), bytes(&hex));
        assert_eq!(rebuilt(&block, Oldest::V110)[0], 0);
    }

    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let sum = lookup3(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_reference_to_a_later_mapping_or_a_count_too_large_is_refused() {
        let later = sealed(bytes(&format!("01 0100000000000000 01 0000000000000000 6400 {ALL} {ALL}")));
        assert!(read(&later).unwrap_err().to_string().contains("that of mapping 0, of 0 before it"));
        let many = sealed(bytes("00 ffffffffffffff00"));
        assert!(read(&many).unwrap_err().to_string().contains("do not fit"));
        let mut wrong = sealed(bytes("00 0000000000000000"));
        assert!(read(&wrong).is_ok());
        wrong[3] = 1;
        assert!(read(&wrong).unwrap_err().to_string().contains("checksum is"));
    }

    #[test]
    fn the_names_of_a_hundred_thousand_mappings_are_stored_once() {
        let rows: Vec<Selection> = (0..100_000)
            .map(|row| Selection::from_axes(vec![AxisSlab::range(row, 1), AxisSlab::range(0, 9)]).unwrap())
            .collect();
        let mappings = rows.iter().map(|row| Mapped {
            file: b"some_file.h5".as_slice().into(),
            dataset: b"/entry/data".as_slice().into(),
            source: Selection::All,
            here: row.clone(),
        });
        let block = read(&written(&VirtualBlock::new(mappings, Oldest::V200).unwrap())).unwrap();
        let [first, .., last] = &*block.entries else { panic!("no entries") };
        assert_eq!((&first.file, &first.dataset), (&last.file, &last.dataset));
        assert_eq!(
            (last.sharing.file, last.sharing.dataset, block.entries.len()),
            (Some(0), Some(0), 100_000)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_say_why(version in 0..2_u8, count in 0..3_u64, rest in prop::collection::vec(prop_oneof![3 => Just(0_u8), 2 => 0..4_u8, 1 => any::<u8>()], 0..160)) {
            let mut bytes = vec![version];
            bytes.extend(count.to_le_bytes());
            bytes.extend(rest);
            let bytes = sealed(bytes);
            if let Ok(block) = read(&bytes) {
                let again = read(&written(&block)).unwrap();
                prop_assert_eq!(again, block);
            }
        }
    }
}
