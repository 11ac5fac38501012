//! [`VirtualMappings`]: many mappings in little memory, each put together when it is looked at.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::space::{AxisSlab, Hyperslab, Selection};
use crate::vds::mapping::VirtualMapping;

/// Mappings in list order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mappings {
    rows: Vec<Row>,
    /// The numbers of selections, those of each mapping behind those of the one before.
    numbers: Vec<u64>,
    /// Selections that are not said by a few numbers.
    others: Vec<Selection>,
    names: Names,
}

/// The names of a file and of a dataset in it.
type Both<'a> = (&'a Arc<[u8]>, &'a Arc<[u8]>);

/// A mapping.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Which of the names.
    file: u32,
    path: u32,
    /// Where its numbers begin: those of the virtual selection, then those of the other.
    start: u64,
    here: Form,
    there: Form,
}

/// How a selection is kept, with the number of its axes.
#[derive(Clone, Copy, Debug)]
enum Form {
    All,
    None,
    /// A number for each axis: start and length of a range, 32 bits each.
    Short(u8),
    /// Two numbers for each axis: start and length of a range.
    Ranges(u8),
    /// Four numbers for each axis: start, stride, count and block, of which all ones means without limit.
    Slabs(u8),
    /// One number: which of the others.
    Other,
}

impl Form {
    fn numbers(self) -> usize {
        match self {
            Self::All | Self::None => 0,
            Self::Other => 1,
            Self::Short(rank) => rank.into(),
            Self::Ranges(rank) => usize::from(rank).saturating_mul(2),
            Self::Slabs(rank) => usize::from(rank).saturating_mul(4),
        }
    }
}

/// Every different name once.
#[derive(Clone, Debug, Default)]
struct Names {
    all: Vec<Arc<[u8]>>,
    /// Which of them each is; empty when nothing is to be added.
    places: HashMap<Arc<[u8]>, u32>,
}

impl Names {
    /// Which name it is; perhaps that of the mapping before.
    fn intern(&mut self, name: &[u8], before: Option<u32>) -> Result<u32> {
        if let Some(before) = before.filter(|before| self.get(*before).is_some_and(|known| **known == *name))
        {
            return Ok(before);
        }
        if self.places.len() != self.all.len() {
            self.places = self.all.iter().cloned().zip(0..).collect();
        }
        if let Some(place) = self.places.get(name) {
            return Ok(*place);
        }
        let place = u32::try_from(self.all.len()).map_err(|_| Error::limit("2^32 different names"))?;
        let name: Arc<[u8]> = name.into();
        self.all.push(Arc::clone(&name));
        self.places.insert(name, place);
        Ok(place)
    }

    fn get(&self, place: u32) -> Option<&Arc<[u8]>> {
        self.all.get(usize::try_from(place).ok()?)
    }
}

impl Mappings {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// About the bytes of memory they take.
    pub(crate) fn bytes(&self) -> usize {
        let names = self.names.all.iter().map(|name| name.len().saturating_add(size_of::<[usize; 4]>()));
        let selections = self.others.iter().map(|other| match other {
            Selection::Hyperslab(Hyperslab::Blocks(blocks)) => size_of_val(blocks.boxes()),
            Selection::Points(points) => size_of_val(points.coordinates()),
            _ => 0,
        });
        let rows = size_of_val(self.rows.as_slice()).saturating_add(size_of_val(self.numbers.as_slice()));
        names
            .chain(selections)
            .fold(rows.saturating_add(size_of_val(self.others.as_slice())), usize::saturating_add)
    }

    pub(crate) fn push(
        &mut self,
        (file, path): (&[u8], &[u8]),
        here: &Selection,
        there: &Selection,
    ) -> Result<()> {
        let before = self.rows.last().copied();
        let file = self.names.intern(file, before.map(|row| row.file))?;
        let path = self.names.intern(path, before.map(|row| row.path))?;
        let start = self.numbers.len() as u64;
        let (here, there) = (self.keep(here), self.keep(there));
        self.rows.push(Row { file, path, start, here, there });
        Ok(())
    }

    /// Gives back memory that is only needed to add mappings.
    pub(crate) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
        self.numbers.shrink_to_fit();
        self.names.places = HashMap::new();
    }

    fn keep(&mut self, selection: &Selection) -> Form {
        let axes = match selection {
            Selection::All => return Form::All,
            Selection::None => return Form::None,
            Selection::Hyperslab(Hyperslab::Regular(axes)) => axes.as_slice(),
            _ => &[],
        };
        let rank = u8::try_from(axes.len()).unwrap_or(0);
        if rank == 0 || axes.iter().any(|axis| [axis.count, axis.block].contains(&Some(u64::MAX))) {
            self.numbers.push(self.others.len() as u64);
            self.others.push(selection.clone());
            return Form::Other;
        }
        let start = self.numbers.len();
        for axis in axes {
            let Some(length) = length_of(axis) else {
                self.numbers.truncate(start);
                let all = |axis: &AxisSlab| {
                    let limit = |number: Option<u64>| number.unwrap_or(u64::MAX);
                    [axis.start, axis.stride, limit(axis.count), limit(axis.block)]
                };
                self.numbers.extend(axes.iter().flat_map(all));
                return Form::Slabs(rank);
            };
            self.numbers.extend([axis.start, length]);
        }
        let ranges = self.numbers.get_mut(start..).unwrap_or_default();
        if ranges.iter().any(|number| *number > u64::from(u32::MAX)) {
            return Form::Ranges(rank);
        }
        for at in 0..axes.len() {
            let pair = ranges.get(at * 2).copied().zip(ranges.get(at * 2 + 1).copied());
            if let (Some((first, length)), Some(both)) = (pair, ranges.get_mut(at)) {
                *both = first | length << 32;
            }
        }
        self.numbers.truncate(start.saturating_add(axes.len()));
        Form::Short(rank)
    }

    fn row(&self, number: usize) -> Option<&Row> {
        self.rows.get(number)
    }

    /// Where the numbers of both selections are.
    fn places(row: &Row) -> Option<(Range<usize>, Range<usize>)> {
        let start = usize::try_from(row.start).ok()?;
        let middle = start.checked_add(row.here.numbers())?;
        Some((start..middle, middle..middle.checked_add(row.there.numbers())?))
    }

    fn selection(&self, form: Form, place: Range<usize>) -> Option<Selection> {
        let numbers = self.numbers.get(place)?;
        let axes: Vec<AxisSlab> = match form {
            Form::All => return Some(Selection::All),
            Form::None => return Some(Selection::None),
            Form::Other => return self.others.get(usize::try_from(*numbers.first()?).ok()?).cloned(),
            Form::Short(_) => {
                let range = |both: &u64| AxisSlab::range(both & u64::from(u32::MAX), both >> 32);
                numbers.iter().map(range).collect()
            }
            Form::Ranges(_) => numbers
                .as_chunks::<2>()
                .0
                .iter()
                .map(|[first, length]| AxisSlab::range(*first, *length))
                .collect(),
            Form::Slabs(_) => numbers.as_chunks::<4>().0.iter().map(slab).collect(),
        };
        Some(Selection::Hyperslab(Hyperslab::Regular(axes)))
    }

    /// The names of file and dataset of a mapping.
    pub(crate) fn names(&self, number: usize) -> Option<Both<'_>> {
        let row = self.row(number)?;
        Some((self.names.get(row.file)?, self.names.get(row.path)?))
    }

    /// The axis of the virtual selection without end, if there is one.
    pub(crate) fn unlimited_axis(&self, number: usize) -> Option<usize> {
        let row = self.row(number)?;
        match row.here {
            Form::Slabs(_) | Form::Other => self.virtual_selection(number)?.unlimited_axis(),
            Form::All | Form::None | Form::Short(_) | Form::Ranges(_) => None,
        }
    }

    pub(crate) fn virtual_selection(&self, number: usize) -> Option<Selection> {
        let row = self.row(number)?;
        self.selection(row.here, Self::places(row)?.0)
    }

    pub(crate) fn get(&self, number: usize) -> Option<VirtualMapping> {
        let row = self.row(number)?;
        let (file, path) = self.names(number)?;
        let (here, there) = Self::places(row)?;
        Some(VirtualMapping {
            virtual_selection: self.selection(row.here, here)?,
            file: Arc::clone(file),
            path: Arc::clone(path),
            source_selection: self.selection(row.there, there)?,
        })
    }
}

/// The length of a range.
fn length_of(axis: &AxisSlab) -> Option<u64> {
    axis.block.filter(|length| *axis == AxisSlab::range(axis.start, *length))
}

fn slab([start, stride, count, block]: &[u64; 4]) -> AxisSlab {
    let limit = |number: u64| (number != u64::MAX).then_some(number);
    AxisSlab { start: *start, stride: *stride, count: limit(*count), block: limit(*block) }
}

/// The mappings of a virtual dataset in list order; each is put together when it is looked at.
///
/// ```
/// use hyperslab::{Selection, VirtualLayout, VirtualSource};
/// let mut layout = VirtualLayout::new(&[10]);
/// layout.map(&Selection::All, &VirtualSource::new("run.h5", "/data", &[10]))?;
/// for mapping in layout.mappings() {
///     assert_eq!(mapping.file(), "run.h5");
/// }
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct VirtualMappings<'a>(pub(crate) &'a Mappings);

impl<'a> VirtualMappings<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// The mapping of that number.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<VirtualMapping> {
        self.0.get(number)
    }

    /// All of them.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = VirtualMapping> + use<'a> {
        self.into_iter()
    }
}

impl<'a> IntoIterator for VirtualMappings<'a> {
    type Item = VirtualMapping;
    type IntoIter = VirtualMappingsIter<'a>;

    fn into_iter(self) -> VirtualMappingsIter<'a> {
        VirtualMappingsIter { mappings: self.0, next: 0 }
    }
}

impl PartialEq for VirtualMappings<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(*other)
    }
}

impl fmt::Debug for VirtualMappings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// Gives each of the [`VirtualMappings`].
#[derive(Clone, Debug)]
pub struct VirtualMappingsIter<'a> {
    mappings: &'a Mappings,
    next: usize,
}

impl Iterator for VirtualMappingsIter<'_> {
    type Item = VirtualMapping;

    fn next(&mut self) -> Option<VirtualMapping> {
        let mapping = self.mappings.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(mapping)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.mappings.len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for VirtualMappingsIter<'_> {}

#[cfg(test)]
mod tests {
    use super::{Mappings, VirtualMappings};
    use crate::space::{AxisSlab, Points, Selection};
    use proptest::prelude::*;

    fn selections() -> impl Strategy<Value = Selection> {
        let number = || prop_oneof![0..9_u64, Just(u64::from(u32::MAX)), Just(1 << 32), Just(1 << 40)];
        let range = (number(), number()).prop_map(|(start, length)| AxisSlab::range(start, length));
        let limit = || prop_oneof![Just(None), Just(Some(1)), Just(Some(u64::MAX)), number().prop_map(Some)];
        let slab = (number(), 1..9_u64, limit(), limit())
            .prop_map(|(start, stride, count, block)| AxisSlab { start, stride, count, block });
        let axes = |axis: BoxedStrategy<AxisSlab>| {
            prop::collection::vec(axis, 1..4)
                .prop_map(|axes| Selection::from_axes(axes).unwrap_or(Selection::None))
        };
        prop_oneof![
            Just(Selection::All),
            Just(Points::new(1, vec![4, 2]).unwrap().into()),
            Just(Selection::from_blocks(1, &[0, 0, 2, 3]).unwrap()),
            axes(range.boxed()),
            axes(slab.boxed()),
        ]
    }

    #[test]
    fn equal_names_are_kept_once() {
        let mut mappings = Mappings::default();
        for row in 0..1000_u64 {
            let here = Selection::from_ranges(&[row..row + 1, 0..10]).unwrap();
            let file = format!("{}.h5", row % 5);
            mappings.push((file.as_bytes(), b"data"), &here, &Selection::All).unwrap();
        }
        assert_eq!((mappings.names.all.len(), mappings.numbers.len()), (6, 2000));
    }

    proptest! {
        #[test]
        fn mappings_are_what_was_put_in(
            all in prop::collection::vec(("[ab]{1,2}", "[ab]{1,2}", selections(), selections()), 0..20),
        ) {
            let mut mappings = Mappings::default();
            for (at, (file, path, here, there)) in all.iter().enumerate() {
                if at == 7 {
                    mappings.shrink();
                }
                mappings.push((file.as_bytes(), path.as_bytes()), here, there).unwrap();
            }
            let view = VirtualMappings(&mappings);
            prop_assert_eq!(view.len(), all.len());
            for (number, ((file, path, here, there), mapping)) in all.iter().zip(view).enumerate() {
                prop_assert_eq!((&*mapping.file, &*mapping.path), (file.as_bytes(), path.as_bytes()));
                prop_assert_eq!((mapping.virtual_selection(), mapping.source_selection()), (here, there));
                prop_assert_eq!(mappings.unlimited_axis(number), here.unlimited_axis());
            }
        }
    }
}
