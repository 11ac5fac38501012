//! Every kind of chunk index against a map, while chunks come and go.

use super::{ChunkGrid, ChunkIndex, Creation, StoredChunk, create, open};
use crate::format::btree_v1::TreeK;
use crate::format::bytes::{Address, Bounds, Widths};
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout};
use crate::metadata::Metadata;
use crate::storage::memory::MemoryStorage;
use crate::storage::{ReadAt, WriteAt};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::collections::BTreeMap;
use std::sync::Arc;

type Chunks = BTreeMap<Vec<u64>, StoredChunk>;

struct Dataset {
    storage: Arc<MemoryStorage>,
    md: Metadata,
    bounds: Bounds,
    grid: ChunkGrid,
    filtered: bool,
    layout: ChunkedLayout,
}

fn limits(md: Metadata, bounds: Bounds) -> Metadata {
    md.with_bounds(bounds).with_tree_k(TreeK { chunk: 2, ..TreeK::default() })
}

impl Dataset {
    fn new(bounds: Bounds, dims: &[u64], max: &[Option<u64>], chunk: &[u64], creation: Creation) -> Self {
        let storage = Arc::new(MemoryStorage::default());
        let md = Metadata::create(Arc::clone(&storage) as Arc<dyn WriteAt>, 48).unwrap();
        let md = limits(md, bounds);
        let grid =
            ChunkGrid { dims: dims.to_vec(), max: max.to_vec(), chunk: chunk.to_vec(), element_size: 4 };
        let layout = create(&md, &grid, creation).unwrap();
        Self { storage, md, bounds, grid, filtered: creation.filtered, layout }
    }

    fn index(&self) -> Box<dyn ChunkIndex> {
        open(&self.layout, &self.grid, self.filtered).unwrap()
    }

    fn insert(&mut self, coords: &[u64], chunk: StoredChunk) {
        if let Some(layout) = self.index().insert(&self.md, coords, chunk).unwrap() {
            self.layout = layout;
        }
    }

    fn remove(&mut self, coords: &[u64]) -> Option<StoredChunk> {
        let removed = self.index().remove(&self.md, coords).unwrap();
        self.layout = removed.layout.unwrap_or_else(|| self.layout.clone());
        removed.chunk
    }

    fn reopen(&mut self) {
        self.md.flush().unwrap();
        let end = self.storage.len().unwrap();
        let storage = Arc::clone(&self.storage) as Arc<dyn WriteAt>;
        self.md = limits(Metadata::writable(storage, 0, Widths::EIGHT, end).unwrap(), self.bounds);
    }

    fn all(&self) -> Chunks {
        let last: Vec<u64> = self.grid.counts().map(|count| count - 1).collect();
        let mut chunks = Chunks::new();
        let found = &mut |coords: &[u64], chunk: StoredChunk| {
            assert!(chunks.insert(coords.to_vec(), chunk).is_none(), "{coords:?} twice");
            Ok(())
        };
        self.index().visit(&self.md, &vec![0; last.len()], &last, found).unwrap();
        chunks
    }

    /// A chunk of a number; unfiltered ones have all the same size.
    fn chunk(&self, number: u64) -> StoredChunk {
        let bytes = self.grid.chunk_bytes().unwrap();
        let address = Address(number + 1);
        if self.filtered {
            return StoredChunk { address, size: number % (bytes * 2), filter_mask: 1 };
        }
        StoredChunk { address, size: bytes, filter_mask: 0 }
    }
}

fn filtered(filtered: bool) -> Creation {
    Creation { filtered, ..Creation::default() }
}

fn datasets(with: bool) -> Vec<Dataset> {
    let with = filtered(with);
    let (old, new) = (Bounds::Earliest, Bounds::V110);
    vec![
        Dataset::new(new, &[4, 6], &[Some(4), Some(6)], &[4, 6], with),
        Dataset::new(new, &[20, 9], &[Some(40), Some(9)], &[3, 2], with),
        Dataset::new(new, &[2500, 3], &[Some(3000), Some(3)], &[2, 1], with),
        Dataset::new(new, &[80_000, 9], &[None, Some(9)], &[1, 3], with),
        Dataset::new(new, &[3, 80_000], &[Some(9), None], &[1, 1], with),
        Dataset::new(new, &[60, 70], &[None, None], &[1, 2], with),
        Dataset::new(old, &[60, 70], &[None, None], &[2, 1], with),
        Dataset::new(Bounds::V18, &[400], &[Some(400)], &[2], with),
    ]
}

#[test]
fn indexes_are_chosen_as_libhdf5_does() {
    let [single, small, paged, first, second, both, old, older] = &datasets(false)[..] else { panic!() };
    assert_eq!(single.layout.indexing, ChunkIndexing::Single { filtered: None });
    for fixed in [small, paged] {
        assert_eq!(fixed.layout.indexing, ChunkIndexing::FixedArray { page_bits: 10 });
    }
    for growing in [first, second] {
        assert!(matches!(growing.layout.indexing, ChunkIndexing::ExtensibleArray { max_bits: 32, .. }));
    }
    assert!(matches!(both.layout.indexing, ChunkIndexing::BTreeV2 { node_size: 2048, .. }));
    for old in [old, older] {
        assert_eq!((old.layout.version, &old.layout.indexing), (3, &ChunkIndexing::BTreeV1));
    }
    let early = Creation { early: true, ..Creation::default() };
    let implicit = Dataset::new(Bounds::V110, &[8], &[Some(10)], &[3], early);
    assert_eq!(implicit.layout.indexing, ChunkIndexing::Implicit);
    let chunks: Vec<_> = implicit.all().into_values().collect();
    assert_eq!(chunks.len(), 3);
    implicit.index().insert(&implicit.md, &[1], chunks[1]).unwrap();
    assert!(implicit.index().insert(&implicit.md, &[1], chunks[0]).is_err());
    let single = Dataset::new(Bounds::V110, &[8], &[Some(8)], &[8], filtered(true));
    assert_eq!((single.layout.flags, single.layout.address), (2, None));
}

#[test]
fn a_deleted_index_gives_its_space_back() {
    for mut dataset in datasets(true) {
        let last: Vec<u64> = dataset.grid.counts().map(|count| count - 1).collect();
        for number in 0..3000_u64 {
            let coords: Vec<u64> = last.iter().map(|last| number.wrapping_mul(7_919) % (last + 1)).collect();
            let chunk = dataset.chunk(number);
            dataset.insert(&coords, chunk);
        }
        dataset.reopen();
        let used = dataset.storage.len().unwrap();
        dataset.index().delete(&dataset.md).unwrap();
        dataset.md.flush().unwrap();
        // What aligned blocks stays, so all of it is not one piece; but another index fits.
        dataset.layout.address = None;
        for number in 0..3000_u64 {
            let coords: Vec<u64> = last.iter().map(|last| number.wrapping_mul(7_919) % (last + 1)).collect();
            let chunk = dataset.chunk(number);
            dataset.insert(&coords, chunk);
        }
        let end = dataset.md.end();
        assert!(end <= used + used / 4, "{:?}: {end} of {used}", dataset.layout.indexing);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_index_is_a_map(
        with: bool,
        steps in prop::collection::vec((0_u8..16, any::<u64>(), any::<u64>(), 0_u64..20_000), 1..500),
    ) {
        for mut dataset in datasets(with) {
            let mut model = Chunks::new();
            let counts: Vec<u64> = dataset.grid.counts().collect();
            for (at, (what, seed, other, number)) in steps.iter().copied().enumerate() {
                // Many near the origin, some anywhere.
                let near = if what % 3 == 0 { u64::MAX } else { 12 };
                let seeds = [seed % near, other % near];
                let coords: Vec<u64> = seeds.iter().zip(&counts).map(|(seed, count)| seed % count).collect();
                if what < 11 {
                    let chunk = dataset.chunk(number);
                    dataset.insert(&coords, chunk);
                    model.insert(coords.clone(), chunk);
                } else {
                    assert_eq!(dataset.remove(&coords), model.remove(&coords));
                }
                let found = dataset.index().lookup(&dataset.md, &coords).unwrap();
                assert_eq!(found, model.get(&coords).copied());
                if at % 83 == 0 {
                    dataset.reopen();
                    assert!(dataset.all() == model, "{:?}", dataset.layout.indexing);
                }
            }
            dataset.reopen();
            assert!(dataset.all() == model, "{:?}", dataset.layout.indexing);
        }
    }
}

#[test]
fn an_extent_of_which_next_to_nothing_was_written_is_walked_at_once() {
    let side = 1 << 26;
    let dims = [side, side, 1];
    let mut dataset =
        Dataset::new(Bounds::V110, &dims, &[None, Some(side), Some(1)], &[1, 1, 1], filtered(false));
    let chunks: Chunks = [[0, 0, 0], [0, side - 1, 0], [40, 7, 0]]
        .iter()
        .zip(1..)
        .map(|(at, number)| (at.to_vec(), dataset.chunk(number)))
        .collect();
    for (at, chunk) in &chunks {
        dataset.insert(at, *chunk);
    }
    assert_eq!(dataset.all(), chunks);
}

#[test]
fn implicit_chunks_beyond_the_file_are_refused_before_they_are_counted() {
    let dims = [1 << 40, 1 << 20];
    let mut dataset = Dataset::new(Bounds::V110, &[8, 8], &[Some(8), Some(8)], &[8, 8], filtered(false));
    dataset.layout =
        ChunkedLayout { indexing: ChunkIndexing::Implicit, address: Some(Address(48)), ..dataset.layout };
    dataset.grid =
        ChunkGrid { max: dims.map(Some).to_vec(), dims: dims.to_vec(), chunk: vec![1, 1], element_size: 4 };
    let visited =
        dataset.index().visit(&dataset.md, &[0, 0], &[(1 << 40) - 1, (1 << 20) - 1], &mut |_, _| Ok(()));
    assert!(visited.unwrap_err().to_string().contains("the file ends at"));
}
