//! Errors of the engine as the exceptions that h5py raises for them.

use hyperslab::{Error, ErrorKind};
use pyo3::exceptions::{PyKeyError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::{PyErr, PyResult, Python};
use std::io;

/// The exception for `error`, with its whole message.
pub(crate) fn raised(error: &Error) -> PyErr {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Io => os_error(error.io_error(), message),
        ErrorKind::NotFound => PyKeyError::new_err(message),
        ErrorKind::Usage => PyValueError::new_err(message),
        _ => PyOSError::new_err(message),
    }
}

/// Python chooses the subclass of `OSError` by the number of the error.
fn os_error(cause: Option<&io::Error>, message: String) -> PyErr {
    // What a Python file object raised is raised again.
    if let Some(raised) = cause.and_then(io::Error::get_ref).and_then(|cause| cause.downcast_ref::<PyErr>()) {
        return Python::attach(|py| raised.clone_ref(py));
    }
    let number = cause.and_then(|cause| match (cause.raw_os_error(), cause.kind()) {
        (None, io::ErrorKind::WouldBlock) => Some(WOULD_BLOCK),
        (number, _) => number,
    });
    match number {
        Some(number) => PyOSError::new_err((number, message)),
        None => PyOSError::new_err(message),
    }
}

/// `EAGAIN`, which Python raises as `BlockingIOError`.
const WOULD_BLOCK: i32 = 11;

/// Turns the error of a result into an exception.
pub(crate) trait Raise<T> {
    fn raise(self) -> PyResult<T>;

    /// For elements: whatever goes wrong is an `OSError`, as in h5py.
    fn raise_moving(self) -> PyResult<T>;

    /// For the size of a dataset: what is nobody's input or output is a `RuntimeError`, as in h5py.
    fn raise_sizing(self) -> PyResult<T>;
}

impl<T> Raise<T> for hyperslab::Result<T> {
    fn raise(self) -> PyResult<T> {
        self.map_err(|error| raised(&error))
    }

    fn raise_moving(self) -> PyResult<T> {
        self.map_err(|error| match error.kind() {
            ErrorKind::Usage | ErrorKind::NotFound => PyOSError::new_err(error.to_string()),
            _ => raised(&error),
        })
    }

    fn raise_sizing(self) -> PyResult<T> {
        self.map_err(|error| match error.kind() {
            ErrorKind::Io => raised(&error),
            _ => PyRuntimeError::new_err(error.to_string()),
        })
    }
}
