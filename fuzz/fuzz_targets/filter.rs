//! A pipeline or a filter, and a chunk that it decodes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::filter(bytes));
