//! The engine as Python sees it: files, objects, datasets, datatypes and selections.
//!
//! This module has what must be fast or exact; names, dictionaries and documentation are Python's.
#![expect(clippy::needless_pass_by_value, reason = "PyO3 gives arguments by value")]

mod attribute;
mod dataset;
mod datatype;
mod edit;
mod error;
mod extent;
mod file;
mod fresh;
mod numbers;
mod object;
mod pick;
mod selection;
mod stream;
mod value;

/// What `hyperslab` stands on.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::attribute::PyAttribute;
    #[pymodule_export]
    use crate::dataset::{PyDataset, PyFollow};
    #[pymodule_export]
    use crate::datatype::PyDatatype;
    #[pymodule_export]
    use crate::file::{PyFile, create, create_bytes, create_stream, open, open_bytes, open_stream};
    #[pymodule_export]
    use crate::object::PyObject;
    #[pymodule_export]
    use crate::pick::{pick, take_simple};
    #[pymodule_export]
    use crate::selection::PySelection;
}
