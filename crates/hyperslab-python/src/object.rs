//! [`PyObject`]: what a path leads to.

use crate::attribute::PyAttribute;
use crate::dataset::PyDataset;
use crate::datatype::PyDatatype;
use crate::edit;
use crate::error::Raise;
use crate::file::PyFile;
use crate::fresh;
use crate::numbers;
use crate::selection::PySelection;
use crate::value;
use hyperslab::{Attribute, AttributeData, CopyOptions, ErrorKind, Group, Link, LinkKind, Object, Selection};
use numpy::{PyArray1, PyArrayMethods, PyUntypedArray};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::{Bound, Py, PyAny, PyRef, PyResult, Python, pyclass, pymethods};
use pyo3::types::{PyBytes, PyDict, PyDictMethods};

/// A group, a dataset or a named datatype.
#[pyclass(frozen, name = "Object", module = "hyperslab._native")]
#[derive(Debug)]
pub(crate) struct PyObject(pub(crate) Object);

/// A datatype, and what has its name if it has one.
type Typed<'py> = (PyRef<'py, PyDatatype>, Option<PyRef<'py, PyObject>>);

impl PyObject {
    fn put(
        &self,
        py: Python<'_>,
        name: &[u8],
        data: AttributeData,
        named: Option<&Self>,
    ) -> PyResult<PyAttribute> {
        let data = match named {
            Some(Self(Object::Datatype(named))) => data.named_datatype(named),
            _ => data,
        };
        let put = || {
            let location = self.0.location();
            location.set_attribute(name, data)?;
            location.attribute(name)
        };
        py.detach(put).map(PyAttribute).raise()
    }

    fn group(&self) -> PyResult<&Group> {
        match &self.0 {
            Object::Group(group) => Ok(group),
            _ => Err(PyTypeError::new_err("the object is not a group")),
        }
    }
}

fn target(py: Python<'_>, link: &Link) -> PyResult<Py<PyAny>> {
    match &link.kind {
        LinkKind::Hard { address } => ("hard", *address).into_py_any(py),
        LinkKind::Soft { path } => ("soft", PyBytes::new(py, path)).into_py_any(py),
        LinkKind::External { file, path } => {
            ("external", PyBytes::new(py, file), PyBytes::new(py, path)).into_py_any(py)
        }
        LinkKind::User { class } => ("user", *class).into_py_any(py),
        other => ("user", format!("{other:?}")).into_py_any(py),
    }
}

#[pymethods]
impl PyObject {
    /// `group`, `dataset` or `datatype`.
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.0 {
            Object::Group(_) => "group",
            Object::Dataset(_) => "dataset",
            _ => "datatype",
        }
    }

    #[getter]
    fn address(&self) -> u64 {
        self.0.address()
    }

    /// The file the object is in, which an external link may have led to.
    #[getter]
    fn file(&self) -> PyFile {
        PyFile(self.0.location().file())
    }

    /// Whether the object is in that file.
    fn is_in(&self, file: &PyFile) -> bool {
        self.0.location().file().same(&file.0)
    }

    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.location().path().as_bytes())
    }

    /// The same object, looked at again.
    fn again(&self, py: Python<'_>) -> PyResult<Self> {
        py.detach(|| self.0.location().object()).raise().map(Self)
    }

    /// Address, links, time of change and what is tracked.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = py.detach(|| self.0.location().info()).raise()?;
        let dict = PyDict::new(py);
        dict.set_item("address", self.0.address())?;
        dict.set_item("links", info.links)?;
        dict.set_item("changed", info.changed)?;
        dict.set_item("timed", info.timed)?;
        dict.set_item("links_ordered", info.links_ordered)?;
        dict.set_item("attributes_ordered", info.attributes_ordered)?;
        Ok(dict)
    }

    /// The attributes, by name or in the order in which they were made.
    #[pyo3(signature = (by_order = false))]
    fn attributes(&self, py: Python<'_>, by_order: bool) -> PyResult<Vec<PyAttribute>> {
        let mut found = py.detach(|| self.0.attributes()).raise()?;
        found.sort_by(|a, b| a.name_bytes().cmp(b.name_bytes()));
        if by_order {
            found.sort_by_key(Attribute::order);
        }
        Ok(found.into_iter().map(PyAttribute).collect())
    }

    /// The attribute of that name, or nothing.
    fn attribute(&self, py: Python<'_>, name: &[u8]) -> PyResult<Option<PyAttribute>> {
        match py.detach(|| self.0.attribute(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => found.raise().map(|found| Some(PyAttribute(found))),
        }
    }

    /// The value of an attribute that is numbers or a text; nothing when there is none or it is anything else.
    fn attribute_value<'py>(&self, py: Python<'py>, name: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
        match py.detach(|| self.0.attribute(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => numbers::value(py, &found.raise()?),
        }
    }

    /// Gives the object an attribute of numbers or a text; false when the value is anything else.
    fn set_attribute_value(&self, py: Python<'_>, name: &[u8], value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Some(data) = numbers::data(value)? else { return Ok(false) };
        py.detach(|| self.0.location().set_attribute(name, data)).raise()?;
        Ok(true)
    }

    /// Name and target of each link of a group, by name or in the order in which they were made.
    #[pyo3(signature = (by_order = false))]
    fn links<'py>(&self, py: Python<'py>, by_order: bool) -> PyResult<Vec<(Bound<'py, PyBytes>, Py<PyAny>)>> {
        let group = self.group()?;
        let found = py.detach(|| if by_order { group.links_as_made() } else { group.links() }).raise()?;
        found.iter().map(|link| Ok((PyBytes::new(py, &link.name), target(py, link)?))).collect()
    }

    /// The target of one link of a group.
    fn link(&self, py: Python<'_>, name: &[u8]) -> PyResult<Py<PyAny>> {
        let group = self.group()?;
        target(py, &py.detach(|| group.link(name)).raise()?)
    }

    /// The object at a path from a group.
    fn object(&self, py: Python<'_>, path: &[u8]) -> PyResult<Self> {
        let group = self.group()?;
        py.detach(|| group.object(path)).raise().map(Self)
    }

    /// The dataset this object is.
    fn dataset(&self) -> PyResult<PyDataset> {
        match &self.0 {
            Object::Dataset(dataset) => Ok(PyDataset(dataset.clone())),
            _ => Err(PyTypeError::new_err("the object is not a dataset")),
        }
    }

    /// Makes a group; without a name it has none.
    fn create_group(
        &self,
        py: Python<'_>,
        name: Option<Vec<u8>>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let tracked = edit::option::<bool>(options, "track_order")?.unwrap_or(false);
        let group = self.group()?;
        let made = py.detach(|| match name {
            None => group.create_unnamed_group(tracked),
            Some(name) if tracked => group.create_ordered_group(name),
            Some(name) => group.create_group(name),
        });
        made.raise().map(|group| Self(Object::Group(group)))
    }

    /// Makes a dataset; without a name it has none.
    fn create_dataset(
        &self,
        name: Option<Vec<u8>>,
        datatype: &PyDatatype,
        dims: Option<Vec<u64>>,
        max: Option<Vec<Option<u64>>>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let extent = edit::extent(dims, max)?;
        let dataset = edit::dataset(self.group()?, name, datatype, extent, options)?;
        Ok(Self(Object::Dataset(dataset)))
    }

    /// Makes a contiguous dataset of the numbers in an array; nothing when they are anything else, or the name is taken or
    /// no plain one.
    fn create_numbers(
        &self,
        py: Python<'_>,
        name: &[u8],
        array: &Bound<'_, PyUntypedArray>,
    ) -> PyResult<Option<Self>> {
        let plain = !matches!(name, b"" | b".") && !name.iter().any(|byte| matches!(byte, b'/' | 0));
        let Some(datatype) = numbers::of(array)?.filter(|_| plain) else { return Ok(None) };
        let (group, extent) = (self.group()?, numbers::extent(array));
        let make = |elements: &[u8]| {
            if group.link(name).is_ok() {
                return Ok(None);
            }
            let made = group.new_dataset_of(&datatype).extent(extent).contiguous().create(name)?;
            made.write_bytes(&Selection::All, &datatype, elements)?;
            Ok(Some(Self(Object::Dataset(made))))
        };
        fresh::with_bytes(array, |elements| py.detach(|| make(elements)).raise())
    }

    /// Copies an object of any file, with what is in it, to a name in this group.
    fn copy(&self, py: Python<'_>, name: Vec<u8>, source: &Self, flags: u32) -> PyResult<()> {
        let group = self.group()?;
        let copy = || {
            let options = CopyOptions::new()
                .shallow(flags & 1 != 0)
                .expand_soft(flags & 2 != 0)
                .expand_external(flags & 4 != 0)
                .expand_references(flags & 8 != 0)
                .without_attributes(flags & 16 != 0);
            group.copy(&source.0, name, &options)
        };
        py.detach(copy).raise().map(drop)
    }

    /// Gives a datatype a name.
    fn commit(&self, py: Python<'_>, name: Vec<u8>, datatype: &PyDatatype) -> PyResult<Self> {
        let group = self.group()?;
        let made = py.detach(|| group.commit_datatype(name, &datatype.0));
        made.raise().map(|datatype| Self(Object::Datatype(datatype)))
    }

    fn link_hard(&self, py: Python<'_>, name: Vec<u8>, object: &Self) -> PyResult<()> {
        let group = self.group()?;
        py.detach(|| group.link_hard(name, object.0.location())).raise()
    }

    fn link_soft(&self, py: Python<'_>, name: Vec<u8>, target: Vec<u8>) -> PyResult<()> {
        let group = self.group()?;
        py.detach(|| group.link_soft(name, target)).raise()
    }

    fn link_external(&self, py: Python<'_>, name: Vec<u8>, file: Vec<u8>, path: Vec<u8>) -> PyResult<()> {
        let group = self.group()?;
        py.detach(|| group.link_external(name, file, path)).raise()
    }

    fn unlink(&self, py: Python<'_>, name: Vec<u8>) -> PyResult<()> {
        let group = self.group()?;
        py.detach(|| group.unlink(name)).raise()
    }

    /// Gives a link another path.
    fn rename(&self, py: Python<'_>, from: Vec<u8>, to: Vec<u8>) -> PyResult<()> {
        let group = self.group()?;
        py.detach(|| group.rename(from, to)).raise()
    }

    /// Gives the object an attribute with these elements, of the datatype `memory`, or with zeroes.
    fn set_attribute(
        &self,
        py: Python<'_>,
        name: Vec<u8>,
        datatype: Typed<'_>,
        dims: Option<Vec<u64>>,
        elements: Option<(PyRef<'_, PyDatatype>, Bound<'_, PyArray1<u8>>)>,
    ) -> PyResult<PyAttribute> {
        let extent = edit::extent(dims, None)?;
        let data = match elements {
            Some((memory, elements)) => {
                AttributeData::converted(datatype.0.0.clone(), extent, &memory.0, &elements.to_vec()?)
                    .raise()?
            }
            None => AttributeData::zeroes(datatype.0.0.clone(), extent).raise()?,
        };
        self.put(py, &name, data, datatype.1.as_deref())
    }

    /// Gives the object an attribute with these plain values.
    fn set_attribute_values(
        &self,
        py: Python<'_>,
        name: Vec<u8>,
        datatype: Typed<'_>,
        dims: Option<Vec<u64>>,
        values: &Bound<'_, PyAny>,
    ) -> PyResult<PyAttribute> {
        let values = value::all_of(&datatype.0.0, values)?;
        let extent = edit::extent(dims, None)?;
        self.put(
            py,
            &name,
            AttributeData::from_values(datatype.0.0.clone(), extent, values),
            datatype.1.as_deref(),
        )
    }

    fn delete_attribute(&self, py: Python<'_>, name: Vec<u8>) -> PyResult<()> {
        py.detach(|| self.0.location().delete_attribute(name)).raise()
    }

    fn rename_attribute(&self, py: Python<'_>, from: Vec<u8>, to: Vec<u8>) -> PyResult<()> {
        py.detach(|| self.0.location().rename_attribute(from, to)).raise()
    }

    /// The bytes of a reference to a region of this dataset, which goes into the file.
    fn region<'py>(&self, py: Python<'py>, selection: &PySelection) -> PyResult<Bound<'py, PyBytes>> {
        match &self.0 {
            Object::Dataset(dataset) => {
                let bytes = py.detach(|| dataset.region_reference(&selection.0)).raise()?;
                Ok(PyBytes::new(py, &bytes))
            }
            _ => Err(PyTypeError::new_err("only datasets have regions")),
        }
    }

    /// The named datatype of a dataset's elements, if it has a name.
    fn named_datatype(&self, py: Python<'_>) -> PyResult<Option<Self>> {
        match &self.0 {
            Object::Dataset(dataset) => {
                let named = py.detach(|| dataset.named_datatype()).raise()?;
                Ok(named.map(|named| Self(Object::Datatype(named))))
            }
            _ => Ok(None),
        }
    }

    /// The datatype that this object names.
    fn datatype(&self) -> PyResult<PyDatatype> {
        match &self.0 {
            Object::Datatype(datatype) => Ok(PyDatatype(datatype.datatype().clone())),
            _ => Err(PyTypeError::new_err("the object is not a named datatype")),
        }
    }
}
