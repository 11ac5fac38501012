//! Writing to virtual datasets, and changing their size.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests may")]
#![expect(clippy::single_range_in_vec_init, reason = "a selection has a range for each axis, even when one")]

use hyperslab::{
    AxisSlab, Datatype, Element, File, OpenOptions, Selection, Value, VirtualLayout, VirtualSource,
};
use ndarray::{Array1, s};
use std::path::PathBuf;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn source<T: Element>(&self, name: &str, values: &[T]) {
        let file = File::create(self.path(name)).unwrap();
        file.new_dataset::<T>().create_with("data", &Array1::from(values.to_vec())).unwrap();
        file.close().unwrap();
    }

    fn virtual_dataset(&self, name: &str, datatype: &Datatype, layout: VirtualLayout) {
        let file = File::create(self.path(name)).unwrap();
        file.root().unwrap().new_dataset_of(datatype).virtual_layout(layout).create("v").unwrap();
        file.close().unwrap();
    }

    fn values(&self, name: &str, path: &str) -> Vec<i32> {
        File::open(self.path(name)).unwrap().dataset(path).unwrap().read().unwrap().into_iter().collect()
    }
}

fn range(start: u64, end: u64) -> Selection {
    Selection::from_ranges(&[start..end]).unwrap()
}

fn whole(file: &str, length: u64) -> VirtualSource {
    VirtualSource::new(file, "data", &[length])
}

/// A dataset of `length` elements: each (start, end, file) from a source of as many.
fn pieces(length: u64, pieces: &[(u64, u64, &str)]) -> VirtualLayout {
    let mut layout = VirtualLayout::new(&[length]);
    for (start, end, file) in pieces {
        layout.map(&range(*start, *end), &whole(file, end - start)).unwrap();
    }
    layout
}

#[test]
fn each_element_goes_to_its_source_whatever_its_type() {
    let folder = Folder::new();
    folder.source("a.h5", &[0_i32, 1, 2, 3]);
    folder.source("b.h5", &[0_i16, 1, 2, 3]);
    let layout = pieces(8, &[(0, 4, "a.h5"), (4, 8, "b.h5")]);
    folder.virtual_dataset("v.h5", &Datatype::of::<f64>(), layout);
    let file = File::open_rw(folder.path("v.h5")).unwrap();
    let data = file.dataset("v").unwrap();
    data.write_slice(&ndarray::array![50_i64, -51, 60, 1 << 40], s![2..6]).unwrap();
    assert_eq!(data.read::<i32>().unwrap().into_raw_vec_and_offset().0, [0, 1, 50, -51, 60, 32767, 2, 3]);
    data.write_slice(&ndarray::array![1.9_f32, -2.9], s![0..2]).unwrap();
    file.close().unwrap();
    assert_eq!(folder.values("a.h5", "data"), [1, -2, 50, -51]);
    assert_eq!(folder.values("b.h5", "data"), [60, 32767, 2, 3]);
    // Whoever comes next is not kept out by a lock.
    File::open_rw(folder.path("a.h5")).unwrap().close().unwrap();
}

#[test]
fn nothing_is_written_unless_each_element_has_one_source() {
    let folder = Folder::new();
    folder.source("a.h5", &[0_i32, 1, 2, 3]);
    let bytes = std::fs::read(folder.path("a.h5")).unwrap();
    let cases = [
        pieces(6, &[(0, 4, "a.h5")]),
        pieces(8, &[(0, 4, "a.h5"), (4, 8, "missing.h5")]),
        pieces(8, &[(0, 4, "a.h5"), (2, 6, "a.h5")]),
    ];
    for layout in cases {
        folder.virtual_dataset("v.h5", &Datatype::of::<i32>(), layout);
        let file = File::open_rw(folder.path("v.h5")).unwrap();
        let error = file.dataset("v").unwrap().write_selection(&range(3, 5), &[9_i32, 9]).unwrap_err();
        assert!(error.to_string().contains("nothing was written"), "{error}");
        drop(file);
        assert_eq!(std::fs::read(folder.path("a.h5")).unwrap(), bytes);
    }
    let file = File::open_rw(folder.path("v.h5")).unwrap();
    file.dataset("v").unwrap().write_selection(&range(0, 2), &[7_i32, 8]).unwrap();
    file.close().unwrap();
    assert_eq!(folder.values("v.h5", "v"), [7, 8, 7, 8, 2, 3, 0, 0]);
}

#[test]
fn what_a_source_is_too_short_for_is_not_written() {
    let folder = Folder::new();
    folder.source("a.h5", &[0_i32, 1, 2, 3]);
    let mut layout = VirtualLayout::new(&[8]);
    layout.map(&Selection::All, &whole("a.h5", 8).select(range(0, 8))).unwrap();
    folder.virtual_dataset("v.h5", &Datatype::of::<i32>(), layout);
    let file = File::open_rw(folder.path("v.h5")).unwrap();
    let data = file.dataset("v").unwrap();
    assert!(data.write_selection(&range(3, 5), &[7_i32, 7]).is_err());
    data.write_selection(&range(2, 4), &[7_i32, 8]).unwrap();
    file.close().unwrap();
    assert_eq!(folder.values("a.h5", "data"), [0, 1, 7, 8]);
}

#[test]
fn a_file_that_is_read_only_writes_nothing_and_a_source_that_is_refuses() {
    let folder = Folder::new();
    folder.source("a.h5", &[0_i32, 1]);
    folder.virtual_dataset("v.h5", &Datatype::of::<i32>(), pieces(2, &[(0, 2, "a.h5")]));
    let data = File::open(folder.path("v.h5")).unwrap().dataset("v").unwrap();
    assert!(data.write_selection(&range(0, 1), &[5_i32]).is_err());
    drop(data);
    let reader = File::open(folder.path("a.h5")).unwrap();
    let file = File::open_rw(folder.path("v.h5")).unwrap();
    let data = file.dataset("v").unwrap();
    assert_eq!(data.read::<i32>().unwrap().into_raw_vec_and_offset().0, [0, 1]);
    let error = data.write_selection(&range(0, 1), &[5_i32]).unwrap_err();
    assert!(error.to_string().contains("a.h5"), "{error}");
    drop(reader);
    data.write_selection(&range(0, 1), &[5_i32]).unwrap();
}

#[test]
fn a_write_goes_through_virtual_datasets_to_stored_ones_of_any_kind() {
    let folder = Folder::new();
    let file = File::create(folder.path("v.h5")).unwrap();
    file.new_dataset::<i32>().shape([6]).chunk([2]).max_shape([None]).create("chunked").unwrap();
    file.new_dataset::<u8>().shape([2]).compact().create("compact").unwrap();
    let mut inner = VirtualLayout::new(&[8]);
    inner.map(&range(0, 6), &VirtualSource::new(".", "chunked", &[6])).unwrap();
    inner.map(&range(6, 8), &VirtualSource::new(".", "compact", &[2])).unwrap();
    file.new_dataset::<f32>().virtual_layout(inner).create("inner").unwrap();
    let every_other = AxisSlab { start: 1, stride: 2, count: Some(4), block: Some(1) };
    let mut outer = VirtualLayout::new(&[2, 2]);
    let there = Selection::from_axes(vec![every_other]).unwrap();
    outer.map(&Selection::All, &VirtualSource::new(".", "inner", &[8]).select(there)).unwrap();
    let outer = file.new_dataset::<i64>().virtual_layout(outer).create("outer").unwrap();
    outer.write(&ndarray::array![[1_i64, 2], [3, 300]]).unwrap();
    assert_eq!(outer.read::<i64>().unwrap().into_raw_vec_and_offset().0, [1, 2, 3, 255]);
    file.close().unwrap();
    assert_eq!(folder.values("v.h5", "chunked"), [0, 1, 0, 2, 0, 3]);
    assert_eq!(folder.values("v.h5", "compact"), [0, 255]);
}

#[test]
fn values_of_variable_length_are_stored_where_their_elements_are() {
    let folder = Folder::new();
    let text = Datatype::variable_string(hyperslab::CharacterSet::Utf8);
    for name in ["a.h5", "b.h5"] {
        let file = File::create(folder.path(name)).unwrap();
        file.root().unwrap().new_dataset_of(&text).shape([2]).create("data").unwrap();
        file.close().unwrap();
    }
    folder.virtual_dataset("v.h5", &text, pieces(4, &[(0, 2, "a.h5"), (2, 4, "b.h5")]));
    let words: Vec<Value> = ["one", "two", "three", "four"].map(|word| Value::String(word.into())).to_vec();
    let file = File::open_rw(folder.path("v.h5")).unwrap();
    let data = file.dataset("v").unwrap();
    data.write_values(&Selection::All, &words).unwrap();
    assert_eq!(data.read_values(&Selection::All).unwrap(), words);
    file.close().unwrap();
    let b = File::open(folder.path("b.h5")).unwrap().dataset("data").unwrap();
    assert_eq!(b.read_values(&Selection::All).unwrap(), words[2..]);
}

#[test]
fn a_virtual_dataset_grows_into_fill_and_never_below_its_mappings() {
    let folder = Folder::new();
    folder.source("a.h5", &[0_i32, 1, 2, 3]);
    let file = File::create(folder.path("v.h5")).unwrap();
    let mut layout = VirtualLayout::of(hyperslab::Extent::resizable(&[4], &[None]).unwrap());
    layout.map(&range(0, 4), &whole("a.h5", 4)).unwrap();
    let data = file.new_dataset::<i32>().fill_value(-1).virtual_layout(layout).create("v").unwrap();
    data.resize([6]).unwrap();
    assert_eq!(data.read::<i32>().unwrap().into_raw_vec_and_offset().0, [0, 1, 2, 3, -1, -1]);
    let error = data.resize([2]).unwrap_err();
    assert!(error.to_string().contains("[4] at least"), "{error}");
    assert_eq!(data.shape(), [6]);
    file.close().unwrap();
    assert_eq!(folder.values("v.h5", "v"), [0, 1, 2, 3, -1, -1]);
}

#[test]
fn a_growing_dataset_is_as_long_as_its_source_and_says_so_when_told_to() {
    let folder = Folder::new();
    let source = File::create(folder.path("a.h5")).unwrap();
    let numbers = source.new_dataset::<i32>().shape([3]).chunk([2]).max_shape([None]).create("data").unwrap();
    numbers.write(&ndarray::array![1, 2, 3]).unwrap();
    let mut layout = VirtualLayout::of(hyperslab::Extent::resizable(&[0], &[None]).unwrap());
    let unlimited = Selection::from_axes(vec![AxisSlab::unlimited(0, 1)]).unwrap();
    layout.map(&unlimited, &whole("a.h5", 3).select(unlimited.clone())).unwrap();
    let file = File::create(folder.path("v.h5")).unwrap();
    let data = file.new_dataset::<i32>().virtual_layout(layout).create("v").unwrap();
    assert_eq!(data.shape(), [3]);
    data.resize([10]).unwrap();
    assert_eq!(data.shape(), [3], "its source decides");
    numbers.resize([5]).unwrap();
    numbers.write_slice(&ndarray::array![4, 5], s![3..]).unwrap();
    data.refresh().unwrap();
    assert_eq!(data.read::<i32>().unwrap().into_raw_vec_and_offset().0, [1, 2, 3, 4, 5]);
    data.write_slice(&ndarray::array![50], s![4..]).unwrap();
    assert_eq!(numbers.read::<i32>().unwrap()[[4]], 50);
    data.persist_extent().unwrap();
    source.close().unwrap();
    file.close().unwrap();
    std::fs::rename(folder.path("a.h5"), folder.path("b.h5")).unwrap();
    let data = File::open(folder.path("v.h5")).unwrap().dataset("v").unwrap();
    assert_eq!(data.virtual_layout().unwrap().unwrap().extent().dims(), [0], "its source is away");
    std::fs::write(folder.path("a.h5"), b"not HDF5").unwrap();
    assert_eq!(data.with_access(hyperslab::DatasetAccess::new()).shape(), [5], "what is stored");
}

#[test]
fn a_source_in_memory_is_written_through_too() {
    let file = OpenOptions::new().create_in_memory().unwrap();
    file.new_dataset::<i32>().create_with("data", &ndarray::array![1, 2]).unwrap();
    let mut layout = VirtualLayout::new(&[2]);
    layout.map(&Selection::All, &whole(".", 2)).unwrap();
    let data = file.new_dataset::<i32>().virtual_layout(layout).create("v").unwrap();
    data.write(&ndarray::array![3, 4]).unwrap();
    assert_eq!(file.dataset("data").unwrap().read::<i32>().unwrap().into_raw_vec_and_offset().0, [3, 4]);
}
