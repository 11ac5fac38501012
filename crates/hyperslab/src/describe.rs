//! What is known of how an object is stored: filters and their parameters, times, places, chunks, tracking of order.

use crate::dataset::{Dataset, Elements};
use crate::error::{Place, Result};
use crate::file::File;
use crate::format::bytes::Cursor;
use crate::format::message::other::Shared;
use crate::format::object_header::TRACKED as ATTRIBUTES_TRACKED;
use crate::format::object_header::kind;
use crate::group::{Group, Link, NamedDatatype, Object};
use crate::index::StoredChunk as Chunk;
use crate::location::Location;
use crate::object::links;
use crate::stored::Stored;
use std::sync::Arc;

/// Bit of the flags of a link information message: the order of creation is tracked.
const LINKS_TRACKED: u8 = 1;

/// A filter as a dataset lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFilter<'a> {
    /// The registered number.
    pub id: u16,
    /// The name, where the file gives one.
    pub name: Option<&'a str>,
    /// Whether a writer may leave it out of a chunk that it cannot be applied to.
    pub optional: bool,
    /// The filter's parameters ("client data").
    pub parameters: &'a [u32],
}

/// A chunk that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChunk {
    /// The coordinates of its first element.
    pub start: Vec<u64>,
    /// Bit n set: filter n was skipped.
    pub filter_mask: u32,
    /// Where it begins, counted from the start of the file.
    pub offset: u64,
    /// Stored bytes.
    pub size: u64,
}

/// What is known of an object beside its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// How many hard links lead to it.
    pub links: u32,
    /// When it was changed, in seconds since 1970; 0 when the file does not say.
    pub changed: u32,
    /// Whether links in it remember the order in which they were made.
    pub links_ordered: bool,
    /// Whether attributes remember the order in which they were made.
    pub attributes_ordered: bool,
    /// Whether times are kept of it.
    pub timed: bool,
}

impl Dataset {
    /// What was done to each chunk before it was stored, in order.
    pub fn stored_filters(&self) -> impl Iterator<Item = StoredFilter<'_>> {
        self.opened().pipeline.filters.iter().map(|filter| StoredFilter {
            id: filter.id,
            name: filter.name.as_deref(),
            optional: filter.optional,
            parameters: &filter.client,
        })
    }

    /// When space is allocated (1 early, 2 late, 3 as chunks are written), and when the fill value is written to it (0
    /// at once, 1 never, 2 when one was set), as the file says it.
    #[must_use]
    pub fn fill_times(&self) -> (u8, u8) {
        let fill = self.opened().fill_value();
        (fill.allocation, fill.time)
    }

    /// Path, offset and size of each raw file with elements; a size of 2^64-1 has no end.
    pub fn external_files(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        let files = match &self.opened().elements {
            Elements::Stored(Stored::External { files, .. }) => files.as_slice(),
            _ => &[],
        };
        files.iter().map(|file| (file.path.as_str(), file.offset, file.size))
    }

    /// Where the elements of a contiguous dataset begin, counted from the start of the file; `None` when none
    /// are stored or they are not in one run of bytes.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match &self.state().elements {
            Elements::Stored(Stored::Contiguous { address, .. }) => {
                address.map(|address| address.0.saturating_add(self.file.metadata().base()))
            }
            _ => None,
        }
    }

    /// Bytes of elements that are stored in the file.
    ///
    /// # Errors
    /// As [`stored_chunks`](Self::stored_chunks).
    pub fn stored_size(&self) -> Result<u64> {
        match &self.state().elements {
            Elements::Stored(Stored::Compact(bytes)) => Ok(bytes.len() as u64),
            Elements::Stored(Stored::Contiguous { address, size }) => Ok(address.map_or(0, |_| *size)),
            Elements::Stored(Stored::Chunked { .. }) => {
                Ok(self.stored_chunks()?.iter().map(|chunk| chunk.size).sum())
            }
            Elements::Stored(Stored::External { .. }) => {
                Ok(self.extent().count()?.saturating_mul(self.datatype().size() as u64))
            }
            Elements::Virtual(_) => Ok(0),
        }
    }

    /// The chunks that are stored, in the order of their coordinates; none when there are no chunks.
    ///
    /// # Errors
    /// `Malformed` when their index is broken.
    pub fn stored_chunks(&self) -> Result<Vec<StoredChunk>> {
        self.attempt(|| self.visit_stored()).at(|| self.place())
    }

    fn visit_stored(&self) -> Result<Vec<StoredChunk>> {
        let state = self.state();
        let Elements::Stored(Stored::Chunked { grid, index, .. }) = &state.elements else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        let sides = grid.dims.iter().zip(&grid.chunk);
        let counts: Vec<u64> = sides.map(|(dim, chunk)| dim.div_ceil((*chunk).max(1))).collect();
        if counts.contains(&0) {
            return Ok(found);
        }
        let last: Vec<u64> = counts.iter().map(|count| count.saturating_sub(1)).collect();
        let base = self.file.metadata().base();
        let mut keep = |at: &[u64], chunk: Chunk| {
            let start = at.iter().zip(&grid.chunk).map(|(at, side)| at.saturating_mul(*side)).collect();
            let (filter_mask, size) = (chunk.filter_mask, chunk.size);
            found.push(StoredChunk {
                start,
                filter_mask,
                offset: chunk.address.0.saturating_add(base),
                size,
            });
            Ok(())
        };
        let first = vec![0; last.len()];
        index.visit(self.file.metadata(), &first, &last, &mut keep)?;
        found.sort_by(|a, b| a.start.cmp(&b.start));
        Ok(found)
    }
}

impl Location {
    /// The object that is here, as it is now.
    ///
    /// # Errors
    /// `Malformed` when it cannot be read.
    pub fn object(&self) -> Result<Object> {
        let open = || Object::open(&self.file, self.address, &self.path);
        self.file.attempt(open).at(|| self.place())
    }

    /// What is known of the object beside its contents.
    ///
    /// # Errors
    /// `Malformed` when its header is broken.
    pub fn info(&self) -> Result<ObjectInfo> {
        let header = self.file.attempt(|| self.header()).at(|| self.place())?;
        let byte = |kind, at: usize| header.first(kind).and_then(|message| message.body.get(at).copied());
        let time = header.first(kind::TIME).and_then(|message| message.body.get(4..8)?.first_chunk::<4>());
        let changed = time.map(|bytes| u32::from_le_bytes(*bytes)).or(header.prefix.changed);
        Ok(ObjectInfo {
            links: header.link_count(),
            changed: changed.unwrap_or(0),
            links_ordered: byte(kind::LINK_INFO, 1).unwrap_or(0) & LINKS_TRACKED != 0,
            attributes_ordered: header.prefix.version > 1 && header.prefix.flags & ATTRIBUTES_TRACKED != 0,
            timed: changed.is_some(),
        })
    }
}

impl Group {
    /// The links in the order in which they were made; those of which that is not known come first, by name.
    ///
    /// # Errors
    /// `Malformed` when the group's structures are broken.
    pub fn links_as_made(&self) -> Result<Vec<Link>> {
        let _reading = self.file.reading()?;
        let list = || self.header().and_then(|header| links::list(&self.file.objects, &header));
        let mut found = self.file.attempt(list).at(|| self.place())?;
        found.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.name.cmp(&b.name)));
        Ok(found.into_iter().map(|link| Link { name: link.name, kind: link.target.into() }).collect())
    }
}

impl Dataset {
    /// The named datatype that the elements are of, when it has a name of its own.
    ///
    /// # Errors
    /// `Malformed` when it cannot be read.
    pub fn named_datatype(&self) -> Result<Option<NamedDatatype>> {
        let named = || {
            let header = self.header()?;
            let Some(message) = header.first(kind::DATATYPE).filter(|message| message.is_shared()) else {
                return Ok(None);
            };
            let widths = self.file.metadata().widths();
            let Shared::Committed(address) = Shared::read(&mut Cursor::new(&message.body, widths))? else {
                return Ok(None);
            };
            match Object::open(&self.file, address, b"")? {
                Object::Datatype(named) => Ok(Some(named)),
                _ => Ok(None),
            }
        };
        self.file.attempt(named).at(|| self.place())
    }
}

impl File {
    /// Whether two handles are on the same open file.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// Bytes before the superblock.
    #[must_use]
    pub fn user_block(&self) -> u64 {
        self.state.metadata().base()
    }

    /// Bytes of the file, those before the superblock included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state.metadata().end().saturating_add(self.user_block())
    }
}
