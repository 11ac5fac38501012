//! Files that are made and changed.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

use hyperslab::{
    Bounds, CharacterSet, Datatype, ErrorKind, Extent, File, Object, OpenOptions, Selection, Value,
    VirtualLayout, VirtualSource,
};
use ndarray::{Array2, array, s};

const ALL: [Bounds; 3] = [Bounds::Earliest, Bounds::V18, Bounds::V110];

fn in_memory(bounds: Bounds) -> File {
    OpenOptions::new().bounds(bounds).create_in_memory().unwrap()
}

fn reopened(file: &File) -> File {
    File::from_bytes(file.to_bytes().unwrap()).unwrap()
}

#[test]
fn what_is_written_is_read_before_and_after_reopening() {
    for bounds in ALL {
        let file = in_memory(bounds);
        let data = file.new_dataset::<f64>().shape([2, 3]).create("a/b/x").unwrap();
        data.write(&array![[1., 2., 3.], [4., 5., 6.]]).unwrap();
        for file in [file.clone(), reopened(&file)] {
            let read = file.dataset("/a/b/x").unwrap().read::<f64>().unwrap();
            assert_eq!(read.as_slice().unwrap(), [1., 2., 3., 4., 5., 6.]);
        }
    }
}

#[test]
fn datasets_of_every_layout_take_slices_and_grow() {
    for bounds in ALL {
        let file = in_memory(bounds);
        let compact = file.new_dataset::<i32>().shape([5]).compact().create("compact").unwrap();
        compact.write_slice(&array![7, 8], s![1..3]).unwrap();
        let rows = file.new_dataset::<u16>().shape([0, 40]).max_shape([None, Some(40)]).chunk([4, 16]);
        let rows = rows.shuffle().deflate(4).fill_value(9_u16).create("rows").unwrap();
        for row in 0..10_u16 {
            rows.resize([u64::from(row) + 1, 40]).unwrap();
            rows.write_slice(&Array2::from_elem((1, 20), row), s![i32::from(row)..i32::from(row) + 1, ..20])
                .unwrap();
        }
        let file = reopened(&file);
        assert_eq!(
            file.dataset("compact").unwrap().read::<i32>().unwrap().as_slice().unwrap(),
            [0, 7, 8, 0, 0]
        );
        let rows = file.dataset("rows").unwrap();
        assert_eq!(rows.shape(), [10, 40]);
        let read = rows.read::<u16>().unwrap();
        for row in 0..10_u16 {
            assert_eq!((read[[row.into(), 19]], read[[row.into(), 20]]), (row, 9));
        }
    }
}

#[test]
fn many_links_and_attributes_come_and_go() {
    for bounds in ALL {
        let file = in_memory(bounds);
        let group = file.create_group("g").unwrap();
        for i in 0..40_i64 {
            group
                .new_dataset::<i64>()
                .create(format!("d{i}"))
                .unwrap()
                .write_selection(&Selection::All, &[i])
                .unwrap();
            group.set_attribute(format!("a{i}"), i).unwrap();
        }
        for i in (0..40).step_by(3) {
            group.unlink(format!("d{i}")).unwrap();
            group.delete_attribute(format!("a{i}")).unwrap();
        }
        group.rename("d1", "moved/one").unwrap();
        group.link_soft("soft", "/g/d2").unwrap();
        group.link_hard("hard", &group.dataset("d2").unwrap()).unwrap();
        group.unlink("d2").unwrap();
        let file = reopened(&file);
        let group = file.group("g").unwrap();
        assert_eq!(group.links().unwrap().len(), 40 - 14 - 2 + 3);
        assert_eq!(group.attributes().unwrap().len(), 26);
        assert_eq!(group.dataset("moved/one").unwrap().read::<i64>().unwrap().first(), Some(&1));
        assert_eq!(group.dataset("hard").unwrap().read::<i64>().unwrap().first(), Some(&2));
        assert_eq!(group.dataset("soft").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn strings_of_any_length_are_written_and_replaced() {
    for bounds in ALL {
        let file = in_memory(bounds);
        let text = Datatype::variable_string(CharacterSet::Utf8);
        let data = file.new_dataset_of(&text).shape([3]).create("names").unwrap();
        let strings = |texts: [&str; 3]| texts.map(|text| Value::String(text.as_bytes().to_vec()));
        data.write_values(&Selection::All, &strings(["a", "bc", ""])).unwrap();
        data.write_values(&Selection::All, &strings(["x", "longer than before", "é"])).unwrap();
        file.root().unwrap().set_attribute("title", "a run").unwrap();
        let file = reopened(&file);
        let values = file.dataset("names").unwrap().read_values(&Selection::All).unwrap();
        assert_eq!(values, strings(["x", "longer than before", "é"]));
        let title = file.root().unwrap().attribute("title").unwrap().values().unwrap();
        assert_eq!(title, [Value::String(b"a run".to_vec())]);
    }
}

#[test]
fn an_object_somebody_has_open_outlives_its_last_link() {
    let file = in_memory(Bounds::V110);
    let data = file.new_dataset::<u8>().shape([3]).create("x").unwrap();
    data.write(&array![1_u8, 2, 3]).unwrap();
    file.root().unwrap().unlink("x").unwrap();
    file.flush().unwrap();
    assert_eq!(data.read::<u8>().unwrap().as_slice().unwrap(), [1, 2, 3]);
    drop(data);
    file.flush().unwrap();
    assert!(file.root().unwrap().links().unwrap().is_empty());
}

#[test]
fn a_file_that_exists_is_changed_and_a_failed_open_leaves_it_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    let file = File::create_new(&path).unwrap();
    file.new_dataset::<u8>().shape([1]).create("x").unwrap();
    file.close().unwrap();
    assert!(File::create_new(&path).is_err());
    let reader = File::open(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(File::create(&path).is_err() && File::open_rw(&path).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    drop(reader);
    let file = File::append(&path).unwrap();
    file.create_group("g").unwrap();
    assert_eq!(
        File::open(&path).unwrap().group("g").unwrap().path(),
        "/g",
        "one program shares the file it writes"
    );
    file.close().unwrap();
    let file = File::open(&path).unwrap();
    assert_eq!(file.root().unwrap().links().unwrap().len(), 2);
    let error = file.create_group("h").unwrap_err();
    assert!(error.to_string().contains("read only"), "{error}");
}

#[test]
fn a_virtual_dataset_is_made_and_grows_by_hand() {
    let file = in_memory(Bounds::V110);
    file.new_dataset::<u8>().shape([4]).create("source").unwrap().write(&array![1_u8, 2, 3, 4]).unwrap();
    let mut layout = VirtualLayout::new(&[2, 4]);
    for row in 0..2 {
        let source = VirtualSource::new(".", "source", &[4]);
        layout.map(&Selection::from_ranges(&[row..row + 1, 0..4]).unwrap(), &source).unwrap();
    }
    let data = file.new_dataset::<u8>().virtual_layout(layout).create("all").unwrap();
    assert_eq!(data.read::<u8>().unwrap().as_slice().unwrap(), [1, 2, 3, 4, 1, 2, 3, 4]);
    let again = reopened(&file).dataset("all").unwrap().read::<u8>().unwrap();
    assert_eq!(again.sum(), 20);
}

#[test]
fn empty_and_scalar_datasets_and_named_datatypes_are_made() {
    for bounds in ALL {
        let file = in_memory(bounds);
        let root = file.root().unwrap();
        file.new_dataset::<f32>().extent(Extent::Null).create("empty").unwrap();
        file.new_dataset::<f32>()
            .create("scalar")
            .unwrap()
            .write_selection(&Selection::All, &[2.5_f32])
            .unwrap();
        let named = root.commit_datatype("type", &Datatype::of::<i16>()).unwrap();
        let builder = file.new_dataset::<i16>().named_datatype(&named).shape([2]);
        builder.create("typed").unwrap().write(&array![3_i16, 4]).unwrap();
        let file = reopened(&file);
        assert_eq!(file.dataset("empty").unwrap().extent(), Extent::Null);
        assert_eq!(file.dataset("scalar").unwrap().read::<f32>().unwrap().first(), Some(&2.5));
        assert!(matches!(file.object("type").unwrap(), Object::Datatype(_)));
        assert_eq!(file.dataset("typed").unwrap().read::<i16>().unwrap().as_slice().unwrap(), [3, 4]);
    }
}

#[test]
fn what_is_deleted_makes_room_for_what_comes() {
    for bounds in ALL {
        let file = in_memory(bounds);
        let mut sizes = Vec::new();
        for round in 0..6 {
            for i in 0..30 {
                let data =
                    file.new_dataset::<u32>().shape([100]).chunk([10]).create(format!("d{i}")).unwrap();
                data.write_selection(&Selection::All, &vec![round; 100]).unwrap();
            }
            for i in 0..30 {
                file.root().unwrap().unlink(format!("d{i}")).unwrap();
            }
            sizes.push(file.to_bytes().unwrap().len());
        }
        assert!(sizes[5] <= sizes[2], "{bounds:?}: {sizes:?}");
    }
}

#[test]
fn a_dataset_removed_with_its_group_leaves_nothing_behind_at_its_address() {
    let file = OpenOptions::new().create_in_memory().unwrap();
    let root = file.root().unwrap();
    let chunked = |path: &str, n| root.new_dataset::<i32>().shape([n]).chunk([2]).create(path).unwrap();
    let held = chunked("/b/held", 4);
    chunked("/a/x", 6).write(&array![7, 7, 7, 7, 7, 7]).unwrap();
    root.unlink("/a").unwrap();
    root.unlink("/b").unwrap();
    held.write(&array![1, 2, 3, 4]).unwrap();
    for number in 0..20 {
        let data = chunked(&format!("/c/{number}"), 3);
        data.write(&array![number, 1, 2]).unwrap();
        file.flush().unwrap();
        assert_eq!(data.read::<i32>().unwrap().into_raw_vec_and_offset().0, [number, 1, 2]);
        assert_eq!(held.read::<i32>().unwrap().into_raw_vec_and_offset().0, [1, 2, 3, 4]);
    }
}

#[test]
fn what_is_not_written_reads_as_zero_also_where_something_else_was() {
    let file = in_memory(Bounds::V110);
    let root = file.root().unwrap();
    root.new_dataset::<u8>().create_with("/old", &ndarray::Array1::from_elem(3000, 7)).unwrap();
    root.new_dataset::<u8>().create_with("/after", &array![1]).unwrap();
    file.flush().unwrap();
    root.unlink("/old").unwrap();
    file.flush().unwrap();
    let data = root.new_dataset::<u8>().shape([1000]).create("/new").unwrap();
    data.write_slice(&array![5], s![10..11]).unwrap();
    let read = data.read::<u8>().unwrap();
    assert_eq!((read.sum(), read[[10]]), (5, 5));
}

#[test]
fn elements_in_raw_files_are_written_there_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for (number, bounds) in ALL.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.h5"));
        let file = OpenOptions::new().bounds(bounds).create(&path).unwrap();
        let access = hyperslab::DatasetAccess::new().external_prefix("${ORIGIN}/raw");
        std::fs::create_dir_all(folder.path().join("raw")).unwrap();
        let (first, second) = (format!("{number}a"), format!("{number}b"));
        let data = file.new_dataset::<u16>().shape([3, 4]).max_shape([None, Some(4)]);
        let data = data.external(&first, 3, Some(10)).external(&second, 0, None).create("data").unwrap();
        let data = data.with_access(access.clone());
        data.write(&Array2::from_shape_vec((3, 4), (0..12_u16).collect()).unwrap()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("raw").join(&second)).unwrap().len(), 14);
        data.resize([4, 4]).unwrap();
        data.write_slice(&array![77_u16, 78], s![3, 1..3]).unwrap();
        file.close().unwrap();
        let file = File::open(&path).unwrap();
        let data = file.dataset_with("data", &access).unwrap();
        assert_eq!(data.external_files().collect::<Vec<_>>(), [(&*first, 3, 10), (&*second, 0, u64::MAX)]);
        let read = data.read::<u16>().unwrap();
        assert_eq!(read.as_slice().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 77, 78, 0]);
        assert_eq!(file.dataset("data").unwrap().read::<u16>().unwrap_err().kind(), ErrorKind::Io);
    }
}

#[test]
fn raw_files_that_cannot_hold_the_elements_are_refused_before_anything_is_made() {
    let file = in_memory(Bounds::V110);
    let of = |dims: &[u64]| file.new_dataset::<u16>().shape(dims);
    let refused = [
        of(&[4]).external("a", 0, Some(7)),
        of(&[4]).external("a", 0, None).external("b", 0, Some(8)),
        of(&[4]).external("", 0, None),
        of(&[4]).external("a", 0, None).deflate(4),
        of(&[4]).max_shape([None]).external("a", 0, Some(8)),
        of(&[4, 2]).max_shape([Some(4), None]).external("a", 0, None),
    ];
    for builder in refused {
        assert_eq!(builder.create("x").unwrap_err().kind(), ErrorKind::Usage);
    }
    assert!(file.root().unwrap().links().unwrap().is_empty());
}

#[test]
fn raw_files_are_made_only_where_the_policy_permits() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let options = OpenOptions::new().sources(hyperslab::SourcePolicy::SameTree);
    let file = options.create(tree.join("run.h5")).unwrap();
    let made = |path: std::path::PathBuf, name: &str| {
        let data = file.new_dataset::<u8>().shape([2]).external(path.to_str().unwrap(), 0, None);
        data.create(name).unwrap().write(&array![1_u8, 2]).map(|()| path)
    };
    assert!(made(folder.path().join("outside"), "a").is_err());
    assert!(!folder.path().join("outside").exists());
    std::os::unix::fs::symlink(folder.path(), tree.join("link")).unwrap();
    assert!(made(tree.join("link/outside"), "b").is_err());
    assert!(!folder.path().join("outside").exists());
    assert_eq!(std::fs::read(made(tree.join("inside"), "c").unwrap()).unwrap(), [1, 2]);
}
