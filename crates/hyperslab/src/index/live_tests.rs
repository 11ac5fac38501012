//! A chunk index that grows while others read: whatever part of its writes reached the disk, it is the one before or
//! after the flush under way.

use super::{ChunkGrid, Creation, StoredChunk, create, open};
use crate::format::bytes::{Address, Bounds, Widths};
use crate::format::message::layout::ChunkedLayout;
use crate::format::superblock::Superblock;
use crate::metadata::Metadata;
use crate::storage::memory::MemoryStorage;
use crate::storage::pages::Pages;
use crate::storage::tests::TestStorage;
use crate::storage::{ReadAt, WriteAt};
use std::sync::Arc;

/// A dataset of one axis or two, the chunks it gets, and the box they are in.
struct Growth {
    grid: ChunkGrid,
    filtered: bool,
    coords: Vec<Vec<u64>>,
    last: Vec<u64>,
}

impl Growth {
    fn new(
        dims: &[u64],
        max: &[Option<u64>],
        filtered: bool,
        coords: impl Iterator<Item = Vec<u64>>,
    ) -> Self {
        let chunk = vec![1; dims.len()];
        let grid = ChunkGrid { dims: dims.to_vec(), max: max.to_vec(), chunk, element_size: 4 };
        Self {
            grid,
            filtered,
            coords: coords.collect(),
            last: dims.iter().map(|length| length - 1).collect(),
        }
    }

    fn chunk(&self, number: usize) -> StoredChunk {
        let size = if self.filtered { 3 + number as u64 % 2 } else { 4 };
        StoredChunk { address: Address(0x1_0000_0000 + number as u64 * 8), size, filter_mask: 0 }
    }

    /// How many of the chunks the file has; all those before are there, and no other.
    fn found(&self, image: &[u8], layout: &ChunkedLayout) -> usize {
        let storage: Arc<dyn ReadAt> = Arc::new(MemoryStorage::new(image.to_vec()));
        let md = Metadata::new(Pages::new(storage).unwrap(), 0, Widths::EIGHT).with_bounds(Bounds::V110);
        let index = open(layout, &self.grid, self.filtered).unwrap();
        let mut found = Vec::new();
        let first = vec![0; self.last.len()];
        index
            .visit(&md, &first, &self.last, &mut |coords, chunk| {
                found.push((coords.to_vec(), chunk));
                Ok(())
            })
            .unwrap();
        let count = found.len();
        let mut expected: Vec<_> =
            (0..count).map(|number| (self.coords[number].clone(), self.chunk(number))).collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected);
        count
    }

    fn insert(&self, md: &Metadata, layout: &mut ChunkedLayout, number: usize) {
        let index = open(layout, &self.grid, self.filtered).unwrap();
        let changed = index.insert(md, &self.coords[number], self.chunk(number)).unwrap();
        *layout = changed.unwrap_or_else(|| layout.clone());
    }

    fn check(&self) {
        let storage = Arc::new(TestStorage::default());
        let md = Metadata::create(Arc::clone(&storage) as Arc<dyn WriteAt>, 48).unwrap();
        let md = md.with_bounds(Bounds::V110);
        let creation = Creation { filtered: self.filtered, ..Creation::default() };
        let mut layout = create(&md, &self.grid, creation).unwrap();
        self.insert(&md, &mut layout, 0);
        md.flush().unwrap();
        md.go_live(Superblock::new(Bounds::V110, 0), 0).unwrap();
        for number in 1..self.coords.len() {
            let mut image = storage.image();
            storage.writes.lock().clear();
            self.insert(&md, &mut layout, number);
            md.flush().unwrap();
            image.resize(usize::try_from(storage.len().unwrap()).unwrap(), 0);
            for (offset, bytes) in &*storage.writes.lock() {
                self.torn(&mut image, (*offset, bytes), &layout, number);
                image[*offset..offset + bytes.len()].copy_from_slice(bytes);
                let found = self.found(&image, &layout);
                assert!(found == number || found == number + 1, "{found} of {number}");
            }
            assert_eq!(self.found(&image, &layout), number + 1);
        }
    }

    fn torn(&self, image: &mut [u8], (offset, bytes): (usize, &[u8]), layout: &ChunkedLayout, number: usize) {
        let whole = offset..offset + bytes.len();
        let before = image[whole.clone()].to_vec();
        for cut in (1..bytes.len()).filter(|cut| (offset + cut).is_multiple_of(512)) {
            for part in [0..cut, cut..bytes.len()] {
                image[offset + part.start..offset + part.end].copy_from_slice(&bytes[part.clone()]);
                let found = self.found(image, layout);
                assert!(
                    found == number || found == number + 1,
                    "{found} of {number}, bytes {part:?} of {} at {offset:#x}",
                    bytes.len()
                );
                image[whole.clone()].copy_from_slice(&before);
            }
        }
    }
}

#[test]
fn a_fixed_array_is_whole_at_every_moment() {
    for filtered in [false, true] {
        let some = |length: u64, count: u64| (0..count).map(move |i| vec![i * 701 % length]);
        Growth::new(&[40], &[Some(40)], filtered, some(40, 40)).check();
        Growth::new(&[3000], &[Some(3000)], filtered, some(3000, 30)).check();
    }
}

#[test]
fn an_extensible_array_is_whole_at_every_moment() {
    for filtered in [false, true] {
        let from = |start: u64, count: u64| (start..start + count).map(|i| vec![i]);
        Growth::new(&[200], &[None], filtered, from(0, 120)).check();
        Growth::new(&[2000], &[None], filtered, from(1000, 40)).check();
        let pages = (0..24).map(|i| vec![131_060 + i * 300]);
        Growth::new(&[140_000], &[None], filtered, pages).check();
    }
}

#[test]
fn a_tree_of_chunks_is_whole_at_every_moment() {
    for filtered in [false, true] {
        let scattered = (0..300).map(|i: u64| vec![i * 37 % 300, i % 7]);
        Growth::new(&[300, 7], &[None, None], filtered, scattered).check();
    }
}
