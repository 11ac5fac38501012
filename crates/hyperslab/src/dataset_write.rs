//! Writing the elements of a dataset, and changing its size.

use crate::dataset::{Dataset, DatasetCell, DatasetState, Elements};
use crate::datatype::{Conversion, Datatype, Element, Value};
use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::format::bytes::Address;
use crate::format::message::layout::DataLayout;
use crate::format::object_header::{RawMessage, kind};
use crate::layout::direct;
use crate::layout::execute::Memory;
use crate::layout::write::{self, Change, ElementsMut};
use crate::object::header::edit;
use crate::raw_files;
use crate::space::{self, Extent, Part, Selection};
use crate::stored::Stored;
use crate::vds::extent;
use crate::write_through;
use ndarray::{ArrayView, Dimension};
use std::sync::Arc;

impl Dataset {
    /// Writes all elements from an array of the dataset's shape.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let data = file.new_dataset::<i32>().shape([2, 3]).create("x")?;
    /// data.write(&ndarray::array![[1, 2, 3], [4, 5, 6]])?;
    /// assert_eq!(data.read_slice::<i32, _>(ndarray::s![1, ..])?.into_raw_vec_and_offset().0, [4, 5, 6]);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`write_selection`](Self::write_selection).
    pub fn write<'a, T: Element, D: Dimension>(&self, data: impl Into<ArrayView<'a, T, D>>) -> Result<()> {
        let data = data.into();
        let shape: Vec<u64> = data.shape().iter().map(|length| *length as u64).collect();
        if shape != self.shape() {
            let message = format!("an array of shape {shape:?} for a dataset of shape {:?}", self.shape());
            return Err(Error::usage(message).at(self.place()));
        }
        self.write_array(&Selection::All, &data)
    }

    /// Writes what a slice selects, `data.write_slice(&frame, ndarray::s![7, .., ..])`.
    ///
    /// # Errors
    /// As [`write_selection`](Self::write_selection), and `Usage` for a negative step.
    pub fn write_slice<'a, T: Element, D: Dimension>(
        &self,
        data: impl Into<ArrayView<'a, T, D>>,
        slice: impl AsRef<[ndarray::SliceInfoElem]>,
    ) -> Result<()> {
        let (selection, _) = crate::slice::selection(slice.as_ref(), &self.shape()).at(|| self.place())?;
        self.write_array(&selection, &data.into())
    }

    fn write_array<T: Element, D: Dimension>(
        &self,
        selection: &Selection,
        data: &ArrayView<'_, T, D>,
    ) -> Result<()> {
        match data.as_slice() {
            Some(elements) => self.write_selection(selection, elements),
            None => self.write_selection(selection, &data.iter().copied().collect::<Vec<T>>()),
        }
    }

    /// Writes the elements of `selection`, in row-major order.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// use hyperslab::Selection;
    /// let data = file.new_dataset::<u16>().shape([4, 4]).chunk([2, 2]).shuffle().deflate(4).create("x")?;
    /// data.write_slice(&ndarray::array![[1_u16, 2], [3, 4]], ndarray::s![..;3, 1..3])?;
    /// data.write_selection(&Selection::from_ranges(&[2..3, 0..4])?, &[5_u16, 6, 7, 8])?;
    /// assert_eq!(data.read::<u16>()?.sum(), 36);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when the selection leaves the extent, `data` has another length, or the file is open to
    /// read only; `Unsupported` when there is no conversion from `T`; `Io` when the operating system refuses.
    pub fn write_selection<T: Element>(&self, selection: &Selection, data: &[T]) -> Result<()> {
        self.write_bytes(selection, &T::datatype(), bytemuck::cast_slice(data))
    }

    /// Writes the elements of `selection` from the bytes of elements of the datatype `memory`.
    ///
    /// Elements of a virtual dataset go to its sources, converted to what is stored there. Nothing is written
    /// unless each of them has exactly one source, and all sources can be written.
    ///
    /// # Errors
    /// As [`write_selection`](Self::write_selection).
    pub fn write_bytes(&self, selection: &Selection, memory: &Datatype, bytes: &[u8]) -> Result<()> {
        if self.is_virtual() {
            return write_through::write(self, selection, memory, bytes).at(|| self.place());
        }
        let _writing = self.file.writing_for(self.address)?;
        self.write_held(selection, memory, bytes).at(|| self.place())
    }

    /// Writes the elements of `selection` from values of any kind, in row-major order.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// use hyperslab::{CharacterSet, Datatype, Selection, Value};
    /// let text = Datatype::variable_string(CharacterSet::Utf8);
    /// let names = file.new_dataset_of(&text).shape([2]).create("names")?;
    /// let values = ["gain", "offset"].map(|name| Value::String(name.as_bytes().to_vec()));
    /// names.write_values(&Selection::All, &values)?;
    /// assert_eq!(names.read_values(&Selection::All)?, values);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`write_selection`](Self::write_selection), and `Usage` when a value is not one of the datatype.
    pub fn write_values(&self, selection: &Selection, values: &[Value]) -> Result<()> {
        if self.is_virtual() {
            return write_through::write_values(self, selection, values).at(|| self.place());
        }
        let _writing = self.file.writing_for(self.address)?;
        let datatype = self.datatype().clone();
        let mut bytes = Vec::with_capacity(values.len().saturating_mul(datatype.size()));
        for value in values {
            bytes.extend(Value::encode(&datatype, value, &self.file.objects).at(|| self.place())?);
        }
        self.write_held(selection, &datatype, &bytes).at(|| self.place())
    }

    /// Writes while the caller holds the gate.
    pub(crate) fn write_held(&self, selection: &Selection, memory: &Datatype, bytes: &[u8]) -> Result<()> {
        let state = self.state();
        let dims = state.extent.dims();
        let place_dims = if state.extent == Extent::Null {
            vec![0]
        } else {
            selection.check(dims)?;
            selection.shape(dims)?
        };
        let count = space::product(place_dims.iter().copied())?;
        let given = (bytes.len() as u64).checked_div(memory.size() as u64).unwrap_or(0);
        if given != count || bytes.len() as u64 != count.saturating_mul(memory.size() as u64) {
            let message = format!(
                "{} bytes of elements of {} bytes, where {count} elements are selected",
                bytes.len(),
                memory.size()
            );
            return Err(Error::usage(message));
        }
        if count == 0 {
            return Ok(());
        }
        self.write_parts(&space::parts(selection, dims)?, &place_dims, (memory, bytes))
    }

    /// Writes parts of an array in memory to stored elements; the caller holds the gate.
    pub(crate) fn write_parts(
        &self,
        parts: &[Part],
        place_dims: &[u64],
        (datatype, bytes): (&Datatype, &[u8]),
    ) -> Result<()> {
        let state = self.state();
        let Elements::Stored(stored) = &state.elements else {
            return Err(Error::usage("a virtual dataset stores no elements"));
        };
        let conversion = Conversion::plan(datatype, &state.datatype)?;
        let (size, heap) = (datatype.size(), &self.file.objects);
        let memory = Memory { conversion: &conversion, size, heap, zeroed: false };
        self.change((&state, stored), |elements| write::write(elements, parts, place_dims, &memory, bytes))
    }

    /// Changes the stored elements, and keeps what that changes of the layout message.
    fn change(
        &self,
        (state, stored): (&DatasetState, &Stored),
        change: impl FnOnce(&mut ElementsMut<'_>) -> Result<()>,
    ) -> Result<()> {
        let (layout, outcome) = changed((state, stored), &self.file, change);
        if let Some(layout) = layout {
            store(&self.file, self.address, &layout)?;
            match layout {
                DataLayout::Contiguous { address, size: Some(size) } => {
                    self.cell.replace(state.stored_as(Stored::Contiguous { address, size }));
                }
                _ => self.reload()?,
            }
        }
        outcome
    }

    /// Changes the length of each axis; what is cut off is lost, what comes anew reads as the fill value.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let rows = file.new_dataset::<u8>().shape([0, 4]).max_shape([None, Some(4)]).create("rows")?;
    /// rows.resize([1, 4])?;
    /// rows.write_slice(&ndarray::array![1_u8, 2, 3, 4], ndarray::s![0, ..])?;
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when an axis would be longer than it may become, the dataset is not chunked, or the file is
    /// open to read only.
    pub fn resize(&self, shape: impl AsRef<[u64]>) -> Result<()> {
        let _writing = self.file.writing_for(self.address)?;
        self.resize_held(shape.as_ref()).at(|| self.place())
    }

    /// Stores the size the sources of a virtual dataset give it now, for programs that do not ask them.
    ///
    /// Nothing else does: a query never writes.
    ///
    /// # Errors
    /// `Usage` when the file is open to read only; as [`refresh`](Self::refresh).
    pub fn persist_extent(&self) -> Result<()> {
        self.refresh()?;
        let now = self.shape();
        let _writing = self.file.writing_for(self.address)?;
        self.resize_held(&now).at(|| self.place())
    }

    pub(crate) fn resize_held(&self, dims: &[u64]) -> Result<()> {
        let state = self.cell.state();
        let (old, max) = (state.extent.dims(), state.extent.max());
        if dims.len() != old.len() {
            return Err(Error::usage(format!("the shape {dims:?} for a dataset of {} axes", old.len())));
        }
        if let Some((dim, max)) = dims.iter().zip(max).find(|(dim, max)| max.is_some_and(|max| max < **dim)) {
            let most = max.unwrap_or(0);
            return Err(Error::usage(format!("an axis of length {dim}, which may become {most} at most")));
        }
        if dims == old {
            return Ok(());
        }
        let extent = Extent::Simple { dims: dims.to_vec(), max: max.to_vec() };
        if self.file.is_live() && dims.iter().zip(old).any(|(new, old)| new < old) {
            // Readers must know of the smaller extent before what it cuts off goes.
            self.file.publish(&[self.address], false)?;
            self.put_extent(&extent)?;
            self.file.publish(&[self.address], false)?;
            self.file.metadata().set_owner(self.address);
        }
        match &state.elements {
            Elements::Stored(stored @ Stored::Chunked { .. }) => {
                self.change((&state, stored), |elements| direct::resize(elements, dims))?;
            }
            Elements::Virtual(layout) => extent::check_least(layout, dims)?,
            Elements::Stored(Stored::External { files, .. }) => {
                raw_files::check(files, &extent, state.datatype.size() as u64)?;
            }
            Elements::Stored(_) => {
                return Err(Error::usage("only a dataset in chunks or in raw files can change its size"));
            }
        }
        self.put_extent(&extent)?;
        self.file.forget_layout(self.address);
        self.reload()?;
        if state.allocates_early() {
            self.allocate_beyond(old)?;
        }
        Ok(())
    }

    fn put_extent(&self, extent: &Extent) -> Result<()> {
        let md = self.file.metadata();
        let message = RawMessage { kind: kind::DATASPACE, flags: 0, body: md.body(extent)? };
        edit::put(md, self.address, &message)
    }

    /// Allocates and fills what an extent of `old` did not have; the caller holds the gate.
    pub(crate) fn allocate_beyond(&self, old: &[u64]) -> Result<()> {
        let state = self.state();
        match &state.elements {
            Elements::Stored(stored) => {
                self.change((&state, stored), |elements| direct::allocate(elements, old))
            }
            Elements::Virtual(_) => Ok(()),
        }
    }

    /// The stored bytes of the chunk at `coords`, counted in chunks, and which filters were skipped (bit n:
    /// filter n); none when it was never written.
    ///
    /// # Errors
    /// `Usage` when there is no such chunk, or the dataset is not chunked.
    pub fn read_chunk(&self, coords: impl AsRef<[u64]>) -> Result<Option<(Vec<u8>, u32)>> {
        let _reading = self.file.reading()?;
        let read = || {
            let state = self.state();
            match &state.elements {
                Elements::Stored(stored) => {
                    direct::read_chunk(&stored.elements(&state, &self.file), coords.as_ref())
                }
                Elements::Virtual(_) => Err(Error::usage("a virtual dataset has no chunks")),
            }
        };
        self.attempt(read).at(|| self.place())
    }

    /// Stores the chunk at `coords`, counted in chunks, as bytes the filters were applied to already, but
    /// for those of `skipped` (bit n: filter n).
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let from = file.new_dataset::<u8>().shape([8]).chunk([4]).deflate(9).create("from")?;
    /// from.write(&ndarray::array![1_u8, 1, 1, 1, 2, 2, 2, 2])?;
    /// let to = file.new_dataset::<u8>().shape([4]).chunk([4]).deflate(9).create("to")?;
    /// if let Some((bytes, skipped)) = from.read_chunk([1])? {
    ///     to.write_chunk([0], &bytes, skipped)?;
    /// }
    /// assert_eq!(to.read::<u8>()?.sum(), 8);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when there is no such chunk, the dataset is not chunked, or the file is open to read only.
    pub fn write_chunk(&self, coords: impl AsRef<[u64]>, bytes: &[u8], skipped: u32) -> Result<()> {
        let _writing = self.file.writing_for(self.address)?;
        let state = self.state();
        match &state.elements {
            Elements::Stored(stored) => self.change((&state, stored), |elements| {
                direct::write_chunk(elements, coords.as_ref(), bytes, skipped)
            }),
            Elements::Virtual(_) => Err(Error::usage("a virtual dataset has no chunks")),
        }
        .at(|| self.place())
    }

    /// Reads the header again after it was changed.
    pub(crate) fn reload(&self) -> Result<()> {
        self.cell.replace(DatasetState::read(&self.file, self.address)?);
        Ok(())
    }
}

impl DatasetCell {
    /// Stores the elements that wait in memory; `file` is there while anybody may read what changed.
    pub(crate) fn flush(
        &self,
        state: &FileState,
        address: Address,
        file: Option<&Arc<FileState>>,
    ) -> Result<()> {
        let now = self.state();
        let Elements::Stored(stored) = &now.elements else { return Ok(()) };
        if !self.is_dirty() {
            return Ok(());
        }
        let (layout, outcome) = changed((&now, stored), state, direct::flush);
        if let Some(layout) = layout {
            store(state, address, &layout)?;
            if let Some(file) = file {
                self.replace(DatasetState::read(file, address)?);
            }
        }
        outcome
    }
}

/// Changes stored elements; gives the layout message when that changed, also after an error.
fn changed(
    (state, stored): (&DatasetState, &Stored),
    file: &FileState,
    change: impl FnOnce(&mut ElementsMut<'_>) -> Result<()>,
) -> (Option<DataLayout>, Result<()>) {
    let mut compact = stored.compact_bytes();
    let mut elements = stored.elements_mut(state, file, &mut compact);
    let outcome = change(&mut elements);
    let change = elements.change.take();
    drop(elements);
    let layout = match (change, compact, stored) {
        (Some(Change::Contiguous(address)), _, Stored::Contiguous { size, .. }) => {
            Some(DataLayout::Contiguous { address: Some(address), size: Some(*size) })
        }
        (Some(Change::Chunked(layout)), _, _) => Some(DataLayout::Chunked(layout)),
        (_, Some(bytes), _) => Some(DataLayout::Compact(bytes)),
        _ => None,
    };
    (layout, outcome)
}

fn store(file: &FileState, address: Address, layout: &DataLayout) -> Result<()> {
    let md = file.metadata();
    let message = RawMessage { kind: kind::LAYOUT, flags: 0, body: md.body(layout)? };
    edit::put(md, address, &message)
}
