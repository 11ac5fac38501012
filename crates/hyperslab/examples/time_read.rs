//! Times reads, as asked line by line on standard input: what the benchmark speaks to.
//!
//! A request is `FILE<TAB>PATH<TAB>SLICE`, the slice as numpy writes it. The answer is a line with the seconds that opening the
//! file, reading into a fresh buffer and closing took, then a sum of the bytes,
//! which is outside the time, their type and shape; or a line `error MESSAGE`.

mod slices;

use hyperslab::File;
use slices::Outcome;
use slices::Request;
use std::io;
use std::io::BufRead;
use std::io::Write;
use std::time::Instant;

fn main() -> Outcome<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        match timed(&line?) {
            Ok(text) => writeln!(out, "{text}")?,
            Err(error) => writeln!(out, "error {}", error.to_string().replace('\n', " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

fn timed(line: &str) -> Outcome<String> {
    let request = Request::parse(line)?;
    let start = Instant::now();
    let answer = request.read(&File::open(request.file)?)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(format!("{seconds:.9} {} {answer}", sum(&answer.bytes)))
}

/// The bytes as little-endian words of eight, added up without regard to overflow.
fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum: u64, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}
