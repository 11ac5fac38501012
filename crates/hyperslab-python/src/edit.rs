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
use pyo3::prelude::{Bound, PyAnyMethods, PyResult};
use pyo3::types::{PyDict, PyDictMethods};

/// The option of that name, if it was given and is not `None`.
pub(crate) fn option<'py, T>(options: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<T>>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<pyo3::PyErr>,
{
    match options.get_item(name)? {
        Some(value) if !value.is_none() => value.extract::<T>().map(Some).map_err(Into::into),
        _ => Ok(None),
    }
}

fn given<'py, T>(options: &Bound<'py, PyDict>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<pyo3::PyErr>,
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
    builder = builder.track_order(given(options, "attribute_order")?);
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

/// Selection, file, path, selection in the source and shape of the source.
type Mapping = (PySelection, Vec<u8>, Vec<u8>, PySelection, Vec<u64>);

fn layout(options: &Bound<'_, PyDict>, extent: Extent) -> PyResult<VirtualLayout> {
    let mut layout = VirtualLayout::of(extent);
    for (here, file, path, there, shape) in given::<Vec<Mapping>>(options, "virtual")? {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let source = VirtualSource::new(text(file), text(path), &shape).select(there.0);
        layout.map(&here.0, &source).raise()?;
    }
    Ok(layout)
}
