//! The virtual datasets of a file, and what a selection of one reads like.

use crate::opening;
use crate::output::{Failure, Outcome, text, warn};
use crate::target::Target;
use hyperslab::{AxisSlab, Dataset, File, Group, Hyperslab, LinkKind, Object, Selection};
use std::collections::{HashSet, VecDeque};

/// Objects that are looked at.
const MOST_OBJECTS: usize = 1_000_000;

/// The virtual dataset that `FILE/PATH` names, or every one of the file.
pub(crate) fn named(text: &str) -> Outcome<Vec<Dataset>> {
    let target = Target::parse(text);
    named_in(&opening::file(&target.file)?, &target, text)
}

/// The same in a file that is open.
pub(crate) fn named_in(file: &File, target: &Target, text: &str) -> Outcome<Vec<Dataset>> {
    match file.object(&target.path)? {
        Object::Dataset(dataset) if dataset.is_virtual() => Ok(vec![dataset]),
        Object::Dataset(_) => Err(Failure::message(format!("{text}: not a virtual dataset"))),
        _ => all(file),
    }
}

/// Every virtual dataset of a file, in order of depth and name.
fn all(file: &File) -> Outcome<Vec<Dataset>> {
    let root = file.root()?;
    let mut found = Vec::new();
    let mut seen = HashSet::from([Object::Group(root.clone()).address()]);
    let mut queue = VecDeque::from([root]);
    while let Some(group) = queue.pop_front() {
        for link in group.links()? {
            if !matches!(link.kind, LinkKind::Hard { .. }) || seen.len() > MOST_OBJECTS {
                continue;
            }
            let object = match group.object(&link.name) {
                Ok(object) => object,
                Err(error) => {
                    warn(&format!("{}: {error}", text(&link.name)));
                    continue;
                }
            };
            if seen.insert(object.address()) {
                keep(object, &mut found, &mut queue);
            }
        }
    }
    Ok(found)
}

fn keep(object: Object, found: &mut Vec<Dataset>, queue: &mut VecDeque<Group>) {
    match object {
        Object::Group(group) => queue.push_back(group),
        Object::Dataset(dataset) if dataset.is_virtual() => found.push(dataset),
        _ => {}
    }
}

/// A selection as numpy would write it where it can: `[0:10, 3:64:4]`.
pub(crate) fn written(selection: &Selection) -> String {
    match selection {
        Selection::All => "all".to_owned(),
        Selection::None => "none".to_owned(),
        Selection::Hyperslab(Hyperslab::Regular(axes)) => {
            let axes: Vec<String> = axes.iter().map(axis).collect();
            format!("[{}]", axes.join(", "))
        }
        Selection::Points(points) => format!("{} points", points.len()),
        other => match other.bounds(&[]) {
            Ok(Some((low, high))) => {
                let ranges =
                    low.iter().zip(&high).map(|(low, high)| format!("{low}:{}", high.saturating_add(1)));
                format!("boxes in [{}]", ranges.collect::<Vec<_>>().join(", "))
            }
            _ => "boxes".to_owned(),
        },
    }
}

fn axis(slab: &AxisSlab) -> String {
    let AxisSlab { start, stride, count, block } = *slab;
    match (count, block) {
        (Some(1), Some(block)) => format!("{start}:{}", start.saturating_add(block)),
        (Some(count), Some(1)) => {
            let end = count.saturating_sub(1).saturating_mul(stride).saturating_add(start).saturating_add(1);
            if stride == 1 { format!("{start}:{end}") } else { format!("{start}:{end}:{stride}") }
        }
        (Some(count), Some(block)) if stride == block => {
            format!("{start}:{}", start + count.saturating_mul(block))
        }
        (None, Some(1)) if stride == 1 => format!("{start}:"),
        (None, Some(1)) => format!("{start}::{stride}"),
        (count, Some(block)) => {
            let count = count.map_or_else(|| "any".to_owned(), |count| count.to_string());
            format!("{start}+{block} every {stride}, {count} times")
        }
        (_, None) => format!("{start}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::written;
    use hyperslab::{AxisSlab, Selection};

    #[test]
    fn a_selection_is_written_as_a_slice() {
        let slab = |start, stride, count, block| AxisSlab { start, stride, count, block };
        let selection = Selection::from_axes(vec![
            slab(2, 1, Some(3), Some(1)),
            slab(3, 4, Some(16), Some(1)),
            slab(5, 1, Some(1), Some(7)),
            slab(0, 4, Some(2), Some(3)),
        ]);
        assert_eq!(written(&selection.unwrap()), "[2:5, 3:64:4, 5:12, 0+3 every 4, 2 times]");
        assert_eq!(written(&Selection::All), "all");
    }
}
