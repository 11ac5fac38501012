//! Selections of every kind and version.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::selection(bytes));
