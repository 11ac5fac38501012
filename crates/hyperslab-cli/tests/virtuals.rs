//! `vds build`, `vds ls`, `vds check` and `demo`.

#![expect(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod support;

use hyperslab::{AxisSlab, Datatype, Extent, File, Selection, VirtualLayout, VirtualSource};
use std::path::Path;
use support::{counting, hyperslab};

fn modules(directory: &Path, count: u16) {
    for module in 0..count {
        counting(&directory.join(format!("m{module}.h5")), &[2, 3], 10 * module);
    }
}

fn read(path: &Path) -> (Vec<usize>, Vec<u16>) {
    let array = File::open(path).unwrap().dataset("/all").unwrap().read::<u16>().unwrap();
    (array.shape().to_vec(), array.into_iter().collect())
}

#[test]
fn a_stack_has_a_new_axis() {
    let directory = tempfile::tempdir().unwrap();
    modules(directory.path(), 2);
    let run = hyperslab(
        directory.path(),
        &["vds", "build", "all.h5", "--name", "/all", "m*.h5", "--source-path", "entry/data"],
    );
    assert_eq!(run.status, 0, "{}", run.err);
    let (shape, values) = read(&directory.path().join("all.h5"));
    assert_eq!(shape, [2, 2, 3]);
    assert_eq!(values, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]);
}

#[test]
fn interleaved_sources_take_turns() {
    let directory = tempfile::tempdir().unwrap();
    modules(directory.path(), 2);
    let sources = ["m0.h5/entry/data", "m1.h5/entry/data"];
    let build = ["vds", "build", "all.h5", "--name", "all", "--mode", "interleave"];
    let run = hyperslab(directory.path(), &[&build[..], &sources].concat());
    assert_eq!(run.status, 0, "{}", run.err);
    let (shape, values) = read(&directory.path().join("all.h5"));
    assert_eq!(shape, [4, 3]);
    assert_eq!(values, [0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15]);
}

#[test]
fn a_grid_has_gaps_that_read_as_the_fill_value() {
    let directory = tempfile::tempdir().unwrap();
    modules(directory.path(), 2);
    let build =
        ["vds", "build", "all.h5", "--name", "/all", "--mode", "grid", "--grid", "1x2", "--gap", "0,1"];
    let rest = ["--fill", "99", "m0.h5/entry/data", "m1.h5/entry/data"];
    let run = hyperslab(directory.path(), &[&build[..], &rest].concat());
    assert_eq!(run.status, 0, "{}", run.err);
    let (shape, values) = read(&directory.path().join("all.h5"));
    assert_eq!(shape, [2, 7]);
    assert_eq!(values, [0, 1, 2, 99, 10, 11, 12, 3, 4, 5, 99, 13, 14, 15]);
}

#[test]
fn a_file_is_not_replaced_without_being_told_to() {
    let directory = tempfile::tempdir().unwrap();
    modules(directory.path(), 1);
    let build = ["vds", "build", "all.h5", "--name", "/all", "m0.h5/entry/data"];
    assert_eq!(hyperslab(directory.path(), &build).status, 0);
    let again = hyperslab(directory.path(), &build);
    assert_eq!(again.status, 1);
    assert_eq!(again.err, "hyperslab: all.h5: the file exists; --force replaces it\n");
    assert_eq!(hyperslab(directory.path(), &[&build[..], &["--force"]].concat()).status, 0);
}

#[test]
fn sources_may_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let build = ["vds", "build", "all.h5", "--name", "/all", "--fill", "7", "later/m0.h5/entry/data"];
    let run = hyperslab(directory.path(), &build);
    assert!(run.err.contains("--expect SHAPE DTYPE says what it will be"), "{}", run.err);
    let run = hyperslab(directory.path(), &[&build[..], &["--expect", "2,3", "u2"]].concat());
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(read(&directory.path().join("all.h5")).1, [7; 6]);
    std::fs::create_dir(directory.path().join("later")).unwrap();
    counting(&directory.path().join("later/m0.h5"), &[2, 3], 1);
    assert_eq!(read(&directory.path().join("all.h5")).1, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn check_tells_each_cause_by_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |name: &str| directory.path().join(name);
    let build = ["vds", "build", "all.h5", "--name", "/all", "--expect", "2,3", "u2"];
    let sources: Vec<String> = ["good", "missing", "broken", "short", "text"]
        .iter()
        .map(|name| format!("{name}.h5/entry/data"))
        .collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    assert_eq!(hyperslab(directory.path(), &[&build[..], &sources].concat()).status, 0);
    counting(&inside("good.h5"), &[2, 3], 0);
    counting(&inside("short.h5"), &[1, 3], 0);
    std::fs::copy(env!("CARGO_BIN_EXE_hyperslab"), inside("broken.h5")).unwrap();
    let file = File::create(inside("text.h5")).unwrap();
    let text = file.new_dataset_of(&Datatype::string(2)).shape([2, 3]).create("/entry/data").unwrap();
    text.write_bytes(&Selection::All, text.datatype(), &[b'a'; 12]).unwrap();
    file.close().unwrap();

    let run = hyperslab(directory.path(), &["vds", "check", "all.h5"]);
    assert_eq!(run.status, 1);
    assert!(run.out.starts_with("/all: 1 of 5 sources reachable\n"), "{}", run.out);
    for cause in ["the file does not exist", "not an HDF5 file", "too short", "wrong type"] {
        assert!(run.out.contains(cause), "{cause}: {}", run.out);
    }
    assert!(!run.out.contains("good.h5"), "{}", run.out);
}

#[test]
fn check_tells_where_it_looked_and_which_path_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let build = ["vds", "build", "all.h5", "--name", "/all", "--expect", "2,3", "u2", "m0.h5/entry/data"];
    assert_eq!(hyperslab(directory.path(), &build).status, 0);
    let run = hyperslab(directory.path(), &["vds", "check", "all.h5", "--vds-prefix", "${ORIGIN}/raw"]);
    assert!(run.out.contains("looked for"), "{}", run.out);
    assert!(run.out.contains("raw/m0.h5") && run.out.contains("--vds-prefix"), "{}", run.out);
    std::fs::create_dir(directory.path().join("raw")).unwrap();
    counting(&directory.path().join("raw/m0.h5"), &[2, 3], 1);
    let run =
        hyperslab(directory.path(), &["vds", "check", "all.h5", "--paths", "--vds-prefix", "${ORIGIN}/raw"]);
    assert_eq!(run.status, 0, "{}", run.out);
    let used = run.out.lines().find(|line| line.contains("m0.h5 -> ")).unwrap();
    assert!(used.ends_with("raw/m0.h5"), "{used}");
}

#[test]
fn check_of_a_sound_file_ends_well() {
    let directory = tempfile::tempdir().unwrap();
    modules(directory.path(), 2);
    let build = ["vds", "build", "all.h5", "--name", "/all", "m0.h5/entry/data", "m1.h5/entry/data"];
    assert_eq!(hyperslab(directory.path(), &build).status, 0);
    let run = hyperslab(directory.path(), &["vds", "check", "all.h5"]);
    assert_eq!((run.status, run.out.as_str()), (0, "/all: 2 of 2 sources reachable\n"));
}

#[test]
fn ls_shows_the_mappings_and_marks_missing_ones() {
    let directory = tempfile::tempdir().unwrap();
    modules(directory.path(), 2);
    let build = ["vds", "build", "all.h5", "--name", "/all", "m0.h5/entry/data", "m1.h5/entry/data"];
    assert_eq!(hyperslab(directory.path(), &build).status, 0);
    std::fs::remove_file(directory.path().join("m1.h5")).unwrap();
    let run = hyperslab(directory.path(), &["vds", "ls", "all.h5/all"]);
    assert!(run.out.contains("[0:1, 0:2, 0:3]  <-  m0.h5::/entry/data"), "{}", run.out);
    assert!(run.out.contains("*the file does not exist*"), "{}", run.out);
    let run = hyperslab(directory.path(), &["vds", "ls", "all.h5/all", "--png", "map.png"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(directory.path().join("map.png").is_file());
}

#[test]
fn numbered_sources_are_shown_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    for number in [0, 1, 3] {
        counting(&directory.path().join(format!("f{number}.h5")), &[2, 3], 1);
    }
    let slab = |start, stride, count, block| AxisSlab { start, stride, count, block: Some(block) };
    let here = Selection::from_axes(vec![slab(0, 2, None, 2), slab(0, 1, Some(1), 3)]).unwrap();
    let mut layout = VirtualLayout::of(Extent::resizable(&[0, 3], &[None, Some(3)]).unwrap());
    layout.map(&here, &VirtualSource::new("f%b.h5", "entry/data", &[2, 3])).unwrap();
    let file = File::create(directory.path().join("all.h5")).unwrap();
    file.new_dataset::<u16>().virtual_layout(layout).create("all").unwrap();
    file.close().unwrap();
    let run = hyperslab(directory.path(), &["vds", "check", "all.h5"]);
    assert_eq!((run.status, run.out.as_str()), (0, "/all: 2 of 2 sources reachable\n"));
    let run = hyperslab(directory.path(), &["vds", "ls", "all.h5", "--vds-gap", "1"]);
    assert!(run.out.contains("*1 of 4 sources: the file does not exist*"), "{}", run.out);
    let run = hyperslab(directory.path(), &["vds", "check", "all.h5", "--vds-gap", "1"]);
    assert!(run.out.starts_with("/all: 3 of 4 sources reachable\n  f2.h5\n"), "{}", run.out);
    let run = hyperslab(directory.path(), &["vds", "ls", "all.h5", "--vds-view", "stored"]);
    assert!(run.out.starts_with("/all {0/Inf, 3}"), "{}", run.out);
}

#[test]
fn the_demo_makes_its_files_and_pictures() {
    let directory = tempfile::tempdir().unwrap();
    let run = hyperslab(directory.path(), &["demo", "here"]);
    assert_eq!(run.status, 0, "{}", run.err);
    for name in ["run.h5", "module_0.h5", "frame_8.png", "mappings.png"] {
        assert!(directory.path().join("here").join(name).is_file(), "{name}");
    }
    assert!(!directory.path().join("here/module_2.h5").exists());
    assert!(
        hyperslab(directory.path(), &["vds", "check", "here/run.h5"])
            .out
            .contains("3 of 4 sources reachable")
    );
}

/// `all.h5/all`, a stack of two modules.
fn stacked(directory: &Path) {
    modules(directory, 2);
    let build = ["vds", "build", "all.h5", "--name", "/all", "m0.h5/entry/data", "m1.h5/entry/data"];
    assert_eq!(hyperslab(directory, &build).status, 0);
}

#[test]
fn names_are_rebased_so_that_sources_are_found_after_a_move() {
    let directory = tempfile::tempdir().unwrap();
    stacked(directory.path());
    let files = || {
        let layout = File::open(directory.path().join("all.h5")).unwrap().dataset("/all").unwrap();
        let layout = layout.virtual_layout().unwrap().unwrap();
        layout.mappings().iter().map(|mapping| mapping.file().into_owned()).collect::<Vec<_>>()
    };
    let run = hyperslab(directory.path(), &["vds", "rebase", "--absolute", "all.h5"]);
    assert_eq!((run.status, files().iter().all(|file| file.starts_with('/'))), (0, true), "{}", run.err);
    let run = hyperslab(directory.path(), &["vds", "rebase", "--relative", "--dry-run", "all.h5/all"]);
    assert!(run.status == 0 && run.out.contains("2 of 2 mappings would be renamed"), "{}", run.out);
    let run = hyperslab(directory.path(), &["vds", "rebase", "--relative", "all.h5/all"]);
    assert_eq!((run.status, files()), (0, vec!["m0.h5".to_owned(), "m1.h5".to_owned()]), "{}", run.err);
    let run = hyperslab(directory.path(), &["vds", "rebase", "--replace", "m=raw/m", "all.h5"]);
    assert_eq!((run.status, files()[1].as_str()), (0, "raw/m1.h5"), "{}", run.err);
    assert_eq!(hyperslab(directory.path(), &["vds", "check", "all.h5"]).status, 1);
}

#[test]
fn a_flat_dataset_reads_from_where_the_elements_are() {
    let directory = tempfile::tempdir().unwrap();
    stacked(directory.path());
    let build =
        ["vds", "build", "outer.h5", "--name", "/all", "--mode", "concat", "all.h5/all", "all.h5/all"];
    assert_eq!(hyperslab(directory.path(), &build).status, 0);
    let before = read(&directory.path().join("outer.h5"));
    let run = hyperslab(directory.path(), &["vds", "flatten", "outer.h5"]);
    assert!(run.status == 0 && run.out.contains("2 mappings, 4 when flat"), "{}{}", run.out, run.err);
    std::fs::remove_file(directory.path().join("all.h5")).unwrap();
    assert_eq!(read(&directory.path().join("outer.h5")), before);
}

#[test]
fn a_copy_of_the_elements_needs_no_sources() {
    let directory = tempfile::tempdir().unwrap();
    stacked(directory.path());
    let before = read(&directory.path().join("all.h5"));
    let run =
        hyperslab(directory.path(), &["vds", "materialize", "all.h5/all", "copy.h5/all", "--deflate", "1"]);
    assert_eq!(run.status, 0, "{}", run.err);
    std::fs::remove_file(directory.path().join("m0.h5")).unwrap();
    assert_eq!(read(&directory.path().join("copy.h5")), before);
    let run = hyperslab(directory.path(), &["vds", "materialize", "all.h5/all", "half.h5/all"]);
    assert!(run.status == 1 && run.err.contains("--incomplete"), "{}", run.err);
}

#[test]
fn who_reads_from_a_file_is_known() {
    let directory = tempfile::tempdir().unwrap();
    stacked(directory.path());
    let run = hyperslab(directory.path(), &["vds", "who", "m1.h5", "all.h5"]);
    assert_eq!((run.status, run.out.as_str()), (0, "all.h5/all: 1 mapping to /entry/data\n"), "{}", run.err);
    assert_eq!(hyperslab(directory.path(), &["vds", "who", "m1.h5/nothing", "all.h5"]).status, 1);
}

#[test]
fn files_outside_of_the_tree_are_refused_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    stacked(directory.path());
    let below = directory.path().join("below");
    std::fs::create_dir(&below).unwrap();
    assert_eq!(hyperslab(directory.path(), &["vds", "rebase", "--absolute", "all.h5"]).status, 0);
    std::fs::rename(directory.path().join("all.h5"), below.join("all.h5")).unwrap();
    let run = hyperslab(&below, &["show", "all.h5/all"]);
    assert!(run.status == 1 && run.err.contains("--sources"), "{}", run.err);
    let run = hyperslab(&below, &["show", "all.h5/all", "--sources", "anywhere"]);
    assert_eq!(run.status, 0, "{}", run.err);
}
