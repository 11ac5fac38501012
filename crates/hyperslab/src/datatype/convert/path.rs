//! Which conversion there is between two datatypes.

use super::{Conversion, Heaps, Number, Part, Path};
use crate::datatype::bits::MAX_BYTES;
use crate::datatype::numbers::Plain;
use crate::datatype::{Class, Compound, Datatype, Enumeration, Member, VariableKind};
use crate::error::{Error, Result};

/// Which way there is, or none.
pub(super) fn path(from: &Datatype, to: &Datatype, heaps: Heaps) -> Result<Option<Path>> {
    let found = match (from.class(), to.class()) {
        (Class::String(of), Class::String(into)) => Some(Path::Text(*of, *into)),
        (Class::Bitfield(of), Class::Bitfield(into)) if small(from, to) => {
            Some(Path::Bits(of.as_integer(), into.as_integer()))
        }
        (Class::Opaque(of), Class::Opaque(into)) if from.size() == to.size() => {
            (of.tag() == into.tag()).then_some(Path::Copy)
        }
        (Class::Reference(of), Class::Reference(into)) if from.size() == to.size() => {
            (of.kind == into.kind).then_some(Path::Copy)
        }
        (Class::Enumeration(of), Class::Enumeration(into)) => Some(names(of, into)?),
        (Class::Enumeration(of), Class::Integer(_) | Class::Float(_)) => number(of.base(), to),
        (Class::Integer(_), Class::Enumeration(into)) => number(from, into.base()),
        (Class::Compound(of), Class::Compound(into)) => Some(parts(of, into, heaps)?),
        (Class::Complex(_), Class::Complex(_) | Class::Compound(_))
        | (Class::Compound(_), Class::Complex(_)) => match (halves(from), halves(to)) {
            (Some(of), Some(into)) => Some(Path::Repeat(Box::new(Conversion::plan(of, into)?))),
            _ => None,
        },
        (Class::Array(of), Class::Array(into)) => {
            let count = from.size().checked_div(of.base().size());
            let same = count == to.size().checked_div(into.base().size());
            let each = Conversion::plan_as(of.base(), into.base(), heaps)?;
            let all = if each.is_copy() { Path::Copy } else { Path::Repeat(Box::new(each)) };
            (count.is_some() && same).then_some(all)
        }
        (Class::VariableLength(of), Class::VariableLength(into)) if heaps == Heaps::Two => {
            let each = Conversion::plan_as(of.base(), into.base(), heaps)?;
            let same =
                matches!(of.kind(), VariableKind::Sequence) == matches!(into.kind(), VariableKind::Sequence);
            same.then(|| Path::Rehome(Box::new(each)))
        }
        (Class::VariableLength(of), Class::VariableLength(into)) if from.size() == to.size() => {
            let strings = matches!(
                (of.kind(), into.kind()),
                (VariableKind::String { .. }, VariableKind::String { .. })
            );
            (strings || of == into).then_some(Path::Copy)
        }
        (Class::VariableLength(of), Class::String(into)) => match of.kind() {
            VariableKind::String { .. } => Some(Path::Shorten(*into)),
            VariableKind::Sequence => None,
        },
        (Class::String(of), Class::VariableLength(into)) => match into.kind() {
            VariableKind::String { .. } => Some(Path::Lengthen(*of)),
            VariableKind::Sequence => None,
        },
        _ => number(from, to),
    };
    Ok(found)
}

fn small(from: &Datatype, to: &Datatype) -> bool {
    from.size() <= MAX_BYTES && to.size() <= MAX_BYTES
}

/// Between numbers, bitfields as numbers without a sign.
fn number(from: &Datatype, to: &Datatype) -> Option<Path> {
    if let (Some((of, big)), Some((into, into_big))) = (Plain::of(from), Plain::of(to)) {
        if of == into {
            return Some(if big == into_big { Path::Copy } else { Path::Swap });
        }
        // What is no number becomes 0, unless the machine converts in its own order.
        let exact = of.is_float() && !into.is_float() && (big || into_big);
        if let Some(run) = of.loop_to(into).filter(|_| !exact) {
            return Some(Path::Plain { run, swap_from: big, swap_to: into_big });
        }
    }
    exact(from, to)
}

/// Between numbers of any layout, bit by bit.
pub(super) fn exact(from: &Datatype, to: &Datatype) -> Option<Path> {
    let layout = |datatype: &Datatype| match datatype.class() {
        Class::Integer(integer) if datatype.size() <= MAX_BYTES => Some(Number::Integer(*integer)),
        Class::Bitfield(bits) if datatype.size() <= MAX_BYTES => Some(Number::Integer(bits.as_integer())),
        Class::Float(float) if float.is_known(datatype.size()) => Some(Number::Float(*float)),
        _ => None,
    };
    Some(Path::Number(layout(from)?, layout(to)?))
}

/// Every name of `of` must be one of `into`.
fn names(of: &Enumeration, into: &Enumeration) -> Result<Path> {
    let Some(integer) = of.integer() else { return Err(Error::unsupported("an enumeration of no integer")) };
    let mut targets: Vec<(&[u8], &[u8])> = into.stored().collect();
    targets.sort_unstable_by_key(|(name, _)| *name);
    let mut found = Vec::new();
    for (name, value) in of.members() {
        let target =
            targets.binary_search_by_key(&name, |(name, _)| *name).ok().and_then(|at| targets.get(at));
        let Some((_, bytes)) = target else {
            let name = String::from_utf8_lossy(name);
            return Err(Error::unsupported(format!("the enumeration converted to has no \"{name}\"")));
        };
        found.push((value, bytes.to_vec()));
    }
    found.sort_by_key(|(value, _)| *value);
    Ok(Path::Names(*integer, found))
}

fn parts(of: &Compound, into: &Compound, heaps: Heaps) -> Result<Path> {
    let mut sources: Vec<&Member> = of.members().iter().collect();
    sources.sort_by_key(|member| member.name_bytes());
    let mut parts = Vec::new();
    for member in into.members() {
        let found = sources.binary_search_by_key(&member.name_bytes(), |member| member.name_bytes());
        if let Some(source) = found.ok().and_then(|at| sources.get(at)) {
            parts.push(Part::new(source, member, heaps)?);
        }
    }
    let missing = parts.len() < into.members().len();
    let partial = missing || parts.iter().any(|part| part.conversion.is_partial());
    Ok(Path::Parts { parts, partial })
}

/// The datatype of both parts of a complex number that lie one after the other.
fn halves(datatype: &Datatype) -> Option<&Datatype> {
    match datatype.class() {
        Class::Complex(complex) => Some(complex.base()),
        Class::Compound(compound) => {
            let (real, imaginary) = compound.as_complex()?;
            let size = real.datatype().size();
            let dense = real.offset() == 0 && imaginary.offset() == size && datatype.size() == size * 2;
            dense.then(|| real.datatype())
        }
        _ => None,
    }
}
