//! Elements in other files: their pieces, one after the other, are one run of bytes.

use crate::error::{Error, Place, Result, to_usize};
use crate::layout::deposit::StoredMut;
use crate::layout::execute::Stored;
use crate::storage::{ReadAt, WriteAt};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// A piece of a file that holds elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalFile {
    pub(crate) path: String,
    /// Where in the file the piece begins.
    pub(crate) offset: u64,
    /// Bytes of the piece; `u64::MAX` when it has no end.
    pub(crate) size: u64,
}

/// Opens external files by the name the dataset has for them.
pub(crate) trait Opener: Send + Sync {
    fn open(&self, path: &str) -> Result<Arc<dyn ReadAt>>;

    /// Opens a file to write, and makes it when there is none.
    fn open_mut(&self, path: &str) -> Result<Arc<dyn WriteAt>> {
        Err(Error::usage(format!("external file '{path}' is open to read only")))
    }
}

/// The pieces as one run of bytes; files are opened when first needed.
pub(crate) struct Pieces<'a> {
    files: &'a [ExternalFile],
    opener: &'a dyn Opener,
    /// The file that was used last.
    open: Mutex<Option<(usize, Arc<dyn ReadAt>)>>,
    /// The file that was written last.
    open_mut: Mutex<Option<(usize, Arc<dyn WriteAt>)>>,
    writing: bool,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(files: &'a [ExternalFile], opener: &'a dyn Opener) -> Self {
        Self { files, opener, open: Mutex::new(None), open_mut: Mutex::new(None), writing: false }
    }

    /// Pieces that are written; files are made where there are none.
    pub(crate) fn new_mut(files: &'a [ExternalFile], opener: &'a dyn Opener) -> Self {
        Self { writing: true, ..Self::new(files, opener) }
    }

    /// Bytes of all pieces.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().fold(0, |size, file| size.saturating_add(file.size))
    }

    fn open(&self, index: usize, file: &ExternalFile) -> Result<Arc<dyn ReadAt>> {
        let mut open = self.open.lock();
        if let Some((last, storage)) = open.as_ref()
            && *last == index
        {
            return Ok(Arc::clone(storage));
        }
        let storage = if self.writing {
            self.open_mut(index, file)? as Arc<dyn ReadAt>
        } else {
            self.opener.open(&file.path)?
        };
        *open = Some((index, Arc::clone(&storage)));
        Ok(storage)
    }

    /// Fills `buffer` from `skip` bytes into a piece; what the file is too short for reads as zero.
    fn read_piece(&self, index: usize, file: &ExternalFile, skip: u64, buffer: &mut [u8]) -> Result<()> {
        let storage = self.open(index, file)?;
        let failed = |error| Error::io(format!("reading {} bytes", buffer.len()), error);
        let length = storage.len().map_err(failed)?;
        let offset = file.offset.checked_add(skip);
        let offset = offset.ok_or_else(|| Error::malformed("an element's offset passes 2^64"))?;
        let there = to_usize(length.saturating_sub(offset).min(buffer.len() as u64))?;
        let (read, missing) = buffer.split_at_mut_checked(there).unwrap_or_default();
        missing.fill(0);
        if read.is_empty() {
            return Ok(());
        }
        storage.read_at(offset, read).map_err(|error| Error::io(format!("reading {there} bytes"), error))
    }
}

/// Takes a piece's number, the piece, where in it, and which of the bytes.
type OnPiece<'a> = dyn FnMut(usize, &ExternalFile, u64, Range<usize>) -> Result<()> + 'a;

impl Pieces<'_> {
    fn open_mut(&self, index: usize, file: &ExternalFile) -> Result<Arc<dyn WriteAt>> {
        let mut open = self.open_mut.lock();
        if let Some((last, storage)) = open.as_ref()
            && *last == index
        {
            return Ok(Arc::clone(storage));
        }
        let storage = self.opener.open_mut(&file.path)?;
        *open = Some((index, Arc::clone(&storage)));
        Ok(storage)
    }

    /// Calls `each` with the pieces that `length` bytes from `offset` on lie in.
    fn each(&self, offset: u64, length: usize, each: &mut OnPiece<'_>) -> Result<()> {
        let (mut skip, mut done) = (offset, 0);
        for (index, file) in self.files.iter().enumerate() {
            if done == length {
                return Ok(());
            }
            let Some(left) = file.size.checked_sub(skip).filter(|left| *left > 0) else {
                skip = skip.saturating_sub(file.size);
                continue;
            };
            let count = to_usize(left.min((length - done) as u64))?;
            each(index, file, skip, done..done + count).at(|| format!("external file '{}'", file.path))?;
            (skip, done) = (0, done + count);
        }
        match length - done {
            0 => Ok(()),
            missing => Err(Error::malformed(format!(
                "external files have {} bytes, {missing} more are needed",
                self.size()
            ))),
        }
    }
}

impl Stored for Pieces<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.each(offset, buffer.len(), &mut |index, file, skip, bytes| {
            self.read_piece(index, file, skip, buffer.get_mut(bytes).unwrap_or_default())
        })
    }
}

impl StoredMut for Pieces<'_> {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.each(offset, bytes.len(), &mut |index, file, skip, range| {
            let bytes = bytes.get(range).unwrap_or_default();
            let offset = file.offset.checked_add(skip);
            let offset = offset.ok_or_else(|| Error::usage("an element's offset passes 2^64"))?;
            let storage = self.open_mut(index, file)?;
            let written = storage.write_at(offset, bytes);
            written.map_err(|error| Error::io(format!("writing {} bytes", bytes.len()), error))
        })
    }
}
