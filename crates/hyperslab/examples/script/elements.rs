//! Elements in JSON, as the hexadecimal digits of their bytes (`hex`) or as values (`values`), extents and selections.

use crate::{Outcome, Request, numbers};
use hyperslab::{AxisSlab, Class, Complex, Datatype, Extent, Points, Selection, Value, VariableKind};
use serde_json::{Number, Value as Json, json};

/// The bytes of pairs of hexadecimal digits.
pub(crate) fn from_hex(digits: &str) -> Outcome<Vec<u8>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|nibble| u8::try_from(nibble).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| "hexadecimal digits are needed".into())
}

/// Two hexadecimal digits for each byte.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

/// `shape` null: no elements; an empty list: a scalar; with `max`, null in it without limit.
pub(crate) fn extent(request: Request<'_>) -> Outcome<Extent> {
    let Some(shape) = request.find("shape") else { return Ok(Extent::Null) };
    let dims = numbers(shape)?;
    match request.find("max").and_then(Json::as_array) {
        None => Ok(Extent::fixed(&dims)),
        Some(max) => Ok(Extent::resizable(&dims, &max.iter().map(Json::as_u64).collect::<Vec<_>>())?),
    }
}

/// `at`: nothing or one of `slabs` (start, stride, count, block of each axis), `points`, `boxes` (first and last).
pub(crate) fn selection(request: Request<'_>) -> Outcome<Selection> {
    let Some(at) = request.find("at").map(Request) else { return Ok(Selection::All) };
    if at.find("slabs").is_some() {
        let slab = |slab: &Json| match numbers(slab)?.as_slice() {
            [start, stride, count, block] => {
                Ok(AxisSlab { start: *start, stride: *stride, count: Some(*count), block: Some(*block) })
            }
            _ => Err("a slab is start, stride, count, block".into()),
        };
        return Ok(Selection::from_axes(at.list("slabs")?.iter().map(slab).collect::<Outcome<_>>()?)?);
    }
    let (name, sides) = if at.find("points").is_some() { ("points", 1) } else { ("boxes", 2) };
    let rows = at.list(name)?.iter().map(numbers).collect::<Outcome<Vec<_>>>()?;
    let rank = rows.first().map_or(1, Vec::len) / sides;
    let flat = rows.concat();
    if sides == 1 {
        Ok(Selection::Points(Points::new(rank, flat)?))
    } else {
        Ok(Selection::from_blocks(rank, &flat)?)
    }
}

/// A value as JSON.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Integer(number) | Value::Enum(number) => whole(*number),
        Value::Bool(is) => json!(is),
        Value::Float(number) => real(*number),
        Value::LongFloat(number) => real(number.to_f64()),
        Value::Complex(re, im) => json!([real(*re), real(*im)]),
        Value::String(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({ "hex": to_hex(bytes) }),
        },
        Value::Opaque(bytes) | Value::Reference(bytes) => json!({ "hex": to_hex(bytes) }),
        Value::Compound(values) | Value::Array(values) | Value::Sequence(values) => {
            Json::Array(values.iter().map(to_json).collect())
        }
        _ => Json::Null,
    }
}

fn whole(number: i128) -> Json {
    Number::from_i128(number).map_or_else(|| json!(number.to_string()), Json::Number)
}

fn real(number: f64) -> Json {
    Number::from_f64(number).map_or_else(|| json!(number.to_string()), Json::Number)
}

/// The value of a datatype that JSON says.
pub(crate) fn from_json(datatype: &Datatype, json: &Json) -> Outcome<Value> {
    let fault = || format!("{json} is no {datatype}");
    Ok(match datatype.class() {
        Class::Integer(_) | Class::Time(_) | Class::Bitfield(_) => {
            Value::Integer(integer(json).ok_or_else(fault)?)
        }
        Class::Enumeration(_) => Value::Enum(integer(json).ok_or_else(fault)?),
        Class::Float(_) => Value::Float(float(json).ok_or_else(fault)?),
        Class::String(_) => Value::String(text(json).ok_or_else(fault)?),
        Class::Opaque(_) => Value::Opaque(text(json).ok_or_else(fault)?),
        Class::Reference(_) => Value::Reference(text(json).ok_or_else(fault)?),
        Class::Complex(of) => complex(of, json).ok_or_else(fault)?,
        Class::Compound(of) => {
            let list = json.as_array().filter(|list| list.len() == of.members().len()).ok_or_else(fault)?;
            let members = of.members().iter().zip(list);
            Value::Compound(
                members.map(|(member, json)| from_json(member.datatype(), json)).collect::<Outcome<_>>()?,
            )
        }
        Class::Array(of) => Value::Array(all(of.base(), json)?),
        Class::VariableLength(of) => match of.kind() {
            VariableKind::Sequence => Value::Sequence(all(of.base(), json)?),
            VariableKind::String { .. } => Value::String(text(json).ok_or_else(fault)?),
        },
        _ => return Err(fault().into()),
    })
}

/// A list of values.
pub(crate) fn all(datatype: &Datatype, json: &Json) -> Outcome<Vec<Value>> {
    let list = json.as_array().ok_or("a list of values is needed")?;
    list.iter().map(|json| from_json(datatype, json)).collect()
}

fn integer(json: &Json) -> Option<i128> {
    json.as_i64()
        .map(i128::from)
        .or_else(|| json.as_u64().map(i128::from))
        .or_else(|| json.as_bool().map(i128::from))
}

fn float(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str().and_then(|text| text.parse().ok()))
}

fn complex(_of: &Complex, json: &Json) -> Option<Value> {
    Some(Value::Complex(float(json.get(0)?)?, float(json.get(1)?)?))
}

fn text(json: &Json) -> Option<Vec<u8>> {
    match json.as_str() {
        Some(text) => Some(text.as_bytes().to_vec()),
        None => from_hex(json.get("hex")?.as_str()?).ok(),
    }
}
