//! The sources of virtual datasets: found, opened, and guarded against circles.

use crate::dataset::{DatasetCell, DatasetState, Elements};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::file_state::FileState;
use crate::format::bytes::Address;
use crate::format::object_header::kind;
use crate::group::find_header;
use crate::layout::pool;
use crate::limits::Limits;
use crate::location::place;
use crate::missing_sources::MissingSource;
use crate::open_files;
use crate::source_policy::Search;
use crate::space::Extent;
use crate::vds::access::DatasetAccess;
use crate::vds::extent::resolve;
use crate::vds::source::{Origin, Source, SourceName, Sources, candidates, file_path};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A dataset that a virtual one reads from, open.
#[derive(Clone, Debug)]
pub(crate) struct OpenSource {
    pub(crate) file: Arc<FileState>,
    pub(crate) state: Arc<DatasetState>,
    /// In a file that is written: what tells whether the state is still that of the dataset.
    pub(crate) cell: Option<Arc<DatasetCell>>,
    /// Empty for the dataset a read was asked of.
    pub(crate) path: Arc<[u8]>,
}

impl Source for OpenSource {
    fn dims(&self) -> &[u64] {
        self.state.extent.dims()
    }
}

impl OpenSource {
    /// Whether the dataset was changed since it was opened.
    pub(crate) fn is_outdated(&self) -> bool {
        let changed = |cell: &Arc<DatasetCell>| !Arc::ptr_eq(&cell.state(), &self.state);
        !matches!(self.state.elements, Elements::Virtual(_)) && self.cell.as_ref().is_some_and(changed)
    }

    /// The place of errors: nothing for the dataset that was asked for, whose name is added outside.
    pub(crate) fn place(&self) -> String {
        if self.path.is_empty() { "its elements".to_owned() } else { place(&self.file, &self.path) }
    }
}

/// Who wants to know of a virtual dataset.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// A handle on it, which last looked at the sources at that time.
    By(&'a DatasetAccess, u64),
    /// A virtual dataset it is a source of.
    Within(&'a Chain<'a>),
}

/// The virtual datasets on the way from the one asked for to a source.
pub(crate) struct Chain<'a> {
    parent: Option<&'a Self>,
    depth: usize,
    /// Of the whole read.
    opened: Arc<AtomicUsize>,
    file: Arc<FileState>,
    address: Address,
    access: DatasetAccess,
    epoch: u64,
}

/// When a handle was last told to look at what others write, on a clock of this program.
#[derive(Debug, Default)]
pub(crate) struct Epoch(AtomicU64);

static EPOCHS: AtomicU64 = AtomicU64::new(0);

impl Epoch {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Now.
    pub(crate) fn renew(&self) {
        let now = EPOCHS.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        self.0.fetch_max(now, Ordering::AcqRel);
    }

    /// The present: what is read from now on is new enough for every handle that was told to look until now.
    pub(crate) fn now() -> u64 {
        EPOCHS.load(Ordering::Acquire)
    }
}

impl Asked<'_> {
    fn access(&self) -> &DatasetAccess {
        match self {
            Self::By(access, _) => access,
            Self::Within(chain) => chain.access(),
        }
    }

    fn epoch(&self) -> u64 {
        match self {
            Self::By(_, epoch) => *epoch,
            Self::Within(chain) => chain.epoch,
        }
    }
}

impl<'a> Chain<'a> {
    pub(crate) fn enter(file: &Arc<FileState>, address: Address, asked: Asked<'a>) -> Result<Self> {
        let (parent, access, epoch) = match asked {
            Asked::By(access, epoch) => (None, access.clone(), epoch),
            Asked::Within(chain) => (Some(chain), chain.access.inherited(), chain.epoch),
        };
        let limits = file.metadata().limits();
        let depth = parent.map_or(1, |parent| parent.depth + 1);
        if depth as u64 > limits.nesting {
            let what = format!("virtual datasets are nested more than {} deep", limits.nesting);
            return Err(Limits::refuse("nesting", what));
        }
        let opened = parent.map_or_else(Arc::default, |parent| Arc::clone(&parent.opened));
        // A few nested ones that each read the next twice would otherwise multiply without end.
        if depth > 2 && opened.fetch_add(1, Ordering::Relaxed) as u64 >= limits.nested_datasets {
            let what =
                format!("more than {} virtual datasets within others are needed", limits.nested_datasets);
            return Err(Limits::refuse("nested_datasets", what));
        }
        let mut above = parent;
        while let Some(chain) = above {
            if chain.address == address && chain.file.is_same(file) {
                return Err(Error::malformed("the virtual dataset is, in the end, a source of itself"));
            }
            above = chain.parent;
        }
        Ok(Self { parent, depth, opened, file: Arc::clone(file), address, access, epoch })
    }

    /// Whether a virtual dataset reads from this one.
    pub(crate) fn is_nested(&self) -> bool {
        self.parent.is_some()
    }

    pub(crate) fn access(&self) -> &DatasetAccess {
        &self.access
    }

    /// The file of the dataset that was asked for, whose options decide.
    fn asked(&self) -> &Arc<FileState> {
        let mut chain = self;
        while let Some(parent) = chain.parent {
            chain = parent;
        }
        &chain.file
    }
}

/// A virtual dataset that grows with its sources, at the size they give it now.
pub(crate) fn follow(
    file: &Arc<FileState>,
    state: &Arc<DatasetState>,
    asked: Asked<'_>,
) -> Result<Arc<DatasetState>> {
    let Elements::Virtual(layout) = &state.elements else { return Ok(Arc::clone(state)) };
    if !layout.is_unlimited() || asked.access().is_stored() {
        return Ok(Arc::clone(state));
    }
    let chain = Chain::enter(file, state.address, asked)?;
    Ok(match resolve(layout, chain.access(), &FileSources { file, chain: &chain })? {
        Some(resolved) => Arc::new(state.with_layout(Arc::new(layout.resolved(resolved)))),
        None => Arc::clone(state),
    })
}

/// Opens the sources of the virtual datasets of one file.
pub(crate) struct FileSources<'a> {
    pub(crate) file: &'a Arc<FileState>,
    /// The virtual datasets on the way here, this one included.
    pub(crate) chain: &'a Chain<'a>,
}

impl Sources for FileSources<'_> {
    type Source = OpenSource;

    fn limits(&self) -> Limits {
        self.chain.file.metadata().limits()
    }

    fn open(&self, names: &[SourceName]) -> Vec<Result<Option<OpenSource>>> {
        let opened: Vec<Slot> = names.iter().map(|_| Mutex::new(None)).collect();
        self.open_groups(names, &opened);
        opened.into_iter().map(|slot| slot.into_inner().unwrap_or(Ok(None))).collect()
    }

    fn missing(&self, mapping: usize, name: &SourceName) -> Result<()> {
        self.chain.asked().options.missing().found(|| MissingSource {
            file: self.file.place.path.clone(),
            dataset: self.chain.address.0,
            mapping,
            source_file: String::from_utf8_lossy(&name.file).into_owned(),
            source_path: String::from_utf8_lossy(&name.path).into_owned(),
            tried: paths(self.file, self.chain.access(), &name.file),
        })
    }
}

/// Where a source goes that is opened by some thread.
type Slot = Mutex<Option<Result<Option<OpenSource>>>>;

impl FileSources<'_> {
    /// Opens the sources of each file together, of several files at once.
    fn open_groups(&self, names: &[SourceName], opened: &[Slot]) {
        let mut by_file: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (number, name) in names.iter().enumerate() {
            by_file.entry(&name.file).or_default().push(number);
        }
        let groups: Vec<Vec<usize>> = by_file.into_values().collect();
        let open_group = |group: usize| {
            let numbers = groups.get(group).map(Vec::as_slice).unwrap_or_default();
            self.open_group(names, numbers, opened);
            Ok(())
        };
        // Each group keeps its own errors, so this one has none.
        pool::each(0..groups.len(), groups.len() > 4, open_group).unwrap_or_default();
    }

    /// Opens the sources numbered `numbers`, all of one file.
    fn open_group(&self, names: &[SourceName], numbers: &[usize], opened: &[Slot]) {
        let mut file: Option<Arc<FileState>> = None;
        for (name, slot) in numbers.iter().filter_map(|number| names.get(*number).zip(opened.get(*number))) {
            let found = if let Some(file) = &file {
                Ok(Some(Arc::clone(file)))
            } else {
                let found = find_file(self.file, self.chain.access(), &name.file);
                found.map(|found| found.map(|(file, _)| file))
            };
            let source = match found {
                Ok(Some(found)) => {
                    file = Some(Arc::clone(&found));
                    open_dataset(&found, &name.path, Asked::Within(self.chain))
                        .at(|| place(&found, &name.path))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            *slot.lock() = Some(self.forgiven(source));
        }
        if let Some(file) = file.filter(|file| !Arc::ptr_eq(file, self.file)) {
            // What was looked at is known by now, and there may be thousands of files.
            file.metadata().forget_pages();
        }
    }

    /// The same, but nothing instead of a refusal of the operating system when that is wanted.
    fn forgiven(&self, source: Result<Option<OpenSource>>) -> Result<Option<OpenSource>> {
        match source {
            Err(error) if error.kind() == ErrorKind::Io && self.chain.asked().options.fills_unreadable() => {
                Ok(None)
            }
            source => source,
        }
    }
}

/// The paths at which the source file `name` is looked for.
pub(crate) fn paths(file: &FileState, access: &DatasetAccess, name: &[u8]) -> Vec<PathBuf> {
    if name == b"." {
        return Vec::new();
    }
    let origin = Origin { directory: &file.place.directory, resolved: file.place.resolved.as_deref() };
    let environment = std::env::var("HDF5_VDS_PREFIX").ok();
    let prefix = access.prefix().or_else(|| file.options.prefix());
    candidates(origin, &file_path(name), prefix, environment.as_deref())
}

/// The source file `name`, and where it was found; `None` when it is nowhere.
pub(crate) fn find_file(
    file: &Arc<FileState>,
    access: &DatasetAccess,
    name: &[u8],
) -> Result<Option<(Arc<FileState>, PathBuf)>> {
    if name == b"." {
        return Ok(Some((Arc::clone(file), file.place.path.clone())));
    }
    let mut search = Search::under(file.options.source_policy());
    for path in paths(file, access, name) {
        if search.permits(&path)?
            && let Some(found) = open_files::open(&path, file)?
        {
            return Ok(Some((found, path)));
        }
    }
    search.finish().map(|()| None)
}

/// The dataset at `path`; `None` when a name on the way is missing.
pub(crate) fn open_dataset(
    file: &Arc<FileState>,
    path: &Arc<[u8]>,
    asked: Asked<'_>,
) -> Result<Option<OpenSource>> {
    let name = Arc::clone(path);
    if let Some(state) = file.kept_source(path, asked.epoch()) {
        return Ok(Some(OpenSource { file: Arc::clone(file), state, cell: None, path: name }));
    }
    let now = Epoch::now();
    let Some((owner, state, cell)) = file.attempt(|| stored_dataset(file, path))? else { return Ok(None) };
    if Arc::ptr_eq(&owner, file) && !state.follows_sources() {
        file.keep_source(path, &state, now);
    }
    let state = follow(&owner, &state, asked)?;
    Ok(Some(OpenSource { file: owner, state, cell, path: name }))
}

/// A dataset as its header says, its file, and in a file that is written what tells of changes.
type Found = (Arc<FileState>, Arc<DatasetState>, Option<Arc<DatasetCell>>);

fn stored_dataset(file: &Arc<FileState>, path: &[u8]) -> Result<Option<Found>> {
    let found = {
        let _reading = file.reading()?;
        find_header(file, path)?
    };
    let Some((owner, header)) = found else { return Ok(None) };
    if header.first(kind::DATASPACE).is_none() {
        return Err(Error::usage("is not a dataset"));
    }
    let (state, cell) = {
        let _reading = owner.reading()?;
        let cell = owner.dataset_cell(header.address, || DatasetState::open(&owner, &header))?;
        (cell.state(), owner.is_writable().then_some(cell))
    };
    if state.extent == Extent::Null {
        return Err(Error::usage("has a null dataspace, so it is no source"));
    }
    Ok(Some((owner, state, cell)))
}
