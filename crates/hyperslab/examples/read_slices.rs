//! Reads parts of datasets, as asked line by line on standard input: what the conformance scripts speak to.
//!
//! A request is `FILE<TAB>PATH<TAB>SLICE`, the slice as numpy writes it: `0:5:2,3,:`. It may go on with `<TAB>VIEW:GAP`, for
//! virtual datasets that grow: `last:0` unless it is said, or `first:0`.
//! The answer is a line `ok TYPE SHAPE`, such as `ok <i4 (3,4)`, then the number of bytes as eight little-endian bytes,
//! then the elements; or a line `error MESSAGE`. Little-endian machines only.

mod slices;

use hyperslab::File;
use slices::Answer;
use slices::Outcome;
use slices::Request;
use std::io;
use std::io::BufRead;
use std::io::Write;

fn main() -> Outcome<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        match answer(&line?) {
            Ok(answer) => write(&mut out, &answer)?,
            Err(error) => writeln!(out, "error {}", error.to_string().replace('\n', " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

fn answer(line: &str) -> Outcome<Answer> {
    let request = Request::parse(line)?;
    request.read(&File::open(request.file)?)
}

fn write(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    writeln!(out, "ok {answer}")?;
    out.write_all(&(answer.bytes.len() as u64).to_le_bytes())?;
    out.write_all(&answer.bytes)
}
