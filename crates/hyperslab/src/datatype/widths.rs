//! Datatypes in files whose addresses have another width: what points into a file is as wide as they are.

use super::{Array, Class, Compound, Datatype, Member, ReferenceKind, VariableLength};
use crate::error::Result;

/// Bytes of a variable-length element besides an address: its length and an index.
const BESIDE: usize = 8;
/// Bytes of a region reference besides an address: an index.
const INDEX: usize = 4;

impl Datatype {
    /// The same datatype as a file with addresses of `width` bytes stores it.
    ///
    /// # Errors
    /// `Limit` when an element becomes too large.
    pub(crate) fn with_addresses(&self, width: usize) -> Result<Self> {
        let (size, class) = match self.class() {
            Class::VariableLength(of) => {
                let base = of.base().with_addresses(width)?;
                (width.saturating_add(BESIDE), Class::VariableLength(VariableLength::new(of.kind(), base)))
            }
            Class::Reference(of) if of.kind == ReferenceKind::Object => (width, self.class().clone()),
            Class::Reference(of) if of.kind == ReferenceKind::Region => {
                (width.saturating_add(INDEX), self.class().clone())
            }
            Class::Array(of) => {
                let (array, size) = Array::new(of.base().with_addresses(width)?, of.dims().to_vec())?;
                (size, Class::Array(array))
            }
            Class::Compound(of) => {
                let (members, size) = moved(of.members(), self.size(), width)?;
                (size, Class::Compound(Compound::new(members, size)?))
            }
            _ => return Ok(self.clone()),
        };
        Ok(Self::new(size, self.version(), class))
    }
}

/// Members in their order, each moved by what those before it in the element grew or shrank; and the
/// size of the whole.
fn moved(members: &[Member], size: usize, width: usize) -> Result<(Vec<Member>, usize)> {
    let datatypes = members.iter().map(|member| member.datatype().with_addresses(width));
    let datatypes = datatypes.collect::<Result<Vec<_>>>()?;
    let shifted = |end: usize| {
        let before = members.iter().zip(&datatypes).filter(|(member, _)| member.offset() < end);
        before.fold(end, |at, (member, datatype)| {
            at.saturating_add(datatype.size()).saturating_sub(member.datatype().size())
        })
    };
    let placed = members.iter().zip(&datatypes).map(|(member, datatype)| {
        Member::new(member.name_bytes().to_vec(), shifted(member.offset()), datatype.clone())
    });
    Ok((placed.collect(), shifted(size)))
}

#[cfg(test)]
mod tests {
    use crate::datatype::{CharacterSet, Datatype};

    #[test]
    fn members_move_by_what_those_before_them_grow() {
        let text = Datatype::variable_string(CharacterSet::Utf8);
        let wide = Datatype::compound()
            .member("a", Datatype::of::<u8>())
            .member("text", text)
            .member("of", Datatype::object_reference())
            .member("b", Datatype::of::<u16>())
            .build()
            .unwrap();
        let narrow = wide.with_addresses(4).unwrap();
        let crate::Class::Compound(of) = narrow.class() else { panic!() };
        let offsets: Vec<usize> = of.members().iter().map(crate::Member::offset).collect();
        assert_eq!((offsets, narrow.size()), (vec![0, 1, 13, 17], 19));
        assert_eq!(narrow.with_addresses(8).unwrap(), wide);
    }
}
