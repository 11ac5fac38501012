//! [`SourcePolicy`]: which other files may be opened on behalf of a file.

use crate::error::{Error, Result};
use std::io;
use std::path::{Path, PathBuf};

/// Which other files may be opened on behalf of a file, for its virtual datasets, external links and
/// external raw data. Whatever the policy, only regular files are opened.
///
/// ```no_run
/// use hyperslab::{OpenOptions, SourcePolicy};
/// let file = OpenOptions::new().sources(SourcePolicy::SameTree).open("downloaded.h5")?;
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourcePolicy {
    /// Every file this program may read, as in h5py.
    #[default]
    Anywhere,
    /// Files in the directory of the file and below, wherever links lead.
    SameTree,
    /// Files in these directories and below, wherever links lead.
    Roots(Vec<PathBuf>),
    /// None but the file itself.
    Nowhere,
}

impl From<&str> for SourcePolicy {
    /// `anywhere`, `tree`, `none`, or directories with colons between them.
    fn from(text: &str) -> Self {
        match text {
            "anywhere" => Self::Anywhere,
            "tree" => Self::SameTree,
            "none" => Self::Nowhere,
            directories => Self::Roots(directories.split(':').map(PathBuf::from).collect()),
        }
    }
}

impl SourcePolicy {
    /// The same with absolute directories, for a file in `directory`.
    pub(crate) fn settled(&self, directory: &Path) -> Self {
        let real = |root: &Path| std::fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
        match self {
            // A file in memory is in no directory.
            Self::SameTree if directory.as_os_str().is_empty() => Self::Nowhere,
            Self::SameTree => Self::Roots(vec![real(directory)]),
            Self::Roots(roots) => Self::Roots(roots.iter().map(|root| real(root)).collect()),
            Self::Anywhere | Self::Nowhere => self.clone(),
        }
    }
}

/// A search for a file under a policy: what is not permitted is passed over, and remembered.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    policy: &'a SourcePolicy,
    refused: Option<PathBuf>,
}

impl<'a> Search<'a> {
    pub(crate) fn under(policy: &'a SourcePolicy) -> Self {
        Self { policy, refused: None }
    }

    /// Whether the file at `path` may be opened; not when there is none.
    pub(crate) fn permits(&mut self, path: &Path) -> Result<bool> {
        let roots = match self.policy {
            SourcePolicy::Anywhere => return Ok(true),
            SourcePolicy::Roots(roots) => roots.as_slice(),
            SourcePolicy::SameTree | SourcePolicy::Nowhere => &[],
        };
        let real = match std::fs::canonicalize(path) {
            _ if roots.is_empty() => path.to_path_buf(),
            Ok(real) => real,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            Err(error) => {
                return Err(Error::io("cannot open the file", error).at(path.display()));
            }
        };
        let inside = roots.iter().any(|root| real.starts_with(root));
        if !inside && self.refused.is_none() {
            self.refused = Some(path.to_path_buf());
        }
        Ok(inside)
    }

    /// Whether a file may be made at `path`; not when there is no directory for it.
    pub(crate) fn permits_new(&mut self, path: &Path) -> Result<bool> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(directory.is_dir() && self.permits(directory)?)
    }

    /// Fails when nothing was found because of the policy.
    pub(crate) fn finish(&self) -> Result<()> {
        let Some(refused) = &self.refused else { return Ok(()) };
        let allowed = match self.policy {
            SourcePolicy::Roots(roots) => {
                let roots: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
                format!("only files in {} may be opened on behalf of this one", roots.join(", "))
            }
            _ => "no file may be opened on behalf of this one".to_owned(),
        };
        let cause = io::Error::new(io::ErrorKind::PermissionDenied, allowed);
        Err(Error::io("refused by the policy for sources", cause).at(refused.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Search, SourcePolicy};
    use crate::file::File;
    use std::path::Path;

    #[test]
    fn a_tree_holds_what_is_really_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir_all(tree.join("sub")).unwrap();
        for file in ["tree/a", "tree/sub/b", "c"] {
            File::create(folder.path().join(file)).unwrap().close().unwrap();
        }
        std::os::unix::fs::symlink("../c", tree.join("link")).unwrap();
        let policy = SourcePolicy::SameTree.settled(&tree);
        let permits = |path: &Path| Search::under(&policy).permits(path).unwrap();
        assert!(permits(&tree.join("a")) && permits(&tree.join("sub/b")));
        assert!(
            !permits(&tree.join("../c")) && !permits(&tree.join("link")) && !permits(&tree.join("missing"))
        );
        let mut search = Search::under(&policy);
        assert!(!search.permits(&tree.join("missing")).unwrap());
        assert!(search.finish().is_ok());
        assert!(!search.permits(&tree.join("link")).unwrap());
        let refusal = search.finish().unwrap_err();
        assert!(refusal.to_string().contains("link: refused by the policy"), "{refusal}");
    }

    #[test]
    fn nowhere_refuses_without_looking() {
        let mut search = Search::under(&SourcePolicy::Nowhere);
        assert!(!search.permits(Path::new("/nonexistent")).unwrap());
        assert!(search.finish().is_err());
        assert_eq!(SourcePolicy::SameTree.settled(Path::new("")), SourcePolicy::Nowhere);
    }
}
