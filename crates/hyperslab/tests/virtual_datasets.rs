//! Virtual datasets made by hyperslab, and what reading them gives.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests may")]
#![expect(clippy::single_range_in_vec_init, reason = "a selection has a range for each axis, even when one")]

use hyperslab::{AxisSlab, ErrorKind, Extent, File, Problem, Selection, VirtualLayout, VirtualSource};
use std::path::{Path, PathBuf};

fn source(directory: &Path, name: &str, values: &[i32]) {
    let file = File::create(directory.join(name)).unwrap();
    file.new_dataset::<i32>().create_with("/data", ndarray::ArrayView1::from(values)).unwrap();
    file.close().unwrap();
}

fn row(row: u64, length: u64) -> Selection {
    Selection::from_ranges(&[row..row + 1, 0..length]).unwrap()
}

fn virtual_file(directory: &Path, layout: VirtualLayout) -> PathBuf {
    let path = directory.join("all.h5");
    let file = File::create(&path).unwrap();
    file.new_dataset::<i32>().fill_value(-1_i32).virtual_layout(layout).create("/data").unwrap();
    file.close().unwrap();
    path
}

fn values(path: &Path) -> Vec<i32> {
    File::open(path).unwrap().dataset("/data").unwrap().read::<i32>().unwrap().into_iter().collect()
}

#[test]
fn rows_of_two_files_are_one_dataset_and_a_missing_one_reads_as_the_fill_value() {
    let directory = tempfile::tempdir().unwrap();
    source(directory.path(), "a.h5", &[1, 2, 3]);
    source(directory.path(), "b.h5", &[4, 5, 6]);
    let mut layout = VirtualLayout::new(&[3, 3]);
    for (number, name) in ["a.h5", "missing.h5", "b.h5"].iter().enumerate() {
        layout.map(&row(number as u64, 3), &VirtualSource::new(*name, "/data", &[3])).unwrap();
    }
    let path = virtual_file(directory.path(), layout);
    assert_eq!(values(&path), [1, 2, 3, -1, -1, -1, 4, 5, 6]);

    let data = File::open(&path).unwrap().dataset("/data").unwrap();
    let gaps = data.gaps(&Selection::All).unwrap();
    assert_eq!(gaps.elements, 3);
    assert!(matches!(gaps.mappings[0].problem, Some(Problem::MissingFile)));
    assert_eq!(gaps.mappings[0].mapping, 1);
    assert_eq!(data.gaps(&row(0, 3)).unwrap().elements, 0);
}

#[test]
fn where_mappings_overlap_the_last_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    source(directory.path(), "a.h5", &[1, 2, 3]);
    source(directory.path(), "b.h5", &[7, 8]);
    let mut layout = VirtualLayout::new(&[4]);
    let range = |start, end| Selection::from_ranges(&[start..end]).unwrap();
    layout.map(&range(0, 3), &VirtualSource::new("a.h5", "/data", &[3])).unwrap();
    layout.map(&range(1, 3), &VirtualSource::new("b.h5", "/data", &[2])).unwrap();
    layout.map(&range(1, 2), &VirtualSource::new("missing.h5", "/data", &[1])).unwrap();
    assert_eq!(values(&virtual_file(directory.path(), layout)), [1, 7, 8, -1]);
}

#[test]
fn elements_a_source_is_too_short_for_read_as_the_fill_value() {
    let directory = tempfile::tempdir().unwrap();
    source(directory.path(), "a.h5", &[1, 2, 3]);
    let mut layout = VirtualLayout::new(&[5]);
    let five = Selection::from_ranges(&[0..5]).unwrap();
    layout.map(&Selection::All, &VirtualSource::new("a.h5", "/data", &[5]).select(five)).unwrap();
    let path = virtual_file(directory.path(), layout);
    assert_eq!(values(&path), [1, 2, 3, -1, -1]);
    let status = File::open(&path).unwrap().dataset("/data").unwrap().mapping_status().unwrap();
    assert!(matches!(&status[0].problem, Some(Problem::TooShort { has, .. }) if has == &[3]));
}

#[test]
fn a_source_that_is_no_hdf5_file_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.h5"), b"not an HDF5 file").unwrap();
    let mut layout = VirtualLayout::new(&[3]);
    layout.map(&Selection::All, &VirtualSource::new("a.h5", "/data", &[3])).unwrap();
    let path = virtual_file(directory.path(), layout);
    let error = File::open(&path).unwrap().dataset("/data").unwrap().read::<i32>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("mapping 0 (a.h5:/data)"), "{error}");
}

#[test]
fn a_virtual_dataset_may_read_from_virtual_datasets_but_not_from_itself() {
    let directory = tempfile::tempdir().unwrap();
    source(directory.path(), "a.h5", &[1, 2, 3]);
    let mut inner = VirtualLayout::new(&[3]);
    inner.map(&Selection::All, &VirtualSource::new("a.h5", "/data", &[3])).unwrap();
    let mut outer = VirtualLayout::new(&[3]);
    outer.map(&Selection::All, &VirtualSource::new(".", "/inner", &[3])).unwrap();
    let mut circle = VirtualLayout::new(&[3]);
    circle.map(&Selection::All, &VirtualSource::new(".", "/circle", &[3])).unwrap();
    let path = directory.path().join("all.h5");
    let file = File::create(&path).unwrap();
    for (name, layout) in [("/inner", inner), ("/outer", outer), ("/circle", circle)] {
        file.new_dataset::<i32>().virtual_layout(layout).create(name).unwrap();
    }
    file.close().unwrap();

    let file = File::open(&path).unwrap();
    let read = file.dataset("/outer").unwrap().read::<i64>().unwrap();
    assert_eq!(read.as_slice().unwrap(), [1, 2, 3]);
    let error = file.dataset("/circle").unwrap().read::<i32>().unwrap_err();
    assert!(error.to_string().contains("a source of itself"), "{error}");
}

#[test]
fn numbered_sources_decide_how_long_the_dataset_is() {
    let directory = tempfile::tempdir().unwrap();
    source(directory.path(), "f-0.h5", &[1, 2]);
    source(directory.path(), "f-1.h5", &[3, 4]);
    source(directory.path(), "f-3.h5", &[9, 9]);
    let mut layout = VirtualLayout::of(Extent::resizable(&[0], &[None]).unwrap());
    let blocks = AxisSlab { start: 0, stride: 3, count: None, block: Some(2) };
    let blocks = Selection::from_axes(vec![blocks]).unwrap();
    layout.map(&blocks, &VirtualSource::new("f-%b.h5", "/data", &[2])).unwrap();
    assert_eq!(values(&virtual_file(directory.path(), layout)), [1, 2, -1, 3, 4]);
}
