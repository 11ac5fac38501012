//! Files whose writer is gone are made whole, and others left alone.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop where it is surprised")]

use hyperslab::{AttributeData, Datatype, ErrorKind, File, RecoverOptions, Selection, Value, recover};
use std::path::{Path, PathBuf};

const UNLIMITED: Option<u64> = None;

/// One of each way to store something.
fn fill(file: &File) {
    let cube: Vec<i32> = (0..6000).collect();
    let maxima: [(&str, [Option<u64>; 2]); 3] =
        [("ea", [UNLIMITED, Some(30)]), ("b2", [UNLIMITED, UNLIMITED]), ("fa", [Some(400), Some(30)])];
    for (name, max) in maxima {
        for compressed in [false, true] {
            let builder = file.new_dataset::<i32>().shape([200, 30]).max_shape(max).chunk([7, 11]);
            let builder = if compressed { builder.deflate(4) } else { builder };
            let dataset = builder.create(format!("{name}{compressed}")).unwrap();
            dataset.write_selection(&Selection::All, &cube).unwrap();
        }
    }
    let words = Datatype::variable_string(hyperslab::CharacterSet::Utf8);
    let dataset = file.new_dataset_of(&words).shape([900]).create("words").unwrap();
    let values: Vec<Value> = (0..900).map(|n| Value::String(format!("word {n}").into_bytes())).collect();
    dataset.write_values(&Selection::All, &values).unwrap();
    let group = file.create_group("group").unwrap();
    for n in 0..30 {
        group.set_attribute(format!("attribute {n}"), AttributeData::from(n)).unwrap();
        file.create_group(format!("group/of/many/{n}")).unwrap();
    }
    file.new_dataset::<i32>()
        .shape([6000])
        .create("last")
        .unwrap()
        .write_selection(&Selection::All, &cube)
        .unwrap();
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    (folder, path)
}

fn check(path: &Path) {
    let file = File::open(path).unwrap();
    for name in ["eafalse", "eatrue", "b2false", "b2true", "fafalse", "fatrue", "last"] {
        let read = file.dataset(name).unwrap().read::<i32>().unwrap();
        assert!(read.iter().copied().eq(0..6000), "{name}");
    }
    let words = file.dataset("words").unwrap().read_values(&Selection::All).unwrap();
    assert_eq!(words.last(), Some(&Value::String(b"word 899".to_vec())));
}

#[test]
fn what_is_in_a_file_ends_where_the_file_does() {
    let (_folder, path) = folder();
    let file = File::create(&path).unwrap();
    fill(&file);
    file.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let found = recover(&path, &RecoverOptions::new()).unwrap();
    assert_eq!((found.reach, found.written), (before.len() as u64, false));
    assert!(found.damage.is_empty() && found.was_closed());
    let longer = [before.clone(), vec![7; 5000]].concat();
    std::fs::write(&path, &longer).unwrap();
    recover(&path, &RecoverOptions::new().dry_run(true)).unwrap();
    recover(&path, &RecoverOptions::new().keep_tail(true)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), longer.len() as u64);
    std::fs::write(&path, &longer).unwrap();
    recover(&path, &RecoverOptions::new()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_whose_writer_died_is_whole_again() {
    let (folder, path) = folder();
    let file = File::create(&path).unwrap();
    fill(&file);
    file.flush().unwrap();
    file.create_group("lost").unwrap();
    let dead = folder.path().join("dead.h5");
    std::fs::copy(&path, &dead).unwrap();
    assert!(File::open(&dead).is_err());
    let before = std::fs::read(&dead).unwrap();
    let told = recover(&dead, &RecoverOptions::new().dry_run(true)).unwrap();
    assert_eq!((told.flags, told.written), (1, false));
    assert_eq!(std::fs::read(&dead).unwrap(), before);
    assert!(recover(&dead, &RecoverOptions::new()).unwrap().written);
    check(&dead);
    let again = File::open_rw(&dead).unwrap();
    again.create_group("more").unwrap();
    again.close().unwrap();
    check(&dead);
    assert!(recover(&dead, &RecoverOptions::new()).unwrap().was_closed());
}

#[test]
fn a_file_that_somebody_has_open_is_left_alone() {
    let (_folder, path) = folder();
    let file = File::create(&path).unwrap();
    file.flush().unwrap();
    let before = std::fs::read(&path).unwrap();
    for force in [false, true] {
        let error = recover(&path, &RecoverOptions::new().force(force)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    file.close().unwrap();
    let reader = std::fs::File::open(&path).unwrap();
    reader.lock_shared().unwrap();
    assert!(recover(&path, &RecoverOptions::new()).is_err());
    assert!(hyperslab::clear(&path, 100, &RecoverOptions::new()).is_err());
    drop(reader);
    hyperslab::clear(&path, 100, &RecoverOptions::new()).unwrap();
    let status = hyperslab::status(&path).unwrap();
    assert_eq!((status.size, status.end_of_allocation), (before.len() as u64 + 100, status.size));
}

#[test]
fn the_status_of_a_file_names_its_writer() {
    let (_folder, path) = folder();
    let file = File::create(&path).unwrap();
    file.flush().unwrap();
    let status = hyperslab::status(&path).unwrap();
    assert!(status.is_marked() && !status.is_live());
    if cfg!(target_os = "linux") {
        assert!(!status.is_orphan());
        assert!(status.holders.iter().any(|holder| holder.process == std::process::id() && holder.writes));
    }
    file.close().unwrap();
    let status = hyperslab::status(&path).unwrap();
    assert!(!status.is_marked());
    assert_eq!(status.reach().unwrap(), status.size);
}
