//! Chunk indexes, B-trees and heaps.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyperslab::fuzzing::index_heaps(bytes));
