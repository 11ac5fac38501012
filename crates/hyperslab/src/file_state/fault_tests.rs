//! Every call that a script of 200 operations makes to its storage fails once.

use crate::copy::CopyOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::file::File;
use crate::file_state::FileState;
use crate::format::bytes::Bounds;
use crate::group::{Group, LinkKind, Object};
use crate::open_options::OpenOptions;
use crate::space::Selection;
use crate::storage::WriteAt;
use crate::storage::tests::{Call, Fault, TestStorage};
use std::io;
use std::ops::Range;
use std::sync::Arc;

const OPERATIONS: u64 = 200;

/// One of the operations; every tenth writes what waits, which nothing after it writes over but `scratch`.
fn operation(file: &File, number: u64) -> Result<()> {
    let name = |kind: &str, back: u64| format!("{kind}{}", number / 10 - back);
    let (here, before) = (name("group", 0), name("group", u64::from(number >= 10)));
    match number % 10 {
        0 => drop(file.create_group(&here)?),
        1 => {
            let rows = file.new_dataset::<i32>().shape([40]).create(format!("{here}/rows"))?;
            rows.write_selection(&Selection::All, &(0..40).collect::<Vec<i32>>())?;
        }
        2 => {
            let chunked =
                file.new_dataset::<i32>().shape([24]).max_shape([None]).chunk([8]).shuffle().deflate(1);
            let frames = chunked.create(format!("{here}/frames"))?;
            frames.write_selection(&Selection::All, &(0..24).map(|at| at * 3).collect::<Vec<i32>>())?;
        }
        3 => file.root()?.set_attribute(name("count", 0), [1.5, 2.5, 3.5])?,
        4 => file.group(&before)?.set_attribute("of variable length", "mm")?,
        5 => {
            let frames = file.dataset(format!("{before}/frames"))?;
            let long = frames.shape()[0];
            frames.resize([long + 16])?;
            let new = Selection::from_ranges(std::slice::from_ref(&(long..long + 16)))?;
            frames.write_selection(&new, &[7_i32; 16])?;
        }
        6 => {
            file.root()?.link_soft(format!("{here}/soft"), "/scratch")?;
            file.root()?.link_hard(format!("{here}/hard"), &file.dataset("scratch")?.location)?;
        }
        7 => file.root()?.rename(format!("{here}/rows"), format!("{here}/row"))?,
        8 if number % 20 == 8 => {
            let source = Object::Group(file.group(&here)?);
            file.root()?.copy(&source, name("copy", 0), &CopyOptions::new())?;
            file.root()?.unlink(format!("{here}/frames"))?;
            file.root()?.delete_attribute(name("count", 0))?;
            file.root()?.rename(name("copy", 0), format!("{here}/frames"))?;
            file.root()?.rename(format!("{here}/frames/frames"), format!("{here}/moved"))?;
            file.root()?.unlink(format!("{here}/frames"))?;
            file.root()?.rename(format!("{here}/moved"), format!("{here}/frames"))?;
        }
        8 => file.dataset("scratch")?.write_selection(&Selection::All, &vec![number; 3000])?,
        _ => file.flush()?,
    }
    Ok(())
}

/// What became of some operations on a file that is opened before and closed after them.
struct Session {
    /// The first error, and the number of what failed; opening is none.
    failed: Option<(Option<u64>, Error)>,
    /// Whether the flush at their end was acknowledged.
    flushed: bool,
    /// Whether anything succeeded after the first error.
    went_on: bool,
}

fn session(storage: &Arc<TestStorage>, bounds: Bounds, numbers: Range<u64>) -> Session {
    let mut session = Session { failed: None, flushed: false, went_on: false };
    let open = || {
        let storage = Arc::clone(storage) as Arc<dyn WriteAt>;
        if numbers.start > 0 {
            return Ok(File { state: Arc::new(FileState::open_writable(storage, false)?) });
        }
        let state = FileState::create(storage, &OpenOptions::new().bounds(bounds), false)?;
        let file = File { state: Arc::new(state) };
        file.new_dataset::<u64>().shape([3000]).chunk([500]).create("scratch")?;
        Ok(file)
    };
    let file = match open() {
        Ok(file) => file,
        Err(error) => return Session { failed: Some((None, error)), ..session },
    };
    for number in numbers.start..=numbers.end {
        let done = if number == numbers.end { file.clone().close() } else { operation(&file, number) };
        match (done, &session.failed) {
            (Ok(()), None) => session.flushed |= number % 10 == 9,
            (Ok(()), Some(_)) => session.went_on = true,
            (Err(error), None) => session.failed = Some((Some(number), error)),
            (Err(_), Some(_)) => {}
        }
    }
    session
}

/// All that a file holds, but for the elements of `scratch`.
fn content(bytes: Vec<u8>) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    walk(&File::from_bytes(bytes)?.root()?, &mut lines)?;
    Ok(lines)
}

fn walk(group: &Group, lines: &mut Vec<String>) -> Result<()> {
    for attribute in group.attributes()? {
        lines.push(format!("{} {}: {:?}", group.path(), attribute.name(), attribute.values()?));
    }
    for link in group.links()? {
        let path = format!("{} {}", group.path(), String::from_utf8_lossy(&link.name));
        match (&link.kind, link.name == b"scratch" || link.name == b"hard") {
            (LinkKind::Hard { .. }, true) => drop(group.dataset(&link.name)?.read::<u64>()?),
            (LinkKind::Hard { .. }, false) => match group.object(&link.name)? {
                Object::Group(group) => walk(&group, lines)?,
                Object::Dataset(data) => lines.push(format!("{path}: {:?}", data.read::<i32>()?)),
                other => lines.push(format!("{path}: {other:?}")),
            },
            (kind, _) => lines.push(format!("{path}: {kind:?}")),
        }
    }
    Ok(())
}

/// The script in sessions that end with a flush; each is repeated from the file the one before left, once for each
/// call, or for one of `every` so many.
fn every_call_fails_once(bounds: Bounds, every: usize) {
    let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::Other, io::ErrorKind::Interrupted];
    let (mut image, mut before, mut faults) = (Vec::new(), None, Vec::new());
    for first in (0..OPERATIONS).step_by(10) {
        let numbers = first..first + 10;
        let whole = Arc::new(TestStorage::new(image.clone()));
        let done = session(&whole, bounds, numbers.clone());
        assert!(done.failed.is_none(), "{:?}", done.failed);
        let after = content(whole.image()).unwrap();
        for (nth, call) in whole.calls.lock().iter().enumerate().skip(faults.len() % every).step_by(every) {
            let storage = Arc::new(TestStorage::new(image.clone()));
            let fault =
                Fault { of: None, after: nth as u64, error: kinds[nth % kinds.len()], lasting: false };
            storage.fail(fault);
            let done = session(&storage, bounds, numbers.clone());
            let what = format!("{call:?}, call {nth} of those from operation {first} on");
            let Some((failed, error)) = &done.failed else { panic!("{what}: nothing failed") };
            assert_eq!(error.kind(), ErrorKind::Io, "{what}: {error}");
            let writes = matches!(call, Call::Write | Call::SetLen | Call::Sync);
            assert!(!(writes && done.went_on), "{what}: operation {failed:?} failed, a later one did not");
            faults.push(*call);
            if before.is_none() && !done.flushed {
                continue;
            }
            let found = content(storage.image()).unwrap_or_else(|error| panic!("{what}: {error}"));
            let last = if done.flushed { Some(&after) } else { before.as_ref() };
            let fits = match call {
                // What could go on did.
                Call::Len | Call::Read => true,
                Call::Write => Some(&found) == last,
                // All was written when the last call of a flush failed.
                Call::SetLen | Call::Sync => Some(&found) == last || found == after,
            };
            assert!(fits, "{what}: {found:#?}");
        }
        (image, before) = (whole.image(), Some(after));
    }
    for call in [Call::Len, Call::Read, Call::Write, Call::SetLen] {
        assert!(faults.contains(&call), "{call:?}");
    }
}

#[test]
fn a_call_that_fails_reaches_the_caller_and_leaves_what_was_flushed() {
    every_call_fails_once(Bounds::V110, 1);
}

#[test]
fn a_call_that_fails_in_a_file_of_the_old_form_leaves_what_was_flushed() {
    every_call_fails_once(Bounds::Earliest, 5);
}
