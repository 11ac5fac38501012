//! Small files, and the command run on them.

use hyperslab::{Datatype, NewFile};
use std::path::Path;
use std::process::{Command, Output};

/// What a run of the command said and how it ended.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the command in a directory.
pub(crate) fn hyperslab(directory: &Path, arguments: &[&str]) -> Run {
    let done: Output = Command::new(env!("CARGO_BIN_EXE_hyperslab"))
        .current_dir(directory)
        .args(arguments)
        .output()
        .unwrap();
    Run {
        status: done.status.code().unwrap(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// A file with `/entry/data`, numbers that count from `start`.
pub(crate) fn counting(path: &Path, shape: &[u64], start: u16) {
    let count: u64 = shape.iter().product();
    let numbers = (0..u16::try_from(count).unwrap()).map(|number| number + start);
    let bytes: Vec<u8> = numbers.flat_map(u16::to_le_bytes).collect();
    let mut file = NewFile::create(path).unwrap();
    file.create_dataset("/entry/data", &Datatype::of::<u16>(), shape, &bytes).unwrap();
    file.finish().unwrap();
}
