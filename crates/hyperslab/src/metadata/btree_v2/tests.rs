//! Version-2 B-trees against a map.

use super::{BTreeV2, Walk};
use crate::error::Result;
use crate::format::bytes::{Address, Widths};
use crate::metadata::Metadata;
use crate::storage::tests::{Call, Fault, TestStorage};
use crate::storage::{ReadAt, WriteAt};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::cmp;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

struct File {
    storage: Arc<TestStorage>,
    md: Metadata,
    tree: BTreeV2,
}

fn record(key: u16, value: u32) -> [u8; 6] {
    let mut bytes = [0; 6];
    bytes[..2].copy_from_slice(&key.to_le_bytes());
    bytes[2..].copy_from_slice(&value.to_le_bytes());
    bytes
}

fn key(record: &[u8]) -> u16 {
    u16::from_le_bytes([record[0], record[1]])
}

fn to(wanted: u16) -> impl FnMut(&[u8]) -> Result<cmp::Ordering> {
    move |record| Ok(key(record).cmp(&wanted))
}

struct All(BTreeMap<u16, u32>);

impl Walk for All {
    fn wants(&mut self, _: Option<&[u8]>, _: Option<&[u8]>) -> Result<bool> {
        Ok(true)
    }
    fn found(&mut self, record: &[u8]) -> Result<()> {
        assert!(self.0.last_key_value().is_none_or(|(last, _)| *last < key(record)));
        let value = u32::from_le_bytes(*record[2..].first_chunk().unwrap());
        self.0.insert(key(record), value);
        Ok(())
    }
}

impl File {
    fn new(node_size: u32) -> Self {
        let storage = Arc::new(TestStorage::default());
        let md = Metadata::create(Arc::clone(&storage) as Arc<dyn WriteAt>, 48).unwrap();
        let tree = BTreeV2::create(&md, 5, node_size, 6).unwrap();
        Self { storage, md, tree }
    }

    fn reopen(self) -> Self {
        self.md.flush().unwrap();
        let address = self.tree.address();
        let end = self.storage.len().unwrap();
        let storage = Arc::clone(&self.storage) as Arc<dyn WriteAt>;
        let md = Metadata::writable(storage, 0, Widths::EIGHT, end).unwrap();
        let tree = BTreeV2::open(&md, address).unwrap();
        Self { storage: self.storage, md, tree }
    }

    fn all(&self) -> BTreeMap<u16, u32> {
        let mut all = All(BTreeMap::new());
        self.tree.walk(&self.md, &mut all).unwrap();
        assert_eq!(self.tree.len(&self.md).unwrap(), all.0.len() as u64);
        self.check();
        all.0
    }

    /// Every node has as many records as libhdf5 counts on, and pointers count right.
    fn check(&self) {
        let known = super::known(&self.md, self.tree.address).unwrap();
        let header = &known.header;
        let root = super::root_of(header);
        if root.records > 0 {
            self.check_node(root, header.depth, true);
        } else {
            assert_eq!((header.root, header.depth, header.records.0), (None, 0, 0));
        }
    }

    fn check_node(&self, pointer: super::BTreeV2Child, height: u16, root: bool) {
        let node = self.tree.node(&self.md, pointer, height).unwrap();
        let (capacity, least) = self.tree.shape.limits(height).unwrap();
        let records = node.len() as u64;
        assert_eq!(records, pointer.records);
        assert!(records <= capacity && (root || records >= least), "{records} at {height}");
        assert_eq!(node.children.len() as u64, if height == 0 { 0 } else { records + 1 });
        let below: u64 = node.children.iter().map(|child| child.total).sum();
        assert_eq!(pointer.total, records + below);
        node.children.iter().for_each(|child| self.check_node(*child, height - 1, false));
    }
}

#[test]
fn a_tree_grows_and_shrinks_by_levels() {
    let mut file = File::new(128);
    for number in 0..3000_u16 {
        file.tree.insert(&file.md, &record(number, 7), &mut to(number)).unwrap();
    }
    assert!(super::known(&file.md, file.tree.address).unwrap().header.depth >= 3);
    file = file.reopen();
    assert_eq!(file.all().len(), 3000);
    let error = file.tree.insert(&file.md, &record(5, 8), &mut to(5)).unwrap_err().to_string();
    assert!(error.contains("already"), "{error}");
    for number in (0..3000_u16).rev() {
        let removed = file.tree.remove(&file.md, &mut to(number)).unwrap();
        assert_eq!(removed.as_deref(), Some(record(number, 7).as_slice()));
        if number % 500 == 0 {
            file = file.reopen();
            file.check();
        }
    }
    assert!(file.all().is_empty());
}

#[test]
fn a_deleted_tree_gives_its_space_back() {
    let file = File::new(128);
    let end = file.md.end();
    for number in 0..2000_u16 {
        let number = number.wrapping_mul(40503);
        file.tree.insert(&file.md, &record(number, 7), &mut to(number)).unwrap();
    }
    assert!(file.md.end() > end + 1000);
    file.tree.delete(&file.md).unwrap();
    file.md.flush().unwrap();
    // What aligned the first node stays.
    assert!(file.md.trim().unwrap() <= 48 + 40);
}

#[test]
fn a_change_during_which_a_read_fails_is_not_made_or_whole() {
    let mut file = File::new(64);
    for number in 0..200_u16 {
        file.tree.insert(&file.md, &record(number * 2, 7), &mut to(number * 2)).unwrap();
    }
    let mut model = file.all();
    for number in (0..60_u16).map(|number| number * 37 % 200) {
        for after in 0.. {
            file = file.reopen();
            file.storage.fail(Fault {
                of: Some(Call::Read),
                after,
                error: io::ErrorKind::Other,
                lasting: false,
            });
            let wanted = number * 2;
            let changed = if model.contains_key(&wanted) && number % 3 > 0 {
                file.tree.remove(&file.md, &mut to(wanted)).map(|_| model.remove(&wanted).is_some())
            } else {
                let added = record(wanted + 1, 9);
                let done = file.tree.insert(&file.md, &added, &mut to(wanted + 1));
                done.map(|()| model.insert(wanted + 1, 9).is_none())
            };
            let failed = !file.storage.heal();
            assert_eq!(failed, changed.is_err());
            assert_eq!(file.all(), model);
            if !failed {
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_is_a_map(
        node_size in prop::sample::select(vec![64_u32, 128, 512]),
        steps in prop::collection::vec((0_u8..16, 0_u16..600, any::<u32>()), 1..1500),
    ) {
        let mut file = File::new(node_size);
        let mut model: BTreeMap<u16, u32> = BTreeMap::new();
        for (at, (what, number, value)) in steps.into_iter().enumerate() {
            // First it mostly grows, then it mostly shrinks.
            let grows = if at < 700 { 11 } else { 4 };
            let (md, tree) = (&file.md, &file.tree);
            if what < grows {
                let inserted = tree.insert(md, &record(number, value), &mut to(number)).is_ok();
                assert_eq!(inserted, !model.contains_key(&number));
                model.entry(number).or_insert(value);
            } else if what == 11 {
                let changed = tree.update(md, &mut to(number), &mut |bytes| {
                    bytes.copy_from_slice(&record(number, value));
                    Ok(())
                });
                assert_eq!(changed.unwrap(), model.contains_key(&number));
                model.entry(number).and_modify(|old| *old = value);
            } else {
                let removed = tree.remove(md, &mut to(number)).unwrap();
                assert_eq!(removed.map(|bytes| key(&bytes)), model.remove(&number).map(|_| number));
            }
            let found = tree.find(md, &mut to(number)).unwrap();
            assert_eq!(found, model.get(&number).map(|value| record(number, *value).to_vec()));
            if at % 97 == 0 {
                file = file.reopen();
                assert_eq!(file.all(), model);
            }
        }
        assert_eq!(file.reopen().all(), model);
    }

    #[test]
    fn damaged_bytes_give_an_error_or_a_change(
        place in any::<prop::sample::Index>(), value: u8, numbers in prop::collection::vec(any::<u16>(), 30),
    ) {
        let file = File::new(128);
        for number in 0..400_u16 {
            file.tree.insert(&file.md, &record(number * 3, 7), &mut to(number * 3)).unwrap();
        }
        let file = file.reopen();
        let length = usize::try_from(file.storage.len().unwrap()).unwrap();
        file.storage.write_at(place.index(length) as u64, &[value; 3]).unwrap();
        let Ok(tree) = BTreeV2::open(&file.md, Address(file.tree.address().0)) else { return Ok(()) };
        for number in numbers {
            let _ = tree.insert(&file.md, &record(number, 1), &mut to(number));
            let _ = tree.remove(&file.md, &mut to(number / 60));
        }
        let _ = tree.delete(&file.md);
    }
}
