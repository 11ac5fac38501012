//! [`Sources`]: opening the datasets a virtual dataset is made of, and where their files may be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::limits::Limits;

/// A source as named by a mapping, block numbers put in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SourceName {
    pub(crate) file: Arc<[u8]>,
    pub(crate) path: Arc<[u8]>,
}

impl std::fmt::Display for SourceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", String::from_utf8_lossy(&self.file), String::from_utf8_lossy(&self.path))
    }
}

/// Opens sources; files are kept open between reads by whoever implements this.
pub(crate) trait Sources {
    /// A dataset that was opened.
    type Source: Source;

    /// Opens each of `names`, all different; `None` for one that does not exist.
    fn open(&self, names: &[SourceName]) -> Vec<Result<Option<Self::Source>>>;

    /// How much may be asked for.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Told of a source that a mapping needs and that does not exist; may say that this is an error.
    fn missing(&self, _mapping: usize, _name: &SourceName) -> Result<()> {
        Ok(())
    }
}

/// An open source dataset.
pub(crate) trait Source: Clone {
    /// Its current size.
    fn dims(&self) -> &[u64];
}

/// Where the file of a virtual dataset is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The absolute directory of the path it was opened by.
    pub(crate) directory: &'a Path,
    /// The directory of the file itself, when that path led through a symbolic link.
    pub(crate) resolved: Option<&'a Path>,
}

/// The paths at which a source file may be, in the order they are to be tried.
///
/// `prefix` is that of this open, `environment` the value of `HDF5_VDS_PREFIX`; `${ORIGIN}` at the start
/// of a directory in either is the directory of the virtual dataset's file.
pub(crate) fn candidates(
    origin: Origin<'_>,
    name: &Path,
    prefix: Option<&str>,
    environment: Option<&str>,
) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    let mut name = name;
    if name.is_absolute() {
        all.push(name.to_path_buf());
        let Some(last) = name.file_name() else { return all };
        name = Path::new(last);
    }
    let separator = if cfg!(windows) { ';' } else { ':' };
    let directories = environment.unwrap_or("").split(separator).filter(|directory| !directory.is_empty());
    let prefix = prefix.filter(|prefix| !prefix.is_empty() && *prefix != ".");
    all.extend(directories.chain(prefix).map(|directory| expanded(directory, origin.directory).join(name)));
    all.push(origin.directory.join(name));
    all.push(name.to_path_buf());
    all.extend(origin.resolved.map(|resolved| resolved.join(name)));
    let mut seen = Vec::with_capacity(all.len());
    for path in all {
        if !seen.contains(&path) {
            seen.push(path);
        }
    }
    seen
}

/// A stored file name as a path.
pub(crate) fn file_path(name: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(name))
    }
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(name).into_owned())
    }
}

fn expanded(directory: &str, origin: &Path) -> PathBuf {
    match directory.strip_prefix("${ORIGIN}") {
        Some(rest) => origin.join(rest.trim_start_matches('/')),
        None => PathBuf::from(directory),
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, candidates};
    use std::path::Path;

    fn tried(name: &str, prefix: Option<&str>, environment: Option<&str>) -> Vec<String> {
        let origin = Origin { directory: Path::new("/vds"), resolved: Some(Path::new("/real")) };
        candidates(origin, Path::new(name), prefix, environment)
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn a_relative_name_is_tried_beside_the_file_and_then_here() {
        assert_eq!(tried("sub/a.h5", None, None), ["/vds/sub/a.h5", "sub/a.h5", "/real/sub/a.h5"]);
    }

    #[test]
    fn an_absolute_name_is_tried_and_then_its_last_part() {
        assert_eq!(tried("/data/a.h5", Some("."), None), ["/data/a.h5", "/vds/a.h5", "a.h5", "/real/a.h5"]);
    }

    #[test]
    fn the_environment_comes_before_the_prefix_and_both_know_their_origin() {
        assert_eq!(
            tried("a.h5", Some("${ORIGIN}/p"), Some("x::${ORIGIN}/y:")),
            ["x/a.h5", "/vds/y/a.h5", "/vds/p/a.h5", "/vds/a.h5", "a.h5", "/real/a.h5"]
        );
    }
}
