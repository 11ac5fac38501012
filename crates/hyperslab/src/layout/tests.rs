//! Reads against a model that copies element by element.

use crate::datatype::{Conversion, Datatype, NoHeap};
use crate::error::{ErrorKind, Result};
use crate::filter::{Filter, FilterPipeline};
use crate::format::bytes::{Address, Widths};
use crate::format::message::layout::ChunkedLayout;
use crate::index::{ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::layout::execute::{Identity, Memory};
use crate::layout::external::{ExternalFile, Opener};
use crate::layout::{Elements, Layout, read};
use crate::metadata::Metadata;
use crate::space::{Part, PartAxis, Segment};
use crate::storage::ReadAt;
use crate::storage::memory::MemoryStorage;
use crate::storage::pages::Pages;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn metadata(bytes: Vec<u8>) -> Metadata {
    let base = 16;
    let mut file = vec![0xee; base];
    file.extend(bytes);
    Metadata::new(Pages::new(Arc::new(MemoryStorage::new(file))).unwrap(), base as u64, Widths::EIGHT)
}

#[derive(Debug, Default)]
struct Chunks(BTreeMap<Vec<u64>, StoredChunk>);

impl ChunkIndex for Chunks {
    fn lookup(&self, _: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        Ok(self.0.get(coords).copied())
    }

    fn visit(
        &self,
        _: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        let inside = |coords: &[u64]| {
            coords.iter().zip(first).zip(last).all(|((at, first), last)| (first..=last).contains(&at))
        };
        self.0
            .iter()
            .filter(|(coords, _)| inside(coords))
            .try_for_each(|(coords, stored)| found(coords, *stored))
    }

    fn insert(&self, _: &Metadata, _: &[u64], _: StoredChunk) -> Result<Option<ChunkedLayout>> {
        Ok(None)
    }

    fn remove(&self, _: &Metadata, _: &[u64]) -> Result<Removed> {
        Ok(Removed::default())
    }

    fn delete(&self, _: &Metadata) -> Result<()> {
        Ok(())
    }
}

/// A part that takes an element everywhere the axes say, from `(start, step, count)` pieces of each axis.
pub(super) fn part(axes: &[Vec<(u64, u64, u64)>], place: &[u64], reversed: bool) -> Part {
    let mut axes: Vec<PartAxis> = axes
        .iter()
        .zip(place)
        .enumerate()
        .map(|(axis, (pieces, start))| {
            let mut at = *start;
            let mut segment = |(source, source_step, count): &(u64, u64, u64)| {
                let place = at;
                at += count;
                Segment { place, place_step: 1, source: *source, source_step: *source_step, count: *count }
            };
            let segments = pieces.iter().map(&mut segment).collect();
            PartAxis { place_axis: Some(axis), source_axis: Some(axis), segments }
        })
        .collect();
    if reversed {
        axes.reverse();
    }
    Part { axes }
}

/// Every element of the dataset, two bytes each, after its number.
pub(super) fn elements(dims: &[u64]) -> Vec<u16> {
    (0..dims.iter().product()).map(|n| u16::try_from(n * 7 % 60_000).unwrap() + 1).collect()
}

pub(super) fn offset(coords: &[u64], dims: &[u64]) -> usize {
    usize::try_from(coords.iter().zip(dims).fold(0, |offset, (at, dim)| offset * dim + at)).unwrap()
}

/// What a read should give: the places of the parts in order, the rest untouched.
pub(super) fn model(
    parts: &[Part],
    source: &[u16],
    dims: &[u64],
    place_dims: &[u64],
    untouched: u16,
) -> Vec<u16> {
    let mut out = vec![untouched; usize::try_from(place_dims.iter().product::<u64>()).unwrap()];
    for part in parts {
        for (place, at) in part.elements() {
            out[offset(&place, place_dims)] = source[offset(&at, dims)];
        }
    }
    out
}

pub(super) fn bytes_of(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Reads as u16 or as u32 and gives the values.
pub(super) fn read_values(
    stored: &Elements<'_>,
    parts: &[Part],
    place_dims: &[u64],
    wide: bool,
) -> Result<Vec<u16>> {
    let from = Datatype::of::<u16>();
    let to = if wide { Datatype::of::<u32>() } else { from.clone() };
    let conversion = Conversion::plan(&from, &to)?;
    let memory = Memory { conversion: &conversion, size: to.size(), heap: &NoHeap, zeroed: true };
    let count = usize::try_from(place_dims.iter().product::<u64>()).unwrap();
    let mut out = vec![0; count * to.size()];
    read(stored, parts, place_dims, &memory, &mut out)?;
    let value = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    Ok(out.chunks_exact(to.size()).map(value).collect())
}

/// A chunked dataset in memory; chunks whose number is in `missing` were never written.
struct Chunked {
    metadata: Metadata,
    grid: ChunkGrid,
    index: Chunks,
    identity: Identity,
    pipeline: FilterPipeline,
    /// What a read of everything gives.
    expected: Vec<u16>,
}

const FILL: u16 = 0xabcd;

impl Chunked {
    fn new(dims: &[u64], chunk: &[u64], deflated: bool, missing: u64, gap: usize) -> Self {
        let deflate = Filter { id: 1, name: None, optional: false, client: vec![1] };
        let pipeline = FilterPipeline { filters: if deflated { vec![deflate] } else { Vec::new() } };
        let mut expected = elements(dims);
        let mut index = Chunks::default();
        let mut file = Vec::new();
        let counts: Vec<u64> = dims.iter().zip(chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
        for number in 0..counts.iter().product::<u64>() {
            let coords = unravel(number, &counts);
            let mut raw = Vec::new();
            for at in 0..chunk.iter().product::<u64>() {
                let within = unravel(at, chunk);
                let element: Vec<u64> =
                    coords.iter().zip(chunk).zip(&within).map(|((c, chunk), at)| c * chunk + at).collect();
                let inside = element.iter().zip(dims).all(|(at, dim)| at < dim);
                let value = inside.then(|| &mut expected[offset(&element, dims)]);
                raw.push(value.map_or(0, |value| {
                    let stored = *value;
                    if missing > 0 && number % missing == 0 {
                        *value = FILL;
                    }
                    stored
                }));
            }
            if missing > 0 && number % missing == 0 {
                continue;
            }
            let (stored, mask) = pipeline.encode(&bytes_of(&raw)).unwrap();
            file.resize(file.len() + gap, 0x55);
            let chunk = StoredChunk {
                address: Address(file.len() as u64),
                size: stored.len() as u64,
                filter_mask: mask,
            };
            index.0.insert(coords, chunk);
            file.extend(stored);
        }
        let max = dims.iter().copied().map(Some).collect();
        let grid = ChunkGrid { dims: dims.to_vec(), max, chunk: chunk.to_vec(), element_size: 2 };
        Self { metadata: metadata(file), grid, index, identity: Identity::fresh(), pipeline, expected }
    }

    fn elements<'a>(&'a self, fill: &'a [u8]) -> Elements<'a> {
        let layout = Layout::Chunked {
            grid: &self.grid,
            index: Some(&self.index),
            pipeline: &self.pipeline,
            edge_unfiltered: false,
            reuse: Some(self.identity),
            cache: None,
        };
        Elements { metadata: &self.metadata, layout, dims: &self.grid.dims, element: 2, fill }
    }
}

pub(super) fn unravel(number: u64, dims: &[u64]) -> Vec<u64> {
    let mut rest = number;
    let mut coords: Vec<u64> = dims
        .iter()
        .rev()
        .map(|dim| {
            let at = rest % dim;
            rest /= dim;
            at
        })
        .collect();
    coords.reverse();
    coords
}

/// Pieces of an axis of `dim` elements that share no element.
pub(super) fn pieces(dim: u64) -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    let cuts = prop::collection::vec((0..dim, 1..5u64, 1..=dim), 1..4);
    cuts.prop_map(move |mut cuts| {
        cuts.sort_unstable();
        let mut next = 0;
        let mut pieces = Vec::new();
        for (start, step, count) in cuts {
            let start = start.max(next);
            if start < dim {
                let count = count.min((dim - start).div_ceil(step));
                pieces.push((start, step, count));
                next = start + (count - 1) * step + 1;
            }
        }
        if pieces.len() > 1 && dim.is_multiple_of(2) {
            pieces.swap(0, 1);
        }
        pieces
    })
}

/// Dimensions, a chunk shape, and two boxes of pieces.
type Case = (Vec<u64>, Vec<u64>, Vec<Vec<(u64, u64, u64)>>, Vec<Vec<(u64, u64, u64)>>);

fn case() -> impl Strategy<Value = Case> {
    prop::collection::vec((1..14u64, 1..6u64), 1..4).prop_flat_map(|axes| {
        let (dims, chunk): (Vec<u64>, Vec<u64>) = axes.into_iter().unzip();
        let boxes = || dims.iter().map(|dim| pieces(*dim)).collect::<Vec<_>>();
        (Just(dims.clone()), Just(chunk), boxes(), boxes())
    })
}

/// Two parts, and an output where they lie side by side, or, overlapping, at the same place.
fn two_parts(case: &Case, overlap: bool, reversed: bool) -> (Vec<Part>, Vec<u64>) {
    let length = |pieces: &Vec<(u64, u64, u64)>| pieces.iter().map(|piece| piece.2).sum::<u64>();
    let first: Vec<u64> = case.2.iter().map(length).collect();
    let second: Vec<u64> = case.3.iter().map(length).collect();
    let mut start = vec![0; first.len()];
    let mut dims: Vec<u64> = first.iter().zip(&second).map(|(a, b)| *a.max(b)).collect();
    if !overlap {
        start[0] = first[0];
        dims[0] = first[0] + second[0];
    }
    (vec![part(&case.2, &vec![0; first.len()], reversed), part(&case.3, &start, false)], dims)
}

proptest! {
    #[test]
    fn reading_chunks_equals_copying_element_by_element(
        case in case(),
        (deflated, wide, overlap, reversed) in any::<(bool, bool, bool, bool)>(),
        missing in 0..4u64,
        gap in prop::sample::select(vec![0, 3, 5000]),
    ) {
        let chunked = Chunked::new(&case.0, &case.1, deflated, missing, gap);
        let (parts, place_dims) = two_parts(&case, overlap, reversed);
        let fill = FILL.to_le_bytes();
        let found = read_values(&chunked.elements(&fill), &parts, &place_dims, wide).unwrap();
        prop_assert_eq!(&found, &model(&parts, &chunked.expected, &case.0, &place_dims, 0));
        let one = read_values(&chunked.elements(&fill), &parts[..1], &place_dims, wide).unwrap();
        prop_assert_eq!(one, model(&parts[..1], &chunked.expected, &case.0, &place_dims, 0));
    }

    #[test]
    fn reading_a_run_of_bytes_equals_copying_element_by_element(
        case in case(),
        (wide, overlap, reversed) in any::<(bool, bool, bool)>(),
        kind in 0..3,
    ) {
        let values = elements(&case.0);
        let bytes = bytes_of(&values);
        let size = bytes.len() as u64;
        let (parts, place_dims) = two_parts(&case, overlap, reversed);
        let expected = model(&parts, &values, &case.0, &place_dims, 0);
        let metadata = metadata(bytes.clone());
        let (files, shelf) = Shelf::of(&bytes);
        let layout = match kind {
            0 => Layout::Contiguous { address: Some(Address(0)), size },
            1 => Layout::Compact(&bytes),
            _ => Layout::External { files: &files, opener: &shelf },
        };
        let stored = Elements { metadata: &metadata, layout, dims: &case.0, element: 2, fill: &[] };
        prop_assert_eq!(read_values(&stored, &parts, &place_dims, wide).unwrap(), expected);
    }
}

/// Bytes spread over three external files, the last of which is longer on paper than it is.
#[derive(Debug)]
struct Shelf(Vec<Arc<MemoryStorage>>);

impl Shelf {
    fn of(bytes: &[u8]) -> (Vec<ExternalFile>, Self) {
        let third = bytes.len() / 3;
        let (first, rest) = bytes.split_at(third);
        let (second, third) = rest.split_at(third);
        let mut files = Vec::new();
        let mut shelf = Vec::new();
        for (number, piece) in [first, second, third].iter().enumerate() {
            let mut file = vec![0x77; 5 * number];
            file.extend(*piece);
            let size = if number == 2 { u64::MAX } else { piece.len() as u64 };
            files.push(ExternalFile { path: number.to_string(), offset: 5 * number as u64, size });
            shelf.push(Arc::new(MemoryStorage::new(file)));
        }
        (files, Self(shelf))
    }
}

impl Opener for Shelf {
    fn open(&self, path: &str) -> Result<Arc<dyn ReadAt>> {
        Ok(Arc::clone(&self.0[path.parse::<usize>().unwrap()]) as Arc<dyn ReadAt>)
    }
}

pub(super) fn whole(dims: &[u64]) -> Vec<Part> {
    let axes: Vec<Vec<(u64, u64, u64)>> = dims.iter().map(|dim| vec![(0, 1, *dim)]).collect();
    vec![part(&axes, &vec![0; dims.len()], false)]
}

#[test]
fn large_chunks_and_runs_are_read_by_several_threads() {
    let dims = [600, 1000];
    for (chunk, deflated) in [([100, 1000], true), ([64, 300], true), ([64, 300], false), ([1, 1000], false)]
    {
        let chunked = Chunked::new(&dims, &chunk, deflated, 5, 0);
        let fill = FILL.to_le_bytes();
        let found = read_values(&chunked.elements(&fill), &whole(&dims), &dims, false).unwrap();
        assert!(found == chunked.expected, "{chunk:?}");
    }
    let dims = [3, 1000, 1000];
    let values = elements(&dims);
    let metadata = metadata(bytes_of(&values));
    let layout = Layout::Contiguous { address: Some(Address(0)), size: 6_000_000 };
    let stored = Elements { metadata: &metadata, layout, dims: &dims, element: 2, fill: &[] };
    for wide in [false, true] {
        assert!(read_values(&stored, &whole(&dims), &dims, wide).unwrap() == values);
    }
    let column = vec![part(&[vec![(0, 1, 3)], vec![(0, 1, 1000)], vec![(5, 1, 1)]], &[0; 3], false)];
    let found = read_values(&stored, &column, &[3, 1000, 1], false).unwrap();
    assert_eq!(found, model(&column, &values, &dims, &[3, 1000, 1], 0));
}

#[test]
fn a_scalar_is_one_element() {
    let metadata = metadata(vec![1, 2]);
    let layout = Layout::Contiguous { address: Some(Address(0)), size: 2 };
    let stored = Elements { metadata: &metadata, layout, dims: &[], element: 2, fill: &[] };
    assert_eq!(read_values(&stored, &[Part { axes: Vec::new() }], &[], true).unwrap(), [0x0201]);
}

#[test]
fn elements_never_written_read_as_the_fill_value() {
    let metadata = metadata(Vec::new());
    let layout = Layout::Contiguous { address: None, size: 0 };
    let stored = Elements { metadata: &metadata, layout, dims: &[2, 3], element: 2, fill: &[7, 0] };
    assert_eq!(read_values(&stored, &whole(&[2, 3]), &[2, 3], true).unwrap(), [7; 6]);
}

#[test]
fn what_the_file_is_too_short_for_is_malformed() {
    let metadata = metadata(vec![0; 10]);
    let layout = Layout::Contiguous { address: Some(Address(4)), size: 12 };
    let stored = Elements { metadata: &metadata, layout, dims: &[2, 3], element: 2, fill: &[] };
    let error = read_values(&stored, &whole(&[2, 3]), &[2, 3], false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(error.to_string(), "needs 12 bytes at 0x4, the file has 6 there");
}

#[test]
fn a_part_outside_the_extent_or_the_output_is_a_usage_error() {
    let metadata = metadata(vec![0; 12]);
    let layout = || Layout::Contiguous { address: Some(Address(0)), size: 12 };
    let stored = Elements { metadata: &metadata, layout: layout(), dims: &[2, 3], element: 2, fill: &[] };
    let far = [part(&[vec![(0, 1, 2)], vec![(1, 1, 3)]], &[0, 0], false)];
    assert_eq!(read_values(&stored, &far, &[2, 3], false).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(read_values(&stored, &whole(&[2, 3]), &[2, 2], false).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn a_chunk_that_cannot_be_what_it_claims_is_refused_before_it_is_decoded() {
    let mut chunked = Chunked::new(&[4], &[4], true, 0, 0);
    chunked.grid.chunk = vec![1 << 28];
    let fill = FILL.to_le_bytes();
    let error = read_values(&chunked.elements(&fill), &whole(&[4]), &[4], false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    chunked.grid.chunk = vec![1 << 40];
    let error = read_values(&chunked.elements(&fill), &whole(&[4]), &[4], false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    let mut chunked = Chunked::new(&[4], &[4], false, 0, 0);
    chunked.grid.chunk = vec![5];
    let error = read_values(&chunked.elements(&fill), &whole(&[4]), &[4], false).unwrap_err();
    assert!(error.to_string().contains("8 bytes, its elements have 10"), "{error}");
}

#[test]
fn a_chunk_that_was_decoded_serves_the_next_reads_of_the_same_dataset_only() {
    let fill = FILL.to_le_bytes();
    let dims = [8, 8];
    let one = Chunked::new(&dims, &dims, true, 0, 0);
    let other = Chunked::new(&dims, &dims, true, 0, 0);
    let row = |at: u64| vec![part(&[vec![(at, 1, 1)], vec![(0, 1, 8)]], &[0, 0], false)];
    for at in 0..8 {
        let expected = model(&row(at), &one.expected, &dims, &[1, 8], 0);
        assert_eq!(read_values(&one.elements(&fill), &row(at), &[1, 8], false).unwrap(), expected);
    }
    // The stored bytes are gone, but the chunk is still known to this thread.
    let gone = Chunked { metadata: metadata(vec![0; 4096]), ..one };
    assert!(read_values(&gone.elements(&fill), &row(3), &[1, 8], true).is_ok());
    let strange = Chunked { metadata: metadata(vec![0; 4096]), ..other };
    assert!(read_values(&strange.elements(&fill), &row(3), &[1, 8], true).is_err());
}

#[test]
fn edge_chunks_may_be_stored_without_the_filters() {
    let mut chunked = Chunked::new(&[6], &[4], false, 0, 0);
    chunked.pipeline.filters.push(Filter { id: 1, name: None, optional: false, client: vec![1] });
    let first = chunked.index.0.get_mut(&vec![0]).unwrap();
    first.filter_mask = 1;
    let mut stored = chunked.elements(&[]);
    let Layout::Chunked { edge_unfiltered, .. } = &mut stored.layout else { unreachable!() };
    *edge_unfiltered = true;
    assert_eq!(read_values(&stored, &whole(&[6]), &[6], false).unwrap(), chunked.expected);
}
