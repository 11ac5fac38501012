//! How the command opens files: which others they may name is said once, on the command line.

use hyperslab::{File, OpenOptions, SourcePolicy};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static POLICY: OnceLock<SourcePolicy> = OnceLock::new();

/// What `--sources` says: `tree`, `anywhere`, `none`, or directories with colons between them.
pub(crate) fn policy(text: &str) -> SourcePolicy {
    match text {
        "tree" => SourcePolicy::SameTree,
        "anywhere" => SourcePolicy::Anywhere,
        "none" => SourcePolicy::Nowhere,
        directories => SourcePolicy::Roots(directories.split(':').map(PathBuf::from).collect()),
    }
}

/// The policy from now on.
pub(crate) fn decide(policy: SourcePolicy) {
    // It is said once.
    let _known = POLICY.set(policy);
}

/// Opens a file to read.
pub(crate) fn file(path: impl AsRef<Path>) -> hyperslab::Result<File> {
    options().open(path)
}

/// Opens a file to change it; to read it only in a `dry_run`.
pub(crate) fn to_change(path: impl AsRef<Path>, dry_run: bool) -> hyperslab::Result<File> {
    if dry_run { file(path) } else { options().open_rw(path) }
}

/// How files are opened.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::new().sources(POLICY.get().cloned().unwrap_or(SourcePolicy::SameTree))
}

#[cfg(test)]
mod tests {
    use super::policy;
    use hyperslab::SourcePolicy;

    #[test]
    fn directories_are_separated_by_colons() {
        assert_eq!(policy("/a:b"), SourcePolicy::Roots(vec!["/a".into(), "b".into()]));
        assert_eq!(policy("anywhere"), SourcePolicy::Anywhere);
    }
}
