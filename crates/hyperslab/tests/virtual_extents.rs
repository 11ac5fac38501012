//! How large virtual datasets are whose mappings have no end, and which sources they have.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests may")]

use hyperslab::{
    AxisSlab, Dataset, DatasetAccess, ErrorKind, Extent, ExtentView, File, Selection, VirtualLayout,
    VirtualSource,
};
use std::path::PathBuf;
use tempfile::TempDir;

/// A directory with source files and one virtual dataset, `/v` in `v.h5`, whose fill value is -1.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new file, also where one of that name is still open.
    fn create(&self, name: &str) -> File {
        let path = self.path(name);
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        File::create_new(path).unwrap()
    }

    /// A file of datasets of one axis, or what takes the place of the one before.
    fn source(&self, name: &str, datasets: &[(&str, Vec<i32>)]) {
        let file = self.create(name);
        for (path, values) in datasets {
            file.new_dataset::<i32>().create_with(path, ndarray::ArrayView1::from(values)).unwrap();
        }
        file.close().unwrap();
    }

    fn numbers(&self, name: &str, first: i32, count: i32) {
        self.source(name, &[("data", (first..first + count).collect())]);
    }

    fn virtual_dataset(&self, name: &str, extent: &Extent, mappings: &[(Selection, VirtualSource)]) {
        let mut layout = VirtualLayout::of(extent.clone());
        for (here, source) in mappings {
            layout.map(here, source).unwrap();
        }
        let file = self.create(name);
        file.new_dataset::<i32>().fill_value(-1_i32).virtual_layout(layout).create("v").unwrap();
        file.close().unwrap();
    }

    fn open(&self, access: &DatasetAccess) -> Dataset {
        File::open(self.path("v.h5")).unwrap().dataset_with("v", access).unwrap()
    }

    /// The values at the last available and at the first missing element.
    fn both(&self) -> [Vec<i32>; 2] {
        [last(0), first()].map(|access| values(&self.open(&access)))
    }
}

fn last(gap: u64) -> DatasetAccess {
    DatasetAccess::new().printf_gap(gap)
}

fn first() -> DatasetAccess {
    DatasetAccess::new().view(ExtentView::FirstMissing)
}

fn values(dataset: &Dataset) -> Vec<i32> {
    dataset.read::<i32>().unwrap().into_iter().collect()
}

fn endless() -> Extent {
    Extent::resizable(&[0], &[None]).unwrap()
}

fn slab(start: u64, stride: u64, count: Option<u64>, block: Option<u64>) -> Selection {
    Selection::from_axes(vec![AxisSlab { start, stride, count, block }]).unwrap()
}

fn unlimited(start: u64, stride: u64, block: u64) -> Selection {
    slab(start, stride, None, Some(block))
}

fn range(start: u64, length: u64) -> Selection {
    slab(start, 1, Some(1), Some(length))
}

fn whole(file: &str, there: Selection) -> VirtualSource {
    VirtualSource::new(file, "data", &[1 << 20]).select(there)
}

fn interleaved(folder: &Folder) {
    let mapping = |i: u64| (unlimited(i, 3, 1), whole(&format!("s{i}.h5"), unlimited(0, 1, 1)));
    folder.virtual_dataset("v.h5", &endless(), &[mapping(0), mapping(1), mapping(2)]);
}

#[test]
fn sources_of_unequal_length_are_seen_up_to_the_last_available_or_the_first_missing_element() {
    let folder = Folder::new();
    for (i, count) in [(0, 3), (1, 2), (2, 4)] {
        folder.numbers(&format!("s{i}.h5"), 100 * i, count);
    }
    interleaved(&folder);
    let all = vec![0, 100, 200, 1, 101, 201, 2, -1, 202, -1, -1, 203];
    assert_eq!(folder.both(), [all, vec![0, 100, 200, 1, 101, 201, 2]]);
    std::fs::remove_file(folder.path("s1.h5")).unwrap();
    let all = vec![0, -1, 200, 1, -1, 201, 2, -1, 202, -1, -1, 203];
    assert_eq!(folder.both(), [all, vec![]]);
}

#[test]
fn each_handle_has_a_view_of_its_own() {
    let folder = Folder::new();
    folder.numbers("s0.h5", 0, 3);
    folder.numbers("s1.h5", 0, 1);
    folder.numbers("s2.h5", 0, 2);
    interleaved(&folder);
    let file = File::open(folder.path("v.h5")).unwrap();
    let one = file.dataset_with("v", &first()).unwrap();
    let other = file.dataset("v").unwrap();
    assert_eq!((one.shape(), other.shape()), (vec![4], vec![7]));
    assert_eq!(other.with_access(first()).shape(), [4]);
}

#[test]
fn blocks_with_gaps_end_with_the_last_slice_or_before_the_next_one() {
    let folder = Folder::new();
    folder.virtual_dataset("v.h5", &endless(), &[(unlimited(1, 5, 2), whole("s.h5", unlimited(0, 1, 1)))]);
    for (count, until_last, until_missing) in [(7, 17, 17), (8, 18, 21), (9, 22, 22), (10, 23, 26)] {
        folder.numbers("s.h5", 0, count);
        assert_eq!(folder.both().map(|values| values.len()), [until_last, until_missing], "{count}");
    }
    folder.numbers("s.h5", 0, 3);
    assert_eq!(folder.both(), [vec![-1, 0, 1, -1, -1, -1, 2], vec![-1, 0, 1, -1, -1, -1, 2]]);
    folder.virtual_dataset("v.h5", &endless(), &[(unlimited(0, 1, 1), whole("s.h5", unlimited(0, 3, 2)))]);
    for (count, length) in [(7, 5), (8, 6), (9, 6), (10, 7)] {
        folder.numbers("s.h5", 0, count);
        assert_eq!(folder.both().map(|values| values.len()), [length, length], "{count}");
    }
    folder.numbers("s.h5", 0, 8);
    assert_eq!(values(&folder.open(&last(0))), [0, 1, 3, 4, 6, 7]);
}

#[test]
fn an_unlimited_block_goes_on_from_its_start() {
    let folder = Folder::new();
    folder.numbers("s.h5", 0, 5);
    let mapping = (slab(2, 1, Some(1), None), whole("s.h5", slab(1, 1, Some(1), None)));
    folder.virtual_dataset("v.h5", &endless(), &[mapping]);
    assert_eq!(folder.both(), [vec![-1, -1, 1, 2, 3, 4], vec![-1, -1, 1, 2, 3, 4]]);
}

#[test]
fn bounded_mappings_hold_the_extent_up_and_its_maximum_holds_it_down() {
    let folder = Folder::new();
    folder.numbers("a.h5", 0, 10);
    let fixed = (range(0, 10), whole("a.h5", range(0, 10)));
    let growing = (unlimited(10, 1, 1), whole("s.h5", unlimited(0, 1, 1)));
    let extent = Extent::resizable(&[10], &[None]).unwrap();
    folder.virtual_dataset("v.h5", &extent, &[fixed, growing]);
    assert_eq!(folder.both().map(|values| values.len()), [10, 10]);
    folder.numbers("s.h5", 0, 3);
    assert_eq!(folder.both().map(|values| values.len()), [13, 13]);

    let extent = Extent::resizable(&[1], &[Some(5)]).unwrap();
    let growing = (unlimited(0, 1, 1), whole("a.h5", unlimited(0, 1, 1)));
    folder.virtual_dataset("v.h5", &extent, &[growing]);
    let error = folder.open(&last(0)).refresh().unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    assert!(folder.open(&last(0)).read::<i32>().is_err());
    assert_eq!(folder.open(&last(0)).shape(), [1], "the stored size is still known");
}

#[test]
fn rows_and_columns_grow_each_with_its_source() {
    let folder = Folder::new();
    folder.numbers("s.h5", 0, 3);
    folder.numbers("t.h5", 50, 4);
    let axis = AxisSlab::range;
    let down = Selection::from_axes(vec![AxisSlab::unlimited(0, 1), axis(0, 1)]).unwrap();
    let right = Selection::from_axes(vec![axis(0, 1), AxisSlab::unlimited(1, 1)]).unwrap();
    let extent = Extent::resizable(&[1, 1], &[None, None]).unwrap();
    let there = || unlimited(0, 1, 1);
    folder.virtual_dataset(
        "v.h5",
        &extent,
        &[(down, whole("s.h5", there())), (right, whole("t.h5", there()))],
    );
    let data = folder.open(&last(0));
    assert_eq!(data.shape(), [3, 5]);
    assert_eq!(values(&data), [0, 50, 51, 52, 53, 1, -1, -1, -1, -1, 2, -1, -1, -1, -1]);

    let row = |i: u64| Selection::from_axes(vec![axis(i, 1), AxisSlab::unlimited(0, 1)]).unwrap();
    folder.numbers("s.h5", 0, 3);
    folder.numbers("t.h5", 100, 5);
    let extent = Extent::resizable(&[2, 1], &[Some(2), None]).unwrap();
    let rows = [(row(0), whole("s.h5", there())), (row(1), whole("t.h5", there()))];
    folder.virtual_dataset("v.h5", &extent, &rows);
    let until_last = vec![0, 1, 2, -1, -1, 100, 101, 102, 103, 104];
    assert_eq!(folder.both(), [until_last, vec![0, 1, 2, 100, 101, 102]]);
}

#[test]
fn unlimited_and_bounded_mappings_overlap_in_list_order() {
    let folder = Folder::new();
    folder.numbers("s.h5", 0, 6);
    folder.source("a.h5", &[("data", vec![99; 3])]);
    let growing = (unlimited(0, 1, 1), whole("s.h5", unlimited(0, 1, 1)));
    let fixed = (range(1, 3), whole("a.h5", range(0, 3)));
    let extent = Extent::resizable(&[6], &[None]).unwrap();
    folder.virtual_dataset("v.h5", &extent, &[growing.clone(), fixed.clone()]);
    assert_eq!(values(&folder.open(&last(0))), [0, 99, 99, 99, 4, 5]);
    folder.virtual_dataset("v.h5", &extent, &[fixed, growing]);
    assert_eq!(values(&folder.open(&last(0))), [0, 1, 2, 3, 4, 5]);
}

/// Blocks of three from `s.h5`, those of `present`; their lengths by gap, and at the first missing.
fn numbered(present: &[i32]) -> ([u64; 4], u64) {
    let folder = Folder::new();
    let names: Vec<String> = present.iter().map(|i| format!("d{i}")).collect();
    let datasets: Vec<(&str, Vec<i32>)> =
        names.iter().zip(present).map(|(name, i)| (name.as_str(), vec![10 * i; 3])).collect();
    folder.source("s.h5", &datasets);
    let source = VirtualSource::new("s.h5", "d%b", &[3]);
    folder.virtual_dataset("v.h5", &endless(), &[(unlimited(0, 3, 3), source)]);
    let length = |access: DatasetAccess| folder.open(&access).shape()[0];
    ([0, 1, 2, 5].map(|gap| length(last(gap))), length(first().printf_gap(5)))
}

#[test]
fn a_gap_is_how_many_numbered_sources_in_a_row_may_be_missing() {
    assert_eq!(numbered(&[]), ([0, 0, 0, 0], 0));
    assert_eq!(numbered(&[0]), ([3, 3, 3, 3], 3));
    assert_eq!(numbered(&[0, 1]), ([6, 6, 6, 6], 6));
    assert_eq!(numbered(&[0, 2]), ([3, 9, 9, 9], 3));
    assert_eq!(numbered(&[1]), ([0, 6, 6, 6], 0));
    assert_eq!(numbered(&[2]), ([0, 0, 9, 9], 0));
    assert_eq!(numbered(&[0, 3]), ([3, 3, 12, 12], 3));
    assert_eq!(numbered(&[0, 1, 3, 6]), ([6, 12, 21, 21], 6));
}

#[test]
fn missing_numbered_sources_are_fill_and_what_lies_beyond_the_gap_is_not_read() {
    let folder = Folder::new();
    folder.source("s.h5", &[("d0", vec![0, 1, 2]), ("d2", vec![20, 21, 22])]);
    let source = || VirtualSource::new("s.h5", "d%b", &[3]);
    folder.virtual_dataset("v.h5", &endless(), &[(unlimited(0, 3, 3), source())]);
    assert_eq!(values(&folder.open(&last(1))), [0, 1, 2, -1, -1, -1, 20, 21, 22]);
    assert_eq!(folder.both(), [vec![0, 1, 2], vec![0, 1, 2]]);

    folder.source("s.h5", &[("d0", vec![0, 1]), ("d1", vec![10, 11])]);
    let source = VirtualSource::new("s.h5", "d%b", &[2]);
    folder.virtual_dataset("v.h5", &endless(), &[(unlimited(1, 5, 2), source)]);
    let until_last = vec![-1, 0, 1, -1, -1, -1, 10, 11];
    let until_missing = [until_last.clone(), vec![-1; 3]].concat();
    assert_eq!(folder.both(), [until_last, until_missing]);
}

#[test]
fn numbers_stand_wherever_the_names_say() {
    let folder = Folder::new();
    for i in 0..40 {
        let path = format!("g{i}/d%{i}");
        folder.source(&format!("s{i}_{i}.h5"), &[(path.as_str(), vec![i])]);
    }
    let source = VirtualSource::new("s%b_%b.h5", "g%b/d%%%b", &[1]);
    folder.virtual_dataset("v.h5", &endless(), &[(unlimited(0, 1, 1), source)]);
    assert_eq!(values(&folder.open(&last(0))), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_source_that_appears_or_grows_is_seen_by_a_refresh_and_by_a_new_handle() {
    let folder = Folder::new();
    folder.source("s0.h5", &[("data", vec![0, 1])]);
    folder.virtual_dataset(
        "v.h5",
        &endless(),
        &[(unlimited(0, 2, 2), VirtualSource::new("s%b.h5", "data", &[2]))],
    );
    let before = std::fs::read(folder.path("v.h5")).unwrap();
    let data = folder.open(&last(0));
    assert_eq!(data.shape(), [2]);
    folder.source("s1.h5", &[("data", vec![10, 11])]);
    assert_eq!((data.shape(), folder.open(&last(0)).shape()), (vec![2], vec![4]));
    data.refresh().unwrap();
    assert_eq!((data.shape(), values(&data)), (vec![4], vec![0, 1, 10, 11]));
    assert_eq!(std::fs::read(folder.path("v.h5")).unwrap(), before, "a query writes nothing");

    folder.virtual_dataset("v.h5", &endless(), &[(unlimited(0, 1, 1), whole("s0.h5", unlimited(0, 1, 1)))]);
    for length in 2..30 {
        folder.numbers("s0.h5", 0, length);
        assert_eq!(values(&folder.open(&last(0))), (0..length).collect::<Vec<_>>());
    }
}

#[test]
fn growth_of_the_innermost_source_reaches_the_outermost_dataset() {
    let folder = Folder::new();
    folder.numbers("a.h5", 0, 3);
    let growing = |file: &str, path: &str| {
        let there = unlimited(0, 1, 1);
        (unlimited(0, 1, 1), VirtualSource::new(file, path, &[1]).select(there))
    };
    folder.virtual_dataset("u.h5", &endless(), &[growing("a.h5", "data")]);
    folder.virtual_dataset("w.h5", &endless(), &[growing("u.h5", "v")]);
    folder.virtual_dataset("v.h5", &endless(), &[growing("w.h5", "v")]);
    let data = folder.open(&last(0));
    assert_eq!(values(&data), [0, 1, 2]);
    folder.numbers("a.h5", 0, 5);
    data.refresh().unwrap();
    assert_eq!(values(&data), [0, 1, 2, 3, 4]);
    assert_eq!(values(&folder.open(&last(0))), [0, 1, 2, 3, 4]);
}

#[test]
fn a_circle_of_growing_datasets_is_an_error_that_says_so() {
    let folder = Folder::new();
    let growing =
        |file: &str| (unlimited(0, 1, 1), VirtualSource::new(file, "v", &[1]).select(unlimited(0, 1, 1)));
    folder.virtual_dataset("w.h5", &endless(), &[growing("v.h5")]);
    folder.virtual_dataset("v.h5", &endless(), &[growing("w.h5")]);
    let error = folder.open(&last(0)).read::<i32>().unwrap_err();
    assert!(error.to_string().contains("a source of itself"), "{error}");
    assert_eq!(folder.open(&last(0)).shape(), [0]);
}

#[test]
fn datasets_within_datasets_are_read_sixty_four_deep() {
    let folder = Folder::new();
    folder.numbers("s.h5", 0, 2);
    let file = folder.create("v.h5");
    for level in 0..70 {
        let mut layout = VirtualLayout::of(endless());
        let below = if level == 0 { ("s.h5", "data".to_owned()) } else { (".", format!("v{}", level - 1)) };
        let source = VirtualSource::new(below.0, below.1, &[1]).select(unlimited(0, 1, 1));
        layout.map(&unlimited(0, 1, 1), &source).unwrap();
        file.new_dataset::<i32>().virtual_layout(layout).create(format!("v{level}")).unwrap();
    }
    file.close().unwrap();
    let file = File::open(folder.path("v.h5")).unwrap();
    assert_eq!(values(&file.dataset("v63").unwrap()), [0, 1]);
    let error = file.dataset("v64").unwrap().read::<i32>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
}

#[test]
fn the_stored_size_is_that_of_the_file_whatever_the_sources() {
    let folder = Folder::new();
    for i in 0..3 {
        folder.numbers(&format!("s{i}.h5"), 100 * i, 4);
    }
    let mapping = |i: u64| (unlimited(i, 3, 1), whole(&format!("s{i}.h5"), unlimited(0, 1, 1)));
    let extent = Extent::resizable(&[5], &[None]).unwrap();
    folder.virtual_dataset("v.h5", &extent, &[mapping(0), mapping(1), mapping(2)]);
    assert_eq!(folder.open(&last(0)).shape(), [12]);
    let stored = DatasetAccess::new().view(ExtentView::Stored);
    assert_eq!(values(&folder.open(&stored)), [0, 100, 200, 1, 101]);
    std::fs::remove_file(folder.path("s1.h5")).unwrap();
    assert_eq!(values(&folder.open(&stored)), [0, -1, 200, 1, -1]);
}

#[test]
fn what_a_nested_dataset_lacks_has_its_fill_value_also_when_that_is_zero() {
    let folder = Folder::new();
    let nested = |name: &str, source: &str, length: u64, fill: i32| {
        let mut layout = VirtualLayout::new(&[length]);
        layout.map(&range(0, 2), &whole(source, range(0, 2))).unwrap();
        let file = folder.create(name);
        file.new_dataset::<i32>().fill_value(fill).virtual_layout(layout).create("data").unwrap();
        file.close().unwrap();
    };
    nested("inner.h5", "missing.h5", 2, 0);
    nested("outer.h5", "inner.h5", 3, -1);
    let outer = File::open(folder.path("outer.h5")).unwrap().dataset("data").unwrap();
    assert_eq!(values(&outer), [0, 0, -1]);
}

#[test]
fn an_empty_selection_opens_no_source() {
    let folder = Folder::new();
    std::fs::write(folder.path("a.h5"), b"no HDF5 file").unwrap();
    folder.virtual_dataset("v.h5", &Extent::fixed(&[4]), &[(range(0, 4), whole("a.h5", range(0, 4)))]);
    let data = folder.open(&last(0));
    assert!(data.read_selection::<i32>(&Selection::None).unwrap().is_empty());
    assert!(data.read::<i32>().is_err());
}
