//! [`Points`]: single elements, in the order they were listed.

use crate::error::{Error, Result};
use crate::space::extent::MAX_RANK;

/// A list of elements; reading gives them in list order, and one may occur several times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Points {
    rank: usize,
    coordinates: Vec<u64>,
}

impl Points {
    /// From the coordinates of all points one after another, `rank` numbers each.
    ///
    /// # Errors
    /// `Usage` when the rank is 0 or above 32, or the numbers do not divide into points.
    pub fn new(rank: usize, coordinates: Vec<u64>) -> Result<Self> {
        if rank == 0 || rank > MAX_RANK {
            return Err(Error::usage(format!("points of {rank} coordinates, 1 to {MAX_RANK} expected")));
        }
        if !coordinates.len().is_multiple_of(rank) {
            return Err(Error::usage(format!(
                "{} coordinates do not make points of {rank} each",
                coordinates.len()
            )));
        }
        Ok(Self { rank, coordinates })
    }

    /// Coordinates per point.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.coordinates.len() / self.rank.max(1)
    }

    /// Whether there are no points.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.coordinates.is_empty()
    }

    /// All coordinates, point by point.
    #[must_use]
    pub fn coordinates(&self) -> &[u64] {
        &self.coordinates
    }

    /// Each point's coordinates.
    pub fn iter(&self) -> impl Iterator<Item = &[u64]> {
        self.coordinates.chunks_exact(self.rank.max(1))
    }
}
