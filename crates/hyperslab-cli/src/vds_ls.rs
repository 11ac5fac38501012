//! `vds ls`: the mappings of a virtual dataset, as a table or as a picture.

use crate::output::{Failure, Outcome, Output};
use crate::picture::{Picture, Tile};
use crate::values::extent;
use crate::virtuals::{named, written};
use hyperslab::{AxisSlab, Dataset, Hyperslab, MappingStatus, Selection, VirtualMapping};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;

/// Tiles of one mapping that are drawn on their own.
const MOST_TILES: u64 = 4096;

/// The mappings of virtual datasets.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// JSON, one object for each dataset.
    #[arg(long)]
    json: bool,
    /// Draws which source covers which region; missing ones are red and striped.
    #[arg(long, value_name = "OUT")]
    png: Option<PathBuf>,
    /// A virtual dataset, or a file for all of it.
    #[arg(value_name = "FILE[/PATH]")]
    target: String,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let datasets = named(&arguments.target)?;
    if let Some(path) = &arguments.png {
        let [dataset] = datasets.as_slice() else {
            let message =
                format!("{}: {} virtual datasets, a picture is of one", arguments.target, datasets.len());
            return Err(Failure::message(message));
        };
        picture(dataset)?.save(path)?;
        return output.line(format!("the mappings of {} are drawn in {}", dataset.path(), path.display()));
    }
    if arguments.json {
        let all = datasets.iter().map(as_json).collect::<Outcome<_>>()?;
        return output.json(&Value::Array(all));
    }
    if datasets.is_empty() {
        return output.line("no virtual datasets");
    }
    datasets.iter().try_for_each(|dataset| table(dataset, output))
}

fn table(dataset: &Dataset, output: &mut Output) -> Outcome {
    let Some(layout) = dataset.virtual_layout()? else { return Ok(()) };
    let count = layout.mappings().len();
    let head = format!("{} {} {}", dataset.path(), extent(&dataset.extent()), dataset.datatype());
    output.line(format!("{head}, {count} mappings"))?;
    let rows: Vec<[String; 4]> = layout
        .mappings()
        .iter()
        .enumerate()
        .map(|(index, mapping)| {
            let source = format!("{}{}", mapping.file(), colons(&mapping.path()));
            [
                index.to_string(),
                written(mapping.virtual_selection()),
                source,
                written(mapping.source_selection()),
            ]
        })
        .collect();
    let status = by_mapping(dataset)?;
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let [first, second, third] = [0, 1, 2].map(|column| width(column).unwrap_or(0).min(60));
    for (index, [number, here, source, there]) in rows.iter().enumerate() {
        let problem = problem(&status, index).map_or_else(String::new, |problem| format!("  *{problem}*"));
        let row = format!("  {number:>first$}  {here:second$}  <-  {source:third$}  {there}{problem}");
        output.line(row.trim_end())?;
    }
    Ok(())
}

fn colons(path: &str) -> String {
    if path.starts_with('/') { format!("::{path}") } else { format!("::/{path}") }
}

/// How the sources of each mapping stand: one, or one for each block.
type ByMapping = HashMap<usize, Vec<MappingStatus>>;

fn by_mapping(dataset: &Dataset) -> Outcome<ByMapping> {
    let mut all = ByMapping::new();
    for status in dataset.mapping_status()? {
        all.entry(status.mapping).or_default().push(status);
    }
    Ok(all)
}

/// The first problem of a mapping, and of how many of its sources.
fn problem(status: &ByMapping, index: usize) -> Option<String> {
    let sources = status.get(&index)?;
    let mut broken = sources.iter().filter_map(|source| source.problem.as_ref()).peekable();
    let first = broken.peek()?.to_string();
    Some(match sources.len() {
        1 => first,
        all => format!("{} of {all} sources: {first}", broken.count()),
    })
}

fn as_json(dataset: &Dataset) -> Outcome<Value> {
    let status = by_mapping(dataset)?;
    let layout = dataset.virtual_layout()?;
    let mappings = layout.iter().flat_map(|layout| layout.mappings()).enumerate().map(|(index, mapping)| {
        json!({
            "here": written(mapping.virtual_selection()),
            "file": mapping.file(),
            "path": mapping.path(),
            "there": written(mapping.source_selection()),
            "problem": problem(&status, index),
        })
    });
    Ok(json!({
        "path": dataset.path(),
        "shape": dataset.shape(),
        "datatype": dataset.datatype().to_string(),
        "mappings": mappings.collect::<Vec<_>>(),
    }))
}

/// Which source covers which region, over the two axes the mappings differ most along.
pub(crate) fn picture(dataset: &Dataset) -> Outcome<Picture> {
    let Some(layout) = dataset.virtual_layout()? else {
        return Err(Failure::message("not a virtual dataset"));
    };
    let status = by_mapping(dataset)?;
    let shape = &dataset.shape();
    let numbered = layout.mappings().iter().enumerate();
    let regions: Vec<Region> = numbered
        .flat_map(|(index, mapping)| regions(&mapping, status.get(&index).map_or(&[], Vec::as_slice)))
        .collect();
    let selections: Vec<&Selection> = regions.iter().map(|region| &region.selection).collect();
    let (down, across) = axes(&selections, shape);
    let mut kinds: HashMap<&str, usize> = HashMap::new();
    let mut tiles = Vec::new();
    for Region { selection, file, missing } in &regions {
        let next = kinds.len();
        let kind = *kinds.entry(file).or_insert(next);
        let rows = runs(selection, shape, down);
        let columns = runs(selection, shape, across);
        for (row, rows) in &rows {
            for (column, columns) in &columns {
                tiles.push(Tile {
                    row: *row,
                    column: *column,
                    rows: *rows,
                    columns: *columns,
                    kind,
                    missing: *missing,
                });
            }
        }
    }
    let length = |axis: Option<usize>| axis.and_then(|axis| shape.get(axis)).copied().unwrap_or(1);
    Ok(Picture::mosaic(&tiles, length(down), length(across)))
}

/// What one source covers.
struct Region {
    selection: Selection,
    file: String,
    missing: bool,
}

/// What a mapping covers: each of its blocks when each has a source.
fn regions(mapping: &VirtualMapping, sources: &[MappingStatus]) -> Vec<Region> {
    let selection = mapping.virtual_selection();
    let unlimited = |axis: &AxisSlab| axis.count.is_none();
    let numbered = |selection: &Selection| match selection {
        Selection::Hyperslab(Hyperslab::Regular(axes)) => axes.iter().position(unlimited),
        _ => None,
    };
    let missing = |source: &MappingStatus| source.problem.is_some();
    if let (Some(at), None) = (numbered(selection), numbered(mapping.source_selection()))
        && let Selection::Hyperslab(Hyperslab::Regular(axes)) = selection
    {
        let block = |(number, source): (u64, &MappingStatus)| {
            let mut axes = axes.clone();
            let slab = axes.get_mut(at)?;
            slab.start = slab.start.checked_add(number.checked_mul(slab.stride)?)?;
            slab.count = Some(1);
            let selection = Selection::Hyperslab(Hyperslab::Regular(axes));
            Some(Region { selection, file: source.file.clone(), missing: missing(source) })
        };
        return (0..).zip(sources).filter_map(block).collect();
    }
    let file = mapping.file().into_owned();
    vec![Region { selection: selection.clone(), file, missing: sources.iter().any(missing) }]
}

/// The two axes with the most different beginnings, in their order; the last ones if none differ.
fn axes(selections: &[&Selection], shape: &[u64]) -> (Option<usize>, Option<usize>) {
    let starts = |axis: usize| {
        let mut starts: Vec<u64> = selections
            .iter()
            .filter_map(|one| runs(one, shape, Some(axis)).first().map(|run| run.0))
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts.len()
    };
    let mut ranked: Vec<(usize, usize)> = (0..shape.len()).map(|axis| (starts(axis), axis)).collect();
    ranked.sort_unstable();
    let mut chosen: Vec<usize> = ranked.iter().rev().take(2).map(|(_, axis)| *axis).collect();
    chosen.sort_unstable();
    match chosen.as_slice() {
        [] => (None, None),
        [one] => (None, Some(*one)),
        [first, second, ..] => (Some(*first), Some(*second)),
    }
}

/// The runs of a selection along an axis, as start and length.
fn runs(selection: &Selection, shape: &[u64], axis: Option<usize>) -> Vec<(u64, u64)> {
    let Some(axis) = axis else { return vec![(0, 1)] };
    let length = shape.get(axis).copied().unwrap_or(1);
    if let Selection::Hyperslab(Hyperslab::Regular(slabs)) = selection
        && let Some(slab) = slabs.get(axis)
    {
        let left = length.saturating_sub(slab.start);
        let count = slab.count.unwrap_or_else(|| left.div_ceil(slab.stride.max(1)));
        let block = slab.block.unwrap_or(left);
        if slab.stride > block && count <= MOST_TILES {
            let at = |index: u64| slab.start.saturating_add(index.saturating_mul(slab.stride));
            return (0..count).map(|index| (at(index), block)).collect();
        }
        let whole = count.saturating_sub(1).saturating_mul(slab.stride).saturating_add(block);
        return vec![(slab.start, whole)];
    }
    match selection.bounds(shape) {
        Ok(Some((low, high))) => {
            let (low, high) = (low.get(axis).copied().unwrap_or(0), high.get(axis).copied().unwrap_or(0));
            vec![(low, high.saturating_sub(low).saturating_add(1))]
        }
        _ => Vec::new(),
    }
}
