//! Version-1 B-trees of groups, with buckets of numbers for symbol table nodes.

use super::BTreeV1;
use crate::format::btree_v1::{BTreeV1Node, TreeK, TreeKind};
use crate::format::bytes::{Address, Widths, little_endian};
use crate::metadata::Metadata;
use crate::storage::memory::MemoryStorage;
use crate::storage::{ReadAt, WriteAt};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const K: TreeK = TreeK { leaf: 2, group: 2, chunk: 2 };

struct Group {
    storage: Arc<MemoryStorage>,
    md: Metadata,
    tree: BTreeV1,
    buckets: BTreeMap<u64, BTreeSet<u64>>,
    next: u64,
}

fn number(key: Option<&[u8]>) -> u64 {
    little_endian(key.unwrap())
}

fn key(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

impl Group {
    fn new() -> Self {
        let storage = Arc::new(MemoryStorage::default());
        let md = Metadata::create(Arc::clone(&storage) as Arc<dyn WriteAt>, 48).unwrap().with_tree_k(K);
        let tree = BTreeV1::create(&md, TreeKind::Group, 8).unwrap();
        Self { storage, md, tree, buckets: BTreeMap::new(), next: 0 }
    }

    fn reopen(&mut self) {
        self.md.flush().unwrap();
        let end = self.storage.len().unwrap();
        let storage = Arc::clone(&self.storage) as Arc<dyn WriteAt>;
        self.md = Metadata::writable(storage, 0, Widths::EIGHT, end).unwrap().with_tree_k(K);
    }

    fn path(&self, name: u64) -> super::change::Path {
        let choose = |node: &BTreeV1Node| {
            let count = node.entries();
            Ok((0..count).find(|at| number(node.key(at + 1)) >= name).unwrap_or(count - 1))
        };
        self.tree.path(&self.md, &mut { choose }).unwrap()
    }

    fn bucket(&mut self, names: impl Iterator<Item = u64>) -> Address {
        self.next += 1;
        self.buckets.insert(self.next, names.collect());
        Address(self.next)
    }

    fn insert(&mut self, name: u64) {
        let path = self.path(name);
        if path.is_empty() {
            let child = self.bucket([name].into_iter());
            return self.tree.first(&self.md, &key(0), child, &key(name)).unwrap();
        }
        let at = path.index();
        if name > number(path.leaf().key(at + 1)) {
            self.tree.set_key(&self.md, &path, at + 1, &key(name)).unwrap();
        }
        let names = self.buckets.get_mut(&path.child().unwrap().0).unwrap();
        names.insert(name);
        if names.len() > 4 {
            let middle = *names.iter().nth(1).unwrap();
            let upper = names.split_off(&(middle + 1));
            let child = self.bucket(upper.into_iter());
            self.tree.insert(&self.md, &path, at + 1, &key(middle), child).unwrap();
        }
    }

    fn remove(&mut self, name: u64) {
        let path = self.path(name);
        let Some(Address(child)) = path.child() else { return };
        let names = self.buckets.get_mut(&child).unwrap();
        if !names.remove(&name) {
            return;
        }
        match names.last() {
            None => {
                self.buckets.remove(&child);
                self.tree.remove(&self.md, &path).unwrap();
            }
            Some(last) if *last < name => {
                self.tree.set_key(&self.md, &path, path.index() + 1, &key(*last)).unwrap();
            }
            Some(_) => {}
        }
    }

    /// All names, from the first leaf to the last, once levels, keys and neighbours are checked.
    fn names(&self) -> Vec<u64> {
        let mut level = vec![self.tree.root()];
        loop {
            let nodes: Vec<_> = level.iter().map(|at| self.tree.node(&self.md, *at, None).unwrap()).collect();
            for (at, node) in nodes.iter().enumerate() {
                assert!(node.entries() > 0 || (node.level == 0 && nodes.len() == 1));
                assert_eq!(node.left, at.checked_sub(1).map(|at| level[at]));
                assert_eq!(node.right, level.get(at + 1).copied());
                assert!((0..node.entries()).all(|at| number(node.key(at)) < number(node.key(at + 1))));
                if let Some(next) = nodes.get(at + 1) {
                    assert_eq!(node.last_key(), next.key(0));
                }
            }
            let children: Vec<Address> =
                nodes.iter().flat_map(|node| (0..node.entries()).map(|at| node.child(at).unwrap())).collect();
            let bounds: Vec<u64> = nodes
                .iter()
                .flat_map(|node| (0..node.entries()).map(|at| number(node.key(at + 1))))
                .collect();
            if nodes[0].level == 0 {
                assert_eq!(children.len(), self.buckets.len());
                let buckets = children.iter().map(|child| &self.buckets[&child.0]);
                for (bucket, bound) in buckets.clone().zip(bounds) {
                    assert_eq!(bucket.last(), Some(&bound));
                }
                return buckets.flatten().copied().collect();
            }
            for (child, bound) in children.iter().zip(bounds) {
                let child = self.tree.node(&self.md, *child, Some(nodes[0].level)).unwrap();
                assert_eq!(number(child.last_key()), bound);
            }
            level = children;
        }
    }
}

#[test]
fn a_deleted_tree_gives_its_nodes_back() {
    let mut group = Group::new();
    for name in 1..400 {
        group.insert(name * 7 % 401);
    }
    assert_eq!(
        group.names(),
        (1..400).map(|name| name * 7 % 401).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    group.tree.delete(&group.md).unwrap();
    group.md.flush().unwrap();
    assert_eq!(group.md.trim().unwrap(), 48);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_keeps_names_in_order(steps in prop::collection::vec((0_u8..16, 1_u64..300), 1..900)) {
        let mut group = Group::new();
        let mut model = BTreeSet::new();
        for (at, (what, name)) in steps.into_iter().enumerate() {
            let grows = if at < 500 { 12 } else { 3 };
            if what < grows {
                group.insert(name);
                model.insert(name);
            } else {
                group.remove(name);
                model.remove(&name);
            }
            if at % 61 == 0 {
                group.reopen();
            }
            if at % 13 == 0 {
                assert_eq!(group.names(), model.iter().copied().collect::<Vec<_>>());
            }
        }
        assert_eq!(group.names(), model.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn damaged_bytes_give_an_error_or_a_change(
        place in any::<prop::sample::Index>(), value: u8, names in prop::collection::vec(1_u64..3000, 20),
    ) {
        let mut group = Group::new();
        (1..300).for_each(|name| group.insert(name * 10));
        group.reopen();
        let length = usize::try_from(group.storage.len().unwrap()).unwrap();
        group.storage.write_at(place.index(length) as u64, &[value; 3]).unwrap();
        for name in names {
            let choose = |node: &BTreeV1Node| {
                let count = node.entries();
                Ok((0..count).find(|at| number(node.key(at + 1)) >= name).unwrap_or(count - 1))
            };
            let Ok(path) = group.tree.path(&group.md, &mut { choose }) else { continue };
            let _ = group.tree.insert(&group.md, &path, path.index(), &key(name), Address(9));
            let _ = group.tree.set_key(&group.md, &path, path.index(), &key(name + 1));
            let Ok(path) = group.tree.path(&group.md, &mut { choose }) else { continue };
            let _ = group.tree.remove(&group.md, &path);
        }
        let _ = group.tree.delete(&group.md);
    }
}
