//! A whole file: every object, attribute and, in bounds, every value.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::whole_file(bytes));
