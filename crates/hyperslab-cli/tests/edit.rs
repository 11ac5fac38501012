//! `cp`, `rm`, `attr` and `repack`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test makes its files and stops when it cannot"
)]

mod support;

use hyperslab::{File, Selection, VirtualLayout, VirtualSource};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::{counting, hyperslab};

/// Runs the command and expects it to end well.
fn well(directory: &Path, arguments: &[&str]) -> String {
    let run = hyperslab(directory, arguments);
    assert_eq!(run.status, 0, "{arguments:?}: {}", run.err);
    run.out
}

/// Runs the command and expects it to fail; what it says.
fn badly(directory: &Path, arguments: &[&str]) -> String {
    let run = hyperslab(directory, arguments);
    assert_eq!(run.status, 1, "{arguments:?}: {}", run.out);
    run.err
}

fn sum(file: &Path, path: &str) -> u64 {
    let data = File::open(file).unwrap().dataset(path).unwrap().read::<u64>().unwrap();
    data.sum()
}

#[test]
fn cp_copies_within_a_file_and_to_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    counting(&inside("a.h5"), &[2, 3], 0);
    well(directory.path(), &["cp", "a.h5/entry/data", "a.h5::/saved/frames"]);
    assert_eq!(sum(&inside("a.h5"), "/saved/frames"), 15);
    well(directory.path(), &["cp", "a.h5/entry", "new.h5::/run/first"]);
    assert_eq!(sum(&inside("new.h5"), "/run/first/data"), 15);
    // Into a group that is there, under the old name.
    well(directory.path(), &["cp", "a.h5/entry/data", "new.h5/run"]);
    assert_eq!(sum(&inside("new.h5"), "/run/data"), 15);
    well(directory.path(), &["cp", "a.h5", "whole.h5"]);
    assert_eq!(sum(&inside("whole.h5"), "/saved/frames"), 15);
}

#[test]
fn cp_replaces_only_when_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    counting(&inside("a.h5"), &[2, 3], 0);
    counting(&inside("b.h5"), &[2, 3], 10);
    let why = badly(directory.path(), &["cp", "a.h5/entry/data", "b.h5/entry/data"]);
    assert!(why.contains("/entry/data"), "{why}");
    assert_eq!(sum(&inside("b.h5"), "/entry/data"), 75);
    well(directory.path(), &["cp", "--force", "a.h5/entry/data", "b.h5/entry/data"]);
    assert_eq!(sum(&inside("b.h5"), "/entry/data"), 15);
    let why = badly(directory.path(), &["cp", "--force", "a.h5/entry/data", "a.h5/entry/data"]);
    assert!(why.contains("the same object"), "{why}");
    assert_eq!(sum(&inside("a.h5"), "/entry/data"), 15);
    let why = badly(directory.path(), &["cp", "no.h5/x", "b.h5/x"]);
    assert!(why.contains("no.h5"), "{why}");
}

#[test]
fn cp_keeps_what_it_was_to_replace_when_the_copy_fails() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    counting(&inside("a.h5"), &[2, 3], 0);
    counting(&inside("b.h5"), &[2, 3], 10);
    let header = File::open(inside("a.h5")).unwrap().dataset("/entry/data").unwrap().address();
    let mut bytes = std::fs::read(inside("a.h5")).unwrap();
    bytes[usize::try_from(header).unwrap()] ^= 0xff;
    std::fs::write(inside("a.h5"), bytes).unwrap();
    let why = badly(directory.path(), &["cp", "--force", "a.h5/entry", "b.h5::/"]);
    assert!(why.contains("object header"), "{why}");
    assert_eq!(sum(&inside("b.h5"), "/entry/data"), 75);
    assert_eq!(File::open(inside("b.h5")).unwrap().root().unwrap().links().unwrap().len(), 1);
}

#[test]
fn rm_removes_objects_but_not_files() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    counting(&inside("a.h5"), &[2, 3], 0);
    well(directory.path(), &["cp", "a.h5/entry/data", "a.h5::/kept"]);
    well(directory.path(), &["rm", "a.h5/entry/data"]);
    assert!(File::open(inside("a.h5")).unwrap().dataset("/entry/data").is_err());
    assert_eq!(sum(&inside("a.h5"), "/kept"), 15);
    assert!(badly(directory.path(), &["rm", "a.h5/entry/data"]).contains("/entry/data"));
    assert!(badly(directory.path(), &["rm", "a.h5"]).contains("Write FILE/PATH"));
}

#[test]
fn attributes_are_set_listed_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    counting(&directory.path().join("a.h5"), &[2, 3], 0);
    let target = "a.h5/entry/data";
    well(directory.path(), &["attr", "set", target, "units", "mm"]);
    well(directory.path(), &["attr", "set", target, "beam", "[1.5, -2]"]);
    well(directory.path(), &["attr", "set", target, "gain", "-3", "--type", "i2"]);
    well(directory.path(), &["attr", "set", target, "axes", "[\"x\", \"y\"]"]);
    well(directory.path(), &["attr", "set", target, "good", "true"]);
    let listed = well(directory.path(), &["attr", "ls", target]);
    for line in ["units  {SCALAR}", "= \"mm\"", "= 1.5, -2", "i16 = -3", "{2} ", "\"x\", \"y\"", "= TRUE"] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    well(directory.path(), &["attr", "set", target, "gain", "7"]);
    well(directory.path(), &["attr", "rm", target, "units", "beam"]);
    let listed = well(directory.path(), &["attr", "ls", target, "--json"]);
    assert!(listed.contains("\"gain\"") && !listed.contains("units"), "{listed}");
    let why = badly(directory.path(), &["attr", "set", target, "gain", "300", "--type", "u1"]);
    assert!(why.contains("300 does not fit"), "{why}");
    let why = badly(directory.path(), &["attr", "rm", target, "units"]);
    assert!(why.contains("units"), "{why}");
}

#[test]
fn repack_changes_how_datasets_are_stored() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    counting(&inside("a.h5"), &[20, 30], 0);
    well(directory.path(), &["cp", "a.h5/entry/data", "a.h5::/other"]);
    well(
        directory.path(),
        &["repack", "a.h5", "b.h5", "--chunk", "/entry:5x30", "--filter", "/entry/data:shuffle+gzip:6"],
    );
    let file = File::open(inside("b.h5")).unwrap();
    let (data, other) = (file.dataset("/entry/data").unwrap(), file.dataset("/other").unwrap());
    assert_eq!(data.chunk_shape(), Some([5, 30].as_slice()));
    assert_eq!(data.filters().map(|(number, _)| number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(other.layout_name(), "contiguous");
    assert_eq!(sum(&inside("b.h5"), "/entry/data"), sum(&inside("a.h5"), "/entry/data"));
    drop((data, other, file));

    well(directory.path(), &["repack", "b.h5", "c.h5", "--chunk", "none", "--bounds", "earliest"]);
    let file = File::open(inside("c.h5")).unwrap();
    assert_eq!(file.superblock_version(), 0);
    assert_eq!(file.dataset("/entry/data").unwrap().layout_name(), "contiguous");
    drop(file);
    assert!(badly(directory.path(), &["repack", "a.h5", "b.h5"]).contains("--force"));
    assert!(badly(directory.path(), &["repack", "a.h5", "a.h5", "--force"]).contains("the same file"));
    let why = badly(directory.path(), &["repack", "a.h5", "d.h5", "--filter", "gzip:12"]);
    assert!(why.contains("from 0 to 9"), "{why}");
    assert!(!inside("d.h5").exists());
}

#[test]
fn what_is_replaced_stays_until_the_new_file_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    counting(&inside("out.h5"), &[20, 30], 0);
    let before = std::fs::read(inside("out.h5")).unwrap();
    let file = File::create(inside("unknown.h5")).unwrap();
    let data = file.new_dataset::<u8>().shape([8]).chunk([8]).deflate(1).create("data").unwrap();
    data.write_chunk([0], b"no stream of deflate", 0).unwrap();
    drop(data);
    file.close().unwrap();
    let repack = ["repack", "--force", "unknown.h5", "out.h5", "--chunk", "none"];
    badly(directory.path(), &repack);
    assert_eq!(std::fs::read(inside("out.h5")).unwrap(), before);

    let held = std::fs::File::open(inside("out.h5")).unwrap();
    held.lock_shared().unwrap();
    let build = ["vds", "build", "--name", "all", "--force", "out.h5", "unknown.h5/data"];
    for command in [&["repack", "--force", "unknown.h5", "out.h5"][..], &build] {
        let why = badly(directory.path(), command);
        assert!(why.contains("out.h5: somebody has the file open"), "{why}");
        assert_eq!(std::fs::read(inside("out.h5")).unwrap(), before);
    }
    drop(held);
    let mut permissions = std::fs::metadata(inside("out.h5")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(inside("out.h5"), permissions.clone()).unwrap();
    let why = badly(directory.path(), &["repack", "--force", "unknown.h5", "out.h5"]);
    assert!(why.contains("out.h5: the file is read-only"), "{why}");
    permissions.set_mode(0o644);
    std::fs::set_permissions(inside("out.h5"), permissions).unwrap();

    std::os::unix::fs::symlink("out.h5", inside("link.h5")).unwrap();
    well(directory.path(), &["repack", "--force", "unknown.h5", "link.h5"]);
    assert!(inside("link.h5").symlink_metadata().unwrap().is_symlink());
    assert!(File::open(inside("out.h5")).unwrap().dataset("data").is_ok());
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 3, "nothing is left beside the files");
}

#[test]
fn repack_keeps_virtual_datasets_or_fills_them() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    let mut layout = VirtualLayout::new(&[4, 10]);
    for module in 0..4_u16 {
        let name = format!("m{module}.h5");
        counting(&inside(&name), &[10], 10 * module);
        let row = u64::from(module);
        let row = Selection::from_ranges(&[row..row + 1, 0..10]).unwrap();
        layout.map(&row, &VirtualSource::new(name, "/entry/data", &[10])).unwrap();
    }
    let file = File::create(inside("all.h5")).unwrap();
    file.new_dataset::<u16>().virtual_layout(layout).create("/all").unwrap();
    file.close().unwrap();

    well(directory.path(), &["repack", "all.h5", "kept.h5"]);
    assert!(File::open(inside("kept.h5")).unwrap().dataset("/all").unwrap().is_virtual());
    assert_eq!(sum(&inside("kept.h5"), "/all"), 780);
    well(directory.path(), &["repack", "--materialize", "all.h5", "plain.h5"]);
    let compressed = ["--chunk", "1x10", "--filter", "gzip:1"];
    well(directory.path(), &[&["repack", "--materialize", "all.h5", "small.h5"][..], &compressed].concat());
    for module in 0..4 {
        std::fs::remove_file(inside(&format!("m{module}.h5"))).unwrap();
    }
    for name in ["plain.h5", "small.h5"] {
        let file = File::open(inside(name)).unwrap();
        assert!(!file.dataset("/all").unwrap().is_virtual());
        assert_eq!(sum(&inside(name), "/all"), 780, "{name}");
    }
}

#[test]
fn repack_keeps_the_user_block() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    counting(&inside("a.h5"), &[3], 5);
    let mut bytes = vec![b'#'; 512];
    bytes.extend(std::fs::read(inside("a.h5")).unwrap());
    std::fs::write(inside("block.h5"), bytes).unwrap();
    well(directory.path(), &["repack", "block.h5", "b.h5"]);
    assert_eq!(std::fs::read(inside("b.h5")).unwrap().get(..512).unwrap(), [b'#'; 512]);
    assert_eq!(sum(&inside("b.h5"), "/entry/data"), 18);
}
