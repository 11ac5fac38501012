//! Datatypes in JSON: `"<i4"`, as numpy writes simple ones, or an object with `class` and what the class needs.

use crate::{Outcome, Request};
use hyperslab::{ByteOrder, CharacterSet, Datatype, Float, Integer, StringPadding};
use serde_json::Value as Json;

/// The datatype that `spec` writes down.
pub(crate) fn datatype(spec: &Json) -> Outcome<Datatype> {
    if let Some(short) = spec.as_str() {
        return simple(short);
    }
    let request = Request(spec);
    match request.text("class")? {
        "integer" => integer(request),
        "float" => Ok(match request.text("kind")? {
            "long double" => Datatype::long_double(),
            "extended" => Datatype::float(Float::EXTENDED),
            "quadruple" => Datatype::float(Float::QUADRUPLE.ordered(order(request))),
            "brain" => Datatype::float(Float::BRAIN.ordered(order(request))),
            other => return Err(format!("no float is called {other}").into()),
        }),
        "string" => string(request),
        "opaque" => Ok(Datatype::opaque(size(request)?, request.text("tag")?)),
        "bitfield" => Ok(Datatype::bitfield(byte(request, "size")?, order(request))),
        "boolean" => Ok(Datatype::boolean()),
        "enumeration" => enumeration(request),
        "compound" => compound(request),
        "array" => {
            let dims = crate::numbers(request.find("dims").unwrap_or(&Json::Null))?;
            let dims: Result<Vec<u32>, _> = dims.into_iter().map(u32::try_from).collect();
            Ok(Datatype::array(base(request)?, &dims.map_err(|error| error.to_string())?)?)
        }
        "sequence" => Ok(Datatype::variable_length(base(request)?)),
        "reference" => Ok(match request.text("kind")? {
            "object" => Datatype::object_reference(),
            _ => Datatype::region_reference(),
        }),
        other => Err(format!("no class is called {other}").into()),
    }
}

/// Byte order, kind and size: `>f4`.
fn simple(short: &str) -> Outcome<Datatype> {
    let fault = || format!("no datatype is written {short}");
    let mut letters = short.chars();
    let order = if letters.next() == Some('>') { ByteOrder::Big } else { ByteOrder::Little };
    let kind = letters.next();
    let size: u8 = letters.as_str().parse().map_err(|_| fault())?;
    let float = |size| match size {
        2 => Ok(Float::HALF.ordered(order)),
        4 => Ok(Float::SINGLE.ordered(order)),
        8 => Ok(Float::DOUBLE.ordered(order)),
        _ => Err(fault()),
    };
    Ok(match kind {
        Some('i') => Datatype::integer(size, true, order),
        Some('u') => Datatype::integer(size, false, order),
        Some('f') => Datatype::float(float(size)?),
        Some('c') => Datatype::complex(float(size / 2)?),
        _ => return Err(fault().into()),
    })
}

fn order(request: Request<'_>) -> ByteOrder {
    if request.find_text("order") == Some(">") { ByteOrder::Big } else { ByteOrder::Little }
}

fn size(request: Request<'_>) -> Outcome<usize> {
    usize::try_from(request.number("size")?).map_err(|error| error.to_string().into())
}

fn byte(request: Request<'_>, name: &str) -> Outcome<u8> {
    u8::try_from(request.number(name)?).map_err(|error| error.to_string().into())
}

fn base(request: Request<'_>) -> Outcome<Datatype> {
    datatype(request.find("base").ok_or("needs \"base\", a datatype")?)
}

/// An integer, perhaps of fewer bits than its bytes have.
fn integer(request: Request<'_>) -> Outcome<Datatype> {
    let bytes = byte(request, "size")?;
    let whole = Integer::full(bytes, request.is("signed"), order(request));
    let bits = |name, otherwise| match request.find(name) {
        Some(_) => byte(request, name).map(u16::from),
        None => Ok(otherwise),
    };
    let bits =
        Integer { precision: bits("precision", whole.precision)?, offset: bits("offset", 0)?, ..whole };
    Ok(Datatype::integer_of(usize::from(bytes), bits)?)
}

fn string(request: Request<'_>) -> Outcome<Datatype> {
    let characters = if request.find_text("characters") == Some("ascii") {
        CharacterSet::Ascii
    } else {
        CharacterSet::Utf8
    };
    if request.find("size").is_none() {
        return Ok(Datatype::variable_string(characters));
    }
    let padding = match request.find_text("padding") {
        Some("terminated") => StringPadding::NullTerminated,
        Some("spaces") => StringPadding::SpacePadded,
        _ => StringPadding::NullPadded,
    };
    Ok(Datatype::string_as(size(request)?, padding, characters))
}

/// `members` is a list of name and value.
fn enumeration(request: Request<'_>) -> Outcome<Datatype> {
    let members = request.list("members")?.iter().map(|member| {
        let name = member.get(0).and_then(Json::as_str);
        let value = member.get(1).and_then(Json::as_i64);
        name.zip(value).map(|(name, value)| (name, i128::from(value)))
    });
    let members: Option<Vec<_>> = members.collect();
    Ok(Datatype::enumeration(&base(request)?, members.ok_or("a member is a name and a value")?)?)
}

/// `members` is a list of name, datatype and perhaps offset.
fn compound(request: Request<'_>) -> Outcome<Datatype> {
    let mut builder = Datatype::compound();
    for member in request.list("members")? {
        let name = member.get(0).and_then(Json::as_str).ok_or("a member has a name")?;
        let of = datatype(member.get(1).ok_or("a member has a datatype")?)?;
        builder = match member.get(2).and_then(Json::as_u64).and_then(|offset| usize::try_from(offset).ok()) {
            Some(offset) => builder.member_at(name, offset, of),
            None => builder.member(name, of),
        };
    }
    match request.find("size") {
        Some(_) => Ok(builder.build_sized(size(request)?)?),
        None => Ok(builder.build()?),
    }
}
