//! The sources of virtual datasets: found, opened, and guarded against circles.

use crate::dataset::DatasetState;
use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::format::bytes::Address;
use crate::format::object_header::kind;
use crate::group::find_header;
use crate::layout::pool;
use crate::location::place;
use crate::open_files;
use crate::space::Extent;
use crate::vds::source::{Origin, Source, SourceName, Sources, candidates, file_path};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Virtual datasets within virtual datasets.
const MOST_NESTED: usize = 64;
/// Virtual datasets of the third level and below that one read may open: a few nested ones that each
/// read the next twice would otherwise multiply without end.
const MOST_INNER: usize = 1 << 14;

/// A dataset that a virtual one reads from, open.
#[derive(Clone, Debug)]
pub(crate) struct OpenSource {
    pub(crate) file: Arc<FileState>,
    pub(crate) state: Arc<DatasetState>,
    /// Empty for the dataset a read was asked of.
    pub(crate) path: Arc<[u8]>,
}

impl Source for OpenSource {
    fn dims(&self) -> &[u64] {
        self.state.extent.dims()
    }
}

/// The virtual datasets on the way from the one asked for to a source.
pub(crate) struct Chain<'a> {
    parent: Option<&'a Self>,
    depth: usize,
    /// Of the whole read.
    opened: Arc<AtomicUsize>,
    file: Arc<FileState>,
    address: Address,
}

impl<'a> Chain<'a> {
    pub(crate) fn enter(file: &Arc<FileState>, address: Address, parent: Option<&'a Self>) -> Result<Self> {
        let depth = parent.map_or(1, |parent| parent.depth + 1);
        if depth > MOST_NESTED {
            return Err(Error::limit(format!("virtual datasets are nested more than {MOST_NESTED} deep")));
        }
        let opened = parent.map_or_else(Arc::default, |parent| Arc::clone(&parent.opened));
        if depth > 2 && opened.fetch_add(1, Ordering::Relaxed) >= MOST_INNER {
            let message = format!("more than {MOST_INNER} virtual datasets within others are needed");
            return Err(Error::limit(message));
        }
        let mut above = parent;
        while let Some(chain) = above {
            if chain.address == address && Arc::ptr_eq(&chain.file, file) {
                return Err(Error::malformed("the virtual dataset is, in the end, a source of itself"));
            }
            above = chain.parent;
        }
        Ok(Self { parent, depth, opened, file: Arc::clone(file), address })
    }

    /// Whether a virtual dataset reads from this one.
    pub(crate) fn is_nested(&self) -> bool {
        self.parent.is_some()
    }
}

/// Opens the sources of the virtual datasets of one file.
pub(crate) struct FileSources<'a> {
    pub(crate) file: &'a Arc<FileState>,
    /// The virtual datasets on the way here.
    pub(crate) chain: Option<&'a Chain<'a>>,
}

impl Sources for FileSources<'_> {
    type Source = OpenSource;

    fn open(&self, names: &[SourceName]) -> Vec<Result<Option<OpenSource>>> {
        let mut by_file: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (number, name) in names.iter().enumerate() {
            by_file.entry(&name.file).or_default().push(number);
        }
        let groups: Vec<Vec<usize>> = by_file.into_values().collect();
        let opened: Vec<Mutex<Option<Result<Option<OpenSource>>>>> =
            names.iter().map(|_| Mutex::new(None)).collect();
        let open_group = |group: usize| {
            let numbers = groups.get(group).map(Vec::as_slice).unwrap_or_default();
            self.open_group(names, numbers, &opened);
            Ok(())
        };
        // Each group keeps its own errors, so this one has none.
        pool::each(0..groups.len(), groups.len() > 4, open_group).unwrap_or_default();
        opened.into_iter().map(|slot| slot.into_inner().unwrap_or(Ok(None))).collect()
    }
}

impl FileSources<'_> {
    /// Opens the sources numbered `numbers`, all of one file.
    fn open_group(
        &self,
        names: &[SourceName],
        numbers: &[usize],
        opened: &[Mutex<Option<Result<Option<OpenSource>>>>],
    ) {
        let mut file: Option<Arc<FileState>> = None;
        for (name, slot) in numbers.iter().filter_map(|number| names.get(*number).zip(opened.get(*number))) {
            let found = match &file {
                Some(file) => Ok(Some(Arc::clone(file))),
                None => find_file(self.file, &name.file).map(|found| found.map(|(file, _)| file)),
            };
            let source = match found {
                Ok(Some(found)) => {
                    file = Some(Arc::clone(&found));
                    open_dataset(&found, &name.path, self.chain).at(|| place(&found, &name.path))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            *slot.lock() = Some(source);
        }
    }
}

/// The paths at which the source file `name` is looked for.
pub(crate) fn paths(file: &FileState, name: &[u8]) -> Vec<PathBuf> {
    let origin = Origin { directory: &file.place.directory, resolved: file.place.resolved.as_deref() };
    let environment = std::env::var("HDF5_VDS_PREFIX").ok();
    candidates(origin, &file_path(name), file.options.prefix(), environment.as_deref())
}

/// The source file `name`, and where it was found; `None` when it is nowhere.
pub(crate) fn find_file(file: &Arc<FileState>, name: &[u8]) -> Result<Option<(Arc<FileState>, PathBuf)>> {
    if name == b"." {
        return Ok(Some((Arc::clone(file), file.place.path.clone())));
    }
    for path in paths(file, name) {
        if let Some(found) = open_files::open(&path, &file.options)? {
            return Ok(Some((found, path)));
        }
    }
    Ok(None)
}

/// The dataset at `path`; `None` when a name on the way is missing.
pub(crate) fn open_dataset(
    file: &Arc<FileState>,
    path: &[u8],
    chain: Option<&Chain<'_>>,
) -> Result<Option<OpenSource>> {
    if let Some(state) = file.kept_source(path) {
        return Ok(Some(OpenSource { file: Arc::clone(file), state, path: path.into() }));
    }
    let Some((owner, header)) = find_header(file, path)? else { return Ok(None) };
    if header.first(kind::DATASPACE).is_none() {
        return Err(Error::usage("is not a dataset"));
    }
    let state = Arc::new(DatasetState::open(&owner, &header, chain)?);
    if state.extent == Extent::Null {
        return Err(Error::usage("has a null dataspace, so it is no source"));
    }
    if Arc::ptr_eq(&owner, file) && !state.follows_sources() {
        file.keep_source(path, &state);
    }
    Ok(Some(OpenSource { file: owner, state, path: path.into() }))
}
