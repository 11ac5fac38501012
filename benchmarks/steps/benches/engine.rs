//! Single steps of the engine, each by itself: `cargo bench -p hyperslab-steps`. The tests run each once, without a clock.

#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hyperslab::{AxisSlab, DatasetBuilder, File, Result, Selection, VirtualLayout, VirtualSource};
use hyperslab_steps::{FRAMES, SIDE, Told, file_of_frames, folder, frames};
use std::hint::black_box;

fn filters(criterion: &mut Criterion) {
    let ways: [(&str, Told); 6] = [
        ("none", |builder| builder),
        ("shuffle, deflate", |builder| builder.shuffle().deflate(4)),
        ("bitshuffle, lz4", DatasetBuilder::bitshuffle_lz4),
        ("lzf", DatasetBuilder::lzf),
        ("zstd", |builder| builder.zstd(3)),
        ("fletcher32", DatasetBuilder::fletcher32),
    ];
    for (name, told) in ways {
        let folder = folder();
        let file = file_of_frames(folder.path().join("a.h5"), told).expect("a file");
        let data = file.dataset("data").expect("a dataset");
        criterion.bench_function(&format!("read 16 frames, {name}"), |bencher| {
            bencher.iter(|| data.read_selection::<u16>(&Selection::All).expect("frames"));
        });
        let (data, path) = (frames(), folder.path().join("b.h5"));
        criterion.bench_function(&format!("write 16 frames, {name}"), |bencher| {
            bencher.iter(|| {
                let file = File::create(&path)?;
                let builder = file.new_dataset::<u16>().shape([FRAMES, SIDE, SIDE]).chunk([1, SIDE, SIDE]);
                told(builder).create("data")?.write_selection(&Selection::All, &data)?;
                file.close()
            });
        });
    }
}

fn small_reads(criterion: &mut Criterion) {
    let folder = folder();
    let path = folder.path().join("a.h5");
    let file = file_of_frames(path.clone(), |builder| builder).expect("a file");
    let data = file.dataset("data").expect("a dataset");
    let one = Selection::from_ranges(&[7..8, 3..4, 5..6]).expect("a selection");
    criterion.bench_function("read one element", |bencher| {
        bencher.iter(|| data.read_selection::<u16>(black_box(&one)).expect("an element"));
    });
    let window = Selection::from_ranges(&[7..8, 30..94, 30..94]).expect("a selection");
    criterion.bench_function("read a window of 64 x 64", |bencher| {
        bencher.iter(|| data.read_selection::<u16>(black_box(&window)).expect("a window"));
    });
    criterion.bench_function("open a file and a dataset", |bencher| {
        bencher.iter(|| File::open(&path).and_then(|file| file.dataset("data")).expect("a dataset"));
    });
}

/// Every fourth frame from one of four files.
fn interleaved(criterion: &mut Criterion) {
    let folder = folder();
    let mut layout = VirtualLayout::new(&[4 * FRAMES, SIDE, SIDE]);
    for at in 0..4 {
        let name = format!("{at}.h5");
        file_of_frames(folder.path().join(&name), |builder| builder).expect("a source");
        let places = AxisSlab { start: at, stride: 4, count: Some(FRAMES), block: Some(1) };
        let whole = AxisSlab { start: 0, stride: 1, count: Some(SIDE), block: Some(1) };
        let here = Selection::from_axes(vec![places, whole, whole]).expect("a selection");
        layout.map(&here, &VirtualSource::new(name, "data", &[FRAMES, SIDE, SIDE])).expect("a mapping");
    }
    let file = File::create(folder.path().join("all.h5")).expect("a file");
    file.new_dataset::<u16>().virtual_layout(layout).create("all").expect("a virtual dataset");
    let data = file.dataset("all").expect("a dataset");
    criterion.bench_function("read four files interleaved", |bencher| {
        bencher.iter(|| data.read_selection::<u16>(&Selection::All).expect("frames"));
    });
}

/// A thousand mappings listed, written, and read again from their block.
fn mappings(criterion: &mut Criterion) {
    let folder = folder();
    let path = folder.path().join("all.h5");
    let make = || -> Result<()> {
        let mut layout = VirtualLayout::new(&[1000, 10]);
        for row in 0..1000 {
            let source = VirtualSource::new(format!("{row}.h5"), "data", &[10]);
            layout.map(&Selection::from_ranges(&[row..row + 1, 0..10])?, &source)?;
        }
        let file = File::create(&path)?;
        file.new_dataset::<i32>().virtual_layout(layout).create("all")?;
        file.close()
    };
    criterion.bench_function("make 1000 mappings", |bencher| bencher.iter(|| make().expect("mappings")));
    criterion.bench_function("open 1000 mappings", |bencher| {
        bencher.iter(|| File::open(&path).and_then(|file| file.dataset("all")).expect("a dataset"));
    });
}

fn objects(criterion: &mut Criterion) {
    let folder = folder();
    let path = folder.path().join("a.h5");
    let make = || -> Result<()> {
        let file = File::create(&path)?;
        for at in 0..100 {
            let data = file.new_dataset::<f64>().shape([10]).create(format!("data{at}"))?;
            data.write_selection(&Selection::All, &[1.5; 10])?;
            data.set_attribute("gain", 2.0)?;
        }
        file.close()
    };
    criterion.bench_function("make 100 small datasets", |bencher| bencher.iter(|| make().expect("datasets")));
}

/// A row appended to a live file, and shown to its readers.
fn append(criterion: &mut Criterion) {
    let folder = folder();
    let path = folder.path().join("live.h5");
    let make = || {
        let file = File::create(&path).expect("a file");
        let builder = file.new_dataset::<u32>().shape([0, 256]).max_shape([None, Some(256)]).chunk([64, 256]);
        let data = builder.create("rows").expect("a dataset");
        file.start_swmr().expect("a live file");
        (file, data)
    };
    let row = ndarray::Array2::<u32>::zeros((1, 256));
    criterion.bench_function("append and flush a row, 100 times", |bencher| {
        bencher.iter_batched(
            make,
            |(_file, data)| {
                for _ in 0..100 {
                    data.append(0, &row).and_then(|()| data.flush()).expect("a row");
                }
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, filters, small_reads, interleaved, mappings, objects, append);
criterion_main!(benches);
