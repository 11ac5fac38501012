//! Copying objects within a file and from one file to another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use hyperslab::{
    AttributeData, Bounds, CharacterSet, CopyOptions, Datatype, Extent, File, LinkKind, OpenOptions,
    Selection, Value, VirtualLayout, VirtualSource,
};
use ndarray::{Array2, array};

fn memory() -> File {
    OpenOptions::new().create_in_memory().unwrap()
}

fn everything() -> CopyOptions<'static> {
    CopyOptions::new()
}

fn copy(from: &File, path: &str, to: &File, options: &CopyOptions<'_>) {
    to.root().unwrap().copy(&from.object(path).unwrap(), "copy", options).unwrap();
}

/// The file as somebody finds it who opens it anew.
fn reopened(file: &File) -> File {
    File::from_bytes(file.to_bytes().unwrap()).unwrap()
}

#[test]
fn chunks_are_copied_with_their_filters_into_old_and_new_files() {
    let from = memory();
    let numbers = Array2::from_shape_fn((50, 40), |(row, column)| i32::try_from(row * 7 + column).unwrap());
    let data = from
        .new_dataset::<i32>()
        .shape([50, 40])
        .max_shape([None, Some(40)])
        .chunk([8, 16])
        .shuffle()
        .deflate(4);
    data.create_with("/x", &numbers).unwrap();
    for bounds in [Bounds::Earliest, Bounds::V18, Bounds::V110] {
        let to = OpenOptions::new().bounds(bounds).create_in_memory().unwrap();
        copy(&from, "/x", &to, &everything());
        let copied = reopened(&to).dataset("copy").unwrap();
        assert_eq!(copied.read::<i32>().unwrap(), numbers.clone().into_dyn());
        assert_eq!(copied.chunk_shape(), Some([8, 16].as_slice()));
        assert_eq!(copied.filters().count(), 2);
        assert_eq!(copied.extent().max(), [None, Some(40)]);
    }
}

#[test]
fn hard_links_to_one_object_lead_to_one_copy_also_in_a_circle() {
    let from = memory();
    let group = from.create_group("/g/deep").unwrap();
    let x = from.new_dataset::<u8>().create_with("/g/x", &array![1_u8, 2]).unwrap();
    group.link_hard("again", &x).unwrap();
    group.link_hard("up", from.object("/g").unwrap().location()).unwrap();
    let to = memory();
    copy(&from, "/g", &to, &everything());
    let to = reopened(&to);
    let address = |path: &str| to.object(path).unwrap().address();
    assert_eq!(address("/copy/x"), address("/copy/deep/again"));
    assert_eq!(address("/copy"), address("/copy/deep/up"));
    assert_eq!(to.dataset("/copy/deep/up/x").unwrap().read::<u8>().unwrap().sum(), 3);
}

#[test]
fn one_of_two_links_to_a_copy_can_be_removed() {
    let from = memory();
    let x = from.new_dataset::<u8>().create_with("/g/x", &array![1_u8, 2]).unwrap();
    from.group("/g").unwrap().link_hard("y", &x).unwrap();
    let to = memory();
    copy(&from, "/g", &to, &everything());
    to.root().unwrap().unlink("/copy/x").unwrap();
    assert_eq!(reopened(&to).dataset("/copy/y").unwrap().read::<u8>().unwrap().sum(), 3);
}

#[test]
fn strings_and_sequences_move_to_the_heap_of_the_copy() {
    let from = memory();
    let text = Datatype::variable_string(CharacterSet::Utf8);
    let nested = Datatype::variable_length(text.clone());
    let string = |text: &str| Value::String(text.as_bytes().to_vec());
    let texts = [string("one"), string(""), string("three")];
    let lists = [Value::Sequence(texts.to_vec()), Value::Sequence(vec![])];
    for (name, datatype, values) in [("/t", &text, texts.as_slice()), ("/n", &nested, lists.as_slice())] {
        let data = from.new_dataset_of(datatype).shape([values.len() as u64]).create(name).unwrap();
        data.write_values(&Selection::All, values).unwrap();
        let attribute = AttributeData::from_values(
            datatype.clone(),
            Extent::fixed(&[values.len() as u64]),
            values.to_vec(),
        );
        data.set_attribute("same", attribute).unwrap();
        let to = memory();
        // Other objects first, so that nothing is at the same place by chance.
        to.root().unwrap().set_attribute("other", "text").unwrap();
        copy(&from, name, &to, &everything());
        let copied = reopened(&to).dataset("copy").unwrap();
        assert_eq!(copied.read_values(&Selection::All).unwrap(), values);
        assert_eq!(copied.attribute("same").unwrap().values().unwrap(), values);
    }
}

#[test]
fn references_point_at_copies_or_nowhere() {
    let from = memory();
    from.new_dataset::<u8>().create_with("/g/in", &array![1_u8]).unwrap();
    from.new_dataset::<u8>().create_with("/out", &array![2_u8]).unwrap();
    let bytes = |path: &str| from.object(path).unwrap().address().to_le_bytes();
    let references = [bytes("/g/in"), bytes("/out")].concat();
    let datatype = Datatype::object_reference();
    let data = from.new_dataset_of(&datatype).shape([2]).create("/g/refs").unwrap();
    data.write_bytes(&Selection::All, &datatype, &references).unwrap();
    let addresses = |file: &File, path: &str| -> Vec<u64> {
        let bytes = file.dataset(path).unwrap().read_bytes(&Selection::All, &datatype).unwrap();
        bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
    };

    let to = memory();
    to.create_group("/before").unwrap();
    copy(&from, "/g", &to, &everything());
    let to = reopened(&to);
    assert_eq!(addresses(&to, "/copy/refs"), [to.object("/copy/in").unwrap().address(), 0]);

    let expanded = memory();
    copy(&from, "/g", &expanded, &everything().expand_references(true));
    let kind = hyperslab::ReferenceKind::Object;
    let out = addresses(&expanded, "/copy/refs")[1].to_le_bytes();
    let out = expanded.referenced(kind, &out).unwrap().unwrap();
    let hyperslab::Object::Dataset(out) = expanded.dereference(&out).unwrap() else { panic!() };
    assert_eq!(out.read::<u8>().unwrap().sum(), 2);

    copy(&from, "/g", &from, &everything());
    assert_eq!(addresses(&from, "/copy/refs"), addresses(&from, "/g/refs"));
}

#[test]
fn links_stay_links_unless_they_are_expanded() {
    let from = memory();
    from.new_dataset::<u8>().create_with("/x", &array![1_u8]).unwrap();
    let group = from.create_group("/g").unwrap();
    group.link_soft("soft", "/x").unwrap();
    group.link_soft("lost", "/nowhere").unwrap();
    group.link_external("far", "other.h5", "/y").unwrap();
    let to = memory();
    copy(&from, "/g", &to, &everything());
    let copied = reopened(&to).group("copy").unwrap();
    let kind = |name: &str| copied.link(name).unwrap().kind;
    assert_eq!(kind("soft"), LinkKind::Soft { path: b"/x".to_vec() });
    assert_eq!(kind("far"), LinkKind::External { file: b"other.h5".to_vec(), path: b"/y".to_vec() });
    let to = memory();
    copy(&from, "/g", &to, &everything().expand_soft(true));
    assert_eq!(to.dataset("/copy/soft").unwrap().read::<u8>().unwrap().sum(), 1);
    assert!(matches!(to.group("copy").unwrap().link("lost").unwrap().kind, LinkKind::Soft { .. }));
}

#[test]
fn a_shallow_copy_has_empty_groups_and_a_bare_one_no_attributes() {
    let from = memory();
    from.new_dataset::<u8>().create_with("/g/inner/x", &array![1_u8]).unwrap();
    from.group("/g").unwrap().set_attribute("a", 1_i32).unwrap();
    let to = memory();
    copy(&from, "/g", &to, &everything().shallow(true).without_attributes(true));
    assert!(to.group("/copy/inner").unwrap().links().unwrap().is_empty());
    assert!(to.group("/copy").unwrap().attributes().unwrap().is_empty());
}

#[test]
fn virtual_datasets_stay_virtual_and_named_datatypes_named() {
    let from = memory();
    from.new_dataset::<i16>().create_with("/source", &array![1_i16, 2, 3]).unwrap();
    let mut layout = VirtualLayout::new(&[3]);
    layout.map(&Selection::All, &VirtualSource::new(".", "/source", &[3])).unwrap();
    let root = from.root().unwrap();
    let named = root.commit_datatype("/type", &Datatype::of::<i16>()).unwrap();
    from.new_dataset::<i16>().fill_value(-1_i16).virtual_layout(layout).create("/v").unwrap();
    from.new_dataset::<i16>().named_datatype(&named).shape([2]).create("/n").unwrap();
    let to = memory();
    to.root().unwrap().copy_members(&root, &everything()).unwrap();
    let to = reopened(&to);
    let copied = to.dataset("/v").unwrap();
    assert!(copied.is_virtual());
    assert_eq!(copied.read::<i16>().unwrap(), array![1_i16, 2, 3].into_dyn());
    assert!(matches!(to.object("/type").unwrap(), hyperslab::Object::Datatype(_)));
    assert_eq!(to.dataset("/n").unwrap().datatype(), &Datatype::of::<i16>());
}

#[test]
fn a_dataset_can_be_stored_otherwise_on_the_way() {
    let from = memory();
    let numbers = Array2::from_shape_fn((300, 7), |(row, column)| u16::try_from(row + column).unwrap());
    from.new_dataset::<u16>().create_with("/g/x", &numbers).unwrap();
    let seen = std::cell::Cell::new(0);
    let told = |bytes| seen.set(seen.get() + bytes);
    let reshape = |_: &hyperslab::Dataset, builder: hyperslab::DatasetBuilder| {
        Ok(Some(builder.chunk([10, 7]).deflate(1)))
    };
    let to = memory();
    copy(&from, "/g", &to, &everything().reshape(&reshape).progress(&told));
    let copied = reopened(&to).dataset("/copy/x").unwrap();
    assert_eq!(copied.layout_name(), "chunked");
    assert_eq!(copied.read::<u16>().unwrap(), numbers.into_dyn());
    assert_eq!(seen.get(), 300 * 7 * 2);
}

#[test]
fn what_waits_in_memory_is_copied_too() {
    let file = memory();
    let data = file.new_dataset::<i32>().shape([10]).chunk([4]).deflate(1).create("/x").unwrap();
    data.write_slice(&array![5, 6], ndarray::s![3..5]).unwrap();
    copy(&file, "/x", &file, &everything());
    let copied = file.dataset("/copy").unwrap().read::<i32>().unwrap();
    assert_eq!(copied, array![0, 0, 0, 5, 6, 0, 0, 0, 0, 0].into_dyn());
}

#[test]
fn the_order_of_creation_is_kept() {
    let from = memory();
    let group = from.root().unwrap().create_ordered_group("/g").unwrap();
    for name in ["z", "a", "m"] {
        group.create_group(name).unwrap();
        group.set_attribute(name, 1_i32).unwrap();
    }
    let to = memory();
    copy(&from, "/g", &to, &everything());
    let copied = reopened(&to).group("/copy").unwrap();
    assert!(copied.is_ordered().unwrap());
    assert_eq!(copied.attributes().unwrap().len(), 3);
}
