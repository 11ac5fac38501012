//! [`Value`]s as the bytes of elements: the inverse of decoding them.

use super::real::Real;
use super::vlen::{HeapWriter, put};
use super::{Class, Datatype, Enumeration, Float, Integer, Member, Value, VariableKind};
use crate::error::{Error, Place, Result};

impl Value {
    /// The bytes of one element, stored as `datatype`; what is of variable length goes to the heap.
    ///
    /// # Errors
    /// `Usage` when the value is not one of the datatype or does not fit it; what the heap says.
    pub(crate) fn encode(datatype: &Datatype, value: &Self, heap: &dyn HeapWriter) -> Result<Vec<u8>> {
        let mut element = vec![0; datatype.size()];
        encode_into(datatype, value, &mut element, heap)?;
        Ok(element)
    }
}

fn encode_into(datatype: &Datatype, value: &Value, element: &mut [u8], heap: &dyn HeapWriter) -> Result<()> {
    match (datatype.class(), value) {
        (Class::Integer(of), value) => integer(*of, datatype, value, element),
        (Class::Time(of), value) => integer(of.as_integer(), datatype, value, element),
        (Class::Bitfield(of), value) => integer(of.as_integer(), datatype, value, element),
        (Class::Float(of), value) => float(of, datatype, value, element),
        (Class::String(of), Value::String(characters)) => {
            of.fill(characters, element);
            Ok(())
        }
        (Class::Opaque(_), Value::Opaque(bytes)) | (Class::Reference(_), Value::Reference(bytes)) => {
            bytes_as_they_are(datatype, bytes, element)
        }
        (Class::Enumeration(of), value) => enumerated(of, datatype, value, element),
        (Class::Compound(of), value) => compound(of.members(), datatype, value, element, heap),
        (Class::Array(of), Value::Array(values)) => {
            let count = element.len().checked_div(of.base().size());
            if count != Some(values.len()) {
                return Err(Error::usage(format!("{} values for one {datatype}", values.len())));
            }
            encode_all(of.base(), values, element, heap)
        }
        (Class::VariableLength(of), value) => match (of.kind(), value) {
            (VariableKind::String { .. }, Value::String(characters)) => put(characters, 1, element, heap),
            (VariableKind::Sequence, Value::Sequence(values)) => {
                let size = of.base().size();
                let length = values.len().checked_mul(size);
                let mut elements =
                    vec![0; length.ok_or_else(|| Error::limit("a sequence passes 2^64 bytes"))?];
                encode_all(of.base(), values, &mut elements, heap)?;
                put(&elements, size, element, heap)
            }
            _ => Err(mismatch(datatype, value)),
        },
        (Class::Complex(of), Value::Complex(real, imaginary)) => {
            let (first, second) = element.split_at_mut_checked(of.base().size()).unwrap_or_default();
            double(of.base(), *real, first)?;
            double(of.base(), *imaginary, second)
        }
        _ => Err(mismatch(datatype, value)),
    }
}

fn encode_all(datatype: &Datatype, values: &[Value], out: &mut [u8], heap: &dyn HeapWriter) -> Result<()> {
    let elements = out.chunks_exact_mut(datatype.size().max(1));
    elements.zip(values).try_for_each(|(element, value)| encode_into(datatype, value, element, heap))
}

fn mismatch(datatype: &Datatype, value: &Value) -> Error {
    let kind = match value {
        Value::Integer(_) => "an integer",
        Value::Float(_) | Value::LongFloat(_) => "a floating-point number",
        Value::Complex(..) => "a complex number",
        Value::String(_) => "a string",
        Value::Opaque(_) => "opaque bytes",
        Value::Compound(_) => "a compound",
        Value::Array(_) => "an array",
        Value::Sequence(_) => "a sequence",
        Value::Reference(_) => "a reference",
        Value::Enum(_) => "the value of an enumeration",
        Value::Bool(_) => "a boolean",
    };
    Error::usage(format!("{kind} is no {datatype}"))
}

fn bytes_as_they_are(datatype: &Datatype, bytes: &[u8], element: &mut [u8]) -> Result<()> {
    if bytes.len() != element.len() {
        return Err(Error::usage(format!("{} bytes for one {datatype}", bytes.len())));
    }
    element.copy_from_slice(bytes);
    Ok(())
}

fn integer(of: Integer, datatype: &Datatype, value: &Value, element: &mut [u8]) -> Result<()> {
    let number = match value {
        Value::Integer(number) | Value::Enum(number) => *number,
        Value::Bool(is) => i128::from(*is),
        Value::Opaque(bytes) => return bytes_as_they_are(datatype, bytes, element),
        _ => return Err(mismatch(datatype, value)),
    };
    if of.store(number, element) {
        return Ok(());
    }
    Err(Error::usage(format!("{number} does not fit {datatype}")))
}

fn float(of: &Float, datatype: &Datatype, value: &Value, element: &mut [u8]) -> Result<()> {
    match value {
        Value::Float(number) => double(datatype, *number, element),
        Value::Integer(number) if of.is_known(element.len()) => {
            of.store(Real::of_integer(*number), element);
            Ok(())
        }
        Value::LongFloat(number) if of.is_known(element.len()) => {
            of.store(number.real(), element);
            Ok(())
        }
        _ => Err(mismatch(datatype, value)),
    }
}

fn double(datatype: &Datatype, number: f64, element: &mut [u8]) -> Result<()> {
    match datatype.class() {
        Class::Float(of) if of.is_known(datatype.size()) => {
            of.store(Real::of_f64(number), element);
            Ok(())
        }
        _ => Err(Error::unsupported(format!("the value of a {datatype}"))),
    }
}

fn enumerated(of: &Enumeration, datatype: &Datatype, value: &Value, element: &mut [u8]) -> Result<()> {
    match (of.integer(), value) {
        (Some(base), Value::Enum(_) | Value::Bool(_) | Value::Integer(_)) => {
            integer(*base, datatype, value, element)
        }
        // A name stands for its value.
        (Some(_), Value::String(name)) => match of.stored().find(|(other, _)| other == name) {
            Some((_, stored)) => bytes_as_they_are(datatype, stored, element),
            None => {
                Err(Error::usage(format!("{datatype} has no name \"{}\"", String::from_utf8_lossy(name))))
            }
        },
        (_, Value::Opaque(bytes)) => bytes_as_they_are(datatype, bytes, element),
        _ => Err(mismatch(datatype, value)),
    }
}

fn compound(
    members: &[Member],
    datatype: &Datatype,
    value: &Value,
    element: &mut [u8],
    heap: &dyn HeapWriter,
) -> Result<()> {
    let halves;
    let parts = match value {
        Value::Compound(values) => values.as_slice(),
        Value::Complex(real, imaginary) => {
            halves = [Value::Float(*real), Value::Float(*imaginary)];
            &halves
        }
        _ => return Err(mismatch(datatype, value)),
    };
    if parts.len() != members.len() {
        return Err(Error::usage(format!(
            "{} values for the {} members of {datatype}",
            parts.len(),
            members.len()
        )));
    }
    members.iter().zip(parts).try_for_each(|(member, value)| {
        let end = member.offset().saturating_add(member.datatype().size());
        let part = element.get_mut(member.offset()..end).unwrap_or_default();
        encode_into(member.datatype(), value, part, heap).at(|| format!("member \"{}\"", member.name()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::real::Real;
    use super::super::{ByteOrder, CharacterSet, Heap, HeapWriter};
    use crate::Datatype;
    use crate::datatype::{Float, Value};
    use crate::error::{Error, ErrorKind, Result};
    use parking_lot::Mutex;
    use proptest::prelude::*;

    /// Keeps what it is given; a place is the number of it.
    #[derive(Default)]
    struct Kept(Mutex<Vec<Vec<u8>>>);

    impl HeapWriter for Kept {
        fn insert(&self, bytes: &[u8]) -> Result<Vec<u8>> {
            let mut kept = self.0.lock();
            kept.push(bytes.to_vec());
            let mut place = (kept.len() as u64 - 1).to_le_bytes().to_vec();
            place.extend([1, 0, 0, 0]);
            Ok(place)
        }
    }

    impl Heap for Kept {
        fn fetch(&self, stored: &[u8]) -> Result<Vec<u8>> {
            let at = stored.get(4..12).and_then(|at| at.first_chunk()).map(|at| u64::from_le_bytes(*at));
            let kept = self.0.lock();
            let found = at.and_then(|at| kept.get(usize::try_from(at).ok()?)).cloned();
            found.ok_or_else(|| Error::malformed("not in the heap"))
        }
        fn writer(&self) -> Option<&dyn HeapWriter> {
            Some(self)
        }
    }

    fn long(number: f64) -> Value {
        let mut element = [0; 16];
        Float::EXTENDED.store(Real::of_f64(number), &mut element);
        Value::decode(&Datatype::long_double(), &element, &Kept::default()).unwrap()
    }

    fn typed() -> impl Strategy<Value = (Datatype, Value)> {
        let leaf = prop_oneof![
            any::<i16>().prop_map(|n| (Datatype::integer(2, true, ByteOrder::Big), Value::Integer(n.into()))),
            any::<u64>().prop_map(|n| (Datatype::of::<u64>(), Value::Integer(n.into()))),
            any::<f32>().prop_map(|x| (Datatype::of::<f32>(), Value::Float(x.into()))),
            any::<f64>().prop_map(|x| (Datatype::long_double(), long(x))),
            any::<(f64, f64)>().prop_map(|(r, i)| (Datatype::complex(Float::DOUBLE), Value::Complex(r, i))),
            any::<bool>().prop_map(|is| (Datatype::boolean(), Value::Bool(is))),
            "[a-z]{0,5}".prop_map(|text| (Datatype::string(7), Value::String(text.into_bytes()))),
            "[a-z]{0,50}".prop_map(|text| {
                (Datatype::variable_string(CharacterSet::Utf8), Value::String(text.into_bytes()))
            }),
            any::<[u8; 3]>().prop_map(|bytes| (Datatype::opaque(3, "tag"), Value::Opaque(bytes.to_vec()))),
            any::<[u8; 8]>().prop_map(|at| (Datatype::object_reference(), Value::Reference(at.to_vec()))),
        ];
        leaf.prop_recursive(3, 20, 3, |inner| {
            prop_oneof![
                (inner.clone(), 1..4_u32).prop_map(|((datatype, value), count)| {
                    let values = vec![value; usize::try_from(count).unwrap()];
                    (Datatype::array(datatype, &[count]).unwrap(), Value::Array(values))
                }),
                (inner.clone(), 0..4_usize).prop_map(|((datatype, value), count)| {
                    (Datatype::variable_length(datatype), Value::Sequence(vec![value; count]))
                }),
                prop::collection::vec(inner, 1..4).prop_map(|members| {
                    let (mut compound, mut values) = (Datatype::compound(), Vec::new());
                    for (at, (datatype, value)) in members.into_iter().enumerate() {
                        compound = compound.member(&at.to_string(), datatype);
                        values.push(value);
                    }
                    (compound.build().unwrap(), Value::Compound(values))
                }),
            ]
        })
    }

    fn same(one: &Value, two: &Value) -> bool {
        format!("{one:?}") == format!("{two:?}")
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded((datatype, value) in typed()) {
            let heap = Kept::default();
            let element = Value::encode(&datatype, &value, &heap).unwrap();
            prop_assert_eq!(element.len(), datatype.size());
            let found = Value::decode(&datatype, &element, &heap).unwrap();
            prop_assert!(same(&found, &value), "{:?} is not {:?}", found, value);
        }

        #[test]
        fn elements_move_from_heap_to_heap((datatype, value) in typed()) {
            let heap = Kept::default();
            let element = Value::encode(&datatype, &value, &heap).unwrap();
            let moved = crate::datatype::Conversion::plan_between(&datatype, &datatype).unwrap();
            prop_assert_eq!(moved.fills_heap(), datatype.has_variable_length());
            let mut there = vec![0xee; datatype.size()];
            moved.run(&element, &mut there, 1, &heap).unwrap();
            prop_assert!(same(&Value::decode(&datatype, &there, &heap).unwrap(), &value));
        }
    }

    #[test]
    fn a_value_that_is_not_of_the_datatype_is_refused() {
        let heap = Kept::default();
        let error = |datatype: &Datatype, value| Value::encode(datatype, &value, &heap).unwrap_err();
        let byte = Datatype::of::<u8>();
        assert_eq!(error(&byte, Value::Integer(256)).to_string(), "256 does not fit u8");
        assert_eq!(error(&byte, Value::String(b"1".to_vec())).to_string(), "a string is no u8");
        let pair = Datatype::array(byte, &[2]).unwrap();
        assert_eq!(error(&pair, Value::Array(vec![Value::Integer(1)])).kind(), ErrorKind::Usage);
    }

    #[test]
    fn a_name_stands_for_its_value() {
        let colour = Datatype::enumeration(&Datatype::of::<i16>(), [("red", -1), ("blue", 300)]).unwrap();
        let heap = Kept::default();
        let encode = |value| Value::encode(&colour, &value, &heap);
        assert_eq!(encode(Value::String(b"blue".to_vec())).unwrap(), [44, 1]);
        assert_eq!(encode(Value::Enum(-1)).unwrap(), [0xff, 0xff]);
        assert!(encode(Value::String(b"green".to_vec())).is_err());
    }
}
