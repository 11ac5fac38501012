use crate::datatype::{Class, Datatype};
use crate::format::bytes::{Bounds, Cursor, Sink, Widths, Wire};
use proptest::prelude::*;

/// Lines of "description | hex of the message | name h5py gives".
const GOLDEN: &str = include_str!("../../../../fixtures/datatypes/messages.txt");

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn read(bytes: &[u8]) -> crate::Result<Datatype> {
    Datatype::read(&mut Cursor::new(bytes, Widths::EIGHT))
}

fn write(datatype: &Datatype) -> Vec<u8> {
    write_for(Bounds::Earliest, datatype)
}

fn write_for(bounds: Bounds, datatype: &Datatype) -> Vec<u8> {
    let mut sink = Sink::new(Widths::EIGHT).bounded(bounds);
    datatype.write(&mut sink).unwrap();
    sink.into_bytes()
}

fn golden() -> impl Iterator<Item = (&'static str, Vec<u8>, &'static str)> {
    GOLDEN.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut parts = line.split('|').map(str::trim);
        let description = parts.next().unwrap();
        (description, bytes(parts.next().unwrap()), parts.next().unwrap())
    })
}

#[test]
fn what_h5py_encodes_is_read_and_written_back_byte_for_byte() {
    for (description, message, text) in golden() {
        let datatype = read(&message).unwrap_or_else(|error| panic!("{description}: {error}"));
        assert_eq!(write(&datatype), message, "{description}");
        assert_eq!(datatype.to_string(), text, "{description}");
    }
}

#[test]
fn every_shorter_message_is_refused() {
    for (description, message, _) in golden() {
        for length in 0..message.len() {
            assert!(read(&message[..length]).is_err(), "{description}: {length} bytes");
        }
    }
}

#[test]
fn dimensions_of_a_version_1_member_become_an_array() {
    // A compound of 12 bytes with one member "a", at 0, of 3 32-bit integers.
    let mut message = bytes("160100000c0000006100000000000000");
    message.extend(bytes("00000000010000000000000000000000"));
    message.extend(bytes("03000000000000000000000000000000"));
    message.extend(bytes("100800000400000000002000"));
    let datatype = read(&message).unwrap();
    assert_eq!(datatype.to_string(), "compound {a: array [3] of i32}");
    assert_eq!(write(&datatype), message);
}

#[test]
fn datatypes_within_datatypes_are_bounded() {
    let mut message = Vec::new();
    for _ in 0..40 {
        message.extend(bytes("1900000010000000"));
    }
    message.extend(bytes("100800000400000000002000"));
    let error = read(&message).unwrap_err();
    assert!(error.to_string().ends_with("more than 32 datatypes within each other"), "{error}");
}

#[test]
fn a_member_outside_its_compound_is_refused() {
    // Version 3, size 4, member "a" at 1 of 4 bytes.
    let message = bytes("3601000004000000610001100800000400000000002000");
    let error = read(&message).unwrap_err().to_string();
    assert_eq!(error, "compound: member \"a\" has 4 bytes at 1, outside its compound of 4");
}

#[test]
fn an_array_must_be_as_large_as_its_elements() {
    let message = bytes("3a0000000d0000000103000000100800000400000000002000");
    assert_eq!(read(&message).unwrap_err().to_string(), "array: 13 bytes, its elements have 12");
}

#[test]
fn a_precision_must_lie_in_the_bytes() {
    let message = bytes("100800000400000001002000");
    assert_eq!(read(&message).unwrap_err().to_string(), "integer: 32 bits at 1 do not lie in 4 bytes");
}

#[test]
fn a_newer_version_of_a_compound_is_shorter() {
    let old = Datatype::compound().member("a", Datatype::of::<i32>()).build().unwrap();
    let new = write_for(Bounds::V18, &old);
    assert_eq!(new, bytes("3601000004000000610000100800000400000000002000"));
    assert_eq!(write(&old).len(), 8 + 8 + 4 + 28 + 12);
    assert_eq!(read(&write(&old)).unwrap(), read(&new).unwrap());
    assert_eq!(write(&read(&new).unwrap()), new, "what was read as version 3 stays so");
}

fn leaf() -> impl Strategy<Value = Datatype> {
    let messages: Vec<Datatype> = golden()
        .map(|(_, message, _)| read(&message).unwrap())
        .filter(|datatype| !matches!(datatype.class(), Class::Compound(_) | Class::Array(_)))
        .collect();
    proptest::sample::select(messages)
}

fn nested() -> impl Strategy<Value = Datatype> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), proptest::collection::vec(1_u32..4, 1..4))
                .prop_map(|(base, dims)| Datatype::array(base, &dims).unwrap()),
            inner.clone().prop_map(Datatype::variable_length),
            proptest::collection::vec((inner, 0_usize..9), 1..5).prop_map(|members| {
                let mut builder = Datatype::compound();
                let mut offset = 0;
                for (index, (member, gap)) in members.into_iter().enumerate() {
                    let size = member.size();
                    builder = builder.member_at(&"x".repeat(index + 1), offset + gap, member);
                    offset += gap + size;
                }
                builder.build().unwrap()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(datatype in nested(), old: bool) {
        let message = write_for(if old { Bounds::Earliest } else { Bounds::V110 }, &datatype);
        let again = read(&message).unwrap();
        prop_assert_eq!(&again, &datatype);
        prop_assert_eq!(write(&again), message);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(datatype) = read(&bytes) {
            let message = write(&datatype);
            prop_assert_eq!(read(&message).unwrap(), datatype);
        }
    }

    #[test]
    fn damaged_messages_are_read_or_refused(
        datatype in nested(), at in any::<proptest::sample::Index>(), byte in any::<u8>()
    ) {
        let mut message = write(&datatype);
        let at = at.index(message.len());
        message[at] = byte;
        if let Ok(datatype) = read(&message) {
            let message = write(&datatype);
            prop_assert_eq!(read(&message).unwrap(), datatype);
        }
    }
}
