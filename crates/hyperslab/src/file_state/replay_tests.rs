//! A file that grows while others read it: whatever part of its writes reached the disk, it opens, with all rows that were
//! flushed and none that is wrong.

use crate::builder::DatasetBuilder;
use crate::dataset::Dataset;
use crate::file::File;
use crate::file_state::FileState;
use crate::open_options::OpenOptions;
use crate::storage::memory::MemoryStorage;
use crate::storage::tests::{Call, TestStorage};
use crate::storage::{ReadAt, WriteAt};
use ndarray::Array2;
use std::sync::Arc;

const WIDTH: u64 = 16;
/// Where a disk may cut a write in two.
const SECTORS: [usize; 2] = [512, 4096];

/// How the datasets of a file are made, how many there are, and how many rows they get.
struct Case {
    dataset: fn(DatasetBuilder) -> DatasetBuilder,
    datasets: usize,
    rows: u64,
}

fn row(dataset: usize, number: u64) -> Vec<u32> {
    let first = u32::try_from(number).unwrap() * 13 + u32::try_from(dataset).unwrap() * 7919 + 1;
    (0..u32::try_from(WIDTH).unwrap()).map(|column| first + 7 * column).collect()
}

/// The file as writes are done to it one after the other, and how many rows were flushed by then.
struct Replay {
    image: Vec<u8>,
    flushed: Vec<u64>,
    checks: u64,
}

impl Replay {
    fn write(image: &mut Vec<u8>, (offset, bytes): (usize, &[u8])) {
        image.resize(image.len().max(offset + bytes.len()), 0);
        image[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Does a write in all ways in which it may come to the disk.
    fn step(&mut self, (offset, bytes): (usize, &[u8])) {
        for sector in SECTORS {
            let mut cut = (offset / sector + 1) * sector - offset;
            while cut < bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                for part in [(offset, head), (offset + cut, tail)] {
                    let mut torn = self.image.clone();
                    Self::write(&mut torn, part);
                    self.check(&torn);
                }
                cut += sector;
            }
        }
        Self::write(&mut self.image, (offset, bytes));
        self.check(&self.image.clone());
    }

    fn check(&mut self, image: &[u8]) {
        let bytes = Arc::new(MemoryStorage::new(image.to_vec())) as Arc<dyn ReadAt>;
        let file = File { state: Arc::new(FileState::follow(&bytes, None).unwrap()) };
        for (dataset, flushed) in self.flushed.iter().enumerate() {
            let data = file.dataset(name(dataset)).unwrap();
            let rows = data.shape()[0];
            assert!(rows >= *flushed, "{rows} rows of {flushed}");
            let expected: Vec<u32> = (0..rows).flat_map(|number| row(dataset, number)).collect();
            assert_eq!(data.read::<u32>().unwrap().into_raw_vec_and_offset().0, expected);
        }
        self.checks += 1;
    }
}

fn name(dataset: usize) -> String {
    format!("rows{dataset}")
}

fn replay(case: &Case) -> u64 {
    let storage = Arc::new(TestStorage::default());
    let there = Arc::clone(&storage) as Arc<dyn WriteAt>;
    let mut state = FileState::create(there, &OpenOptions::new(), false).unwrap();
    // A short file is quickly copied.
    state.adopt(OpenOptions::new().headroom(1 << 18));
    let file = File { state: Arc::new(state) };
    let make = |number| (case.dataset)(file.new_dataset::<u32>()).create(name(number)).unwrap();
    let datasets: Vec<Dataset> = (0..case.datasets).map(make).collect();
    file.start_swmr().unwrap();
    let mut replay = Replay { image: storage.image(), flushed: vec![0; case.datasets], checks: 0 };
    storage.writes.lock().clear();
    storage.calls.lock().clear();
    for number in 0..case.rows {
        for (nth, data) in datasets.iter().enumerate() {
            let one = Array2::from_shape_vec((1, row(nth, number).len()), row(nth, number)).unwrap();
            data.append(0, &one).unwrap();
            data.flush().unwrap();
            let writes = std::mem::take(&mut *storage.writes.lock());
            for (offset, bytes) in &writes {
                replay.step((*offset, bytes));
            }
            replay.flushed[nth] = number + 1;
            replay.check(&replay.image.clone());
        }
    }
    assert!(!storage.calls.lock().contains(&Call::SetLen), "a length is none of the writes");
    replay.checks
}

#[test]
fn a_growing_file_is_right_after_each_part_of_each_write() {
    let cases = [
        Case { dataset: |new| one_axis(new).chunk([1, WIDTH]), datasets: 1, rows: 120 },
        Case { dataset: |new| one_axis(new).chunk([8, WIDTH]), datasets: 1, rows: 60 },
        Case { dataset: |new| one_axis(new).chunk([1, WIDTH]).deflate(1), datasets: 1, rows: 60 },
        Case { dataset: |new| one_axis(new).chunk([8, WIDTH]).shuffle().deflate(1), datasets: 1, rows: 60 },
        Case {
            dataset: |new| new.shape([0, WIDTH]).max_shape([None, None]).chunk([1, WIDTH]),
            datasets: 1,
            rows: 60,
        },
        Case {
            dataset: |new| new.shape([0, WIDTH]).max_shape([Some(200), Some(WIDTH)]).chunk([1, WIDTH]),
            datasets: 1,
            rows: 60,
        },
        Case { dataset: |new| one_axis(new).chunk([1, WIDTH]), datasets: 12, rows: 5 },
    ];
    let checks: u64 = cases.iter().map(replay).sum();
    assert!(checks > 1000, "{checks}");
}

fn one_axis(new: DatasetBuilder) -> DatasetBuilder {
    new.shape([0, WIDTH]).max_shape([None, Some(WIDTH)])
}
