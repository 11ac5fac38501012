//! [`PyDatatype`]: a datatype, and the nested tuples by which Python sees and makes one.

use crate::error::Raise;
use hyperslab::{
    ByteOrder, CharacterSet, Class, Datatype, Float, Normalization, ReferenceKind, StringPadding,
    VariableKind,
};
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::{Bound, Py, PyAny, PyAnyMethods, PyResult, Python, pyclass, pymethods};
use pyo3::types::{PyBytes, PyTuple, PyTupleMethods};
use pyo3::{FromPyObject, IntoPyObject, IntoPyObjectExt};

/// What one element is.
#[pyclass(frozen, eq, name = "Datatype", module = "hyperslab._native")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PyDatatype(pub(crate) Datatype);

#[pymethods]
impl PyDatatype {
    #[new]
    fn new(description: &Bound<'_, PyTuple>) -> PyResult<Self> {
        build(description).map(Self)
    }

    /// Nested tuples that say everything of the datatype: its class, then its properties.
    fn describe(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        describe(py, &self.0)
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }

    #[getter]
    fn has_variable_length(&self) -> bool {
        self.0.has_variable_length()
    }

    #[getter]
    fn has_reference(&self) -> bool {
        self.0.has_reference()
    }

    fn __repr__(&self) -> String {
        format!("<Datatype {}>", self.0)
    }
}

fn order_number(order: ByteOrder) -> u8 {
    match order {
        ByteOrder::Little => 0,
        ByteOrder::Big => 1,
        ByteOrder::Vax => 2,
    }
}

fn order_of(number: u8) -> ByteOrder {
    match number {
        0 => ByteOrder::Little,
        1 => ByteOrder::Big,
        _ => ByteOrder::Vax,
    }
}

fn padding_number(padding: StringPadding) -> u8 {
    match padding {
        StringPadding::NullTerminated => 0,
        StringPadding::NullPadded => 1,
        StringPadding::SpacePadded => 2,
    }
}

fn characters_number(characters: CharacterSet) -> u8 {
    match characters {
        CharacterSet::Ascii => 0,
        CharacterSet::Utf8 => 1,
    }
}

fn characters_of(number: u8) -> CharacterSet {
    if number == 0 { CharacterSet::Ascii } else { CharacterSet::Utf8 }
}

fn reference_name(kind: ReferenceKind) -> &'static str {
    match kind {
        ReferenceKind::Object => "object",
        ReferenceKind::Region => "region",
        ReferenceKind::RevisedObject => "revised object",
        ReferenceKind::RevisedRegion => "revised region",
        ReferenceKind::Attribute => "attribute",
    }
}

fn float_fields(of: &Float) -> (u16, u16, u8, u8, u8, u32, u8, u8, u8) {
    let normalization = match of.normalization {
        Normalization::None => 2,
        Normalization::Set => 1,
        Normalization::Implied => 0,
    };
    let Float { offset, precision, sign, exponent, exponent_size, exponent_bias, .. } = *of;
    (
        offset,
        precision,
        sign,
        exponent,
        exponent_size,
        exponent_bias,
        of.mantissa,
        of.mantissa_size,
        normalization,
    )
}

fn tuple<'py>(py: Python<'py>, parts: impl IntoPyObject<'py>) -> PyResult<Py<PyAny>> {
    parts.into_py_any(py)
}

/// The tuples that [`build`] takes.
pub(crate) fn describe(py: Python<'_>, datatype: &Datatype) -> PyResult<Py<PyAny>> {
    let size = datatype.size();
    match datatype.class() {
        Class::Integer(of) => {
            tuple(py, ("integer", size, order_number(of.order), of.signed, of.precision, of.offset))
        }
        Class::Float(of) => tuple(py, ("float", size, order_number(of.order), float_fields(of))),
        Class::Time(of) => tuple(py, ("time", size, order_number(of.order), of.precision)),
        Class::String(of) => {
            tuple(py, ("string", size, padding_number(of.padding), characters_number(of.character_set)))
        }
        Class::Bitfield(of) => tuple(py, ("bitfield", size, order_number(of.order), of.precision, of.offset)),
        Class::Opaque(of) => tuple(py, ("opaque", size, PyBytes::new(py, of.tag()))),
        Class::Compound(of) => {
            let members = of.members().iter().map(|member| {
                let name = PyBytes::new(py, member.name_bytes());
                tuple(py, (name, member.offset(), describe(py, member.datatype())?))
            });
            let members = members.collect::<PyResult<Vec<_>>>()?;
            tuple(py, ("compound", size, PyTuple::new(py, members)?))
        }
        Class::Reference(of) => tuple(py, ("reference", size, reference_name(of.kind))),
        Class::Enumeration(of) => {
            let members = of.members().map(|(name, value)| (PyBytes::new(py, name), value));
            tuple(py, ("enum", describe(py, of.base())?, PyTuple::new(py, members.collect::<Vec<_>>())?))
        }
        Class::VariableLength(of) => match of.kind() {
            VariableKind::Sequence => tuple(py, ("vlen", describe(py, of.base())?)),
            VariableKind::String { padding, characters } => {
                tuple(py, ("vlen_string", padding_number(padding), characters_number(characters)))
            }
        },
        Class::Array(of) => tuple(py, ("array", describe(py, of.base())?, PyTuple::new(py, of.dims())?)),
        Class::Complex(of) => tuple(py, ("complex", describe(py, of.base())?)),
        _ => Err(PyNotImplementedError::new_err(format!("no description of {datatype}"))),
    }
}

fn part<'py, T>(of: &Bound<'py, PyTuple>, at: usize) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<pyo3::PyErr>,
{
    of.get_item(at)?.extract::<T>().map_err(Into::into)
}

fn inner(of: &Bound<'_, PyTuple>, at: usize) -> PyResult<Datatype> {
    build(of.get_item(at)?.cast::<PyTuple>()?)
}

/// The datatype of a description.
pub(crate) fn build(of: &Bound<'_, PyTuple>) -> PyResult<Datatype> {
    let class: String = part(of, 0)?;
    match class.as_str() {
        "integer" => Ok(Datatype::integer(part(of, 1)?, part(of, 3)?, order_of(part(of, 2)?))),
        "bitfield" => Ok(Datatype::bitfield(part(of, 1)?, order_of(part(of, 2)?))),
        "float" => build_float(of),
        "string" => {
            let padding = match part(of, 2)? {
                0_u8 => StringPadding::NullTerminated,
                1 => StringPadding::NullPadded,
                _ => StringPadding::SpacePadded,
            };
            Ok(Datatype::string_as(part(of, 1)?, padding, characters_of(part(of, 3)?)))
        }
        "opaque" => {
            let tag: Vec<u8> = part(of, 2)?;
            Ok(Datatype::opaque(part(of, 1)?, &String::from_utf8_lossy(&tag)))
        }
        "compound" => build_compound(of),
        "reference" => match part::<String>(of, 2)?.as_str() {
            "object" => Ok(Datatype::object_reference()),
            "region" => Ok(Datatype::region_reference()),
            kind => Err(PyNotImplementedError::new_err(format!("references of kind {kind:?}"))),
        },
        "enum" => {
            let members: Vec<(Vec<u8>, i128)> = part(of, 2)?;
            let members: Vec<(String, i128)> = members.into_iter().map(|(n, v)| (text(&n), v)).collect();
            Datatype::enumeration(&inner(of, 1)?, members.iter().map(|(n, v)| (n.as_str(), *v))).raise()
        }
        "vlen_string" => Ok(Datatype::variable_string(characters_of(part(of, 2)?))),
        "vlen" => Ok(Datatype::variable_length(inner(of, 1)?)),
        "array" => Datatype::array(inner(of, 1)?, &part::<Vec<u32>>(of, 2)?).raise(),
        "complex" => Datatype::complex_class(inner(of, 1)?).raise(),
        other => Err(PyNotImplementedError::new_err(format!("datatypes of class {other:?} cannot be made"))),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn build_float(of: &Bound<'_, PyTuple>) -> PyResult<Datatype> {
    let (offset, precision, sign, exponent, exponent_size, exponent_bias, mantissa, mantissa_size, known): (
        u16,
        u16,
        u8,
        u8,
        u8,
        u32,
        u8,
        u8,
        u8,
    ) = part(of, 3)?;
    let normalization = match known {
        0 => Normalization::Implied,
        1 => Normalization::Set,
        _ => Normalization::None,
    };
    let float = Float {
        order: order_of(part(of, 2)?),
        normalization,
        offset,
        precision,
        sign,
        exponent,
        exponent_size,
        exponent_bias,
        mantissa,
        mantissa_size,
        ..Float::SINGLE
    };
    let size: usize = part(of, 1)?;
    let datatype = if float == Float::EXTENDED { Datatype::long_double() } else { Datatype::float(float) };
    if datatype.size() == size {
        return Ok(datatype);
    }
    Err(PyNotImplementedError::new_err(format!(
        "a floating-point number of {precision} bits in {size} bytes"
    )))
}

fn build_compound(of: &Bound<'_, PyTuple>) -> PyResult<Datatype> {
    let mut compound = Datatype::compound();
    for member in of.get_item(2)?.try_iter()? {
        let member = member?;
        let member = member.cast::<PyTuple>()?;
        let name: Vec<u8> = part(member, 0)?;
        compound = compound.member_at(&text(&name), part(member, 1)?, inner(member, 2)?);
    }
    compound.build_sized(part(of, 1)?).raise()
}
