//! From what stands between the brackets of `dataset[...]` to a [`Selection`].

use crate::error::Raise;
use crate::selection::PySelection;
use hyperslab::{AxisSlab, Blocks, Selection};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::{Bound, PyAny, PyAnyMethods, PyResult, Python, pyfunction};
use pyo3::types::{PyBool, PyEllipsis, PyInt, PySlice, PySliceMethods, PyString, PyTuple, PyTupleMethods};

/// What is taken of one axis.
#[derive(Debug)]
enum Take {
    /// One coordinate; the axis is not in the result.
    One(u64),
    Slab(AxisSlab),
    /// Coordinates in increasing order.
    List(Vec<u64>),
}

/// What an index takes of a dataset.
#[derive(Debug)]
pub(crate) struct Pick {
    pub(crate) selection: Selection,
    /// The length of each axis of the dataset that the index leaves.
    pub(crate) lengths: Vec<u64>,
    /// Which axes a single number was given for: they are not in the result.
    pub(crate) dropped: Vec<bool>,
    listed: bool,
}

impl Take {
    fn length(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Slab(slab) => slab.count.unwrap_or(0).saturating_mul(slab.block.unwrap_or(0)),
            Self::List(list) => list.len() as u64,
        }
    }

    fn slab(&self) -> Option<AxisSlab> {
        match self {
            Self::One(at) => Some(AxisSlab::range(*at, 1)),
            Self::Slab(slab) => Some(*slab),
            Self::List(_) => None,
        }
    }
}

impl Pick {
    /// What `args` take of an array with these `dims`, of at least one axis.
    pub(crate) fn parse(args: &Bound<'_, PyTuple>, dims: &[u64]) -> PyResult<Self> {
        let takes = takes(args, dims)?;
        let lengths: Vec<u64> = takes.iter().map(Take::length).collect();
        let dropped = takes.iter().map(|take| matches!(take, Take::One(_))).collect();
        let listed = takes.iter().any(|take| matches!(take, Take::List(_)));
        let selection = if lengths.contains(&0) {
            Selection::None
        } else if listed {
            boxes(&takes)?
        } else {
            Selection::from_axes(takes.iter().filter_map(Take::slab).collect()).raise()?
        };
        Ok(Self { selection, lengths, dropped, listed })
    }

    /// The shape of the result.
    pub(crate) fn shape(&self) -> Vec<u64> {
        let axes = self.lengths.iter().zip(&self.dropped);
        axes.filter(|(_, dropped)| !**dropped).map(|(length, _)| *length).collect()
    }
}

/// The product of lists, single coordinates and slabs as a union of boxes.
fn boxes(takes: &[Take]) -> PyResult<Selection> {
    let mut boxes: Vec<Vec<u64>> = vec![Vec::new()];
    for take in takes {
        let runs = runs(take);
        let each = |so_far: &Vec<u64>| {
            let so_far = so_far.clone();
            runs.clone().into_iter().map(move |(first, last)| {
                let mut longer = so_far.clone();
                longer.extend([first, last]);
                longer
            })
        };
        boxes = boxes.iter().flat_map(each).collect();
    }
    let corners = |pairs: Vec<u64>| {
        let firsts = pairs.iter().step_by(2).copied().collect::<Vec<_>>();
        let lasts = pairs.iter().skip(1).step_by(2).copied().collect::<Vec<_>>();
        firsts.into_iter().chain(lasts)
    };
    let flat: Vec<u64> = boxes.into_iter().flat_map(corners).collect();
    let blocks = Blocks::new(takes.len(), &flat).raise()?;
    Ok(Selection::Hyperslab(hyperslab::Hyperslab::Blocks(blocks)))
}

/// First and last coordinates of the runs of neighbours on one axis.
fn runs(take: &Take) -> Vec<(u64, u64)> {
    match take {
        Take::One(at) => vec![(*at, *at)],
        Take::Slab(slab) => {
            let (block, count) = (slab.block.unwrap_or(1).max(1), slab.count.unwrap_or(0));
            if slab.stride == block && count > 0 {
                return vec![(slab.start, slab.start + block * count - 1)];
            }
            let run = |number| {
                let first = slab.start + number * slab.stride;
                (first, first + block - 1)
            };
            (0..count).map(run).collect()
        }
        Take::List(list) => {
            let mut runs: Vec<(u64, u64)> = Vec::new();
            for at in list {
                match runs.last_mut() {
                    Some((_, end)) if *end + 1 == *at => *end = *at,
                    _ => runs.push((*at, *at)),
                }
            }
            runs
        }
    }
}

fn takes(args: &Bound<'_, PyTuple>, dims: &[u64]) -> PyResult<Vec<Take>> {
    let ellipses = args.iter().filter(PyAnyMethods::is_instance_of::<PyEllipsis>).count();
    if ellipses > 1 {
        return Err(PyValueError::new_err("only one ellipsis may be used in an index"));
    }
    let given = args.len() - ellipses;
    if given > dims.len() {
        let message = format!("{given} indexing arguments for {} dimensions", dims.len());
        return Err(PyValueError::new_err(message));
    }
    let missing = dims.len() - given;
    let mut takes = Vec::with_capacity(dims.len());
    for arg in args.iter() {
        if arg.is_instance_of::<PyEllipsis>() {
            let left = dims.iter().skip(takes.len()).take(missing);
            takes.extend(left.map(|dim| whole(*dim)).collect::<Vec<_>>());
            continue;
        }
        let dim = dims.get(takes.len()).copied().unwrap_or(0);
        takes.push(take(&arg, dim)?);
    }
    let left = dims.iter().skip(takes.len()).map(|dim| whole(*dim)).collect::<Vec<_>>();
    takes.extend(left);
    if takes.iter().filter(|take| matches!(take, Take::List(_))).count() > 1 {
        return Err(PyTypeError::new_err("only one list or array of coordinates may stand in an index"));
    }
    Ok(takes)
}

/// Whether part of an index is a slice, an ellipsis or a number, so that no other language is meant.
pub(crate) fn is_simple(arg: &Bound<'_, PyAny>) -> bool {
    arg.is_exact_instance_of::<PySlice>()
        || arg.is_exact_instance_of::<PyInt>()
        || arg.is_exact_instance_of::<PyEllipsis>()
}

fn whole(dim: u64) -> Take {
    Take::Slab(AxisSlab { start: 0, stride: 1, count: Some(dim), block: Some(1) })
}

fn take(arg: &Bound<'_, PyAny>, dim: u64) -> PyResult<Take> {
    if let Ok(slice) = arg.cast::<PySlice>() {
        return sliced(slice, dim);
    }
    if arg.is_exact_instance_of::<PyInt>()
        && let Ok(at) = arg.extract::<i64>()
    {
        return coordinate(at, dim).map(Take::One);
    }
    let number = if arg.is_instance_of::<PyBool>() { None } else { arg.extract::<i64>().ok() };
    if let Some(at) = number.filter(|_| !arg.hasattr("__len__").unwrap_or(false)) {
        return coordinate(at, dim).map(Take::One);
    }
    if arg.hasattr("indices")? {
        let (start, stride, count, block): (u64, u64, u64, u64) =
            arg.call_method1("indices", (dim,))?.extract()?;
        return Ok(Take::Slab(AxisSlab { start, stride, count: Some(count), block: Some(block) }));
    }
    listed(arg, dim)
}

fn sliced(slice: &Bound<'_, PySlice>, dim: u64) -> PyResult<Take> {
    let signed = isize::try_from(dim).map_err(|_| PyIndexError::new_err("an axis longer than memory"))?;
    let of = slice.indices(signed)?;
    if of.step < 1 {
        return Err(PyValueError::new_err(format!("Step must be >= 1 (got {})", of.step)));
    }
    let (start, stride) = (unsigned(of.start), unsigned(of.step));
    let count = unsigned(of.stop).saturating_sub(start).div_ceil(stride.max(1));
    Ok(Take::Slab(AxisSlab { start, stride, count: Some(count), block: Some(1) }))
}

fn unsigned(value: isize) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn coordinate(at: i64, dim: u64) -> PyResult<u64> {
    let counted = if at < 0 { i128::from(dim) + i128::from(at) } else { i128::from(at) };
    match u64::try_from(counted) {
        Ok(counted) if counted < dim => Ok(counted),
        _ if dim == 0 => Err(PyIndexError::new_err(format!("Index ({at}) out of range for empty dimension"))),
        _ => Err(PyIndexError::new_err(format!("Index ({at}) out of range for (0-{})", dim - 1))),
    }
}

/// A list, an array of integers, or a mask for this axis.
fn listed(arg: &Bound<'_, PyAny>, dim: u64) -> PyResult<Take> {
    if arg.is_instance_of::<PyString>() || arg.is_none() {
        return Err(PyTypeError::new_err(format!("{arg} cannot be used as an index")));
    }
    let numpy = arg.py().import("numpy")?;
    let mut array = numpy.call_method1("asarray", (arg,))?;
    let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
    let rank: usize = array.getattr("ndim")?.extract()?;
    if rank == 0 && kind != "b" {
        return coordinate(array.call_method0("item")?.extract()?, dim).map(Take::One);
    }
    if rank != 1 {
        return Err(PyTypeError::new_err("only 1D arrays may stand in an index"));
    }
    let length: u64 = array.getattr("size")?.extract()?;
    if kind == "b" {
        if length != dim {
            let message = format!("a mask of {length} elements for an axis of {dim}");
            return Err(PyTypeError::new_err(message));
        }
        array = array.call_method0("nonzero")?.get_item(0)?;
    } else if length > 0 && kind != "i" && kind != "u" {
        return Err(PyTypeError::new_err("indexing arrays must have integer dtypes"));
    }
    let listed: Vec<i64> = array.call_method1("astype", ("i8",))?.call_method0("tolist")?.extract()?;
    let listed = listed.into_iter().map(|at| coordinate(at, dim)).collect::<PyResult<Vec<_>>>()?;
    if listed.iter().zip(listed.iter().skip(1)).any(|(first, second)| first >= second) {
        return Err(PyTypeError::new_err("Indexing elements must be in increasing order"));
    }
    Ok(Take::List(listed))
}

/// What an index takes: the selection, the lengths of all axes, which axes it drops, whether it has a list.
#[pyfunction]
pub(crate) fn pick(
    _py: Python<'_>,
    args: &Bound<'_, PyTuple>,
    dims: Vec<u64>,
) -> PyResult<(PySelection, Vec<u64>, Vec<bool>, bool)> {
    let pick = Pick::parse(args, &dims)?;
    Ok((PySelection(pick.selection), pick.lengths, pick.dropped, pick.listed))
}

/// The selection of an index of numbers and slices, and how many elements it takes; nothing when the index needs more
/// than that, or takes nothing.
#[pyfunction]
pub(crate) fn take_simple(
    args: &Bound<'_, PyAny>,
    dims: &Bound<'_, PyTuple>,
) -> PyResult<Option<(PySelection, u64)>> {
    let rank = dims.len();
    let mut axes = Vec::with_capacity(rank);
    if let Ok(args) = args.cast::<PyTuple>() {
        for (arg, dim) in args.iter_borrowed().zip(dims.iter_borrowed()) {
            axes.extend(taken(&arg, dim.extract()?)?);
        }
        if axes.len() < args.len() {
            return Ok(None);
        }
    } else if let Some(dim) = dims.iter_borrowed().next() {
        axes.extend(taken(args, dim.extract()?)?);
        if axes.is_empty() {
            return Ok(None);
        }
    }
    for dim in dims.iter_borrowed().skip(axes.len()) {
        axes.push(AxisSlab { start: 0, stride: 1, count: Some(dim.extract()?), block: Some(1) });
    }
    let count = axes.iter().try_fold(1_u64, |count, axis| count.checked_mul(axis.count.unwrap_or(0)));
    let Some(count) = count.filter(|count| *count > 0 && rank > 0) else { return Ok(None) };
    Ok(Some((PySelection(Selection::from_axes(axes).raise()?), count)))
}

/// What a number or a slice that ends takes of an axis.
fn taken(arg: &Bound<'_, PyAny>, dim: u64) -> PyResult<Option<AxisSlab>> {
    let py = arg.py();
    if let Ok(slice) = arg.cast_exact::<PySlice>() {
        let stop = slice.getattr(intern!(py, "stop"))?;
        // That is how a selection without end is written.
        if !stop.is_none() && stop.extract::<i64>().is_err() {
            return Ok(None);
        }
        return match sliced(slice, dim)? {
            Take::Slab(slab) => Ok(Some(slab)),
            Take::One(_) | Take::List(_) => Ok(None),
        };
    }
    if arg.is_exact_instance_of::<PyInt>() {
        return coordinate(arg.extract()?, dim).map(|at| Some(AxisSlab::range(at, 1)));
    }
    Ok(None)
}
