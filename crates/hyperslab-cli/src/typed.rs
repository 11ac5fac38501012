//! Datatypes, shapes and elements as they are written on a command line.

use crate::numpy::Numpy;
use crate::output::{Failure, Outcome};
use crate::token::pack;
use hyperslab::{ByteOrder, Datatype, Float, Value};
use std::time::Duration;

/// `100,512,512` or `100x512x512`.
pub(crate) fn parse_shape(text: &str) -> Outcome<Vec<u64>> {
    let axes = text.trim_matches(['(', ')', '[', ']', ' ']).split([',', 'x']).map(str::trim);
    let axes = axes.filter(|axis| !axis.is_empty()).map(str::parse).collect::<Result<Vec<u64>, _>>();
    axes.map_err(|_| Failure::message(format!("\"{text}\" is not a shape; write 100,512,512")))
}

/// A time in seconds, with a fraction perhaps.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("\"{text}\" is not a time in seconds; write 10 or 0.5"))
}

/// `u2`, `>i4`, `uint16`, `float32`: a number as numpy names it.
pub(crate) fn parse_type(text: &str) -> Outcome<Datatype> {
    let (order, name) = match text.split_at_checked(1) {
        Some((">", name)) => (ByteOrder::Big, name),
        Some(("<" | "=" | "|", name)) => (ByteOrder::Little, name),
        _ => (ByteOrder::Little, text),
    };
    let float = |float: Float| Datatype::float(float.ordered(order));
    let integer = |signed, size| Datatype::integer(size, signed, order);
    Ok(match name {
        "u1" | "uint8" => integer(false, 1),
        "u2" | "uint16" => integer(false, 2),
        "u4" | "uint32" => integer(false, 4),
        "u8" | "uint64" => integer(false, 8),
        "i1" | "int8" => integer(true, 1),
        "i2" | "int16" => integer(true, 2),
        "i4" | "int32" => integer(true, 4),
        "i8" | "int64" => integer(true, 8),
        "f2" | "float16" => float(Float::HALF),
        "f4" | "float32" => float(Float::SINGLE),
        "f8" | "float64" => float(Float::DOUBLE),
        "c8" | "complex64" => Datatype::complex(Float::SINGLE.ordered(order)),
        "c16" | "complex128" => Datatype::complex(Float::DOUBLE.ordered(order)),
        _ => {
            let message =
                format!("\"{text}\" is not a datatype known here; write u2, i4, f8, float32, >u4, ...");
            return Err(Failure::message(message));
        }
    })
}

/// The bytes of one element of a number.
pub(crate) fn element(text: &str, datatype: &Datatype) -> Outcome<Vec<u8>> {
    let why =
        |why: &str| Failure::message(format!("a fill value of {text} for elements of {datatype}: {why}"));
    let kind = Numpy::of(datatype).map_err(|error| why(&error))?;
    let Numpy::Number { order, letter, size } = kind else { return Err(why("only numbers have one here")) };
    let value = match letter {
        'f' | 'c' => Value::Float(text.parse().map_err(|_| why("it is not a number"))?),
        _ => {
            let number: i128 = text.parse().map_err(|_| why("it is not an integer"))?;
            let bits = u32::try_from(size * 8).unwrap_or(64);
            let range =
                if letter == 'u' { 0..1_i128 << bits } else { -(1_i128 << (bits - 1))..1_i128 << (bits - 1) };
            if !range.contains(&number) {
                return Err(why("it does not fit"));
            }
            Value::Integer(number)
        }
    };
    let value = match (letter, value) {
        ('c', Value::Float(real)) => Value::Complex(real, 0.0),
        (_, value) => value,
    };
    let mut bytes = Vec::new();
    pack(&value, &kind_of(letter, size), &mut bytes);
    if bytes.len() != datatype.size() {
        return Err(why("its elements are stored in an unusual way"));
    }
    if order == ">" {
        let part = if letter == 'c' { size / 2 } else { size };
        bytes.chunks_mut(part.max(1)).for_each(<[u8]>::reverse);
    }
    Ok(bytes)
}

fn kind_of(letter: char, size: usize) -> Numpy {
    Numpy::Number { order: "<", letter, size }
}

#[cfg(test)]
mod tests {
    use super::{element, parse_shape, parse_type};

    #[test]
    fn shapes_and_types_are_written_as_in_numpy() {
        assert_eq!(parse_shape("(100, 512,)").unwrap(), [100, 512]);
        assert_eq!(parse_shape("4x2").unwrap(), [4, 2]);
        assert!(parse_shape("a,b").is_err());
        assert_eq!(parse_type(">u4").unwrap().to_string(), "u32 big-endian");
        assert_eq!(parse_type("float32").unwrap().to_string(), "f32");
        assert!(parse_type("string").is_err());
    }

    #[test]
    fn an_element_has_the_bytes_of_its_datatype() {
        assert_eq!(element("258", &parse_type(">u2").unwrap()).unwrap(), [1, 2]);
        assert_eq!(element("-1", &parse_type("i4").unwrap()).unwrap(), [255; 4]);
        assert_eq!(element("nan", &parse_type("f4").unwrap()).unwrap(), f32::NAN.to_le_bytes());
        let why = element("-1", &parse_type("u2").unwrap()).unwrap_err().to_string();
        assert_eq!(why, "a fill value of -1 for elements of u16: it does not fit");
    }
}
