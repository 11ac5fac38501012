//! Every filter against chunks that libhdf5 and its plugins stored, against itself, and against any bytes.

use super::{Filter, FilterPipeline, Scratch, names};
use proptest::prelude::*;
use std::path::Path;

/// A chunk of `fixtures/filters/index.txt`.
pub(super) struct Golden {
    pub(super) name: String,
    mask: u32,
    pub(super) pipeline: FilterPipeline,
    pub(super) stored: Vec<u8>,
    pub(super) raw: Vec<u8>,
}

#[expect(clippy::disallowed_methods, reason = "the test reads its fixtures")]
fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/filters").join(name)).unwrap()
}

pub(super) fn golden() -> Vec<Golden> {
    let index = String::from_utf8(bytes_of("index.txt")).unwrap();
    index
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Golden {
                name: words[0].to_owned(),
                mask: words[1].parse().unwrap(),
                pipeline: FilterPipeline { filters: words[3..].iter().map(|word| filter_of(word)).collect() },
                stored: bytes_of(&format!("{}.stored", words[0])),
                raw: bytes_of(words[2]),
            }
        })
        .collect()
}

fn filter_of(word: &str) -> Filter {
    let parts: Vec<&str> = word.split(':').collect();
    let client = parts[2].split(',').filter(|value| !value.is_empty()).map(|value| value.parse().unwrap());
    Filter { id: parts[0].parse().unwrap(), name: None, optional: parts[1] == "1", client: client.collect() }
}

pub(super) fn filter(id: u16, client: &[u32]) -> Filter {
    Filter { id, name: None, optional: false, client: client.to_vec() }
}

#[test]
fn chunks_stored_by_libhdf5_and_its_plugins_decode_to_what_they_were() {
    let mut scratch = Scratch::default();
    let mut wrong = Vec::new();
    for golden in golden() {
        let mut out = vec![0xee; golden.raw.len()];
        match golden.pipeline.decode_into(&golden.stored, golden.mask, &mut out, &mut scratch) {
            Ok(()) if out == golden.raw => {}
            Ok(()) => {
                let first = out.iter().zip(&golden.raw).position(|(a, b)| a != b);
                wrong.push(format!("{}: differs from byte {first:?}", golden.name));
            }
            Err(error) => wrong.push(format!("{}: {error}", golden.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_truncated_or_damaged_chunk_is_an_error_or_other_bytes_but_never_a_panic() {
    let mut scratch = Scratch::default();
    for golden in golden() {
        let mut out = vec![0; golden.raw.len()];
        let step = golden.stored.len() / 40 + 1;
        for cut in (0..golden.stored.len()).step_by(step) {
            let _ = golden.pipeline.decode_into(&golden.stored[..cut], golden.mask, &mut out, &mut scratch);
            let mut damaged = golden.stored.clone();
            damaged[cut] ^= 0x55;
            let _ = golden.pipeline.decode_into(&damaged, golden.mask, &mut out, &mut scratch);
            if let Some(short) = out.len().checked_sub(1) {
                let _ =
                    golden.pipeline.decode_into(&golden.stored, golden.mask, &mut out[..short], &mut scratch);
            }
        }
    }
}

#[test]
fn a_filter_that_is_not_built_in_is_named() {
    let pipeline = FilterPipeline { filters: vec![filter(32013, &[])] };
    let error = pipeline.decode(b"x", 0, 1).unwrap_err();
    assert_eq!(error.to_string(), "filter 32013 (zfp): it is not built in");
    assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
}

#[test]
fn a_masked_filter_is_skipped() {
    let pipeline = FilterPipeline { filters: vec![filter(32013, &[]), filter(names::FLETCHER32, &[])] };
    let stored = FilterPipeline { filters: vec![filter(names::FLETCHER32, &[])] }.encode(b"frame").unwrap().0;
    assert_eq!(pipeline.decode(&stored, 0b01, 5).unwrap(), b"frame");
    assert_eq!(pipeline.decode(b"frame", 0b11, 5).unwrap(), b"frame");
}

#[test]
fn an_optional_filter_without_encoder_is_left_out_and_masked() {
    let mut bzip2 = filter(names::BZIP2, &[]);
    bzip2.optional = true;
    let pipeline = FilterPipeline { filters: vec![bzip2.clone(), filter(names::FLETCHER32, &[])] };
    let (stored, mask) = pipeline.encode(b"frame").unwrap();
    assert_eq!((stored.len(), mask), (9, 0b01));
    bzip2.optional = false;
    assert!(FilterPipeline { filters: vec![bzip2] }.encode(b"frame").is_err());
}

#[test]
fn a_stream_that_inflates_beyond_the_chunk_is_refused() {
    let pipeline = FilterPipeline { filters: vec![filter(names::DEFLATE, &[9])] };
    let (stored, _) = pipeline.encode(&vec![0; 1 << 20]).unwrap();
    let error = pipeline.decode(&stored, 0, 1000).unwrap_err();
    assert_eq!(error.to_string(), "filter 1 (deflate): decodes to 1001 bytes, at most 1000 expected");
}

fn any_pipeline() -> impl Strategy<Value = FilterPipeline> {
    let size = prop_oneof![Just(1_u32), Just(2), Just(3), Just(4), Just(8), Just(12)];
    let one =
        (size, 0_u32..7, prop_oneof![Just(0_u32), Just(8), Just(64)]).prop_map(|(size, kind, block)| {
            match kind {
                0 => filter(names::DEFLATE, &[size]),
                1 => filter(names::SHUFFLE, &[size]),
                2 => filter(names::FLETCHER32, &[]),
                3 => filter(names::LZ4, &[block]),
                4 => filter(names::BITSHUFFLE, &[0, 4, size, block, 0]),
                5 => filter(names::BITSHUFFLE, &[0, 4, size, block, 2]),
                _ if cfg!(feature = "zstd") => filter(names::BITSHUFFLE, &[0, 4, size, block, 3, 1]),
                _ => filter(names::DEFLATE, &[1]),
            }
        });
    proptest::collection::vec(one, 0..4).prop_map(|filters| FilterPipeline { filters })
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(pipeline in any_pipeline(), data in proptest::collection::vec(0_u8..9, 1..3000)) {
        match pipeline.encode(&data) {
            Ok((stored, mask)) => prop_assert_eq!(pipeline.decode(&stored, mask, data.len()).unwrap(), data),
            Err(error) => prop_assert!(error.to_string().contains("are read again"), "{}", error),
        }
    }

    #[test]
    fn any_bytes_decode_or_say_why(
        number in 0..12_usize,
        client in proptest::collection::vec(prop_oneof![0..5_u32, 0..70_u32, any::<u32>()], 0..24),
        stored in proptest::collection::vec(any::<u8>(), 0..400),
        size in 0..2000_usize,
    ) {
        let ids = [1, 2, 3, 4, 5, 6, 307, 32000, 32001, 32004, 32008, 32015];
        let _ = FilterPipeline { filters: vec![filter(ids[number], &client)] }.decode(&stored, 0, size);
    }
}
