//! [`GlobalHeap`]: objects by collection and index; collections are parsed once.
//!
//! Spec: III.E "Global Heap".

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Sink};
use crate::format::global_heap::{GlobalHeapCollection, padded, put_free};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};
use parking_lot::Mutex;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a collection of the usual, smallest size.
const USUAL: usize = 4096;
/// Collections grow with what is put in, up to this size.
const LARGEST: usize = 1 << 16;
/// Collections with room that are remembered.
const ROOMS: usize = 16;
/// No object has a larger index.
const LAST_INDEX: u16 = u16::MAX;

/// The collections of a file, and which of them have room.
#[derive(Debug, Default)]
pub(crate) struct GlobalHeap {
    rooms: Mutex<Vec<Room>>,
    /// One past the end of the last collection that was looked at.
    reach: AtomicU64,
}

/// A collection with room at its end.
#[derive(Clone, Copy, Debug)]
struct Room {
    address: Address,
    /// Bytes of the collection.
    size: usize,
    /// Bytes of it in use.
    used: usize,
    /// No object has this index or a larger one.
    next: u16,
}

impl Room {
    fn fits(&self, needed: usize) -> bool {
        self.next < LAST_INDEX && self.size.saturating_sub(self.used) >= needed
    }
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
        Self::default()
    }

    /// Object `index` of the collection at `address`.
    pub(crate) fn get(&self, md: &Metadata, address: Address, index: u32) -> Result<HeapObject> {
        let place = || format!("global heap collection at {address}");
        let collection = self.open(md, address).at(place)?;
        match collection.range(index) {
            Some(range) => Ok(HeapObject { collection, range }),
            None => Err(Error::malformed(format!("has no object {index}")).at(place())),
        }
    }

    fn open(&self, md: &Metadata, address: Address) -> Result<Arc<GlobalHeapCollection>> {
        let collection = open(md, address)?;
        self.reach.fetch_max(address.0.saturating_add(collection.bytes().len() as u64), Ordering::Relaxed);
        Ok(collection)
    }

    /// One past the highest address of the collections that were looked at.
    pub(crate) fn reach(&self) -> u64 {
        self.reach.load(Ordering::Relaxed)
    }

    /// Stores an object, a large one in a collection of its own; gives its collection and its index in it.
    pub(crate) fn insert(&self, md: &Metadata, object: &[u8]) -> Result<(Address, u32)> {
        let head = GlobalHeapCollection::header_size(md.widths());
        let needed = padded(object.len()).saturating_add(head);
        if needed > LARGEST {
            let bytes = GlobalHeapCollection::encode(&[object], 0, md.widths())?;
            return Ok((md.place(Stage::Block, bytes)?, 1));
        }
        let mut rooms = self.rooms.lock();
        // A collection has no checksum, so what others may be reading is not written over.
        let found = rooms.iter().rposition(|room| room.fits(needed) && md.is_unseen(room.address));
        let found = found.map_or_else(|| add_room(md, &mut rooms, needed), Ok)?;
        let room = rooms.get_mut(found).ok_or_else(|| Error::usage("no room for an object"))?;
        let mut sink = Sink::new(md.widths());
        sink.u16(room.next);
        sink.put(&[1, 0, 0, 0, 0, 0]);
        sink.length(object.len() as u64)?;
        sink.put(object);
        sink.zeros(needed.saturating_sub(sink.position()));
        put_free(room.size.saturating_sub(room.used).saturating_sub(needed), &mut sink)?;
        splice(md, (room.address, room.size), room.used, &sink.into_bytes())?;
        let found = (room.address, room.next.into());
        room.used = room.used.saturating_add(needed);
        room.next = room.next.saturating_add(1);
        Ok(found)
    }

    /// Removes an object, and its collection with the last one; not from a collection others may be reading.
    pub(crate) fn remove(&self, md: &Metadata, address: Address, index: u32) -> Result<()> {
        if !md.is_unseen(address) {
            return Ok(());
        }
        let place = || format!("global heap collection at {address}");
        let collection = self.open(md, address).at(place)?;
        let range = collection.range(index);
        let range = range.ok_or_else(|| Error::malformed(format!("has no object {index}"))).at(place)?;
        let mut rooms = self.rooms.lock();
        rooms.retain(|room| room.address != address);
        let size = collection.bytes().len();
        if collection.objects().len() == 1 {
            return md.free(address, size as u64);
        }
        let head = GlobalHeapCollection::header_size(md.widths());
        let (start, end) = (range.start.saturating_sub(head), padded(range.end).min(size));
        let used = collection.used(md.widths());
        let mut sink = Sink::new(md.widths());
        sink.put(collection.bytes().get(end..used).unwrap_or_default());
        let used = start.saturating_add(sink.position());
        put_free(size.saturating_sub(used), &mut sink)?;
        splice(md, (address, size), start, &sink.into_bytes())?;
        let last = collection.objects().last().map_or(LAST_INDEX, |object| object.index);
        let room = Room { address, size, used, next: last.saturating_add(1) };
        let full = rooms.len() >= ROOMS;
        match rooms.iter_mut().min_by_key(|room| room.size - room.used).filter(|_| full) {
            Some(fullest) if fullest.size - fullest.used < size - used => *fullest = room,
            Some(_) => {}
            // Not last: what is newest is looked at first.
            None => rooms.insert(0, room),
        }
        Ok(())
    }
}

/// Another collection, with room for an object of `needed` bytes; gives which of the rooms it is.
fn add_room(md: &Metadata, rooms: &mut Vec<Room>, needed: usize) -> Result<usize> {
    let before = rooms.last().map_or(USUAL / 2, |room| room.size);
    let size = before.saturating_mul(2).clamp(USUAL, LARGEST);
    let head = GlobalHeapCollection::header_size(md.widths());
    let room = create(md, size.max(padded(needed.saturating_add(head))))?;
    if rooms.len() >= ROOMS
        && let Some(fullest) =
            (0..rooms.len()).min_by_key(|at| rooms.get(*at).map(|room| room.size - room.used))
    {
        rooms.remove(fullest);
    }
    rooms.push(room);
    Ok(rooms.len().saturating_sub(1))
}

fn open(md: &Metadata, address: Address) -> Result<Arc<GlobalHeapCollection>> {
    md.decoded(address, || {
        let collection = load(md, address)?;
        let weight = collection.bytes().len().saturating_add(collection.objects().len().saturating_mul(32));
        Ok((collection, weight))
    })
}

/// A collection without objects.
fn create(md: &Metadata, size: usize) -> Result<Room> {
    let bytes = GlobalHeapCollection::encode(&[], size, md.widths())?;
    let used = GlobalHeapCollection::header_size(md.widths());
    let address = md.place(Stage::Block, bytes)?;
    Ok(Room { address, size, used, next: 1 })
}

/// Writes bytes into a collection.
fn splice(md: &Metadata, (address, size): (Address, usize), at: usize, bytes: &[u8]) -> Result<()> {
    md.edit((Stage::Block, Seal::None), address, size, |block| {
        let target = block.get_mut(at..at.saturating_add(bytes.len()));
        target
            .ok_or_else(|| Error::malformed(format!("{} bytes at {at} of {size}", bytes.len())))?
            .copy_from_slice(bytes);
        Ok(())
    })
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

#[cfg(test)]
mod tests {
    use super::GlobalHeap;
    use crate::metadata::Metadata;
    use crate::storage::memory::MemoryStorage;
    use proptest::prelude::{ProptestConfig, any, prop, proptest};
    use std::sync::Arc;

    fn file() -> Metadata {
        Metadata::create(Arc::new(MemoryStorage::default()), 48).unwrap()
    }

    #[test]
    fn small_objects_share_a_collection() {
        let (md, heap) = (file(), GlobalHeap::new());
        let places: Vec<_> = (0..50).map(|_| heap.insert(&md, b"a few bytes").unwrap()).collect();
        assert!(places.iter().all(|(address, _)| *address == places[0].0));
    }

    #[test]
    fn rewriting_objects_does_not_grow_the_file() {
        let (md, heap) = (file(), GlobalHeap::new());
        let mut place = heap.insert(&md, &[1; 100]).unwrap();
        heap.insert(&md, &[1; 100]).unwrap();
        md.flush().unwrap();
        let end = md.end();
        for _ in 0..10_000 {
            heap.remove(&md, place.0, place.1).unwrap();
            place = heap.insert(&md, &[2; 100]).unwrap();
        }
        assert!(md.end() <= end + 8192, "{} from {end}", md.end());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_was_inserted_and_not_removed_is_there(
            steps in prop::collection::vec((0_u8..5, any::<prop::sample::Index>(), 0_usize..1500), 1..200),
        ) {
            let (md, heap) = (file(), GlobalHeap::new());
            let mut model = Vec::new();
            for (nth, (what, which, length)) in (0_u8..=255).cycle().zip(steps) {
                match what {
                    0..3 => {
                        let object = vec![nth; if length > 1490 { 9000 } else { length }];
                        model.push((heap.insert(&md, &object).unwrap(), object));
                    }
                    3 if !model.is_empty() => {
                        let (place, _) = model.swap_remove(which.index(model.len()));
                        heap.remove(&md, place.0, place.1).unwrap();
                    }
                    _ => md.flush().unwrap(),
                }
                for (place, object) in &model {
                    assert_eq!(&*heap.get(&md, place.0, place.1).unwrap(), object);
                }
            }
        }
    }
}
