//! [`MissingSources`]: what a read does about sources of virtual datasets that do not exist.

use crate::error::{Error, Result};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What a read does when a source of a virtual dataset does not exist.
///
/// ```no_run
/// use hyperslab::{MissingSources, OpenOptions};
/// let warn = MissingSources::warn(|missing| eprintln!("warning: {missing}"));
/// let file = OpenOptions::new().missing_sources(warn).open("run.h5")?;
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum MissingSources {
    /// Its elements read as the fill value.
    #[default]
    Fill,
    /// The same, and whoever is here is told, once for each source and read.
    Warn(Arc<dyn Fn(&MissingSource) + Send + Sync>),
    /// The read fails.
    Error,
}

/// A source that a read needed and that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSource {
    /// The file of the virtual dataset.
    pub file: PathBuf,
    /// The address of the virtual dataset's header.
    pub dataset: u64,
    /// The position of a mapping that needs the source.
    pub mapping: usize,
    /// The source file as the mapping names it.
    pub source_file: String,
    /// The path of the source dataset.
    pub source_path: String,
    /// Where the file was looked for, in this order.
    pub tried: Vec<PathBuf>,
}

impl MissingSources {
    /// Tells `warn` of each source that is missing.
    pub fn warn(warn: impl Fn(&MissingSource) + Send + Sync + 'static) -> Self {
        Self::Warn(Arc::new(warn))
    }

    pub(crate) fn found(&self, missing: impl FnOnce() -> MissingSource) -> Result<()> {
        match self {
            Self::Fill => Ok(()),
            Self::Warn(warn) => {
                warn(&missing());
                Ok(())
            }
            Self::Error => {
                let missing = missing();
                Err(Error::not_found(format!("the source does not exist{}", missing.places())))
            }
        }
    }
}

impl MissingSource {
    fn places(&self) -> String {
        if self.tried.is_empty() {
            return String::new();
        }
        let tried: Vec<String> = self.tried.iter().map(|path| path.display().to_string()).collect();
        format!("; looked for {}", tried.join(", "))
    }
}

impl fmt::Display for MissingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, mapping, source_file, source_path, .. } = self;
        write!(f, "{}: mapping {mapping} ({source_file}:{source_path}): ", file.display())?;
        write!(f, "the source does not exist{}", self.places())
    }
}

impl fmt::Debug for MissingSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fill => "Fill",
            Self::Warn(_) => "Warn",
            Self::Error => "Error",
        })
    }
}
