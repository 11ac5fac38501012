//! Who may open a file that somebody else has, and that a refusal changes nothing.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop where it is surprised")]

use hyperslab::{ErrorKind, File, Locking, OpenOptions};
use std::io;
use std::path::PathBuf;

fn made() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let file = File::create(&path).unwrap();
    file.new_dataset::<i32>().shape([4]).create("d").unwrap();
    file.close().unwrap();
    (folder, path)
}

fn refused(opened: hyperslab::Result<File>) -> (ErrorKind, Option<io::ErrorKind>) {
    let error = opened.unwrap_err();
    (error.kind(), error.io_error().map(io::Error::kind))
}

#[test]
fn a_file_that_another_holds_is_refused_and_left_as_it_is() {
    let (_folder, path) = made();
    let before = std::fs::read(&path).unwrap();
    let held = std::fs::File::open(&path).unwrap();
    held.lock_shared().unwrap();
    let locked = (ErrorKind::Io, Some(io::ErrorKind::WouldBlock));
    assert_eq!(refused(File::open_rw(&path)), locked);
    assert_eq!(refused(File::create(&path)), locked);
    File::open(&path).unwrap();
    held.unlock().unwrap();
    held.lock().unwrap();
    for locking in [Locking::On, Locking::BestEffort] {
        assert_eq!(refused(OpenOptions::new().locking(locking).open(&path)), locked);
    }
    OpenOptions::new().locking(false).open(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_marked_as_written_is_refused_without_blaming_a_lock() {
    let (folder, path) = made();
    let writer = File::open_rw(&path).unwrap();
    let copy = folder.path().join("copy.h5");
    std::fs::copy(&path, &copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    let marked = (ErrorKind::Io, Some(io::ErrorKind::ResourceBusy));
    assert_eq!(refused(File::open(&copy)), marked);
    assert_eq!(refused(File::open_rw(&copy)), marked);
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    writer.close().unwrap();
}

#[test]
fn a_file_that_cannot_be_made_as_asked_leaves_the_one_before() {
    let (_folder, path) = made();
    let before = std::fs::read(&path).unwrap();
    assert_eq!(OpenOptions::new().user_block(100).create(&path).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
