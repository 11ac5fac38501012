//! `ls`, `show` and `dump` on small files.

#![expect(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod support;

use serde_json::Value;
use support::{counting, hyperslab};

#[test]
fn ls_names_what_is_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    counting(&directory.path().join("a.h5"), &[2, 3], 0);
    let run = hyperslab(directory.path(), &["ls", "-r", "a.h5"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(run.out, "entry       Group\nentry/data  Dataset {2, 3} u16\n");
    let run = hyperslab(directory.path(), &["ls", "a.h5/entry"]);
    assert_eq!(run.out, "data  Dataset {2, 3} u16\n");
}

#[test]
fn ls_gives_json() {
    let directory = tempfile::tempdir().unwrap();
    counting(&directory.path().join("a.h5"), &[2, 3], 0);
    let run = hyperslab(directory.path(), &["ls", "--json", "a.h5/entry/data"]);
    let entries: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(entries[0]["kind"], "dataset");
    assert_eq!(entries[0]["shape"], serde_json::json!([2, 3]));
}

#[test]
fn show_aligns_numbers_and_takes_a_slice() {
    let directory = tempfile::tempdir().unwrap();
    counting(&directory.path().join("a.h5"), &[3, 4], 8);
    let run = hyperslab(directory.path(), &["show", "a.h5/entry/data"]);
    assert_eq!(run.out, "/entry/data {3, 4} u16\n   8   9  10  11\n  12  13  14  15\n  16  17  18  19\n");
    let run = hyperslab(directory.path(), &["show", "a.h5/entry/data", "--slice", "-1,::2"]);
    assert_eq!(run.out, "/entry/data {3, 4} u16\n  16  18\n");
    let run = hyperslab(directory.path(), &["show", "a.h5::/entry/data?slice=0,0"]);
    assert_eq!(run.out, "/entry/data {3, 4} u16\n  8\n");
}

#[test]
fn show_leaves_out_the_middle_of_what_is_long() {
    let directory = tempfile::tempdir().unwrap();
    counting(&directory.path().join("a.h5"), &[100, 50], 0);
    let run = hyperslab(directory.path(), &["show", "a.h5/entry/data"]);
    assert!(run.out.contains(".. 94 left out"), "{}", run.out);
    assert!(run.out.contains("4999"), "{}", run.out);
    assert!(run.out.lines().count() < 30, "{}", run.out);
}

#[test]
fn show_draws_a_picture_and_a_line() {
    let directory = tempfile::tempdir().unwrap();
    counting(&directory.path().join("a.h5"), &[10, 10], 0);
    let run = hyperslab(directory.path(), &["show", "a.h5/entry/data", "--png", "a.png"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(directory.path().join("a.png").is_file());
    let run = hyperslab(directory.path(), &["show", "a.h5/entry/data", "--slice", "0", "--plot"]);
    assert!(run.out.contains('█'), "{}", run.out);
}

#[test]
fn dump_digests_every_element() {
    let directory = tempfile::tempdir().unwrap();
    counting(&directory.path().join("a.h5"), &[2], 1);
    let run = hyperslab(directory.path(), &["dump", "a.h5"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let data = &report["objects"]["/entry/data"];
    assert_eq!(data["dtype"], "<u2");
    // Of the bytes 01 00 02 00.
    let sha = "7b11c1133330cd161071bf23a0c9b6ce5320a8f3a0f83620035a72be46df4104";
    assert_eq!(data["data"]["form"], "bytes");
    assert_eq!(data["data"]["n"], 2);
    assert_eq!(data["data"]["sha256"], sha);
    assert_eq!(report["objects"]["/"]["links"]["entry"], "hard");
}

#[test]
fn an_error_is_one_line_and_status_one() {
    let directory = tempfile::tempdir().unwrap();
    let run = hyperslab(directory.path(), &["ls", "no.h5"]);
    assert_eq!(run.status, 1);
    assert_eq!(run.err, "hyperslab: no.h5: cannot open the file: No such file or directory (os error 2)\n");
    assert_eq!(hyperslab(directory.path(), &["ls"]).status, 2);
}

#[test]
fn a_file_that_is_no_hdf5_is_dumped_as_such() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_hyperslab"), directory.path().join("a.h5")).unwrap();
    let run = hyperslab(directory.path(), &["dump", "a.h5"]);
    assert_eq!(run.status, 1);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["open"], "fails: OSError");
    assert_eq!(run.err.lines().count(), 1);
}
