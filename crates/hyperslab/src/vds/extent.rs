//! How large a virtual dataset with unlimited mappings is, which its sources decide.

use crate::error::{Error, Place, Result};
use crate::space::{AxisSlab, Extent, Hyperslab, Selection};
use crate::vds::layout::VirtualLayout;
use crate::vds::mapping::VirtualMapping;
use crate::vds::source::{Source, SourceName, Sources};
use std::collections::HashMap;

/// Numbered sources that are looked for, of one mapping.
const MOST_NUMBERED: u64 = 1 << 20;
/// Numbered sources that are looked for at once.
const PROBED: u64 = 16;

/// The size of a virtual dataset at this moment, and what it was found from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) extent: Extent,
    /// For mappings with numbered sources, how many sources follow each other from number 0.
    pub(crate) found: HashMap<usize, u64>,
}

/// The size by the last available element of any source; `None` when no mapping is unlimited.
///
/// # Errors
/// When a source exists but cannot be opened; `Malformed` when the size passes its maximum.
pub(crate) fn resolve<S: Sources>(layout: &VirtualLayout, sources: &S) -> Result<Option<Resolved>> {
    let unlimited = |mapping: &VirtualMapping| mapping.virtual_selection.unlimited_axis();
    let growing: Vec<(usize, usize, &VirtualMapping)> = layout
        .mappings()
        .iter()
        .enumerate()
        .filter_map(|(number, mapping)| Some((number, unlimited(mapping)?, mapping)))
        .collect();
    if growing.is_empty() {
        return Ok(None);
    }
    let mut found = HashMap::new();
    let mut lengths: HashMap<usize, u64> = HashMap::new();
    let plain = growing.iter().filter(|(_, _, mapping)| !mapping.is_numbered());
    let names: Vec<SourceName> = plain.map(|(_, _, mapping)| name_of(mapping, None)).collect();
    let mut opened = sources.open(&names).into_iter();
    for (number, axis, mapping) in growing {
        let length = if mapping.is_numbered() {
            let count = count_numbered(mapping, sources)?;
            found.insert(number, count);
            length_of_blocks(mapping, axis, count)
        } else {
            let place = || format!("mapping {number} ({})", name_of(mapping, None));
            let source = opened.next().unwrap_or(Ok(None)).at(place)?;
            source.map_or(Ok(0), |source| length_of_source(mapping, axis, source.dims())).at(place)?
        };
        let longest = lengths.entry(axis).or_insert(0);
        *longest = length.max(*longest);
    }
    Ok(Some(Resolved { extent: sized(layout, &lengths)?, found }))
}

fn name_of(mapping: &VirtualMapping, block: Option<u64>) -> SourceName {
    let (file, path) = mapping.names(block);
    SourceName { file, path }
}

/// How many numbered sources exist, counted from 0 up to the first that does not.
fn count_numbered<S: Sources>(mapping: &VirtualMapping, sources: &S) -> Result<u64> {
    let mut count = 0;
    while count < MOST_NUMBERED {
        let names: Vec<SourceName> =
            (count..count + PROBED).map(|block| name_of(mapping, Some(block))).collect();
        for source in sources.open(&names) {
            if source?.is_none() {
                return Ok(count);
            }
            count += 1;
        }
    }
    Err(Error::limit(format!("more than {MOST_NUMBERED} numbered sources")))
}

fn slab(selection: &Selection, axis: usize) -> Option<&AxisSlab> {
    match selection {
        Selection::Hyperslab(Hyperslab::Regular(slabs)) => slabs.get(axis),
        _ => None,
    }
}

fn length_of_blocks(mapping: &VirtualMapping, axis: usize, count: u64) -> u64 {
    match (slab(&mapping.virtual_selection, axis), count.checked_sub(1)) {
        (Some(slab), Some(last)) => last
            .saturating_mul(slab.stride)
            .saturating_add(slab.start)
            .saturating_add(slab.block.unwrap_or(1)),
        _ => 0,
    }
}

fn length_of_source(mapping: &VirtualMapping, axis: usize, dims: &[u64]) -> Result<u64> {
    let selection = &mapping.source_selection;
    if let Some(rank) = selection.rank().filter(|rank| *rank != dims.len()) {
        return Err(Error::malformed(format!(
            "the mapping selects from {rank} axes, the source has {}",
            dims.len()
        )));
    }
    let there = selection.unlimited_axis().and_then(|axis| Some((slab(selection, axis)?, *dims.get(axis)?)));
    let (Some(here), Some((there, dim))) = (slab(&mapping.virtual_selection, axis), there) else {
        return Ok(0);
    };
    Ok(here.length_holding(there.slices(dim)?))
}

/// The stored extent with the axes that follow sources at their lengths.
fn sized(layout: &VirtualLayout, lengths: &HashMap<usize, u64>) -> Result<Extent> {
    let least = least_dims(layout)?;
    let mut dims = layout.extent().dims().to_vec();
    for (axis, dim) in dims.iter_mut().enumerate() {
        let Some(length) = lengths.get(&axis) else { continue };
        *dim = (*length).max(least.get(axis).copied().unwrap_or(0));
    }
    Extent::resizable(&dims, layout.extent().max())
        .map_err(|error| Error::malformed(format!("its sources make the virtual dataset too large: {error}")))
}

/// The size that the bounded sides of all mappings need.
fn least_dims(layout: &VirtualLayout) -> Result<Vec<u64>> {
    let mut needed = vec![0; layout.extent().rank()];
    for mapping in layout.mappings() {
        let Selection::Hyperslab(slab) = &mapping.virtual_selection else { continue };
        let unlimited = slab.unlimited_axis();
        let bounds = mapping.virtual_selection.bounds(layout.extent().dims())?;
        let Some((_, last)) = bounds else { continue };
        for (axis, (needed, last)) in needed.iter_mut().zip(last).enumerate() {
            if Some(axis) != unlimited {
                *needed = last.saturating_add(1).max(*needed);
            }
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use crate::space::AxisSlab;

    /// The examples of the specification of virtual datasets, section 3.6.
    #[test]
    fn the_length_holds_exactly_the_slices_of_the_source() {
        let here = AxisSlab { start: 1, stride: 5, count: None, block: Some(2) };
        for (slices, length) in [(7, 17), (8, 18), (9, 22), (10, 23), (0, 0)] {
            assert_eq!(here.length_holding(slices), length, "{slices} slices");
        }
        let there = AxisSlab { start: 0, stride: 3, count: None, block: Some(2) };
        for (dim, slices) in [(7, 5), (8, 6), (9, 6), (10, 7)] {
            assert_eq!(there.slices(dim).unwrap(), slices, "of {dim}");
        }
        let run = AxisSlab { start: 2, stride: 1, count: Some(1), block: None };
        assert_eq!(run.length_holding(4), 6);
    }
}
