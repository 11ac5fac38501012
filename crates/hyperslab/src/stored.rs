//! [`Stored`]: elements that are in this file, or in raw files beside it.

use crate::dataset::DatasetState;
use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::filter::FilterPipeline;
use crate::format::bytes::{Address, Wire};
use crate::format::message::layout::DataLayout;
use crate::format::message::other::ExternalFiles;
use crate::format::object_header::kind;
use crate::index::{self, ChunkGrid, ChunkIndex, StoredChunk};
use crate::layout::cache::ChunkCache;
use crate::layout::chunked_mut::ChunkSet;
use crate::layout::execute::Fresh;
use crate::layout::external::ExternalFile;
use crate::layout::write::{ElementsMut, LayoutMut};
use crate::layout::{Elements, Layout};
use crate::object::Objects;
use crate::object::header::Header;
use crate::raw_files;
use crate::raw_files::RawFiles;
use crate::space::Extent;
use std::sync::Arc;

/// How the elements of one dataset are stored; owns what [`Layout`] borrows for a read.
#[derive(Debug)]
pub(crate) enum Stored {
    Compact(Vec<u8>),
    Contiguous {
        address: Option<Address>,
        size: u64,
    },
    External {
        files: Vec<ExternalFile>,
        opener: RawFiles,
    },
    Chunked {
        grid: ChunkGrid,
        index: Box<dyn ChunkIndex>,
        edge_unfiltered: bool,
        identity: Fresh,
        /// Chunks that wait to be stored; shared by the states a dataset goes through.
        cache: Arc<ChunkCache>,
    },
}

/// What the layout needs to know of the dataset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    pub(crate) extent: &'a Extent,
    pub(crate) element_size: usize,
    pub(crate) filtered: bool,
}

impl Shape<'_> {
    fn bytes(&self) -> Result<u64> {
        let bytes = self.extent.count()?.checked_mul(self.element_size as u64);
        bytes.ok_or_else(|| Error::malformed("the dataset has more than 2^64 bytes"))
    }
}

impl Stored {
    pub(crate) fn open(
        file: &FileState,
        layout: DataLayout,
        external: Option<ExternalFiles>,
        shape: &Shape<'_>,
    ) -> Result<Self> {
        if let Some(external) = external {
            let files = raw_files::list(file, &external).at(|| "external files message")?;
            return Ok(Self::External { files, opener: RawFiles::new(file) });
        }
        match layout {
            DataLayout::Compact(bytes) => Ok(Self::Compact(bytes)),
            DataLayout::Contiguous { address, size } => {
                let size = contiguous_size(address, size, shape.bytes()?).at(|| "layout message")?;
                Ok(Self::Contiguous { address, size })
            }
            DataLayout::Chunked(chunked) => {
                let element_size = shape.element_size as u64;
                if chunked.element_size != element_size {
                    let message = format!(
                        "chunks have elements of {} bytes, the datatype {element_size}",
                        chunked.element_size
                    );
                    return Err(Error::malformed(message).at("layout message"));
                }
                let (dims, max) = (shape.extent.dims().to_vec(), shape.extent.max().to_vec());
                let grid = ChunkGrid { dims, max, chunk: chunked.chunk.clone(), element_size };
                let index = index::open(&chunked, &grid, shape.filtered)?;
                let edge_unfiltered = chunked.edge_unfiltered();
                let (identity, cache) = (Fresh::default(), Arc::default());
                Ok(Self::Chunked { grid, index, edge_unfiltered, identity, cache })
            }
            DataLayout::Virtual { .. } => Err(Error::usage("a virtual dataset stores no elements")),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Compact(_) => "compact",
            Self::Contiguous { .. } => "contiguous",
            Self::External { .. } => "external",
            Self::Chunked { .. } => "chunked",
        }
    }

    pub(crate) fn chunk_shape(&self) -> Option<&[u64]> {
        match self {
            Self::Chunked { grid, .. } => Some(&grid.chunk),
            _ => None,
        }
    }

    /// Chunks that wait to be stored.
    pub(crate) fn cache(&self) -> Option<&Arc<ChunkCache>> {
        match self {
            Self::Chunked { cache, .. } => Some(cache),
            _ => None,
        }
    }

    /// Chunks that were decoded before are to be decoded again.
    pub(crate) fn renew(&self) {
        if let Self::Chunked { identity, .. } = self {
            identity.renew();
        }
    }

    /// Takes over the chunks that wait in another state of the same dataset.
    pub(crate) fn adopt(&mut self, waiting: &Arc<ChunkCache>) {
        if let Self::Chunked { cache, .. } = self {
            *cache = Arc::clone(waiting);
        }
    }

    /// The same in raw files that are looked for under a prefix; none when the elements are elsewhere.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Option<Self> {
        match self {
            Self::External { files, opener } => {
                Some(Self::External { files: files.clone(), opener: opener.with_prefix(prefix) })
            }
            _ => None,
        }
    }

    /// A copy of elements that are stored in the layout message.
    pub(crate) fn compact_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Compact(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The elements as a write takes them; `compact` are those in the layout message.
    pub(crate) fn elements_mut<'a>(
        &'a self,
        dataset: &'a DatasetState,
        file: &'a FileState,
        compact: &'a mut Option<Vec<u8>>,
    ) -> ElementsMut<'a> {
        let layout = match self {
            Self::Compact(_) => LayoutMut::Compact(compact.get_or_insert_default()),
            Self::Contiguous { address, size } => {
                LayoutMut::Contiguous { address: *address, size: *size, filled: dataset.is_filled() }
            }
            Self::External { files, opener } => LayoutMut::External { files, opener },
            Self::Chunked { grid, index, edge_unfiltered, cache, .. } => LayoutMut::Chunked(ChunkSet {
                grid,
                index: &**index,
                pipeline: &dataset.pipeline,
                edge_unfiltered: *edge_unfiltered,
                cache,
            }),
        };
        ElementsMut {
            metadata: file.metadata(),
            layout,
            dims: dataset.extent.dims(),
            element: dataset.datatype.size(),
            fill: &dataset.fill,
            change: None,
        }
    }

    /// The elements as a read takes them.
    pub(crate) fn elements<'a>(&'a self, dataset: &'a DatasetState, file: &'a FileState) -> Elements<'a> {
        let layout = match self {
            Self::Compact(bytes) => Layout::Compact(bytes),
            Self::Contiguous { address, size } => Layout::Contiguous { address: *address, size: *size },
            Self::External { files, opener } => Layout::External { files, opener },
            Self::Chunked { grid, index, edge_unfiltered, identity, cache } => Layout::Chunked {
                grid,
                index: Some(&**index),
                pipeline: &dataset.pipeline,
                edge_unfiltered: *edge_unfiltered,
                reuse: Some(identity.get()),
                cache: Some(cache),
            },
        };
        Elements {
            metadata: file.metadata(),
            layout,
            dims: dataset.extent.dims(),
            element: dataset.datatype.size(),
            fill: &dataset.fill,
        }
    }
}

/// Frees the chunks of a dataset, and the index that finds them.
pub(crate) fn free_chunks(objects: &Objects, header: &Header) -> Result<()> {
    let md = &objects.metadata;
    release_chunks(objects, header, &mut |_, chunk| md.free(chunk.address, chunk.size))
}

/// Frees the index of the chunks of a dataset; `each` gets the chunks, by their coordinates.
pub(crate) fn release_chunks(
    objects: &Objects,
    header: &Header,
    each: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
) -> Result<()> {
    let layout = objects.decoded(header, kind::LAYOUT, DataLayout::read)?;
    let extent = objects.decoded(header, kind::DATASPACE, Extent::read)?;
    let (Some(DataLayout::Chunked(chunked)), Some(extent)) = (layout, extent) else { return Ok(()) };
    let pipeline = objects.decoded(header, kind::FILTER_PIPELINE, FilterPipeline::read)?.unwrap_or_default();
    let (dims, max) = (extent.dims().to_vec(), extent.max().to_vec());
    let grid = ChunkGrid { dims, max, chunk: chunked.chunk.clone(), element_size: chunked.element_size };
    let index = index::open(&chunked, &grid, !pipeline.is_empty())?;
    let last: Vec<u64> = grid
        .dims
        .iter()
        .zip(&grid.chunk)
        .map(|(dim, side)| dim.div_ceil((*side).max(1)).saturating_sub(1))
        .collect();
    let md = &objects.metadata;
    index.visit(md, &vec![0; last.len()], &last, each)?;
    index.delete(md)
}

/// Bytes of a contiguous dataset, which needs so many; older files do not say.
fn contiguous_size(address: Option<Address>, stored: Option<u64>, needed: u64) -> Result<u64> {
    match stored {
        Some(stored) if stored < needed && address.is_some() => {
            Err(Error::malformed(format!("{stored} bytes are stored, the dataset has {needed}")))
        }
        stored => Ok(stored.unwrap_or(needed)),
    }
}

#[cfg(test)]
mod tests {
    use super::contiguous_size;
    use crate::format::bytes::Address;

    #[test]
    fn a_contiguous_dataset_larger_than_its_bytes_is_refused() {
        let stored = Some(Address(800));
        assert!(contiguous_size(stored, Some(16), 1 << 32).is_err());
        assert_eq!(contiguous_size(stored, Some(16), 16).unwrap(), 16);
        assert_eq!(contiguous_size(stored, None, 16).unwrap(), 16);
        assert_eq!(contiguous_size(None, Some(0), 16).unwrap(), 0);
    }
}
