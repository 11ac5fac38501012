//! Groups, dense attributes and strings of the golden files, through trees and heaps.

use crate::error::{Result, to_usize};
use crate::format::btree_v2::{AttributeName, BTreeV2Header, LinkName, LinkOrder};
use crate::format::bytes::{Address, Cursor, Widths, Wire, little_endian};
use crate::format::checksum::lookup3;
use crate::format::message::link::{LinkInfo, LinkMessage, LinkTarget};
use crate::format::object_header::kind;
use crate::metadata::Metadata;
use crate::object::fractal_heap::FractalHeap;
use crate::object::global_heap::GlobalHeap;
use crate::object::header::Header;
use crate::object::local_heap::LocalHeap;
use crate::object::{btree, symbol_table};
use crate::storage::memory::MemoryStorage;
use crate::storage::pages::Pages;
use proptest::prelude::{ProptestConfig, any, proptest};
use std::collections::BTreeMap;
use std::sync::Arc;

const EARLIEST: &[u8] = include_bytes!("../../fixtures/index/earliest.h5");
const LATEST: &[u8] = include_bytes!("../../fixtures/index/latest.h5");
const GOLDEN: &str = include_str!("../../fixtures/index/golden.txt");

fn metadata(bytes: &[u8]) -> Metadata {
    let storage = Arc::new(MemoryStorage::new(bytes.to_vec()));
    Metadata::new(Pages::new(storage).unwrap(), 0, Widths::EIGHT)
}

/// Address and items of one part of the golden text.
fn golden(part: &str, file: &str) -> (Address, Vec<Vec<&'static str>>) {
    let mut lines = GOLDEN.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let head = lines.find(|words| words[0] == part && words[1] == file).unwrap();
    let items: Vec<Vec<&str>> =
        lines.take_while(|words| part.starts_with(words[0]) || words[0] == "link").collect();
    (Address(head[2].parse().unwrap()), items)
}

fn old_group(md: &Metadata) -> (Address, Address) {
    let header = Header::load(md, golden("group", "earliest.h5").0).unwrap();
    let body = &header.first(kind::SYMBOL_TABLE).unwrap().body;
    (Address(little_endian(&body[..8])), Address(little_endian(&body[8..])))
}

fn new_group(md: &Metadata) -> LinkInfo {
    let header = Header::load(md, golden("group", "latest.h5").0).unwrap();
    let body = &header.first(kind::LINK_INFO).unwrap().body;
    LinkInfo::read(&mut Cursor::new(body, md.widths())).unwrap()
}

fn dense_attributes(md: &Metadata) -> (Address, Address) {
    let header = Header::load(md, golden("attributes", "latest.h5").0).unwrap();
    let body = &header.first(kind::ATTRIBUTE_INFO).unwrap().body;
    let start = if body[1] & 1 == 1 { 4 } else { 2 };
    (Address(little_endian(&body[start..start + 8])), Address(little_endian(&body[start + 8..start + 16])))
}

fn old_links(md: &Metadata) -> Result<BTreeMap<String, Option<String>>> {
    let (tree, heap) = old_group(md);
    let names = LocalHeap::open(md, heap)?;
    let mut links = BTreeMap::new();
    symbol_table::for_each(md, tree, heap, &mut |name, entry| {
        let value = entry.soft_link().map(|at| names.name(at)).transpose()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        links.insert(text(name), value.map(text));
        Ok(())
    })?;
    Ok(links)
}

fn expected_links(file: &str) -> BTreeMap<String, Option<String>> {
    let links = golden("group", file).1;
    let value = |path: &str| (path != "-").then(|| path.to_owned());
    links.iter().map(|words| (words[1].to_owned(), value(words[2]))).collect()
}

#[test]
fn an_old_group_lists_and_finds_its_links() {
    let md = metadata(EARLIEST);
    let expected = expected_links("earliest.h5");
    assert_eq!(expected.len(), 61);
    assert_eq!(old_links(&md).unwrap(), expected);
    let (tree, heap) = old_group(&md);
    for (name, value) in &expected {
        let entry = symbol_table::find(&md, tree, heap, name.as_bytes()).unwrap().unwrap();
        assert_eq!(entry.soft_link().is_some(), value.is_some());
        assert_eq!(entry.header.is_some(), value.is_none());
    }
    for name in ["", "a", "link_1 ", "link_99", "zzz"] {
        assert_eq!(symbol_table::find(&md, tree, heap, name.as_bytes()).unwrap(), None);
    }
}

#[test]
fn a_dense_group_lists_its_links_by_name_and_by_order() {
    let md = metadata(LATEST);
    let info = new_group(&md);
    let heap = FractalHeap::open(&md, info.heap.unwrap()).unwrap();
    let link = |id: &[u8]| {
        let bytes = heap.get(&md, id).unwrap();
        LinkMessage::read(&mut Cursor::new(&bytes, md.widths())).unwrap()
    };
    let records: Vec<LinkName> = btree::records(&md, info.by_name.unwrap()).unwrap();
    let named: BTreeMap<String, Option<String>> = records
        .iter()
        .map(|record| {
            let link = link(&record.id);
            let LinkMessage { name, target, .. } = link;
            let path = match target {
                LinkTarget::Soft(path) => Some(String::from_utf8_lossy(&path).into_owned()),
                _ => None,
            };
            (String::from_utf8(name).unwrap(), path)
        })
        .collect();
    assert_eq!(named, expected_links("latest.h5"));
    let records: Vec<LinkOrder> = btree::records(&md, info.by_order.unwrap()).unwrap();
    let in_order: Vec<Vec<u8>> = records.iter().map(|record| link(&record.id).name).collect();
    assert_eq!((in_order[0].as_slice(), in_order[59].as_slice()), (&b"link_0"[..], &b"link_59"[..]));
    let third = btree::find_link_by_order(&md, info.by_order.unwrap(), 3).unwrap().unwrap();
    assert_eq!(link(&third.id).name, b"link_3");
    let find = |name: &[u8]| {
        let mut accept = |record: &LinkName| Ok(link(&record.id).name == name);
        btree::find_named(&md, info.by_name.unwrap(), name, &mut accept).unwrap()
    };
    assert!(find(b"link_42"));
    assert!(!find(b"link_60"));
}

#[test]
fn dense_attributes_are_found_and_a_large_one_is_huge() {
    let md = metadata(LATEST);
    let (heap, tree) = dense_attributes(&md);
    let heap = FractalHeap::open(&md, heap).unwrap();
    let expected = golden("attributes", "latest.h5").1;
    let records: Vec<AttributeName> = btree::records(&md, tree).unwrap();
    assert_eq!(records.len(), expected.iter().filter(|words| words[0] == "attribute").count());
    for words in expected.iter().filter(|words| words[0] == "attribute") {
        let size: usize = words[2].parse().unwrap();
        let mut accept = |record: &AttributeName| {
            let message = heap.get(&md, &record.id)?;
            assert!(message.len() >= size && message.len() < size + 100, "{} of {size}", message.len());
            Ok(message.windows(words[1].len()).any(|part| part == words[1].as_bytes()))
        };
        assert!(btree::find_named(&md, tree, words[1].as_bytes(), &mut accept).unwrap(), "{}", words[1]);
    }
}

#[test]
fn variable_length_strings_are_in_the_global_heap() {
    for (file, bytes) in [("earliest.h5", EARLIEST), ("latest.h5", LATEST)] {
        let md = metadata(bytes);
        let heap = GlobalHeap::new();
        let (address, values) = golden("strings", file);
        let stored = md.read(address, 16 * 5).unwrap();
        for (words, stored) in values.iter().filter(|words| words[0] == "string").zip(stored.chunks(16)) {
            let length = to_usize(little_endian(&stored[..4])).unwrap();
            let (collection, index) =
                (little_endian(&stored[4..12]), u32::try_from(little_endian(&stored[12..])).unwrap());
            if words[1] == "-" {
                assert_eq!(length, 0);
                continue;
            }
            let object = heap.get(&md, Address(collection), index).unwrap();
            assert_eq!(&object[..length], words[1].as_bytes());
            assert!(heap.get(&md, Address(collection), 99).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_bytes_give_an_error_or_objects(
        place in any::<proptest::sample::Index>(), value in any::<u8>(), run in 1_usize..9,
    ) {
        let damage = |bytes: &[u8], near: Address| {
            let near = to_usize(near.0).unwrap();
            let at = near + place.index((bytes.len() - near).min(8192));
            let mut bytes = bytes.to_vec();
            bytes.iter_mut().skip(at).take(run).for_each(|byte| *byte = value);
            metadata(&bytes)
        };
        let (tree, heap) = old_group(&metadata(EARLIEST));
        let md = damage(EARLIEST, tree.min(heap));
        let _ = symbol_table::for_each(&md, tree, heap, &mut |_, _| Ok(()));
        let _ = symbol_table::find(&md, tree, heap, b"link_17");
        let (heap, tree) = dense_attributes(&metadata(LATEST));
        let md = damage(LATEST, heap.min(tree));
        let records: Vec<AttributeName> = btree::records(&md, tree).unwrap_or_default();
        if let Ok(heap) = FractalHeap::open(&md, heap) {
            for record in records {
                let _ = heap.get(&md, &record.id);
            }
        }
    }
}

#[test]
fn a_dataset_is_not_taken_for_a_named_datatype() {
    let dataset = GOLDEN.lines().find(|line| line.starts_with("dataset ") && line.contains("earliest.h5"));
    let address = dataset.unwrap().split(' ').nth(3).unwrap().parse().unwrap();
    let objects = super::Objects::open(metadata(EARLIEST), None).unwrap();
    let error = objects.committed(kind::DATATYPE, Address(address)).unwrap_err().to_string();
    assert!(error.contains("is a dataset, a named datatype expected"), "{error}");
}

#[test]
fn a_tree_of_nodes_larger_than_the_file_is_refused() {
    let by_name = new_group(&metadata(LATEST)).by_name.unwrap();
    let mut bytes = LATEST.to_vec();
    let start = to_usize(by_name.0).unwrap();
    let end = start + BTreeV2Header::size(Widths::EIGHT);
    bytes[start + 6..start + 10].fill(0xff);
    let sum = lookup3(&bytes[start..end - 4]);
    bytes[end - 4..end].copy_from_slice(&sum.to_le_bytes());
    let error = btree::records::<LinkName>(&metadata(&bytes), by_name).unwrap_err().to_string();
    assert!(error.contains("root of 4294967295 bytes does not fit"), "{error}");
}
