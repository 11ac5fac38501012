//! A file from its superblock to its values, as a user walks it.

use crate::attribute::Attribute;
use crate::dataset::Dataset;
use crate::datatype::Datatype;
use crate::error::Result;
use crate::file::File;
use crate::group::Object;
use crate::space::{AxisSlab, Extent, Selection};
use std::collections::HashSet;

/// Objects that are looked at.
const MOST_OBJECTS: usize = 64;
/// Attributes of one object that are decoded.
const MOST_ATTRIBUTES: usize = 32;
/// Datasets with more bytes are not read.
const MOST_BYTES: u64 = 1 << 20;
/// Elements of variable length may all be the same large one.
const MOST_VARIABLE: u64 = 256;

/// Walks the groups of a file and reads what is small.
pub fn whole_file(bytes: &[u8]) {
    let Ok(file) = File::from_bytes(bytes.to_vec()) else { return };
    let Ok(root) = file.root() else { return };
    let mut seen = HashSet::from([Object::Group(root.clone()).address()]);
    let mut waiting = vec![root];
    while let Some(group) = waiting.pop() {
        attributes(group.attributes());
        let Ok(links) = group.links() else { continue };
        for link in links {
            let Ok(object) = group.object(link.name().as_bytes()) else { continue };
            if seen.len() >= MOST_OBJECTS || !seen.insert(object.address()) {
                continue;
            }
            match object {
                Object::Group(group) => waiting.push(group),
                Object::Dataset(dataset) => read(&dataset),
                Object::Datatype(named) => attributes(named.attributes()),
            }
        }
    }
}

fn attributes(all: Result<Vec<Attribute>>) {
    for attribute in all.unwrap_or_default().iter().take(MOST_ATTRIBUTES) {
        if is_small(attribute.extent(), attribute.datatype()) {
            let _ = attribute.values();
        }
    }
}

fn is_small(extent: &Extent, datatype: &Datatype) -> bool {
    let Ok(count) = extent.count() else { return false };
    let bytes = count.checked_mul(datatype.size() as u64);
    bytes.is_some_and(|bytes| bytes <= MOST_BYTES)
        && (count <= MOST_VARIABLE || !datatype.has_variable_length())
}

fn read(dataset: &Dataset) {
    attributes(dataset.attributes());
    let _ = dataset.virtual_layout();
    if !is_small(&dataset.extent(), dataset.datatype()) {
        return;
    }
    let _ = dataset.mapping_status();
    let _ = dataset.read_values(&Selection::All);
    let _ = dataset.gaps(&Selection::All);
    let _ = dataset.read::<f64>();
    if dataset.extent().count().is_ok_and(|count| count <= MOST_BYTES / 8) {
        let _ = dataset.read::<i32>();
    }
    if let Ok(all) = dataset.read_bytes(&Selection::All, dataset.datatype()) {
        a_part_is_part_of_all(dataset, &all);
    }
}

/// Reads every second element from a third of each axis on; they are those that reading everything gave.
fn a_part_is_part_of_all(dataset: &Dataset, all: &[u8]) {
    let axes: Vec<AxisSlab> = dataset.shape().iter().map(|length| every_second(*length)).collect();
    let Ok(selection) = Selection::from_axes(axes.clone()) else { return };
    if axes.is_empty() || dataset.extent() == Extent::Null {
        return;
    }
    let part = dataset.read_bytes(&selection, dataset.datatype());
    assert!(part.is_ok(), "everything can be read, a part cannot: {part:?}");
    let size = dataset.datatype().size().max(1);
    for (number, element) in part.unwrap_or_default().chunks_exact(size).enumerate() {
        let (mut rest, mut step, mut index) = (number as u64, 1, 0);
        for (axis, length) in axes.iter().zip(dataset.shape()).rev() {
            let count = axis.count.unwrap_or_default().max(1);
            index += (axis.start + rest % count * axis.stride) * step;
            (rest, step) = (rest / count, step * length);
        }
        let expected = usize::try_from(index).ok().and_then(|index| all.chunks_exact(size).nth(index));
        assert!(expected == Some(element), "element {number} of a part is not element {index} of all");
    }
}

fn every_second(length: u64) -> AxisSlab {
    let start = length / 3;
    AxisSlab { start, stride: 2, count: Some((length - start).div_ceil(2)), block: Some(1) }
}
