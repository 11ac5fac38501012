//! `vds rebase`: other names for the source files of virtual datasets.

use crate::opening;
use crate::output::{Failure, Outcome, Output};
use crate::target::Target;
use crate::virtuals::named_in;
use hyperslab::{Dataset, MappingStatus};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// Rewrites the names of the source files in virtual datasets, so that they are found after a move.
///
/// Names with a number in them (`%b`) are changed as text; others are looked for first. The datasets stay
/// what they are; their elements are not touched.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("how").required(true)))]
pub(crate) struct Arguments {
    /// Names relative to the directory of the file.
    #[arg(long, group = "how")]
    relative: bool,
    /// Names from the root directory on.
    #[arg(long, group = "how")]
    absolute: bool,
    /// NEW instead of OLD at the beginning of names.
    #[arg(long, group = "how", value_name = "OLD=NEW")]
    replace: Option<String>,
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
    let directory = std::path::absolute(&target.file)?;
    let directory = directory.parent().map(Path::to_path_buf).unwrap_or_default();
    for dataset in named_in(&file, &target, &arguments.target)? {
        rebase(arguments, &dataset, &directory, output)?;
    }
    Ok(file.close()?)
}

fn rebase(arguments: &Arguments, dataset: &Dataset, directory: &Path, output: &mut Output) -> Outcome {
    let Some(layout) = dataset.virtual_layout()? else { return Ok(()) };
    let found: HashMap<usize, MappingStatus> =
        dataset.mapping_status()?.into_iter().map(|status| (status.mapping, status)).collect();
    let (mut changed, mut missing) = (0, 0);
    let renamed = layout.with_files(|number, mapping| {
        let stored = mapping.file().into_owned();
        if stored == "." {
            return None;
        }
        let numbered = stored.replace("%%", "").contains("%b");
        let found = found.get(&number).and_then(|status| status.found.clone()).filter(|_| !numbered);
        missing += usize::from(found.is_none() && !numbered);
        let new = if let Some(rule) = &arguments.replace {
            replaced(&stored, rule)?
        } else {
            let path = found.map_or_else(|| directory.join(&stored), |path| escaped(&path));
            let path = normal(&std::path::absolute(&path).unwrap_or(path));
            if arguments.relative { relative(&path, directory) } else { path }.to_string_lossy().into_owned()
        };
        changed += usize::from(new != stored);
        (new != stored).then_some(new)
    })?;
    if changed > 0 && !arguments.dry_run {
        // The size of a dataset that grows with its sources is theirs to say; the stored one stays.
        dataset.set_virtual_layout(&renamed)?;
    }
    let verb = if arguments.dry_run { "would be renamed" } else { "renamed" };
    let count = layout.mappings().len();
    output.line(format!("{}: {changed} of {count} mappings {verb}", dataset.path()))?;
    if arguments.dry_run {
        for (old, new) in layout.mappings().iter().zip(renamed.mappings()).filter(|(old, new)| old != new) {
            output.line(format!("  {} -> {}", old.file(), new.file()))?;
        }
    }
    if missing > 0 {
        output.line(format!(
            "  {missing} mappings have sources that are not there; their names were taken as they are"
        ))?;
    }
    Ok(())
}

fn replaced(stored: &str, rule: &str) -> Option<String> {
    let (old, new) = rule.split_once('=')?;
    stored.strip_prefix(old).map(|rest| format!("{new}{rest}"))
}

/// A percent sign in a real name is two in a stored one.
fn escaped(path: &Path) -> PathBuf {
    PathBuf::from(path.to_string_lossy().replace('%', "%%"))
}

/// Without `.` and, where that needs no looking, `..`.
fn normal(path: &Path) -> PathBuf {
    let mut all = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(all.components().next_back(), Some(Component::Normal(_))) => {
                all.pop();
            }
            component => all.push(component),
        }
    }
    all
}

fn relative(path: &Path, directory: &Path) -> PathBuf {
    let common = path.components().zip(directory.components()).take_while(|(a, b)| a == b).count();
    let up = directory.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

/// Says that `--replace` needs both names.
pub(crate) fn check(arguments: &Arguments) -> Outcome {
    match &arguments.replace {
        Some(rule) if !rule.contains('=') => {
            Err(Failure::message(format!("--replace {rule}: OLD=NEW is expected")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{normal, relative, replaced};
    use std::path::Path;

    #[test]
    fn a_relative_name_goes_up_as_far_as_it_must() {
        let from = |path: &str| relative(Path::new(path), Path::new("/data/vds")).display().to_string();
        assert_eq!(from("/data/vds/a.h5"), "a.h5");
        assert_eq!(from("/data/raw/a.h5"), "../raw/a.h5");
        assert_eq!(normal(Path::new("/data/vds/../raw/./a.h5")), Path::new("/data/raw/a.h5"));
        assert_eq!(replaced("/old/a.h5", "/old=/new").as_deref(), Some("/new/a.h5"));
        assert_eq!(replaced("/else/a.h5", "/old=/new"), None);
    }
}
