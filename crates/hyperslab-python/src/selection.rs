//! [`PySelection`]: which elements of a dataset.

use crate::error::Raise;
use hyperslab::{AxisSlab, Hyperslab, Points, Selection};
use pyo3::prelude::{PyResult, pyclass, pymethods};

/// Which elements of a dataset; does not know the dataset's shape.
#[pyclass(frozen, eq, hash, from_py_object, name = "Selection", module = "hyperslab._native")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PySelection(pub(crate) Selection);

/// Per axis: start, stride, count and block; no count or block is as many as there are.
type Axis = (u64, u64, Option<u64>, Option<u64>);

#[pymethods]
impl PySelection {
    #[staticmethod]
    fn all() -> Self {
        Self(Selection::All)
    }

    #[staticmethod]
    fn none() -> Self {
        Self(Selection::None)
    }

    /// Regularly spaced blocks: one (start, stride, count, block) per axis.
    #[staticmethod]
    fn hyperslab(axes: Vec<Axis>) -> PyResult<Self> {
        let slab = |(start, stride, count, block)| AxisSlab { start, stride, count, block };
        Selection::from_axes(axes.into_iter().map(slab).collect()).raise().map(Self)
    }

    /// A union of boxes: per box the first and then the last coordinates.
    #[staticmethod]
    fn blocks(rank: usize, boxes: Vec<u64>) -> PyResult<Self> {
        Selection::from_blocks(rank, &boxes).raise().map(Self)
    }

    /// Single elements, in list order.
    #[staticmethod]
    fn points(rank: usize, coordinates: Vec<u64>) -> PyResult<Self> {
        Points::new(rank, coordinates).map(|points| Self(points.into())).raise()
    }

    /// `all`, `none`, `points`, `regular` or `blocks`.
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.0 {
            Selection::All => "all",
            Selection::None => "none",
            Selection::Points(_) => "points",
            Selection::Hyperslab(Hyperslab::Regular(_)) => "regular",
            _ => "blocks",
        }
    }

    /// The (start, stride, count, block) of a regular selection.
    fn axes(&self) -> Option<Vec<Axis>> {
        let Selection::Hyperslab(Hyperslab::Regular(axes)) = &self.0 else { return None };
        Some(axes.iter().map(|axis| (axis.start, axis.stride, axis.count, axis.block)).collect())
    }

    /// First and last coordinates of each box.
    fn boxes(&self, dims: Vec<u64>) -> PyResult<Vec<(Vec<u64>, Vec<u64>)>> {
        let Selection::Hyperslab(slab) = &self.0 else { return Ok(Vec::new()) };
        let blocks = slab.to_blocks(&dims).raise()?;
        Ok(blocks.iter().map(|(first, last)| (first.to_vec(), last.to_vec())).collect())
    }

    /// The coordinates of each point.
    fn coordinates(&self) -> Vec<Vec<u64>> {
        let Selection::Points(points) = &self.0 else { return Vec::new() };
        points.iter().map(<[u64]>::to_vec).collect()
    }

    fn count(&self, dims: Vec<u64>) -> PyResult<u64> {
        self.0.count(&dims).raise()
    }

    /// The shape of the array that a read gives.
    fn shape(&self, dims: Vec<u64>) -> PyResult<Vec<u64>> {
        self.0.shape(&dims).raise()
    }

    /// First and last coordinates of the smallest box around it; `None` when it is empty.
    fn bounds(&self, dims: Vec<u64>) -> PyResult<Option<(Vec<u64>, Vec<u64>)>> {
        self.0.bounds(&dims).raise()
    }

    /// Whether it lies within `dims`.
    fn fits(&self, dims: Vec<u64>) -> bool {
        self.0.check(&dims).is_ok()
    }

    #[getter]
    fn unlimited_axis(&self) -> Option<usize> {
        self.0.unlimited_axis()
    }

    fn union(&self, other: &Self, dims: Vec<u64>) -> PyResult<Self> {
        self.0.union(&other.0, &dims).raise().map(Self)
    }

    fn intersection(&self, other: &Self, dims: Vec<u64>) -> PyResult<Self> {
        self.0.intersection(&other.0, &dims).raise().map(Self)
    }
}
