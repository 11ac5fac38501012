//! Header messages of every type.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::message(bytes));
