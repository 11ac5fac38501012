//! What the benches share: files of frames.
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use hyperslab::{DatasetBuilder, File, Result, Selection};
use std::path::PathBuf;
use tempfile::TempDir;

/// Frames in each file.
pub const FRAMES: u64 = 16;
/// Elements along each side of a frame.
pub const SIDE: u64 = 128;

/// What a builder is told besides shape and chunk.
pub type Told = fn(DatasetBuilder) -> DatasetBuilder;

/// A folder in memory where there is one, since the disk is not what is looked at.
///
/// # Panics
/// When there is no place for a folder at all.
#[must_use]
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// The elements of all frames of a file.
#[must_use]
pub fn frames() -> Vec<u16> {
    let small = |i: u64| u16::try_from(i * i % 97 % 13).unwrap_or_default();
    (0..FRAMES * SIDE * SIDE).map(small).collect()
}

/// A file of frames, a chunk each, as the builder is told.
///
/// # Errors
/// As making, writing and opening a file.
pub fn file_of_frames(path: PathBuf, told: Told) -> Result<File> {
    let file = File::create(&path)?;
    let builder = file.new_dataset::<u16>().shape([FRAMES, SIDE, SIDE]).chunk([1, SIDE, SIDE]);
    told(builder).create("data")?.write_selection(&Selection::All, &frames())?;
    file.close()?;
    File::open(path)
}
