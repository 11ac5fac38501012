//! What objects are: headers, links, attributes, and the heaps and trees that hold them.

pub(crate) mod attributes;
pub(crate) mod btree;
pub(crate) mod delete;
mod dense;
pub(crate) mod fractal_heap;
pub(crate) mod global_heap;
pub(crate) mod group;
pub(crate) mod header;
#[cfg(test)]
mod heap_tests;
pub(crate) mod links;
pub(crate) mod local_heap;
pub(crate) mod symbol_table;

use crate::datatype::{Datatype, Heap, HeapWriter};
use crate::error::{Error, Place, Result};
use crate::format::btree_v1::TreeK;
use crate::format::bytes::{Address, Cursor, Sink, Wire};
use crate::format::cache_image;
use crate::format::message::other::{Shared, SharedIndex, SharedTable, read_shared_table, shared_table_size};
use crate::format::object_header::{RawMessage, kind};
use crate::metadata::Metadata;
use crate::object::fractal_heap::FractalHeap;
use crate::object::fractal_heap::space::HeapSpaces;
use crate::object::global_heap::GlobalHeap;
use crate::object::header::Header;
use std::borrow::Cow;

/// The objects of one open file.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) metadata: Metadata,
    pub(crate) global_heap: GlobalHeap,
    /// Where the heaps have room that are written.
    heaps: HeapSpaces,
    /// Where messages are that several headers share.
    shared: Vec<SharedIndex>,
}

impl Objects {
    /// `extension` is the header in which a superblock goes on.
    pub(crate) fn open(metadata: Metadata, extension: Option<Address>) -> Result<Self> {
        let mut objects = Self {
            metadata,
            global_heap: GlobalHeap::new(),
            heaps: HeapSpaces::default(),
            shared: Vec::new(),
        };
        if let Some(address) = extension {
            let header = Header::load(&objects.metadata, address).at(|| "superblock extension")?;
            objects.shared =
                objects.read_shared(&header).at(|| "superblock extension: shared message table")?;
            let image = objects.read_image(&header).at(|| "superblock extension: metadata cache image")?;
            if let Some(tree_k) = objects.decoded(&header, kind::BTREE_K, TreeK::read)? {
                objects.metadata = objects.metadata.with_tree_k(tree_k);
            }
            objects.metadata = objects.metadata.with_image(image);
        }
        Ok(objects)
    }

    fn read_shared(&self, header: &Header) -> Result<Vec<SharedIndex>> {
        let Some(table) = self.decoded(header, kind::SHARED_TABLE, SharedTable::read)? else {
            return Ok(Vec::new());
        };
        let Some(address) = table.table else { return Ok(Vec::new()) };
        let widths = self.metadata.widths();
        let bytes = self.metadata.read(address, shared_table_size(table.indexes, widths.offsets))?;
        read_shared_table(&mut Cursor::new(&bytes, widths), table.indexes)
    }

    fn read_image(&self, header: &Header) -> Result<Vec<(Address, Vec<u8>)>> {
        let message = self.decoded(header, kind::CACHE_IMAGE, cache_image::read_message)?;
        let Some((address, length)) = message.flatten() else { return Ok(Vec::new()) };
        let bytes = self.metadata.read(address, crate::error::to_usize(length)?)?;
        cache_image::read_block(&mut Cursor::new(&bytes, self.metadata.widths()))
    }

    /// The first message of a type, decoded, wherever it is.
    pub(crate) fn decoded<T>(
        &self,
        header: &Header,
        kind: u16,
        read: impl FnOnce(&mut Cursor<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(message) = header.first(kind) else { return Ok(None) };
        let body = self.body(message)?;
        read(&mut Cursor::new(&body, self.metadata.widths())).map(Some)
    }

    /// The datatype of a dataset or named datatype.
    pub(crate) fn datatype(&self, header: &Header) -> Result<Datatype> {
        self.decoded(header, kind::DATATYPE, Datatype::read)
            .at(|| "datatype message")?
            .ok_or_else(|| Error::malformed("an object without datatype"))
    }

    /// The bytes of a message, from where it is shared if it is.
    pub(crate) fn body<'m>(&self, message: &'m RawMessage) -> Result<Cow<'m, [u8]>> {
        self.body_of(message.kind, message.flags, &message.body)
    }

    /// The bytes of a message of type `kind`; bit 1 of `flags` says that `body` only tells where it is.
    pub(crate) fn body_of<'m>(&self, kind: u16, flags: u8, body: &'m [u8]) -> Result<Cow<'m, [u8]>> {
        if flags & 2 == 0 {
            return Ok(Cow::Borrowed(body));
        }
        let shared = Shared::read(&mut Cursor::new(body, self.metadata.widths())).at(|| "shared message")?;
        match shared {
            Shared::Committed(address) => {
                self.committed(kind, address).at(|| format!("shared message at {address}"))
            }
            Shared::Heap(id) => self.in_heap(kind, id).at(|| "shared message").map(Cow::Owned),
        }
    }

    fn committed(&self, wanted: u16, address: Address) -> Result<Cow<'static, [u8]>> {
        let header = Header::load(&self.metadata, address)?;
        if wanted == kind::DATATYPE && header.first(kind::DATASPACE).is_some() {
            return Err(Error::malformed("the object is a dataset, a named datatype expected"));
        }
        let message =
            header.first(wanted).ok_or_else(|| Error::malformed("the object has no message of that type"))?;
        if message.is_shared() {
            // A named datatype may itself be stored among the file's shared messages, but no further.
            return match Shared::read(&mut Cursor::new(&message.body, self.metadata.widths()))? {
                Shared::Heap(id) => self.in_heap(wanted, id).map(Cow::Owned),
                Shared::Committed(_) => Err(Error::malformed("what it leads to is shared again")),
            };
        }
        Ok(Cow::Owned(message.body.to_vec()))
    }

    fn in_heap(&self, kind: u16, id: [u8; 8]) -> Result<Vec<u8>> {
        let served = |index: &&SharedIndex| index.kinds.checked_shr(u32::from(kind)).unwrap_or(0) & 1 != 0;
        let heap = self.shared.iter().find(served).and_then(|index| index.heap);
        let heap =
            heap.ok_or_else(|| Error::malformed(format!("the file shares no messages of type {kind:#x}")))?;
        FractalHeap::open(&self.metadata, heap)?.get(&self.metadata, &id)
    }
}

impl HeapWriter for Objects {
    fn insert(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let (address, index) = self.global_heap.insert(&self.metadata, bytes)?;
        let mut sink = Sink::new(self.metadata.widths());
        sink.address(Some(address))?;
        sink.u32(index);
        Ok(sink.into_bytes())
    }
}

impl Heap for Objects {
    fn most_unfolded(&self) -> u64 {
        self.metadata.limits().unfolded_bytes
    }

    /// Spec: III.E, "global heap ID" as variable-length elements store it.
    fn fetch(&self, stored: &[u8]) -> Result<Vec<u8>> {
        let mut cursor = Cursor::new(stored, self.metadata.widths());
        cursor.skip(4)?;
        let address = cursor.address()?.filter(|address| address.0 != 0);
        let index = cursor.u32()?;
        let address =
            address.ok_or_else(|| Error::malformed("a variable-length element has no heap address"))?;
        Ok(self.global_heap.get(&self.metadata, address, index)?.to_vec())
    }
}
