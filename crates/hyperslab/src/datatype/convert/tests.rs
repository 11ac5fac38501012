use std::fmt::Write;

use super::Conversion;
use crate::datatype::vlen::{Heap, NoHeap};
use crate::datatype::{ByteOrder, CharacterSet, Datatype, Float, StringPadding};
use crate::error::{ErrorKind, Result};
use proptest::prelude::*;

/// Lines of "from to elements converted", numpy's names and hex.
const GOLDEN: &str = include_str!("../../../fixtures/datatypes/conversions.txt");

fn named(name: &str) -> Datatype {
    let order = if name.starts_with('>') { ByteOrder::Big } else { ByteOrder::Little };
    let size = |digits: &str| digits.parse::<u8>().unwrap();
    match name[1..].split_at(1) {
        ("i", digits) => Datatype::integer(size(digits), true, order),
        ("u", digits) => Datatype::integer(size(digits), false, order),
        ("f", "2") => Datatype::float(Float::HALF.ordered(order)),
        ("f", "4") => Datatype::float(Float::SINGLE.ordered(order)),
        ("f", "8") => Datatype::float(Float::DOUBLE.ordered(order)),
        ("g", _) => Datatype::long_double(),
        _ => panic!("{name}"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn convert(from: &Datatype, to: &Datatype, elements: &[u8]) -> Vec<u8> {
    let count = elements.len() / from.size();
    let mut out = vec![0xee; count * to.size()];
    Conversion::plan(from, to).unwrap().run(elements, &mut out, count, &NoHeap).unwrap();
    out
}

#[test]
fn numbers_become_what_libhdf5_makes_of_them() {
    let mut wrong = String::new();
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let [from, to, elements, expected]: [&str; 4] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (of, into) = (named(from), named(to));
        let elements = bytes(elements);
        let out = convert(&of, &into, &elements);
        let results = out.chunks(into.size()).zip(elements.chunks(of.size()));
        for ((out, element), expected) in results.zip(bytes(expected).chunks(into.size())) {
            if out != expected {
                writeln!(wrong, "{from} {to} {}: {} expected {}", hex(element), hex(out), hex(expected))
                    .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_same_datatype_is_copied() {
    for datatype in [named("<f8"), Datatype::boolean(), Datatype::string(3), Datatype::complex(Float::SINGLE)]
    {
        assert!(Conversion::plan(&datatype, &datatype.clone()).unwrap().is_copy(), "{datatype}");
    }
    assert!(!Conversion::plan(&named(">f8"), &named("<f8")).unwrap().is_copy());
}

#[test]
fn strings_are_cut_and_filled() {
    let string = |length, padding| Datatype::string_as(length, padding, CharacterSet::Ascii);
    let (ended, filled, spaced) =
        (StringPadding::NullTerminated, StringPadding::NullPadded, StringPadding::SpacePadded);
    assert_eq!(convert(&string(4, filled), &string(6, spaced), b"ab\0\0"), b"ab    ");
    assert_eq!(convert(&string(6, spaced), &string(3, ended), b"a bcd "), b"a \0");
    assert_eq!(convert(&string(4, ended), &string(3, filled), b"ab\0x"), b"ab\0");
    assert_eq!(convert(&string(4, filled), &string(2, filled), b"abcd"), b"ab");
}

#[test]
fn members_find_each_other_by_name() {
    let from = Datatype::compound().member("a", named("<i4")).member("b", named("<f4")).build().unwrap();
    let to = Datatype::compound().member("b", named(">f8")).member("c", named("<i2")).build().unwrap();
    let mut element = 7_i32.to_le_bytes().to_vec();
    element.extend(1.5_f32.to_le_bytes());
    let mut expected = 1.5_f64.to_be_bytes().to_vec();
    expected.extend([0, 0]);
    assert_eq!(convert(&from, &to, &element), expected);
}

#[test]
fn enumerations_are_converted_by_name_and_to_numbers_by_value() {
    let from = Datatype::enumeration(&named("<i2"), [("red", 1), ("blue", 300)]).unwrap();
    let to = Datatype::enumeration(&named("<u1"), [("blue", 9), ("green", 8), ("red", 7)]).unwrap();
    assert_eq!(convert(&from, &to, &[1, 0, 0x2c, 1, 5, 0]), [7, 9, 0xff]);
    assert_eq!(convert(&from, &named("<u1"), &[1, 0, 0x2c, 1]), [1, 255]);
    let error = Conversion::plan(&to, &from).unwrap_err();
    assert_eq!(error.to_string(), "the enumeration converted to has no \"green\"");
}

#[test]
fn complex_numbers_of_both_forms_are_converted() {
    let from = Datatype::complex(Float::SINGLE);
    let to = Datatype::complex(Float::DOUBLE.ordered(ByteOrder::Big));
    let element: Vec<u8> = [1.0_f32, -2.0].iter().flat_map(|part| part.to_le_bytes()).collect();
    let expected: Vec<u8> = [1.0_f64, -2.0].iter().flat_map(|part| part.to_be_bytes()).collect();
    assert_eq!(convert(&from, &to, &element), expected);
}

#[test]
fn arrays_are_converted_element_by_element() {
    let from = Datatype::array(named("<i2"), &[2, 2]).unwrap();
    let to = Datatype::array(named(">i4"), &[2, 2]).unwrap();
    let elements = [1, 0, 2, 0, 3, 0, 0xff, 0xff];
    assert_eq!(convert(&from, &to, &elements), [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff]);
    let longer = Datatype::array(named(">i4"), &[2, 3]).unwrap();
    assert_eq!(Conversion::plan(&from, &longer).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[derive(Debug)]
struct OneString;

impl Heap for OneString {
    fn fetch(&self, _stored: &[u8]) -> Result<Vec<u8>> {
        Ok(b"variable".to_vec())
    }
}

#[test]
fn a_string_of_any_length_fits_a_fixed_one() {
    let from = Datatype::variable_string(CharacterSet::Utf8);
    let plan = Conversion::plan(&from, &Datatype::string(5)).unwrap();
    let mut stored = [0; 32];
    stored[0] = 4;
    let mut out = [9; 10];
    plan.run(&stored, &mut out, 2, &OneString).unwrap();
    assert_eq!(&out, b"vari\0\0\0\0\0\0");
}

#[test]
fn what_has_no_conversion_says_so() {
    let error = Conversion::plan(&Datatype::string(3), &named(">f8")).unwrap_err();
    assert_eq!(error.to_string(), "no conversion from string of 3 bytes to f64 big-endian");
    let error = Conversion::plan(&named("<i4"), &named("<i8")).unwrap().run(&[0; 4], &mut [0; 8], 2, &NoHeap);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Usage);
}

proptest! {
    #[test]
    fn the_fast_way_equals_the_exact_way(
        elements in proptest::collection::vec(any::<[u8; 8]>(), 1..40), from in 0_usize..16, to in 0_usize..16
    ) {
        let names = ["<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f4", "<f8", "<f2", ">i2", ">i4", ">i8", ">f4", ">f8"];
        let (from, to) = (named(names[from]), named(names[to]));
        let elements: Vec<u8> = elements.iter().flat_map(|element| element[..from.size()].to_vec()).collect();
        let out = convert(&from, &to, &elements);
        let exact = super::path::exact(&from, &to).unwrap();
        let exact = Conversion { from: from.size(), to: to.size(), path: exact };
        let mut expected = vec![0; out.len()];
        exact.run(&elements, &mut expected, elements.len() / from.size(), &NoHeap).unwrap();
        let is_nan = |bytes: &[u8]| {
            let element = convert(&from, &named("<f8"), bytes);
            f64::from_le_bytes(element.try_into().unwrap()).is_nan()
        };
        let pairs = out.chunks(to.size()).zip(expected.chunks(to.size()));
        for ((out, expected), element) in pairs.zip(elements.chunks(from.size())) {
            prop_assert!(out == expected || is_nan(element), "{from} {to} {element:?}: {out:?} expected {expected:?}");
        }
    }
}
