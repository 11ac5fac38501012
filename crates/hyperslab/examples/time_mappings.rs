//! How long virtual datasets of many mappings take to make, open and read: `time_mappings [COUNT]`.
#![expect(clippy::print_stdout, reason = "a program that tells what it measures")]

use hyperslab::{File, Result, Selection, VirtualLayout, VirtualSource};
use std::time::Instant;

/// The most memory this program has had, in MiB, where the system tells.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().split(' ').next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

fn main() -> Result<()> {
    let count: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let folder = std::env::temp_dir().join(format!("time_mappings_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap_or_default();
    let (all, raw) = (folder.join("all.h5"), folder.join("raw.h5"));
    let file = File::create(&raw)?;
    let rows = file.new_dataset::<i32>().shape([count, 10]).create("data")?;
    rows.write_selection(&Selection::from_ranges(&[7..8, 0..10])?, &[7; 10])?;
    file.close()?;
    let before = peak();
    let start = Instant::now();
    let mut layout = VirtualLayout::new(&[count, 10]);
    for row in 0..count {
        let here = Selection::from_ranges(&[row..row + 1, 0..10])?;
        let source = VirtualSource::new("raw.h5", "data", &[count, 10]).select(here.clone());
        layout.map(&here, &source)?;
    }
    let mapped = start.elapsed();
    let file = File::create(&all)?;
    file.new_dataset::<i32>().virtual_layout(layout).create("all")?;
    file.close()?;
    println!(
        "made {count} mappings in {:?} ({mapped:?} to list them), {} MiB",
        start.elapsed(),
        peak() - before
    );
    let start = Instant::now();
    let data = File::open(&all)?.dataset("all")?;
    println!("opened in {:?}, {} MiB at most", start.elapsed(), peak());
    for _ in 0..3 {
        let start = Instant::now();
        let one = data.read_selection::<i32>(&Selection::from_ranges(&[7..8, 3..4])?)?;
        println!("one element {:?} in {:?}", one.first(), start.elapsed());
    }
    std::fs::remove_dir_all(&folder).unwrap_or_default();
    Ok(())
}
