//! Rust structs as compounds.
#![cfg(feature = "derive")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hyperslab::{Datatype, ErrorKind, File, OpenOptions, Record, Selection, Text};
use std::process::Command;

#[derive(Record, Clone, Copy, Debug, PartialEq)]
#[repr(i16)]
enum Colour {
    Red = -3,
    #[hyperslab(rename = "sky blue")]
    Blue = 300,
}

#[derive(Record, Clone, Copy, Debug, PartialEq)]
struct Pair<T, const N: usize> {
    one: [T; N],
    two: T,
}

#[derive(Record, Clone, Debug, PartialEq)]
struct Event {
    good: bool,
    time: f64,
    r#type: u16,
    colour: Colour,
    #[hyperslab(rename = "where from")]
    origin: Text<7>,
    pairs: [[Pair<i32, 3>; 2]; 2],
    z: num_complex::Complex<f32>,
}

fn event(number: i32) -> Event {
    let pair = |at: i32| Pair { one: [at, at + 1, -at], two: 10 * at };
    Event {
        good: number % 2 == 0,
        time: f64::from(number) + 0.5,
        r#type: 7,
        colour: if number % 3 == 0 { Colour::Red } else { Colour::Blue },
        origin: Text::new("süd").unwrap(),
        pairs: [[pair(number), pair(2)], [pair(3), pair(4)]],
        z: num_complex::Complex::new(1.5, -2.5),
    }
}

fn selected(start: u64, end: u64) -> Selection {
    Selection::from_ranges(std::slice::from_ref(&(start..end))).unwrap()
}

#[test]
fn records_are_written_and_read_by_selection() {
    let file = OpenOptions::new().create_in_memory().unwrap();
    let events = file.new_dataset_of(&Event::datatype().unwrap());
    let events = events.shape([10]).max_shape([None]).chunk([4]).deflate(4).create("events").unwrap();
    let all: Vec<Event> = (0..10).map(event).collect();
    events.write_records(&Selection::All, &all).unwrap();
    events.write_records(&selected(3, 5), &[event(30), event(40)]).unwrap();
    let file = File::from_bytes(file.to_bytes().unwrap()).unwrap();
    let read = file.dataset("events").unwrap().read_records::<Event>(&selected(2, 6)).unwrap();
    assert_eq!(read.into_raw_vec_and_offset().0, [event(2), event(30), event(40), event(5)]);
}

#[test]
fn members_are_found_by_name_whatever_the_file_has_besides() {
    #[derive(Record, Debug, PartialEq)]
    struct Some {
        colour: Colour,
        time: f32,
        r#type: i64,
    }
    let file = OpenOptions::new().create_in_memory().unwrap();
    let events = file.new_dataset_of(&Event::datatype().unwrap()).shape([2]).create("events").unwrap();
    events.write_records(&Selection::All, &[event(0), event(1)]).unwrap();
    let read = events.read_records::<Some>(&selected(1, 2)).unwrap();
    assert_eq!(read.into_raw_vec_and_offset().0, [Some { colour: Colour::Blue, time: 1.5, r#type: 7 }]);
    events.write_records(&selected(0, 1), &[Some { colour: Colour::Blue, time: 8., r#type: 9 }]).unwrap();
    let changed = &events.read_records::<Event>(&Selection::All).unwrap()[[0]];
    assert_eq!(*changed, Event { colour: Colour::Blue, time: 8., r#type: 9, ..event(0) });
}

#[test]
fn a_value_without_a_name_is_an_error() {
    let file = OpenOptions::new().create_in_memory().unwrap();
    let colours = file.new_dataset_of(&Colour::datatype().unwrap()).shape([2]).create("colours").unwrap();
    let error = colours.read_records::<Colour>(&Selection::All).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("0 has no name in the enumeration"), "{error}");
}

#[test]
fn the_datatype_is_the_one_said_by_hand() {
    let by_hand = Datatype::compound()
        .member("one", Datatype::array(Datatype::of::<i32>(), &[3]).unwrap())
        .member("two", Datatype::of::<i32>())
        .build();
    assert_eq!(Pair::<i32, 3>::datatype().unwrap(), by_hand.unwrap());
    assert_eq!(Colour::datatype().unwrap().to_string(), "enumeration of i16 {Red: -3, sky blue: 300}");
}

/// What h5dump says of a file; nothing when it is not installed.
fn dumped(path: &std::path::Path) -> Option<String> {
    let output = Command::new("h5dump").arg(path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn h5dump_reads_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.h5");
    let file = File::create(&path).unwrap();
    let events = file.new_dataset_of(&Event::datatype().unwrap()).shape([1]).create("events").unwrap();
    events.write_records(&Selection::All, &[event(1)]).unwrap();
    file.close().unwrap();
    let Some(text) = dumped(&path) else { return };
    for part in [
        "\"FALSE\" 0; \"TRUE\" 1; } \"good\";",
        "H5T_STD_I16LE; \"Red\" -3; \"sky blue\" 300;",
        "STRSIZE 7; STRPAD H5T_STR_NULLPAD; CSET H5T_CSET_UTF8; CTYPE H5T_C_S1; } \"where from\";",
        "H5T_ARRAY { [2][2] H5T_COMPOUND { H5T_ARRAY { [3] H5T_STD_I32LE } \"one\"; H5T_STD_I32LE \"two\"; } } \"pairs\";",
        "FALSE, 1.5, 7, sky blue,",
        "[ { [ 1, 2, -1 ], 10 }, { [ 2, 3, -2 ], 20 }, { [ 3, 4, -3 ], 30 }, { [ 4, 5, -4 ], 40 } ]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
