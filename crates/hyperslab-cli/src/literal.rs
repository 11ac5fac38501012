//! Values as they are written on a command line: `12.5`, `mm`, `[1, 2, 3]`.

use crate::typed::parse_type;
use hyperslab::{AttributeData, CharacterSet, Class, Datatype, Extent, Value};
use serde_json::Value as Json;

/// A value with its shape and datatype.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    datatype: Datatype,
    extent: Extent,
    values: Vec<Value>,
}

impl Literal {
    /// JSON if it is that, else text; stored as `datatype` if that is given.
    pub(crate) fn parse(written: &str, datatype: Option<&str>) -> Result<Self, String> {
        let datatype = datatype.map(named).transpose()?;
        let is_text = |of: &Datatype| matches!(of.class(), Class::String(_) | Class::VariableLength(_));
        let plain = || Json::String(written.to_owned());
        let json: Json = serde_json::from_str(written).unwrap_or_else(|_| plain());
        let json = match &datatype {
            Some(of) if is_text(of) && !json.is_array() && !json.is_string() => plain(),
            _ => json,
        };
        if json.is_null() {
            let datatype = datatype.unwrap_or_else(Datatype::of::<f32>);
            return Ok(Self { datatype, extent: Extent::Null, values: Vec::new() });
        }
        let mut shape = Vec::new();
        let mut scalars = Vec::new();
        gather(&json, 0, &mut shape, &mut scalars)?;
        let datatype = match datatype {
            Some(datatype) => datatype,
            None => common(&scalars)?,
        };
        let extent = if json.is_array() { Extent::fixed(&shape) } else { Extent::Scalar };
        let values = scalars.iter().map(|json| value(json, &datatype)).collect::<Result<_, _>>()?;
        Ok(Self { datatype, extent, values })
    }

    pub(crate) fn into_attribute(self) -> AttributeData {
        AttributeData::from_values(self.datatype, self.extent, self.values)
    }
}

/// A datatype by name: a number as numpy names it, `bool`, `str`, or `S` and a number of bytes.
fn named(name: &str) -> Result<Datatype, String> {
    if let Some(Ok(bytes)) = name.strip_prefix('S').map(str::parse::<usize>)
        && bytes > 0
    {
        return Ok(Datatype::string(bytes));
    }
    match name {
        "str" => Ok(Datatype::variable_string(CharacterSet::Utf8)),
        "bool" => Ok(Datatype::boolean()),
        _ => parse_type(name).map_err(|_| {
            format!(
                "\"{name}\" is not a datatype known here; write u2, i4, f8, float32, >u4, bool, str or S10"
            )
        }),
    }
}

/// Collects the items of nested lists, which must have the same lengths everywhere.
fn gather<'j>(
    json: &'j Json,
    depth: usize,
    shape: &mut Vec<u64>,
    scalars: &mut Vec<&'j Json>,
) -> Result<(), String> {
    let Json::Array(items) = json else {
        if depth < shape.len() {
            return Err("the lists in it are not equally deep".to_owned());
        }
        scalars.push(json);
        return Ok(());
    };
    let length = items.len() as u64;
    match shape.get(depth) {
        None if !scalars.is_empty() => return Err("the lists in it are not equally deep".to_owned()),
        None => shape.push(length),
        Some(before) if *before != length => {
            return Err(format!("one list in it has {before} items, another {length}"));
        }
        Some(_) => {}
    }
    items.iter().try_for_each(|item| gather(item, depth + 1, shape, scalars))
}

/// The datatype that suits all items.
fn common(items: &[&Json]) -> Result<Datatype, String> {
    let all = |is: fn(&Json) -> bool| items.iter().all(|item| is(item));
    if items.is_empty() {
        return Ok(Datatype::of::<f64>());
    }
    if all(Json::is_string) {
        return Ok(Datatype::variable_string(CharacterSet::Utf8));
    }
    if all(Json::is_boolean) {
        return Ok(Datatype::boolean());
    }
    if all(Json::is_i64) {
        return Ok(Datatype::of::<i64>());
    }
    if all(Json::is_u64) {
        return Ok(Datatype::of::<u64>());
    }
    if all(Json::is_number) {
        return Ok(Datatype::of::<f64>());
    }
    Err("numbers, texts and truth values cannot be mixed in one list".to_owned())
}

fn value(json: &Json, datatype: &Datatype) -> Result<Value, String> {
    let misfit = || format!("{json} cannot be stored as {datatype}");
    match (json, datatype.class()) {
        (Json::String(text), Class::Float(_)) => text.trim().parse().map(Value::Float).map_err(|_| misfit()),
        (Json::String(text), Class::String(_) | Class::VariableLength(_)) => {
            Ok(Value::String(text.as_bytes().to_vec()))
        }
        (Json::Number(number), Class::String(_) | Class::VariableLength(_)) => {
            Ok(Value::String(number.to_string().into_bytes()))
        }
        (Json::Bool(truth), Class::Enumeration(_)) => Ok(Value::Bool(*truth)),
        (Json::Number(number), Class::Enumeration(_)) => match number.as_i64() {
            Some(number @ (0 | 1)) => Ok(Value::Bool(number == 1)),
            _ => Err(misfit()),
        },
        (Json::Bool(truth), Class::Integer(_)) => Ok(Value::Integer(i128::from(*truth))),
        (Json::Number(number), Class::Complex(_)) => {
            number.as_f64().map(|real| Value::Complex(real, 0.0)).ok_or_else(misfit)
        }
        (Json::Number(number), Class::Integer(_)) => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            whole.map(Value::Integer).ok_or_else(misfit)
        }
        (Json::Number(number), _) => number.as_f64().map(Value::Float).ok_or_else(misfit),
        _ => Err(misfit()),
    }
}

#[cfg(test)]
mod tests {
    use super::Literal;
    use hyperslab::Extent;

    fn parse(text: &str, datatype: Option<&str>) -> (String, Extent, usize) {
        let literal = Literal::parse(text, datatype).unwrap();
        (literal.datatype.to_string(), literal.extent, literal.values.len())
    }

    #[test]
    fn what_is_no_json_is_text() {
        assert_eq!(parse("mm", None), parse("\"mm\"", None));
        assert_eq!(parse("[mm", None).1, Extent::Scalar);
        assert_eq!(parse("12", Some("str")).0, parse("a", None).0);
    }

    #[test]
    fn numbers_have_the_datatype_that_suits_them_all() {
        assert_eq!(parse("12", None).0, "i64");
        assert_eq!(parse("[1, 2.5]", None), ("f64".to_owned(), Extent::fixed(&[2]), 2));
        assert_eq!(
            parse("[[1, 2], [3, 4], [5, 6]]", Some("u2")),
            ("u16".to_owned(), Extent::fixed(&[3, 2]), 6)
        );
        assert_eq!(parse("18446744073709551615", None).0, "u64");
        assert_eq!(parse("nan", Some("f4")).0, "f32");
    }

    #[test]
    fn lists_must_be_regular() {
        for ragged in ["[[1, 2], [3]]", "[1, [2]]", "[[1], 2]"] {
            assert!(Literal::parse(ragged, None).is_err(), "{ragged}");
        }
        assert!(Literal::parse("[1, \"a\"]", None).unwrap_err().contains("mixed"));
        assert!(Literal::parse("1.5", Some("i4")).unwrap_err().contains("cannot be stored"));
    }
}
