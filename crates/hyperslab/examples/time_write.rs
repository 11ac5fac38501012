//! Times writing, as asked line by line on standard input: what the benchmark speaks to.
//!
//! A request is `CASE<TAB>FILE<TAB>NUMBER`; the answer is a line with the seconds it took from making or opening the
//! file to closing it, or a line `error MESSAGE`.

use hyperslab::{File, Object, Selection, VirtualLayout, VirtualSource};
use std::io::{self, BufRead, Write};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        match timed(&line?) {
            Ok(seconds) => writeln!(out, "{seconds:.9}")?,
            Err(error) => writeln!(out, "error {}", error.to_string().replace('\n', " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

fn timed(line: &str) -> Outcome<f64> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [case, file, number] = fields[..] else { return Err("CASE, FILE and NUMBER are needed".into()) };
    let number: u64 = number.parse()?;
    match case {
        "many" => many(file, number),
        "open" => open(file, number),
        "gzip" => gzip(file, number),
        "contiguous" => contiguous(file, number),
        "mappings" => mappings(file, number),
        _ => Err("no such case".into()),
    }
}

/// So many small datasets with two attributes each.
fn many(path: &str, number: u64) -> Outcome<f64> {
    let data: Vec<f64> = (0..10).map(f64::from).collect();
    let start = Instant::now();
    let file = File::create(path)?;
    let group = file.create_group("many")?;
    for i in 0..number {
        let dataset = group.new_dataset::<f64>().shape([10]).create(format!("d{i:06}"))?;
        dataset.write_selection(&Selection::All, &data)?;
        dataset.set_attribute("gain", 1.5)?;
        dataset.set_attribute("offset", i64::try_from(i)?)?;
    }
    file.close()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Each of them opened by its path, then all found by walking, with their attributes.
fn open(path: &str, number: u64) -> Outcome<f64> {
    let start = Instant::now();
    let file = File::open(path)?;
    let mut sum = 0;
    for i in 0..number {
        sum += file.dataset(format!("/many/d{i:06}"))?.shape().len();
    }
    let group = file.group("many")?;
    for link in group.links()? {
        if let Object::Dataset(dataset) = group.object(&link.name)? {
            sum += dataset.attributes()?.len();
        }
    }
    if sum as u64 != number * 3 {
        return Err(format!("{sum} axes and attributes").into());
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Frames of half a megabyte, so many MiB in all, shuffled and compressed.
fn gzip(path: &str, megabytes: u64) -> Outcome<f64> {
    let frames = megabytes * 2;
    let data = counts(frames * 512 * 512);
    let start = Instant::now();
    let file = File::create(path)?;
    let builder = file.new_dataset::<u16>().shape([frames, 512, 512]).chunk([1, 512, 512]);
    let dataset = builder.shuffle().deflate(4).create("data")?;
    dataset.write_selection(&Selection::All, &data)?;
    file.close()?;
    Ok(start.elapsed().as_secs_f64())
}

/// So many MiB in one run.
fn contiguous(path: &str, megabytes: u64) -> Outcome<f64> {
    let data = counts(megabytes << 19);
    let start = Instant::now();
    let file = File::create(path)?;
    file.new_dataset::<u16>()
        .shape([data.len() as u64])
        .create("data")?
        .write_selection(&Selection::All, &data)?;
    file.close()?;
    Ok(start.elapsed().as_secs_f64())
}

/// A virtual dataset of so many mappings, each of one row of a file of its own.
fn mappings(path: &str, number: u64) -> Outcome<f64> {
    let start = Instant::now();
    let mut layout = VirtualLayout::new(&[number, 100]);
    for row in 0..number {
        let source =
            VirtualSource::new(format!("source{:04}.h5", row / 100), format!("data{}", row % 100), &[100]);
        layout.map(&Selection::from_ranges(&[row..row + 1, 0..100])?, &source)?;
    }
    let file = File::create(path)?;
    file.new_dataset::<u16>().virtual_layout(layout).create("data")?;
    file.close()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Counts as a detector gives them: mostly small numbers.
fn counts(number: u64) -> Vec<u16> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..number)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = u16::try_from(state >> 48).unwrap_or(0);
            u16::try_from(bits.leading_zeros()).unwrap_or(0) + (bits & 1)
        })
        .collect()
}
