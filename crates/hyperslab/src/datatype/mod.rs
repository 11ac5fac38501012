//! Datatypes: what an element is, bit for bit, and how elements of one become those of another.

mod array;
mod bits;
mod complex;
mod compound;
mod convert;
mod decimal;
mod element;
mod encode;
mod enumeration;
mod float;
mod integer;
mod numbers;
mod real;
mod record;
mod reference;
mod string;
mod text;
mod value;
mod vlen;
mod widths;

pub use array::Array;
pub use complex::Complex;
pub(crate) use convert::Conversion;
pub(crate) use vlen::Heap;
pub(crate) use vlen::HeapWriter;
pub(crate) use vlen::NoHeap;

pub use compound::{Compound, CompoundBuilder, Member};
pub use decimal::LongFloat;
pub use element::Element;
pub use enumeration::Enumeration;
pub use float::{Float, Normalization};
pub use integer::{Bitfield, ByteOrder, Integer, Time};
pub use record::{Record, Text};
pub use reference::{Reference, ReferenceKind};
pub use string::{CharacterSet, FixedString, Opaque, StringPadding};
pub use value::Value;
pub use vlen::{VariableKind, VariableLength};

/// What one element is: its class with every property the format stores, and its size in bytes.
///
/// Two datatypes are equal when their elements are; the version their message was written with does
/// not count.
///
/// ```
/// use hyperslab::Datatype;
/// assert_eq!(Datatype::of::<f32>().size(), 4);
/// assert_eq!(Datatype::of::<i16>().to_string(), "i16");
/// ```
#[derive(Clone, Debug)]
pub struct Datatype {
    size: usize,
    version: u8,
    class: Class,
}

/// The eleven kinds of datatype, each with the properties it is stored with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// A fixed-point number.
    Integer(Integer),
    /// A floating-point number.
    Float(Float),
    /// A point in time; the format names the class but not its meaning.
    Time(Time),
    /// Characters in a fixed number of bytes.
    String(FixedString),
    /// Bits that are no number.
    Bitfield(Bitfield),
    /// Bytes of which only their owner knows the meaning.
    Opaque(Opaque),
    /// Named members at offsets.
    Compound(Compound),
    /// A pointer to an object, a region or an attribute.
    Reference(Reference),
    /// Names for some values of an integer.
    Enumeration(Enumeration),
    /// A sequence or string whose length differs by element; stored in a heap of the file.
    VariableLength(VariableLength),
    /// A fixed number of elements of another datatype.
    Array(Array),
    /// A complex number: two floating-point numbers.
    Complex(Complex),
}

impl PartialEq for Datatype {
    fn eq(&self, other: &Self) -> bool {
        self.size == other.size && self.class == other.class
    }
}

impl Eq for Datatype {}

impl Datatype {
    /// The datatype of a Rust type in memory.
    #[must_use]
    pub fn of<T: Element>() -> Self {
        T::datatype()
    }

    pub(crate) fn new(size: usize, version: u8, class: Class) -> Self {
        Self { size, version, class }
    }

    /// Bytes of one element; for variable-length data the bytes of its pointer into the heap.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The kind of datatype, with its properties.
    #[must_use]
    pub fn class(&self) -> &Class {
        &self.class
    }

    /// The version of the message this datatype was read from, else the oldest that can say it.
    pub(crate) fn version(&self) -> u8 {
        self.version
    }

    /// Whether some bytes of an element are kept in a heap of the file.
    #[must_use]
    pub fn has_variable_length(&self) -> bool {
        match &self.class {
            Class::VariableLength(_) => true,
            Class::Array(array) => array.base().has_variable_length(),
            Class::Compound(compound) => {
                compound.members().iter().any(|member| member.datatype().has_variable_length())
            }
            _ => false,
        }
    }

    /// Whether some bytes of an element point at an object of the file.
    #[must_use]
    pub fn has_reference(&self) -> bool {
        match &self.class {
            Class::Reference(_) => true,
            Class::VariableLength(variable) => variable.base().has_reference(),
            Class::Array(array) => array.base().has_reference(),
            Class::Compound(compound) => {
                compound.members().iter().any(|member| member.datatype().has_reference())
            }
            _ => false,
        }
    }
}
