//! Datatype messages of every class and version, and what they decode.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::datatype(bytes));
