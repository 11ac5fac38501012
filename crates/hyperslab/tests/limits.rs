//! What a file may ask for before it is refused, and how the limit is raised.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may")]

use hyperslab::{ErrorKind, File, Limits, OpenOptions, Selection, VirtualLayout, VirtualSource};
use std::path::Path;

fn limited(name: &str, value: u64) -> OpenOptions {
    let mut limits = Limits::default();
    limits.set(name, value).unwrap();
    OpenOptions::new().limits(limits)
}

/// What was refused names the limit, and one more lets it pass.
fn meets(path: &Path, (name, needed): (&str, u64), work: impl Fn(&File) -> hyperslab::Result<()>) {
    let error = work(&limited(name, needed - 1).open(path).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.to_string().contains(&format!("the limit `{name}` can be raised")), "{error}");
    work(&limited(name, needed).open(path).unwrap()).unwrap();
    work(&File::open(path).unwrap()).unwrap();
}

#[test]
fn links_on_the_way_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("links.h5");
    let file = File::create(&path).unwrap();
    file.new_dataset::<u8>().create_with("end", &ndarray::arr1(&[1, 2])).unwrap();
    for (link, target) in [("a", "/b"), ("b", "/c"), ("c", "/end")] {
        file.root().unwrap().link_soft(link, target).unwrap();
    }
    file.close().unwrap();
    meets(&path, ("links", 3), |file| file.dataset("a").map(drop));
}

#[test]
fn virtual_datasets_within_each_other_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nested.h5");
    let file = File::create(&path).unwrap();
    file.new_dataset::<i32>().create_with("d0", &ndarray::arr1(&[1, 2, 3])).unwrap();
    for level in 1..=3 {
        let mut layout = VirtualLayout::new(&[3]);
        let source = VirtualSource::new(".", format!("d{}", level - 1), &[3]);
        layout.map(&Selection::All, &source).unwrap();
        file.new_dataset::<i32>().virtual_layout(layout).create(format!("d{level}")).unwrap();
    }
    file.close().unwrap();
    meets(&path, ("nesting", 3), |file| file.dataset("d3")?.read::<i32>().map(drop));
}

#[test]
fn bytes_of_a_chunk_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chunks.h5");
    let file = File::create(&path).unwrap();
    let values = ndarray::Array1::from_iter((0..300_u16).map(|number| number / 50));
    file.new_dataset::<u16>().chunk([100]).deflate(1).create_with("x", &values).unwrap();
    file.close().unwrap();
    meets(&path, ("chunk_bytes", 200), |file| file.dataset("x")?.read::<u16>().map(drop));
}

#[test]
fn the_page_on_files_you_do_not_trust_names_every_limit() {
    let page = include_str!("../../../docs/untrusted-files.md");
    for (name, _) in Limits::default().all() {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not on the page");
    }
}
