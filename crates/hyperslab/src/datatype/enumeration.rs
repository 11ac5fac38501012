//! Enumerations: names for some values of an integer.

use super::compound::{MAX_MEMBERS, check_names};
use super::{ByteOrder, Class, Datatype, Integer};
use crate::error::{Error, Result};

/// Names for some values of an integer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumeration {
    base: Box<Datatype>,
    names: Vec<Vec<u8>>,
    /// One element of `base` per name.
    values: Vec<u8>,
}

impl Enumeration {
    /// `values` holds one element of `base`, an integer, per name.
    pub(crate) fn new(base: Datatype, names: Vec<Vec<u8>>, values: Vec<u8>) -> Result<Self> {
        if !matches!(base.class(), Class::Integer(_)) {
            return Err(Error::malformed(format!("an enumeration of {base}, an integer expected")));
        }
        if names.len().checked_mul(base.size()) != Some(values.len()) || names.len() > MAX_MEMBERS {
            return Err(Error::malformed(format!(
                "{} names for {} bytes of values",
                names.len(),
                values.len()
            )));
        }
        Ok(Self { base: Box::new(base), names, values })
    }

    /// The integer the values are stored as.
    #[must_use]
    pub fn base(&self) -> &Datatype {
        &self.base
    }

    /// Names with their values as stored, in the order they are stored.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.names.iter().map(Vec::as_slice).zip(self.values.chunks_exact(self.base.size().max(1)))
    }

    /// Names with their values; a value of more than 128 bits is left out.
    pub fn members(&self) -> impl Iterator<Item = (&[u8], i128)> {
        self.stored().filter_map(|(name, value)| Some((name, self.integer()?.load(value)?)))
    }

    /// The first name of a value.
    #[must_use]
    pub fn name_of(&self, value: i128) -> Option<&[u8]> {
        self.members().find(|(_, of)| *of == value).map(|(name, _)| name)
    }

    /// Whether this is how h5py stores a boolean: `FALSE` is 0 and `TRUE` is 1, in one byte.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        self.base.size() == 1 && self.members().eq([(b"FALSE".as_slice(), 0), (b"TRUE".as_slice(), 1)])
    }

    pub(crate) fn integer(&self) -> Option<&Integer> {
        match self.base.class() {
            Class::Integer(integer) => Some(integer),
            _ => None,
        }
    }

    pub(crate) fn values(&self) -> &[u8] {
        &self.values
    }
}

impl Datatype {
    /// An enumeration of the integer `base`.
    ///
    /// # Errors
    /// `Usage` when `base` is no integer, a value does not fit it, or a name occurs twice or holds a NUL.
    pub fn enumeration<'a>(base: &Self, members: impl IntoIterator<Item = (&'a str, i128)>) -> Result<Self> {
        let Class::Integer(integer) = base.class() else {
            return Err(Error::usage(format!("an enumeration of {base}, an integer expected")));
        };
        let mut names = Vec::new();
        let mut values = Vec::new();
        let mut stored = vec![0; base.size()];
        for (name, value) in members {
            if !integer.store(value, &mut stored) {
                return Err(Error::usage(format!("{value}, the value of \"{name}\", does not fit {base}")));
            }
            names.push(name.as_bytes().to_vec());
            values.extend_from_slice(&stored);
        }
        check_names(&mut names.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        let enumeration =
            Enumeration::new(base.clone(), names, values).map_err(|error| Error::usage(error.to_string()))?;
        Ok(Self::new(base.size(), base.version(), Class::Enumeration(enumeration)))
    }

    /// A boolean as h5py stores it: an enumeration in one byte, `FALSE` 0 and `TRUE` 1.
    #[must_use]
    pub fn boolean() -> Self {
        let base = Self::integer(1, true, ByteOrder::Little);
        let names = vec![b"FALSE".to_vec(), b"TRUE".to_vec()];
        let enumeration = Enumeration { base: Box::new(base), names, values: vec![0, 1] };
        Self::new(1, 1, Class::Enumeration(enumeration))
    }
}

#[cfg(test)]
mod tests {
    use crate::Datatype;
    use crate::datatype::Class;

    #[test]
    fn a_value_has_a_name() {
        let colour = Datatype::enumeration(&Datatype::of::<i16>(), [("red", -1), ("blue", 300)]).unwrap();
        let Class::Enumeration(colour) = colour.class() else { panic!("{colour}") };
        assert_eq!(colour.name_of(300), Some(b"blue".as_slice()));
        assert_eq!(colour.name_of(1), None);
        assert!(!colour.is_boolean());
    }

    #[test]
    fn a_value_must_fit_the_integer() {
        let error = Datatype::enumeration(&Datatype::of::<u8>(), [("big", 256)]).unwrap_err();
        assert_eq!(error.to_string(), "256, the value of \"big\", does not fit u8");
    }

    #[test]
    fn a_boolean_is_recognised() {
        let boolean = Datatype::boolean();
        assert!(matches!(boolean.class(), Class::Enumeration(of) if of.is_boolean()));
    }
}
