//! What is made in a file: datasets from the options Python gives, groups, attributes, links.

use crate::datatype::PyDatatype;
use crate::error::Raise;
use crate::selection::PySelection;
use crate::value;
use hyperslab::{
    Allocation, Bounds, Dataset, DatasetBuilder, Extent, FillTime, Group, Object, OpenOptions, VirtualLayout,
    VirtualSource,
};
use pyo3::FromPyObject;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::{Bound, PyAnyMethods, PyErr, PyResult};
use pyo3::types::{
    PyBytes, PyBytesMethods, PyDict, PyDictMethods, PyList, PyListMethods, PyTuple, PyTupleMethods,
};

/// The option of that name, if it was given and is not `None`.
pub(crate) fn option<'py, T>(options: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<T>>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<PyErr>,
{
    match options.get_item(name)? {
        Some(value) if !value.is_none() => value.extract::<T>().map(Some).map_err(Into::into),
        _ => Ok(None),
    }
}

fn given<'py, T>(options: &Bound<'py, PyDict>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<PyErr>,
{
    option(options, name)?.ok_or_else(|| PyKeyError::new_err(format!("the option {name:?} is missing")))
}

/// The extent of these lengths; none at all is the null dataspace.
pub(crate) fn extent(dims: Option<Vec<u64>>, max: Option<Vec<Option<u64>>>) -> PyResult<Extent> {
    match (dims, max) {
        (None, _) => Ok(Extent::Null),
        (Some(dims), _) if dims.is_empty() => Ok(Extent::Scalar),
        (Some(dims), Some(max)) => Extent::resizable(&dims, &max).raise(),
        (Some(dims), None) => Ok(Extent::fixed(&dims)),
    }
}

/// How a new file is made.
pub(crate) fn file_options(options: &Bound<'_, PyDict>) -> PyResult<OpenOptions> {
    let bounds = match (given::<u8>(options, "low")?, given::<u8>(options, "high")?) {
        (_, 0) => Bounds::Earliest,
        (_, 1) | (1, _) => Bounds::V18,
        _ => Bounds::V110,
    };
    Ok(OpenOptions::new()
        .bounds(bounds)
        .user_block(given(options, "userblock")?)
        .track_order(given(options, "track_order")?))
}

/// Makes a dataset; without a name it has none.
pub(crate) fn dataset(
    group: &Group,
    name: Option<Vec<u8>>,
    datatype: &PyDatatype,
    extent: Extent,
    options: &Bound<'_, PyDict>,
) -> PyResult<Dataset> {
    let mut builder = group.new_dataset_of(&datatype.0).extent(extent.clone());
    if let Some(named) = options.get_item("named")?.filter(|named| !named.is_none()) {
        let named = named.cast::<crate::object::PyObject>()?.get();
        if let Object::Datatype(named) = &named.0 {
            builder = builder.named_datatype(named);
        }
    }
    builder = stored(builder, options, extent)?;
    for (number, optional, parameters) in given::<Vec<(u16, bool, Vec<u32>)>>(options, "filters")? {
        builder = builder.filter_number(number, parameters, optional);
    }
    if let Some(fill) = options.get_item("fill")?.filter(|fill| !fill.is_none()) {
        builder = builder.fill_with(&value::of(&datatype.0, &fill)?).raise()?;
    }
    builder =
        builder.track_order(given(options, "attribute_order")?).track_times(given(options, "track_times")?);
    let allocation = match given::<u8>(options, "alloc_time")? {
        1 => Allocation::Early,
        2 => Allocation::Late,
        3 => Allocation::Incremental,
        _ => Allocation::Default,
    };
    let fill_time = match given::<u8>(options, "fill_time")? {
        0 => FillTime::WithAllocation,
        1 => FillTime::Never,
        _ => FillTime::IfSet,
    };
    let builder = builder.allocation(allocation).fill_time(fill_time);
    group_py(group, || match name {
        Some(name) => builder.create(name),
        None => builder.create_unnamed(),
    })
    .raise()
}

/// Runs what may wait for the disk without the interpreter's lock.
fn group_py<T: Send>(_: &Group, make: impl FnOnce() -> T + Send) -> T {
    pyo3::Python::attach(|py| py.detach(make))
}

/// Where the elements are to be.
fn stored(builder: DatasetBuilder, options: &Bound<'_, PyDict>, extent: Extent) -> PyResult<DatasetBuilder> {
    let raw_files = given::<Vec<(Vec<u8>, u64, u64)>>(options, "external")?;
    if !raw_files.is_empty() {
        if given::<u8>(options, "layout")? != 1 {
            return Err(PyValueError::new_err("only a contiguous dataset can be in external raw files"));
        }
        return raw_files.into_iter().try_fold(builder, |builder, (path, offset, size)| {
            let path = String::from_utf8(path)
                .map_err(|_| PyValueError::new_err("the name of an external raw file must be UTF-8"))?;
            Ok(builder.external(path, offset, Some(size)))
        });
    }
    match given::<u8>(options, "layout")? {
        0 => Ok(builder.compact()),
        2 => Ok(builder.chunk(given::<Vec<u64>>(options, "chunk")?)),
        3 => Ok(builder.virtual_layout(layout(options, extent)?)),
        _ => Ok(builder.contiguous()),
    }
}

/// From mappings as property lists keep them: selection, file, path, selection in the source, shape of the source, and
/// what only Python wants to know.
fn layout(options: &Bound<'_, PyDict>, extent: Extent) -> PyResult<VirtualLayout> {
    let mut layout = VirtualLayout::of(extent);
    let mappings = options.get_item("virtual")?.ok_or_else(|| PyKeyError::new_err("virtual"))?;
    for mapping in mappings.cast::<PyList>()?.iter() {
        let mapping = mapping.cast::<PyTuple>()?;
        let selection = |at: usize| Ok::<_, PyErr>(mapping.get_item(at)?.cast_into::<PySelection>()?);
        let text = |at: usize| {
            let bytes = mapping.get_item(at)?.cast_into::<PyBytes>()?;
            Ok::<_, PyErr>(String::from_utf8_lossy(bytes.as_bytes()).into_owned())
        };
        let shape: Vec<u64> =
            mapping.get_item(4)?.try_iter()?.map(|length| length?.extract()).collect::<PyResult<_>>()?;
        let there = selection(3)?.get().0.clone();
        let source = VirtualSource::new(text(1)?, text(2)?, &shape).select(there);
        layout.map(&selection(0)?.get().0, &source).raise()?;
    }
    Ok(layout)
}
