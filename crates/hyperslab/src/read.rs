//! One read: first a plan of what comes from where, nested virtual datasets included, then its steps.

use crate::dataset::{Dataset, DatasetState, Elements};
use crate::datatype::{Conversion, Datatype, Value};
use crate::error::{Error, Place, Result};
use crate::file_state::{FileState, Reading};
use crate::format::bytes::Address;
use crate::layout::disjoint::Disjoint;
use crate::layout::execute::Memory;
use crate::layout::{self, pool};
use crate::sources::{Asked, Chain, FileSources, OpenSource};
use crate::space::{self, Extent, Part, Selection};
use crate::vds::gather::gather;
use crate::vds::layout::VirtualLayout;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Parts that virtual datasets within virtual datasets may make of one read, beyond one for each mapping:
/// two mappings to the same dataset, one level in another, double them with every level.
const NESTED_ROOM: usize = 1 << 16;

/// How often a read is planned again because a source changed.
pub(crate) const MOST_TRIES: usize = 8;

/// What one read does: steps one after the other, each of parts that may go at once.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Steps nothing is added to any more.
    done: Vec<Step>,
    step: Step,
    nested: Nested,
}

/// What virtual datasets within the one that is read may add to the plan.
#[derive(Debug)]
struct Nested {
    /// How many parts their mappings may still make of those they are asked for.
    room: usize,
    /// File and address of those whose mappings were counted already.
    counted: HashSet<(usize, Address)>,
}

impl Default for Nested {
    fn default() -> Self {
        Self { room: NESTED_ROOM, counted: HashSet::new() }
    }
}

impl Nested {
    /// Every mapping of every dataset makes some more room, once.
    fn count(&mut self, source: &OpenSource, mappings: usize) {
        if self.counted.insert((Arc::as_ptr(&source.file).addr(), source.state.address)) {
            self.room = self.room.saturating_add(mappings);
        }
    }
}

/// Fill values first, then reads, which go at once when their parts share no place.
#[derive(Debug, Default)]
pub(crate) struct Step {
    fills: Vec<Work>,
    reads: Vec<Work>,
}

/// Parts of one dataset that stores its elements, or whose fill value they get.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) source: OpenSource,
    pub(crate) parts: Vec<Part>,
}

/// Where a read puts its elements.
pub(crate) struct Target<'a> {
    pub(crate) memory: &'a Datatype,
    pub(crate) out: &'a mut [u8],
    /// Whether `out` is known to hold zeroes only.
    pub(crate) zeroed: bool,
}

/// Reads `selection` into the target.
pub(crate) fn read(dataset: &Dataset, selection: &Selection, mut target: Target<'_>) -> Result<()> {
    held(dataset, selection, |plan| {
        let Some((mut plan, place_dims)) = plan else { return target.check(0) };
        target.check(space::product(place_dims.iter().copied())?)?;
        plan.check_owner(&dataset.file, target.memory)?;
        plan.run(&place_dims, &mut target)
    })
}

/// Reads `selection` as values, wherever the bytes of variable length are.
pub(crate) fn values(dataset: &Dataset, selection: &Selection) -> Result<Vec<Value>> {
    held(dataset, selection, |plan| match plan {
        Some((mut plan, place_dims)) => plan.values(dataset, &place_dims),
        None => Ok(Vec::new()),
    })
}

/// How many elements of `selection` no source has.
pub(crate) fn uncovered(dataset: &Dataset, selection: &Selection) -> Result<u64> {
    let Some((plan, place_dims)) = plan(dataset, selection)? else { return Ok(0) };
    let count = crate::error::to_usize(space::product(place_dims.iter().copied())?)?;
    let filled: Vec<bool> = plan.steps().flat_map(Step::kinds).collect();
    let is_filled =
        |owner: &&u32| usize::try_from(**owner).ok().and_then(|owner| filled.get(owner)) == Some(&true);
    Ok(plan.owners(&place_dims, count)?.iter().filter(is_filled).count() as u64)
}

/// Makes the plan of a read and runs it, while no file it reads from changes.
///
/// Nothing is held while the sources of a virtual dataset are looked for, so that whoever writes through
/// one can hold its files too, in the same order. A source that changed in between is looked at again.
fn held<T>(
    dataset: &Dataset,
    selection: &Selection,
    run: impl FnOnce(Option<(Plan, Vec<u64>)>) -> Result<T>,
) -> Result<T> {
    if !dataset.is_virtual() {
        let _reading = dataset.file.reading_in_turn()?;
        return run(plan(dataset, selection)?);
    }
    for _ in 0..MOST_TRIES {
        let planned = plan(dataset, selection)?;
        let files = planned.iter().flat_map(|(plan, _)| plan.works().map(|work| &work.source.file));
        let files = sorted(files.filter(|file| file.is_writable()).chain([&dataset.file]));
        let _reading: Vec<Reading<'_>> =
            files.iter().map(|file| file.reading_in_turn()).collect::<Result<_>>()?;
        let outdated = |(plan, _): &(Plan, Vec<u64>)| plan.works().any(|work| work.source.is_outdated());
        if !planned.as_ref().is_some_and(outdated) {
            return run(planned);
        }
    }
    Err(Error::torn("its sources changed each time they were looked at"))
}

/// Each file once, in the order in which all who hold several take them.
pub(crate) fn sorted<'a>(files: impl Iterator<Item = &'a Arc<FileState>>) -> Vec<Arc<FileState>> {
    let mut files: Vec<&Arc<FileState>> = files.collect();
    files.sort_unstable_by_key(|file| Arc::as_ptr(file).addr());
    files.dedup_by_key(|file| Arc::as_ptr(file).addr());
    files.into_iter().map(Arc::clone).collect()
}

/// The mappings of a virtual dataset, at the size the read sees.
pub(crate) fn virtual_layout(state: &DatasetState) -> Result<Arc<VirtualLayout>> {
    match &state.elements {
        Elements::Stored(_) => Err(Error::usage("is not a virtual dataset")),
        Elements::Virtual(layout) => Ok(Arc::clone(layout)),
    }
}

/// The plan of a read and the shape of its array; `None` when there is nothing to read.
pub(crate) fn plan(dataset: &Dataset, selection: &Selection) -> Result<Option<(Plan, Vec<u64>)>> {
    let state = dataset.followed()?;
    let dims = state.extent.dims();
    if state.extent == Extent::Null {
        return Ok(None);
    }
    selection.check(dims)?;
    let place_dims = selection.shape(dims)?;
    if place_dims.contains(&0) {
        return Ok(None);
    }
    let source = OpenSource {
        file: Arc::clone(&dataset.file),
        state: Arc::clone(&state),
        cell: None,
        path: b"".as_slice().into(),
    };
    let mut plan = Plan::default();
    plan.add(source, space::parts(selection, dims)?, dataset.asked())?;
    Ok(Some((plan, place_dims)))
}

impl Plan {
    /// Adds what is needed to read `parts` of `source`.
    fn add(&mut self, source: OpenSource, parts: Vec<Part>, asked: Asked<'_>) -> Result<()> {
        if let Elements::Stored(_) = source.state.elements {
            self.step.reads.push(Work { source, parts });
            return Ok(());
        }
        let chain = Chain::enter(&source.file, source.state.address, asked)?;
        let layout = virtual_layout(&source.state)?;
        let sources = FileSources { file: &source.file, chain: &chain };
        let mut most = usize::MAX;
        if chain.is_nested() {
            self.nested.count(&source, layout.mappings().len());
            most = self.nested.room.saturating_add(parts.len());
        }
        let found = gather(&layout, &parts, &sources, most)?;
        if chain.is_nested() {
            let count: usize = found.batches.iter().map(|batch| batch.parts.len()).sum();
            let more = count.saturating_sub(parts.len());
            self.nested.room = self.nested.room.saturating_sub(more);
        }
        if !found.complete {
            self.step.fills.push(Work { source: source.clone(), parts });
        }
        for batch in found.batches {
            if found.overlapping {
                self.next_step();
            }
            self.add(batch.source, batch.parts, Asked::Within(&chain))
                .at(|| format!("mapping {} ({})", batch.mapping, batch.name))?;
        }
        if found.overlapping {
            self.next_step();
        }
        Ok(())
    }

    fn next_step(&mut self) {
        self.done.push(std::mem::take(&mut self.step));
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.done.iter().chain([&self.step])
    }

    pub(crate) fn works(&self) -> impl Iterator<Item = &Work> {
        self.steps().flat_map(|step| step.fills.iter().chain(&step.reads))
    }

    /// What comes from sources.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &Work> {
        self.steps().flat_map(|step| &step.reads)
    }

    /// Whether nothing is filled, and nothing may be read twice.
    pub(crate) fn is_plain(&self) -> bool {
        self.done.is_empty() && self.step.fills.is_empty()
    }

    /// Fails when elements of another file mean something in that file only.
    ///
    /// What is of variable length there, but not in `memory`, is fetched on the way.
    pub(crate) fn check_owner(&self, file: &Arc<FileState>, memory: &Datatype) -> Result<()> {
        for work in self.works().filter(|work| !Arc::ptr_eq(&work.source.file, file)) {
            let datatype = &work.source.state.datatype;
            if datatype.has_reference() {
                return Err(Error::unsupported("references of another file cannot be followed from here"))
                    .at(|| work.source.place());
            }
            if datatype.has_variable_length() && memory.has_variable_length() {
                return Err(Error::unsupported(
                    "elements of variable length of another file are read as values only",
                ))
                .at(|| work.source.place());
            }
        }
        Ok(())
    }

    /// Reads what is planned, once: afterwards it is not known which parts of the output came from where.
    fn run(&mut self, place_dims: &[u64], target: &mut Target<'_>) -> Result<()> {
        for (number, step) in self.done.iter_mut().chain([&mut self.step]).enumerate() {
            let zeroed = target.zeroed && number == 0;
            step.fill(place_dims, target.memory, zeroed, target.out)?;
            // A fill value that is not zero was written over the zeroes.
            let zeroed = zeroed && step.fills.is_empty();
            step.read(place_dims, target.memory, zeroed, target.out)?;
        }
        Ok(())
    }

    /// The elements as values.
    fn values(&mut self, dataset: &Dataset, place_dims: &[u64]) -> Result<Vec<Value>> {
        let datatype = dataset.datatype();
        if let Some(work) = self.works().find(|work| work.source.state.datatype != *datatype)
            && (datatype.has_variable_length() || datatype.has_reference())
        {
            let message = format!("no conversion from {} to {datatype}", work.source.state.datatype);
            return Err(Error::unsupported(message)).at(|| work.source.place());
        }
        if datatype.has_reference() {
            self.check_owner(&dataset.file, datatype)?;
        }
        let count = crate::error::to_usize(space::product(place_dims.iter().copied())?)?;
        let length =
            count.checked_mul(datatype.size()).ok_or_else(|| Error::limit("more than 2^64 bytes"))?;
        let mut out = layout::fresh::zeroed::<u8>(length)?;
        let owners = self.owners(place_dims, count)?;
        self.run(place_dims, &mut Target { memory: datatype, out: &mut out, zeroed: true })?;
        let files: Vec<&Arc<FileState>> = self.works().map(|work| &work.source.file).collect();
        let elements = out.chunks_exact(datatype.size().max(1));
        elements
            .enumerate()
            .map(|(at, element)| {
                let owner = owners.get(at).and_then(|owner| files.get(usize::try_from(*owner).ok()?));
                Value::decode(datatype, element, &owner.unwrap_or(&&dataset.file).objects)
            })
            .collect()
    }

    /// For each element of the output, which of the plan's works wrote it last.
    pub(crate) fn owners(&self, place_dims: &[u64], count: usize) -> Result<Vec<u32>> {
        let mut owners = vec![u32::MAX; count];
        let same = Datatype::of::<u32>();
        let conversion = Conversion::plan(&same, &same)?;
        for (number, work) in self.works().enumerate() {
            let number = u32::try_from(number).map_err(|_| Error::limit("more than 2^32 sources"))?;
            let memory =
                Memory { conversion: &conversion, size: 4, heap: &work.source.file.objects, zeroed: false };
            let out = bytemuck::cast_slice_mut(&mut owners);
            layout::fill_parts((bytemuck::bytes_of(&number), 4), &work.parts, place_dims, &memory, out)?;
        }
        Ok(owners)
    }
}

impl Target<'_> {
    fn check(&self, count: u64) -> Result<()> {
        let size = self.memory.size() as u64;
        if count.checked_mul(size) == Some(self.out.len() as u64) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "the output has {} bytes, the selection {count} elements of {size} bytes",
            self.out.len()
        )))
    }
}

impl Step {
    /// What becomes the fill value.
    pub(crate) fn fills(&self) -> impl Iterator<Item = &Work> {
        self.fills.iter()
    }

    /// For each work, whether it is a fill.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = bool> {
        self.fills.iter().map(|_| true).chain(self.reads.iter().map(|_| false))
    }

    fn fill(&self, place_dims: &[u64], memory: &Datatype, zeroed: bool, out: &mut [u8]) -> Result<()> {
        for (number, work) in self.fills.iter().enumerate() {
            let state = &work.source.state;
            let conversion = work.conversion(memory)?;
            // A nested fill value goes over that of the outer dataset, which is not zero perhaps.
            let memory = work.memory(&conversion, memory, zeroed && number == 0);
            let fill = (state.fill.as_slice(), state.datatype.size());
            layout::fill_parts(fill, &work.parts, place_dims, &memory, out)?;
        }
        Ok(())
    }

    fn read(&mut self, place_dims: &[u64], memory: &Datatype, zeroed: bool, out: &mut [u8]) -> Result<()> {
        if let [work] = self.reads.as_slice() {
            return work.read(&work.parts, place_dims, (memory, zeroed), out);
        }
        let mut parts: Vec<Part> = Vec::with_capacity(self.reads.iter().map(|work| work.parts.len()).sum());
        let mut works: Vec<(&Work, Range<usize>)> = Vec::with_capacity(self.reads.len());
        for work in &mut self.reads {
            let start = parts.len();
            parts.append(&mut work.parts);
            works.push((work, start..parts.len()));
        }
        if let Some(output) = Disjoint::new(out, place_dims, memory.size(), &parts)? {
            let read = |number: usize| match works.get(number) {
                Some((work, range)) => work.read_shared(range.clone(), memory, zeroed, &output),
                None => Ok(()),
            };
            return pool::each(0..works.len(), true, read);
        }
        works.into_iter().try_for_each(|(work, range)| {
            work.read(parts.get(range).unwrap_or_default(), place_dims, (memory, false), out)
        })
    }
}

impl Work {
    fn conversion(&self, memory: &Datatype) -> Result<Conversion> {
        Conversion::plan(&self.source.state.datatype, memory).at(|| self.source.place())
    }

    fn memory<'a>(&'a self, conversion: &'a Conversion, memory: &Datatype, zeroed: bool) -> Memory<'a> {
        Memory { conversion, size: memory.size(), heap: &self.source.file.objects, zeroed }
    }

    fn read(
        &self,
        parts: &[Part],
        place_dims: &[u64],
        (memory, zeroed): (&Datatype, bool),
        out: &mut [u8],
    ) -> Result<()> {
        let state = &self.source.state;
        let Elements::Stored(stored) = &state.elements else { return Ok(()) };
        let conversion = self.conversion(memory)?;
        let memory = self.memory(&conversion, memory, zeroed);
        let elements = stored.elements(state, &self.source.file);
        layout::read(&elements, parts, place_dims, &memory, out).at(|| self.source.place())
    }

    fn read_shared(
        &self,
        range: Range<usize>,
        memory: &Datatype,
        zeroed: bool,
        output: &Disjoint<'_>,
    ) -> Result<()> {
        let state = &self.source.state;
        let Elements::Stored(stored) = &state.elements else { return Ok(()) };
        let conversion = self.conversion(memory)?;
        let memory = self.memory(&conversion, memory, zeroed);
        let elements = stored.elements(state, &self.source.file);
        layout::read_shared(&elements, range, &memory, output).at(|| self.source.place())
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::file::File;
    use crate::vds::layout::{VirtualLayout, VirtualSource};

    /// `/v0` has one element; each dataset after it is twice the one before.
    fn tower(path: &std::path::Path, height: u32) -> File {
        let file = File::create(path).unwrap();
        file.new_dataset::<i32>().create_with("/v0", &ndarray::array![7]).unwrap();
        for level in 1..=height {
            let half = 1_u64 << (level - 1);
            let mut layout = VirtualLayout::new(&[2 * half]);
            let below = VirtualSource::new(".", format!("/v{}", level - 1), &[half]);
            for start in [0, half] {
                let range = start..start + half;
                let here = crate::Selection::from_ranges(std::slice::from_ref(&range)).unwrap();
                layout.map(&here, &below).unwrap();
            }
            file.new_dataset::<i32>().virtual_layout(layout).create(format!("/v{level}")).unwrap();
        }
        file.close().unwrap();
        File::open(path).unwrap()
    }

    #[test]
    fn a_tower_of_virtual_datasets_is_read_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = tower(&folder.path().join("tower.h5"), 30);
        let low = file.dataset("/v8").unwrap().read::<i32>().unwrap();
        assert!(low.len() == 256 && low.iter().all(|element| *element == 7));
        let first = file.dataset("/v30").unwrap().read_slice::<i32, _>(ndarray::s![0..1]).unwrap();
        assert_eq!(first.iter().collect::<Vec<_>>(), [&7]);
        let error = file.dataset("/v20").unwrap().read::<i32>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
}
