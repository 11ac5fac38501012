//! `vds check`: can every source of every virtual dataset be read?

use crate::output::{Failure, Outcome, Output};
use crate::progress;
use crate::virtuals::named;
use hyperslab::{Dataset, Problem};
use std::collections::{BTreeMap, BTreeSet};

/// Says how many sources can be read, and what is wrong with the others; status 1 if any cannot.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Tells which path is used for each source file.
    #[arg(long)]
    paths: bool,
    /// A file, or one of its virtual datasets.
    #[arg(value_name = "FILE[/PATH]")]
    target: String,
}

/// What is wrong with a source, and in which mappings.
type Problems = BTreeMap<(String, String), BTreeSet<usize>>;

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let datasets = named(&arguments.target)?;
    if datasets.is_empty() {
        return output.line("no virtual datasets");
    }
    let bar = progress::bar(datasets.len() as u64, "checking");
    let mut sound = true;
    for dataset in &datasets {
        sound &= check(dataset, output)?;
        if arguments.paths {
            paths(dataset, output)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if sound { Ok(()) } else { Err(Failure::Told) }
}

fn check(dataset: &Dataset, output: &mut Output) -> Outcome<bool> {
    let mut sources = BTreeSet::new();
    let mut broken = BTreeSet::new();
    let mut problems = Problems::new();
    let mut nowhere = BTreeMap::new();
    let mut refused = false;
    for status in dataset.mapping_status()? {
        let source = (status.file.clone(), status.path.clone());
        if let Some(problem) = &status.problem {
            broken.insert(source.clone());
            let cause = format!("{}: {problem}", status.path);
            refused |= cause.contains("refused by the policy for sources");
            if matches!(problem, Problem::MissingFile) {
                nowhere.insert(status.file.clone(), status.tried.clone());
            }
            problems.entry((status.file.clone(), cause)).or_default().insert(status.mapping);
        }
        sources.insert(source);
    }
    let reachable = sources.len() - broken.len();
    output.line(format!("{}: {reachable} of {} sources reachable", dataset.path(), sources.len()))?;
    let missing_files = !nowhere.is_empty();
    let mut before = None;
    for ((file, cause), mappings) in &problems {
        if before != Some(file) {
            output.line(format!("  {file}"))?;
            before = Some(file);
        }
        output.line(format!("    {cause} ({})", listed(mappings)))?;
        if let Some(tried) = nowhere.remove(file) {
            let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
            output.line(format!("    looked for {}", tried.join(", ")))?;
        }
    }
    if refused {
        output.line("  --sources DIR or --sources anywhere allows more")?;
    }
    if missing_files {
        output.line("  if the files are elsewhere: --vds-prefix DIR looks there first, `vds rebase` stores other names")?;
    }
    Ok(problems.is_empty())
}

/// Each source file, and where it is.
fn paths(dataset: &Dataset, output: &mut Output) -> Outcome {
    for source in dataset.resolve()? {
        let found = match (&source.found, &source.problem) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(problem)) => problem.clone(),
            (None, None) => "not found".to_owned(),
        };
        output.line(format!("  {} -> {found}", source.name))?;
    }
    Ok(())
}

/// `mapping 3`, `mappings 0 to 4, 7`.
fn listed(mappings: &BTreeSet<usize>) -> String {
    const SHOWN: usize = 8;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for index in mappings {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let run = |(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    let mut text: Vec<String> = runs.iter().take(SHOWN).map(run).collect();
    if runs.len() > SHOWN {
        text.push("...".to_owned());
    }
    let noun = if mappings.len() == 1 { "mapping" } else { "mappings" };
    format!("{noun} {}", text.join(", "))
}

#[cfg(test)]
mod tests {
    use super::listed;
    use std::collections::BTreeSet;

    #[test]
    fn mappings_that_follow_each_other_are_one_run() {
        assert_eq!(listed(&BTreeSet::from([3])), "mapping 3");
        assert_eq!(listed(&BTreeSet::from([0, 1, 2, 3, 7])), "mappings 0 to 3, 7");
    }
}
