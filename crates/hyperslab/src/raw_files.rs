//! [`RawFiles`]: the raw files that hold the elements of a dataset: their list in the header, and how they are found.

use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::format::bytes::{Address, Length, Sink, all_ones};
use crate::format::message::other::{ExternalFiles, ExternalSlot};
use crate::format::object_header::{CONSTANT, RawMessage, kind};
use crate::layout::external::{ExternalFile, Opener};
use crate::metadata::Metadata;
use crate::object::local_heap::LocalHeap;
use crate::object::local_heap::write::{Names, create};
use crate::source_policy::{Search, SourcePolicy};
use crate::space::{Extent, product};
use crate::storage::file::FileStorage;
use crate::storage::{ReadAt, WriteAt};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The list that a header has.
pub(crate) fn list(file: &FileState, external: &ExternalFiles) -> Result<Vec<ExternalFile>> {
    let names = LocalHeap::open(file.metadata(), external.heap)?;
    let no_end = all_ones(file.metadata().widths().lengths);
    external
        .slots
        .iter()
        .map(|slot| {
            let path = String::from_utf8_lossy(names.name(slot.name.0)?).into_owned();
            let size = if slot.size.0 == no_end { u64::MAX } else { slot.size.0 };
            Ok(ExternalFile { path, offset: slot.offset.0, size })
        })
        .collect()
}

/// The message with a list, whose names go into a heap of their own.
pub(crate) fn message(md: &Metadata, files: &[ExternalFile]) -> Result<RawMessage> {
    let heap: Address = create(md)?;
    let mut names = Names::open(md, heap)?;
    let no_end = all_ones(md.widths().lengths);
    let mut slots = Vec::with_capacity(files.len());
    for file in files {
        let name = Length(names.insert(file.path.as_bytes())?);
        let size = Length(if file.size == u64::MAX { no_end } else { file.size });
        slots.push(ExternalSlot { name, offset: Length(file.offset), size });
    }
    let mut sink = Sink::new(md.widths());
    ExternalFiles { heap, slots }.write(&mut sink)?;
    Ok(RawMessage { kind: kind::EXTERNAL_FILES, flags: CONSTANT, body: sink.into_body() })
}

/// Fails unless raw files can hold the elements of an extent, however far it grows.
pub(crate) fn check(files: &[ExternalFile], extent: &Extent, element_size: u64) -> Result<()> {
    let mut room = 0_u64;
    for (at, file) in files.iter().enumerate() {
        if file.path.is_empty() || file.path.contains('\0') {
            return Err(Error::usage("a raw file needs a name without NUL"));
        }
        let endless = file.size == u64::MAX;
        if endless && at + 1 < files.len() {
            return Err(Error::usage("only the last raw file may be without end"));
        }
        if !endless && file.offset.checked_add(file.size).is_none() {
            return Err(Error::usage(format!("the end of raw file '{}' passes 2^64", file.path)));
        }
        room = room.saturating_add(file.size);
    }
    let (dims, max) = (extent.dims(), extent.max());
    let mut later = dims.iter().zip(max).skip(1);
    if later.any(|(dim, max)| *max != Some(*dim)) {
        return Err(Error::usage("a dataset in raw files can grow along its first axis only"));
    }
    if room == u64::MAX {
        return Ok(());
    }
    if max.contains(&None) {
        return Err(Error::usage("a dataset without limit needs a last raw file without end"));
    }
    let lengths = max.iter().zip(dims).map(|(max, dim)| max.unwrap_or(*dim));
    let needed = product(lengths.chain([element_size]))?;
    if *extent != Extent::Null && needed > room {
        return Err(Error::usage(format!("the raw files have room for {room} bytes, {needed} are needed")));
    }
    Ok(())
}

/// Finds and opens raw files: where the prefix says, in the current directory, or else in that of the HDF5 file.
#[derive(Clone, Debug)]
pub(crate) struct RawFiles {
    directory: PathBuf,
    policy: SourcePolicy,
    prefix: Option<String>,
}

impl RawFiles {
    pub(crate) fn new(file: &FileState) -> Self {
        let policy = file.options.source_policy().clone();
        Self { directory: file.place.directory.clone(), policy, prefix: None }
    }

    pub(crate) fn with_prefix(&self, prefix: &str) -> Self {
        Self { prefix: Some(prefix.to_owned()), ..self.clone() }
    }

    /// Where a file may be, the place where it is made first.
    fn places(&self, path: &Path, environment: Option<String>) -> Vec<PathBuf> {
        if path.is_absolute() {
            return vec![path.to_path_buf()];
        }
        let prefix = environment.filter(|prefix| !prefix.is_empty()).or_else(|| self.prefix.clone());
        let prefix = prefix.filter(|prefix| !prefix.is_empty() && prefix != ".");
        let prefixed = prefix.map(|prefix| match prefix.strip_prefix("${ORIGIN}") {
            Some(rest) => self.directory.join(rest.trim_start_matches('/')).join(path),
            None => Path::new(&prefix).join(path),
        });
        prefixed.into_iter().chain([path.to_path_buf(), self.directory.join(path)]).collect()
    }

    fn find<T>(&self, path: &Path, open: impl Fn(&Path) -> io::Result<T>) -> Result<Option<T>> {
        let mut search = Search::under(&self.policy);
        for path in self.places(path, std::env::var("HDF5_EXTFILE_PREFIX").ok()) {
            if !search.permits(&path)? {
                continue;
            }
            match open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => {
                    return opened.map(Some).map_err(|error| Error::io("cannot open the raw file", error));
                }
            }
        }
        search.finish().map(|()| None)
    }

    /// Makes a file where one is looked for first.
    fn make(&self, path: &Path) -> Result<FileStorage> {
        let places = self.places(path, std::env::var("HDF5_EXTFILE_PREFIX").ok());
        let mut search = Search::under(&self.policy);
        for path in &places {
            if search.permits_new(path)? {
                return FileStorage::create(path, false)
                    .map_err(|error| Error::io("cannot make the raw file", error));
            }
        }
        search.finish()?;
        Err(Error::io("cannot make the raw file", io::ErrorKind::NotFound.into()))
    }
}

impl Opener for RawFiles {
    fn open(&self, path: &str) -> Result<Arc<dyn ReadAt>> {
        let found = self.find(Path::new(path), FileStorage::open)?;
        let missing = || Error::io("cannot open the raw file", io::ErrorKind::NotFound.into());
        Ok(Arc::new(found.ok_or_else(missing)?))
    }

    fn open_mut(&self, path: &str) -> Result<Arc<dyn WriteAt>> {
        let path = Path::new(path);
        Ok(match self.find(path, FileStorage::open_writable)? {
            Some(found) => Arc::new(found),
            None => Arc::new(self.make(path)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::RawFiles;
    use crate::source_policy::SourcePolicy;
    use std::path::Path;

    #[test]
    fn a_raw_file_is_looked_for_under_the_prefix_here_and_beside_the_file() {
        let files = RawFiles { directory: "/data".into(), policy: SourcePolicy::Anywhere, prefix: None };
        let places = |files: &RawFiles, path: &str, environment: Option<&str>| {
            let found = files.places(Path::new(path), environment.map(str::to_owned));
            found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(places(&files, "/x/raw", Some("/p")), ["/x/raw"]);
        assert_eq!(places(&files, "raw", None), ["raw", "/data/raw"]);
        let prefixed = files.with_prefix("${ORIGIN}/sub");
        assert_eq!(places(&prefixed, "raw", None), ["/data/sub/raw", "raw", "/data/raw"]);
        assert_eq!(places(&prefixed, "raw", Some("/p")), ["/p/raw", "raw", "/data/raw"]);
    }
}
