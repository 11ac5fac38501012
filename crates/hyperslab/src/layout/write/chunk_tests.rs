//! Chunks written, resized, flushed and read in turn against an array in memory.

use crate::error::{ErrorKind, Result};
use crate::filter::{Filter, FilterPipeline};
use crate::format::bytes::Bounds;
use crate::format::message::layout::ChunkedLayout;
use crate::index::{self, ChunkGrid, ChunkIndex, Creation, StoredChunk};
use crate::layout::cache::ChunkCache;
use crate::layout::chunked_mut::ChunkSet;
use crate::layout::direct::{allocate, flush, read_chunk, resize, write_chunk};
use crate::layout::execute::Identity;
use crate::layout::tests::{bytes_of, offset, part, read_values, whole};
use crate::layout::write::tests::{FILL, Step, count, file, step};
use crate::layout::write::{Change, ElementsMut, LayoutMut};
use crate::layout::{Elements, Layout};
use crate::metadata::Metadata;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// How a dataset is made.
#[derive(Clone, Copy, Debug)]
struct Kind {
    filters: usize,
    edge_unfiltered: bool,
    budget: usize,
    early: bool,
    growth: Growth,
}

/// How large a dataset may become, which decides on its index.
#[derive(Clone, Copy, Debug)]
enum Growth {
    Not,
    ToALimit,
    AlongOneAxis,
    AlongAll,
    InAnOldFile,
}

fn kind() -> impl Strategy<Value = Kind> {
    use Growth::{AlongAll, AlongOneAxis, InAnOldFile, Not, ToALimit};
    let growth = prop::sample::select(vec![Not, ToALimit, AlongOneAxis, AlongAll, InAnOldFile]);
    let budget = prop::sample::select(vec![0, 60, 1 << 20]);
    (0..4_usize, any::<(bool, bool)>(), budget, growth).prop_map(
        |(filters, (edge_unfiltered, early), budget, growth)| {
            let edge_unfiltered = edge_unfiltered && !matches!(growth, InAnOldFile);
            Kind { filters, edge_unfiltered, budget, early, growth }
        },
    )
}

struct Stored {
    metadata: Metadata,
    grid: ChunkGrid,
    layout: ChunkedLayout,
    pipeline: FilterPipeline,
    edge_unfiltered: bool,
    cache: ChunkCache,
    identity: Identity,
    fill: Vec<u8>,
    model: Vec<u16>,
}

impl Stored {
    fn new(dims: &[u64], chunk: &[u64], kind: Kind) -> Self {
        Self::new_in(file(u64::MAX), dims, chunk, kind)
    }

    fn new_in(metadata: Metadata, dims: &[u64], chunk: &[u64], kind: Kind) -> Self {
        let filter = |id, client, optional| Filter { id, name: None, optional, client };
        let all = [filter(9, vec![], true), filter(2, vec![2], false), filter(1, vec![4], false)];
        let (mut max, mut chunk) = (vec![Some(12); dims.len()], chunk);
        let mut metadata = metadata;
        match kind.growth {
            Growth::Not => {
                max = dims.iter().copied().map(Some).collect();
                chunk = dims;
            }
            Growth::ToALimit => {}
            Growth::AlongOneAxis => max[dims.len() / 2] = None,
            Growth::AlongAll => max.fill(None),
            Growth::InAnOldFile => metadata = metadata.with_bounds(Bounds::Earliest),
        }
        let filters = all[3 - kind.filters.min(3)..].to_vec();
        let grid = ChunkGrid { dims: dims.to_vec(), max, chunk: chunk.to_vec(), element_size: 2 };
        let Kind { edge_unfiltered, early, .. } = kind;
        let creation = Creation { filtered: !filters.is_empty(), early, edge_unfiltered };
        let layout = index::create(&metadata, &grid, creation).unwrap();
        Self {
            metadata,
            grid,
            layout,
            pipeline: FilterPipeline { filters },
            edge_unfiltered: kind.edge_unfiltered,
            cache: ChunkCache::new(kind.budget),
            identity: Identity::fresh(),
            fill: bytes_of(&[FILL]),
            model: vec![FILL; count(dims)],
        }
    }

    fn index(&self) -> Box<dyn ChunkIndex> {
        index::open(&self.layout, &self.grid, !self.pipeline.is_empty()).unwrap()
    }

    /// The chunks that are stored.
    fn chunks(&self) -> BTreeMap<Vec<u64>, StoredChunk> {
        let mut chunks = BTreeMap::new();
        let last: Vec<u64> = self.grid.counts().map(|count| count.max(1) - 1).collect();
        let mut keep = |at: &[u64], chunk| {
            chunks.insert(at.to_vec(), chunk);
            Ok(())
        };
        self.index().visit(&self.metadata, &vec![0; last.len()], &last, &mut keep).unwrap();
        chunks
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut ElementsMut<'_>) -> R) -> R {
        let index = self.index();
        let set = ChunkSet {
            grid: &self.grid,
            index: &*index,
            pipeline: &self.pipeline,
            edge_unfiltered: self.edge_unfiltered,
            cache: &self.cache,
        };
        let mut elements = ElementsMut {
            metadata: &self.metadata,
            layout: LayoutMut::Chunked(set),
            dims: &self.grid.dims,
            element: 2,
            fill: &self.fill,
            change: None,
        };
        let result = change(&mut elements);
        if let Some(Change::Chunked(layout)) = elements.change {
            self.layout = layout;
        }
        result
    }

    fn elements<'a>(&'a self, index: &'a dyn ChunkIndex) -> Elements<'a> {
        let layout = Layout::Chunked {
            grid: &self.grid,
            index: Some(index),
            pipeline: &self.pipeline,
            edge_unfiltered: self.edge_unfiltered,
            reuse: Some(self.identity),
            cache: Some(&self.cache),
        };
        Elements { metadata: &self.metadata, layout, dims: &self.grid.dims, element: 2, fill: &self.fill }
    }

    fn write(&mut self, step: &Step) -> Result<()> {
        self.change(|elements| step.run(elements))?;
        step.apply(&mut self.model, &self.grid.dims);
        Ok(())
    }

    fn resize(&mut self, dims: &[u64], early: bool) {
        let most = |(dim, max): (&u64, &Option<u64>)| max.map_or(*dim, |max| max.min(*dim));
        let dims: &[u64] = &dims.iter().zip(&self.grid.max).map(most).collect::<Vec<_>>();
        self.change(|elements| resize(elements, dims)).unwrap();
        let old = std::mem::replace(&mut self.grid.dims, dims.to_vec());
        if early {
            self.change(|elements| allocate(elements, &old)).unwrap();
        }
        let mut model = vec![FILL; count(dims)];
        for (at, value) in model.iter_mut().enumerate() {
            let coords = crate::layout::tests::unravel(at as u64, dims);
            if coords.iter().zip(&old).all(|(at, dim)| at < dim) {
                *value = self.model[offset(&coords, &old)];
            }
        }
        self.model = model;
    }

    fn check(&self) {
        let dims = &self.grid.dims;
        if dims.contains(&0) {
            return;
        }
        assert_eq!(
            read_values(&self.elements(&*self.index()), &whole(dims), dims, false).unwrap(),
            self.model
        );
    }
}

#[derive(Clone, Debug)]
enum Act {
    Write(Step),
    Resize(Vec<u64>),
    Flush,
}

/// Acts in an extent that changes on the way.
fn acts(dims: Vec<u64>, left: usize) -> BoxedStrategy<Vec<Act>> {
    if left == 0 {
        return Just(Vec::new()).boxed();
    }
    let sides = dims.iter().map(|_| 0..12_u64).collect::<Vec<_>>();
    let writable = !dims.contains(&0);
    let write = if writable { step(&dims).prop_map(Act::Write).boxed() } else { Just(Act::Flush).boxed() };
    let act = prop_oneof![6 => write, 2 => sides.prop_map(Act::Resize), 1 => Just(Act::Flush)];
    act.prop_flat_map(move |act| {
        let next = if let Act::Resize(dims) = &act { dims.clone() } else { dims.clone() };
        (Just(act), acts(next, left - 1)).prop_map(|(act, mut rest)| {
            rest.insert(0, act);
            rest
        })
    })
    .boxed()
}

fn script() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<Act>)> {
    prop::collection::vec((1..12u64, 1..6u64), 1..4).prop_flat_map(|axes| {
        let (dims, chunk): (Vec<u64>, Vec<u64>) = axes.into_iter().unzip();
        (Just(dims.clone()), Just(chunk), acts(dims, 7))
    })
}

proptest! {
    #[test]
    fn chunks_hold_what_an_array_in_memory_holds((dims, chunk, acts) in script(), kind in kind()) {
        let mut stored = Stored::new(&dims, &chunk, kind);
        if kind.early {
            let none = vec![0; dims.len()];
            stored.change(|elements| allocate(elements, &none)).unwrap();
            prop_assert_eq!(stored.chunks().len(), count(&stored.grid.counts().collect::<Vec<_>>()));
            stored.check();
        }
        for act in &acts {
            match act {
                // What is beyond the largest extent was not resized to.
                Act::Write(step) if !step.parts.iter().all(|part| part.fits_source(&stored.grid.dims)) => {}
                Act::Write(step) => stored.write(step).unwrap(),
                Act::Resize(dims) => stored.resize(dims, kind.early),
                Act::Flush => {
                    stored.change(flush).unwrap();
                    prop_assert!(!stored.cache.is_dirty());
                }
            }
            stored.check();
        }
        stored.change(flush).unwrap();
        stored.cache = ChunkCache::new(0);
        stored.check();
    }
}

#[test]
fn rows_that_are_appended_are_encoded_once() {
    let kind =
        Kind { filters: 2, edge_unfiltered: false, early: false, growth: Growth::AlongAll, budget: 1 << 20 };
    let mut stored = Stored::new(&[64, 100], &[32, 100], kind);
    for row in 0..64 {
        let parts = vec![part(&[vec![(row, 1, 1)], vec![(0, 1, 100)]], &[0, 0], false)];
        stored.write(&Step { parts, place_dims: vec![1, 100], wide: false, seed: 7 }).unwrap();
        assert!(stored.chunks().is_empty());
    }
    stored.check();
    stored.change(flush).unwrap();
    assert_eq!(stored.chunks().len(), 2);
    stored.check();
}

#[test]
fn chunks_that_are_written_at_once_are_neighbours() {
    let kind =
        Kind { filters: 2, edge_unfiltered: false, early: false, growth: Growth::AlongAll, budget: 1 << 20 };
    let mut stored = Stored::new(&[600, 1000], &[64, 300], kind);
    let everything = Step { parts: whole(&[600, 1000]), place_dims: vec![600, 1000], wide: true, seed: 1 };
    stored.write(&everything).unwrap();
    stored.check();
    let index = stored.chunks();
    let chunks: Vec<&StoredChunk> = index.values().collect();
    assert_eq!(chunks.len(), 40);
    assert!(chunks.windows(2).all(|two| two[0].address.0 + two[0].size == two[1].address.0));
}

#[test]
fn rewriting_chunks_does_not_grow_the_file_without_bound() {
    let kind = Kind { filters: 2, edge_unfiltered: false, early: false, growth: Growth::AlongAll, budget: 0 };
    let mut stored = Stored::new(&[100, 100], &[25, 25], kind);
    let mut longest = 0;
    for round in 0..30 {
        let step =
            Step { parts: whole(&[100, 100]), place_dims: vec![100, 100], wide: false, seed: round * 1111 };
        stored.write(&step).unwrap();
        stored.metadata.flush().unwrap();
        if round == 4 {
            longest = stored.metadata.end();
        }
    }
    stored.check();
    assert!(stored.metadata.end() <= longest + 4096, "{} after {longest}", stored.metadata.end());
}

#[test]
fn stored_bytes_are_read_and_written_as_they_are() {
    let kind =
        Kind { filters: 2, edge_unfiltered: false, early: false, growth: Growth::AlongAll, budget: 1 << 20 };
    let mut stored = Stored::new(&[8], &[4], kind);
    let step = Step {
        parts: vec![part(&[vec![(1, 1, 2)]], &[0], false)],
        place_dims: vec![2],
        wide: false,
        seed: 7,
    };
    stored.write(&step).unwrap();
    assert_eq!(read_chunk(&stored.elements(&*stored.index()), &[1]).unwrap(), None);
    // What is not stored yet is encoded for the asking.
    let (bytes, mask) = read_chunk(&stored.elements(&*stored.index()), &[0]).unwrap().unwrap();
    stored.change(|elements| write_chunk(elements, &[1], &bytes, mask)).unwrap();
    stored.change(flush).unwrap();
    assert_eq!(read_chunk(&stored.elements(&*stored.index()), &[0]).unwrap(), Some((bytes, mask)));
    let first: Vec<u16> = stored.model[..4].to_vec();
    stored.model[4..].copy_from_slice(&first);
    stored.check();
    stored.change(|elements| write_chunk(elements, &[0], &[1, 2, 3, 4, 5, 6, 7, 8], 3)).unwrap();
    stored.model[..4].copy_from_slice(&[0x0201, 0x0403, 0x0605, 0x0807]);
    stored.check();
    let error = stored.change(|elements| write_chunk(elements, &[2], &[0; 8], 3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_disk_that_is_full_reaches_the_writer_of_chunks() {
    for writes in 3..9 {
        let kind =
            Kind { filters: 2, edge_unfiltered: false, early: false, growth: Growth::AlongAll, budget: 40 };
        let mut stored = Stored::new_in(file(writes), &[40], &[4], kind);
        let mut failed = None;
        for at in 0..10 {
            let parts = vec![part(&[vec![(at * 4 + 1, 1, 2)]], &[0], false)];
            let step = Step { parts, place_dims: vec![2], wide: false, seed: 7 };
            failed = failed.or_else(|| stored.write(&step).err());
        }
        failed = failed.or_else(|| stored.change(flush).err());
        assert_eq!(failed.map(|error| error.kind()), Some(ErrorKind::Io), "{writes}");
        assert!(stored.cache.is_dirty());
    }
}

#[test]
fn a_chunk_that_is_stored_anew_in_its_place_is_decoded_anew() {
    let kind = Kind { filters: 1, edge_unfiltered: false, early: false, growth: Growth::AlongAll, budget: 0 };
    let mut stored = Stored::new(&[4, 4], &[4, 4], kind);
    stored.pipeline.filters[0].client = vec![0];
    let row = vec![part(&[vec![(1, 1, 1)], vec![(0, 1, 4)]], &[0, 0], false)];
    let mut places = Vec::new();
    for seed in 0..3 {
        stored.write(&Step { parts: whole(&[4, 4]), place_dims: vec![4, 4], wide: false, seed }).unwrap();
        let index = stored.index();
        let found = read_values(&stored.elements(&*index), &row, &[1, 4], false).unwrap();
        assert_eq!(found, stored.model[4..8]);
        places.extend(stored.chunks().into_values());
    }
    assert!(places.windows(2).all(|two| two[0] == two[1]));
}
