//! [`Dataset`]: an array of elements in a file, or in many files.

use crate::datatype::{Datatype, Element, Value};
use crate::error::{Error, Place, Result, to_usize};
use crate::file_state::FileState;
use crate::filter::FilterPipeline;
use crate::format::bytes::{Address, Wire};
use crate::format::message::fill::{self, Fill, FillValue};
use crate::format::message::layout::DataLayout;
use crate::format::message::other::ExternalFiles;
use crate::format::object_header::kind;
use crate::layout::fresh;
use crate::location::Location;
use crate::object::Objects;
use crate::object::header::Header;
use crate::read::{self, Target};
use crate::sources::{self, Asked, Epoch};
use crate::space::{Extent, Selection, product};
use crate::stored;
use crate::swmr::wait::Rhythm;
use crate::vds::access::DatasetAccess;
use crate::vds::layout::VirtualLayout;
use ndarray::{ArrayD, IxDyn};
use parking_lot::{Mutex, RwLock};
use std::ops::Deref;
use std::sync::Arc;

/// Bytes of a list of mappings that are not worth keeping beside what was read from them.
const LONG: usize = 64 << 10;

/// What is known of a dataset once its header is read; shared by all handles on it.
#[derive(Debug)]
pub(crate) struct DatasetState {
    /// Where its header is.
    pub(crate) address: Address,
    pub(crate) extent: Extent,
    pub(crate) datatype: Datatype,
    pub(crate) pipeline: FilterPipeline,
    pub(crate) elements: Elements,
    /// One element in the dataset's datatype, or nothing for zeroes.
    pub(crate) fill: Vec<u8>,
    pub(crate) fill_value: FillValue,
    /// What it was read from, in a file that somebody else writes.
    pub(crate) header: Option<Arc<Header>>,
}

/// Where the elements are.
#[derive(Debug)]
pub(crate) enum Elements {
    /// In this file, or in raw files beside it.
    Stored(stored::Stored),
    /// In other datasets.
    Virtual(Arc<VirtualLayout>),
}

impl DatasetState {
    /// As stored: a virtual dataset at the size it was last said to have.
    pub(crate) fn open(file: &Arc<FileState>, header: &Arc<Header>) -> Result<Self> {
        let extent = file
            .objects
            .decoded(header, kind::DATASPACE, Extent::read)
            .at(|| "dataspace message")?
            .ok_or_else(|| Error::malformed("a dataset without dataspace"))?;
        Self::sized(file, header, extent)
    }

    /// As the header says, but for the extent.
    pub(crate) fn sized(file: &Arc<FileState>, header: &Arc<Header>, extent: Extent) -> Result<Self> {
        let objects = &file.objects;
        let datatype = objects.datatype(header)?;
        let pipeline = objects
            .decoded(header, kind::FILTER_PIPELINE, FilterPipeline::read)
            .at(|| "filter pipeline message")?
            .unwrap_or_default();
        let fill_value = fill_value(objects, header)?;
        let one = fill_bytes(&fill_value, &datatype)?;
        let layout = objects
            .decoded(header, kind::LAYOUT, DataLayout::read)
            .at(|| "layout message")?
            .ok_or_else(|| Error::malformed("a dataset without layout"))?;
        let external = objects
            .decoded(header, kind::EXTERNAL_FILES, ExternalFiles::read)
            .at(|| "external files message")?;
        let elements = match layout {
            DataLayout::Virtual { collection, index } => {
                let heap = collection.map(|at| (at, index));
                Elements::Virtual(virtual_layout(file, header.address, heap, &extent)?)
            }
            layout => {
                let shape = stored::Shape {
                    extent: &extent,
                    element_size: datatype.size(),
                    filtered: !pipeline.is_empty(),
                };
                Elements::Stored(stored::Stored::open(file, layout, external, &shape)?)
            }
        };
        let address = header.address;
        let header = objects.metadata.is_followed().then(|| Arc::clone(header));
        Ok(Self { address, extent, datatype, pipeline, elements, fill: one, fill_value, header })
    }

    pub(crate) fn fill_value(&self) -> &FillValue {
        &self.fill_value
    }

    /// The same virtual dataset at the size of `layout`.
    pub(crate) fn with_layout(&self, layout: Arc<VirtualLayout>) -> Self {
        Self {
            address: self.address,
            extent: layout.extent().clone(),
            datatype: self.datatype.clone(),
            pipeline: FilterPipeline::default(),
            elements: Elements::Virtual(layout),
            fill: self.fill.clone(),
            fill_value: self.fill_value.clone(),
            header: self.header.clone(),
        }
    }

    /// The same dataset with its elements elsewhere.
    pub(crate) fn stored_as(&self, stored: stored::Stored) -> Self {
        Self {
            address: self.address,
            extent: self.extent.clone(),
            datatype: self.datatype.clone(),
            pipeline: self.pipeline.clone(),
            elements: Elements::Stored(stored),
            fill: self.fill.clone(),
            fill_value: self.fill_value.clone(),
            header: self.header.clone(),
        }
    }

    /// The dataset whose header is at `address`, as it is now.
    pub(crate) fn read(file: &Arc<FileState>, address: Address) -> Result<Self> {
        let header = Header::open(file.metadata(), address)?;
        Self::open(file, &header)
    }

    /// Whether space is allocated with the dataset.
    pub(crate) fn allocates_early(&self) -> bool {
        self.fill_value.allocation == 1
    }

    /// Whether space is filled when it is allocated: with zeroes when nobody set a value, since space that
    /// was in use before has other bytes.
    pub(crate) fn is_filled(&self) -> bool {
        match self.fill_value.time {
            0 => true,
            1 => false,
            _ => !matches!(self.fill_value.fill, Fill::Undefined),
        }
    }

    /// Whether the extent depends on other datasets.
    pub(crate) fn follows_sources(&self) -> bool {
        matches!(&self.elements, Elements::Virtual(layout) if layout.is_unlimited())
    }
}

/// The mappings a global heap object lists, at the stored size.
fn virtual_layout(
    file: &Arc<FileState>,
    header: Address,
    heap: Option<(Address, u32)>,
    extent: &Extent,
) -> Result<Arc<VirtualLayout>> {
    let Some((address, index)) = heap else { return Ok(Arc::new(VirtualLayout::of(extent.clone()))) };
    file.virtual_layout(header, || {
        let md = file.metadata();
        let block = file.objects.global_heap.get(md, address, index)?;
        let layout = VirtualLayout::decode(&block, md.widths(), extent).at(|| "virtual dataset block")?;
        // The layout is kept, so a long list need not be.
        if block.len() > LONG {
            md.forget(address);
        }
        Ok(layout)
    })
}

pub(crate) fn fill_value(objects: &Objects, header: &Header) -> Result<FillValue> {
    let new = objects.decoded(header, kind::FILL, FillValue::read).at(|| "fill value message")?;
    let old = objects.decoded(header, kind::FILL_OLD, fill::read_old).at(|| "old fill value message")?;
    let missing = FillValue { allocation: 2, time: 2, fill: Fill::Default };
    let new = new.unwrap_or(missing);
    match (&new.fill, old) {
        (Fill::Default | Fill::Undefined, Some(old)) => Ok(FillValue { fill: old, ..new }),
        _ => Ok(new),
    }
}

/// One element of the fill value; no bytes stand for zeroes, however large an element says it is.
fn fill_bytes(fill: &FillValue, datatype: &Datatype) -> Result<Vec<u8>> {
    match &fill.fill {
        Fill::Default | Fill::Undefined => Ok(Vec::new()),
        Fill::Value(value) if value.len() == datatype.size() => Ok(value.clone()),
        Fill::Value(value) => Err(Error::malformed(format!(
            "fill value message: the value has {} bytes, an element {}",
            value.len(),
            datatype.size()
        ))),
    }
}

/// What all handles on one dataset of a file that is written share: its state now.
#[derive(Debug)]
pub(crate) struct DatasetCell {
    state: RwLock<Arc<DatasetState>>,
    /// Held by whoever reads a newer state from a file that somebody else writes, so that none is put in the
    /// place of one that is newer still.
    pub(crate) looking: Mutex<()>,
}

impl DatasetCell {
    pub(crate) fn new(state: DatasetState) -> Self {
        Self { state: RwLock::new(Arc::new(state)), looking: Mutex::default() }
    }

    pub(crate) fn state(&self) -> Arc<DatasetState> {
        Arc::clone(&self.state.read())
    }

    /// The dataset has another state from now on; what waits to be stored still waits.
    pub(crate) fn replace(&self, mut state: DatasetState) {
        let mut held = self.state.write();
        if let (Elements::Stored(new), Elements::Stored(old)) = (&mut state.elements, &held.elements)
            && let Some(cache) = old.cache()
        {
            new.adopt(cache);
        }
        *held = Arc::new(state);
    }

    /// Whether elements wait in memory to be stored.
    pub(crate) fn is_dirty(&self) -> bool {
        match &self.state().elements {
            Elements::Stored(stored) => stored.cache().is_some_and(|cache| cache.is_dirty()),
            Elements::Virtual(_) => false,
        }
    }
}

/// An array of elements in a file, or in many files.
///
/// A clone is another handle on the same dataset; many threads can read it at once. One read sees
/// one extent. What all objects have, such as attributes, is in its [`Location`].
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) location: Location,
    /// What it was when it was opened; of this only what never changes is used.
    opened: Arc<DatasetState>,
    pub(crate) cell: Arc<DatasetCell>,
    pub(crate) follower: Arc<Follower>,
}

/// What a handle and its clones know of those who write a dataset, or the sources of a virtual one.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    access: DatasetAccess,
    /// The dataset as stored, and at the size its sources gave it.
    pub(crate) followed: Mutex<Option<(Arc<DatasetState>, Arc<DatasetState>)>>,
    /// When this handle was last told to look at the sources again.
    pub(crate) epoch: Epoch,
    /// When waiting was worth it.
    pub(crate) rhythm: Rhythm,
}

impl Deref for Dataset {
    type Target = Location;

    fn deref(&self) -> &Location {
        &self.location
    }
}

impl Dataset {
    pub(crate) fn new(location: Location, cell: Arc<DatasetCell>) -> Self {
        let access = location.file.options.default_access().clone();
        let follower = Arc::new(Follower { access, ..Follower::default() });
        Self { location, opened: cell.state(), cell, follower }
    }

    /// Another handle on the same dataset, which finds other files, and follows its sources, in its own way.
    #[must_use]
    pub fn with_access(&self, access: DatasetAccess) -> Self {
        let follower = Arc::new(Follower { access, ..Follower::default() });
        Self {
            location: self.location.clone(),
            opened: Arc::clone(&self.opened),
            cell: Arc::clone(&self.cell),
            follower,
        }
    }

    /// How this handle finds and follows the sources of a virtual dataset.
    #[must_use]
    pub fn access(&self) -> &DatasetAccess {
        &self.follower.access
    }

    /// What it was when it was opened; of this only what never changes is to be used.
    pub(crate) fn opened(&self) -> &DatasetState {
        &self.opened
    }

    /// The state now; as stored when sources that decide its size cannot be read.
    pub(crate) fn state(&self) -> Arc<DatasetState> {
        self.followed().unwrap_or_else(|_| self.cell.state())
    }

    /// The state now, at the size its sources had when this handle first asked them.
    pub(crate) fn followed(&self) -> Result<Arc<DatasetState>> {
        let stored = self.cell.state();
        let raw = self.under_prefix(&stored);
        let follows = stored.follows_sources() && !self.access().is_stored();
        if raw.is_none() && !follows {
            return Ok(stored);
        }
        let mut followed = self.follower.followed.lock();
        if let Some((from, state)) = &*followed
            && Arc::ptr_eq(from, &stored)
        {
            return Ok(Arc::clone(state));
        }
        let state = match raw {
            Some(raw) => Arc::new(stored.stored_as(raw)),
            None => sources::follow(&self.file, &stored, self.asked())?,
        };
        *followed = Some((stored, Arc::clone(&state)));
        Ok(state)
    }

    /// Elements in raw files, when this handle looks for those under a prefix.
    fn under_prefix(&self, state: &DatasetState) -> Option<stored::Stored> {
        let (Elements::Stored(stored), Some(prefix)) = (&state.elements, self.access().raw_prefix()) else {
            return None;
        };
        stored.with_prefix(prefix)
    }

    /// Who asks for the sources of a virtual dataset.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked::By(self.access(), self.follower.epoch.get())
    }

    /// How large the dataset is, and how large it may become.
    #[must_use]
    pub fn extent(&self) -> Extent {
        self.state().extent.clone()
    }

    /// The length of each axis; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> Vec<u64> {
        self.state().extent.dims().to_vec()
    }

    /// What one element is, as stored.
    #[must_use]
    pub fn datatype(&self) -> &Datatype {
        &self.opened.datatype
    }

    /// What was done to each chunk before it was stored: the registered number of each filter, and
    /// its name where the file gives one.
    pub fn filters(&self) -> impl Iterator<Item = (u16, Option<&str>)> {
        self.opened.pipeline.filters.iter().map(|filter| (filter.id, filter.name.as_deref()))
    }

    /// The length of a chunk along each axis, when the dataset is stored in chunks.
    #[must_use]
    pub fn chunk_shape(&self) -> Option<&[u64]> {
        match &self.opened.elements {
            Elements::Stored(stored) => stored.chunk_shape(),
            Elements::Virtual(_) => None,
        }
    }

    /// `compact`, `contiguous`, `chunked`, `external` or `virtual`.
    #[must_use]
    pub fn layout_name(&self) -> &'static str {
        match &self.opened.elements {
            Elements::Stored(stored) => stored.name(),
            Elements::Virtual(_) => "virtual",
        }
    }

    /// What unwritten elements read as, one element as stored; `None` when nobody set it.
    #[must_use]
    pub fn fill_value(&self) -> Option<&[u8]> {
        match &self.opened.fill_value.fill {
            Fill::Value(value) => Some(value),
            Fill::Default | Fill::Undefined => None,
        }
    }

    /// The [fill value](Self::fill_value), decoded.
    ///
    /// # Errors
    /// `Malformed` when it is not what the datatype says.
    pub fn fill(&self) -> Result<Option<Value>> {
        let decode = |fill| Value::decode(self.datatype(), fill, &self.file.objects);
        self.fill_value().map(decode).transpose().at(|| self.place())
    }

    /// Whether the elements are in other datasets.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self.opened.elements, Elements::Virtual(_))
    }

    /// The mappings of a virtual dataset; `None` for any other.
    ///
    /// # Errors
    /// `Malformed` when the list of mappings is broken.
    pub fn virtual_layout(&self) -> Result<Option<Arc<VirtualLayout>>> {
        let state = self.state();
        match &state.elements {
            Elements::Stored(_) => Ok(None),
            Elements::Virtual(_) => read::virtual_layout(&state).map(Some).at(|| self.place()),
        }
    }

    /// Reads everything.
    ///
    /// # Errors
    /// As [`read_selection`](Self::read_selection).
    pub fn read<T: Element>(&self) -> Result<ArrayD<T>> {
        self.read_selection(&Selection::All)
    }

    /// Reads what a slice selects, `data.read_slice(ndarray::s![0..10, .., 3])`.
    ///
    /// # Errors
    /// As [`read_selection`](Self::read_selection), and `Usage` for a negative step.
    pub fn read_slice<T: Element, I>(&self, slice: I) -> Result<ArrayD<T>>
    where
        I: AsRef<[ndarray::SliceInfoElem]>,
    {
        let (selection, dropped) =
            crate::slice::selection(slice.as_ref(), &self.shape()).at(|| self.place())?;
        let array = self.read_selection::<T>(&selection)?;
        let shape: Vec<usize> = array
            .shape()
            .iter()
            .enumerate()
            .filter(|(axis, _)| !dropped.contains(axis))
            .map(|(_, n)| *n)
            .collect();
        array.into_shape_with_order(IxDyn(&shape)).map_err(|error| Error::usage(error.to_string()))
    }

    /// Reads what `selection` selects, converted to `T`, in row-major order.
    ///
    /// # Errors
    /// `Usage` when the selection leaves the extent, `Unsupported` when there is no conversion to
    /// `T`; `Malformed` or `Io` when elements cannot be read.
    pub fn read_selection<T: Element>(&self, selection: &Selection) -> Result<ArrayD<T>> {
        let shape = self.shape_of(selection)?;
        let shape = shape.into_iter().map(to_usize).collect::<Result<Vec<_>>>()?;
        let count = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
        let count = count.ok_or_else(|| Error::limit("the selection has more elements than memory"))?;
        let mut elements = fresh::zeroed::<T>(count).at(|| self.place())?;
        let out = bytemuck::cast_slice_mut(&mut elements);
        self.read_target(selection, Target { memory: &T::datatype(), out, zeroed: true })?;
        ArrayD::from_shape_vec(IxDyn(&shape), elements).map_err(|error| Error::usage(error.to_string()))
    }

    /// The shape of the array that reading `selection` gives.
    fn shape_of(&self, selection: &Selection) -> Result<Vec<u64>> {
        match self.extent() {
            Extent::Null => Ok(vec![0]),
            _ => selection.shape(&self.shape()).at(|| self.place()),
        }
    }

    fn read_target(&self, selection: &Selection, target: Target<'_>) -> Result<()> {
        let Target { memory, out, zeroed } = target;
        let mut zeroed = zeroed;
        let read = || {
            let target = Target { memory, out: &mut *out, zeroed };
            // What an attempt leaves behind is anything.
            zeroed = false;
            read::read(self, selection, target)
        };
        self.attempt_uncut(selection, read).at(|| self.place())
    }

    /// Reads `selection` into `out`, converted to `T`, in row-major order.
    ///
    /// `out` holds one element per selected one. Chunks never written read as the fill value.
    ///
    /// # Errors
    /// As [`read_selection`](Self::read_selection), and `Usage` when `out` has another length.
    pub fn read_into<T: Element>(&self, selection: &Selection, out: &mut [T]) -> Result<()> {
        self.read_bytes_into(selection, &T::datatype(), bytemuck::cast_slice_mut(out))
    }

    /// Reads `selection`, converted to the datatype `memory`, into the bytes of `out`.
    ///
    /// # Errors
    /// As [`read_into`](Self::read_into).
    pub fn read_bytes_into(&self, selection: &Selection, memory: &Datatype, out: &mut [u8]) -> Result<()> {
        self.read_target(selection, Target { memory, out, zeroed: false })
    }

    /// Reads the bytes of what `selection` selects, converted to the datatype `memory`.
    ///
    /// # Errors
    /// As [`read_selection`](Self::read_selection).
    pub fn read_bytes(&self, selection: &Selection, memory: &Datatype) -> Result<Vec<u8>> {
        let count = product(self.shape_of(selection)?.into_iter()).at(|| self.place())?;
        let length =
            count.checked_mul(memory.size() as u64).ok_or_else(|| Error::limit("more than 2^64 bytes"))?;
        let mut out = fresh::zeroed::<u8>(to_usize(length)?).at(|| self.place())?;
        self.read_target(selection, Target { memory, out: &mut out, zeroed: true })?;
        Ok(out)
    }

    /// Reads what `selection` selects as values of any datatype, in row-major order.
    ///
    /// # Errors
    /// As [`read_selection`](Self::read_selection).
    pub fn read_values(&self, selection: &Selection) -> Result<Vec<Value>> {
        self.attempt_uncut(selection, || read::values(self, selection)).at(|| self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::fill_bytes;
    use crate::datatype::Datatype;
    use crate::format::message::fill::{Fill, FillValue};

    #[test]
    fn opening_a_dataset_of_enormous_elements_takes_no_memory_for_zeroes() {
        let enormous = Datatype::opaque(usize::try_from(u32::MAX).unwrap(), "");
        for fill in [Fill::Default, Fill::Undefined] {
            let fill = FillValue { allocation: 2, time: 2, fill };
            assert!(fill_bytes(&fill, &enormous).unwrap().is_empty());
        }
    }
}
