//! Every kind of chunk index against what h5py says of the same file.

use crate::error::to_usize;
use crate::format::bytes::{Address, Cursor, Widths, Wire};
use crate::format::message::layout::{ChunkedLayout, DataLayout};
use crate::format::object_header::kind;
use crate::index::{ChunkGrid, ChunkIndex, StoredChunk, open};
use crate::metadata::Metadata;
use crate::metadata::btree_v2::BTreeV2;
use crate::object::header::Header;
use crate::storage::memory::MemoryStorage;
use crate::storage::pages::Pages;
use proptest::prelude::{ProptestConfig, any, proptest};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

const EARLIEST: &[u8] = include_bytes!("../../fixtures/index/earliest.h5");
const LATEST: &[u8] = include_bytes!("../../fixtures/index/latest.h5");
const GOLDEN: &str = include_str!("../../fixtures/index/golden.txt");

type Chunks = BTreeMap<Vec<u64>, StoredChunk>;

struct Golden {
    name: &'static str,
    file: &'static [u8],
    header: Address,
    filtered: bool,
    grid: ChunkGrid,
    chunks: Chunks,
}

fn numbers(text: &str) -> Vec<u64> {
    text.split(',').map(|number| number.parse().unwrap()).collect()
}

fn golden() -> Vec<Golden> {
    let mut all: Vec<Golden> = Vec::new();
    for line in GOLDEN.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "dataset" => all.push(Golden {
                name: words[1],
                file: if words[2] == "latest.h5" { LATEST } else { EARLIEST },
                header: Address(words[3].parse().unwrap()),
                filtered: words[4] == "1",
                grid: ChunkGrid {
                    element_size: words[5].parse().unwrap(),
                    dims: numbers(words[6]),
                    max: words[7].split(',').map(|most| most.parse().ok()).collect(),
                    chunk: numbers(words[8]),
                },
                chunks: BTreeMap::new(),
            }),
            "chunk" => {
                let chunk = StoredChunk {
                    address: Address(words[2].parse().unwrap()),
                    size: words[3].parse().unwrap(),
                    filter_mask: words[4].parse().unwrap(),
                };
                all.last_mut().unwrap().chunks.insert(numbers(words[1]), chunk);
            }
            _ => {}
        }
    }
    all
}

fn metadata(bytes: &[u8]) -> Metadata {
    let storage = Arc::new(MemoryStorage::new(bytes.to_vec()));
    Metadata::new(Pages::new(storage).unwrap(), 0, Widths::EIGHT)
}

fn layout(md: &Metadata, header: Address) -> ChunkedLayout {
    let header = Header::load(md, header).unwrap();
    let body = &header.first(kind::LAYOUT).unwrap().body;
    match DataLayout::read(&mut Cursor::new(body, md.widths())).unwrap() {
        DataLayout::Chunked(layout) => layout,
        other => panic!("{other:?}"),
    }
}

fn visited(index: &dyn ChunkIndex, md: &Metadata, first: &[u64], last: &[u64]) -> Chunks {
    let mut chunks = Chunks::new();
    let visit = index.visit(md, first, last, &mut |coords, chunk| {
        assert!(chunks.insert(coords.to_vec(), chunk).is_none(), "{coords:?} twice");
        Ok(())
    });
    visit.unwrap();
    chunks
}

#[test]
fn every_index_finds_the_chunks_that_h5py_finds() {
    for golden in golden() {
        let md = metadata(golden.file);
        let layout = layout(&md, golden.header);
        let index = open(&layout, &golden.grid, golden.filtered).unwrap();
        let last: Vec<u64> = golden.grid.counts().map(|count| count - 1).collect();
        let found = visited(&*index, &md, &vec![0; last.len()], &last);
        assert!(found == golden.chunks, "{}: {} of {} chunks", golden.name, found.len(), golden.chunks.len());
        let index = open(&layout, &golden.grid, golden.filtered).unwrap();
        for (coords, chunk) in &golden.chunks {
            assert_eq!(index.lookup(&md, coords).unwrap(), Some(*chunk), "{} {coords:?}", golden.name);
        }
        let missing = (0..last[0]).map(|first| {
            let mut coords = last.clone();
            coords[0] = first;
            coords
        });
        for coords in missing {
            let expected = golden.chunks.get(&coords).copied();
            assert_eq!(index.lookup(&md, &coords).unwrap(), expected, "{} {coords:?}", golden.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_box_gives_the_chunks_inside_it(seed: [u64; 6]) {
        for golden in golden() {
            let md = metadata(golden.file);
            let index = open(&layout(&md, golden.header), &golden.grid, golden.filtered).unwrap();
            let sides = golden.grid.counts().zip(seed.chunks(2));
            let (first, last): (Vec<u64>, Vec<u64>) = sides
                .map(|(count, seed)| {
                    let (a, b) = (seed[0] % count, seed[1] % count);
                    (a.min(b), a.max(b))
                })
                .unzip();
            let mut expected = golden.chunks.clone();
            expected.retain(|at, _| at.iter().zip(&first).all(|(at, first)| at >= first));
            expected.retain(|at, _| at.iter().zip(&last).all(|(at, last)| at <= last));
            assert!(visited(&*index, &md, &first, &last) == expected, "{} {first:?} {last:?}", golden.name);
        }
    }

    #[test]
    fn damaged_bytes_give_an_error_or_chunks(
        place in any::<proptest::sample::Index>(), value in any::<u8>(), run in 1_usize..9,
    ) {
        for golden in golden() {
            let layout = layout(&metadata(golden.file), golden.header);
            // What lies near the index is damaged most often.
            let near = layout.address.map_or(0, |address| to_usize(address.0).unwrap());
            let span = golden.file.len().saturating_sub(near).min(4096);
            let at = near + place.index(span.max(1));
            let mut bytes = golden.file.to_vec();
            bytes.iter_mut().skip(at).take(run).for_each(|byte| *byte = value);
            let md = metadata(&bytes);
            let index = open(&layout, &golden.grid, golden.filtered).unwrap();
            let last: Vec<u64> = golden.grid.counts().map(|count| count - 1).collect();
            let _ = index.lookup(&md, &last);
            let _ = index.visit(&md, &vec![0; last.len()], &last, &mut |_, _| Ok(()));
        }
    }
}

#[test]
fn a_chunk_that_begins_within_another_is_refused_in_its_place_and_nowhere_else() {
    let mut node = b"TREE\x01\x00\x01\x00".to_vec();
    node.extend([0xff; 16]);
    for number in [8_u64, 1, 0, 4096, 8, 5, 0] {
        node.extend(number.to_le_bytes());
    }
    let md = metadata(&node);
    let grid = ChunkGrid { dims: vec![4], max: vec![Some(4)], chunk: vec![2], element_size: 4 };
    let index = super::btree_v1::Index::new(Address(0), &grid);
    let visit = |at: u64| index.visit(&md, &[at], &[at], &mut |_, _| Ok(()));
    for error in [index.lookup(&md, &[0]).unwrap_err(), visit(0).unwrap_err()] {
        assert!(error.to_string().contains("a chunk at [1], which is no multiple of [2]"), "{error}");
    }
    assert!(index.lookup(&md, &[1]).unwrap().is_none() && visit(1).is_ok());
}

#[test]
fn a_chunk_that_begins_within_an_element_is_refused() {
    // libhdf5 does not find such a chunk and reads the fill value in its place.
    let mut node = b"TREE\x01\x00\x01\x00".to_vec();
    node.extend([0xff; 16]);
    for number in [8_u64, 0, 0x1_0000_0000, 4096, 8, 2, 4] {
        node.extend(number.to_le_bytes());
    }
    let md = metadata(&node);
    let grid = ChunkGrid { dims: vec![2], max: vec![Some(2)], chunk: vec![2], element_size: 4 };
    let index = super::btree_v1::Index::new(Address(0), &grid);
    let looked_up = index.lookup(&md, &[0]).unwrap_err().to_string();
    let visited = index.visit(&md, &[0], &[0], &mut |_, _| Ok(())).unwrap_err().to_string();
    for error in [looked_up, visited] {
        assert!(error.contains("a chunk at [0] that begins at byte 4294967296 of an element"), "{error}");
    }
}

#[test]
fn chunks_out_of_order_are_refused() {
    // libhdf5 searches, and reads the fill value where it does not find them.
    let storage = Arc::new(MemoryStorage::default());
    let md = Metadata::create(storage, 48).unwrap();
    let grid = ChunkGrid { dims: vec![8], max: vec![None], chunk: vec![2], element_size: 4 };
    let tree = BTreeV2::create(&md, 10, 512, 16).unwrap();
    for coord in [1_u64, 0] {
        let record = [4096_u64.to_le_bytes(), coord.to_le_bytes()].concat();
        tree.put_record(&md, &record, &mut |_| Ok(Ordering::Less)).unwrap();
    }
    let index = super::btree_v2::Index::new(tree.address(), &grid, false).unwrap();
    let looked_up = index.lookup(&md, &[1]).unwrap_err().to_string();
    let visited = index.visit(&md, &[0], &[3], &mut |_, _| Ok(())).unwrap_err().to_string();
    for error in [looked_up, visited] {
        assert!(error.contains("its chunks are not in the order of their coordinates"), "{error}");
    }
}
