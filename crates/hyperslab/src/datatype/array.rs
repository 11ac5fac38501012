//! Arrays: a fixed number of elements of another datatype.

use super::{Class, Datatype};
use crate::error::{Error, Result};

/// Most dimensions of an array: the limit of libhdf5.
pub(crate) const MAX_RANK: usize = 32;

/// A fixed number of elements of another datatype, in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    dims: Vec<u32>,
    base: Box<Datatype>,
}

impl Array {
    /// Checks that there are 1 to 32 dimensions and gives the size in bytes.
    pub(crate) fn new(base: Datatype, dims: Vec<u32>) -> Result<(Self, usize)> {
        if dims.is_empty() || dims.len() > MAX_RANK {
            return Err(Error::malformed(format!("an array of {} dimensions, 1 to 32 expected", dims.len())));
        }
        let multiply = |size: u32, dim: &u32| size.checked_mul(*dim).filter(|size| *size != 0);
        let size = u32::try_from(base.size()).ok().and_then(|size| dims.iter().try_fold(size, multiply));
        let size = size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| {
            Error::malformed(format!("an array of {dims:?} elements of {} bytes has no size", base.size()))
        })?;
        Ok((Self { dims, base: Box::new(base) }, size))
    }

    /// Elements along each dimension, slowest first.
    #[must_use]
    pub fn dims(&self) -> &[u32] {
        &self.dims
    }

    /// What each element is.
    #[must_use]
    pub fn base(&self) -> &Datatype {
        &self.base
    }
}

impl Datatype {
    /// An array of `dims` elements of `base`, in row-major order.
    ///
    /// # Errors
    /// `Usage` when there are no dimensions or more than 32, or the size is 0 or needs more than 32 bits.
    pub fn array(base: Self, dims: &[u32]) -> Result<Self> {
        let version = base.version().max(2);
        let (array, size) =
            Array::new(base, dims.to_vec()).map_err(|error| Error::usage(error.to_string()))?;
        Ok(Self::new(size, version, Class::Array(array)))
    }
}

#[cfg(test)]
mod tests {
    use crate::Datatype;

    #[test]
    fn an_array_is_as_large_as_its_elements() {
        assert_eq!(Datatype::array(Datatype::of::<f64>(), &[2, 3]).unwrap().size(), 48);
        assert!(Datatype::array(Datatype::of::<f64>(), &[]).is_err());
        assert!(Datatype::array(Datatype::of::<f64>(), &[0]).is_err());
        assert!(Datatype::array(Datatype::of::<f64>(), &[u32::MAX, 2]).is_err());
    }
}
