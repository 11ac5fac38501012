//! Bytes at offsets; knows no HDF5.

pub(crate) mod coalesce;
mod descriptors;
pub(crate) mod family;
pub(crate) mod file;
pub(crate) mod holders;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod pages;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod watch;

use std::fmt::Debug;
use std::io;

/// Reads bytes at offsets, from many threads at once.
///
/// [`OpenOptions::open_on`](crate::OpenOptions::open_on) opens a file that is in such a place.
#[expect(clippy::len_without_is_empty, reason = "a file without bytes is nothing to ask for")]
pub trait ReadAt: Debug + Send + Sync {
    /// How many bytes there are now.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when there are fewer bytes; else what the operating system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// Writes bytes at offsets; what was written can be read at once.
pub trait WriteAt: ReadAt {
    /// Writes all of `bytes` at `offset`, growing the file where needed.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file `length` bytes long.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Returns when everything written is on the disk.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync(&self) -> io::Result<()>;
}
