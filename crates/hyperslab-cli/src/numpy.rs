//! A datatype as h5py shows it: the numpy type it becomes, and how that is spelled.

use crate::output::text;
use hyperslab::{ByteOrder, CharacterSet, Class, Compound, Datatype, Float, ReferenceKind, VariableKind};

/// The numpy type of a datatype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numpy {
    /// Numbers: `<i4`, `>f8`, `<c16`, and others that numpy has a letter for.
    Number {
        order: &'static str,
        letter: char,
        size: usize,
    },
    /// An enumeration of `FALSE` and `TRUE`.
    Bool,
    /// An enumeration, by value and name.
    Enum {
        base: Box<Numpy>,
        members: Vec<(i128, String)>,
    },
    /// A string in so many bytes.
    Fixed {
        size: usize,
        utf8: bool,
    },
    /// A string of any length.
    Text {
        utf8: bool,
    },
    Sequence(Box<Numpy>),
    Object,
    Region,
    Opaque(usize),
    Array {
        dims: Vec<u64>,
        base: Box<Numpy>,
    },
    /// Fields by their offset.
    Compound {
        fields: Vec<Field>,
        size: usize,
    },
}

/// A field of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Where it is in memory, as libhdf5 lays out variable-length values there.
    pub(crate) offset: usize,
    /// Which member of the datatype it is.
    pub(crate) index: usize,
    pub(crate) kind: Numpy,
}

impl Numpy {
    /// The numpy type of a datatype, or why there is none.
    pub(crate) fn of(datatype: &Datatype) -> Result<Self, String> {
        let size = datatype.size();
        Ok(match datatype.class() {
            Class::Integer(integer) => {
                number(order(integer.order), if integer.signed { 'i' } else { 'u' }, size)
            }
            Class::Bitfield(bits) => number(order(bits.order), 'u', size),
            Class::Time(time) => number(order(time.order), 'i', size),
            Class::Float(float) => number(order(float.order), 'f', float_size(float, size)?),
            Class::Complex(complex) => match Self::of(complex.base())? {
                Self::Number { order, size, .. } => number(order, 'c', 2 * size),
                _ => return Err("a complex number whose parts are no numbers".to_owned()),
            },
            Class::String(string) => Self::Fixed { size, utf8: string.character_set == CharacterSet::Utf8 },
            Class::Opaque(opaque) => tagged(opaque.tag(), size).unwrap_or(Self::Opaque(size)),
            Class::Reference(reference) => match reference.kind {
                ReferenceKind::Object | ReferenceKind::RevisedObject => Self::Object,
                ReferenceKind::Region | ReferenceKind::RevisedRegion => Self::Region,
                ReferenceKind::Attribute => {
                    return Err("references to attributes have no numpy type".to_owned());
                }
            },
            Class::Enumeration(enumeration) => enumerated(enumeration)?,
            Class::VariableLength(variable) => match variable.kind() {
                VariableKind::Sequence => Self::Sequence(Box::new(Self::of(variable.base())?)),
                VariableKind::String { characters, .. } => {
                    Self::Text { utf8: characters == CharacterSet::Utf8 }
                }
            },
            Class::Array(array) => Self::Array {
                dims: array.dims().iter().map(|dim| u64::from(*dim)).collect(),
                base: Box::new(Self::of(array.base())?),
            },
            Class::Compound(compound) => compounded(compound, size)?,
            _ => return Err("a class of datatype that has no numpy type".to_owned()),
        })
    }

    /// How the oracle spells the type.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number { order, letter, size } => format!("{order}{letter}{size}"),
            Self::Bool => "bool".to_owned(),
            Self::Enum { base, members } => {
                let members: Vec<String> =
                    members.iter().map(|(value, name)| format!("{name}={value}")).collect();
                format!("enum({};{})", base.text(), members.join(","))
            }
            Self::Fixed { size, utf8 } => format!("S{size}:{}", encoding(*utf8)),
            Self::Text { utf8 } => format!("str:{}", encoding(*utf8)),
            Self::Sequence(base) => format!("vlen({})", base.text()),
            Self::Object => "ref:object".to_owned(),
            Self::Region => "ref:region".to_owned(),
            Self::Opaque(size) => format!("opaque{size}"),
            Self::Array { dims, base } => {
                let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
                format!("[{}]{}", dims.join(","), base.text())
            }
            Self::Compound { fields, size } => {
                let field = |field: &Field| format!("{}@{}:{}", field.name, field.offset, field.kind.text());
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}{size}", fields.join(","))
            }
        }
    }

    /// Whether the digest is over tokens, not bytes.
    pub(crate) fn is_text(&self) -> bool {
        match self {
            Self::Number { letter: 'f', size, .. } => *size > 8,
            Self::Number { letter: 'c', size, .. } => *size > 16,
            Self::Fixed { .. } | Self::Text { .. } | Self::Sequence(_) | Self::Object | Self::Region => true,
            Self::Number { .. } | Self::Bool | Self::Enum { .. } | Self::Opaque(_) => false,
            Self::Array { base, .. } => base.is_text(),
            Self::Compound { fields, .. } => fields.iter().any(|field| field.kind.is_text()),
        }
    }

    /// Bytes of an element in a numpy array.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Number { size, .. }
            | Self::Fixed { size, .. }
            | Self::Compound { size, .. }
            | Self::Opaque(size) => *size,
            Self::Bool => 1,
            Self::Enum { base, .. } => base.size(),
            Self::Text { .. } | Self::Sequence(_) | Self::Object | Self::Region => 8,
            Self::Array { dims, base } => elements(dims).saturating_mul(base.size()),
        }
    }

    /// Bytes of an element in memory, as libhdf5 lays it out.
    fn memory_size(&self) -> usize {
        match self {
            Self::Sequence(_) => 16,
            Self::Region => 12,
            Self::Array { dims, base } => elements(dims).saturating_mul(base.memory_size()),
            _ => self.size(),
        }
    }
}

fn elements(dims: &[u64]) -> usize {
    dims.iter().fold(1, |count: usize, dim| count.saturating_mul(usize::try_from(*dim).unwrap_or(usize::MAX)))
}

fn number(order: &'static str, letter: char, size: usize) -> Numpy {
    Numpy::Number { order: if size == 1 { "" } else { order }, letter, size }
}

/// VAX order becomes little-endian when it is read.
fn order(order: ByteOrder) -> &'static str {
    if order == ByteOrder::Big { ">" } else { "<" }
}

fn encoding(utf8: bool) -> &'static str {
    if utf8 { "utf-8" } else { "ascii" }
}

/// The smallest float of numpy that is at least as large and holds every value.
fn float_size(float: &Float, size: usize) -> Result<usize, String> {
    // Size, bits of the mantissa, largest and smallest exponent as C counts them.
    const KNOWN: [(usize, u8, i64, i64); 5] = [
        (2, 10, 16, -14),
        (4, 23, 128, -126),
        (8, 52, 1024, -1022),
        (16, 64, 16384, -16382),
        (16, 112, 16384, -16382),
    ];
    let bias = i64::from(float.exponent_bias);
    let largest =
        1_i64.checked_shl(u32::from(float.exponent_size)).unwrap_or(i64::MAX).saturating_sub(bias + 1);
    let fits = |(bytes, mantissa, most, least): &&(usize, u8, i64, i64)| {
        *bytes >= size && float.mantissa_size <= *mantissa && largest <= *most && 1 - bias >= *least
    };
    let found = KNOWN.iter().find(fits).map(|(bytes, ..)| *bytes);
    found.ok_or_else(|| {
        format!("numpy has no float for one of {size} bytes with an exponent of {} bits", float.exponent_size)
    })
}

/// An opaque type that numpy's own types were stored as.
fn tagged(tag: &[u8], size: usize) -> Option<Numpy> {
    let name = std::str::from_utf8(tag.strip_prefix(b"NUMPY:")?).ok()?;
    let (order, rest) = match name.split_at_checked(1)? {
        (">", rest) => (">", rest),
        ("<" | "=", rest) => ("<", rest),
        ("|", rest) => ("", rest),
        _ => ("<", name),
    };
    Some(number(order, rest.chars().next()?, size))
}

fn enumerated(enumeration: &hyperslab::Enumeration) -> Result<Numpy, String> {
    let mut members: Vec<(i128, String)> =
        enumeration.members().map(|(name, value)| (value, text(name))).collect();
    members.sort();
    let is = |index: usize, value: i128, name: &str| {
        members.get(index).is_some_and(|of| of.0 == value && of.1 == name)
    };
    if members.len() == 2 && is(0, 0, "FALSE") && is(1, 1, "TRUE") {
        return Ok(Numpy::Bool);
    }
    Ok(Numpy::Enum { base: Box::new(Numpy::of(enumeration.base())?), members })
}

/// Offsets move by what the members before grow or shrink in memory.
fn compounded(compound: &Compound, size: usize) -> Result<Numpy, String> {
    let mut members: Vec<(usize, &hyperslab::Member)> = compound.members().iter().enumerate().collect();
    members.sort_by_key(|(_, member)| member.offset());
    let (mut stored, mut held) = (0_usize, 0_usize);
    let mut fields = Vec::with_capacity(members.len());
    for (index, member) in members {
        let kind = Numpy::of(member.datatype())?;
        let name = match std::str::from_utf8(member.name_bytes()) {
            Ok(name) => name.to_owned(),
            Err(_) => return Err(format!("the name of member {index} is not UTF-8")),
        };
        let offset = member.offset().saturating_add(held).saturating_sub(stored);
        // What is not variable-length has its own size, even where numpy's is another.
        if member.datatype().has_variable_length() || member.datatype().has_reference() {
            held = held.saturating_add(kind.memory_size());
            stored = stored.saturating_add(member.datatype().size());
        }
        fields.push(Field { name, offset, index, kind });
    }
    if let [real, imaginary] = fields.as_slice()
        && (members_named(compound, "r", "i"))
        && real.kind == imaginary.kind
        && let Numpy::Number { order, letter: 'f', size: part @ (4 | 8 | 16) } = real.kind
    {
        return Ok(number(order, 'c', 2 * part));
    }
    Ok(Numpy::Compound { fields, size: size.saturating_add(held).saturating_sub(stored) })
}

fn members_named(compound: &Compound, first: &str, second: &str) -> bool {
    let mut names = compound.members().iter().map(hyperslab::Member::name_bytes);
    names.next() == Some(first.as_bytes()) && names.next() == Some(second.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::Numpy;
    use hyperslab::{ByteOrder, CharacterSet, Datatype, Float, StringPadding};

    fn text(datatype: &Datatype) -> String {
        Numpy::of(datatype).unwrap().text()
    }

    #[test]
    fn numbers_are_spelled_as_numpy_does() {
        assert_eq!(text(&Datatype::of::<u8>()), "u1");
        assert_eq!(text(&Datatype::integer(4, true, ByteOrder::Big)), ">i4");
        assert_eq!(text(&Datatype::of::<f64>()), "<f8");
        assert_eq!(text(&Datatype::long_double()), "<f16");
        assert_eq!(text(&Datatype::float(Float::BRAIN)), "<f4");
        assert_eq!(text(&Datatype::boolean()), "bool");
        assert_eq!(text(&Datatype::complex(Float::SINGLE)), "<c8");
    }

    #[test]
    fn strings_name_their_encoding() {
        assert_eq!(text(&Datatype::variable_string(CharacterSet::Utf8)), "str:utf-8");
        assert_eq!(
            text(&Datatype::string_as(10, StringPadding::SpacePadded, CharacterSet::Ascii)),
            "S10:ascii"
        );
    }

    #[test]
    fn a_compound_is_laid_out_as_in_memory() {
        let string = Datatype::variable_string(CharacterSet::Ascii);
        let compound = Datatype::compound().member("a", Datatype::of::<i32>()).member("b", string);
        let compound = compound.member("c", Datatype::of::<i16>()).build().unwrap();
        assert_eq!(text(&compound), "{a@0:<i4,b@4:str:ascii,c@12:<i2}14");
    }

    #[test]
    fn an_enumeration_is_sorted_by_value() {
        let colour = Datatype::enumeration(&Datatype::of::<i16>(), [("red", 7), ("blue", -1)]).unwrap();
        assert_eq!(text(&colour), "enum(<i2;blue=-1,red=7)");
    }
}
