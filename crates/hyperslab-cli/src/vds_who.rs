//! `vds who`: which virtual datasets read from a file.

use crate::output::{Failure, Outcome, Output, warn};
use crate::target::Target;
use crate::virtuals::named;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Says which virtual datasets of FILEs read from SOURCE; status 1 if none does.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// A file, or one of its datasets.
    #[arg(value_name = "SOURCE[/PATH]")]
    source: String,
    /// Files with virtual datasets, or some of those.
    #[arg(required = true, value_name = "FILE[/PATH]")]
    files: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let source = Target::parse_expected(&arguments.source);
    let wanted = std::fs::canonicalize(&source.file)
        .map_err(|error| Failure::message(format!("{}: {error}", source.file.display())))?;
    let path = (source.path != "/").then_some(source.path.as_str());
    let mut any = false;
    for name in &arguments.files {
        let datasets = match named(name) {
            Ok(datasets) => datasets,
            Err(error) => {
                warn(&format!("{name}: {error}"));
                continue;
            }
        };
        for dataset in datasets {
            let mut users: BTreeMap<String, usize> = BTreeMap::new();
            for status in dataset.mapping_status()? {
                let found = status.found.or_else(|| status.tried.iter().find(|path| path.is_file()).cloned());
                let same = |found: PathBuf| std::fs::canonicalize(found).is_ok_and(|found| found == wanted);
                let at = format!("/{}", status.path.trim_start_matches('/'));
                if found.is_some_and(same) && path.is_none_or(|path| path == at) {
                    *users.entry(at).or_default() += 1;
                }
            }
            for (path, mappings) in users {
                any = true;
                let noun = if mappings == 1 { "mapping" } else { "mappings" };
                let file = dataset.file();
                let file = file.path().display();
                output.line(format!("{file}{}: {mappings} {noun} to {path}", dataset.path()))?;
            }
        }
    }
    if any {
        return Ok(());
    }
    output.line("none")?;
    Err(Failure::Told)
}
