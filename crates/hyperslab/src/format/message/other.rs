//! The small messages: external files, sharing, time, and what the superblock extension holds.
//!
//! Spec: IV.A.2.h, IV.A.2.n to IV.A.2.x.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Cursor, Length, Sink, Wire};

record! {
    /// Where an old-style group keeps its links.  Spec: IV.A.2.r "The Symbol Table Message".
    pub(crate) struct SymbolTable [] {
        btree: Option<Address>;
        heap: Option<Address>;
    }
}

record! {
    /// One external file: where its name is in the heap, and which bytes of it are used.
    ///
    /// Spec: IV.A.2.h "The Data Storage - External Data Files Message".
    pub(crate) struct ExternalSlot [] {
        name: Length;
        offset: Length;
        /// All ones when the file may grow.
        size: Length;
    }
}

/// The external files of a dataset, in the order their bytes follow each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExternalFiles {
    /// Local heap with the names.
    pub(crate) heap: Address,
    pub(crate) slots: Vec<ExternalSlot>,
}

impl ExternalFiles {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.version(&[1])?;
        cursor.skip(3)?;
        let (allocated, used) = (cursor.u16()?, cursor.u16()?);
        if used > allocated {
            return Err(Error::malformed(format!("{used} external files in {allocated} slots")));
        }
        let heap = cursor.address()?.ok_or_else(|| Error::malformed("external file names have no heap"))?;
        let width = usize::from(cursor.widths().lengths).saturating_mul(3);
        cursor.expect_items(u64::from(used), width)?;
        let slots = (0..used).map(|_| ExternalSlot::read(cursor)).collect::<Result<_>>()?;
        Ok(Self { heap, slots })
    }

    pub(crate) fn write(&self, sink: &mut Sink) -> Result<()> {
        let count = u16::try_from(self.slots.len());
        let count = count.map_err(|_| Error::limit(format!("{} external files", self.slots.len())))?;
        sink.put(&[1, 0, 0, 0]);
        sink.u16(count);
        sink.u16(count);
        sink.address(Some(self.heap))?;
        self.slots.iter().try_for_each(|slot| slot.write(sink))
    }
}

/// Where a shared message is.  Spec: IV.A.2 "Shared Message".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// In the header of a named datatype.
    Committed(Address),
    /// In the file's heap of shared messages.
    Heap([u8; 8]),
}

impl Shared {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let version = cursor.version(&[1, 2, 3])?;
        let class = cursor.u8()?;
        if version == 1 {
            cursor.skip(6)?;
            cursor.length()?;
        }
        if version == 3 && class == 1 {
            return Ok(Self::Heap(cursor.array()?));
        }
        if version == 3 && class != 2 {
            return Err(Error::malformed(format!("shared message class is {class}, expected 1 or 2")));
        }
        let address = cursor.address()?.ok_or_else(|| Error::malformed("a shared message has no address"))?;
        Ok(Self::Committed(address))
    }

    /// Writes version 2 for a named datatype, version 3 for a shared message.
    pub(crate) fn write(&self, sink: &mut Sink) -> Result<()> {
        match self {
            Self::Committed(address) => {
                sink.put(&[2, 2]);
                sink.address(Some(*address))
            }
            Self::Heap(id) => {
                sink.put(&[3, 1]);
                sink.put(id);
                Ok(())
            }
        }
    }
}

record! {
    /// When an object of a version-1 header was changed.  Spec: IV.A.2.s "The Object Modification Time Message".
    pub(crate) struct ModificationTime [version 1,] {
        reserved: [u8; 3];
        /// Seconds since 1970.
        seconds: u32;
    }
}

/// Fails unless a modification time is one.  Spec: IV.A.2.o and IV.A.2.s.
pub(crate) fn check_time(cursor: &mut Cursor<'_>, old: bool) -> Result<()> {
    if old {
        return cursor.skip(16);
    }
    cursor.version(&[1])?;
    cursor.skip(7)
}

/// How space is managed in a file.  Spec: IV.A.2.x "The File Space Info Message", version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSpace {
    /// 1 for a file made of pages.
    pub(crate) strategy: u8,
    /// Whether free space is remembered in the file.
    pub(crate) persists: bool,
    pub(crate) threshold: u64,
    /// Bytes of a page.
    pub(crate) page: u64,
    pub(crate) metadata_threshold: u16,
    /// The end of the file, as it was before what manages free space was written.
    pub(crate) end: Option<Address>,
}

/// Kinds of space that are managed apart, in a file that remembers free space.
const MANAGERS: usize = 12;

impl FileSpace {
    /// Whether the file is made of pages.
    pub(crate) fn is_paged(&self) -> bool {
        self.strategy == 1
    }

    /// What the message says; none in the form of a development version. Managers are not looked at.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>> {
        let version = cursor.version(&[0, 1])?;
        let strategy = cursor.u8()?;
        if version == 0 {
            // Where free space is follows for some strategies, but some writers left it out.
            if strategy > 4 {
                return Err(Error::malformed(format!("file space strategy is {strategy}, expected 0 to 4")));
            }
            return cursor.length().map(|_| None);
        }
        let persists = cursor.u8()? != 0;
        let (threshold, page) = (cursor.length()?, cursor.length()?);
        if !(512..=1 << 30).contains(&page) {
            return Err(Error::malformed(format!("file space pages are {page} bytes, expected 512 to 2^30")));
        }
        let metadata_threshold = cursor.u16()?;
        let end = cursor.address()?;
        let managers: usize = if persists { MANAGERS } else { 0 };
        cursor.skip(managers.saturating_mul(usize::from(cursor.widths().offsets)))?;
        Ok(Some(Self { strategy, persists, threshold, page, metadata_threshold, end }))
    }

    /// Writes the message without managers: all free space is forgotten.
    pub(crate) fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.put(&[1, self.strategy, u8::from(self.persists)]);
        sink.length(self.threshold)?;
        sink.length(self.page)?;
        sink.u16(self.metadata_threshold);
        sink.address(self.end)?;
        let managers: usize = if self.persists { MANAGERS } else { 0 };
        (0..managers).try_for_each(|_| sink.address(None))
    }
}

record! {
    /// Where the file's shared messages are.  Spec: IV.A.2.p "The Shared Message Table Message".
    pub(crate) struct SharedTable [version 0,] {
        table: Option<Address>;
        indexes: u8;
    }
}

/// One index of the shared message table: message types it serves, and its heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedIndex {
    /// Bit n: messages of type n.
    pub(crate) kinds: u16,
    pub(crate) heap: Option<Address>,
}

/// Reads the table of shared-message indexes.  Spec: III.H "Shared Object Header Message Table".
pub(crate) fn read_shared_table(cursor: &mut Cursor<'_>, count: u8) -> Result<Vec<SharedIndex>> {
    let start = cursor.position();
    cursor.signature(*b"SMTB")?;
    let mut indexes = Vec::new();
    for _ in 0..count {
        cursor.version(&[0])?;
        cursor.skip(1)?;
        let kinds = cursor.u16()?;
        cursor.skip(10)?;
        cursor.address()?;
        indexes.push(SharedIndex { kinds, heap: cursor.address()? });
    }
    cursor.checksum(start)?;
    Ok(indexes)
}

/// Bytes of a shared message table of `count` indexes.
pub(crate) fn shared_table_size(count: u8, offsets: u8) -> usize {
    let entry = usize::from(offsets).saturating_mul(2).saturating_add(14);
    usize::from(count).saturating_mul(entry).saturating_add(8)
}
