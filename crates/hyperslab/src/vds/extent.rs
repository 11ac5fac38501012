//! How large a virtual dataset with unlimited mappings is, which its sources decide.

use crate::error::{Error, Place, Result};
use crate::limits::Limits;
use crate::space::{AxisSlab, Extent, Hyperslab, Selection};
use crate::vds::access::DatasetAccess;
use crate::vds::layout::VirtualLayout;
use crate::vds::mapping::VirtualMapping;
use crate::vds::source::{Source, SourceName, Sources};
use std::collections::{HashMap, HashSet};

/// Numbered sources that are looked for at once.
const PROBED: u64 = 16;

/// The size of a virtual dataset at this moment, and what it was found from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) extent: Extent,
    /// For mappings with numbered sources, how many there are, gaps between them included.
    pub(crate) found: HashMap<usize, u64>,
}

/// The size that the sources give; `None` when no mapping is unlimited.
///
/// # Errors
/// When a source exists but cannot be opened; `Malformed` when the size passes its maximum.
pub(crate) fn resolve<S: Sources>(
    layout: &VirtualLayout,
    access: &DatasetAccess,
    sources: &S,
) -> Result<Option<Resolved>> {
    let growing: Vec<(usize, usize, VirtualMapping)> = layout
        .unlimited()
        .filter_map(|(number, axis)| Some((number, axis, layout.mappings().get(number)?)))
        .collect();
    if growing.is_empty() {
        return Ok(None);
    }
    let first_missing = access.is_first_missing();
    let mut found = HashMap::new();
    let mut lengths: HashMap<usize, u64> = HashMap::new();
    let opened = open_unnumbered(&growing, sources)?;
    for (number, axis, mapping) in &growing {
        let (number, axis) = (*number, *axis);
        let length = if mapping.is_numbered() {
            let count = count_numbered(mapping, access.gap(), sources).at(|| format!("mapping {number}"))?;
            found.insert(number, count);
            length_of_blocks(mapping, axis, count, first_missing)
        } else {
            let name = name_of(mapping, None);
            match opened.get(&name) {
                Some(Some(source)) => length_of_source(mapping, axis, source.dims(), first_missing)
                    .at(|| format!("mapping {number} ({name})"))?,
                _ => 0,
            }
        };
        let chosen = lengths.entry(axis).or_insert(length);
        *chosen = if first_missing { length.min(*chosen) } else { length.max(*chosen) };
    }
    Ok(Some(Resolved { extent: sized(layout, &lengths)?, found }))
}

/// The sources of unlimited mappings without numbers, each once; `None` for one that does not exist.
fn open_unnumbered<S: Sources>(
    growing: &[(usize, usize, VirtualMapping)],
    sources: &S,
) -> Result<HashMap<SourceName, Option<S::Source>>> {
    let mut names: Vec<SourceName> = Vec::new();
    let mut users: Vec<usize> = Vec::new();
    let mut seen = HashSet::new();
    for (number, _, mapping) in growing.iter().filter(|(_, _, mapping)| !mapping.is_numbered()) {
        let name = name_of(mapping, None);
        if seen.insert(name.clone()) {
            names.push(name);
            users.push(*number);
        }
    }
    let opened = sources.open(&names);
    let each = opened.into_iter().zip(names).zip(users).map(|((source, name), number)| {
        let source = source.and_then(|found| match found {
            None => sources.missing(number, &name).map(|()| None),
            found => Ok(found),
        });
        let source = source.at(|| format!("mapping {number} ({name})"))?;
        Ok((name, source))
    });
    each.collect()
}

fn name_of(mapping: &VirtualMapping, block: Option<u64>) -> SourceName {
    let (file, path) = mapping.names(block);
    SourceName { file, path }
}

/// The number after that of the last source, of which `gap` in a row may be missing.
fn count_numbered<S: Sources>(mapping: &VirtualMapping, gap: u64, sources: &S) -> Result<u64> {
    let most = sources.limits().numbered_sources;
    let (mut count, mut probed) = (0_u64, 0_u64);
    while probed <= count.saturating_add(gap) {
        if probed.saturating_sub(count) > most || count > most {
            let what = format!("more than {most} numbered sources are looked for");
            return Err(Limits::refuse("numbered_sources", what));
        }
        // More than one ahead is only worth it once some were found.
        let ahead = gap.saturating_add(if count == 0 { 1 } else { PROBED }).min(PROBED);
        let names: Vec<SourceName> =
            (probed..probed.saturating_add(ahead)).map(|block| name_of(mapping, Some(block))).collect();
        for (source, name) in sources.open(&names).into_iter().zip(&names) {
            if probed > count.saturating_add(gap) {
                break;
            }
            probed += 1;
            if source.at(|| name.to_string())?.is_some() {
                count = probed;
            }
        }
    }
    Ok(count)
}

fn slab(selection: &Selection, axis: usize) -> Option<&AxisSlab> {
    match selection {
        Selection::Hyperslab(Hyperslab::Regular(slabs)) => slabs.get(axis),
        _ => None,
    }
}

fn length_of_blocks(mapping: &VirtualMapping, axis: usize, count: u64, trail: bool) -> u64 {
    match (slab(&mapping.virtual_selection, axis), count.checked_sub(1)) {
        (Some(slab), Some(_)) if trail => count.saturating_mul(slab.stride).saturating_add(slab.start),
        (Some(slab), Some(last)) => last
            .saturating_mul(slab.stride)
            .saturating_add(slab.start)
            .saturating_add(slab.block.unwrap_or(1)),
        _ => 0,
    }
}

fn length_of_source(mapping: &VirtualMapping, axis: usize, dims: &[u64], trail: bool) -> Result<u64> {
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
    Ok(here.length_holding(there.slices(dim)?, trail))
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

/// Fails when the bounded sides of the mappings need more than `dims`.
pub(crate) fn check_least(layout: &VirtualLayout, dims: &[u64]) -> Result<()> {
    let least = least_dims(layout)?;
    if dims.iter().zip(&least).any(|(dim, least)| dim < least) {
        return Err(Error::usage(format!("the shape {dims:?}, where the mappings need {least:?} at least")));
    }
    Ok(())
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
            assert_eq!(here.length_holding(slices, false), length, "{slices} slices");
        }
        for (slices, length) in [(7, 17), (8, 21), (9, 22), (10, 26), (0, 1)] {
            assert_eq!(here.length_holding(slices, true), length, "{slices} slices and the gap after them");
        }
        let there = AxisSlab { start: 0, stride: 3, count: None, block: Some(2) };
        for (dim, slices) in [(7, 5), (8, 6), (9, 6), (10, 7)] {
            assert_eq!(there.slices(dim).unwrap(), slices, "of {dim}");
        }
        let run = AxisSlab { start: 2, stride: 1, count: Some(1), block: None };
        assert_eq!(run.length_holding(4, false), 6);
    }
}
