//! Headers against a list of messages.

use super::{Options, ROOM, add, create, remove_all, replace, set_link_count};
use crate::error::ErrorKind;
use crate::format::bytes::{Address, Bounds};
use crate::format::object_header::{RawMessage, kind};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};
use crate::object::header::Header;
use crate::storage::memory::MemoryStorage;
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::sync::Arc;

fn file(bounds: Bounds) -> Metadata {
    Metadata::create(Arc::new(MemoryStorage::default()), 96).unwrap().with_bounds(bounds)
}

fn message(kind: u16, body: Vec<u8>) -> RawMessage {
    RawMessage { kind, flags: 0, body: body.into() }
}

/// The messages that say something, without the padding of version 1.
fn said(header: &Header) -> Vec<(u16, Vec<u8>)> {
    let wanted = |m: &&RawMessage| ![kind::NIL, kind::CONTINUATION].contains(&m.kind);
    let body = |m: &RawMessage| {
        let length = usize::from(m.body[0]);
        assert!(m.body[length + 1..].iter().all(|byte| *byte == 0));
        m.body[1..=length].to_vec()
    };
    let mut all: Vec<_> = header.messages.iter().filter(wanted).map(|m| (m.kind, body(m))).collect();
    all.sort();
    all
}

fn stored(body: &[u8]) -> Vec<u8> {
    [&[u8::try_from(body.len()).unwrap()], body].concat()
}

fn same(md: &Metadata, at: Address, model: &[(u16, Vec<u8>)]) {
    let mut model = model.to_vec();
    model.sort();
    assert_eq!(said(&Header::open(md, at).unwrap()), model);
    let header = Header::load(md, at).unwrap();
    assert_eq!(said(&header), model);
    if header.prefix.version == 1 {
        let count = md.read(at, 4).unwrap();
        assert_eq!(usize::from(u16::from_le_bytes([count[2], count[3]])), header.messages.len());
    }
}

#[test]
fn a_chunk_that_its_messages_do_not_fit_as_they_are_written_is_not_changed() {
    // Messages of version 1 are written in multiples of 8 bytes, but the body of this first one has 13.
    let md = file(Bounds::Earliest);
    let mut bytes = vec![0; 16 + 8 + 13 + 8 + 16];
    (bytes[0], bytes[2], bytes[4], bytes[8]) = (1, 2, 1, 8 + 13 + 8 + 16);
    (bytes[16], bytes[18]) = (u8::try_from(kind::ATTRIBUTE).unwrap(), 13);
    (bytes[37], bytes[39]) = (u8::try_from(kind::DATASPACE).unwrap(), 16);
    let at = md.allocate(bytes.len()).unwrap();
    md.put_unsealed(Stage::ObjectHeader, at, bytes.clone(), Seal::None).unwrap();
    let error = replace(&md, at, 1, &message(kind::DATASPACE, vec![2; 16])).unwrap_err();
    assert!(error.kind() == ErrorKind::Malformed && error.to_string().contains("repack"), "{error}");
    assert_eq!(md.read(at, bytes.len()).unwrap(), bytes);
}

#[test]
fn two_attributes_need_no_second_chunk() {
    for bounds in [Bounds::Earliest, Bounds::V110] {
        let md = file(bounds);
        let start = [message(kind::DATASPACE, vec![1; 20])];
        let at = create(&md, start.to_vec(), Options { spare: ROOM, ..Options::default() }).unwrap();
        for _ in 0..2 {
            add(&md, at, &message(kind::ATTRIBUTE, vec![2; 60])).unwrap();
        }
        assert_eq!(Header::open(&md, at).unwrap().blocks().count(), 1);
        add(&md, at, &message(kind::ATTRIBUTE, vec![2; 60])).unwrap();
        assert_eq!(Header::open(&md, at).unwrap().blocks().count(), 2);
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_and_nothing_changes() {
    let md = file(Bounds::V110);
    let at = create(&md, vec![message(kind::COMMENT, vec![0])], Options::default()).unwrap();
    let error = add(&md, at, &message(kind::ATTRIBUTE, vec![0; 65536])).unwrap_err().to_string();
    assert!(error.contains("a message of type 0xc has 65536 bytes, a header holds at most 65535"), "{error}");
    same(&md, at, &[(kind::COMMENT, Vec::new())]);
}

#[test]
fn links_are_counted_in_both_versions() {
    for bounds in [Bounds::Earliest, Bounds::V110] {
        let md = file(bounds);
        let at = create(&md, vec![message(kind::COMMENT, vec![0])], Options::default()).unwrap();
        for count in [1, 2, 7, 1, 0] {
            set_link_count(&md, at, count).unwrap();
            assert_eq!(Header::open(&md, at).unwrap().link_count(), count);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_header_holds_what_was_put_in(
        bounds in prop::sample::select(vec![Bounds::Earliest, Bounds::V18]),
        tracked in any::<bool>(),
        spare in 0_usize..200,
        steps in prop::collection::vec((0_u8..8, any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..90)), 1..120),
    ) {
        let md = file(bounds);
        let mut model = vec![(kind::COMMENT, b"first".to_vec())];
        let options = Options { spare, track_attributes: tracked, ..Options::default() };
        let at = create(&md, vec![message(kind::COMMENT, stored(b"first"))], options).unwrap();
        for (what, which, body) in steps {
            let header = Header::open(&md, at).unwrap();
            let nth = header.messages.iter().enumerate();
            let nth: Vec<usize> = nth
                .filter(|(_, m)| ![kind::NIL, kind::CONTINUATION].contains(&m.kind))
                .map(|(nth, _)| nth)
                .collect();
            let next = message(kind::ATTRIBUTE, stored(&body));
            let forget = |model: &mut Vec<(u16, Vec<u8>)>, nth: usize| {
                let old = &header.messages[nth];
                let body = old.body[1..=usize::from(old.body[0])].to_vec();
                let at = model.iter().position(|one| *one == (old.kind, body.clone())).unwrap();
                model.swap_remove(at);
            };
            match what {
                0..4 => {
                    add(&md, at, &next).unwrap();
                    model.push((kind::ATTRIBUTE, body));
                }
                4 | 5 if !nth.is_empty() => {
                    let nth = nth[which.index(nth.len())];
                    forget(&mut model, nth);
                    replace(&md, at, nth, &next).unwrap();
                    model.push((kind::ATTRIBUTE, body));
                }
                6 if !nth.is_empty() => {
                    let nth = nth[which.index(nth.len())];
                    forget(&mut model, nth);
                    remove_all(&md, at, &[nth]).unwrap();
                }
                _ => md.flush().unwrap(),
            }
            same(&md, at, &model);
        }
        md.flush().unwrap();
        same(&md, at, &model);
    }
}
