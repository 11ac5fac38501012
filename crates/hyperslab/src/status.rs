//! What is wrong with the sources of a virtual dataset, and what a read of it lacks.

use crate::dataset::Dataset;
use crate::datatype::{Conversion, Datatype};
use crate::error::{Place, Result};
use crate::read;
use crate::sources::{OpenSource, find_file, open_dataset, paths};
use crate::space::{self, Extent, Selection};
use crate::vds::mapping::VirtualMapping;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// How one mapping of a virtual dataset stands.
#[derive(Clone, Debug)]
pub struct MappingStatus {
    /// Position in the list of mappings.
    pub mapping: usize,
    /// The source file as stored, numbers of blocks put in.
    pub file: String,
    /// The path of the source dataset.
    pub path: String,
    /// Where the file was looked for, in this order.
    pub tried: Vec<PathBuf>,
    /// Where the file is.
    pub found: Option<PathBuf>,
    /// What keeps the mapping from being read in full.
    pub problem: Option<Problem>,
}

/// What is wrong with a source.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such file.
    MissingFile,
    /// The file has no such dataset.
    MissingDataset,
    /// It exists but cannot be read; the message says why.
    Unreadable(String),
    /// Some mapped elements are outside of the source.
    TooShort {
        /// The least size that holds everything mapped, where that is known.
        needed: Vec<u64>,
        /// The size of the source.
        has: Vec<u64>,
    },
    /// The number of axes is another than the mapping says.
    Rank {
        /// Axes the mapping selects from.
        needed: usize,
        /// Axes of the source.
        has: usize,
    },
    /// Elements of the source cannot become elements of the virtual dataset.
    Datatype {
        /// The datatype of the source.
        source: Box<Datatype>,
        /// The datatype of the virtual dataset.
        wanted: Box<Datatype>,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MissingFile => f.write_str("the file does not exist"),
            Self::MissingDataset => f.write_str("the file has no such dataset"),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::TooShort { needed, has } => {
                write!(f, "too short: {needed:?} is mapped, the source has {has:?}")
            }
            Self::Rank { needed, has } => {
                write!(f, "the mapping selects from {needed} axes, the source has {has}")
            }
            Self::Datatype { source, wanted } => write!(f, "wrong type: {source} cannot become {wanted}"),
        }
    }
}

/// Where the file of a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name as stored, numbers of blocks put in.
    pub name: String,
    /// Where it was looked for, in this order; nowhere for the file of the virtual dataset itself.
    pub tried: Vec<PathBuf>,
    /// The path that is used.
    pub found: Option<PathBuf>,
    /// Why a file that is there cannot be used.
    pub problem: Option<String>,
}

/// What of a selection has no source.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    /// Selected elements that read as the fill value because no source has them.
    pub elements: u64,
    /// The mappings the selection meets that have a problem.
    pub mappings: Vec<MappingStatus>,
}

/// File and path of a source.
type Name = (Arc<[u8]>, Arc<[u8]>);
/// Where the file is, and the source in it.
type Opened = (Option<PathBuf>, Result<Option<OpenSource>, String>);

impl Dataset {
    /// How each mapping of a virtual dataset stands; numbered sources one by one, as far as the
    /// stored extent goes. Empty for any other dataset.
    ///
    /// # Errors
    /// `Malformed` when the list of mappings is broken.
    pub fn mapping_status(&self) -> Result<Vec<MappingStatus>> {
        self.status_of(&Selection::All)
    }

    /// What of `selection` has no source, and why.
    ///
    /// # Errors
    /// `Malformed` when the list of mappings is broken; as a read of `selection` would fail.
    pub fn gaps(&self, selection: &Selection) -> Result<Gaps> {
        let mut mappings = self.status_of(selection)?;
        mappings.retain(|status| status.problem.is_some());
        let elements = read::uncovered(self, selection).at(|| self.place())?;
        Ok(Gaps { elements, mappings })
    }

    /// Which path is used for each source file, every file once, in the order of the mappings; numbered ones as
    /// far as the dataset goes. Empty for any other dataset.
    ///
    /// ```no_run
    /// for source in hyperslab::File::open("run.h5")?.dataset("/data")?.resolve()? {
    ///     println!("{} is {:?}", source.name, source.found);
    /// }
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Malformed` when the list of mappings is broken.
    pub fn resolve(&self) -> Result<Vec<SourceFile>> {
        let Some(layout) = self.virtual_layout()? else { return Ok(Vec::new()) };
        if self.extent() == Extent::Null {
            return Ok(Vec::new());
        }
        let most = self.file.metadata().limits().touched_sources;
        let mut met = space::parts(&Selection::All, &self.shape())
            .and_then(|parts| layout.meeting(&parts, usize::MAX, most))
            .at(|| self.place())?;
        met.dedup_by_key(|met| (met.mapping, met.block));
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for met in met {
            let Some(mapping) = layout.mappings().get(met.mapping) else { continue };
            let (file, _) = mapping.names(met.block);
            if seen.insert(Arc::clone(&file)) {
                all.push(self.source_file(&file));
            }
        }
        Ok(all)
    }

    fn source_file(&self, name: &[u8]) -> SourceFile {
        let (found, problem) = match find_file(&self.file, self.access(), name) {
            Ok(found) => (found.map(|(_, path)| path), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let tried = paths(&self.file, self.access(), name);
        SourceFile { name: String::from_utf8_lossy(name).into_owned(), tried, found, problem }
    }

    fn status_of(&self, selection: &Selection) -> Result<Vec<MappingStatus>> {
        let Some(layout) = self.virtual_layout()? else { return Ok(Vec::new()) };
        if self.extent() == Extent::Null {
            return Ok(Vec::new());
        }
        let parts = space::parts(selection, &self.shape()).at(|| self.place())?;
        let mut met = layout
            .meeting(&parts, usize::MAX, self.file.metadata().limits().touched_sources)
            .at(|| self.place())?;
        met.dedup_by_key(|met| (met.mapping, met.block));
        let mut opened: HashMap<Name, Opened> = HashMap::new();
        let mut all = Vec::with_capacity(met.len());
        for met in met {
            let Some(mapping) = layout.mappings().get(met.mapping) else { continue };
            let (file, path) = mapping.names(met.block);
            let source =
                opened.entry((file, path)).or_insert_with_key(|(file, path)| self.open_source(file, path));
            let (file, path) = mapping.names(met.block);
            all.push(MappingStatus {
                mapping: met.mapping,
                file: String::from_utf8_lossy(&file).into_owned(),
                path: String::from_utf8_lossy(&path).into_owned(),
                tried: paths(&self.file, self.access(), &file),
                found: source.0.clone(),
                problem: self.problem(&mapping, met.block, source).at(|| self.place())?,
            });
        }
        Ok(all)
    }

    fn open_source(&self, file: &[u8], path: &Arc<[u8]>) -> Opened {
        match find_file(&self.file, self.access(), file) {
            Ok(Some((file, found))) => {
                let asked = self.asked();
                (Some(found), open_dataset(&file, path, asked).map_err(|error| error.to_string()))
            }
            Ok(None) => (None, Ok(None)),
            Err(error) => (None, Err(error.to_string())),
        }
    }

    fn problem(
        &self,
        mapping: &VirtualMapping,
        block: Option<u64>,
        opened: &Opened,
    ) -> Result<Option<Problem>> {
        let source = match opened {
            (_, Err(why)) => return Ok(Some(Problem::Unreadable(why.clone()))),
            (None, Ok(_)) => return Ok(Some(Problem::MissingFile)),
            (Some(_), Ok(None)) => return Ok(Some(Problem::MissingDataset)),
            (Some(_), Ok(Some(source))) => source,
        };
        let selection = mapping.source_selection();
        let has = source.state.extent.dims();
        if let Some(rank) = selection.rank().filter(|rank| *rank != has.len()) {
            return Ok(Some(Problem::Rank { needed: rank, has: has.len() }));
        }
        let datatype = &source.state.datatype;
        if Conversion::plan(datatype, self.datatype()).is_err() {
            let (source, wanted) = (Box::new(datatype.clone()), Box::new(self.datatype().clone()));
            return Ok(Some(Problem::Datatype { source, wanted }));
        }
        let needed = match selection.bounds(has)? {
            Some((_, last)) => last.iter().map(|last| last.saturating_add(1)).collect(),
            None => Vec::new(),
        };
        let outside = needed.iter().zip(has).any(|(needed, has)| needed > has);
        let wanted = mapping.virtual_block(block)?.count(&self.shape())?;
        let short = *selection == Selection::All && wanted > source.state.extent.count()?;
        if short {
            return Ok(Some(Problem::TooShort { needed: vec![wanted], has: has.to_vec() }));
        }
        Ok(outside.then(|| Problem::TooShort { needed, has: has.to_vec() }))
    }
}
