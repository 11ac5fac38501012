//! Where the files of sources are looked for, which may be opened, and what happens when there is none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests may")]
#![expect(clippy::single_range_in_vec_init, reason = "a selection has a range for each axis, even when one")]

use hyperslab::{
    DatasetAccess, ErrorKind, File, MissingSources, OpenOptions, Selection, SourcePolicy, VirtualLayout,
    VirtualSource,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A new file, also where one of that name is still open.
fn create(path: &Path) -> File {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
    File::create_new(path).unwrap()
}

fn source(path: &Path, value: i32) {
    let file = create(path);
    file.new_dataset::<i32>().create_with("data", &ndarray::array![value]).unwrap();
    file.close().unwrap();
}

/// A dataset `/v` of one element for each name, fill value -1.
fn virtual_file(path: &Path, names: &[&str]) {
    let mut layout = VirtualLayout::new(&[names.len() as u64]);
    for (at, name) in (0..).zip(names) {
        let (file, dataset) = name.split_once('|').unwrap_or((name, "data"));
        let here = Selection::from_ranges(&[at..at + 1]).unwrap();
        layout.map(&here, &VirtualSource::new(file, dataset, &[1])).unwrap();
    }
    let file = create(path);
    file.new_dataset::<i32>().fill_value(-1_i32).virtual_layout(layout).create("v").unwrap();
    file.close().unwrap();
}

fn read(options: &OpenOptions, path: &Path) -> hyperslab::Result<Vec<i32>> {
    Ok(options.open(path)?.dataset("v")?.read::<i32>()?.into_iter().collect())
}

fn with_prefix(path: &Path, prefix: impl Into<String>) -> i32 {
    let access = DatasetAccess::new().vds_prefix(prefix);
    File::open(path).unwrap().dataset_with("v", &access).unwrap().read::<i32>().unwrap()[[0]]
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

#[test]
fn the_prefix_of_a_handle_comes_before_that_of_the_file_and_the_directory_of_the_file() {
    let (_kept, at) = folder();
    let all = at.join("vd/v.h5");
    virtual_file(&all, &["s.h5"]);
    let prefix = at.join("pre").display().to_string();
    source(&at.join("vd/s.h5"), 2);
    assert_eq!(with_prefix(&all, &prefix), 2, "nothing is there yet");
    source(&at.join("pre/s.h5"), 1);
    assert_eq!(with_prefix(&all, &prefix), 1);
    source(&at.join("vd/sub/s.h5"), 21);
    assert_eq!(with_prefix(&all, "${ORIGIN}/sub"), 21);
    let options = OpenOptions::new().vds_prefix(&prefix);
    assert_eq!(read(&options, &all).unwrap(), [1]);
    let file = options.open(&all).unwrap();
    let access = DatasetAccess::new().vds_prefix("${ORIGIN}/sub");
    let (here, there) = (file.dataset("v").unwrap(), file.dataset_with("v", &access).unwrap());
    assert_eq!((here.read::<i32>().unwrap()[[0]], there.read::<i32>().unwrap()[[0]]), (1, 21));
}

#[test]
fn an_absolute_name_is_taken_as_it_is_and_else_by_its_last_part() {
    let (_kept, at) = folder();
    let all = at.join("vd/v.h5");
    let absolute = at.join("real/s.h5");
    virtual_file(&all, &[absolute.to_str().unwrap()]);
    source(&at.join("vd/s.h5"), 2);
    assert_eq!(with_prefix(&all, ""), 2);
    source(&at.join("pre/s.h5"), 1);
    source(&absolute, 9);
    assert_eq!(with_prefix(&all, at.join("pre").display().to_string()), 9);
}

#[test]
fn names_in_a_nested_file_are_relative_to_that_file_and_know_no_prefix() {
    let (_kept, at) = folder();
    virtual_file(&at.join("v.h5"), &["in/w.h5|v"]);
    virtual_file(&at.join("in/w.h5"), &["s.h5"]);
    source(&at.join("in/s.h5"), 22);
    source(&at.join("s.h5"), 2);
    source(&at.join("pre/s.h5"), 1);
    let prefix = at.join("pre").display().to_string();
    assert_eq!(with_prefix(&at.join("v.h5"), &prefix), 22);
    assert_eq!(read(&OpenOptions::new().vds_prefix(&prefix), &at.join("v.h5")).unwrap(), [22]);
}

#[test]
fn a_file_reached_by_a_link_finds_its_sources_beside_the_link_and_then_beside_itself() {
    let (_kept, at) = folder();
    virtual_file(&at.join("vd/v.h5"), &["s.h5"]);
    std::fs::create_dir(at.join("link")).unwrap();
    let link = at.join("link/v.h5");
    std::os::unix::fs::symlink(at.join("vd/v.h5"), &link).unwrap();
    source(&at.join("vd/s.h5"), 2);
    assert_eq!(with_prefix(&link, ""), 2);
    source(&at.join("link/s.h5"), 4);
    assert_eq!((with_prefix(&link, ""), with_prefix(&at.join("vd/v.h5"), "")), (4, 2));
}

#[test]
fn a_name_in_the_same_file_survives_renaming() {
    let (_kept, at) = folder();
    let mut layout = VirtualLayout::new(&[1]);
    layout.map(&Selection::All, &VirtualSource::new(".", "raw", &[1])).unwrap();
    let file = create(&at.join("v.h5"));
    file.new_dataset::<i32>().create_with("raw", &ndarray::array![7]).unwrap();
    file.new_dataset::<i32>().virtual_layout(layout).create("v").unwrap();
    file.close().unwrap();
    std::fs::rename(at.join("v.h5"), at.join("w.h5")).unwrap();
    let options = OpenOptions::new().sources(SourcePolicy::Nowhere);
    assert_eq!(read(&options, &at.join("w.h5")).unwrap(), [7]);
    let memory = File::from_bytes(std::fs::read(at.join("w.h5")).unwrap()).unwrap();
    assert_eq!(memory.dataset("v").unwrap().read::<i32>().unwrap()[[0]], 7);
}

#[test]
fn the_policy_keeps_untrusted_files_in_their_tree() {
    let (_kept, at) = folder();
    let all = at.join("tree/v.h5");
    let outside = at.join("else/s.h5");
    source(&outside, 5);
    source(&at.join("tree/sub/s.h5"), 6);
    virtual_file(&all, &[outside.to_str().unwrap(), "sub/s.h5"]);
    assert_eq!(read(&OpenOptions::new(), &all).unwrap(), [5, 6]);
    let same_tree = OpenOptions::new().sources(SourcePolicy::SameTree);
    let error = read(&same_tree, &all).unwrap_err();
    assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("mapping 0") && error.to_string().contains("else/s.h5"), "{error}");
    let roots = |roots: &[&Path]| SourcePolicy::Roots(roots.iter().map(|root| root.to_path_buf()).collect());
    let options = OpenOptions::new().sources(roots(&[&at.join("else"), &at.join("tree")]));
    assert_eq!(read(&options, &all).unwrap(), [5, 6]);
    assert!(read(&OpenOptions::new().sources(roots(&[&at.join("tree")])), &all).is_err());
    assert!(read(&OpenOptions::new().sources(SourcePolicy::Nowhere), &all).is_err());

    virtual_file(&all, &["../else/s.h5"]);
    assert!(read(&same_tree, &all).is_err());
    virtual_file(&all, &["missing.h5"]);
    assert_eq!(read(&same_tree, &all).unwrap(), [-1]);
    std::os::unix::fs::symlink(&outside, at.join("tree/link.h5")).unwrap();
    virtual_file(&all, &["link.h5"]);
    assert!(read(&same_tree, &all).is_err());
}

#[test]
fn the_policy_holds_for_nested_files_whoever_opened_them_before() {
    let (_kept, at) = folder();
    source(&at.join("else/s.h5"), 5);
    virtual_file(&at.join("tree/w.h5"), &["../else/s.h5"]);
    virtual_file(&at.join("tree/v.h5"), &["w.h5|v"]);
    std::thread::sleep(std::time::Duration::from_millis(60));
    for _ in 0..2 {
        assert_eq!(read(&OpenOptions::new(), &at.join("tree/v.h5")).unwrap(), [5]);
        let same_tree = OpenOptions::new().sources(SourcePolicy::SameTree);
        assert!(read(&same_tree, &at.join("tree/v.h5")).is_err());
    }
}

#[test]
fn what_is_no_regular_file_is_an_error_at_once() {
    let (_kept, at) = folder();
    let pipe = at.join("pipe.h5");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _listening = std::os::unix::net::UnixListener::bind(at.join("socket.h5")).unwrap();
    std::fs::create_dir(at.join("directory.h5")).unwrap();
    std::fs::write(at.join("empty.h5"), b"").unwrap();
    source(&at.join("cut.h5"), 3);
    let cut = std::fs::OpenOptions::new().write(true).open(at.join("cut.h5")).unwrap();
    cut.set_len(cut.metadata().unwrap().len() - 1).unwrap();
    for name in ["pipe.h5", "socket.h5", "directory.h5", "empty.h5", "cut.h5", "/dev/zero", "/dev/null"] {
        virtual_file(&at.join("v.h5"), &[name]);
        let start = std::time::Instant::now();
        let error = read(&OpenOptions::new(), &at.join("v.h5")).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("mapping 0"), "{error}");
        assert!(start.elapsed().as_secs() < 60);
    }
}

#[test]
fn a_missing_source_is_filled_reported_or_an_error() {
    let (_kept, at) = folder();
    let all = at.join("v.h5");
    virtual_file(&all, &["no.h5", "s.h5", "s.h5|nothing", "s.h5|group/nothing"]);
    source(&at.join("s.h5"), 3);
    assert_eq!(read(&OpenOptions::new(), &all).unwrap(), [-1, 3, -1, -1]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let warn = MissingSources::warn(move |missing| keep.lock().unwrap().push(missing.clone()));
    assert_eq!(read(&OpenOptions::new().missing_sources(warn), &all).unwrap(), [-1, 3, -1, -1]);
    let told = told.lock().unwrap();
    assert_eq!(told.iter().map(|missing| missing.mapping).collect::<Vec<_>>(), [0, 2, 3]);
    assert!(told[0].tried[0].ends_with("no.h5"), "{}", told[0]);
    let strict = OpenOptions::new().missing_sources(MissingSources::Error);
    let error = read(&strict, &all).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("mapping 0 (no.h5:data): the source does not exist"), "{error}");
    let second = Selection::from_ranges(&[1..2]).unwrap();
    let data = strict.open(&all).unwrap().dataset("v").unwrap();
    assert_eq!(data.read_selection::<i32>(&second).unwrap()[[0]], 3);
}

#[test]
fn resolve_tells_which_path_is_used_for_each_file() {
    let (_kept, at) = folder();
    virtual_file(&at.join("vd/v.h5"), &["s.h5", "s.h5|other", "no.h5", "dir.h5", "."]);
    source(&at.join("pre/s.h5"), 3);
    std::fs::create_dir(at.join("vd/dir.h5")).unwrap();
    let access = DatasetAccess::new().vds_prefix("${ORIGIN}/../pre");
    let file = OpenOptions::new().dataset_access(access).open(at.join("vd/v.h5")).unwrap();
    let data = file.dataset("v").unwrap();
    let all = data.resolve().unwrap();
    let names: Vec<&str> = all.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["s.h5", "no.h5", "dir.h5", "."]);
    assert!(all[0].found.as_ref().unwrap().ends_with("vd/../pre/s.h5"), "{all:?}");
    assert!(all[1].found.is_none() && all[1].problem.is_none() && all[1].tried.len() == 3);
    assert!(all[2].problem.as_ref().unwrap().contains("dir.h5"), "{all:?}");
    assert_eq!((all[3].found.as_deref(), all[3].tried.len()), (Some(at.join("vd/v.h5").as_path()), 0));
    let plain = data.with_access(DatasetAccess::new()).resolve().unwrap();
    assert!(plain[0].found.is_none(), "each handle looks in its own places: {plain:?}");
}

/// The limit of a shell is that of what it starts, so the test runs itself again in one.
#[test]
fn two_thousand_sources_are_read_with_two_hundred_and_fifty_six_descriptors() {
    if std::env::var_os("FEW_DESCRIPTORS").is_none() {
        let again = std::env::current_exe().unwrap();
        let run = std::process::Command::new("sh")
            .args(["-c", "ulimit -n 256 && exec \"$0\" --exact \"$1\""])
            .args([
                again.as_os_str(),
                "two_thousand_sources_are_read_with_two_hundred_and_fifty_six_descriptors".as_ref(),
            ])
            .env("FEW_DESCRIPTORS", "1")
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        return;
    }
    let (_kept, at) = folder();
    let names: Vec<String> = (0..2000).map(|number| format!("s{number}.h5")).collect();
    for (number, name) in (0..).zip(&names) {
        source(&at.join(name), number);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    virtual_file(&at.join("v.h5"), &names);
    let file = File::open(at.join("v.h5")).unwrap();
    let data = file.dataset("v").unwrap();
    for _ in 0..2 {
        assert!(data.read::<i32>().unwrap().into_iter().eq(0..2000));
    }
    assert!(data.mapping_status().unwrap().iter().all(|status| status.problem.is_none()));
    assert_eq!(data.resolve().unwrap().len(), 2000);
}

#[test]
fn a_source_the_system_refuses_is_an_error_unless_it_is_to_be_filled() {
    let (_kept, at) = folder();
    virtual_file(&at.join("v.h5"), &["s.h5"]);
    std::fs::create_dir(at.join("s.h5")).unwrap();
    assert_eq!(read(&OpenOptions::new(), &at.join("v.h5")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(read(&OpenOptions::new().fill_unreadable(true), &at.join("v.h5")).unwrap(), [-1]);
}

#[test]
fn a_file_that_is_kept_for_reading_can_be_written_and_is_let_go_with_the_last_virtual_dataset() {
    let (_kept, at) = folder();
    virtual_file(&at.join("v.h5"), &["s.h5"]);
    source(&at.join("s.h5"), 3);
    std::thread::sleep(std::time::Duration::from_millis(60));
    let file = File::open(at.join("v.h5")).unwrap();
    assert_eq!(file.dataset("v").unwrap().read::<i32>().unwrap()[[0]], 3);
    let lock = || std::fs::File::open(at.join("s.h5")).unwrap().try_lock();
    assert!(lock().is_err(), "others may not write what is being read");
    drop(file);
    assert!(lock().is_ok());
    assert_eq!(read(&OpenOptions::new(), &at.join("v.h5")).unwrap(), [3]);
    let file = File::open(at.join("v.h5")).unwrap();
    assert_eq!(file.dataset("v").unwrap().read::<i32>().unwrap()[[0]], 3);
    File::open_rw(at.join("s.h5")).unwrap().close().unwrap();
}
