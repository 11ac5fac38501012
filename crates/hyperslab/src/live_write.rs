//! Writing a file that others read meanwhile: single writer, multiple readers (SWMR).

use crate::dataset::Dataset;
use crate::datatype::Element;
use crate::error::{Error, Place, Result};
use crate::file::File;
use crate::file_state::FileState;
use crate::format::bytes::Address;
use crate::format::superblock::{OPEN_FOR_SWMR, OPEN_FOR_WRITE, Superblock};
use crate::metadata::stage::Flush;
use crate::space::{AxisSlab, Hyperslab, Selection};
use ndarray::{ArrayView, Dimension};
use std::num::NonZeroU64;
use std::sync::Arc;

impl FileState {
    /// Lets others read the file while it is written.
    pub(crate) fn start_swmr(self: &Arc<Self>) -> Result<()> {
        let _writing = self.writing()?;
        if self.is_live() {
            return Err(Error::usage("file already in SWMR writing mode"));
        }
        let version = self.superblock.version;
        if version < 3 {
            return Err(Error::usage(format!(
                "file superblock version - should be at least 3, it is {version}: make the file without old bounds"
            )));
        }
        self.flush_all(Some(self))?;
        let superblock = Superblock { flags: OPEN_FOR_WRITE | OPEN_FOR_SWMR, ..self.superblock.clone() };
        self.metadata().go_live(superblock, self.options.headroom_bytes())?;
        // The mark is on disk before the lock is gone, so nobody else can begin to write in between.
        self.unlock();
        // Where there are no locks nobody asks whether the writer lives.
        self.locked.iter().for_each(|storage| _ = storage.lock_alive());
        Ok(())
    }

    /// Whether others may read the file while it is written.
    pub(crate) fn is_live(&self) -> bool {
        self.metadata().is_live()
    }

    /// Writes what waits for some objects, and shows it to readers in the order given; `durable`: on the disk.
    pub(crate) fn flush_some(self: &Arc<Self>, owners: &[Address], durable: bool) -> Result<()> {
        if !self.is_live() {
            return self.flush_as(durable);
        }
        let _writing = self.writing()?;
        self.publish(owners, durable).at(|| self.place.path.display().to_string())
    }

    /// As [`flush_some`](Self::flush_some) of a live file; the caller holds the gate.
    pub(crate) fn publish(self: &Arc<Self>, owners: &[Address], durable: bool) -> Result<()> {
        let md = self.metadata();
        owners.iter().try_for_each(|owner| self.flush_dataset(*owner, Some(self)))?;
        let only = !owners.is_empty() && !md.is_shared();
        if !only {
            self.settle(Some(self))?;
        }
        md.flush_as(&Flush { owners, only, durable })
    }
}

impl File {
    /// Lets others read the file while it is written (SWMR), from now until it is closed. What they see is
    /// what was flushed, and they never see less.
    ///
    /// Datasets, groups, attributes and elements of any kind can still be made. Space that is given up is not
    /// used again, so that whoever still looks there finds what was there.
    ///
    /// ```
    /// use hyperslab::OpenOptions;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("run.h5");
    /// let file = OpenOptions::new().create(&path)?;
    /// let frames = file.new_dataset::<u16>().shape([0, 4]).max_shape([None, Some(4)]).create("frames")?;
    /// file.start_swmr()?;
    /// frames.append(0, &ndarray::array![[1_u16, 2, 3, 4]])?;
    /// frames.flush()?;
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when the file is open to read only, is live already, or was made for readers older than HDF5
    /// 1.10; `Io` when it cannot be written.
    pub fn start_swmr(&self) -> Result<()> {
        self.state.start_swmr().at(|| self.path().display().to_string())
    }

    /// Whether others may read the file while it is written, or it is read while another writes it.
    #[must_use]
    pub fn is_swmr(&self) -> bool {
        self.state.is_live() || self.state.following.is_some()
    }

    /// As [`flush`](Self::flush), and returns when all is on the disk: also a machine that stops leaves a file
    /// that can be read.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn sync(&self) -> Result<()> {
        self.state.flush_some(&[], true)
    }

    /// Flushes several datasets at once; readers see them grow in the order given, so the last one may count
    /// what the others have.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), and `Usage` for a dataset of another file.
    pub fn flush_together(&self, datasets: &[&Dataset]) -> Result<()> {
        if let Some(other) = datasets.iter().find(|dataset| !Arc::ptr_eq(&dataset.file, &self.state)) {
            return Err(Error::usage("the dataset is in another file").at(other.place()));
        }
        let owners: Vec<Address> = datasets.iter().map(|dataset| dataset.address).collect();
        self.state.flush_some(&owners, false)
    }
}

impl Dataset {
    /// Writes what waits for this dataset: of a live file only that, so that readers see it; of any other, all.
    ///
    /// # Errors
    /// As [`File::flush`]. A live file goes on as if nothing had been tried.
    pub fn flush(&self) -> Result<()> {
        self.file.flush_some(&[self.address], false)
    }

    /// As [`flush`](Self::flush), and returns when all is on the disk.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn sync(&self) -> Result<()> {
        self.file.flush_some(&[self.address], true)
    }

    /// Grows the dataset along an axis by an array, which has the dataset's length along every other axis.
    ///
    /// Either all of it becomes part of the dataset or nothing. Readers of a live file see it after the next
    /// flush.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let rows = file.new_dataset::<f64>().shape([0, 2]).max_shape([None, Some(2)]).create("rows")?;
    /// rows.append(0, &ndarray::array![[1.0, 2.0]])?;
    /// rows.append(0, &ndarray::array![[3.0, 4.0], [5.0, 6.0]])?;
    /// assert_eq!(rows.shape(), [3, 2]);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when there is no such axis or the shape does not fit; as
    /// [`write_selection`](Self::write_selection).
    pub fn append<'a, T: Element, D: Dimension>(
        &self,
        axis: usize,
        data: impl Into<ArrayView<'a, T, D>>,
    ) -> Result<()> {
        let data = data.into();
        let more = data.shape().iter().map(|length| *length as u64).collect::<Vec<_>>();
        let dense = data.as_standard_layout();
        let elements = dense.as_slice().ok_or_else(|| Error::usage("an array that is not dense"))?;
        self.append_bytes(axis, &more, &T::datatype(), bytemuck::cast_slice(elements))
    }

    /// As [`append`](Self::append); where that completes a multiple of `boundary` rows, calls `reached` with the new
    /// shape and flushes the dataset. Whether it did.
    ///
    /// # Errors
    /// As [`append`](Self::append) and [`flush`](Self::flush).
    pub fn append_to<'a, T: Element, D: Dimension>(
        &self,
        axis: usize,
        data: impl Into<ArrayView<'a, T, D>>,
        boundary: NonZeroU64,
        reached: impl FnOnce(&[u64]),
    ) -> Result<bool> {
        let data = data.into();
        let more = data.shape().get(axis).map_or(0, |length| *length as u64);
        self.append(axis, data)?;
        let shape = self.shape();
        let end = shape.get(axis).copied().unwrap_or(0);
        if end / boundary == end.saturating_sub(more) / boundary {
            return Ok(false);
        }
        reached(&shape);
        self.flush()?;
        Ok(true)
    }

    /// As [`append`](Self::append), of the bytes of elements of the datatype `memory`; `more` is their shape.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_bytes(
        &self,
        axis: usize,
        more: &[u64],
        memory: &crate::Datatype,
        bytes: &[u8],
    ) -> Result<()> {
        let _writing = self.file.writing_for(self.address)?;
        let append = || {
            let old = self.shape();
            let grown = grown(&old, axis, more)?;
            let begin = old.get(axis).copied().unwrap_or(0);
            let slab = |(at, length): (usize, &u64)| AxisSlab {
                start: if at == axis { begin } else { 0 },
                stride: 1,
                count: Some(1),
                block: Some(*length),
            };
            self.resize_held(&grown)?;
            let slabs = more.iter().enumerate().map(slab).collect();
            let selection = Selection::Hyperslab(Hyperslab::Regular(slabs));
            let written = self.write_held(&selection, memory, bytes);
            written.inspect_err(|_| {
                // The first error is the one to tell.
                let _ = self.resize_held(&old);
            })
        };
        append().at(|| self.place())
    }
}

/// The shape of a dataset of shape `old` that grew by `more` along an axis.
fn grown(old: &[u64], axis: usize, more: &[u64]) -> Result<Vec<u64>> {
    let fits = more.len() == old.len()
        && old.iter().zip(more).enumerate().all(|(at, (old, more))| at == axis || old == more);
    if !fits || axis >= old.len() {
        return Err(Error::usage(format!("an array of shape {more:?} for axis {axis} of shape {old:?}")));
    }
    let mut grown = old.to_vec();
    if let (Some(length), Some(more)) = (grown.get_mut(axis), more.get(axis)) {
        *length = length
            .checked_add(*more)
            .ok_or_else(|| Error::limit(format!("axis {axis} would be longer than 2^64")))?;
    }
    Ok(grown)
}
