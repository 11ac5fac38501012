use std::collections::HashMap;

use proptest::prelude::*;

use super::{Gather, gather};
use crate::error::{Error, Result};
use crate::space::{AxisSlab, Extent, Selection, parts};
use crate::vds::access::{DatasetAccess, ExtentView};
use crate::vds::extent::resolve;
use crate::vds::layout::{VirtualLayout, VirtualSource};
use crate::vds::source::{Source, SourceName, Sources};

/// Sources by name, each an array of numbers that say where they are from.
#[derive(Default)]
struct Known(HashMap<String, Vec<u64>>);

#[derive(Clone, Debug)]
struct Opened(String, Vec<u64>);

impl Sources for Known {
    type Source = Opened;

    fn open(&self, names: &[SourceName]) -> Vec<Result<Option<Opened>>> {
        let one = |name: &SourceName| {
            let name = name.to_string();
            if name.starts_with("locked") {
                return Err(Error::unsupported("locked"));
            }
            Ok(self.0.get(&name).map(|dims| Opened(name.clone(), dims.clone())))
        };
        names.iter().map(one).collect()
    }
}

impl Source for Opened {
    fn dims(&self) -> &[u64] {
        &self.1
    }
}

fn known(sources: &[(&str, &[u64])]) -> Known {
    Known(sources.iter().map(|(name, dims)| ((*name).to_owned(), dims.to_vec())).collect())
}

fn offset(at: &[u64], dims: &[u64]) -> usize {
    usize::try_from(at.iter().zip(dims).fold(0, |offset, (at, dim)| offset * dim + at)).unwrap()
}

/// The read as (source, row-major position in it), with `None` for the fill value.
fn read(
    layout: &VirtualLayout,
    selection: &Selection,
    sources: &Known,
) -> Result<Vec<Option<(String, u64)>>> {
    let dims = layout.extent().dims();
    let shape = selection.shape(dims).unwrap();
    let Gather { batches, complete, .. } =
        gather(layout, &parts(selection, dims).unwrap(), sources, usize::MAX)?;
    let mut out = vec![None; usize::try_from(shape.iter().product::<u64>()).unwrap()];
    for batch in &batches {
        for part in &batch.parts {
            assert!(part.fits_source(&batch.source.1));
            for (place, at) in part.elements() {
                let value = offset(&at, &batch.source.1) as u64;
                out[offset(&place, &shape)] = Some((batch.source.0.clone(), value));
            }
        }
    }
    assert!(!complete || out.iter().all(Option::is_some));
    Ok(out)
}

fn values(read: &[Option<(String, u64)>]) -> Vec<i64> {
    read.iter().map(|value| value.as_ref().map_or(-1, |(_, at)| i64::try_from(*at).unwrap())).collect()
}

fn range(start: u64, length: u64) -> Selection {
    Selection::from_axes(vec![AxisSlab::range(start, length)]).unwrap()
}

#[test]
fn more_parts_than_there_is_room_for_are_refused() {
    let mut layout = VirtualLayout::new(&[8]);
    for half in [0, 4] {
        layout.map(&range(half, 4), &VirtualSource::new("a", "/d", &[4])).unwrap();
    }
    let sources = known(&[("a:/d", &[4])]);
    let all = parts(&Selection::All, &[8]).unwrap();
    assert!(gather(&layout, &all, &sources, 2).is_ok());
    let error = gather(&layout, &all, &sources, 1).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Limit, "{error}");
}

#[test]
fn the_last_mapping_with_a_source_wins() {
    let mut layout = VirtualLayout::new(&[6]);
    layout.map(&range(0, 4), &VirtualSource::new("a", "d", &[4])).unwrap();
    layout.map(&range(2, 4), &VirtualSource::new("b", "d", &[4])).unwrap();
    layout.map(&range(3, 2), &VirtualSource::new("missing", "d", &[2])).unwrap();
    let found = read(&layout, &Selection::All, &known(&[("a:d", &[4]), ("b:d", &[4])])).unwrap();
    assert_eq!(values(&found), [0, 1, 0, 1, 2, 3]);
    assert_eq!(found[2], Some(("b:d".to_owned(), 0)));
    let found = read(&layout, &Selection::All, &known(&[("a:d", &[4])])).unwrap();
    assert_eq!(values(&found), [0, 1, 2, 3, -1, -1]);
}

#[test]
fn a_source_that_exists_but_does_not_open_is_an_error_only_when_it_is_needed() {
    let mut layout = VirtualLayout::new(&[6]);
    layout.map(&range(0, 4), &VirtualSource::new("locked", "d", &[4])).unwrap();
    assert_eq!(values(&read(&layout, &range(4, 2), &known(&[])).unwrap()), [-1, -1]);
    let error = read(&layout, &range(3, 2), &known(&[])).unwrap_err();
    assert_eq!(error.to_string(), "mapping 0 (locked:d): locked");
}

#[test]
fn only_sources_whose_elements_are_wanted_are_opened() {
    let mut layout = VirtualLayout::new(&[8]);
    for (start, file) in [(0, "a"), (1, "locked")] {
        let every_other = AxisSlab { start, stride: 2, count: Some(4), block: Some(1) };
        let here = Selection::from_axes(vec![every_other]).unwrap();
        layout.map(&here, &VirtualSource::new(file, "d", &[4])).unwrap();
    }
    assert_eq!(values(&read(&layout, &range(2, 1), &known(&[("a:d", &[4])])).unwrap()), [1]);
}

#[test]
fn elements_beyond_the_source_are_fill_and_another_rank_is_an_error() {
    let mut layout = VirtualLayout::new(&[5]);
    let source = VirtualSource::new("a", "d", &[5]).select(range(0, 5));
    layout.map(&Selection::All, &source).unwrap();
    assert_eq!(values(&read(&layout, &Selection::All, &known(&[("a:d", &[3])])).unwrap()), [0, 1, 2, -1, -1]);
    let error = read(&layout, &Selection::All, &known(&[("a:d", &[3, 2])])).unwrap_err().to_string();
    assert_eq!(
        error,
        "mapping 0 (a:d): the mapping selects from a source with 1 axes, the dataset has 2: [3, 2]"
    );
}

#[test]
fn a_source_taken_whole_is_read_in_row_major_order_whatever_its_shape() {
    let mut layout = VirtualLayout::new(&[2, 3]);
    layout.map(&Selection::All, &VirtualSource::new("a", "d", &[2, 3])).unwrap();
    let all = |dims: &[u64]| read(&layout, &Selection::All, &known(&[("a:d", dims)]));
    assert_eq!(values(&all(&[6]).unwrap()), [0, 1, 2, 3, 4, 5]);
    assert_eq!(values(&all(&[4, 5]).unwrap()), [0, 1, 2, 3, 4, 5]);
    assert!(all(&[5]).is_err());
    let first = Selection::from_ranges(&[0..2, 0..2]).unwrap();
    assert_eq!(values(&read(&layout, &first, &known(&[("a:d", &[5])])).unwrap()), [0, 1, 3, 4]);
    let last = Selection::from_ranges(&[1..2, 0..3]).unwrap();
    assert!(read(&layout, &last, &known(&[("a:d", &[5])])).is_err());
}

#[test]
fn unlimited_and_numbered_mappings_are_read_up_to_the_stored_extent() {
    let mut layout = VirtualLayout::of(Extent::resizable(&[12], &[None]).unwrap());
    let source = VirtualSource::new("a", "d", &[3]);
    let unlimited = |start, stride| Selection::from_axes(vec![AxisSlab::unlimited(start, stride)]).unwrap();
    layout.map(&unlimited(1, 3), &source.select(unlimited(0, 1))).unwrap();
    let found = read(&layout, &Selection::All, &known(&[("a:d", &[3])])).unwrap();
    assert_eq!(values(&found), [-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, -1, -1]);

    let mut layout = VirtualLayout::of(Extent::resizable(&[7], &[None]).unwrap());
    let blocks = AxisSlab { start: 0, stride: 3, count: None, block: Some(3) };
    let here = Selection::from_axes(vec![blocks]).unwrap();
    layout.map(&here, &VirtualSource::new("f%b", "d", &[3])).unwrap();
    let found = read(&layout, &Selection::All, &known(&[("f0:d", &[3]), ("f2:d", &[3])])).unwrap();
    assert_eq!(values(&found), [0, 1, 2, -1, -1, -1, 0]);
}

#[test]
fn a_scalar_is_mapped_like_any_other_dataset() {
    let mut layout = VirtualLayout::new(&[]);
    layout.map(&Selection::All, &VirtualSource::new("a", "d", &[])).unwrap();
    assert_eq!(values(&read(&layout, &Selection::All, &known(&[("a:d", &[])])).unwrap()), [0]);
    let mut layout = VirtualLayout::new(&[3]);
    layout.map(&range(1, 1), &VirtualSource::new("a", "d", &[])).unwrap();
    assert_eq!(values(&read(&layout, &Selection::All, &known(&[("a:d", &[])])).unwrap()), [-1, 0, -1]);
}

proptest! {
    #[test]
    fn gathering_equals_copying_element_by_element(
        mappings in prop::collection::vec((0..30_u64, 1..5_u64, 1..7_u64, 0..4_usize, 0..9_u64), 0..70),
        (start, stride, count) in (0..30_u64, 1..4_u64, 1..12_u64),
    ) {
        let mut layout = VirtualLayout::new(&[64]);
        let mut expected = vec![None; 64];
        let files = ["a", "b", "c", "missing"];
        let sources = known(&[("a:d", &[20]), ("b:d", &[9]), ("c:d", &[40])]);
        for (first, step, count, file, source_start) in mappings {
            let here = AxisSlab { start: first, stride: step, count: Some(count), block: Some(1) };
            let there = Selection::from_axes(vec![AxisSlab::range(source_start, count)]).unwrap();
            let source = VirtualSource::new(files[file], "d", &[50]).select(there);
            layout.map(&Selection::from_axes(vec![here]).unwrap(), &source).unwrap();
            let Some(dims) = sources.0.get(&format!("{}:d", files[file])) else { continue };
            for k in (0..count).filter(|k| source_start + k < dims[0]) {
                expected[usize::try_from(first + k * step).unwrap()] = Some((format!("{}:d", files[file]), source_start + k));
            }
        }
        let slab = AxisSlab { start, stride, count: Some(count.min((63 - start) / stride + 1)), block: Some(1) };
        let wanted: Vec<_> = (0..slab.count.unwrap()).map(|k| expected[usize::try_from(start + k * stride).unwrap()].clone()).collect();
        let selection = Selection::from_axes(vec![slab]).unwrap();
        prop_assert_eq!(read(&layout, &selection, &sources).unwrap(), wanted);
        prop_assert_eq!(read(&layout, &Selection::All, &sources).unwrap(), expected);
    }
}

/// A mapping of one axis, as the model knows it.
#[derive(Clone, Debug)]
enum Mapped {
    /// Blocks here are blocks of the source `file`, both without end: start, stride and block of each.
    Endless([u64; 3], [u64; 3], usize),
    /// Each block here is a source of its own.
    Numbered([u64; 3]),
    /// So many elements from here are as many of the source `file` from there.
    Bounded(u64, u64, u64, usize),
}

/// Start, stride and block, which is no longer than the stride.
fn steps() -> impl Strategy<Value = [u64; 3]> {
    (0..6_u64, 1..6_u64, 1..6_u64).prop_map(|(start, stride, block)| [start, stride, block.min(stride)])
}

fn mapped() -> impl Strategy<Value = Mapped> {
    prop_oneof![
        (steps(), steps(), 0..3_usize).prop_map(|(here, there, file)| Mapped::Endless(here, there, file)),
        steps().prop_map(Mapped::Numbered),
        (0..20_u64, 1..6_u64, 0..9_u64, 0..3_usize)
            .prop_map(|(start, count, there, file)| Mapped::Bounded(start, count, there, file)),
    ]
}

fn coordinate([start, stride, block]: [u64; 3], index: u64) -> u64 {
    start + index / block * stride + index % block
}

fn endless([start, stride, block]: [u64; 3]) -> Selection {
    Selection::from_axes(vec![AxisSlab { start, stride, count: None, block: Some(block) }]).unwrap()
}

const FILES: [&str; 3] = ["a", "b", "missing"];

/// What the model knows of the sources.
struct Model {
    lengths: [u64; 2],
    present: Vec<bool>,
    first: bool,
    gap: u64,
}

impl Model {
    fn length(&self, file: usize) -> Option<u64> {
        self.lengths.get(file).copied()
    }

    /// How many elements of the source an unlimited selection has.
    fn slices(&self, there: [u64; 3], file: usize) -> Option<u64> {
        let length = self.length(file)?;
        Some((0..=length).take_while(|index| coordinate(there, *index) < length).count() as u64)
    }

    fn found(&self) -> u64 {
        let gap = if self.first { 0 } else { self.gap };
        let (mut found, mut at) = (0, 0);
        while at <= gap + found {
            if self.present.get(usize::try_from(at).unwrap()) == Some(&true) {
                found = at + 1;
            }
            at += 1;
        }
        found
    }

    /// How long the mapping makes the dataset, when it does.
    fn makes(&self, mapping: &Mapped) -> Option<u64> {
        match *mapping {
            Mapped::Bounded(..) => None,
            Mapped::Endless(here, there, file) => Some(match self.slices(there, file) {
                Some(slices) if self.first => coordinate(here, slices),
                None | Some(0) => 0,
                Some(slices) => coordinate(here, slices - 1) + 1,
            }),
            Mapped::Numbered([start, stride, block]) => Some(match self.found() {
                0 => 0,
                found if self.first => start + found * stride,
                found => start + (found - 1) * stride + block,
            }),
        }
    }

    fn extent(&self, mappings: &[Mapped], stored: u64) -> u64 {
        let lengths = mappings.iter().filter_map(|mapping| self.makes(mapping));
        let chosen = if self.first { lengths.min() } else { lengths.max() };
        let least = mappings.iter().map(|mapping| match mapping {
            Mapped::Bounded(start, count, ..) => start + count,
            _ => 0,
        });
        chosen.map_or(stored, |chosen| chosen.max(least.max().unwrap_or(0)))
    }

    /// The source and the element in it that a mapping has at `x`.
    fn at(&self, mapping: &Mapped, x: u64) -> Option<(String, u64)> {
        match *mapping {
            Mapped::Bounded(start, count, there, file) => {
                let y = there + x.checked_sub(start).filter(|offset| *offset < count)?;
                (y < self.length(file)?).then(|| (format!("{}:d", FILES[file]), y))
            }
            Mapped::Endless(here, there, file) => {
                let index = (0..=x).find(|index| coordinate(here, *index) == x)?;
                (index < self.slices(there, file)?)
                    .then(|| (format!("{}:d", FILES[file]), coordinate(there, index)))
            }
            Mapped::Numbered([start, stride, block]) => {
                let offset = x.checked_sub(start)?;
                let (number, within) = (offset / stride, offset % stride);
                let there = self.present.get(usize::try_from(number).unwrap()) == Some(&true);
                (there && number < self.found() && within < block)
                    .then(|| (format!("n{number}_{block}:d"), within))
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn datasets_without_end_equal_the_model_in_both_views(
        mappings in prop::collection::vec(mapped(), 0..6),
        lengths in [0..20_u64, 0..20_u64],
        present in prop::collection::vec(any::<bool>(), 6),
        (first, gap) in (any::<bool>(), 0..4_u64),
    ) {
        let mut layout = VirtualLayout::of(Extent::resizable(&[40], &[None]).unwrap());
        let mut sources = known(&[("a:d", &[lengths[0]]), ("b:d", &[lengths[1]])]);
        for mapping in &mappings {
            match *mapping {
                Mapped::Endless(here, there, file) => {
                    let source = VirtualSource::new(FILES[file], "d", &[1]).select(endless(there));
                    layout.map(&endless(here), &source).unwrap();
                }
                Mapped::Numbered(here) => {
                    let name = format!("n%b_{}", here[2]);
                    layout.map(&endless(here), &VirtualSource::new(name, "d", &[here[2]])).unwrap();
                    for number in (0..6).filter(|number| present[*number]) {
                        sources.0.insert(format!("n{number}_{}:d", here[2]), vec![here[2]]);
                    }
                }
                Mapped::Bounded(start, count, there, file) => {
                    let source = VirtualSource::new(FILES[file], "d", &[50]).select(range(there, count));
                    layout.map(&range(start, count), &source).unwrap();
                }
            }
        }
        let view = if first { ExtentView::FirstMissing } else { ExtentView::LastAvailable };
        let access = DatasetAccess::new().view(view).printf_gap(gap);
        let model = Model { lengths, present, first, gap };
        let resolved = resolve(&layout, &access, &sources).unwrap();
        let layout = match resolved {
            Some(resolved) => layout.resolved(resolved),
            None => layout,
        };
        let extent = model.extent(&mappings, 40);
        prop_assert_eq!(layout.extent().dims(), &[extent]);
        let expected: Vec<_> = (0..extent)
            .map(|x| mappings.iter().rev().find_map(|mapping| model.at(mapping, x)))
            .collect();
        prop_assert_eq!(read(&layout, &Selection::All, &sources).unwrap(), expected);
    }
}
