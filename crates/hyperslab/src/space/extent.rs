//! [`Extent`]: how large a dataset or attribute is, and how large it may become.

use crate::error::{Error, Result};

/// The most axes a dataspace can have.
pub(crate) const MAX_RANK: usize = 32;

/// The current and maximal size of a dataset or attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// No elements at all.
    Null,
    /// Exactly one element, without axes.
    Scalar,
    /// A regular array.
    Simple {
        /// The current length of each axis.
        dims: Vec<u64>,
        /// The largest length of each axis; `None` is unlimited.
        max: Vec<Option<u64>>,
    },
}

impl Extent {
    /// An array of fixed size; a scalar when `dims` is empty.
    #[must_use]
    pub fn fixed(dims: &[u64]) -> Self {
        if dims.is_empty() {
            return Self::Scalar;
        }
        Self::Simple { dims: dims.to_vec(), max: dims.iter().copied().map(Some).collect() }
    }

    /// An array of size `dims` that can grow to `max`, `None` meaning without limit.
    ///
    /// # Errors
    /// `Usage` when the two disagree about the number of axes, or a length is above its maximum.
    pub fn resizable(dims: &[u64], max: &[Option<u64>]) -> Result<Self> {
        if dims.len() != max.len() {
            return Err(Error::usage(format!("{} lengths but {} maximal lengths", dims.len(), max.len())));
        }
        for (axis, (dim, most)) in dims.iter().zip(max).enumerate() {
            if let Some(most) = most.filter(|most| dim > most) {
                return Err(Error::usage(format!("length {dim} of axis {axis} is above its maximum {most}")));
            }
        }
        if dims.is_empty() {
            return Ok(Self::Scalar);
        }
        Ok(Self::Simple { dims: dims.to_vec(), max: max.to_vec() })
    }

    /// The current length of each axis; empty for scalar and null.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        match self {
            Self::Simple { dims, .. } => dims,
            Self::Null | Self::Scalar => &[],
        }
    }

    /// The maximal length of each axis, `None` where unlimited; empty for scalar and null.
    #[must_use]
    pub fn max(&self) -> &[Option<u64>] {
        match self {
            Self::Simple { max, .. } => max,
            Self::Null | Self::Scalar => &[],
        }
    }

    /// How many axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.dims().len()
    }

    /// How many elements.
    ///
    /// # Errors
    /// `Limit` when the number does not fit 64 bits.
    pub fn count(&self) -> Result<u64> {
        match self {
            Self::Null => Ok(0),
            Self::Scalar => Ok(1),
            Self::Simple { dims, .. } => product(dims.iter().copied()),
        }
    }

    /// Whether any axis may still grow.
    #[must_use]
    pub fn can_grow(&self) -> bool {
        self.dims().iter().zip(self.max()).any(|(dim, max)| max.is_none_or(|max| max > *dim))
    }
}

/// The product of `numbers`; 0 wins over overflow.
pub(crate) fn product(numbers: impl Iterator<Item = u64> + Clone) -> Result<u64> {
    if numbers.clone().any(|number| number == 0) {
        return Ok(0);
    }
    numbers.clone().try_fold(1_u64, u64::checked_mul).ok_or_else(|| {
        Error::limit(format!("the product of {:?} does not fit 64 bits", numbers.collect::<Vec<_>>()))
    })
}

#[cfg(test)]
mod tests {
    use super::Extent;

    #[test]
    fn an_extent_counts_its_elements_or_says_that_it_cannot() {
        assert_eq!(Extent::fixed(&[3, 4]).count().unwrap(), 12);
        assert_eq!(Extent::fixed(&[]), Extent::Scalar);
        assert_eq!(Extent::Null.count().unwrap(), 0);
        assert_eq!(Extent::fixed(&[u64::MAX, 2, 0]).count().unwrap(), 0);
        assert!(Extent::fixed(&[u64::MAX, 2]).count().is_err());
        assert!(Extent::resizable(&[3], &[Some(2)]).is_err());
        assert!(Extent::resizable(&[3], &[None]).unwrap().can_grow());
    }
}
