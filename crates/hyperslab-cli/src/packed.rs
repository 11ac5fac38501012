//! The datatype whose elements are those of a dataset without padding, numbers little-endian.

use hyperslab::{ByteOrder, Class, Datatype, Enumeration, Float, Member};

/// The packed form of a datatype without variable-length members; an error says what has none.
pub(crate) fn packed(datatype: &Datatype) -> Result<Datatype, String> {
    let size = u8::try_from(datatype.size());
    Ok(match datatype.class() {
        Class::Integer(of) => match size {
            Ok(size) => Datatype::integer(size, of.signed, ByteOrder::Little),
            Err(_) => datatype.clone(),
        },
        Class::Bitfield(_) => match size {
            Ok(size) => Datatype::bitfield(size, ByteOrder::Little),
            Err(_) => datatype.clone(),
        },
        Class::Float(of) => Datatype::float(float(of, datatype.size())),
        Class::Complex(of) => match of.base().class() {
            Class::Float(part) => Datatype::complex(float(part, of.base().size())),
            _ => return Err(format!("a {datatype} has no packed form")),
        },
        Class::Enumeration(of) if is_boolean(of) => Datatype::integer(1, true, ByteOrder::Little),
        Class::Enumeration(of) => packed(of.base())?,
        Class::Array(of) => {
            Datatype::array(packed(of.base())?, of.dims()).map_err(|error| error.to_string())?
        }
        Class::Compound(of) => {
            let mut members: Vec<&Member> = of.members().iter().collect();
            members.sort_by_key(|member| (member.offset(), member.name_bytes()));
            let mut builder = Datatype::compound();
            for member in members {
                builder = builder.member(&member.name(), packed(member.datatype())?);
            }
            builder.build().map_err(|error| error.to_string())?
        }
        _ => datatype.clone(),
    })
}

/// A boolean is one byte to numpy, however many it has in the file.
fn is_boolean(of: &Enumeration) -> bool {
    let mut members: Vec<(&[u8], i128)> = of.members().collect();
    members.sort_unstable();
    members == [(b"FALSE".as_slice(), 0), (b"TRUE".as_slice(), 1)]
}

/// The smallest float of `IEEE` that holds every value, as numpy chooses it.
fn float(of: &Float, size: usize) -> Float {
    let bias = i64::from(of.exponent_bias);
    let top = 1_i64.checked_shl(u32::from(of.exponent_size)).unwrap_or(i64::MAX).saturating_sub(bias + 1);
    let holds = |bytes: usize, mantissa: u8, most: i64| {
        size <= bytes && of.mantissa_size <= mantissa && top <= most && 1 - bias >= 2 - most
    };
    if holds(2, 10, 16) {
        Float::HALF
    } else if holds(4, 23, 128) {
        Float::SINGLE
    } else {
        Float::DOUBLE
    }
}

#[cfg(test)]
mod tests {
    use super::packed;
    use hyperslab::{ByteOrder, Datatype, Float};

    #[test]
    fn members_follow_each_other() {
        let loose = Datatype::compound()
            .member_at("b", 8, Datatype::integer(8, true, ByteOrder::Big))
            .member_at("a", 0, Datatype::of::<u8>())
            .build_sized(24)
            .unwrap();
        assert_eq!(packed(&loose).unwrap().to_string(), "compound {a: u8, b: i64}");
        assert_eq!(packed(&loose).unwrap().size(), 9);
    }

    #[test]
    fn a_float_of_no_standard_becomes_the_next_larger_one() {
        assert_eq!(packed(&Datatype::float(Float::BRAIN)).unwrap(), Datatype::of::<f32>());
    }
}
