//! Reading and writing Rust structs as compounds.

use crate::dataset::Dataset;
use crate::datatype::Record;
use crate::error::{Error, Place, Result, to_usize};
use crate::space::{Extent, Selection};
use ndarray::{ArrayD, IxDyn};

impl Dataset {
    /// Reads what `selection` selects as records, members found by their names.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// use hyperslab::{Datatype, Record, Selection};
    /// # let stored = Datatype::compound().member("time", Datatype::of::<f64>()).member("n", Datatype::of::<i32>());
    /// # file.new_dataset_of(&stored.build()?).shape([3]).create("events")?;
    /// #[derive(Record)]
    /// struct Event {
    ///     n: i64,
    /// }
    /// let events = file.dataset("events")?.read_records::<Event>(&Selection::All)?;
    /// assert!(events.iter().all(|event| event.n == 0));
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`read_selection`](Self::read_selection), and `Malformed` when a value is none of the type.
    pub fn read_records<T: Record>(&self, selection: &Selection) -> Result<ArrayD<T>> {
        let shape = match self.extent() {
            Extent::Null => vec![0],
            _ => selection.shape(&self.shape()).at(|| self.place())?,
        };
        let bytes = self.read_bytes(selection, &T::datatype()?)?;
        let mut rest = bytes.as_slice();
        let shape = shape.into_iter().map(to_usize).collect::<Result<Vec<_>>>()?;
        let count = bytes.len().checked_div(T::SIZE).unwrap_or(0);
        let records = (0..count).map(|_| T::take(&mut rest)).collect::<Result<Vec<T>>>();
        ArrayD::from_shape_vec(IxDyn(&shape), records.at(|| self.place())?)
            .map_err(|error| Error::usage(error.to_string()).at(self.place()))
    }

    /// Writes the elements of `selection` from records, in row-major order.
    ///
    /// Members that the type has not stay what they are in the file.
    ///
    /// # Errors
    /// As [`write_selection`](Self::write_selection).
    pub fn write_records<T: Record>(&self, selection: &Selection, records: &[T]) -> Result<()> {
        let mut bytes = Vec::with_capacity(records.len().saturating_mul(T::SIZE));
        for record in records {
            record.put(&mut bytes);
        }
        self.write_bytes(selection, &T::datatype()?, &bytes)
    }
}
