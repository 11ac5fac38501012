//! [`gather`]: a request of a virtual dataset, as requests of its sources.

use std::collections::HashMap;

use crate::error::{Error, Place, Result};
use crate::space::{Mapper, Part, Selection, Shape, disjoint};
use crate::vds::layout::{Met, VirtualLayout};
use crate::vds::mapping::VirtualMapping;
use crate::vds::source::{Source, SourceName, Sources};
use smallvec::SmallVec;

/// Mappings whose bounding boxes meet a request may not meet it themselves; this many times as many are
/// looked at.
const MET_PER_PART: usize = 16;

/// What to read from where.
#[derive(Debug)]
pub(crate) struct Gather<S> {
    /// To be read in this order when `overlapping`, and otherwise in any order or at once.
    pub(crate) batches: Vec<Batch<S>>,
    /// Whether parts may share places; then later ones win.
    pub(crate) overlapping: bool,
    /// Whether every requested element has a source; if not, the fill value goes first.
    pub(crate) complete: bool,
}

/// Parts that are read from one source in one go.
#[derive(Debug)]
pub(crate) struct Batch<S> {
    pub(crate) source: S,
    pub(crate) name: SourceName,
    /// From the output array to the source.
    pub(crate) parts: Vec<Part>,
    /// A mapping that names this source, for the report of an error.
    pub(crate) mapping: usize,
}

/// Finds where the elements of `parts`, requests of a virtual dataset, come from.
///
/// # Errors
/// When a source cannot be opened though it exists, or cannot serve its mapping; `Limit` when they come
/// from more than `most` parts of sources.
pub(crate) fn gather<S: Sources>(
    layout: &VirtualLayout,
    parts: &[Part],
    sources: &S,
    most: usize,
) -> Result<Gather<S::Source>> {
    let wanted = wanted(layout, parts, most.saturating_mul(MET_PER_PART), sources.limits().touched_sources)?;
    let (names, source_of) = named(&wanted);
    let opened = open(sources, &names)?;
    let mut found: Vec<(usize, Part)> = Vec::with_capacity(wanted.len());
    for (met, number) in wanted.iter().zip(source_of) {
        let Some(source) = opened.get(number).and_then(Option::as_ref) else { continue };
        let projected = met.project(layout, parts, source.dims(), |part| {
            found.push((number, part));
            if found.len() > most {
                return Err(Error::limit(format!(
                    "its elements come from more than {most} parts of sources"
                )));
            }
            Ok(())
        });
        projected.at(|| met.place())?;
    }
    Ok(batches(found, &names, &opened, parts))
}

/// A mapping, or a block of one, and the parts of the request that meet it.
struct Wanted {
    number: usize,
    mapping: VirtualMapping,
    block: Option<u64>,
    parts: SmallVec<[usize; 1]>,
}

fn wanted(layout: &VirtualLayout, parts: &[Part], most: usize, numbered: u64) -> Result<Vec<Wanted>> {
    let met = layout.meeting(parts, most, numbered)?;
    let mut all = Vec::with_capacity(met.len());
    for group in met.chunk_by(|one, other| (one.mapping, one.block) == (other.mapping, other.block)) {
        let Some(&Met { mapping: number, block, .. }) = group.first() else { continue };
        let Some(mapping) = layout.mappings().get(number) else { continue };
        let shape = Shape::of(&*mapping.virtual_block(block)?, layout.extent().dims(), None)?;
        let meets = |met: &Met| parts.get(met.part).is_some_and(|part| shape.meets(part));
        let parts: SmallVec<_> = group.iter().filter(|met| meets(met)).map(|met| met.part).collect();
        if !parts.is_empty() {
            all.push(Wanted { number, mapping, block, parts });
        }
    }
    Ok(all)
}

/// The sources, each with the first mapping that names it, and which of them each mapping has.
fn named(wanted: &[Wanted]) -> (Vec<(SourceName, usize)>, Vec<usize>) {
    let mut names: Vec<(SourceName, usize)> = Vec::new();
    let mut numbers: HashMap<SourceName, usize> = HashMap::new();
    let mut source_of: Vec<usize> = Vec::with_capacity(wanted.len());
    let mut before = None;
    for met in wanted {
        let (file, path) = met.mapping.names(met.block);
        let name = SourceName { file, path };
        // Most often that of the mapping before, which needs no search.
        let number = match before.take() {
            Some((known, number)) if known == name => number,
            _ => *numbers.entry(name.clone()).or_insert_with_key(|name| {
                names.push((name.clone(), met.number));
                names.len() - 1
            }),
        };
        before = Some((name, number));
        source_of.push(number);
    }
    (names, source_of)
}

fn open<S: Sources>(sources: &S, names: &[(SourceName, usize)]) -> Result<Vec<Option<S::Source>>> {
    let wanted: Vec<SourceName> = names.iter().map(|(name, _)| name.clone()).collect();
    let opened = sources.open(&wanted).into_iter().zip(names);
    let open = |(source, (name, mapping)): (Result<Option<S::Source>>, &(SourceName, usize))| {
        let found = source.and_then(|found| match found {
            None => sources.missing(*mapping, name).map(|()| None),
            found => Ok(found),
        });
        found.at(|| format!("mapping {mapping} ({name})"))
    };
    opened.map(open).collect()
}

impl Wanted {
    fn place(&self) -> String {
        let (file, path) = self.mapping.names(self.block);
        format!("mapping {} ({})", self.number, SourceName { file, path })
    }

    /// The wanted parts, in the coordinates of a source of size `dims`.
    fn project(
        &self,
        layout: &VirtualLayout,
        parts: &[Part],
        dims: &[u64],
        mut found: impl FnMut(Part) -> Result<()>,
    ) -> Result<()> {
        let selection = &self.mapping.source_selection;
        if let Some(rank) = selection.rank().filter(|rank| *rank != dims.len()) {
            return Err(Error::malformed(format!(
                "the mapping selects from a source with {rank} axes, the dataset has {}: {dims:?}",
                dims.len()
            )));
        }
        let here = self.mapping.virtual_block(self.block)?;
        let vdims = layout.extent().dims();
        let mapper = Mapper::new(&here, vdims, selection, dims)?;
        let whole = *selection == Selection::All;
        for part in self.parts.iter().filter_map(|number| parts.get(*number)) {
            let projected = mapper.project(part);
            if whole && mapper.is_short() {
                expect_all(&projected, &here, vdims, part, dims)?;
            }
            if projected.iter().all(|part| whole || part.fits_source(dims)) {
                projected.into_iter().try_for_each(&mut found)?;
            } else {
                projected.iter().filter_map(|part| part.clip_source(dims)).try_for_each(&mut found)?;
            }
        }
        Ok(())
    }
}

/// Fails when a source taken whole has too few elements for what is wanted of it.
fn expect_all(projected: &[Part], here: &Selection, vdims: &[u64], part: &Part, dims: &[u64]) -> Result<()> {
    let shape = Shape::of(here, vdims, None)?;
    let row = Mapper::between(&shape, &Shape::row(shape.count()))?;
    let count = |parts: &[Part]| parts.iter().map(Part::count).sum::<u64>();
    if count(projected) == count(&row.project(part)) {
        return Ok(());
    }
    Err(Error::malformed(format!(
        "the mapping takes {} elements of the whole source, which has the shape {dims:?}",
        shape.count()
    )))
}

/// Puts parts of the same source together, as far as their order allows.
fn batches<S: Source>(
    mut found: Vec<(usize, Part)>,
    names: &[(SourceName, usize)],
    opened: &[Option<S>],
    requested: &[Part],
) -> Gather<S> {
    let count = |parts: &[Part]| parts.iter().map(Part::count).fold(0, u64::saturating_add);
    let (mut numbers, mut parts): (Vec<usize>, Vec<Part>) = found.drain(..).unzip();
    let overlapping = !disjoint(&parts);
    if !overlapping && !numbers.is_sorted() {
        found = numbers.into_iter().zip(parts).collect();
        found.sort_by_key(|(number, _)| *number);
        (numbers, parts) = found.into_iter().unzip();
    }
    let complete = !overlapping && count(&parts) == count(requested);
    let mut batches = Vec::new();
    let mut parts = parts.into_iter();
    for group in numbers.chunk_by(|one, other| one == other) {
        let parts = parts.by_ref().take(group.len()).collect();
        let Some(number) = group.first() else { continue };
        let (Some((name, mapping)), Some(Some(source))) = (names.get(*number), opened.get(*number)) else {
            continue;
        };
        batches.push(Batch { source: source.clone(), name: name.clone(), parts, mapping: *mapping });
    }
    Gather { batches, overlapping, complete }
}

#[cfg(test)]
mod tests;
