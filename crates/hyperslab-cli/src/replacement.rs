//! [`Replacement`]: a file that takes its name only when it is whole.

use crate::output::{Failure, Outcome};
use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};

/// A file that is made beside the place it is for: whoever fails on the way leaves what was there.
#[derive(Debug)]
pub(crate) struct Replacement {
    place: PathBuf,
    aside: PathBuf,
    /// The file that goes, locked so that nobody begins to write it.
    old: Option<fs::File>,
}

impl Replacement {
    /// For the file at `place`; one that is there goes when `force` says so and nobody has it open.
    #[expect(clippy::disallowed_methods, reason = "what is replaced need not be HDF5")]
    pub(crate) fn begin(place: &Path, force: bool) -> Outcome<Self> {
        let refuse = |why: &str| Err(Failure::message(format!("{}: {why}", place.display())));
        if place.symlink_metadata().is_ok() && !force {
            return refuse("the file exists; --force replaces it");
        }
        // A link stays, and leads to the new file.
        let target = place.canonicalize().unwrap_or_else(|_| place.to_path_buf());
        let old = match fs::metadata(&target) {
            Err(_) => None,
            Ok(there) if !there.is_file() => return refuse("is no file that could be replaced"),
            Ok(there) if there.permissions().readonly() => return refuse("the file is read-only"),
            Ok(_) => Some(fs::File::open(&target)?),
        };
        match old.as_ref().map(fs::File::try_lock) {
            Some(Err(TryLockError::WouldBlock)) => return refuse("somebody has the file open"),
            Some(Err(TryLockError::Error(error))) if error.kind() != std::io::ErrorKind::Unsupported => {
                return Err(error.into());
            }
            _ => {}
        }
        let mut aside = target.clone().into_os_string();
        aside.push(format!(".new-{}", std::process::id()));
        Ok(Self { place: target, aside: aside.into(), old })
    }

    /// Where to make the file meanwhile.
    pub(crate) fn path(&self) -> &Path {
        &self.aside
    }

    /// Gives the finished file its name, and the permissions of the one that goes.
    pub(crate) fn finish(self) -> Outcome {
        match &self.old {
            Some(old) => fs::set_permissions(&self.aside, old.metadata()?.permissions())?,
            None if self.place.symlink_metadata().is_ok() => {
                let message =
                    format!("{}: the file exists by now; it was left as it is", self.place.display());
                return Err(Failure::message(message));
            }
            None => {}
        }
        Ok(fs::rename(&self.aside, &self.place)?)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After the end there is none; the error that led here is the one to tell.
        let _ = fs::remove_file(&self.aside);
    }
}
