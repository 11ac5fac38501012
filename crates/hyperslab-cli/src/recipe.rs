//! How `repack` is to store datasets: options, each for the whole file or for what is at some paths.

use crate::typed::parse_shape;
use hyperslab::{Class, Dataset, DatasetBuilder, Datatype, Extent};

/// Numbers of filters, as registered with The HDF Group.
mod number {
    pub(super) const DEFLATE: u16 = 1;
    pub(super) const SHUFFLE: u16 = 2;
    pub(super) const FLETCHER32: u16 = 3;
    pub(super) const SZIP: u16 = 4;
    pub(super) const NBIT: u16 = 5;
    pub(super) const SCALE_OFFSET: u16 = 6;
    pub(super) const LZF: u16 = 32000;
    pub(super) const LZ4: u16 = 32004;
    pub(super) const BITSHUFFLE: u16 = 32008;
    pub(super) const ZSTD: u16 = 32015;
}

/// Options that HDF5 always gives to szip.
const SZIP_ALWAYS: u32 = 0x81;

/// Where elements are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Compact,
    Contiguous,
    /// In chunks of that shape, or of one that suits the dataset.
    Chunked(Option<Vec<u64>>),
}

/// A filter with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    number: u16,
    parameters: Vec<u32>,
}

/// Something that holds for the datasets at some paths and below them; without paths for all.
#[derive(Clone, Debug)]
struct For<T> {
    paths: Vec<String>,
    what: T,
}

/// All options.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipe {
    layouts: Vec<For<Layout>>,
    filters: Vec<For<Vec<Filter>>>,
}

impl Recipe {
    pub(crate) fn is_empty(&self) -> bool {
        self.layouts.is_empty() && self.filters.is_empty()
    }

    /// `compact`, `contiguous`, `chunked`, with paths before it perhaps.
    pub(crate) fn add_layout(&mut self, text: &str) -> Result<(), String> {
        let (paths, word) = split(text);
        let what = match word {
            "compact" => Layout::Compact,
            "contiguous" => Layout::Contiguous,
            "chunked" | "auto" => Layout::Chunked(None),
            _ => return Err(format!("\"{word}\" is not a layout; write compact, contiguous or chunked")),
        };
        self.layouts.push(For { paths, what });
        Ok(())
    }

    /// A shape, `auto` or `none`, with paths before it perhaps.
    pub(crate) fn add_chunk(&mut self, text: &str) -> Result<(), String> {
        let (paths, word) = split(text);
        let what = match word {
            "auto" => Layout::Chunked(None),
            "none" => Layout::Contiguous,
            _ => {
                let shape = parse_shape(word).unwrap_or_default();
                if shape.is_empty() || shape.contains(&0) {
                    return Err(format!(
                        "\"{word}\" is not the shape of a chunk; write 1x512x512, auto or none"
                    ));
                }
                Layout::Chunked(Some(shape))
            }
        };
        self.layouts.push(For { paths, what });
        Ok(())
    }

    /// Filters joined by `+`, or `none`, with paths before them perhaps. What is said twice for the same
    /// paths adds up.
    pub(crate) fn add_filter(&mut self, text: &str) -> Result<(), String> {
        let (paths, words) = split(text);
        let filters: Result<Vec<_>, String> =
            words.split('+').filter(|word| *word != "none").map(filter).collect();
        let filters = filters?;
        match self.filters.iter_mut().find(|known| known.paths == paths) {
            Some(known) => known.what.extend(filters),
            None => self.filters.push(For { paths, what: filters }),
        }
        Ok(())
    }

    /// The dataset as it is to be stored; none when nothing is said about it.
    pub(crate) fn apply(&self, dataset: &Dataset, builder: DatasetBuilder) -> Option<DatasetBuilder> {
        let path = dataset.path();
        let layout = find(&self.layouts, &path).filter(|layout| suits(layout, dataset));
        let bound = dataset.datatype().has_variable_length() || dataset.datatype().has_reference();
        // Filters on what only points at the elements gain nothing, and a scalar has no chunks.
        let filterable = !bound && can_have_chunks(dataset);
        let kept_together = matches!(layout, Some(Layout::Compact | Layout::Contiguous));
        let filters = find(&self.filters, &path).filter(|_| filterable && !kept_together);
        if layout.is_none() && filters.is_none() {
            return None;
        }
        let mut builder = builder;
        match layout {
            Some(Layout::Compact) => builder = fixed(dataset, builder).without_filters().compact(),
            Some(Layout::Contiguous) => builder = fixed(dataset, builder).without_filters().contiguous(),
            Some(Layout::Chunked(None)) => builder = builder.chunk_auto(),
            Some(Layout::Chunked(Some(shape))) => builder = builder.chunk(within(shape, dataset)),
            None if dataset.chunk_shape().is_none() => builder = builder.chunk_auto(),
            None => {}
        }
        if let Some(filters) = filters {
            builder = builder.without_filters();
            for filter in filters {
                let optional = filter.number != number::FLETCHER32;
                builder =
                    builder.filter_number(filter.number, filter.for_elements(dataset.datatype()), optional);
            }
        }
        Some(builder)
    }
}

/// The last that is said about a path; what names it counts more than what is said about all.
/// A new dataset of such elements, with the filters a text names, joined by `+`.
pub(crate) fn filtered(
    builder: DatasetBuilder,
    datatype: &Datatype,
    text: &str,
) -> Result<DatasetBuilder, String> {
    text.split('+').filter(|word| *word != "none").try_fold(builder, |builder, word| {
        let filter = filter(word)?;
        let optional = filter.number != number::FLETCHER32;
        Ok(builder.filter_number(filter.number, filter.for_elements(datatype), optional))
    })
}

fn find<'r, T>(all: &'r [For<T>], path: &str) -> Option<&'r T> {
    let is_named = |of: &&For<T>| of.paths.iter().any(|root| is_at_or_below(path, root));
    let found = all.iter().rev().find(is_named);
    found.or_else(|| all.iter().rev().find(|of| of.paths.is_empty())).map(|of| &of.what)
}

fn is_at_or_below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a layout can be that of the dataset: those it cannot be are left as they are.
fn suits(layout: &Layout, dataset: &Dataset) -> bool {
    let shape = dataset.shape();
    let bytes =
        shape.iter().fold(dataset.datatype().size() as u64, |bytes, side| bytes.saturating_mul(*side));
    match layout {
        _ if dataset.extent() == Extent::Null => false,
        Layout::Compact => bytes < 64_000,
        Layout::Contiguous => true,
        Layout::Chunked(None) => can_have_chunks(dataset),
        Layout::Chunked(Some(chunk)) => chunk.len() == shape.len() && can_have_chunks(dataset),
    }
}

/// Whether chunks of at least one element fit the dataset, at the size it may reach.
pub(crate) fn can_have_chunks(dataset: &Dataset) -> bool {
    let extent = dataset.extent();
    extent.rank() > 0 && !extent.max().contains(&Some(0))
}

/// Only chunked datasets can grow.
fn fixed(dataset: &Dataset, builder: DatasetBuilder) -> DatasetBuilder {
    let shape = dataset.shape();
    if shape.is_empty() { builder } else { builder.extent(Extent::fixed(&shape)) }
}

/// A chunk no larger than the dataset may become.
fn within(chunk: &[u64], dataset: &Dataset) -> Vec<u64> {
    let extent = dataset.extent();
    let limited =
        chunk.iter().zip(extent.max()).map(|(side, max)| max.map_or(*side, |max| (*side).min(max.max(1))));
    limited.collect()
}

/// Paths, each from the root, joined by commas and ended by a colon; and what follows.
fn split(text: &str) -> (Vec<String>, &str) {
    match text.rsplit_once(':') {
        Some(_) if !text.starts_with('/') => (Vec::new(), text),
        None => (Vec::new(), text),
        Some(_) => {
            let (paths, what) = text.split_once(':').unwrap_or(("", text));
            (paths.split(',').map(str::to_owned).collect(), what)
        }
    }
}

/// `gzip:4`, `shuffle`, `zstd:3`, ...
fn filter(text: &str) -> Result<Filter, String> {
    let (name, value) = match text.split_once([':', '=']) {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let level = |default: u32, most: u32| match value.map(str::parse) {
        None => Ok(default),
        Some(Ok(level)) if level <= most => Ok(level),
        _ => Err(format!("\"{text}\": the level of {name} is a number from 0 to {most}")),
    };
    let (number, parameters) = match name {
        "gzip" | "deflate" => (number::DEFLATE, vec![level(4, 9)?]),
        "zstd" => (number::ZSTD, vec![level(3, 22)?]),
        "scaleoffset" => (number::SCALE_OFFSET, vec![2, level(0, 64)?]),
        "bitshuffle" => (number::BITSHUFFLE, bitshuffle(value)?),
        "szip" => {
            let coding = match value {
                None | Some("nn") => 32,
                Some("ec") => 4,
                Some(other) => return Err(format!("szip codes nn or ec, not \"{other}\"")),
            };
            (number::SZIP, vec![SZIP_ALWAYS | coding, 16])
        }
        "shuffle" | "fletcher32" | "nbit" | "lzf" | "lz4" if value.is_some() => {
            return Err(format!("\"{text}\": {name} has no level"));
        }
        "shuffle" => (number::SHUFFLE, Vec::new()),
        "fletcher32" => (number::FLETCHER32, Vec::new()),
        "nbit" => (number::NBIT, Vec::new()),
        "lzf" => (number::LZF, vec![4, 0x0105]),
        "lz4" => (number::LZ4, vec![0]),
        _ => {
            return Err(format!(
                "\"{text}\" is not a filter known here; write gzip:4, zstd:3, lz4, lzf, bitshuffle:lz4, \
                 bitshuffle:zstd, shuffle, fletcher32, szip, nbit, scaleoffset or none"
            ));
        }
    };
    Ok(Filter { number, parameters })
}

fn bitshuffle(value: Option<&str>) -> Result<Vec<u32>, String> {
    let end: &[u32] = match value {
        Some("none") => &[0],
        None | Some("lz4") => &[2],
        Some("zstd") => &[3, 3],
        Some(other) => return Err(format!("bitshuffle compresses with lz4, zstd or none, not \"{other}\"")),
    };
    Ok([&[0, 4, 0, 0], end].concat())
}

impl Filter {
    /// Scale-offset keeps bits of integers, but decimal digits of floating-point numbers.
    fn for_elements(&self, datatype: &Datatype) -> Vec<u32> {
        let float = matches!(datatype.class(), Class::Float(_));
        match self.parameters.as_slice() {
            [_, digits] if float && self.number == number::SCALE_OFFSET => vec![0, *digits],
            parameters => parameters.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, Recipe, filter, find, split};

    #[test]
    fn paths_stand_before_a_colon() {
        assert_eq!(split("gzip:4"), (vec![], "gzip:4"));
        assert_eq!(split("/a,/b/c:gzip:4"), (vec!["/a".to_owned(), "/b/c".to_owned()], "gzip:4"));
    }

    #[test]
    fn what_names_a_dataset_counts_more_than_what_is_said_of_all() {
        let mut recipe = Recipe::default();
        recipe.add_chunk("/entry:none").unwrap();
        recipe.add_chunk("1x512,512").unwrap();
        assert_eq!(find(&recipe.layouts, "/entry/data"), Some(&Layout::Contiguous));
        assert_eq!(find(&recipe.layouts, "/entry2"), Some(&Layout::Chunked(Some(vec![1, 512, 512]))));
    }

    #[test]
    fn filters_add_up_and_have_levels() {
        let mut recipe = Recipe::default();
        recipe.add_filter("shuffle+gzip:9").unwrap();
        recipe.add_filter("fletcher32").unwrap();
        let numbers: Vec<u16> =
            find(&recipe.filters, "/x").unwrap().iter().map(|filter| filter.number).collect();
        assert_eq!(numbers, [2, 1, 3]);
        assert!(filter("gzip:10").unwrap_err().contains("from 0 to 9"));
        assert!(filter("lz4:1").is_err() && filter("zip").is_err());
    }
}
