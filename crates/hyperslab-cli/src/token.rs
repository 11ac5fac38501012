//! Values as the dump digests them: packed bytes, or one token for each element.

use crate::numpy::{Field, Numpy};
use hyperslab::Value;
use std::fmt::Write;

/// Says where references lead.
pub(crate) trait References {
    /// The token of a reference to an object or a region.
    fn token(&self, reference: &Value, region: bool) -> String;
}

/// Appends the token of a value.
pub(crate) fn token(value: &Value, kind: &Numpy, references: &dyn References, out: &mut String) {
    match kind {
        Numpy::Fixed { .. } => string(trimmed(bytes(value)), out),
        Numpy::Text { .. } => string(until_nul(bytes(value)), out),
        Numpy::Object => out.push_str(&references.token(value, false)),
        Numpy::Region => out.push_str(&references.token(value, true)),
        Numpy::Sequence(base) => sequence(value, base, references, out),
        Numpy::Array { base, .. } => {
            out.push('<');
            let mut flat = Vec::new();
            flatten(value, &mut flat);
            joined(flat.into_iter(), out, |item, out| token(item, base, references, out));
            out.push('>');
        }
        Numpy::Compound { fields, .. } => compound(value, fields, references, out),
        Numpy::Opaque(_) => {
            out.push('v');
            digits(bytes(value), out);
        }
        Numpy::Number { letter: 'f', size, .. } if *size > 8 => out.push_str(&long(value)),
        Numpy::Number { letter: 'f', .. } => out.push_str(&hex(float(value))),
        Numpy::Number { letter: 'c', .. } => {
            let (real, imaginary) = complex(value);
            // Writing to a string does not fail.
            let _done = write!(out, "({};{})", hex(real), hex(imaginary));
        }
        Numpy::Number { .. } | Numpy::Bool | Numpy::Enum { .. } => {
            let _done = write!(out, "{}", integer(value));
        }
    }
}

fn joined<'a>(
    items: impl Iterator<Item = &'a Value>,
    out: &mut String,
    mut each: impl FnMut(&'a Value, &mut String),
) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        each(item, out);
    }
}

/// What h5py gives for a scalar sequence is its elements, so that one number stands for a sequence here.
fn sequence(value: &Value, base: &Numpy, references: &dyn References, out: &mut String) {
    if !matches!(value, Value::Sequence(_)) && is_nothing(value) {
        out.push_str("[]");
        return;
    }
    out.push('[');
    match value {
        Value::Sequence(items) => joined(items.iter(), out, |item, out| token(item, base, references, out)),
        one => token(one, base, references, out),
    }
    out.push(']');
}

fn compound(value: &Value, fields: &[Field], references: &dyn References, out: &mut String) {
    let mut ordered: Vec<&Field> = fields.iter().collect();
    ordered.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    out.push('(');
    for (index, field) in ordered.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if let Value::Compound(members) = value
            && let Some(member) = members.get(field.index)
        {
            token(member, &field.kind, references, out);
        }
    }
    out.push(')');
}

/// The elements of an array, those of arrays in it included: numpy makes one array of them.
pub(crate) fn flatten<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, out)),
        other => out.push(other),
    }
}

/// Appends the bytes of a value without padding, numbers little-endian.
pub(crate) fn pack(value: &Value, kind: &Numpy, out: &mut Vec<u8>) {
    match kind {
        Numpy::Array { base, .. } => {
            if let Value::Array(items) = value {
                for item in items {
                    pack(item, base, out);
                }
            }
        }
        Numpy::Compound { fields, .. } => {
            let mut ordered: Vec<&Field> = fields.iter().collect();
            ordered.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
            if let Value::Compound(members) = value {
                let members =
                    ordered.into_iter().filter_map(|field| Some((members.get(field.index)?, &field.kind)));
                members.for_each(|(member, kind)| pack(member, kind, out));
            }
        }
        Numpy::Number { letter: 'f', size, .. } => pack_float(float(value), *size, out),
        Numpy::Number { letter: 'c', size, .. } => {
            let (real, imaginary) = complex(value);
            pack_float(real, size / 2, out);
            pack_float(imaginary, size / 2, out);
        }
        Numpy::Enum { base, .. } => pack(value, base, out),
        Numpy::Bool => out.push(u8::from(integer(value) != 0)),
        Numpy::Number { size, .. } if !matches!(value, Value::Opaque(_)) => {
            let bytes = integer(value).to_le_bytes();
            out.extend(bytes.get(..*size).unwrap_or_default());
        }
        _ => out.extend_from_slice(bytes(value)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the value came from a float of this size")]
fn pack_float(value: f64, size: usize, out: &mut Vec<u8>) {
    match size {
        2 => out.extend(half::f16::from_f64(value).to_le_bytes()),
        4 => out.extend((value as f32).to_le_bytes()),
        _ => out.extend(value.to_le_bytes()),
    }
}

fn string(bytes: &[u8], out: &mut String) {
    out.push('s');
    digits(bytes, out);
}

pub(crate) fn digits(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _done = write!(out, "{byte:02x}");
    }
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.get(..length).unwrap_or_default()
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

pub(crate) fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::String(bytes) | Value::Opaque(bytes) => bytes,
        _ => &[],
    }
}

pub(crate) fn integer(value: &Value) -> i128 {
    match value {
        Value::Integer(number) | Value::Enum(number) => *number,
        Value::Bool(truth) => i128::from(*truth),
        _ => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "for pictures and digests of floats")]
pub(crate) fn float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::LongFloat(long) => long.to_f64(),
        Value::Complex(real, imaginary) => real.hypot(*imaginary),
        Value::Integer(_) | Value::Enum(_) | Value::Bool(_) => integer(value) as f64,
        _ => f64::NAN,
    }
}

fn complex(value: &Value) -> (f64, f64) {
    match value {
        Value::Complex(real, imaginary) => (*real, *imaginary),
        Value::Compound(parts) => match parts.as_slice() {
            [real, imaginary] => (float(real), float(imaginary)),
            _ => (f64::NAN, f64::NAN),
        },
        _ => (f64::NAN, f64::NAN),
    }
}

/// A long float in 20 digits behind the point; a double that stands for one as well.
fn long(value: &Value) -> String {
    if let Value::LongFloat(long) = value {
        return long.to_string();
    }
    let value = float(value);
    if !value.is_finite() {
        return hex(value);
    }
    let text = format!("{value:.20e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    match power.strip_prefix('-') {
        Some(power) => format!("{digits}e-{power:0>2}"),
        None => format!("{digits}e+{power:0>2}"),
    }
}

/// A float as Python's `float.hex` spells it.
fn hex(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}inf");
    }
    let bits = value.to_bits();
    let (stored, mantissa) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    match (stored, mantissa) {
        (0, 0) => format!("{sign}0x0.0p+0"),
        (0, _) => format!("{sign}0x0.{mantissa:013x}p-1022"),
        _ => format!("{sign}0x1.{mantissa:013x}p{:+}", i128::from(stored) - 1023),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Integer(number) | Value::Enum(number) => *number == 0,
        Value::Float(number) => *number == 0.0,
        Value::Bool(truth) => !truth,
        Value::String(bytes) | Value::Opaque(bytes) => bytes.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{References, hex, long, pack, token};
    use crate::numpy::Numpy;
    use hyperslab::{Datatype, Value};

    struct Nowhere;

    impl References for Nowhere {
        fn token(&self, _: &Value, region: bool) -> String {
            if region { "g-".to_owned() } else { "r-".to_owned() }
        }
    }

    fn spelled(value: &Value, kind: &Numpy) -> String {
        let mut out = String::new();
        token(value, kind, &Nowhere, &mut out);
        out
    }

    fn number(letter: char, size: usize) -> Numpy {
        Numpy::Number { order: "<", letter, size }
    }

    #[test]
    fn a_float_is_spelled_as_python_spells_it() {
        assert_eq!(hex(0.1), "0x1.999999999999ap-4");
        assert_eq!(hex(-2.0), "-0x1.0000000000000p+1");
        assert_eq!(hex(-0.0), "-0x0.0p+0");
        assert_eq!(hex(5e-324), "0x0.0000000000001p-1022");
        assert_eq!(hex(f64::NAN), "nan");
        assert_eq!(hex(f64::NEG_INFINITY), "-inf");
    }

    #[test]
    fn a_double_that_stands_for_a_long_float_has_twenty_digits() {
        assert_eq!(long(&Value::Float(-1.5)), "-1.50000000000000000000e+00");
        assert_eq!(long(&Value::Float(1e-7)), "9.99999999999999954748e-08");
    }

    #[test]
    fn strings_and_sequences_have_tokens_of_their_own() {
        let fixed = Numpy::Fixed { size: 4, utf8: false };
        assert_eq!(spelled(&Value::String(b"ab\0\0".to_vec()), &fixed), "s6162");
        let numbers = Numpy::Sequence(Box::new(number('i', 4)));
        let sequence = Value::Sequence(vec![Value::Integer(1), Value::Integer(-2)]);
        assert_eq!(spelled(&sequence, &numbers), "[1,-2]");
        assert_eq!(spelled(&Value::Integer(0), &numbers), "[]");
        assert_eq!(spelled(&Value::Integer(3), &numbers), "[3]");
    }

    #[test]
    fn packed_members_follow_each_other_by_offset() {
        let element = Datatype::compound().member_at("b", 4, Datatype::of::<i16>()).member_at(
            "a",
            0,
            Datatype::of::<u8>(),
        );
        let kind = Numpy::of(&element.build_sized(8).unwrap()).unwrap();
        let mut out = Vec::new();
        pack(&Value::Compound(vec![Value::Integer(-2), Value::Integer(7)]), &kind, &mut out);
        assert_eq!(out, [7, 0xfe, 0xff]);
    }
}
