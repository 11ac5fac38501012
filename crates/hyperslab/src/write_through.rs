//! Writing through a virtual dataset: every element to the one source it is read from.
//!
//! Everything that can be known is checked before the first byte is written: that each element has exactly
//! one source, that all sources can be written, and that there is a conversion to each. What the operating
//! system refuses after that leaves some sources written and others not.

use crate::dataset::Dataset;
use crate::datatype::{Conversion, Datatype, Value};
use crate::error::{Error, Place, Result};
use crate::file_state::{FileState, Writing};
use crate::location::Location;
use crate::open_options::OpenOptions;
use crate::read::{self, MOST_TRIES, Plan, Work};
use crate::space::{self, Part, Selection};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Writes the elements of `selection` from the bytes of elements of the datatype `memory`.
pub(crate) fn write(dataset: &Dataset, selection: &Selection, memory: &Datatype, bytes: &[u8]) -> Result<()> {
    held(dataset, selection, |plan, place_dims, count| {
        let own = |work: &Work| Arc::ptr_eq(&work.source.file, &dataset.file);
        if (memory.has_variable_length() || memory.has_reference()) && !plan.works().all(own) {
            let message = "elements of variable length and references mean something in one file only";
            return Err(Error::unsupported(format!("{message}; write values")));
        }
        if count.checked_mul(memory.size() as u64) != Some(bytes.len() as u64) {
            let message = format!("{} bytes for {count} elements of {} bytes", bytes.len(), memory.size());
            return Err(Error::usage(message));
        }
        plan.write(place_dims, memory, bytes)
    })
}

/// Writes the elements of `selection` from values; those of variable length go where the element goes.
pub(crate) fn write_values(dataset: &Dataset, selection: &Selection, values: &[Value]) -> Result<()> {
    held(dataset, selection, |plan, place_dims, count| {
        if values.len() as u64 != count {
            return Err(Error::usage(format!("{} values for {count} elements", values.len())));
        }
        let datatype = dataset.datatype();
        if datatype.has_reference() {
            plan.check_owner(&dataset.file, dataset.datatype())?;
        }
        let owners = plan.owners(place_dims, values.len())?;
        let files: Vec<&Arc<FileState>> = plan.works().map(|work| &work.source.file).collect();
        let mut bytes = Vec::with_capacity(values.len().saturating_mul(datatype.size()));
        for (value, owner) in values.iter().zip(owners) {
            let owner = usize::try_from(owner).ok().and_then(|owner| files.get(owner));
            let owner = owner.ok_or_else(|| Error::usage("an element has no source"))?;
            bytes.extend(Value::encode(datatype, value, &owner.objects)?);
        }
        plan.write(place_dims, datatype, &bytes)
    })
}

/// Plans a write, opens its sources to write, and runs it while nobody else uses them.
fn held(
    dataset: &Dataset,
    selection: &Selection,
    write: impl FnOnce(&Plan, &[u64], u64) -> Result<()>,
) -> Result<()> {
    // Whoever may not write the file may not write what it stands for.
    drop(dataset.file.writing()?);
    for _ in 0..MOST_TRIES {
        let Some((plan, place_dims)) = read::plan(dataset, selection)? else {
            return write(&Plan::default(), &[0], 0);
        };
        let count = space::product(place_dims.iter().copied())?;
        plan.check_once(&place_dims, count)?;
        let closed = to_open(&plan);
        if !closed.is_empty() {
            // The lock of a reader would keep the writer out.
            drop(plan);
            for (path, options) in closed {
                let source = options.open_rw(path)?.state;
                dataset.file.keep_source_open(&source)?;
            }
            continue;
        }
        let files = read::sorted(plan.works().map(|work| &work.source.file));
        let _writing = writing(&files)?;
        if plan.works().any(|work| work.source.is_outdated()) {
            continue;
        }
        return write(&plan, &place_dims, count);
    }
    Err(Error::torn("its sources changed each time they were looked at"))
}

/// The files that are open to read only, and how they were opened.
fn to_open(plan: &Plan) -> Vec<(PathBuf, OpenOptions)> {
    let mut seen = HashSet::new();
    let files = plan.works().map(|work| &work.source.file).filter(|file| !file.is_writable());
    let files = files.filter(|file| seen.insert(Arc::as_ptr(file)));
    let named = |file: &Arc<FileState>| {
        let place = &file.place;
        let path =
            place.path.file_name().map_or_else(|| place.path.clone(), |name| place.directory.join(name));
        (path, file.options.clone())
    };
    files.map(named).collect()
}

/// Holds all files, waiting for none while others are held.
fn writing(files: &[Arc<FileState>]) -> Result<Vec<Writing<'_>>> {
    loop {
        let mut held = Vec::with_capacity(files.len());
        for file in files {
            match if held.is_empty() { file.writing().map(Some) } else { file.try_writing() }? {
                Some(guard) => held.push(guard),
                None => break,
            }
        }
        if held.len() == files.len() {
            return Ok(held);
        }
        drop(held);
        std::thread::yield_now();
    }
}

impl Plan {
    /// Fails unless each of `count` elements is read from exactly one source.
    fn check_once(&self, place_dims: &[u64], count: u64) -> Result<()> {
        let total = self.reads().flat_map(|work| &work.parts).map(Part::count).fold(0, u64::saturating_add);
        if self.is_plain() && total == count {
            return Ok(());
        }
        let length = crate::error::to_usize(count)?;
        let is_read: Vec<bool> = self.steps().flat_map(read::Step::kinds).map(|is_fill| !is_fill).collect();
        let owned =
            |owner: &&u32| usize::try_from(**owner).ok().and_then(|owner| is_read.get(owner)) == Some(&true);
        let covered = self.owners(place_dims, length)?.iter().filter(owned).count() as u64;
        if covered < count {
            let message = format!("{} of {count} elements have no source", count - covered);
            return Err(Error::usage(format!("{message}, so nothing was written")));
        }
        if total != count {
            let message = "mappings overlap, so some elements have several sources";
            return Err(Error::usage(format!("{message}; nothing was written")));
        }
        Ok(())
    }

    /// Writes `bytes`, elements of the datatype `memory`, while the caller holds all files.
    fn write(&self, place_dims: &[u64], memory: &Datatype, bytes: &[u8]) -> Result<()> {
        for work in self.reads() {
            Conversion::plan(memory, &work.source.state.datatype).at(|| work.source.place())?;
        }
        for work in self.reads() {
            let Some(cell) = &work.source.cell else { continue };
            let location = Location::new(&work.source.file, work.source.state.address, &work.source.path);
            let source = Dataset::new(location, Arc::clone(cell));
            source.write_parts(&work.parts, place_dims, (memory, bytes)).at(|| work.source.place())?;
        }
        Ok(())
    }
}
