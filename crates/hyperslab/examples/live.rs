//! Follows a dataset that another program writes, and checks what it sees:
//! `live FILE DATASET SECONDS [poll|wait [MILLISECONDS]]`, the last of which is its patience with what is half written.
//!
//! Row `i` of the dataset, of unsigned 32-bit numbers, is to have `7 * j + 13 * i + 1` in column `j`. Prints one line of
//! JSON once the writer has closed the file or the time is up: how often it looked, how many rows it saw, how many
//! looks found a wrong row, how often the dataset became shorter, errors, and what had to be read again.
#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use hyperslab::{Dataset, OpenOptions, Result, Selection, WriterState};
use std::time::{Duration, Instant};

/// Rows that are checked at each look.
const CHECKED: u64 = 20;

#[derive(Default)]
struct Seen {
    looks: u64,
    rows: u64,
    wrong: u64,
    back: u64,
    errors: Vec<String>,
}

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [file, dataset, seconds, how @ ..] = given.as_slice() else {
        println!("usage: live FILE DATASET SECONDS [poll|wait [MILLISECONDS]]");
        return Ok(());
    };
    let waits = how.first().is_some_and(|how| how == "wait");
    let seconds = Duration::from_secs_f64(seconds.parse().unwrap_or(1.0));
    let mut options = OpenOptions::new().swmr(true);
    if let Some(patience) = how.get(1).and_then(|patience| patience.parse().ok()) {
        options = options.retry_deadline(Duration::from_millis(patience));
    }
    let file = options.open(file)?;
    let data = file.dataset(dataset)?;
    let begun = Instant::now();
    let mut seen = Seen::default();
    let (mut ended, mut quiet) = (false, false);
    while !ended && begun.elapsed() < seconds {
        // A last look after the writer closed the file sees all of it.
        ended = (quiet || seen.looks % 64 == 63) && file.writer_state()? == WriterState::Closed;
        match look(&data, waits, &mut seen) {
            Ok(grown) => quiet = waits && !grown,
            Err(error) => seen.errors.push(error.to_string()),
        }
    }
    let whole = data.refresh().and_then(|growth| rows(&data, 0, growth.after()));
    match whole {
        Ok(right) => seen.wrong += u64::from(!right),
        Err(error) => seen.errors.push(error.to_string()),
    }
    let Seen { looks, rows, wrong, back, errors } = seen;
    let retries = file.retries();
    println!(
        "{{\"looks\": {looks}, \"rows\": {rows}, \"wrong\": {wrong}, \"back\": {back}, \"closed\": {ended}, \
         \"errors\": {errors:?}, \"retries\": {retries:?}}}"
    );
    Ok(())
}

/// Whether there was something new.
fn look(data: &Dataset, waits: bool, seen: &mut Seen) -> Result<bool> {
    seen.looks += 1;
    let growth = if waits {
        data.wait(seen.rows + 1, Some(Duration::from_millis(50)))?
    } else {
        Some(data.refresh()?)
    };
    let shape = growth.map_or_else(|| data.shape(), |growth| growth.after().to_vec());
    let count = shape.first().copied().unwrap_or(0);
    let grown = count > seen.rows;
    seen.back += u64::from(count < seen.rows);
    seen.rows = count;
    seen.wrong += u64::from(!rows(data, count.saturating_sub(CHECKED), &shape)?);
    Ok(grown)
}

/// Whether the rows from `first` on are right.
fn rows(data: &Dataset, first: u64, shape: &[u64]) -> Result<bool> {
    let [count, width] = *shape else { return Ok(false) };
    if first >= count {
        return Ok(true);
    }
    let found = data.read_selection::<u32>(&Selection::from_ranges(&[first..count, 0..width])?)?;
    let expected = (first..count).flat_map(|row| (0..width).map(move |column| 7 * column + 13 * row + 1));
    Ok(found.iter().zip(expected).all(|(found, expected)| u64::from(*found) == expected & 0xffff_ffff))
}
