//! [`Value`]: one element in a form that can be shown, whatever its datatype.

use super::convert::until_nul;
use super::decimal::LongFloat;
use super::vlen::{Heap, fetch};
use super::{Class, Datatype, Enumeration, Float, Integer, VariableKind};
use crate::error::{Error, Place, Result};
use crate::limits::Limits;

/// One element, in a form that can be shown.
///
/// Names of members and of enumerated values are in the [`Datatype`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// An integer, a bitfield or a time of at most 16 bytes.
    Integer(i128),
    /// A floating-point number of at most 8 bytes.
    Float(f64),
    /// A longer floating-point number.
    LongFloat(LongFloat),
    /// Real and imaginary part.
    Complex(f64, f64),
    /// The bytes of a string, without what fills it up.
    String(Vec<u8>),
    /// Opaque bytes, or those of a number of more than 16 bytes.
    Opaque(Vec<u8>),
    /// The values of the members, in the order they are stored.
    Compound(Vec<Value>),
    /// The elements of an array, in row-major order.
    Array(Vec<Value>),
    /// The elements of a sequence.
    Sequence(Vec<Value>),
    /// The bytes of a reference as they are stored.
    Reference(Vec<u8>),
    /// The value of an enumeration.
    Enum(i128),
    /// A boolean: an enumeration of `FALSE` and `TRUE`.
    Bool(bool),
}

impl Value {
    /// The value of one element.
    ///
    /// # Errors
    /// `Malformed` when `bytes` is shorter than an element, `Unsupported` for a floating-point layout out
    /// of the ordinary, `Limit` when nested sequences unfold to more than the limit; what the heap says.
    pub(crate) fn decode(datatype: &Datatype, bytes: &[u8], heap: &dyn Heap) -> Result<Self> {
        Decoder { heap, left: heap.most_unfolded(), level: 0 }.value(datatype, bytes)
    }
}

struct Decoder<'a> {
    heap: &'a dyn Heap,
    /// Bytes that may still be taken from the heap below the first level.
    /// Bytes that sequences within sequences may still take from the heap: their elements may all point at the
    /// same bytes, so that a small file could otherwise unfold without end.
    left: u64,
    /// Sequences around the current one.
    level: usize,
}

impl Decoder<'_> {
    fn value(&mut self, datatype: &Datatype, bytes: &[u8]) -> Result<Value> {
        let size = datatype.size();
        let bytes = bytes.get(..size).ok_or_else(|| {
            Error::malformed(format!("{} bytes for an element of {size}, {datatype}", bytes.len()))
        })?;
        match datatype.class() {
            Class::Integer(of) => Ok(integer(*of, bytes)),
            Class::Float(of) => float(of, datatype, bytes),
            Class::Time(of) => Ok(integer(of.as_integer(), bytes)),
            Class::String(of) => Ok(Value::String(of.trim(bytes).to_vec())),
            Class::Bitfield(of) => Ok(integer(of.as_integer(), bytes)),
            Class::Opaque(_) => Ok(Value::Opaque(bytes.to_vec())),
            Class::Compound(of) => {
                if let Some((real, imaginary)) = of.as_complex() {
                    let part = real.datatype();
                    return Ok(Value::Complex(
                        double(part, real.part(bytes))?,
                        double(part, imaginary.part(bytes))?,
                    ));
                }
                let value = |member: &super::Member| {
                    self.value(member.datatype(), member.part(bytes))
                        .at(|| format!("member \"{}\"", member.name()))
                };
                Ok(Value::Compound(of.members().iter().map(value).collect::<Result<_>>()?))
            }
            Class::Reference(_) => Ok(Value::Reference(bytes.to_vec())),
            Class::Enumeration(of) => Ok(named(of, bytes)),
            Class::VariableLength(of) => match of.kind() {
                VariableKind::String { .. } => Ok(Value::String(until_nul(&self.fetch(bytes, 1)?).to_vec())),
                VariableKind::Sequence => {
                    let elements = self.fetch(bytes, of.base().size())?;
                    self.level += 1;
                    let values = self.values(of.base(), &elements);
                    self.level -= 1;
                    Ok(Value::Sequence(values?))
                }
            },
            Class::Array(of) => Ok(Value::Array(self.values(of.base(), bytes)?)),
            Class::Complex(of) => {
                let (real, imaginary) = bytes.split_at_checked(of.base().size()).unwrap_or_default();
                Ok(Value::Complex(double(of.base(), real)?, double(of.base(), imaginary)?))
            }
        }
    }

    fn values(&mut self, datatype: &Datatype, bytes: &[u8]) -> Result<Vec<Value>> {
        bytes.chunks_exact(datatype.size().max(1)).map(|bytes| self.value(datatype, bytes)).collect()
    }

    fn fetch(&mut self, stored: &[u8], size: usize) -> Result<Vec<u8>> {
        let bytes = fetch(stored, size, self.heap)?;
        if self.level > 0 {
            // What an element costs beside its bytes counts too.
            self.left = self.left.checked_sub(bytes.len().saturating_add(16) as u64).ok_or_else(|| {
                let most = self.heap.most_unfolded();
                let what = format!("sequences within one element unfold to more than {most} bytes");
                Limits::refuse("unfolded_bytes", what)
            })?;
        }
        Ok(bytes)
    }
}

fn integer(of: Integer, bytes: &[u8]) -> Value {
    of.load(bytes).map_or_else(|| Value::Opaque(bytes.to_vec()), Value::Integer)
}

fn named(of: &Enumeration, bytes: &[u8]) -> Value {
    let Some(value) = of.integer().and_then(|integer| integer.load(bytes)) else {
        return Value::Opaque(bytes.to_vec());
    };
    if of.is_boolean() && (0..=1).contains(&value) { Value::Bool(value == 1) } else { Value::Enum(value) }
}

fn float(of: &Float, datatype: &Datatype, bytes: &[u8]) -> Result<Value> {
    if datatype.size() <= 8 {
        return double(datatype, bytes).map(Value::Float);
    }
    // Exponents of more bits have no place in a number people write down.
    if !of.is_known(datatype.size()) || of.exponent_size > 15 || of.exponent_bias > 1 << 15 {
        return Err(Error::unsupported(format!("the value of a {datatype}")));
    }
    Ok(Value::LongFloat(LongFloat::new(of.load(bytes))))
}

/// The nearest double of a floating-point number.
fn double(datatype: &Datatype, bytes: &[u8]) -> Result<f64> {
    match datatype.class() {
        Class::Float(of) if of.is_known(datatype.size()) => Ok(of.load(bytes).to_f64()),
        _ => Err(Error::unsupported(format!("the value of a {datatype}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::Value;
    use crate::datatype::vlen::{Heap, NoHeap};
    use crate::datatype::{ByteOrder, CharacterSet, Datatype, Float, StringPadding};
    use crate::error::{ErrorKind, Result};

    fn decode(datatype: &Datatype, bytes: &[u8]) -> Value {
        Value::decode(datatype, bytes, &NoHeap).unwrap()
    }

    #[test]
    fn plain_elements_are_their_values() {
        assert_eq!(decode(&Datatype::integer(2, true, ByteOrder::Big), &[0xff, 0xfe]), Value::Integer(-2));
        assert_eq!(decode(&Datatype::float(Float::HALF), &[0, 0x3e]), Value::Float(1.5));
        assert_eq!(decode(&Datatype::boolean(), &[1]), Value::Bool(true));
        assert_eq!(decode(&Datatype::boolean(), &[2]), Value::Enum(2));
        assert_eq!(decode(&Datatype::bitfield(1, ByteOrder::Little), &[0xff]), Value::Integer(255));
        let string = Datatype::string_as(4, StringPadding::SpacePadded, CharacterSet::Ascii);
        assert_eq!(decode(&string, b"ab  "), Value::String(b"ab".to_vec()));
        assert_eq!(
            decode(&Datatype::integer(17, false, ByteOrder::Big), &[7; 17]),
            Value::Opaque(vec![7; 17])
        );
    }

    #[test]
    fn composed_elements_hold_the_values_of_their_parts() {
        let part = Datatype::complex(Float::SINGLE);
        let element = Datatype::compound()
            .member("z", part)
            .member("n", Datatype::array(Datatype::of::<u8>(), &[2]).unwrap())
            .build()
            .unwrap();
        let value = decode(&element, &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 3, 4]);
        let array = Value::Array(vec![Value::Integer(3), Value::Integer(4)]);
        assert_eq!(value, Value::Compound(vec![Value::Complex(1.0, -2.0), array]));
    }

    /// Every element holds twice the same two elements.
    #[derive(Debug)]
    struct Mirror;

    impl Heap for Mirror {
        fn fetch(&self, stored: &[u8]) -> Result<Vec<u8>> {
            Ok(stored.repeat(2))
        }
    }

    #[test]
    fn sequences_come_from_the_heap() {
        let mut stored = [0; 16];
        stored[0] = 2;
        let sequence = Datatype::variable_length(Datatype::integer(2, false, ByteOrder::Little));
        let value = Value::decode(&sequence, &stored, &Mirror).unwrap();
        assert_eq!(value, Value::Sequence(vec![Value::Integer(2), Value::Integer(0)]));
        assert_eq!(decode(&sequence, &[0; 16]), Value::Sequence(Vec::new()));
        stored[0] = 17;
        assert_eq!(Value::decode(&sequence, &stored, &Mirror).unwrap_err().kind(), ErrorKind::Malformed);
    }

    #[test]
    fn sequences_that_hold_themselves_do_not_unfold_without_end() {
        let mut stored = [0; 16];
        stored[0] = 2;
        let mut datatype = Datatype::of::<u8>();
        for _ in 0..30 {
            datatype = Datatype::variable_length(datatype);
        }
        assert_eq!(Value::decode(&datatype, &stored, &Mirror).unwrap_err().kind(), ErrorKind::Limit);
    }
}
