//! What is written is read, whatever the order of the calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::model(bytes));
