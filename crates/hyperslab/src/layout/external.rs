//! Elements in other files: their pieces, one after the other, are one run of bytes.

use crate::error::{Error, Place, Result, to_usize};
use crate::layout::execute::Stored;
use crate::storage::ReadAt;
use parking_lot::Mutex;
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
}

/// The pieces as one run of bytes; files are opened when first needed.
pub(crate) struct Pieces<'a> {
    files: &'a [ExternalFile],
    opener: &'a dyn Opener,
    /// The file that was used last.
    open: Mutex<Option<(usize, Arc<dyn ReadAt>)>>,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(files: &'a [ExternalFile], opener: &'a dyn Opener) -> Self {
        Self { files, opener, open: Mutex::new(None) }
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
        let storage = self.opener.open(&file.path)?;
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

impl Stored for Pieces<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (mut skip, mut rest) = (offset, buffer);
        for (index, file) in self.files.iter().enumerate() {
            if rest.is_empty() {
                return Ok(());
            }
            let Some(left) = file.size.checked_sub(skip).filter(|left| *left > 0) else {
                skip = skip.saturating_sub(file.size);
                continue;
            };
            let count = to_usize(left.min(rest.len() as u64))?;
            let (now, later) = rest.split_at_mut_checked(count).unwrap_or_default();
            self.read_piece(index, file, skip, now).at(|| format!("external file '{}'", file.path))?;
            (skip, rest) = (0, later);
        }
        match rest.len() {
            0 => Ok(()),
            missing => Err(Error::malformed(format!(
                "external files have {} bytes, {missing} more are needed",
                self.size()
            ))),
        }
    }
}
