//! [`GlobalHeap`]: objects by collection and index; collections are parsed once.
//!
//! Spec: III.E "Global Heap".

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor};
use crate::format::global_heap::GlobalHeapCollection;
use crate::metadata::Metadata;
use crate::metadata::cache::Cache;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Bytes of collections one file keeps.
const CACHED: usize = 32 << 20;

/// Bytes of a collection of the usual, smallest size.
const USUAL: usize = 4096;

/// The collections of a file that were used lately.
#[derive(Debug)]
pub(crate) struct GlobalHeap {
    collections: Cache<GlobalHeapCollection>,
}

/// One object; its collection stays in memory as long.
#[derive(Clone, Debug)]
pub(crate) struct HeapObject {
    collection: Arc<GlobalHeapCollection>,
    range: Range<usize>,
}

impl Deref for HeapObject {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.collection.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

impl GlobalHeap {
    pub(crate) fn new() -> Self {
        Self { collections: Cache::new(CACHED) }
    }

    /// Object `index` of the collection at `address`.
    pub(crate) fn get(&self, md: &Metadata, address: Address, index: u32) -> Result<HeapObject> {
        let place = || format!("global heap collection at {address}");
        let collection = if let Some(collection) = self.collections.get(address.0) {
            collection
        } else {
            let collection = Arc::new(load(md, address).at(place)?);
            self.collections.keep(address.0, &collection, collection.bytes().len());
            collection
        };
        match collection.range(index) {
            Some(range) => Ok(HeapObject { collection, range }),
            None => Err(Error::malformed(format!("has no object {index}")).at(place())),
        }
    }
}

fn load(md: &Metadata, address: Address) -> Result<GlobalHeapCollection> {
    let mut bytes = md.read_up_to(address, USUAL)?;
    let size = GlobalHeapCollection::read_size(&mut Cursor::new(&bytes, md.widths()))?;
    let size = to_usize(size)?;
    if size > bytes.len() {
        bytes = md.read(address, size)?;
    }
    bytes.truncate(size);
    GlobalHeapCollection::parse(bytes, md.widths())
}
