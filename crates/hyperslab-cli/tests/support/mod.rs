//! Small files, and the command run on them.

use hyperslab::{File, Selection};
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
    let numbers: Vec<u16> = (0..u16::try_from(count).unwrap()).map(|number| number + start).collect();
    let file = File::create_new(path).unwrap();
    let data = file.new_dataset::<u16>().shape(shape).create("/entry/data").unwrap();
    data.write_selection(&Selection::All, &numbers).unwrap();
    file.close().unwrap();
}
