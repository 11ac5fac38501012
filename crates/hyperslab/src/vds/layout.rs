//! [`VirtualLayout`]: the mappings of a virtual dataset, and finding those a request meets.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Cursor, Sink, Widths};
use crate::format::selection::Oldest;
use crate::format::virtual_block::{Mapped, VirtualBlock};
use crate::limits::Limits;
use crate::space::{Extent, Hyperslab, Part, PartAxis, Selection};
use crate::vds::extent::Resolved;
use crate::vds::interval::{Boxes, Index};
use crate::vds::mapping::{VirtualMapping, check_counts, check_names, is_numbered};
use crate::vds::mappings::{Mappings, VirtualMappings};

/// About the bytes of a stored mapping.
const ENTRY: usize = 100;

/// Where the elements of a virtual dataset are: a list of mappings, of which later ones win.
///
/// ```
/// use hyperslab::{Selection, VirtualLayout, VirtualSource};
/// let mut layout = VirtualLayout::new(&[2, 100]);
/// for row in 0..2 {
///     let source = VirtualSource::new(format!("run{row}.h5"), "/data", &[100]);
///     layout.map(&Selection::from_ranges(&[row..row + 1, 0..100])?, &source)?;
/// }
/// assert_eq!(layout.mappings().len(), 2);
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Debug)]
pub struct VirtualLayout {
    extent: Extent,
    mappings: Arc<Mappings>,
    index: OnceLock<Index>,
    /// Whether any mapping has no end; asked at every read.
    unlimited: OnceLock<bool>,
    /// How many numbered sources a mapping has, once they were counted.
    found: HashMap<usize, u64>,
}

/// A dataset in some file, or a selection of one, to be part of a virtual dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualSource {
    file: String,
    path: String,
    shape: Vec<u64>,
    selection: Selection,
}

impl VirtualSource {
    /// The whole of the dataset `path` in `file`, which has `shape`; neither needs to exist yet.
    ///
    /// A `file` of `.` is the file of the virtual dataset. In both names `%b` is the number of a block
    /// of an unlimited virtual selection, and `%%` a percent sign.
    #[must_use]
    pub fn new(file: impl Into<String>, path: impl Into<String>, shape: &[u64]) -> Self {
        Self { file: file.into(), path: path.into(), shape: shape.to_vec(), selection: Selection::All }
    }

    /// Only the elements of `selection`.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// use hyperslab::{Selection, VirtualLayout, VirtualSource};
    /// file.new_dataset::<i32>().create_with("frames", &ndarray::array![[1, 2], [3, 4], [5, 6]])?;
    /// let middle = Selection::from_ranges(&[1..2, 0..2])?;
    /// let mut layout = VirtualLayout::new(&[2]);
    /// layout.map(&Selection::All, &VirtualSource::new(".", "/frames", &[3, 2]).select(middle))?;
    /// let row = file.new_dataset::<i32>().virtual_layout(layout).create("row")?;
    /// assert_eq!(row.read::<i32>()?.into_raw_vec_and_offset().0, [3, 4]);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }
}

/// Elements of a request that may come from one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Met {
    pub(crate) mapping: usize,
    /// The block, for a mapping with numbered sources.
    pub(crate) block: Option<u64>,
    /// Which part of the request.
    pub(crate) part: usize,
}

impl VirtualLayout {
    /// Of a dataset of fixed size, without mappings yet.
    #[must_use]
    pub fn new(shape: &[u64]) -> Self {
        Self::of(Extent::fixed(shape))
    }

    /// Of a dataset with this extent, without mappings yet.
    #[must_use]
    pub fn of(extent: Extent) -> Self {
        Self {
            extent,
            mappings: Arc::default(),
            index: OnceLock::new(),
            unlimited: OnceLock::new(),
            found: HashMap::new(),
        }
    }

    /// Says that the elements of `selection` are those of `source`, in row-major order of both.
    ///
    /// Where mappings overlap, the last one that has a source wins. A mapping that is refused leaves the
    /// layout as it was.
    ///
    /// # Errors
    /// `Usage` when the selections have different numbers of elements, do not fit their datasets' ranks,
    /// are points, or are unlimited on one side only; when the virtual selection leaves the dataset; or
    /// when a name has a `%` followed by neither `b` nor `%`.
    pub fn map(&mut self, selection: &Selection, source: &VirtualSource) -> Result<()> {
        let names = (source.file.as_bytes(), source.path.as_bytes());
        let check = || {
            let (here, there) = (selection, &source.selection);
            let numbered = check_names(names)?;
            check_inside(here, self.extent.dims())?;
            if let Some(rank) = there.rank().filter(|rank| *rank != source.shape.len()) {
                let axes = source.shape.len();
                return Err(Error::usage(format!("source selection has {rank} axes, the source has {axes}")));
            }
            let (vdims, sdims) = (Some(self.extent.dims()), Some(source.shape.as_slice()));
            check_counts((here, there), numbered, vdims, sdims)
        };
        check()
            .and_then(|()| Arc::make_mut(&mut self.mappings).push(names, selection, &source.selection))
            .at(|| format!("mapping {} ({}:{})", self.mappings.len(), source.file, source.path))?;
        self.index = OnceLock::new();
        self.unlimited = OnceLock::new();
        Ok(())
    }

    /// The same mappings with other source files: those that `file` names, as stored.
    ///
    /// # Errors
    /// `Usage` when a name has a `%` followed by neither `b` nor `%`, or a NUL.
    pub fn with_files(&self, mut file: impl FnMut(usize, &VirtualMapping) -> Option<String>) -> Result<Self> {
        let mut mappings = Mappings::default();
        for (number, mapping) in self.mappings().iter().enumerate() {
            let new = file(number, &mapping).map(String::into_bytes);
            let names = (new.as_deref().unwrap_or(&mapping.file), &*mapping.path);
            check_names(names)
                .and_then(|_| mappings.push(names, &mapping.virtual_selection, &mapping.source_selection))
                .at(|| format!("mapping {number}"))?;
        }
        mappings.shrink();
        let (extent, index, unlimited) = (self.extent.clone(), OnceLock::new(), OnceLock::new());
        Ok(Self { extent, mappings: Arc::new(mappings), index, unlimited, found: HashMap::new() })
    }

    /// The mappings in list order.
    #[must_use]
    pub fn mappings(&self) -> VirtualMappings<'_> {
        VirtualMappings(&self.mappings)
    }

    /// The size of the dataset as stored.
    #[must_use]
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// About the bytes of memory it takes, with what is made of it to find mappings.
    pub(crate) fn bytes(&self) -> usize {
        let bounds =
            self.extent.rank().saturating_mul(size_of::<(u64, u64)>()).saturating_add(size_of::<[u64; 2]>());
        self.mappings
            .bytes()
            .saturating_add(self.mappings.len().saturating_mul(bounds))
            .saturating_add(size_of::<Self>())
    }

    /// Whether it is what a dataset of that stored size has, not what the sources made of it.
    pub(crate) fn is_stored_at(&self, extent: &Extent) -> bool {
        self.extent == *extent && self.found.is_empty()
    }

    /// Whether any mapping goes on as long as its source does.
    pub(crate) fn is_unlimited(&self) -> bool {
        *self.unlimited.get_or_init(|| self.unlimited().next().is_some())
    }

    /// The mappings that go on as long as their sources do, with the axis along which they do.
    pub(crate) fn unlimited(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.mappings.len()).filter_map(|number| Some((number, self.mappings.unlimited_axis(number)?)))
    }

    /// The same mappings at the size their sources give them.
    pub(crate) fn resolved(&self, resolved: Resolved) -> Self {
        let Resolved { extent, found } = resolved;
        Self {
            extent,
            mappings: Arc::clone(&self.mappings),
            index: OnceLock::new(),
            unlimited: OnceLock::new(),
            found,
        }
    }

    /// From the bytes of a global heap object; the extent is the dataset's.
    pub(crate) fn decode(bytes: &[u8], widths: Widths, extent: &Extent) -> Result<Self> {
        let mut mappings = Mappings::default();
        VirtualBlock::read_each(&mut Cursor::new(bytes, widths), |number, entry| {
            let names = (entry.file, entry.dataset);
            let (here, there) = (&entry.here.selection, &entry.source.selection);
            check_stored(names, (here, there), extent)
                .map_err(|error| Error::malformed(error.to_string()))
                .and_then(|()| mappings.push(names, here, there))
                .at(|| format!("mapping {number}"))
        })?;
        mappings.shrink();
        let mappings = Arc::new(mappings);
        Ok(Self {
            extent: extent.clone(),
            mappings,
            index: OnceLock::new(),
            unlimited: OnceLock::new(),
            found: HashMap::new(),
        })
    }

    /// The bytes of a global heap object, readable since HDF5 1.10; `None` without mappings.
    pub(crate) fn encode(&self, widths: Widths) -> Result<Option<Vec<u8>>> {
        if self.mappings.len() == 0 {
            return Ok(None);
        }
        let mut sink = Sink::with_room(widths, self.mappings.len().saturating_mul(ENTRY));
        VirtualBlock::write_all(
            self.mappings.len(),
            self.mappings().iter().map(|mapping| Mapped {
                file: mapping.file,
                dataset: mapping.path,
                source: mapping.source_selection,
                here: mapping.virtual_selection,
            }),
            Oldest::V110,
            &mut sink,
        )?;
        Ok(Some(sink.into_bytes()))
    }

    /// The mappings that parts of the dataset may take elements from, in list order.
    ///
    /// Only bounding boxes are compared.
    /// Fails when there are more than `most`, or a mapping has more than `numbered` sources there.
    pub(crate) fn meeting(&self, parts: &[Part], most: usize, numbered: u64) -> Result<Vec<Met>> {
        let rank = self.extent.rank();
        let index = self.index.get_or_init(|| self.build_index());
        let mut met = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let sides = (0..rank).map(|axis| part.along_source(axis).and_then(PartAxis::source_bounds));
            let Some(sides) = sides.collect::<Option<Vec<_>>>() else { continue };
            index.meeting(&sides, |mapping| met.push(Met { mapping, block: None, part: number }));
            if met.iter().rev().take_while(|met| met.part == number).any(|met| self.is_numbered(met.mapping))
            {
                let first = met.iter().rposition(|met| met.part != number).map_or(0, |last| last + 1);
                let unnumbered = met.split_off(first);
                for one in unnumbered {
                    self.blocks(one, &sides, numbered, &mut met)?;
                }
            }
            if met.len() > most {
                return Err(Error::limit(format!("a request meets mappings more than {most} times")));
            }
        }
        met.sort_unstable();
        Ok(met)
    }

    fn is_numbered(&self, mapping: usize) -> bool {
        self.mappings.names(mapping).is_some_and(|(file, path)| is_numbered((file, path)))
    }

    /// The blocks of a numbered mapping that meet `sides`, or the mapping itself.
    fn blocks(&self, met: Met, sides: &[(u64, u64)], most: u64, all: &mut Vec<Met>) -> Result<()> {
        let numbered = self.is_numbered(met.mapping);
        let selection = self.mappings.virtual_selection(met.mapping).filter(|_| numbered);
        let Some(Selection::Hyperslab(Hyperslab::Regular(axes))) = &selection else {
            all.push(met);
            return Ok(());
        };
        let unlimited = axes.iter().zip(sides).find(|(axis, _)| axis.is_unlimited());
        let Some((slab, (low, high))) = unlimited else { return Ok(()) };
        let Some(highest) = high.checked_sub(slab.start).map(|offset| offset / slab.stride.max(1)) else {
            return Ok(());
        };
        let reach = slab.start.saturating_add(slab.block.unwrap_or(1));
        let lowest = low.saturating_add(1).saturating_sub(reach).div_ceil(slab.stride.max(1));
        let count = self.found.get(&met.mapping).map_or_else(|| highest.saturating_add(1), |found| *found);
        let highest = highest.saturating_add(1).min(count);
        if highest.saturating_sub(lowest) > most {
            let what = format!("a request touches more than {most} numbered sources");
            return Err(Limits::refuse("touched_sources", what));
        }
        all.extend((lowest..highest).map(|block| Met { block: Some(block), ..met }));
        Ok(())
    }

    fn build_index(&self) -> Index {
        let dims = self.extent.dims();
        let mut boxes = Boxes::new(dims.len());
        for number in 0..self.mappings.len() {
            let selection = self.mappings.virtual_selection(number);
            let bounds = selection.and_then(|selection| selection.bounds(dims).ok().flatten());
            if let Some((low, high)) = bounds {
                boxes.push(number, low.into_iter().zip(high));
            }
        }
        Index::new(boxes)
    }
}

/// Fails unless a mapping that was stored can be one of a dataset with this extent.
fn check_stored(names: Both<'_>, (here, there): (&Selection, &Selection), extent: &Extent) -> Result<()> {
    let numbered = check_names(names)?;
    let rank = here.rank().unwrap_or_else(|| extent.rank());
    if rank != extent.rank() {
        let axes = extent.rank();
        return Err(Error::usage(format!("virtual selection has {rank} axes, the dataset has {axes}")));
    }
    check_inside(here, extent.dims())?;
    check_counts((here, there), numbered, None, None)
}

/// The names of a file and of a dataset in it.
type Both<'a> = (&'a [u8], &'a [u8]);

/// Fails unless a virtual selection lies in the dataset, except along its unlimited axis.
fn check_inside(selection: &Selection, dims: &[u64]) -> Result<()> {
    let Some(axis) = selection.unlimited_axis() else { return selection.check(dims) };
    let mut dims = dims.to_vec();
    // The dataset grows along this axis; room for one element is enough to look at the others.
    if let (Some(dim), Selection::Hyperslab(Hyperslab::Regular(axes))) = (dims.get_mut(axis), selection) {
        *dim = axes.get(axis).map_or(1, |axis| axis.start.saturating_add(1));
    }
    selection.check(&dims)
}

#[cfg(test)]
mod tests {
    use super::{Met, VirtualLayout, VirtualSource};
    use crate::format::bytes::Widths;
    use crate::space::{AxisSlab, Extent, Selection, parts};

    fn rows(count: u64) -> VirtualLayout {
        let mut layout = VirtualLayout::new(&[count, 10]);
        for row in 0..count {
            let here = Selection::from_ranges(&[row..row + 1, 0..10]).unwrap();
            layout.map(&here, &VirtualSource::new(format!("{}.h5", row % 3), "/d", &[10])).unwrap();
        }
        layout
    }

    #[test]
    fn a_layout_survives_its_bytes() {
        let layout = rows(5);
        let bytes = layout.encode(Widths::EIGHT).unwrap().unwrap();
        let again = VirtualLayout::decode(&bytes, Widths::EIGHT, layout.extent()).unwrap();
        assert_eq!(again.mappings(), layout.mappings());
        assert_eq!(VirtualLayout::new(&[3]).encode(Widths::EIGHT).unwrap(), None);
        let other = VirtualLayout::decode(&bytes, Widths::EIGHT, &Extent::fixed(&[5]));
        assert!(other.unwrap_err().to_string().contains("has 2 axes, the dataset has 1"));
    }

    #[test]
    fn a_stored_mapping_outside_the_dataset_is_refused() {
        let bytes = rows(5).encode(Widths::EIGHT).unwrap().unwrap();
        assert!(VirtualLayout::decode(&bytes, Widths::EIGHT, &Extent::fixed(&[6, 10])).is_ok());
        let smaller = VirtualLayout::decode(&bytes, Widths::EIGHT, &Extent::fixed(&[4, 10]));
        assert!(smaller.unwrap_err().to_string().contains("mapping 4"));
    }

    #[test]
    fn a_refused_mapping_leaves_the_layout_as_it_was() {
        let mut layout = rows(2);
        let here = Selection::from_ranges(&[0..1, 0..5]).unwrap();
        let error = layout.map(&here, &VirtualSource::new("a.h5", "/d", &[10])).unwrap_err();
        assert!(
            error.to_string().contains("different numbers of elements: 5 here, 10 in the source"),
            "{error}"
        );
        assert!(layout.map(&Selection::All, &VirtualSource::new("a%d.h5", "/d", &[2, 10])).is_err());
        assert!(
            layout
                .map(&Selection::from_ranges(&[2..3, 0..10]).unwrap(), &VirtualSource::new("a", "d", &[10]))
                .is_err()
        );
        assert_eq!(layout.mappings().len(), 2);
    }

    #[test]
    fn a_request_meets_its_mappings_in_list_order() {
        let layout = rows(200);
        let wanted = parts(&Selection::from_ranges(&[70..73, 2..4]).unwrap(), &[200, 10]).unwrap();
        let met: Vec<usize> =
            layout.meeting(&wanted, usize::MAX, u64::MAX).unwrap().iter().map(|met| met.mapping).collect();
        assert_eq!(met, [70, 71, 72]);
    }

    #[test]
    fn a_numbered_mapping_meets_block_by_block() {
        let extent = Extent::resizable(&[17], &[None]).unwrap();
        let mut layout = VirtualLayout::of(extent);
        let blocks = AxisSlab { start: 1, stride: 5, count: None, block: Some(2) };
        let here = Selection::from_axes(vec![blocks]).unwrap();
        layout.map(&here, &VirtualSource::new("f%b.h5", "/d", &[2])).unwrap();
        let wanted = parts(&Selection::from_axes(vec![AxisSlab::range(2, 5)]).unwrap(), &[17]).unwrap();
        let met = layout.meeting(&wanted, usize::MAX, u64::MAX).unwrap();
        assert_eq!(met, [0, 1].map(|block| Met { mapping: 0, block: Some(block), part: 0 }));
        let names = layout.mappings().get(0).unwrap().names(met[1].block);
        assert_eq!(&*names.0, b"f1.h5");
    }
}
