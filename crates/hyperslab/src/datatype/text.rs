//! How a datatype reads in a message: `i32`, `f64 big-endian`, `compound {a: i32, b: f64}`.

use std::fmt;

use super::{
    ByteOrder, CharacterSet, Class, Compound, Datatype, Enumeration, Float, Integer, ReferenceKind,
    VariableKind,
};

/// Members named before the rest is left out.
const SHOWN: usize = 12;

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class() {
            Class::Integer(integer) => integer_text(*integer, self.size(), f),
            Class::Float(float) => float_text(float, self.size(), f),
            Class::Time(time) => write!(f, "time{}{}", time.precision, order_text(time.order)),
            Class::String(string) => {
                write!(f, "string of {} bytes{}", self.size(), set_text(string.character_set))
            }
            Class::Bitfield(bits) => write!(f, "bitfield{}{}", bits.precision, order_text(bits.order)),
            Class::Opaque(opaque) if opaque.tag().is_empty() => write!(f, "opaque of {} bytes", self.size()),
            Class::Opaque(opaque) => {
                write!(f, "opaque of {} bytes \"{}\"", self.size(), String::from_utf8_lossy(opaque.tag()))
            }
            Class::Compound(compound) => compound_text(compound, f),
            Class::Reference(reference) => f.write_str(match reference.kind {
                ReferenceKind::Object | ReferenceKind::RevisedObject => "object reference",
                ReferenceKind::Region | ReferenceKind::RevisedRegion => "region reference",
                ReferenceKind::Attribute => "attribute reference",
            }),
            Class::Enumeration(enumeration) if enumeration.is_boolean() => f.write_str("boolean"),
            Class::Enumeration(enumeration) => enumeration_text(enumeration, f),
            Class::VariableLength(variable) => match variable.kind() {
                VariableKind::Sequence => write!(f, "sequence of {}", variable.base()),
                VariableKind::String { characters, .. } => write!(f, "string{}", set_text(characters)),
            },
            Class::Array(array) => write!(f, "array {:?} of {}", array.dims(), array.base()),
            Class::Complex(complex) => write!(f, "complex of {}", complex.base()),
        }
    }
}

fn order_text(order: ByteOrder) -> &'static str {
    match order {
        ByteOrder::Little => "",
        ByteOrder::Big => " big-endian",
        ByteOrder::Vax => " VAX order",
    }
}

fn set_text(set: CharacterSet) -> &'static str {
    match set {
        CharacterSet::Ascii => " (ASCII)",
        CharacterSet::Utf8 => "",
    }
}

fn integer_text(integer: Integer, size: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let letter = if integer.signed { 'i' } else { 'u' };
    write!(f, "{letter}{}", integer.precision)?;
    if usize::from(integer.precision) != size.saturating_mul(8) {
        write!(f, " at bit {} of {size} bytes", integer.offset)?;
    }
    f.write_str(if size == 1 { "" } else { order_text(integer.order) })
}

fn float_text(float: &Float, size: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let order = order_text(float.order);
    let little = float.ordered(ByteOrder::Little);
    if [Float::HALF, Float::SINGLE, Float::DOUBLE, Float::QUADRUPLE].contains(&little) {
        return write!(f, "f{}{order}", float.precision);
    }
    match little {
        Float::BRAIN => write!(f, "bf16{order}"),
        Float::EXTENDED => write!(f, "f80 in {size} bytes{order}"),
        _ => write!(
            f,
            "f{} (exponent of {} bits, mantissa of {} bits) in {size} bytes{order}",
            float.precision, float.exponent_size, float.mantissa_size
        ),
    }
}

fn compound_text(compound: &Compound, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some((real, _)) = compound.as_complex() {
        return write!(f, "complex of {}", real.datatype());
    }
    f.write_str("compound {")?;
    for (index, member) in compound.members().iter().take(SHOWN).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{}: {}", member.name(), member.datatype())?;
    }
    f.write_str(if compound.members().len() > SHOWN { ", ..}" } else { "}" })
}

fn enumeration_text(enumeration: &Enumeration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "enumeration of {} {{", enumeration.base())?;
    for (index, (name, value)) in enumeration.members().take(SHOWN).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{}: {value}", String::from_utf8_lossy(name))?;
    }
    f.write_str(if enumeration.members().nth(SHOWN).is_some() { ", ..}" } else { "}" })
}

#[cfg(test)]
mod tests {
    use crate::datatype::{ByteOrder, CharacterSet, Datatype, Float};

    #[test]
    fn a_datatype_reads_as_a_short_text() {
        let text = |datatype: Datatype| datatype.to_string();
        assert_eq!(text(Datatype::integer(4, false, ByteOrder::Big)), "u32 big-endian");
        assert_eq!(text(Datatype::float(Float::BRAIN)), "bf16");
        assert_eq!(text(Datatype::long_double()), "f80 in 16 bytes");
        assert_eq!(text(Datatype::boolean()), "boolean");
        assert_eq!(text(Datatype::variable_string(CharacterSet::Utf8)), "string");
        assert_eq!(text(Datatype::complex(Float::SINGLE)), "complex of f32");
        let array = Datatype::array(Datatype::of::<u8>(), &[2, 3]).unwrap();
        assert_eq!(text(array), "array [2, 3] of u8");
    }
}
