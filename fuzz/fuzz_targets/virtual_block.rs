//! The list of mappings of a virtual dataset, and the selections in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::virtual_block(bytes));
