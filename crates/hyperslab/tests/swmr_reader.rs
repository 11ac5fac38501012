//! Reading files while somebody writes them. The writer here is whoever copies the bytes of a newer file over those of
//! the one that is open; `conformance/live.py` has real ones.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may stop at the first thing that is not as it thinks, and plays the writer"
)]

use hyperslab::{
    AxisSlab, Dataset, ErrorKind, Extent, File, OpenOptions, Selection, VirtualLayout, VirtualSource,
    WriterState,
};
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const WIDTH: u64 = 4;

fn row(at: u64) -> Vec<u32> {
    (0..WIDTH).map(|column| u32::try_from(7 * column + 13 * at + 1).unwrap()).collect()
}

/// The bytes of a file whose dataset `d` has so many rows in chunks of `chunk` rows; built up row by row, so that the
/// files of more rows have those of fewer rows at the same places.
fn with_rows(rows: u64, chunk: u64, deflate: bool) -> Vec<u8> {
    let file = OpenOptions::new().create_in_memory().unwrap();
    let builder =
        file.new_dataset::<u32>().shape([0, WIDTH]).max_shape([None, Some(WIDTH)]).chunk([chunk, WIDTH]);
    let data = if deflate { builder.deflate(6) } else { builder }.create("d").unwrap();
    for at in 0..rows {
        data.resize([at + 1, WIDTH]).unwrap();
        let one = Selection::from_ranges(&[at..at + 1, 0..WIDTH]).unwrap();
        data.write_selection(&one, &row(at)).unwrap();
        file.flush().unwrap();
    }
    file.to_bytes().unwrap()
}

/// A live file, and what plays its writer.
struct Live {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Live {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("live.h5");
        fs::write(&path, bytes).unwrap();
        Self { _folder: folder, path }
    }

    fn publish(&self, bytes: &[u8]) {
        let file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
    }

    fn poke(&self, at: usize, byte: u8) {
        let file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(&[byte], at as u64).unwrap();
    }

    fn open(&self) -> File {
        OpenOptions::new().swmr(true).retry_deadline(Duration::from_millis(100)).open(&self.path).unwrap()
    }
}

fn check(data: &Dataset, rows: u64) {
    assert_eq!(data.shape(), [rows, WIDTH]);
    let found: Vec<u32> = data.read().unwrap().into_raw_vec_and_offset().0;
    let expected: Vec<u32> = (0..rows).flat_map(row).collect();
    assert_eq!(found, expected);
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

#[test]
fn a_refresh_sees_what_was_published_and_tells_the_growth() {
    for (chunk, deflate) in [(1, false), (8, false), (1, true), (8, true)] {
        let live = Live::new(&with_rows(0, chunk, deflate));
        let file = live.open();
        let data = file.dataset("d").unwrap();
        check(&data, 0);
        let mut before = 0;
        for rows in [1, 2, 3, 9, 40, 200] {
            live.publish(&with_rows(rows, chunk, deflate));
            assert_eq!(data.shape(), [before, WIDTH], "nothing is seen before it is looked at");
            let growth = data.refresh().unwrap();
            assert_eq!(
                (growth.before(), growth.after()),
                ([before, WIDTH].as_slice(), [rows, WIDTH].as_slice())
            );
            assert_eq!(growth.rows(), before..rows);
            check(&data, rows);
            assert!(!data.refresh().unwrap().is_change());
            check(&data, rows);
            before = rows;
        }
        assert!(file.retries().is_empty());
    }
}

#[test]
fn a_dataset_that_became_smaller_is_smaller_after_a_refresh() {
    let live = Live::new(&with_rows(6, 1, false));
    let file = live.open();
    let data = file.dataset("d").unwrap();
    live.publish(&with_rows(2, 1, false));
    let growth = data.refresh().unwrap();
    assert!(growth.is_shrinking());
    check(&data, 2);
    let beyond = Selection::from_ranges(&[4..5, 0..WIDTH]).unwrap();
    assert_eq!(data.read_selection::<u32>(&beyond).unwrap_err().kind(), ErrorKind::Usage);
    live.publish(&with_rows(7, 1, false));
    data.refresh().unwrap();
    check(&data, 7);
}

#[test]
fn rows_that_were_cut_are_outside_the_extent_also_before_a_refresh() {
    let live = Live::new(&with_rows(6, 1, false));
    let data = live.open().dataset("d").unwrap();
    live.publish(&with_rows(2, 1, false));
    let error = data.read::<u32>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert!(error.to_string().contains("cut from [6, 4] to [2, 4]"), "{error}");
}

#[test]
fn what_stays_half_written_is_an_error_by_the_deadline_and_nothing_is_lost_by_it() {
    let new = with_rows(60, 1, false);
    for structure in [b"EAHD", b"EAIB", b"EADB"] {
        let live = Live::new(&new);
        let file = live.open();
        let data = file.dataset("d").unwrap();
        let torn = find(&new, structure) + 20;
        live.poke(torn, !new[torn]);
        let begun = Instant::now();
        let error = data.read::<u32>().unwrap_err();
        let time = begun.elapsed();
        assert!(time >= Duration::from_millis(100), "{time:?}");
        assert_eq!(error.kind(), ErrorKind::Torn, "{error}");
        assert!(error.to_string().contains("attempts") && error.to_string().contains(" at 0x"), "{error}");
        assert!(file.retries().values().sum::<u64>() > 8);
        live.poke(torn, new[torn]);
        check(&data, 60);
    }
}

#[test]
fn a_half_written_header_leaves_a_handle_with_what_it_saw() {
    let (old, new) = (with_rows(3, 1, false), with_rows(5, 1, false));
    let live = Live::new(&old);
    let file = live.open();
    let data = file.dataset("d").unwrap();
    let header = usize::try_from(data.address()).unwrap();
    live.publish(&new);
    live.poke(header + 30, !new[header + 30]);
    let error = data.refresh().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Torn);
    assert!(error.to_string().contains("object header at"), "{error}");
    assert_eq!(file.retries().keys().collect::<Vec<_>>(), ["object header"]);
    assert_eq!(data.shape(), [3, WIDTH]);
    live.poke(header + 30, new[header + 30]);
    assert_eq!(data.refresh().unwrap().rows(), 3..5);
    check(&data, 5);
}

#[test]
fn what_is_mended_in_time_is_no_error() {
    let new = with_rows(60, 1, false);
    let live = Live::new(&new);
    let patient = OpenOptions::new().swmr(true).retry_deadline(Duration::from_secs(120));
    let file = patient.open(&live.path).unwrap();
    let data = file.dataset("d").unwrap();
    let torn = find(&new, b"EADB") + 20;
    live.poke(torn, !new[torn]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while file.retries().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            live.poke(torn, new[torn]);
        });
        check(&data, 60);
    });
    assert!(file.retries().keys().any(|name| name.contains("data block")), "{:?}", file.retries());
}

#[test]
fn a_broken_superblock_is_an_error_by_the_deadline() {
    let bytes = with_rows(1, 1, false);
    let live = Live::new(&bytes);
    live.poke(30, !bytes[30]);
    let begun = Instant::now();
    let error = OpenOptions::new().swmr(true).open(&live.path).unwrap_err();
    let time = begun.elapsed();
    assert!(time.as_millis() >= 900, "{time:?}");
    assert!(error.to_string().contains("superblock at 0x0"), "{error}");
}

#[test]
fn the_end_of_a_chunk_that_is_not_written_yet_reads_as_zeroes() {
    let bytes = with_rows(9, 8, false);
    let live = Live::new(&bytes);
    let data = live.open().dataset("d").unwrap();
    let last = data.stored_chunks().unwrap().into_iter().max_by_key(|chunk| chunk.offset).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&live.path).unwrap();
    file.set_len(last.offset + 10).unwrap();
    let found: Vec<u32> = data.read().unwrap().into_raw_vec_and_offset().0;
    let mut expected: Vec<u32> = (0..9).flat_map(row).collect();
    let first = usize::try_from(last.start[0] * WIDTH).unwrap();
    assert_eq!(found[..first], expected[..first]);
    // Which of the two chunks is the last in the file is for the writer to say.
    let end = expected.len().min(first + 8 * usize::try_from(WIDTH).unwrap());
    expected[first + 2] &= 0xffff;
    expected[first + 3..end].fill(0);
    assert_eq!(found[first..], expected[first..]);
}

#[test]
fn waiting_returns_once_the_rows_are_there_and_else_when_the_time_is_up() {
    let live = Live::new(&with_rows(1, 1, false));
    let data = live.open().dataset("d").unwrap();
    let begun = Instant::now();
    assert!(data.wait(3, Some(Duration::from_millis(50))).unwrap().is_none());
    assert!(begun.elapsed().as_millis() >= 50, "{:?}", begun.elapsed());
    let three = with_rows(3, 1, false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            live.publish(&three);
        });
        let growth = data.wait(3, Some(Duration::from_secs(120))).unwrap().unwrap();
        assert_eq!(growth.rows(), 1..3);
    });
    assert!(data.wait(3, None).unwrap().is_some(), "what is there is not waited for");
}

#[test]
fn following_gives_each_growth_and_ends_when_nobody_writes() {
    let live = Live::new(&with_rows(1, 1, false));
    let data = live.open().dataset("d").unwrap();
    live.publish(&with_rows(4, 1, false));
    let rows: Vec<_> = data.follow(None).map(|growth| growth.unwrap().rows()).collect();
    assert!(rows.len() == 1 && rows[0] == (1..4), "{rows:?}");
    assert_eq!(data.follow(Some(Duration::from_millis(10))).count(), 0);
}

#[test]
fn many_threads_follow_through_one_file() {
    let states: Vec<Vec<u8>> = (1..120).map(|rows| with_rows(rows, 1, false)).collect();
    let live = Live::new(&states[0]);
    let patient = OpenOptions::new().swmr(true).retry_deadline(Duration::from_secs(120));
    let file = patient.open(&live.path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let data = file.dataset("d").unwrap();
                let mut last = 0;
                while last < 119 {
                    let growth = data.refresh().unwrap();
                    let rows = growth.after()[0];
                    assert!(rows >= last, "{rows} rows after {last}");
                    check(&data, rows);
                    last = rows;
                }
            });
        }
        // Headers last, as a writer does: what is new lies behind what is old, but for the header and the index.
        for state in &states {
            let header = usize::try_from(file.dataset("d").unwrap().address()).unwrap();
            let out = fs::OpenOptions::new().write(true).open(&live.path).unwrap();
            let index = find(state, b"EAHD");
            for range in [header + 512..state.len(), index..index + 72, header..header + 512] {
                let range = range.start.min(state.len())..range.end.min(state.len());
                out.write_all_at(&state[range.clone()], range.start as u64).unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// A virtual dataset of the rows of `sources` side by side: as many as there are, or `rows`.
fn side_by_side(path: &Path, sources: &[&Live], rows: Option<u64>) {
    let width = WIDTH * sources.len() as u64;
    let extent = match rows {
        Some(rows) => Extent::fixed(&[rows, width]),
        None => Extent::resizable(&[0, width], &[None, Some(width)]).unwrap(),
    };
    let axis =
        |start: u64, count: Option<u64>, block| AxisSlab { start, stride: 1, count, block: Some(block) };
    let down = rows.map_or_else(|| axis(0, None, 1), |rows| axis(0, Some(1), rows));
    let mut layout = VirtualLayout::of(extent);
    for (number, source) in sources.iter().enumerate() {
        let across = |start| vec![down, axis(start, Some(1), WIDTH)];
        let here = Selection::from_axes(across(WIDTH * number as u64)).unwrap();
        let there = Selection::from_axes(across(0)).unwrap();
        let source = VirtualSource::new(source.path.to_str().unwrap(), "d", &[1 << 20, WIDTH]).select(there);
        layout.map(&here, &source).unwrap();
    }
    let file = File::create(path).unwrap();
    file.new_dataset::<u32>().fill_value(9_u32).virtual_layout(layout).create("v").unwrap();
    file.close().unwrap();
}

/// What such a virtual dataset has when its sources have so many rows.
fn expected(rows: u64, sources: &[u64]) -> Vec<u32> {
    let part = |at: u64, has: u64| if at < has { row(at) } else { vec![9; 4] };
    (0..rows).flat_map(|at| sources.iter().flat_map(move |has| part(at, *has))).collect()
}

#[test]
fn a_virtual_dataset_grows_with_its_live_sources_at_a_refresh() {
    let sources = [Live::new(&with_rows(1, 1, false)), Live::new(&with_rows(0, 8, true))];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.h5");
    side_by_side(&path, &[&sources[0], &sources[1]], None);
    let data = OpenOptions::new().swmr(true).open(&path).unwrap().dataset("v").unwrap();
    let values = || data.read::<u32>().unwrap().into_raw_vec_and_offset().0;
    assert_eq!(values(), expected(1, &[1, 0]));
    let mut before = 1;
    for (one, two) in [(2, 0), (2, 3), (40, 60), (41, 60)] {
        sources[0].publish(&with_rows(one, 1, false));
        sources[1].publish(&with_rows(two, 8, true));
        let rows = one.max(two);
        assert_eq!(data.refresh().unwrap().rows(), before..rows);
        assert_eq!(values(), expected(rows, &[one, two]));
        before = rows;
    }
}

#[test]
fn a_half_written_source_takes_nothing_from_a_virtual_dataset() {
    let (old, new) = (with_rows(5, 1, false), with_rows(9, 1, false));
    let source = Live::new(&old);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.h5");
    side_by_side(&path, &[&source], None);
    let file = OpenOptions::new().swmr(true).retry_deadline(Duration::from_millis(50)).open(&path).unwrap();
    let data = file.dataset("v").unwrap();
    assert_eq!(data.shape(), [5, WIDTH]);
    let header = usize::try_from(File::open(&source.path).unwrap().dataset("d").unwrap().address()).unwrap();
    source.publish(&new);
    source.poke(header + 30, !new[header + 30]);
    let error = data.refresh().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Torn, "{error}");
    assert!(error.to_string().contains("live.h5") && error.to_string().contains("object header"), "{error}");
    assert_eq!(data.shape(), [5, WIDTH]);
    source.poke(header + 30, new[header + 30]);
    assert_eq!(data.refresh().unwrap().rows(), 5..9);
}

#[test]
fn a_source_shorter_than_its_mapping_reads_as_the_fill_value_until_it_grows() {
    let source = Live::new(&with_rows(3, 1, false));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.h5");
    side_by_side(&path, &[&source], Some(6));
    let data = OpenOptions::new().swmr(true).open(&path).unwrap().dataset("v").unwrap();
    let values = || data.read::<u32>().unwrap().into_raw_vec_and_offset().0;
    assert_eq!(values(), expected(6, &[3]));
    source.publish(&with_rows(5, 1, false));
    data.refresh().unwrap();
    assert_eq!(values(), expected(6, &[5]));
}

#[test]
fn a_file_that_was_replaced_or_deleted_is_read_on() {
    let live = Live::new(&with_rows(3, 1, false));
    let file = live.open();
    let data = file.dataset("d").unwrap();
    assert_eq!(file.writer_state().unwrap(), WriterState::Closed);
    let moved = live.path.with_extension("old");
    fs::rename(&live.path, &moved).unwrap();
    assert_eq!(file.writer_state().unwrap(), WriterState::Deleted);
    fs::write(&live.path, b"another").unwrap();
    assert_eq!(file.writer_state().unwrap(), WriterState::Replaced);
    data.refresh().unwrap();
    check(&data, 3);
    fs::OpenOptions::new().append(true).open(&moved).unwrap().write_all(b"more").unwrap();
    data.refresh().unwrap();
    check(&data, 3);
}
