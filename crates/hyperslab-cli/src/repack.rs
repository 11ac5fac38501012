//! `repack`: a file written anew, without lost space, perhaps stored in another way.

use crate::output::{Failure, Outcome, Output};
use crate::progress::bytes_bar;
use crate::recipe::{Recipe, can_have_chunks};
use crate::replacement::Replacement;
use clap::ValueEnum;
use hyperslab::{Bounds, CopyOptions, Dataset, DatasetBuilder, Extent, File, Group, Object, OpenOptions};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How old a program may be that reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Oldest {
    /// Every HDF5 library.
    Earliest,
    /// HDF5 1.8.
    V18,
    /// HDF5 1.10.
    V110,
}

impl From<Oldest> for Bounds {
    fn from(oldest: Oldest) -> Self {
        match oldest {
            Oldest::Earliest => Self::Earliest,
            Oldest::V18 => Self::V18,
            Oldest::V110 => Self::V110,
        }
    }
}

/// Writes a file anew: without unused space, perhaps with other chunks, filters or format.
///
/// Everything is copied: groups, links, attributes, datasets. Datasets about which no option says
/// anything are copied as they are stored, without decompressing them. Virtual datasets stay virtual
/// unless --materialize is given.
///
/// --layout, --chunk and --filter can be given several times. Each holds for all datasets, or for those
/// at or below some paths: --filter /entry/data:gzip:4, --chunk /a,/b:1x512x512.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How elements are stored: compact, contiguous or chunked.
    #[arg(long, value_name = "[PATHS:]LAYOUT")]
    layout: Vec<String>,
    /// The shape of chunks, as 1x512x512; `auto` for a shape that suits; `none` for no chunks.
    #[arg(long, value_name = "[PATHS:]SHAPE")]
    chunk: Vec<String>,
    /// Filters in the order they are applied: shuffle, gzip:4, zstd:3, lz4, lzf, bitshuffle:lz4, szip,
    /// nbit, scaleoffset, fletcher32; or none. Join several with +.
    #[arg(long, value_name = "[PATHS:]FILTER")]
    filter: Vec<String>,
    /// The oldest HDF5 library that must be able to read the file.
    #[arg(long, value_enum, default_value_t = Oldest::V110)]
    bounds: Oldest,
    /// Turns virtual datasets into plain ones that have their elements themselves.
    #[arg(long)]
    materialize: bool,
    /// Replaces OUT if it exists.
    #[arg(long)]
    force: bool,
    /// The file to read.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to make.
    #[arg(value_name = "OUT")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let recipe = recipe(arguments).map_err(Failure::message)?;
    let from = File::open(&arguments.input)?;
    if same(&arguments.input, &arguments.output) {
        return Err(Failure::message(format!("{}: IN and OUT are the same file", arguments.input.display())));
    }
    let new = Replacement::begin(&arguments.output, arguments.force)?;
    let to = OpenOptions::new()
        .bounds(arguments.bounds.into())
        .user_block(from.user_block())
        .track_order(from.root()?.is_ordered()?)
        .create(new.path())?;
    fill(arguments, &recipe, &from, to)?;
    copy_user_block(&arguments.input, new.path(), from.user_block())?;
    new.finish()?;
    output.line(summary(&arguments.input, &arguments.output)?)
}

fn fill(arguments: &Arguments, recipe: &Recipe, from: &File, to: File) -> Outcome {
    let root = from.root()?;
    let mut sizes = Sizes { seen: HashSet::new(), bytes: 0 };
    sizes.add(&root, arguments.materialize)?;
    let bar = bytes_bar(sizes.bytes, "repacking");
    let advance = |bytes| bar.inc(bytes);
    let reshape =
        |dataset: &Dataset, builder: DatasetBuilder| Ok(reshaped(arguments, recipe, dataset, builder));
    let mut options = CopyOptions::new().progress(&advance);
    if arguments.materialize || !recipe.is_empty() {
        options = options.reshape(&reshape);
    }
    to.root()?.copy_members(&root, &options)?;
    bar.finish_and_clear();
    Ok(to.close()?)
}

fn reshaped(
    arguments: &Arguments,
    recipe: &Recipe,
    dataset: &Dataset,
    builder: DatasetBuilder,
) -> Option<DatasetBuilder> {
    if !dataset.is_virtual() {
        return recipe.apply(dataset, builder);
    }
    if !arguments.materialize {
        return None;
    }
    let plain = plain(dataset, builder);
    Some(recipe.apply(dataset, plain.clone()).unwrap_or(plain))
}

/// The virtual dataset as a plain one: chunked when it can grow, else in one run.
fn plain(dataset: &Dataset, builder: DatasetBuilder) -> DatasetBuilder {
    let extent = dataset.extent();
    let grows = extent.dims().iter().zip(extent.max()).any(|(dim, max)| *max != Some(*dim));
    if grows && can_have_chunks(dataset) {
        return builder.chunk_auto();
    }
    let builder = builder.contiguous();
    if extent.dims().is_empty() { builder } else { builder.extent(Extent::fixed(extent.dims())) }
}

fn recipe(arguments: &Arguments) -> Result<Recipe, String> {
    let mut recipe = Recipe::default();
    arguments.layout.iter().try_for_each(|text| recipe.add_layout(text))?;
    arguments.chunk.iter().try_for_each(|text| recipe.add_chunk(text))?;
    arguments.filter.iter().try_for_each(|text| recipe.add_filter(text))?;
    Ok(recipe)
}

/// What there is to copy.
struct Sizes {
    seen: HashSet<u64>,
    bytes: u64,
}

impl Sizes {
    fn add(&mut self, root: &Group, virtual_too: bool) -> Outcome {
        let mut groups = vec![root.clone()];
        self.seen.insert(root.address());
        while let Some(group) = groups.pop() {
            for link in group.links()? {
                if !matches!(link.kind, hyperslab::LinkKind::Hard { address } if self.seen.insert(address)) {
                    continue;
                }
                match group.linked(&link) {
                    Ok(Object::Group(inner)) => groups.push(inner),
                    Ok(Object::Dataset(dataset)) if virtual_too || !dataset.is_virtual() => {
                        let shape = dataset.shape();
                        let element = dataset.datatype().size() as u64;
                        let bytes = shape.iter().fold(element, |bytes, side| bytes.saturating_mul(*side));
                        self.bytes = self.bytes.saturating_add(bytes);
                    }
                    // What cannot be opened fails when it is copied.
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Copies the bytes before the HDF5 part.
#[expect(clippy::disallowed_methods, reason = "a user block is not the engine's business")]
fn copy_user_block(from: &Path, to: &Path, bytes: u64) -> std::io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let mut block = Vec::new();
    fs::File::open(from)?.take(bytes).read_to_end(&mut block)?;
    let mut to = fs::OpenOptions::new().write(true).open(to)?;
    to.seek(SeekFrom::Start(0))?;
    to.write_all(&block)
}

fn summary(input: &Path, output: &Path) -> Outcome<String> {
    let (before, after) = (input.symlink_metadata()?.len(), output.symlink_metadata()?.len());
    Ok(format!("{}: {before} bytes became {after}", output.display()))
}
