//! Times reads through another library, as asked line by line on standard input: `peers hdf5-metno|rust-hdf5`.
//!
//! The request is that of the example `time_read`, `FILE<TAB>PATH<TAB>SLICE`, the slice at most one range of rows. So is the
//! answer: the seconds that opening the file, reading and closing took, and a sum of the bytes; or `error MESSAGE`.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What was read, as the numbers it is made of.
enum Numbers {
    Two(Vec<u16>),
    Four(Vec<u32>),
}

impl Numbers {
    /// The bytes as little-endian words of eight, added up without regard to overflow.
    fn sum(&self) -> u64 {
        let add = |sum: u64, word| sum.wrapping_add(word);
        match self {
            Self::Two(all) => all
                .as_chunks::<4>()
                .0
                .iter()
                .map(|w| w.iter().rev().fold(0, |word, n| word << 16 | u64::from(*n)))
                .fold(0, add),
            Self::Four(all) => all
                .as_chunks::<2>()
                .0
                .iter()
                .map(|[low, high]| u64::from(*high) << 32 | u64::from(*low))
                .fold(0, add),
        }
    }
}

fn main() -> Outcome<()> {
    let read = match std::env::args().nth(1).as_deref() {
        Some("hdf5-metno") => bound,
        Some("rust-hdf5") => pure,
        _ => return Err("usage: peers hdf5-metno|rust-hdf5".into()),
    };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        match timed(&line?, read) {
            Ok(text) => writeln!(out, "{text}")?,
            Err(error) => writeln!(out, "error {}", error.to_string().replace('\n', " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

fn timed(line: &str, read: fn(&str, &str, Option<(usize, usize)>) -> Outcome<Numbers>) -> Outcome<String> {
    let mut fields = line.split('\t');
    let (Some(file), Some(path), Some(slice)) = (fields.next(), fields.next(), fields.next()) else {
        return Err("not FILE, PATH and SLICE with tabs between".into());
    };
    let rows = match slice.split_once(':') {
        Some((first, end)) => Some((first.parse()?, end.parse()?)),
        None => None,
    };
    let start = Instant::now();
    let numbers = read(file, path, rows)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(format!("{seconds:.9} {}", numbers.sum()))
}

/// Through libhdf5.
fn bound(file: &str, path: &str, rows: Option<(usize, usize)>) -> Outcome<Numbers> {
    let data = hdf5_metno::File::open(file)?.dataset(path)?;
    Ok(match data.dtype()?.size() {
        2 => Numbers::Two(bound_rows(&data, rows)?),
        4 => Numbers::Four(bound_rows(&data, rows)?),
        size => return Err(format!("elements of {size} bytes are not read here").into()),
    })
}

fn bound_rows<T: hdf5_metno::H5Type>(data: &hdf5_metno::Dataset, rows: Option<(usize, usize)>) -> Outcome<Vec<T>> {
    let Some((first, end)) = rows else { return Ok(data.read_raw()?) };
    let mut axes: Vec<hdf5_metno::SliceOrIndex> = vec![(first..end).into()];
    axes.extend(data.shape().into_iter().skip(1).map(|length| hdf5_metno::SliceOrIndex::from(0..length)));
    let found = data.read_slice::<T, _, ndarray::IxDyn>(hdf5_metno::Hyperslab::from(axes))?;
    Ok(found.into_raw_vec_and_offset().0)
}

/// Without libhdf5.
fn pure(file: &str, path: &str, rows: Option<(usize, usize)>) -> Outcome<Numbers> {
    let data = rust_hdf5::H5File::open(file)?.dataset(path.trim_start_matches('/'))?;
    Ok(match data.element_size() {
        2 => Numbers::Two(pure_rows(&data, rows)?),
        4 => Numbers::Four(pure_rows(&data, rows)?),
        size => return Err(format!("elements of {size} bytes are not read here").into()),
    })
}

fn pure_rows<T: rust_hdf5::H5Type>(data: &rust_hdf5::H5Dataset, rows: Option<(usize, usize)>) -> Outcome<Vec<T>> {
    let Some((first, end)) = rows else { return Ok(data.read_raw()?) };
    let (mut starts, mut counts) = (vec![0; data.ndims()], data.shape());
    starts[0] = first;
    counts[0] = end - first;
    Ok(data.read_slice(&starts, &counts)?)
}
