//! [`VirtualMapping`]: a selection here is a selection there.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::space::{Hyperslab, Selection, product};

/// The elements of one selection of a virtual dataset are those of a selection of another dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualMapping {
    pub(crate) virtual_selection: Selection,
    /// As stored: `.` is the file of the virtual dataset, `%b` the number of a block, `%%` a percent sign.
    pub(crate) file: Arc<[u8]>,
    pub(crate) path: Arc<[u8]>,
    pub(crate) source_selection: Selection,
}

impl VirtualMapping {
    /// Which elements of the virtual dataset.
    #[must_use]
    pub fn virtual_selection(&self) -> &Selection {
        &self.virtual_selection
    }

    /// The name of the source file as stored; `.` is the file that holds the virtual dataset.
    #[must_use]
    pub fn file(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.file)
    }

    /// The path of the source dataset as stored.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }

    /// Which elements of the source.
    #[must_use]
    pub fn source_selection(&self) -> &Selection {
        &self.source_selection
    }

    /// Whether each block of the virtual selection has a source of its own, its number in the name.
    pub(crate) fn is_numbered(&self) -> bool {
        is_numbered((&self.file, &self.path))
    }

    /// File and path of the source, with the number of the block put in.
    pub(crate) fn names(&self, block: Option<u64>) -> (Arc<[u8]>, Arc<[u8]>) {
        (expand(&self.file, block), expand(&self.path, block))
    }

    /// The virtual selection, or one block of it.
    pub(crate) fn virtual_block(&self, block: Option<u64>) -> Result<Cow<'_, Selection>> {
        match block {
            None => Ok(Cow::Borrowed(&self.virtual_selection)),
            Some(number) => nth_block(&self.virtual_selection, number).map(Cow::Owned),
        }
    }
}

/// Whether the number of a block is in the name of a file or of a dataset in it.
pub(crate) fn is_numbered((file, path): (&[u8], &[u8])) -> bool {
    let numbered = |name: &[u8]| Piece::all(name).any(|piece| piece == Some(Piece::Block));
    [file, path].into_iter().any(|name| memchr::memchr(b'%', name).is_some() && numbered(name))
}

/// Fails when a name has a NUL, or a `%` that is followed by anything but `b` and `%`; tells, as
/// [`is_numbered`], whether there is a `%b`.
pub(crate) fn check_names((file, path): (&[u8], &[u8])) -> Result<bool> {
    let mut numbered = false;
    for name in [file, path].into_iter().filter(|name| memchr::memchr2(b'%', 0, name).is_some()) {
        let shown = || String::from_utf8_lossy(name);
        if name.contains(&0) {
            return Err(Error::usage(format!("name {:?} contains a NUL", shown())));
        }
        for piece in Piece::all(name) {
            let piece = piece.ok_or_else(|| {
                Error::usage(format!(
                    "\"{}\" has a % that is neither %b (the number of a block) nor %% (a percent sign)",
                    shown()
                ))
            })?;
            numbered |= piece == Piece::Block;
        }
    }
    Ok(numbered)
}

/// Fails unless both selections can correspond, in datasets of these sizes if they are known.
///
/// `numbered` says that each block of the virtual one has a source of its own.
pub(crate) fn check_counts(
    (here, there): (&Selection, &Selection),
    numbered: bool,
    vdims: Option<&[u64]>,
    sdims: Option<&[u64]>,
) -> Result<()> {
    if [here, there].into_iter().any(|selection| matches!(selection, Selection::Points(_))) {
        return Err(Error::usage("a mapping of single points is not possible; select blocks"));
    }
    let (found, expected) = match (here.unlimited_axis(), there.unlimited_axis()) {
        (None, None) if numbered => {
            return Err(Error::usage("%b in a name needs an unlimited virtual selection"));
        }
        (None, Some(_)) => {
            return Err(Error::usage("an unlimited source needs an unlimited virtual selection"));
        }
        (Some(_), Some(_)) if numbered => {
            return Err(Error::usage("%b in a name needs a source selection that is not unlimited"));
        }
        (Some(_), None) if !numbered => {
            return Err(Error::usage(
                "an unlimited virtual selection needs an unlimited source or %b in a name",
            ));
        }
        (Some(_), Some(_)) => (Some(across(here)?), Some(across(there)?)),
        (None, None) => (count(here, vdims)?, count(there, sdims)?),
        (Some(_), None) => (Some(nth_block(here, 0)?.count(&[])?), count(there, sdims)?),
    };
    match (found, expected) {
        (Some(found), Some(expected)) if found != expected => Err(Error::usage(format!(
            "the two selections have different numbers of elements: {found} here, {expected} in the source"
        ))),
        _ => Ok(()),
    }
}

/// Elements of a bounded selection; unknown when it depends on a size that is.
fn count(selection: &Selection, dims: Option<&[u64]>) -> Result<Option<u64>> {
    match (selection, dims) {
        (Selection::All, None) => Ok(None),
        (_, dims) => selection.count(dims.unwrap_or_default()).map(Some),
    }
}

/// Elements of an unlimited selection in each of its slices.
fn across(selection: &Selection) -> Result<u64> {
    let Selection::Hyperslab(Hyperslab::Regular(axes)) = selection else { return Ok(0) };
    let others: Vec<u64> =
        axes.iter().filter(|axis| !axis.is_unlimited()).map(|axis| axis.slices(0)).collect::<Result<_>>()?;
    product(others.iter().copied())
}

/// Block `number` of an unlimited selection, along its unlimited axis.
fn nth_block(selection: &Selection, number: u64) -> Result<Selection> {
    let Selection::Hyperslab(Hyperslab::Regular(axes)) = selection else {
        return Err(Error::usage("only an unlimited hyperslab has numbered blocks"));
    };
    let mut axes = axes.clone();
    for axis in axes.iter_mut().filter(|axis| axis.is_unlimited()) {
        if axis.block.is_none() {
            return Err(Error::usage("%b in a name needs blocks of limited size"));
        }
        let start = number.checked_mul(axis.stride).and_then(|offset| axis.start.checked_add(offset));
        axis.start = start.ok_or_else(|| Error::limit(format!("block {number} begins beyond 64 bits")))?;
        axis.count = Some(1);
    }
    Selection::from_axes(axes)
}

/// A piece of a stored name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Block,
}

impl Piece {
    /// The pieces of a name; `None` for a `%` that means nothing.
    fn all(name: &[u8]) -> impl Iterator<Item = Option<Self>> {
        let mut bytes = name.iter().copied();
        std::iter::from_fn(move || {
            Some(match bytes.next()? {
                b'%' => match bytes.next() {
                    Some(b'b') => Some(Self::Block),
                    Some(b'%') => Some(Self::Byte(b'%')),
                    _ => None,
                },
                byte => Some(Self::Byte(byte)),
            })
        })
    }
}

fn expand(name: &Arc<[u8]>, block: Option<u64>) -> Arc<[u8]> {
    if memchr::memchr(b'%', name).is_none() {
        return Arc::clone(name);
    }
    let mut expanded = Vec::with_capacity(name.len());
    for piece in Piece::all(name).flatten() {
        match piece {
            Piece::Byte(byte) => expanded.push(byte),
            Piece::Block => expanded.extend(block.unwrap_or(0).to_string().bytes()),
        }
    }
    expanded.into()
}

#[cfg(test)]
mod tests {
    use super::{VirtualMapping, check_counts, check_names};
    use crate::space::{AxisSlab, Points, Selection};

    fn mapping(here: &Selection, file: &str, there: &Selection) -> VirtualMapping {
        let (file, path) = (file.as_bytes().into(), b"d".as_slice().into());
        VirtualMapping { virtual_selection: here.clone(), file, path, source_selection: there.clone() }
    }

    #[test]
    fn percent_b_is_the_block_and_percent_percent_a_percent_sign() {
        let names = |file: &str| mapping(&Selection::All, file, &Selection::All).names(Some(12)).0;
        assert_eq!(&*names("f%b_100%%_%b.h5"), b"f12_100%_12.h5");
        assert!([b"f%0b.h5".as_slice(), b"f%", b"a\0"].iter().all(|name| check_names((name, b"d")).is_err()));
        assert!(!mapping(&Selection::All, "f%%b", &Selection::All).is_numbered());
    }

    #[test]
    fn a_mapping_is_valid_only_when_its_sides_can_correspond() {
        let bounded = Selection::from_axes(vec![AxisSlab::range(0, 3)]).unwrap();
        let other = Selection::from_axes(vec![AxisSlab::range(4, 2), AxisSlab::range(0, 2)]).unwrap();
        let unlimited = Selection::from_axes(vec![AxisSlab::unlimited(0, 1)]).unwrap();
        let blocks = AxisSlab { start: 0, stride: 4, count: None, block: Some(3) };
        let blocks = Selection::from_axes(vec![blocks]).unwrap();
        let wide = Selection::from_axes(vec![AxisSlab::unlimited(0, 1), AxisSlab::range(0, 2)]).unwrap();
        let endless = AxisSlab { start: 0, stride: 1, count: Some(1), block: None };
        let endless = Selection::from_axes(vec![endless]).unwrap();
        let point = Points::new(1, vec![1]).unwrap().into();
        let valid = |here, file: &str, there| {
            let numbered = check_names((file.as_bytes(), b"d")).unwrap();
            check_counts((here, there), numbered, Some(&[3]), Some(&[3])).is_ok()
        };
        assert!(
            valid(&bounded, "f", &bounded)
                && !valid(&bounded, "f", &other)
                && !valid(&bounded, "%b", &bounded)
        );
        assert!(valid(&Selection::All, "f", &bounded) && !valid(&bounded, "f", &unlimited));
        assert!(valid(&unlimited, "f", &unlimited) && !valid(&unlimited, "%b", &unlimited));
        assert!(!valid(&unlimited, "f", &wide) && !valid(&unlimited, "f", &bounded));
        assert!(valid(&blocks, "%b", &bounded) && !valid(&unlimited, "%b", &bounded));
        assert!(!valid(&endless, "%b", &bounded) && !valid(&point, "f", &point));
    }
}
