//! [`Limits`]: how much a file may ask for before it is refused.

use crate::error::{Error, Result};
use std::fmt::Display;

/// How much a file may ask for before it is refused, whatever it says of itself.
///
/// The defaults refuse no file that a program wrote to be read. Whoever meets one all the same raises the limit
/// that the error names, for that file:
///
/// ```
/// use hyperslab::{Limits, OpenOptions};
/// let mut limits = Limits::default();
/// limits.links = 1000;
/// let options = OpenOptions::new().limits(limits);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Soft and external links on the way to one object: 64. libhdf5 has 16.
    pub links: u64,
    /// Virtual datasets within each other: 64.
    pub nesting: u64,
    /// Virtual datasets within others that one read needs: 16,384.
    pub nested_datasets: u64,
    /// Numbered sources that are looked for to find out how large a virtual dataset is: 1,048,576.
    pub numbered_sources: u64,
    /// Numbered sources that one read touches: 4,194,304.
    pub touched_sources: u64,
    /// Bytes of messages, attributes among them, in one object header: 256 MiB.
    pub header_bytes: u64,
    /// Bytes of one structure that is read at once: 1 GiB.
    pub structure_bytes: u64,
    /// Bytes of one chunk, stored or decoded: 4 GiB.
    pub chunk_bytes: u64,
    /// Bytes that variable-length sequences within one element unfold to: 64 MiB.
    pub unfolded_bytes: u64,
    /// Mappings of a virtual dataset that is made flat: 4,194,304.
    pub flat_mappings: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            links: 64,
            nesting: 64,
            nested_datasets: 1 << 14,
            numbered_sources: 1 << 20,
            touched_sources: 1 << 22,
            header_bytes: 256 << 20,
            structure_bytes: 1 << 30,
            chunk_bytes: 4 << 30,
            unfolded_bytes: 64 << 20,
            flat_mappings: 1 << 22,
        }
    }
}

/// A limit in [`Limits`].
type Field = fn(&mut Limits) -> &mut u64;

const FIELDS: [(&str, Field); 10] = [
    ("links", |limits| &mut limits.links),
    ("nesting", |limits| &mut limits.nesting),
    ("nested_datasets", |limits| &mut limits.nested_datasets),
    ("numbered_sources", |limits| &mut limits.numbered_sources),
    ("touched_sources", |limits| &mut limits.touched_sources),
    ("header_bytes", |limits| &mut limits.header_bytes),
    ("structure_bytes", |limits| &mut limits.structure_bytes),
    ("chunk_bytes", |limits| &mut limits.chunk_bytes),
    ("unfolded_bytes", |limits| &mut limits.unfolded_bytes),
    ("flat_mappings", |limits| &mut limits.flat_mappings),
];

impl Limits {
    /// Sets the limit of that name.
    ///
    /// ```
    /// let mut limits = hyperslab::Limits::default();
    /// limits.set("nesting", 3)?;
    /// assert_eq!(limits.nesting, 3);
    /// assert!(limits.set("patience", 3).is_err());
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` for a name that no limit has.
    pub fn set(&mut self, name: &str, value: u64) -> Result<()> {
        let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
            return Err(Error::usage(format!("no limit is called `{name}`, but {}", known.join(", "))));
        };
        *field(self) = value;
        Ok(())
    }

    /// The names of all limits and what they are.
    #[must_use]
    pub fn all(mut self) -> Vec<(&'static str, u64)> {
        FIELDS.iter().map(|(name, field)| (*name, *field(&mut self))).collect()
    }

    /// Refuses what passes the limit of that name.
    pub(crate) fn refuse(name: &str, what: impl Display) -> Error {
        Error::limit(format!("{what}; where the file is opened, the limit `{name}` can be raised"))
    }

    /// Refuses `asked` when it passes `most`, the limit of that name.
    pub(crate) fn check(asked: u64, (name, most): (&str, u64), what: &str) -> Result<()> {
        if asked <= most {
            return Ok(());
        }
        Err(Self::refuse(name, format!("{asked} {what}, at most {most}")))
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn every_limit_is_found_by_its_name() {
        let mut limits = Limits::default();
        for (number, (name, _)) in Limits::default().all().into_iter().enumerate() {
            limits.set(name, number as u64).unwrap();
        }
        let values: Vec<u64> = limits.all().into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, (0..values.len() as u64).collect::<Vec<_>>());
    }
}
