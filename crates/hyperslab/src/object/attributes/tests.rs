//! Attributes that are set, removed and renamed, against a map of them.

use super::{StoredAttribute, find, list, put, remove, rename};
use crate::datatype::Datatype;
use crate::format::bytes::{Address, Bounds, Widths};
use crate::format::message::attribute::AttributeMessage;
use crate::format::object_header::kind;
use crate::metadata::Metadata;
use crate::object::Objects;
use crate::object::group::{GroupOptions, create};
use crate::object::header::Header;
use crate::space::Extent;
use crate::storage::memory::MemoryStorage;
use crate::storage::{ReadAt, WriteAt};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::collections::BTreeMap;
use std::sync::Arc;

fn objects(storage: &Arc<MemoryStorage>, bounds: Bounds, end: u64) -> Objects {
    let storage = Arc::clone(storage) as Arc<dyn WriteAt>;
    let md = Metadata::writable(storage, 0, Widths::EIGHT, end).unwrap().with_bounds(bounds);
    Objects::open(md, None).unwrap()
}

fn set(objects: &Objects, object: Address, name: &str, data: &[u8]) -> crate::error::Result<()> {
    let md = &objects.metadata;
    let attribute = AttributeMessage {
        name: name.as_bytes().to_vec(),
        utf8: false,
        datatype: md.encode(&Datatype::of::<u8>()).unwrap(),
        datatype_shared: false,
        dataspace: md.encode(&Extent::fixed(&[data.len() as u64])).unwrap(),
        dataspace_shared: false,
        data: data.to_vec(),
    };
    put(objects, object, &attribute.parts())
}

fn value(attribute: &StoredAttribute) -> Vec<u8> {
    // Version 1 headers pad.
    attribute.data[..usize::try_from(attribute.extent.count().unwrap()).unwrap()].to_vec()
}

fn check(objects: &Objects, object: Address, model: &BTreeMap<String, Vec<u8>>) {
    let header = Header::open(&objects.metadata, object).unwrap();
    let found: BTreeMap<String, Vec<u8>> = list(objects, &header)
        .unwrap()
        .iter()
        .map(|one| (String::from_utf8(one.name.clone()).unwrap(), value(one)))
        .collect();
    assert_eq!(found, *model);
    for (name, data) in model {
        assert_eq!(value(&find(objects, &header, name.as_bytes()).unwrap().unwrap()), *data);
    }
    assert!(find(objects, &header, b"not there").unwrap().is_none());
}

#[test]
fn many_attributes_are_rewritten_without_growing_the_file() {
    let storage = Arc::new(MemoryStorage::default());
    let objects = objects(&storage, Bounds::V110, 48);
    let object = create(&objects, GroupOptions::default()).unwrap();
    for nth in 0..1000 {
        set(&objects, object, &format!("attribute {nth}"), &[1; 50]).unwrap();
    }
    objects.metadata.flush().unwrap();
    let end = objects.metadata.end();
    for nth in 0..10_000 {
        set(&objects, object, &format!("attribute {}", nth % 1000), &vec![2; 40 + nth % 11]).unwrap();
    }
    assert!(objects.metadata.end() < end + 20_000, "{} from {end}", objects.metadata.end());
}

#[test]
fn a_value_too_large_for_a_header_goes_into_a_heap_and_an_old_header_refuses_it() {
    let storage = Arc::new(MemoryStorage::default());
    for bounds in [Bounds::V110, Bounds::Earliest] {
        let objects = objects(&storage, bounds, 48);
        let object = create(&objects, GroupOptions::default()).unwrap();
        set(&objects, object, "small", &[1; 9]).unwrap();
        let done = set(&objects, object, "large", &vec![7; 70_000]);
        let mut model: BTreeMap<_, _> = [("small".to_owned(), vec![1; 9])].into();
        if bounds == Bounds::V110 {
            done.unwrap();
            model.insert("large".to_owned(), vec![7; 70_000]);
        } else {
            assert!(done.unwrap_err().to_string().contains("attribute \"large\""));
        }
        check(&objects, object, &model);
    }
}

#[test]
fn attributes_tell_the_order_they_were_made_in() {
    let storage = Arc::new(MemoryStorage::default());
    let objects = objects(&storage, Bounds::V110, 48);
    let object = create(&objects, GroupOptions { track_order: true }).unwrap();
    for count in [3_u64, 30] {
        for nth in 0..count {
            set(&objects, object, &format!("{}", 99 - nth), &[1]).unwrap();
        }
        let header = Header::open(&objects.metadata, object).unwrap();
        let mut all = list(&objects, &header).unwrap();
        all.sort_by_key(|one| one.order);
        let names: Vec<_> = all.iter().map(|one| String::from_utf8(one.name.clone()).unwrap()).collect();
        assert_eq!(names, (0..count).map(|nth| format!("{}", 99 - nth)).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_object_has_the_attributes_that_were_set_and_not_removed(
        bounds in prop::sample::select(vec![Bounds::Earliest, Bounds::V18, Bounds::V110]),
        tracked in any::<bool>(),
        steps in prop::collection::vec((0_u8..12, 0_usize..20, 1_usize..200), 1..150),
    ) {
        let storage = Arc::new(MemoryStorage::default());
        let mut objects = objects(&storage, bounds, 48);
        let object = create(&objects, GroupOptions { track_order: tracked }).unwrap();
        let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (nth, (what, which, length)) in (0_u8..=255).cycle().zip(steps) {
            let name = format!("name {which}");
            match what {
                0..6 => {
                    let data = vec![nth; if length > 195 { length * 30 } else { length }];
                    set(&objects, object, &name, &data).unwrap();
                    model.insert(name, data);
                }
                6..10 => {
                    let removed = remove(&objects, object, name.as_bytes());
                    assert_eq!(removed.is_ok(), model.remove(&name).is_some());
                }
                10 => {
                    let to = format!("to {which}");
                    let fits = model.contains_key(&name) && !model.contains_key(&to);
                    assert_eq!(rename(&objects, object, name.as_bytes(), to.as_bytes()).is_ok(), fits);
                    if fits {
                        let data = model.remove(&name).unwrap();
                        model.insert(to, data);
                    }
                }
                _ => {
                    objects.metadata.flush().unwrap();
                    objects = self::objects(&storage, bounds, storage.len().unwrap());
                }
            }
            check(&objects, object, &model);
            let header = Header::open(&objects.metadata, object).unwrap();
            if header.prefix.version == 2 {
                assert_eq!(header.first(kind::ATTRIBUTE_INFO).is_some(), !model.is_empty());
            }
        }
    }
}
