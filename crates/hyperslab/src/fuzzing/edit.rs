//! Changes to a file that somebody else made, as a user makes them.

use crate::attribute_write::AttributeData;
use crate::error::Result;
use crate::file::File;
use crate::group::{Group, Object};
use crate::open_options::OpenOptions;

/// Changes that are made to one file.
const MOST_CHANGES: usize = 24;
/// Links of a group that are known.
const MOST_LINKS: usize = 16;
/// Datasets with more elements are not written.
const MOST_ELEMENTS: u64 = 1 << 14;

/// Makes the changes that the first bytes say to the file that the others are; a change may fail, and what was
/// changed can be written and opened again.
pub fn edit(bytes: &[u8]) {
    let Some((plan, bytes)) = bytes.split_at_checked(MOST_CHANGES * 2) else { return };
    let Ok(file) = OpenOptions::new().open_rw_bytes(bytes.to_vec()) else { return };
    let Ok(root) = file.root() else { return };
    let mut names: Vec<Vec<u8>> = ["new", "other/new"].map(|name| name.as_bytes().to_vec()).into();
    let links = root.links().unwrap_or_default();
    names.extend(links.iter().take(MOST_LINKS).map(|link| link.name().as_bytes().to_vec()));
    let (steps, _) = plan.as_chunks::<2>();
    for [what, which] in steps {
        let name = names.get(usize::from(*which) % names.len().max(1)).cloned().unwrap_or_default();
        let _ = change(&file, &root, *what, &name);
    }
    if let Ok(bytes) = file.to_bytes() {
        assert!(File::from_bytes(bytes).is_ok(), "what was written cannot be opened");
    }
}

fn change(file: &File, root: &Group, what: u8, name: &[u8]) -> Result<()> {
    let data = ndarray::Array1::from_iter(0..i32::from(what));
    match what % 10 {
        0 => root.create_group(name).map(drop),
        1 => root.new_dataset::<i32>().create_with(name, &data).map(drop),
        2 => root.new_dataset::<i32>().chunk([5]).deflate(1).create_with(name, &data).map(drop),
        3 => root.unlink(name),
        4 => root.rename(name, [name, b"x"].concat()),
        5 => root.link_soft([name, b"s"].concat(), name),
        6 => root.object(name)?.location().set_attribute("a", AttributeData::from(i32::from(what))),
        7 => root.object(name)?.location().delete_attribute("a"),
        8 => file.flush(),
        _ => rewrite(&root.object(name)?),
    }
}

/// Makes a dataset larger, and writes to all of it what it has.
fn rewrite(object: &Object) -> Result<()> {
    let Object::Dataset(dataset) = object else { return Ok(()) };
    let larger: Vec<u64> = dataset.shape().iter().map(|length| length.saturating_add(3)).collect();
    let _ = dataset.resize(larger);
    if dataset.extent().count()? > MOST_ELEMENTS || dataset.datatype().size() > 64 {
        return Ok(());
    }
    let all = crate::space::Selection::All;
    let values = dataset.read_bytes(&all, dataset.datatype())?;
    dataset.write_bytes(&all, dataset.datatype(), &values)
}
