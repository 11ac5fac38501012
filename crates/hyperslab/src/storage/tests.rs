//! [`TestStorage`]: a file in memory whose calls fail, and are remembered, as a test asks.

use crate::storage::memory::MemoryStorage;
use crate::storage::{ReadAt, WriteAt};
use parking_lot::Mutex;
use std::io;

/// What can be asked of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Len,
    Read,
    Write,
    SetLen,
    Sync,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Those of this kind, or of any.
    pub(crate) of: Option<Call>,
    /// So many succeed first.
    pub(crate) after: u64,
    pub(crate) error: io::ErrorKind,
    /// Whether all fail from then on, not only one.
    pub(crate) lasting: bool,
}

/// A file in memory; a write that fails is half done.
#[derive(Debug, Default)]
pub(crate) struct TestStorage {
    bytes: MemoryStorage,
    fault: Mutex<Option<Fault>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    /// Offsets and bytes of all writes.
    pub(crate) writes: Mutex<Vec<(usize, Vec<u8>)>>,
}

impl TestStorage {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: MemoryStorage::new(bytes), ..Self::default() }
    }

    /// From now on calls fail like this.
    pub(crate) fn fail(&self, fault: Fault) {
        *self.fault.lock() = Some(fault);
    }

    /// Lets calls succeed again; tells whether one was still to fail.
    pub(crate) fn heal(&self) -> bool {
        self.fault.lock().take().is_some()
    }

    /// All its bytes.
    pub(crate) fn image(&self) -> Vec<u8> {
        let mut image = vec![0; usize::try_from(self.bytes.len().unwrap()).unwrap()];
        self.bytes.read_at(0, &mut image).unwrap();
        image
    }

    fn call(&self, call: Call) -> io::Result<()> {
        self.calls.lock().push(call);
        let mut held = self.fault.lock();
        let Some(fault) = held.as_mut().filter(|fault| fault.of.is_none_or(|of| of == call)) else {
            return Ok(());
        };
        if fault.after > 0 {
            fault.after -= 1;
            return Ok(());
        }
        let error = fault.error.into();
        if !fault.lasting {
            *held = None;
        }
        Err(error)
    }
}

impl ReadAt for TestStorage {
    fn len(&self) -> io::Result<u64> {
        self.call(Call::Len)?;
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.call(Call::Read)?;
        self.bytes.read_at(offset, buffer)
    }
}

impl WriteAt for TestStorage {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let called = self.call(Call::Write);
        let done = if called.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        self.writes.lock().push((usize::try_from(offset).unwrap(), done.to_vec()));
        self.bytes.write_at(offset, done).and(called)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.call(Call::SetLen)?;
        self.bytes.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.call(Call::Sync)
    }
}
