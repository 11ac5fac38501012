//! One `File` that many threads use at once while a writer appends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first thing that is not as it thinks"
)]

use hyperslab::{AxisSlab, Dataset, Extent, File, OpenOptions, Selection, VirtualLayout, VirtualSource};
use ndarray::Array2;
use std::path::Path;
use std::time::Duration;

const THREADS: u64 = 16;
const WIDTH: u64 = 16;
const ROWS: u64 = 200;
/// Name, rows of a chunk, whether they are compressed.
const KINDS: [(&str, u64, bool); 3] = [("plain", 1, false), ("packed", 8, true), ("part", 8, false)];

fn row(at: u64) -> Vec<u32> {
    (0..WIDTH).map(|column| u32::try_from(7 * column + 13 * at + 1).unwrap()).collect()
}

fn rows(from: u64, to: u64) -> Array2<u32> {
    let shape = (usize::try_from(to - from).unwrap(), usize::try_from(WIDTH).unwrap());
    Array2::from_shape_vec(shape, (from..to).flat_map(row).collect()).unwrap()
}

fn make(file: &File) -> Vec<Dataset> {
    let make = |(name, per, deflate): (&str, u64, bool)| {
        let data =
            file.new_dataset::<u32>().shape([0, WIDTH]).max_shape([None, Some(WIDTH)]).chunk([per, WIDTH]);
        if deflate { data.deflate(1) } else { data }.create(name).unwrap()
    };
    KINDS.into_iter().map(make).collect()
}

/// Each grows by `1 + its number` rows, and then is flushed, until all have all rows.
fn grow(data: &[Dataset], flush: impl Fn(&Dataset)) {
    let mut at = vec![0; data.len()];
    while at.iter().any(|rows| *rows < ROWS) {
        for (number, one) in data.iter().enumerate() {
            let next = (at[number] + 1 + number as u64).min(ROWS);
            if next > at[number] {
                one.append(0, &rows(at[number], next)).unwrap();
                at[number] = next;
                flush(one);
            }
        }
    }
}

/// What a thread is to see of a dataset: whole rows, as many as before or more. How many there are.
fn look(data: &Dataset, turn: u64, before: u64) -> u64 {
    let count = data.shape()[0];
    assert!(count >= before, "{count} rows after {before}");
    // Few rows as a rule, where the writer is at work; now and then all of them.
    let from = if turn.is_multiple_of(40) { 0 } else { count.saturating_sub(1 + turn % 30) };
    let found =
        data.read_selection::<u32>(&Selection::from_ranges(&[from..count, 0..WIDTH]).unwrap()).unwrap();
    assert_eq!(found.into_raw_vec_and_offset().0, (from..count).flat_map(row).collect::<Vec<_>>());
    count
}

fn side_by_side(path: &Path, source: &Path) {
    let width = WIDTH * KINDS.len() as u64;
    let axis =
        |start: u64, count: Option<u64>, block| AxisSlab { start, stride: 1, count, block: Some(block) };
    let mut layout = VirtualLayout::of(Extent::resizable(&[0, width], &[None, Some(width)]).unwrap());
    for (number, (name, ..)) in KINDS.into_iter().enumerate() {
        let across = |start| vec![axis(0, None, 1), axis(start, Some(1), WIDTH)];
        let there = Selection::from_axes(across(0)).unwrap();
        let source = VirtualSource::new(source.to_str().unwrap(), name, &[1 << 20, WIDTH]).select(there);
        layout.map(&Selection::from_axes(across(WIDTH * number as u64)).unwrap(), &source).unwrap();
    }
    let file = File::create(path).unwrap();
    file.new_dataset::<u32>().virtual_layout(layout).create("v").unwrap();
    file.close().unwrap();
}

/// Every row of each source is there or not, and none goes away.
fn look_virtual(data: &Dataset, before: u64) -> u64 {
    let count = data.refresh().unwrap().after()[0];
    assert!(count >= before, "{count} rows after {before}");
    let found = data.read::<u32>().unwrap();
    let width = usize::try_from(WIDTH).unwrap();
    for (at, found) in (0_u64..).zip(found.outer_iter()) {
        for part in found.as_slice().unwrap().chunks(width) {
            assert!(part == row(at) || part.iter().all(|value| *value == 0), "row {at} of {count}: {part:?}");
        }
    }
    u64::try_from(found.shape()[0]).unwrap().max(count)
}

#[test]
fn sixteen_threads_follow_through_one_file_while_another_appends() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = (folder.path().join("live.h5"), folder.path().join("v.h5"));
    let writer = File::create(&path).unwrap();
    let written = make(&writer);
    writer.start_swmr().unwrap();
    side_by_side(&whole, &path);
    // Nobody stops for so long that what a reader meets half written stays so.
    let patient = OpenOptions::new().swmr(true).retry_deadline(Duration::from_secs(120));
    let (file, virtuals) = (patient.open(&path).unwrap(), patient.open(&whole).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (file, virtuals) = (&file, &virtuals);
            scope.spawn(move || {
                let kind = KINDS[usize::try_from(thread).unwrap() % KINDS.len()].0;
                let data = file.dataset(kind).unwrap();
                let through = virtuals.dataset("v").unwrap();
                let (mut seen, mut turn, mut seen_through) = (0, thread, 0);
                while seen < ROWS {
                    if thread % 4 == 0 {
                        data.wait(seen + 1, Some(Duration::from_millis(20))).unwrap();
                    } else {
                        data.refresh().unwrap();
                    }
                    seen = look(&data, turn, seen);
                    if thread % 5 == 0 && turn.is_multiple_of(8) {
                        seen_through = look_virtual(&through, seen_through);
                    }
                    if turn.is_multiple_of(16) {
                        assert_eq!(file.dataset(kind).unwrap().chunk_shape(), data.chunk_shape());
                        assert_eq!(file.root().unwrap().links().unwrap().len(), KINDS.len());
                    }
                    turn += 1;
                }
            });
        }
        grow(&written, |data| data.flush().unwrap());
    });
    assert_eq!(look_virtual(&virtuals.dataset("v").unwrap(), 0), ROWS);
}

#[test]
fn sixteen_threads_read_the_file_that_another_thread_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let file = File::create(&path).unwrap();
    let written = make(&file);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let file = &file;
            scope.spawn(move || {
                let kind = KINDS[usize::try_from(thread).unwrap() % KINDS.len()].0;
                let data = file.dataset(kind).unwrap();
                let (mut seen, mut turn) = (0, thread);
                while seen < ROWS {
                    seen = look(&data, turn, seen);
                    if thread == 3 && turn.is_multiple_of(32) {
                        file.flush().unwrap();
                    }
                    turn += 1;
                    std::thread::yield_now();
                }
            });
        }
        grow(&written, |_| std::thread::yield_now());
    });
    drop(written);
    file.close().unwrap();
    let file = File::open(&path).unwrap();
    for (name, ..) in KINDS {
        assert_eq!(look(&file.dataset(name).unwrap(), 0, ROWS), ROWS);
    }
}
