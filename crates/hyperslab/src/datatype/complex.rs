//! Complex numbers: two floating-point numbers, as a class of their own or as h5py's compound.

use super::{Class, Compound, Datatype, Float, Member};
use crate::error::{Error, Result};

/// The version of the datatype message that has the class.
const VERSION: u8 = 5;

/// A complex number of HDF5 2.0: real part, then imaginary part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complex {
    base: Box<Datatype>,
}

impl Complex {
    /// `base`, the datatype of both parts, must be a floating-point number.
    pub(crate) fn new(base: Datatype) -> Result<Self> {
        if matches!(base.class(), Class::Float(_)) {
            return Ok(Self { base: Box::new(base) });
        }
        Err(Error::malformed(format!("a complex number of {base}, a floating-point number expected")))
    }

    /// What each part is.
    #[must_use]
    pub fn base(&self) -> &Datatype {
        &self.base
    }
}

impl Datatype {
    /// A complex number as h5py stores it: a compound of `r` and `i`.
    #[must_use]
    pub fn complex(part: Float) -> Self {
        let part = Self::float(part);
        let (size, version) = (part.size(), part.version());
        let members =
            vec![Member::new(b"r".to_vec(), 0, part.clone()), Member::new(b"i".to_vec(), size, part)];
        Self::new(size * 2, version, Class::Compound(Compound::trusted(members)))
    }

    /// A complex number of the class that HDF5 2.0 has for them, which older versions do not read.
    ///
    /// # Errors
    /// `Usage` when `part` is no floating-point number.
    pub fn complex_class(part: Self) -> Result<Self> {
        let size = part.size().saturating_mul(2);
        let complex = Complex::new(part).map_err(|error| Error::usage(error.to_string()))?;
        Ok(Self::new(size, VERSION, Class::Complex(complex)))
    }
}
