//! Superblocks and object headers with their messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::superblock_header(bytes));
