//! The caches of the engine, by chosen schedules: every lock that is taken or given back is a place where another thread
//! may go on. `models/run`, or `cargo test` here; `HYPERSLAB_SCHEDULES` says how many schedules of each kind.

use hyperslab::{AxisSlab, Dataset, Extent, File, OpenOptions, Selection, VirtualLayout, VirtualSource};
use ndarray::Array2;
use parking_lot::scheduled;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner, thread};
use std::path::Path;
use std::sync::Arc;

const WIDTH: u64 = 4;

/// Runs a model by many schedules: chosen freely, and with two or three changes of who goes first.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let count = std::env::var("HYPERSLAB_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    let model = Arc::new(model);
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let mut config = Config::new();
        config.stack_size = 4 << 20;
        // Somebody waits for what never comes.
        config.max_steps = shuttle::MaxSteps::FailAfter(400_000);
        config.failure_persistence = FailurePersistence::Print;
        config.silence_warnings = true;
        let model = Arc::clone(&model);
        Runner::new(scheduler, config).run(move || scheduled(|| model()));
    };
    run(Box::new(RandomScheduler::new_from_seed(1, count)));
    run(Box::new(PctScheduler::new_from_seed(2, 2, count / 2)));
    run(Box::new(PctScheduler::new_from_seed(3, 3, count / 2)));
}

fn row(at: u64) -> Vec<u32> {
    (0..WIDTH).map(|column| u32::try_from(7 * column + 13 * at + 1).unwrap()).collect()
}

fn rows(from: u64, to: u64) -> Array2<u32> {
    let shape = (usize::try_from(to - from).unwrap(), usize::try_from(WIDTH).unwrap());
    Array2::from_shape_vec(shape, (from..to).flat_map(row).collect()).unwrap()
}

fn right(data: &Dataset) -> u64 {
    let count = data.shape()[0];
    let found = data.read_selection::<u32>(&Selection::from_ranges(&[0..count, 0..WIDTH]).unwrap()).unwrap();
    assert_eq!(found.into_raw_vec_and_offset().0, (0..count).flat_map(row).collect::<Vec<_>>());
    count
}

/// A file with `d`, of so many rows.
fn made(path: &Path, count: u64, per: u64, deflate: bool) -> (File, Dataset) {
    let file = OpenOptions::new().create(path).unwrap();
    let builder = file.new_dataset::<u32>().shape([0, WIDTH]).max_shape([None, Some(WIDTH)]).chunk([per, WIDTH]);
    let data = if deflate { builder.deflate(1) } else { builder }.create("d").unwrap();
    if count > 0 {
        data.append(0, &rows(0, count)).unwrap();
    }
    file.flush().unwrap();
    (file, data)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" }).unwrap()
}

/// A virtual dataset with the rows of `d` of each source side by side.
fn virtual_file(path: &Path, sources: &[&str], count: u64) {
    let width = WIDTH * sources.len() as u64;
    let mut layout = VirtualLayout::of(Extent::fixed(&[count, width]));
    for (number, name) in sources.iter().enumerate() {
        let axis = |start, block| AxisSlab { start, stride: 1, count: Some(1), block: Some(block) };
        let here = [axis(0, count), axis(WIDTH * number as u64, WIDTH)];
        let source = VirtualSource::new(*name, "d", &[count, WIDTH]);
        layout.map(&Selection::from_axes(here.to_vec()).unwrap(), &source).unwrap();
    }
    let file = File::create(path).unwrap();
    file.new_dataset::<u32>().virtual_layout(layout).create("v").unwrap();
    file.close().unwrap();
}

/// Metadata of a file that is followed: its generations, its structures, the state of each dataset.
#[test]
fn threads_that_follow_through_one_file_see_whole_states_that_do_not_go_back() {
    check(|| {
        let kept = folder();
        let path = kept.path().join("live.h5");
        let (file, data) = made(&path, 1, 1, false);
        file.start_swmr().unwrap();
        let reader = OpenOptions::new().swmr(true).open(&path).unwrap();
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let data = reader.dataset("d").unwrap();
                thread::spawn(move || {
                    let mut last = 0;
                    for _ in 0..3 {
                        data.refresh().unwrap();
                        let count = right(&data);
                        assert!(count >= last, "{count} rows after {last}");
                        last = count;
                    }
                })
            })
            .collect();
        for count in 1..5 {
            data.append(0, &rows(count, count + 1)).unwrap();
            data.flush().unwrap();
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        let data = reader.dataset("d").unwrap();
        data.refresh().unwrap();
        assert_eq!(right(&data), 5);
    });
}

/// The chunk cache, the gate, and the one state of a dataset that all handles share.
#[test]
fn handles_that_write_and_read_one_file_see_whole_writes() {
    check(|| {
        let kept = folder();
        let (file, data) = made(&kept.path().join("a.h5"), 1, 2, true);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let data = file.dataset("d").unwrap();
                thread::spawn(move || (0..3).for_each(|_| drop(right(&data))))
            })
            .collect();
        let flusher = {
            let file = file.clone();
            thread::spawn(move || (0..2).for_each(|_| file.flush().unwrap()))
        };
        for count in 1..5 {
            data.append(0, &rows(count, count + 1)).unwrap();
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        flusher.join().unwrap();
        assert_eq!(right(&file.dataset("d").unwrap()), 5);
        drop(data);
        file.close().unwrap();
        assert_eq!(right(&File::open(kept.path().join("a.h5")).unwrap().dataset("d").unwrap()), 5);
    });
}

/// The table of open files: whoever reads through a virtual dataset locks its sources, and the last gives them back.
#[test]
fn sources_are_locked_as_long_as_somebody_reads_through_them() {
    let kept = folder();
    let at = |name: &str| kept.path().join(name);
    for name in ["one.h5", "two.h5"] {
        made(&at(name), 3, 1, false).0.close().unwrap();
    }
    virtual_file(&at("v.h5"), &["one.h5", "two.h5"], 3);
    virtual_file(&at("w.h5"), &["two.h5"], 3);
    // What changed a moment ago may change again, and is not kept open.
    std::thread::sleep(std::time::Duration::from_millis(100));
    let folder = kept.path().to_path_buf();
    check(move || {
        let readers: Vec<_> = [("v.h5", 2), ("w.h5", 1), ("v.h5", 2)]
            .into_iter()
            .map(|(name, sources)| {
                let path = folder.join(name);
                thread::spawn(move || {
                    let expected: Vec<u32> = (0..3).flat_map(|at| row(at).repeat(sources)).collect();
                    for _ in 0..2 {
                        let file = File::open(&path).unwrap();
                        let found = file.dataset("v").unwrap().read::<u32>().unwrap();
                        assert_eq!(found.into_raw_vec_and_offset().0, expected);
                        let source = std::fs::File::open(path.with_file_name("two.h5")).unwrap();
                        assert!(source.try_lock().is_err(), "nobody may write what is being read");
                        file.close().unwrap();
                    }
                })
            })
            .collect();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        for name in ["one.h5", "two.h5"] {
            let source = std::fs::File::open(folder.join(name)).unwrap();
            assert!(source.try_lock().is_ok(), "{name} is still locked");
        }
    });
}

/// A file this program writes is found by whoever opens it, as long as it is open.
#[test]
fn a_file_that_is_opened_while_it_is_closed_is_the_one_or_the_other() {
    check(|| {
        let kept = folder();
        let path = kept.path().join("a.h5");
        let (file, data) = made(&path, 2, 1, false);
        drop(data);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let path = path.clone();
                thread::spawn(move || {
                    // Between the two nobody may.
                    if let Ok(file) = File::open(&path)
                        && let Ok(data) = file.dataset("d")
                    {
                        let selection = Selection::from_ranges(&[0..2, 0..WIDTH]).unwrap();
                        if let Ok(found) = data.read_selection::<u32>(&selection) {
                            assert_eq!(found.into_raw_vec_and_offset().0, [row(0), row(1)].concat());
                        }
                    }
                })
            })
            .collect();
        file.close().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!(right(&File::open(&path).unwrap().dataset("d").unwrap()), 2);
    });
}
