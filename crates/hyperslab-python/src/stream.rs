//! [`Stream`]: bytes at offsets that a Python object reads and writes.

use hyperslab::{ReadAt, WriteAt};
use pyo3::intern;
use pyo3::prelude::{Py, PyAny, PyAnyMethods, Python};
use pyo3::types::PyBytes;
use std::io;

/// An object with `length`, `read_at`, `write_at`, `truncate` and `flush`, which are in `_drivers.py`.
///
/// It is called from any thread, which waits for the interpreter's lock; so nobody holds that while waiting for the
/// engine.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) Py<PyAny>);

impl ReadAt for Stream {
    fn len(&self) -> io::Result<u64> {
        Python::attach(|py| Ok(self.0.bind(py).call_method0(intern!(py, "length"))?.extract()?))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        Python::attach(|py| {
            let read = self.0.bind(py).call_method1(intern!(py, "read_at"), (offset, buffer.len()))?;
            let bytes = read.cast::<PyBytes>().map_err(pyo3::PyErr::from)?;
            let bytes = pyo3::types::PyBytesMethods::as_bytes(bytes);
            if bytes.len() != buffer.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer.copy_from_slice(bytes);
            Ok(())
        })
    }
}

impl WriteAt for Stream {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        Python::attach(|py| {
            self.0.bind(py).call_method1(intern!(py, "write_at"), (offset, PyBytes::new(py, bytes)))?;
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Python::attach(|py| {
            self.0.bind(py).call_method1(intern!(py, "truncate"), (length,))?;
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        Python::attach(|py| {
            self.0.bind(py).call_method0(intern!(py, "flush"))?;
            Ok(())
        })
    }
}
