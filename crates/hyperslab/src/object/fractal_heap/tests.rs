//! Heaps that are written, against a map of what is in them.

use super::FractalHeap;
use super::space::HeapSpaces;
use super::write::{ATTRIBUTES, LINKS, create};
use crate::format::bytes::{Address, Widths};
use crate::metadata::Metadata;
use crate::storage::WriteAt;
use crate::storage::memory::MemoryStorage;
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::collections::HashMap;
use std::sync::Arc;

fn file() -> (Arc<MemoryStorage>, Metadata) {
    let storage = Arc::new(MemoryStorage::default());
    let md = Metadata::create(Arc::clone(&storage) as Arc<dyn WriteAt>, 48).unwrap();
    (storage, md)
}

fn reopen(storage: &Arc<MemoryStorage>, md: &Metadata) -> Metadata {
    md.flush().unwrap();
    Metadata::writable(Arc::clone(storage) as Arc<dyn WriteAt>, 0, Widths::EIGHT, md.end()).unwrap()
}

fn check(md: &Metadata, at: Address, model: &HashMap<Vec<u8>, Vec<u8>>) {
    let heap = FractalHeap::open(md, at).unwrap();
    let fields = &heap.head.header.fields;
    assert_eq!(fields.managed_objects.0 + fields.huge_objects.0 + fields.tiny_objects.0, model.len() as u64);
    let managed: u64 =
        model.values().map(|object| object.len() as u64).filter(|n| (9..=4096).contains(n)).sum();
    let overhead = heap.head.shape.direct_overhead(md.widths()) as u64;
    let capacity = match (fields.root, fields.rows) {
        (None, _) => 0,
        (_, 0) => fields.start_block_size.0 - overhead,
        (_, rows) => heap.head.shape.capacity(rows.into(), overhead),
    };
    assert_eq!(fields.free_space.0, capacity - managed);
    for (id, object) in model {
        assert_eq!(heap.get(md, id).unwrap(), *object);
    }
}

#[test]
fn ten_thousand_objects_fill_a_table_with_indirect_blocks() {
    for parameters in [LINKS, ATTRIBUTES] {
        let (storage, md) = file();
        let (at, spaces) = (create(&md, parameters).unwrap(), HeapSpaces::default());
        let mut model = HashMap::new();
        for nth in 0_u32..10_000 {
            let object = nth.to_le_bytes().repeat(10 + (nth % 30) as usize);
            let id = spaces.insert(&md, at, &object, &mut || panic!("known")).unwrap();
            model.insert(id.to_vec(), object);
        }
        check(&md, at, &model);
        let md = reopen(&storage, &md);
        check(&md, at, &model);
        let (spaces, end) = (HeapSpaces::default(), md.end());
        spaces.delete(&md, at).unwrap();
        md.flush().unwrap();
        let at = create(&md, parameters).unwrap();
        for object in model.values() {
            spaces.insert(&md, at, object, &mut || panic!("known")).unwrap();
        }
        assert!(md.end() <= end + 70_000, "what was freed is used again: {} from {end}", md.end());
    }
}

#[test]
fn rewriting_objects_does_not_grow_the_file() {
    let (_, md) = file();
    let (at, spaces) = (create(&md, ATTRIBUTES).unwrap(), HeapSpaces::default());
    let mut ids: Vec<_> =
        (0..100).map(|_| spaces.insert(&md, at, &[1; 300], &mut || Ok(Vec::new())).unwrap()).collect();
    let end = md.end();
    for turn in 0..10_000 {
        let id = &mut ids[turn % 100];
        spaces.remove(&md, at, id, &mut || panic!("known")).unwrap();
        *id = spaces.insert(&md, at, &vec![2; 290 + turn % 11], &mut || panic!("known")).unwrap();
    }
    assert!(md.end() <= end + 70_000, "{} from {end}", md.end());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_inserted_and_not_removed_is_there(
        steps in prop::collection::vec((0_u8..10, any::<prop::sample::Index>(), 0_usize..1000), 1..300),
    ) {
        let (storage, mut md) = file();
        let mut spaces = HeapSpaces::default();
        let at = create(&md, LINKS).unwrap();
        let mut model: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        for (nth, (what, which, length)) in (0_u8..=255).cycle().zip(steps) {
            let ids: Vec<Vec<u8>> = model.keys().cloned().collect();
            let mut all = || Ok(ids.clone());
            match what {
                0..6 => {
                    let length = if length % 10 == 0 { length * 9 } else { length / 4 + 8 };
                    let object = vec![nth; length.max(9)];
                    let id = spaces.insert(&md, at, &object, &mut all).unwrap();
                    assert!(model.insert(id.to_vec(), object).is_none());
                }
                6 | 7 if !model.is_empty() => {
                    let id = &ids[which.index(ids.len())];
                    spaces.remove(&md, at, id, &mut all).unwrap();
                    model.remove(id);
                }
                8 if !model.is_empty() => {
                    let id = &ids[which.index(ids.len())];
                    let object = vec![nth; model[id].len()];
                    if spaces.overwrite(&md, at, (id, &object), &mut all).unwrap() {
                        model.insert(id.clone(), object);
                    }
                }
                _ => {
                    md = reopen(&storage, &md);
                    spaces = HeapSpaces::default();
                }
            }
        }
        check(&md, at, &model);
        let md = reopen(&storage, &md);
        check(&md, at, &model);
        spaces = HeapSpaces::default();
        spaces.delete(&md, at).unwrap();
        md.flush().unwrap();
    }
}
