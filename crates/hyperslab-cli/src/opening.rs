//! How the command opens files: which others they may name is said once, on the command line.

use crate::output::{Failure, warn};
use hyperslab::{DatasetAccess, ExtentView, File, Limits, OpenOptions, SourcePolicy};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::OnceLock;

static OPTIONS: OnceLock<OpenOptions> = OnceLock::new();

/// How virtual datasets find and follow their sources.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Virtual datasets")]
pub(crate) struct Access {
    /// A directory in which their source files are looked for before that of the file; `${ORIGIN}` at its start
    /// is the directory of the file.
    #[arg(id = "vds-prefix", long = "vds-prefix", global = true, value_name = "DIR")]
    prefix: Option<String>,
    /// Where one ends that grows: at the `last` element any source has, at the `first` one that some source
    /// lacks, or where it ended when it was `stored`.
    #[arg(id = "vds-view", long = "vds-view", global = true, default_value = "last", value_name = "END")]
    view: View,
    /// How many numbered sources in a row may be missing before one that is there.
    #[arg(id = "vds-gap", long = "vds-gap", global = true, default_value_t = 0, value_name = "N")]
    gap: u64,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum View {
    Last,
    First,
    Stored,
}

impl Access {
    fn access(&self) -> DatasetAccess {
        let view = match self.view {
            View::Last => ExtentView::LastAvailable,
            View::First => ExtentView::FirstMissing,
            View::Stored => ExtentView::Stored,
        };
        let access = DatasetAccess::new().view(view).printf_gap(self.gap);
        match &self.prefix {
            Some(prefix) => access.vds_prefix(prefix),
            None => access,
        }
    }
}

/// What `--limit` says, each as a name and a number.
pub(crate) fn limits(all: &[String]) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    for text in all {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let value =
            value.parse().map_err(|_| Failure::Message(format!("--limit {text}: NAME=NUMBER expected")))?;
        limits.set(name, value)?;
    }
    Ok(limits)
}

/// How files are opened from now on.
pub(crate) fn decide(policy: SourcePolicy, limits: Limits, access: &Access) {
    // It is said once.
    let _known =
        OPTIONS.set(OpenOptions::new().sources(policy).limits(limits).dataset_access(access.access()));
}

/// Opens a file to read; one that somebody writes live is read as it is now.
pub(crate) fn file(path: impl AsRef<Path>) -> hyperslab::Result<File> {
    let path = path.as_ref();
    options().open(path).or_else(|error| {
        let marked = error.io_error().is_some_and(|error| error.kind() == ErrorKind::ResourceBusy);
        if marked { options().swmr(true).open(path).map_err(|_| error) } else { Err(error) }
    })
}

/// Says on standard error when a live file is where others may not see what is written.
pub(crate) fn warn_of_mount(file: &File) {
    if let Some(mount) = file.mount() {
        warn(&format!("{}: the file {}", file.path().display(), mount.caution()));
    }
}

/// Opens a file to change it; to read it only in a `dry_run`.
pub(crate) fn to_change(path: impl AsRef<Path>, dry_run: bool) -> hyperslab::Result<File> {
    if dry_run { file(path) } else { options().open_rw(path) }
}

/// How files are opened.
pub(crate) fn options() -> OpenOptions {
    OPTIONS.get().cloned().unwrap_or_else(|| OpenOptions::new().sources(SourcePolicy::SameTree))
}

#[cfg(test)]
mod tests {
    use super::limits;

    #[test]
    fn limits_are_given_by_name() {
        assert_eq!(limits(&["links=7".to_owned()]).unwrap().links, 7);
        assert!(limits(&["links".to_owned()]).is_err());
        assert!(limits(&["patience=7".to_owned()]).is_err());
    }
}
