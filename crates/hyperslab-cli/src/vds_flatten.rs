//! `vds flatten`: virtual datasets that read straight from where elements are stored.

use crate::opening;
use crate::output::{Outcome, Output};
use crate::target::Target;
use crate::virtuals::named_in;

/// Replaces mappings to virtual datasets by mappings to what those are made of.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Says what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// A file, or one of its virtual datasets.
    #[arg(value_name = "FILE[/PATH]")]
    target: String,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let target = Target::parse(&arguments.target);
    let file = opening::to_change(&target.file, arguments.dry_run)?;
    for dataset in named_in(&file, &target, &arguments.target)? {
        let before = dataset.virtual_layout()?.map_or(0, |layout| layout.mappings().len());
        let flat = dataset.flattened()?;
        if !arguments.dry_run {
            dataset.set_virtual_layout(&flat)?;
        }
        let after = flat.mappings().len();
        output.line(format!("{}: {before} mappings, {after} when flat", dataset.path()))?;
    }
    Ok(file.close()?)
}
