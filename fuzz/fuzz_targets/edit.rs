//! Changes to a file that somebody else made.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::edit(bytes));
