//! [`Conversion`]: how elements of one datatype become elements of another.

use super::bits::MAX_BYTES;
use super::numbers::{Loop, Plain, swap, swap_in_place};
use super::real::Real;
use super::string::FixedString;
use super::vlen::{Heap, fetch};
use super::{Class, Compound, Datatype, Enumeration, Float, Integer, Member, VariableKind};
use crate::error::{Error, Result};

/// Bytes of elements that are turned around at a time before a loop over little-endian numbers.
const SWAPPED: usize = 4096;

/// How elements of one datatype become elements of another, decided once for many elements.
///
/// Integers are clamped to the range of the result, floating-point numbers lose their fraction on the
/// way to an integer, everything else becomes the nearest value (to even when two are as near).
#[derive(Clone, Debug)]
pub(crate) struct Conversion {
    from: usize,
    to: usize,
    path: Path,
}

#[derive(Clone, Debug)]
enum Path {
    /// The bytes stay as they are.
    Copy,
    /// The bytes of each element are reversed.
    Swap,
    /// Both are numbers of the machine, but for their byte order.
    Plain { run: Loop, swap_from: bool, swap_to: bool },
    /// Numbers of any layout.
    Number(Number, Number),
    /// Bits, of which the lower ones stay.
    Bits(Integer, Integer),
    /// Values of an enumeration, sorted, with the bytes of the value of the same name.
    Names(Integer, Vec<(i128, Vec<u8>)>),
    /// Fixed strings.
    Text(FixedString, FixedString),
    /// Strings of any length into fixed ones.
    Shorten(FixedString),
    /// Parts at offsets; what no part fills is zero.
    Parts(Vec<Part>),
    /// As many elements in each as fit.
    Repeat(Box<Conversion>),
}

#[derive(Clone, Debug)]
struct Part {
    from: usize,
    to: usize,
    conversion: Conversion,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Integer(Integer),
    Float(Float),
}

impl Conversion {
    /// The way from elements of `from` to elements of `to`.
    ///
    /// # Errors
    /// `Unsupported` when HDF5 defines none.
    pub(crate) fn plan(from: &Datatype, to: &Datatype) -> Result<Self> {
        let path = if from == to { Some(Path::Copy) } else { path(from, to)? };
        let path = path.ok_or_else(|| Error::unsupported(format!("no conversion from {from} to {to}")))?;
        Ok(Self { from: from.size(), to: to.size(), path })
    }

    /// Whether the bytes stay as they are.
    pub(crate) fn is_copy(&self) -> bool {
        matches!(self.path, Path::Copy)
    }

    /// Bytes of an element before.
    pub(crate) fn source_size(&self) -> usize {
        self.from
    }

    /// Converts `count` elements, dense in both slices.
    ///
    /// # Errors
    /// `Usage` when a slice is too short; what the heap says of a variable-length element.
    pub(crate) fn run(&self, from: &[u8], to: &mut [u8], count: usize, heap: &dyn Heap) -> Result<()> {
        let (has_from, has_to) = (from.len(), to.len());
        let from = count.checked_mul(self.from).and_then(|length| from.get(..length));
        let to = count.checked_mul(self.to).and_then(|length| to.get_mut(..length));
        let (Some(from), Some(to)) = (from, to) else {
            return Err(Error::usage(format!(
                "{count} elements of {} and {} bytes do not fit buffers of {has_from} and {has_to} bytes",
                self.from, self.to
            )));
        };
        self.convert(from, to, heap)
    }

    fn convert(&self, from: &[u8], to: &mut [u8], heap: &dyn Heap) -> Result<()> {
        match &self.path {
            Path::Copy => to.copy_from_slice(from),
            Path::Swap => swap(self.from, from, to),
            Path::Plain { run, swap_from, swap_to } => {
                if *swap_from {
                    self.run_swapped(*run, from, to);
                } else {
                    run(from, to);
                }
                if *swap_to {
                    swap_in_place(self.to, to);
                }
            }
            Path::Number(of, into) => self.each(from, to, |from, to| into.store(of.load(from), to)),
            Path::Bits(of, into) => {
                let (_, most) = into.range();
                self.each(from, to, |from, to| {
                    into.store(of.load(from).unwrap_or(0) & most, to);
                });
            }
            Path::Names(of, names) => self.each(from, to, |from, to| rename(*of, names, from, to)),
            Path::Text(of, into) => self.each(from, to, |from, to| into.fill(of.characters(from), to)),
            Path::Shorten(into) => {
                for (from, to) in self.pairs(from, to) {
                    into.fill(until_nul(&fetch(from, 1, heap)?), to);
                }
            }
            Path::Parts(parts) => {
                to.fill(0);
                for (from, to) in self.pairs(from, to) {
                    for part in parts {
                        part.convert(from, to, heap)?;
                    }
                }
            }
            Path::Repeat(conversion) => conversion.convert(from, to, heap)?,
        }
        Ok(())
    }

    /// Turns some elements around, converts them, and so on; they stay in the cache meanwhile.
    fn run_swapped(&self, run: Loop, from: &[u8], to: &mut [u8]) {
        let mut swapped = [0; SWAPPED];
        let many = (SWAPPED / self.from.max(1)).max(1);
        for (from, to) in from.chunks(many * self.from.max(1)).zip(to.chunks_mut(many * self.to.max(1))) {
            let Some(swapped) = swapped.get_mut(..from.len()) else { return };
            swap(self.from, from, swapped);
            run(swapped, to);
        }
    }

    fn pairs<'a>(&self, from: &'a [u8], to: &'a mut [u8]) -> impl Iterator<Item = (&'a [u8], &'a mut [u8])> {
        from.chunks_exact(self.from.max(1)).zip(to.chunks_exact_mut(self.to.max(1)))
    }

    fn each(&self, from: &[u8], to: &mut [u8], convert: impl Fn(&[u8], &mut [u8])) {
        self.pairs(from, to).for_each(|(from, to)| convert(from, to));
    }
}

impl Part {
    fn new(from: &Member, to: &Member) -> Result<Self> {
        let conversion = Conversion::plan(from.datatype(), to.datatype())?;
        Ok(Self { from: from.offset(), to: to.offset(), conversion })
    }

    fn convert(&self, from: &[u8], to: &mut [u8], heap: &dyn Heap) -> Result<()> {
        let from = from.get(self.from..).and_then(|from| from.get(..self.conversion.from));
        let to = to.get_mut(self.to..).and_then(|to| to.get_mut(..self.conversion.to));
        match (from, to) {
            (Some(from), Some(to)) => self.conversion.convert(from, to, heap),
            _ => Err(Error::usage("a part lies outside its element")),
        }
    }
}

impl Number {
    fn load(&self, bytes: &[u8]) -> Real {
        match self {
            Self::Integer(integer) => Real::of_integer(integer.load(bytes).unwrap_or(0)),
            Self::Float(float) => float.load(bytes),
        }
    }

    fn store(&self, real: Real, bytes: &mut [u8]) {
        match self {
            Self::Integer(integer) => {
                let (least, most) = integer.range();
                integer.store(real.to_integer(least, most), bytes);
            }
            Self::Float(float) => float.store(real, bytes),
        }
    }
}

/// Which way there is, or none.
fn path(from: &Datatype, to: &Datatype) -> Result<Option<Path>> {
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
        (Class::Compound(of), Class::Compound(into)) => Some(parts(of, into)?),
        (Class::Complex(_), Class::Complex(_) | Class::Compound(_))
        | (Class::Compound(_), Class::Complex(_)) => match (halves(from), halves(to)) {
            (Some(of), Some(into)) => Some(Path::Repeat(Box::new(Conversion::plan(of, into)?))),
            _ => None,
        },
        (Class::Array(of), Class::Array(into)) => {
            let count = from.size().checked_div(of.base().size());
            let same = count == to.size().checked_div(into.base().size());
            let each = Conversion::plan(of.base(), into.base())?;
            let all = if each.is_copy() { Path::Copy } else { Path::Repeat(Box::new(each)) };
            (count.is_some() && same).then_some(all)
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
fn exact(from: &Datatype, to: &Datatype) -> Option<Path> {
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

/// A value without a name becomes all ones, as in libhdf5.
fn rename(of: Integer, names: &[(i128, Vec<u8>)], from: &[u8], to: &mut [u8]) {
    let at = of.load(from).and_then(|value| names.binary_search_by_key(&value, |(value, _)| *value).ok());
    match at.and_then(|at| names.get(at)) {
        Some((_, bytes)) if bytes.len() == to.len() => to.copy_from_slice(bytes),
        _ => to.fill(0xff),
    }
}

fn parts(of: &Compound, into: &Compound) -> Result<Path> {
    let mut sources: Vec<&Member> = of.members().iter().collect();
    sources.sort_by_key(|member| member.name_bytes());
    let mut parts = Vec::new();
    for member in into.members() {
        let found = sources.binary_search_by_key(&member.name_bytes(), |member| member.name_bytes());
        if let Some(source) = found.ok().and_then(|at| sources.get(at)) {
            parts.push(Part::new(source, member)?);
        }
    }
    Ok(Path::Parts(parts))
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

/// What a C string of these bytes would be.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    let length = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    bytes.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests;
