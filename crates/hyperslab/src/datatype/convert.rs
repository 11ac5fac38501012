//! [`Conversion`]: how elements of one datatype become elements of another.

use super::numbers::{Loop, swap, swap_in_place};
use super::real::Real;
use super::string::FixedString;
use super::vlen::{Heap, fetch, insert};
use super::{Datatype, Float, Integer, Member};
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
    /// Fixed strings into ones of any length.
    Lengthen(FixedString),
    /// Elements of one heap into those of another.
    Rehome(Box<Conversion>),
    /// Parts at offsets; what no part fills is zero, or stays when it is asked to.
    Parts { parts: Vec<Part>, partial: bool },
    /// As many elements in each as fit.
    Repeat(Box<Conversion>),
}

/// Whether variable-length elements stay where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heaps {
    Same,
    Two,
}

/// What a conversion is run with.
#[derive(Clone, Copy)]
struct Run<'a> {
    heap: &'a dyn Heap,
    /// Whether members that have no source stay what they are.
    keep: bool,
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
        Self::plan_as(from, to, Heaps::Same)
    }

    /// As [`plan`](Self::plan), where what is of variable length moves from one heap to another.
    ///
    /// # Errors
    /// `Unsupported` when HDF5 defines no conversion.
    #[cfg(test)]
    pub(crate) fn plan_between(from: &Datatype, to: &Datatype) -> Result<Self> {
        Self::plan_as(from, to, Heaps::Two)
    }

    fn plan_as(from: &Datatype, to: &Datatype, heaps: Heaps) -> Result<Self> {
        let same = from == to && (heaps == Heaps::Same || !from.has_variable_length());
        let path = if same { Some(Path::Copy) } else { path::path(from, to, heaps)? };
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

    /// Bytes of an element after.
    pub(crate) fn target_size(&self) -> usize {
        self.to
    }

    /// Whether only some members of a compound are converted, so that the others may stay.
    pub(crate) fn is_partial(&self) -> bool {
        match &self.path {
            Path::Parts { partial, .. } => *partial,
            Path::Repeat(each) => each.is_partial(),
            _ => false,
        }
    }

    /// Whether elements are put into a heap.
    pub(crate) fn fills_heap(&self) -> bool {
        match &self.path {
            Path::Lengthen(_) | Path::Rehome(_) => true,
            Path::Parts { parts, .. } => parts.iter().any(|part| part.conversion.fills_heap()),
            Path::Repeat(each) => each.fills_heap(),
            _ => false,
        }
    }

    /// Converts `count` elements, dense in both slices.
    ///
    /// # Errors
    /// `Usage` when a slice is too short; what the heap says of a variable-length element.
    pub(crate) fn run(&self, from: &[u8], to: &mut [u8], count: usize, heap: &dyn Heap) -> Result<()> {
        self.convert_dense(from, to, count, Run { heap, keep: false })
    }

    /// As [`run`](Self::run), where members of `to` that `from` lacks stay what they are.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn lay_over(&self, from: &[u8], to: &mut [u8], count: usize, heap: &dyn Heap) -> Result<()> {
        self.convert_dense(from, to, count, Run { heap, keep: true })
    }

    fn convert_dense(&self, from: &[u8], to: &mut [u8], count: usize, run: Run<'_>) -> Result<()> {
        let (has_from, has_to) = (from.len(), to.len());
        let from = count.checked_mul(self.from).and_then(|length| from.get(..length));
        let to = count.checked_mul(self.to).and_then(|length| to.get_mut(..length));
        let (Some(from), Some(to)) = (from, to) else {
            return Err(Error::usage(format!(
                "{count} elements of {} and {} bytes do not fit buffers of {has_from} and {has_to} bytes",
                self.from, self.to
            )));
        };
        self.convert(from, to, run)
    }

    fn convert(&self, from: &[u8], to: &mut [u8], context: Run<'_>) -> Result<()> {
        let heap = context.heap;
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
            Path::Lengthen(of) => {
                for (from, to) in self.pairs(from, to) {
                    insert(of.characters(from), 1, to, heap)?;
                }
            }
            Path::Rehome(each) => {
                for (from, to) in self.pairs(from, to) {
                    each.rehome(from, to, heap)?;
                }
            }
            Path::Parts { parts, partial } => {
                if !(*partial && context.keep) {
                    to.fill(0);
                }
                for (from, to) in self.pairs(from, to) {
                    for part in parts {
                        part.convert(from, to, context)?;
                    }
                }
            }
            Path::Repeat(conversion) => conversion.convert(from, to, context)?,
        }
        Ok(())
    }

    /// Makes a sequence of elements converted so, in the other heap.
    fn rehome(&self, from: &[u8], to: &mut [u8], heap: &dyn Heap) -> Result<()> {
        let elements = fetch(from, self.from, heap)?;
        let count = elements.len().checked_div(self.from).unwrap_or(0);
        let length = count.checked_mul(self.to);
        let length = length.ok_or_else(|| Error::limit("a sequence passes 2^64 bytes"))?;
        let mut converted = vec![0; length];
        self.convert_dense(&elements, &mut converted, count, Run { heap, keep: false })?;
        insert(&converted, self.to, to, heap)
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
    fn new(from: &Member, to: &Member, heaps: Heaps) -> Result<Self> {
        let conversion = Conversion::plan_as(from.datatype(), to.datatype(), heaps)?;
        Ok(Self { from: from.offset(), to: to.offset(), conversion })
    }

    fn convert(&self, from: &[u8], to: &mut [u8], run: Run<'_>) -> Result<()> {
        let from = from.get(self.from..).and_then(|from| from.get(..self.conversion.from));
        let to = to.get_mut(self.to..).and_then(|to| to.get_mut(..self.conversion.to));
        match (from, to) {
            (Some(from), Some(to)) => self.conversion.convert(from, to, run),
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

/// A value without a name becomes all ones, as in libhdf5.
fn rename(of: Integer, names: &[(i128, Vec<u8>)], from: &[u8], to: &mut [u8]) {
    let at = of.load(from).and_then(|value| names.binary_search_by_key(&value, |(value, _)| *value).ok());
    match at.and_then(|at| names.get(at)) {
        Some((_, bytes)) if bytes.len() == to.len() => to.copy_from_slice(bytes),
        _ => to.fill(0xff),
    }
}

/// What a C string of these bytes would be.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    let length = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    bytes.get(..length).unwrap_or_default()
}

mod path;
#[cfg(test)]
mod tests;
