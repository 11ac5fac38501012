//! Links that are added, removed and renamed, against a map of them.

use super::{find, insert, list, remove, rename};
use crate::error::ErrorKind;
use crate::format::btree_v1::TreeK;
use crate::format::bytes::{Address, Bounds, Widths};
use crate::format::message::link::{LinkInfo, LinkMessage, LinkTarget};
use crate::format::object_header::{RawMessage, kind};
use crate::metadata::Metadata;
use crate::object::Objects;
use crate::object::delete::{link, unlink};
use crate::object::group::{GroupOptions, create};
use crate::object::header::{Header, edit};
use crate::storage::memory::MemoryStorage;
use crate::storage::{ReadAt, WriteAt};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::collections::BTreeMap;
use std::sync::Arc;

struct File {
    storage: Arc<MemoryStorage>,
    bounds: Bounds,
    k: TreeK,
    objects: Objects,
}

impl File {
    fn new(bounds: Bounds) -> Self {
        Self::with_trees(bounds, TreeK::default())
    }

    fn with_trees(bounds: Bounds, k: TreeK) -> Self {
        let storage = Arc::new(MemoryStorage::default());
        let md = Metadata::create(Arc::clone(&storage) as Arc<dyn WriteAt>, 96).unwrap();
        let md = md.with_bounds(bounds).with_tree_k(k);
        Self { storage, bounds, k, objects: Objects::open(md, None).unwrap() }
    }

    fn reopen(&mut self) {
        self.objects.metadata.flush().unwrap();
        let (storage, end) = (Arc::clone(&self.storage) as Arc<dyn WriteAt>, self.storage.len().unwrap());
        let md = Metadata::writable(storage, 0, Widths::EIGHT, end).unwrap();
        let md = md.with_bounds(self.bounds).with_tree_k(self.k);
        self.objects = Objects::open(md, None).unwrap();
    }

    fn group(&self, track_order: bool) -> Address {
        create(&self.objects, GroupOptions { track_order }).unwrap()
    }

    fn header(&self, group: Address) -> Arc<Header> {
        Header::open(&self.objects.metadata, group).unwrap()
    }

    fn check(&self, group: Address, model: &BTreeMap<String, LinkTarget>) {
        let header = self.header(group);
        let mut links = list(&self.objects, &header).unwrap();
        links.sort_by(|a, b| a.name.cmp(&b.name));
        let found: BTreeMap<String, LinkTarget> =
            links.into_iter().map(|link| (String::from_utf8(link.name).unwrap(), link.target)).collect();
        assert_eq!(found, *model);
        for (name, target) in model {
            let link = find(&self.objects, &header, name.as_bytes()).unwrap().unwrap();
            assert_eq!(link.target, *target);
        }
        assert_eq!(find(&self.objects, &header, b"not there").unwrap(), None);
    }
}

fn hard(name: &str, address: u64) -> LinkMessage {
    LinkMessage { name: name.into(), target: LinkTarget::Hard(Address(address)), order: None, utf8: false }
}

#[test]
fn ten_thousand_links_are_found_in_groups_of_any_age() {
    for (bounds, tracked) in [(Bounds::Earliest, false), (Bounds::V110, false), (Bounds::V110, true)] {
        let mut file = File::new(bounds);
        let group = file.group(tracked);
        let mut model = BTreeMap::new();
        for nth in 0..10_000_u64 {
            let name = format!("dataset_{}", nth * 7919 % 10_000);
            insert(&file.objects, group, &hard(&name, nth)).unwrap();
            model.insert(name, LinkTarget::Hard(Address(nth)));
        }
        file.check(group, &model);
        file.reopen();
        file.check(group, &model);
        let error = insert(&file.objects, group, &hard("dataset_77", 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        for nth in 0..10_000 {
            remove(&file.objects, group, format!("dataset_{nth}").as_bytes()).unwrap();
        }
        file.check(group, &BTreeMap::new());
        let end = file.objects.metadata.end();
        file.objects.metadata.flush().unwrap();
        for nth in 0..5_000_u64 {
            insert(&file.objects, group, &hard(&format!("dataset_{nth}"), nth)).unwrap();
        }
        assert_eq!(file.objects.metadata.end(), end, "space is used again");
    }
}

#[test]
fn a_renamed_link_keeps_its_target_and_no_other_loses_its_name() {
    for bounds in [Bounds::Earliest, Bounds::V110] {
        let file = File::new(bounds);
        let group = file.group(false);
        insert(&file.objects, group, &hard("a", 1)).unwrap();
        insert(&file.objects, group, &hard("b", 2)).unwrap();
        assert_eq!(rename(&file.objects, group, b"a", b"b").unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(rename(&file.objects, group, b"x", b"y").unwrap_err().kind(), ErrorKind::NotFound);
        rename(&file.objects, group, b"a", b"a longer name than before").unwrap();
        let link = find(&file.objects, &file.header(group), b"a longer name than before").unwrap().unwrap();
        assert_eq!(link.target, LinkTarget::Hard(Address(1)));
    }
}

#[test]
fn what_no_path_leads_to_is_no_name_for_a_link() {
    for bounds in [Bounds::Earliest, Bounds::V110] {
        let file = File::new(bounds);
        let group = file.group(false);
        for name in ["", ".", "/", "a/b", "a\0"] {
            assert_eq!(insert(&file.objects, group, &hard(name, 1)).unwrap_err().kind(), ErrorKind::Usage);
        }
        file.check(group, &BTreeMap::new());
    }
}

#[test]
fn an_old_group_takes_an_external_link_by_becoming_a_new_one() {
    let file = File::new(Bounds::Earliest);
    let group = file.group(false);
    let mut model = BTreeMap::new();
    for nth in 0..20 {
        insert(&file.objects, group, &hard(&format!("link {nth}"), nth)).unwrap();
        model.insert(format!("link {nth}"), LinkTarget::Hard(Address(nth)));
    }
    let target = LinkTarget::External { file: b"other.h5".to_vec(), path: b"/x".to_vec() };
    let link = LinkMessage { name: b"out".to_vec(), target: target.clone(), order: None, utf8: false };
    insert(&file.objects, group, &link).unwrap();
    model.insert("out".to_owned(), target);
    file.check(group, &model);
}

#[test]
fn an_object_is_freed_with_its_last_link_and_with_it_what_only_it_leads_to() {
    for bounds in [Bounds::Earliest, Bounds::V110] {
        let file = File::new(bounds);
        let kept = file.group(false);
        let mut end = 0;
        for turn in 0..20 {
            let group = file.group(false);
            for nth in 0..20 {
                let child = file.group(false);
                insert(&file.objects, group, &hard(&format!("child {nth}"), child.0)).unwrap();
                insert(&file.objects, child, &hard("kept", kept.0)).unwrap();
                link(&file.objects, kept).unwrap();
            }
            link(&file.objects, group).unwrap();
            unlink(&file.objects, group, &mut |_, _| Ok(()), &mut |_| false).unwrap();
            assert_eq!((file.header(group).link_count(), file.header(kept).link_count()), (1, 21));
            unlink(&file.objects, group, &mut |_, _| Ok(()), &mut |_| false).unwrap();
            assert_eq!(file.header(kept).link_count(), 1);
            file.objects.metadata.flush().unwrap();
            if turn == 3 {
                end = file.objects.metadata.end();
            }
        }
        assert_eq!(file.objects.metadata.end(), end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_group_holds_the_links_that_were_added_and_not_removed(
        bounds in prop::sample::select(vec![Bounds::Earliest, Bounds::V18, Bounds::V110]),
        tracked in any::<bool>(),
        steps in prop::collection::vec((0_u8..12, 0_usize..40, 0_usize..120), 1..200),
    ) {
        // Small nodes make deep trees of few links.
        let mut file = File::with_trees(bounds, TreeK { leaf: 1, group: 2, chunk: 32 });
        let group = file.group(tracked);
        let mut model: BTreeMap<String, LinkTarget> = BTreeMap::new();
        for (nth, (what, which, length)) in (1_u64..).zip(steps) {
            let name = format!("{}{which}", "n".repeat(which % 9 * 3));
            match what {
                0..6 => {
                    let target = match length {
                        0..80 => LinkTarget::Hard(Address(nth)),
                        _ => LinkTarget::Soft(vec![b's'; length * if length == 119 { 300 } else { 1 }]),
                    };
                    let link = LinkMessage { name: name.clone().into(), target: target.clone(), order: None, utf8: false };
                    let done = insert(&file.objects, group, &link);
                    assert_eq!(done.is_ok(), !model.contains_key(&name));
                    model.entry(name).or_insert(target);
                }
                6..10 => {
                    let removed = remove(&file.objects, group, name.as_bytes());
                    assert_eq!(removed.ok().map(|link| link.target), model.remove(&name));
                }
                10 => {
                    let to = format!("to {which}");
                    let fits = model.contains_key(&name) && !model.contains_key(&to);
                    assert_eq!(rename(&file.objects, group, name.as_bytes(), to.as_bytes()).is_ok(), fits);
                    if fits {
                        let target = model.remove(&name).unwrap();
                        model.insert(to, target);
                    }
                }
                _ => file.reopen(),
            }
            file.check(group, &model);
        }
        file.reopen();
        file.check(group, &model);
    }
}

#[test]
fn many_links_in_one_header_are_found_by_name_the_first_of_a_name_first() {
    let file = File::new(Bounds::V110);
    let md = &file.objects.metadata;
    let message = |kind, body| RawMessage { kind, flags: 0, body };
    let info = LinkInfo { next_order: None, heap: None, by_name: None, order_indexed: false, by_order: None };
    let mut messages = vec![message(kind::LINK_INFO, md.body(&info).unwrap())];
    for at in 1..=100 {
        let name = format!("l{}", at % 90).into_bytes();
        let link = LinkMessage { name, target: LinkTarget::Hard(Address(at)), order: None, utf8: false };
        messages.push(message(kind::LINK, md.body(&link).unwrap()));
    }
    let group = edit::create(md, messages, edit::Options::default()).unwrap();
    let found = |name: &str| find(&file.objects, &file.header(group), name.as_bytes()).unwrap();
    assert_eq!(found("l7").unwrap().target, LinkTarget::Hard(Address(7)));
    assert_eq!(found("l0").unwrap().target, LinkTarget::Hard(Address(90)));
    assert!(found("l90").is_none());
}
