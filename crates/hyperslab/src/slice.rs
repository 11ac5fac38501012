//! From `ndarray`'s slices to selections.

use crate::error::{Error, Result};
use crate::space::{AxisSlab, Hyperslab, Selection};
use ndarray::SliceInfoElem;

/// The selection of a slice, and the axes an index removes.
pub(crate) fn selection(slice: &[SliceInfoElem], dims: &[u64]) -> Result<(Selection, Vec<usize>)> {
    if slice.len() != dims.len() {
        return Err(Error::usage(format!(
            "a slice of {} axes of a dataset with {}",
            slice.len(),
            dims.len()
        )));
    }
    let mut dropped = Vec::new();
    let mut axes = Vec::with_capacity(dims.len());
    for (axis, (element, dim)) in slice.iter().zip(dims).enumerate() {
        axes.push(match *element {
            SliceInfoElem::Index(index) => {
                dropped.push(axis);
                AxisSlab::range(absolute(index, *dim, axis)?, 1)
            }
            SliceInfoElem::Slice { start, end, step } => {
                let start = absolute(start, *dim, axis)?;
                let end = end.map_or(Ok(*dim), |end| absolute(end, *dim, axis))?.max(start);
                let stride = u64::try_from(step).ok().filter(|stride| *stride > 0);
                let stride = stride.ok_or_else(|| {
                    Error::usage(format!("step {step} on axis {axis}, at least 1 expected"))
                })?;
                AxisSlab { start, stride, count: Some((end - start).div_ceil(stride)), block: Some(1) }
            }
            SliceInfoElem::NewAxis => return Err(Error::usage("a new axis in a slice of a dataset")),
        });
    }
    Ok((Selection::Hyperslab(Hyperslab::Regular(axes)), dropped))
}

/// An index from the start of an axis, where a negative one counts from its end.
fn absolute(index: isize, dim: u64, axis: usize) -> Result<u64> {
    let found = match u64::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => dim.checked_sub(index.unsigned_abs() as u64),
    };
    found
        .filter(|found| *found <= dim)
        .ok_or_else(|| Error::usage(format!("{index} is outside the {dim} elements of axis {axis}")))
}
