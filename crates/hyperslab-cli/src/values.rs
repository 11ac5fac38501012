//! Elements as people read them.

use crate::output::text;
use crate::token::{bytes, digits as hexadecimal, integer};
use hyperslab::{Class, Datatype, Value};

/// Characters of a string, and items of a list, before the rest is left out.
const LONGEST: usize = 60;
const MOST_ITEMS: usize = 16;

/// An element as text.
pub(crate) fn shown(value: &Value, datatype: &Datatype) -> String {
    match (value, datatype.class()) {
        (Value::Enum(number), Class::Enumeration(names)) => match names.name_of(*number) {
            Some(name) => text(name),
            None => number.to_string(),
        },
        (Value::Compound(values), Class::Compound(compound)) => {
            let members = compound.members().iter().zip(values);
            let items = members.map(|(of, value)| format!("{}: {}", of.name(), shown(value, of.datatype())));
            format!("{{{}}}", list(items))
        }
        (Value::Array(values), Class::Array(array)) => bracketed(values, array.base()),
        (Value::Sequence(values), Class::VariableLength(sequence)) => bracketed(values, sequence.base()),
        (Value::Float(number), Class::Float(_)) => float(*number, datatype.size()),
        _ => plain(value),
    }
}

fn bracketed(values: &[Value], datatype: &Datatype) -> String {
    format!("[{}]", list(values.iter().map(|value| shown(value, datatype))))
}

fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let left = items.len().saturating_sub(MOST_ITEMS);
    let mut shown: Vec<String> = items.take(MOST_ITEMS).collect();
    if left > 0 {
        shown.push(format!(".. {left} more"));
    }
    shown.join(", ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Integer(_) | Value::Enum(_) => integer(value).to_string(),
        Value::Bool(truth) => if *truth { "TRUE" } else { "FALSE" }.to_owned(),
        Value::Float(number) => float(*number, 8),
        Value::LongFloat(long) => long.to_string(),
        Value::Complex(real, imaginary) => {
            let sign = if imaginary.is_sign_negative() { '-' } else { '+' };
            format!("{}{sign}{}i", float(*real, 8), float(imaginary.abs(), 8))
        }
        Value::String(_) => {
            format!("\"{}\"", shortened(&text(bytes(value)).escape_debug().collect::<String>()))
        }
        Value::Opaque(bytes) => {
            let mut digits = String::new();
            hexadecimal(bytes.get(..LONGEST / 2).unwrap_or(bytes), &mut digits);
            if bytes.len() > LONGEST / 2 { format!("{digits}..") } else { digits }
        }
        Value::Compound(values) | Value::Array(values) | Value::Sequence(values) => {
            format!("[{}]", list(values.iter().map(plain)))
        }
        Value::Reference(bytes) if bytes.iter().all(|byte| *byte == 0) => "null".to_owned(),
        Value::Reference(_) => "reference".to_owned(),
        _ => "?".to_owned(),
    }
}

/// A number of `size` bytes in as many digits as tell it from its neighbours.
#[expect(clippy::cast_possible_truncation, reason = "the number was stored in that many bytes")]
fn float(number: f64, size: usize) -> String {
    let large = number != 0.0 && !(1e-4..1e7).contains(&number.abs()) && number.is_finite();
    match (size, large) {
        (0..=4, true) => format!("{:e}", number as f32),
        (0..=4, false) => (number as f32).to_string(),
        (_, true) => format!("{number:e}"),
        (_, false) => number.to_string(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}..", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A shape as `h5ls` writes it: `{12/Inf, 8}`, `{SCALAR}`, `{NULL}`.
pub(crate) fn extent(extent: &hyperslab::Extent) -> String {
    use hyperslab::Extent;
    match extent {
        Extent::Null => "{NULL}".to_owned(),
        _ if extent.rank() == 0 => "{SCALAR}".to_owned(),
        _ => {
            let one = |(length, most): (&u64, &Option<u64>)| match most {
                Some(most) if most == length => length.to_string(),
                Some(most) => format!("{length}/{most}"),
                None => format!("{length}/Inf"),
            };
            let axes: Vec<String> = extent.dims().iter().zip(extent.max()).map(one).collect();
            format!("{{{}}}", axes.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{extent, shown};
    use hyperslab::{Datatype, Extent, Value};

    #[test]
    fn numbers_have_as_many_digits_as_they_need() {
        assert_eq!(shown(&Value::Float(f64::from(0.1_f32)), &Datatype::of::<f32>()), "0.1");
        assert_eq!(shown(&Value::Float(1e300), &Datatype::of::<f64>()), "1e300");
        assert_eq!(shown(&Value::Float(1.0), &Datatype::of::<f64>()), "1");
    }

    #[test]
    fn an_enumerated_value_is_its_name() {
        let colour = Datatype::enumeration(&Datatype::of::<i16>(), [("red", 7)]).unwrap();
        assert_eq!(shown(&Value::Enum(7), &colour), "red");
        assert_eq!(shown(&Value::Enum(8), &colour), "8");
    }

    #[test]
    fn a_long_string_is_cut() {
        let value = Value::String(vec![b'a'; 1000]);
        assert!(shown(&value, &Datatype::string(1000)).len() < 80);
    }

    #[test]
    fn a_shape_is_written_as_h5ls_does() {
        assert_eq!(extent(&Extent::resizable(&[12, 8], &[None, Some(8)]).unwrap()), "{12/Inf, 8}");
        assert_eq!(extent(&Extent::Scalar), "{SCALAR}");
    }
}
