//! `rm`: links removed, and with the last link to it the object.

use crate::output::{Failure, Outcome};
use crate::target::Target;
use hyperslab::File;
use std::path::PathBuf;

/// Removes groups, datasets and links from files.
///
/// An object that has other hard links stays reachable by those. The file does not become smaller: its
/// space is used for what is written next, and `hyperslab repack` gives it back.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// What to remove: `run.h5/entry/data` or `run.h5::/entry/data`.
    #[arg(required = true, value_name = "FILE/PATH")]
    targets: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let targets: Vec<Target> = arguments.targets.iter().map(|target| Target::parse(target)).collect();
    for (target, written) in targets.iter().zip(&arguments.targets) {
        if target.path == "/" {
            let message = if target.file.is_file() {
                format!("{written}: which object of the file? Write FILE/PATH; the file itself stays")
            } else {
                format!("{written}: there is no such file")
            };
            return Err(Failure::message(message));
        }
    }
    let mut files: Vec<PathBuf> = targets.iter().map(|target| target.file.clone()).collect();
    files.sort();
    files.dedup();
    for path in files {
        let file = File::open_rw(&path)?;
        let root = file.root()?;
        for target in targets.iter().filter(|target| target.file == path) {
            root.unlink(&target.path)?;
        }
        drop(root);
        file.close()?;
    }
    Ok(())
}
