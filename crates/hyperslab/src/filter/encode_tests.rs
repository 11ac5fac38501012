//! Every encoder against what libhdf5 stored, against its decoder, and the parameters against those of libhdf5.

use super::create::{BitshuffleCompression, Scale, SzipCoding};
use super::tests::{filter, golden};
use super::{Filter, FilterPipeline, names};
use crate::datatype::{ByteOrder, Datatype, Float};
use proptest::prelude::*;

#[test]
fn scale_offset_and_nbit_store_what_libhdf5_stored() {
    for golden in golden() {
        let id = golden.pipeline.filters[0].id;
        if id == names::NBIT || id == names::SCALE_OFFSET {
            let (stored, mask) = golden.pipeline.encode(&golden.raw).unwrap();
            assert_eq!(mask, 0);
            assert_eq!(stored.len(), golden.stored.len(), "{}", golden.name);
            assert!(stored == golden.stored, "{}", golden.name);
        }
    }
}

#[test]
fn chunks_of_libhdf5_are_encoded_as_well_and_decode() {
    for golden in golden() {
        let id = golden.pipeline.filters[0].id;
        if id == names::SZIP || id == names::LZF {
            let (stored, mask) = golden.pipeline.encode(&golden.raw).unwrap();
            let most = golden.stored.len() + golden.stored.len() / 10;
            assert!(stored.len() <= most, "{}: {} and {}", golden.name, stored.len(), golden.stored.len());
            let back = golden.pipeline.decode(&stored, mask, golden.raw.len()).unwrap();
            assert!(back == golden.raw, "{}", golden.name);
        }
    }
}

fn client(filter: Filter, datatype: &Datatype, chunk: &[u64], fill: Option<&[u8]>) -> Vec<u32> {
    let pipeline = FilterPipeline { filters: vec![filter] };
    pipeline.prepared(datatype, chunk, fill).unwrap().filters.remove(0).client
}

#[test]
fn parameters_are_those_of_libhdf5_and_the_plugins() {
    let (f4, f8, u2) = (Datatype::of::<f32>(), Datatype::of::<f64>(), Datatype::of::<u16>());
    let i2be = Datatype::integer(2, true, ByteOrder::Big);
    let f8be = Datatype::float(Float::DOUBLE.ordered(ByteOrder::Big));
    let szip = |coding, pixels| Filter::szip(coding, pixels).unwrap();
    assert_eq!(client(Filter::shuffle(), &f8, &[9], None), [8]);
    assert_eq!(client(Filter::lzf(), &f8, &[301], None), [4, 261, 2408]);
    assert_eq!(client(Filter::lz4(), &f8, &[301], None), [0]);
    assert_eq!(client(Filter::bitshuffle(BitshuffleCompression::None), &f8, &[301], None), [0, 4, 8, 0, 0]);
    assert_eq!(
        client(Filter::bitshuffle(BitshuffleCompression::Zstd(3)), &f8, &[9], None),
        [0, 4, 8, 0, 3, 3]
    );
    let nearest = SzipCoding::NearestNeighbour;
    assert_eq!(client(szip(nearest, 16), &f8, &[300], None), [169, 16, 64, 300]);
    assert_eq!(client(szip(nearest, 8), &u2, &[40, 37], None), [169, 8, 16, 37]);
    assert_eq!(client(szip(nearest, 16), &u2, &[5000], None), [169, 16, 16, 2048]);
    let u2be = Datatype::integer(2, false, ByteOrder::Big);
    assert_eq!(client(szip(nearest, 4), &u2be, &[1000], None), [177, 4, 16, 512]);
    assert_eq!(
        client(szip(SzipCoding::Entropy, 16), &Datatype::of::<i32>(), &[600], None),
        [141, 16, 32, 600]
    );
    let scaled = |scale, datatype: &Datatype, count, fill| {
        let client = client(Filter::scale_offset(scale), datatype, &[count], fill);
        assert_eq!(client.len(), 20);
        client[..10].to_vec()
    };
    assert_eq!(scaled(Scale::Bits(0), &u2, 200, Some(&[77, 0])), [2, 0, 200, 0, 2, 0, 0, 1, 77, 0]);
    assert_eq!(scaled(Scale::Bits(0), &i2be, 200, Some(&[])), [2, 0, 200, 0, 2, 1, 1, 1, 0, 0]);
    assert_eq!(scaled(Scale::Digits(3), &f4, 150, None), [0, 3, 150, 1, 4, 0, 0, 0, 0, 0]);
    let fill = (-1.5_f64).to_be_bytes();
    let expected = [0, 2, 150, 1, 8, 0, 1, 1, 0, 0xbff8_0000];
    assert_eq!(scaled(Scale::Digits(2), &f8be, 150, Some(&fill)), expected);
}

#[test]
fn parameters_of_nbit_follow_the_datatype() {
    let nbit = |datatype: &Datatype, count| client(Filter::nbit(), datatype, &[count], None);
    assert_eq!(nbit(&Datatype::of::<f32>(), 60), [8, 1, 60, 1, 4, 0, 32, 0]);
    let array = Datatype::array(Datatype::of::<i16>(), &[3]).unwrap();
    let element = Datatype::compound()
        .member("a", Datatype::of::<i32>())
        .member_at("b", 6, array)
        .member("c", Datatype::string(5))
        .build()
        .unwrap();
    let expected = [22, 1, 50, 3, 17, 3, 0, 1, 4, 0, 32, 0, 6, 2, 6, 1, 2, 0, 16, 0, 12, 4, 5];
    assert_eq!(nbit(&element, 50)[1..], expected[1..]);
    assert_eq!(nbit(&Datatype::string(5), 50), [3, 1, 50]);
}

#[test]
fn a_filter_that_does_not_suit_the_datatype_is_refused() {
    let scaled = FilterPipeline { filters: vec![Filter::scale_offset(Scale::Bits(0))] };
    let error = scaled.prepared(&Datatype::string(3), &[5], None).unwrap_err().to_string();
    assert!(error.starts_with("filter 6 (scaleoffset): elements are string of 3 bytes"), "{error}");
    let error = Filter::szip(SzipCoding::Entropy, 7).unwrap_err().to_string();
    assert_eq!(error, "szip with 7 pixels per block, an even number up to 32 expected");
}

#[test]
fn an_optional_filter_that_makes_the_chunk_no_smaller_is_left_out() {
    let data: Vec<u8> = (0..=255).collect();
    let pipeline = FilterPipeline { filters: vec![Filter::lzf()] };
    assert_eq!(pipeline.encode(&data).unwrap(), (data, 1));
}

fn round_trip(filter: Filter, raw: &[u8]) -> Result<(), TestCaseError> {
    let pipeline = FilterPipeline { filters: vec![filter] };
    let (stored, mask) = pipeline.encode(raw).unwrap();
    prop_assert_eq!(pipeline.decode(&stored, mask, raw.len()).unwrap(), raw);
    Ok(())
}

/// Runs of numbers that are near each other, sometimes far, often the same.
fn numbers() -> impl Strategy<Value = Vec<u64>> {
    let run = (any::<u64>(), prop_oneof![Just(1_u64), Just(2), Just(40), Just(u64::MAX)], 1..300_usize);
    proptest::collection::vec(run, 1..6).prop_flat_map(|runs| {
        let runs: Vec<_> = runs
            .into_iter()
            .map(|(base, spread, count)| {
                proptest::collection::vec((0..spread).prop_map(move |more| base.wrapping_add(more)), count)
            })
            .collect();
        runs.prop_map(|runs| runs.concat())
    })
}

fn bytes(numbers: &[u64], size: usize, bits: u32, big: bool) -> Vec<u8> {
    let mask = u64::MAX >> (64 - bits);
    let mut out = Vec::new();
    for number in numbers {
        let mut element = (number & mask).to_le_bytes()[..size].to_vec();
        if big {
            element.reverse();
        }
        out.extend(element);
    }
    out
}

proptest! {
    #[test]
    fn lzf_round_trips(data in proptest::collection::vec(0_u8..5, 0..9000), noise in any::<[u8; 40]>()) {
        round_trip(filter(names::LZF, &[]), &[data.as_slice(), &noise, &data].concat())?;
    }

    #[test]
    fn szip_round_trips(
        numbers in numbers(), nearest: bool, big: bool, block in 1_u32..17, line in 1_usize..2000, shape in 0_usize..7
    ) {
        let (size, bits) = [(1, 8), (1, 5), (2, 16), (2, 12), (4, 20), (4, 32), (8, 64)][shape];
        let numbers = if bits < 32 { numbers } else { numbers.iter().map(|n| n >> 3).collect() };
        let raw = bytes(&numbers, size, bits, big);
        let mask = 129 + if nearest { 32 } else { 4 } + if big { 16 } else { 8 };
        // A line holds a block at least, as szip requires: a shorter one would be padded to many times its size.
        let line = u32::try_from(line).unwrap().clamp(block * 2, block * 2 * 128);
        round_trip(filter(names::SZIP, &[mask, block * 2, bits, line]), &raw)?;
    }

    #[test]
    fn nbit_round_trips(numbers in numbers(), big: bool, size in 1_usize..=8, bits in 1_u32..=64) {
        let bits = bits.min(u32::try_from(size * 8).unwrap());
        let raw = bytes(&numbers, size, bits, big);
        let (count, size) = (u32::try_from(numbers.len()).unwrap(), u32::try_from(size).unwrap());
        round_trip(filter(names::NBIT, &[8, 0, count, 1, size, u32::from(big), bits, 0]), &raw)?;
    }

    #[test]
    fn integers_round_trip_through_scale_offset(
        numbers in numbers(), big: bool, signed: bool, size in prop_oneof![Just(1_usize), Just(2), Just(4), Just(8)],
        filled: bool,
    ) {
        let raw = bytes(&numbers, size, u32::try_from(size * 8).unwrap(), big);
        let datatype = Datatype::integer(u8::try_from(size).unwrap(), signed, if big { ByteOrder::Big } else { ByteOrder::Little });
        let fill = filled.then(|| &raw[..size]);
        let client = client(Filter::scale_offset(Scale::Bits(0)), &datatype, &[numbers.len() as u64], fill);
        round_trip(filter(names::SCALE_OFFSET, &client), &raw)?;
    }

    #[test]
    fn floats_come_back_to_the_digits_asked_for(
        values in proptest::collection::vec(prop_oneof![Just(7.0_f64), -5e4..5e4_f64], 1..300), digits in 0..5_i32, filled: bool
    ) {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let seven = 7.0_f64.to_le_bytes();
        let fill = filled.then_some(seven.as_slice());
        let filter = Filter::scale_offset(Scale::Digits(digits));
        let pipeline = FilterPipeline { filters: vec![filter] };
        let pipeline = pipeline.prepared(&Datatype::of::<f64>(), &[values.len() as u64], fill).unwrap();
        let (stored, mask) = pipeline.encode(&raw).unwrap();
        let back = pipeline.decode(&stored, mask, raw.len()).unwrap();
        for (value, back) in values.iter().zip(back.chunks_exact(8)) {
            let back = f64::from_le_bytes(back.try_into().unwrap());
            prop_assert!((value - back).abs() <= 10_f64.powi(-digits) * 1.001, "{value} {back}");
        }
    }
}

#[test]
fn floats_that_are_no_numbers_are_stored_whole() {
    let values = [1.0_f32, f32::NAN, f32::INFINITY, -3.0];
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let client = client(Filter::scale_offset(Scale::Digits(2)), &Datatype::of::<f32>(), &[4], Some(&[]));
    round_trip(filter(names::SCALE_OFFSET, &client), &raw).unwrap();
}
