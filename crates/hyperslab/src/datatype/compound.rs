//! Compounds: named members at offsets.

use std::borrow::Cow;

use super::{Class, Datatype};
use crate::error::{Error, Result};

/// Most members of a compound or an enumeration: the format counts them in 16 bits.
pub(crate) const MAX_MEMBERS: usize = 0xffff;

/// Named members at offsets; they do not overlap, and lie within the compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compound {
    members: Vec<Member>,
}

/// One member of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    name: Vec<u8>,
    offset: usize,
    datatype: Datatype,
}

impl Member {
    pub(crate) fn new(name: Vec<u8>, offset: usize, datatype: Datatype) -> Self {
        Self { name, offset, datatype }
    }

    /// The name; bytes that are not `UTF-8` are replaced.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// The name as it is stored.
    #[must_use]
    pub fn name_bytes(&self) -> &[u8] {
        &self.name
    }

    /// Where the member begins within the compound, in bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What the member is.
    #[must_use]
    pub fn datatype(&self) -> &Datatype {
        &self.datatype
    }

    /// The member's bytes of an element of the compound.
    pub(crate) fn part<'a>(&self, element: &'a [u8]) -> &'a [u8] {
        element.get(self.offset..).and_then(|rest| rest.get(..self.datatype.size())).unwrap_or_default()
    }

    fn end(&self) -> Option<usize> {
        self.offset.checked_add(self.datatype.size())
    }
}

impl Compound {
    /// Checks that there are members, that they lie within `size` bytes and that none overlap.
    pub(crate) fn new(members: Vec<Member>, size: usize) -> Result<Self> {
        if members.is_empty() {
            return Err(Error::malformed("a compound has no members, at least 1 expected"));
        }
        if members.len() > MAX_MEMBERS {
            return Err(Error::malformed(format!(
                "a compound of {} members, at most 65535 expected",
                members.len()
            )));
        }
        let outside = |member: &Member| member.end().is_none_or(|end| end > size);
        if let Some(member) = members.iter().find(|member| outside(member)) {
            return Err(Error::malformed(format!(
                "member \"{}\" has {} bytes at {}, outside its compound of {size}",
                member.name(),
                member.datatype.size(),
                member.offset
            )));
        }
        let mut spans: Vec<&Member> = members.iter().collect();
        spans.sort_by_key(|member| member.offset);
        for (first, second) in spans.iter().zip(spans.iter().skip(1)) {
            if first.end().is_none_or(|end| end > second.offset) {
                return Err(Error::malformed(format!(
                    "members \"{}\" and \"{}\" of a compound overlap at {}",
                    first.name(),
                    second.name(),
                    second.offset
                )));
            }
        }
        Ok(Self { members })
    }

    /// Members that are known to be sound.
    pub(super) fn trusted(members: Vec<Member>) -> Self {
        Self { members }
    }

    /// The members, in the order they are stored.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &[u8]) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The two parts of a complex number, when this is one as h5py stores it: floats `r` and `i`.
    pub(crate) fn as_complex(&self) -> Option<(&Member, &Member)> {
        let [real, imaginary] = self.members.as_slice() else { return None };
        let floats = matches!(real.datatype.class(), Class::Float(_)) && real.datatype == imaginary.datatype;
        (real.name == b"r" && imaginary.name == b"i" && floats).then_some((real, imaginary))
    }
}

/// Collects the members of a compound; see [`Datatype::compound`].
#[derive(Clone, Debug, Default)]
pub struct CompoundBuilder {
    members: Vec<Member>,
    size: usize,
}

impl CompoundBuilder {
    /// Adds a member right behind the others.
    #[must_use]
    pub fn member(self, name: &str, datatype: Datatype) -> Self {
        let offset = self.size;
        self.member_at(name, offset, datatype)
    }

    /// Adds a member at `offset` bytes.
    #[must_use]
    pub fn member_at(mut self, name: &str, offset: usize, datatype: Datatype) -> Self {
        self.size = self.size.max(offset.saturating_add(datatype.size()));
        self.members.push(Member::new(name.as_bytes().to_vec(), offset, datatype));
        self
    }

    /// The datatype, as large as its members need.
    ///
    /// # Errors
    /// `Usage` when there are no members, two overlap or share a name, or a name holds a NUL.
    pub fn build(self) -> Result<Datatype> {
        let size = self.size;
        self.build_sized(size)
    }

    /// The datatype with `size` bytes, which may be more than its members need.
    ///
    /// # Errors
    /// As [`build`](Self::build), and when a member lies outside.
    pub fn build_sized(self, size: usize) -> Result<Datatype> {
        let mut names: Vec<&[u8]> = self.members.iter().map(Member::name_bytes).collect();
        check_names(&mut names)?;
        let newest = self.members.iter().map(|member| member.datatype.version()).max().unwrap_or(1);
        let compound = Compound::new(self.members, size).map_err(|error| Error::usage(error.to_string()))?;
        if u32::try_from(size).is_err() {
            return Err(Error::usage(format!("a compound of {size} bytes, the format has 32 bits for it")));
        }
        Ok(Datatype::new(size, newest, Class::Compound(compound)))
    }
}

/// Fails when two names are the same or one cannot be stored.
pub(super) fn check_names(names: &mut [&[u8]]) -> Result<()> {
    names.sort_unstable();
    let twice = names.iter().zip(names.iter().skip(1)).find(|(first, second)| first == second);
    if let Some((name, _)) = twice {
        return Err(Error::usage(format!("the name \"{}\" occurs twice", name.escape_ascii())));
    }
    if let Some(name) = names.iter().find(|name| name.contains(&0)) {
        return Err(Error::usage(format!("the name \"{}\" holds a NUL", name.escape_ascii())));
    }
    Ok(())
}

impl Datatype {
    /// Begins a compound.
    ///
    /// ```
    /// # fn main() -> hyperslab::Result<()> {
    /// use hyperslab::Datatype;
    /// let point = Datatype::compound()
    ///     .member("x", Datatype::of::<f64>())
    ///     .member("n", Datatype::of::<i32>())
    ///     .build()?;
    /// assert_eq!(point.size(), 12);
    /// assert_eq!(point.to_string(), "compound {x: f64, n: i32}");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn compound() -> CompoundBuilder {
        CompoundBuilder::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::Datatype;

    #[test]
    fn members_may_not_overlap_nor_share_a_name() {
        let number = Datatype::of::<i32>;
        let overlap = Datatype::compound().member_at("a", 0, number()).member_at("b", 3, number()).build();
        assert!(overlap.unwrap_err().to_string().contains("overlap at 3"));
        let twice = Datatype::compound().member("a", number()).member("a", number()).build();
        assert!(twice.unwrap_err().to_string().contains("occurs twice"));
        assert!(Datatype::compound().build().is_err());
    }
}
