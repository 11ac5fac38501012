//! `status`: who has a file, and whether its writer is gone.

use crate::output::{Outcome, Output};
use hyperslab::{FileStatus, HeldLock, Holder};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Who has a file open, what marks a writer left in it, and how far its contents go.
///
/// No lock is taken, so nobody is disturbed. Programs of other users or in other containers may not be seen.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// JSON.
    #[arg(long)]
    json: bool,
    /// Leaves out how far the contents go, for which the whole file is looked at.
    #[arg(long)]
    quick: bool,
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let status = hyperslab::status(&arguments.file)?;
    let reach = (!arguments.quick).then(|| status.reach());
    if arguments.json {
        return output.json(&as_json(&status, reach.as_ref()));
    }
    output.line(format!("{}: {}", arguments.file.display(), condition(&status)))?;
    output.line(format!("  superblock         version {}", status.superblock_version))?;
    output.line(format!("  marks              {}", marks(status.flags)))?;
    output.line(format!("  writer             {}", writer(&status)))?;
    output.line(format!("  locks              {}", locks(&status.holders)))?;
    output.line(format!("  end of allocation  {}", status.end_of_allocation))?;
    output.line(format!("  file size          {}", status.size))?;
    match reach {
        Some(Ok(reach)) => output.line(format!("  contents end at    {reach}"))?,
        Some(Err(error)) => output.line(format!("  contents end at    unknown: {error}"))?,
        None => {}
    }
    match status.mount {
        Some(mount) => output.line(format!("  caution            the file {}", mount.caution())),
        None => Ok(()),
    }
}

/// What is the matter with the file, in one word or two.
fn condition(status: &FileStatus) -> &'static str {
    if status.is_orphan() {
        "its writer is gone; `hyperslab recover` makes it whole"
    } else if status.is_live() {
        "live"
    } else if status.is_marked() {
        "being written"
    } else if status.size < status.end_of_allocation {
        "truncated"
    } else {
        "closed"
    }
}

/// The marks of a superblock in words.
pub(crate) fn marks(flags: u8) -> String {
    match flags {
        0 => "none".to_owned(),
        1 => "1, open to write".to_owned(),
        5 => "5, open for SWMR writing".to_owned(),
        other => other.to_string(),
    }
}

fn writer(status: &FileStatus) -> String {
    let writers: Vec<String> = status.holders.iter().filter(|holder| holder.writes).map(named).collect();
    match (status.writer_alive, writers.is_empty()) {
        (true, true) => "alive".to_owned(),
        (true, false) => format!("alive: {}", writers.join(", ")),
        (false, true) => "none".to_owned(),
        (false, false) => writers.join(", "),
    }
}

fn locks(holders: &[Holder]) -> String {
    let held = holders.iter().filter_map(|holder| Some(format!("{} {}", kind(holder.lock?), named(holder))));
    let held: Vec<String> = held.collect();
    if held.is_empty() { "none".to_owned() } else { held.join(", ") }
}

fn kind(lock: HeldLock) -> &'static str {
    match lock {
        HeldLock::Shared => "shared by",
        HeldLock::Exclusive => "exclusive to",
    }
}

fn named(holder: &Holder) -> String {
    format!("process {} ({})", holder.process, holder.program)
}

fn as_json(status: &FileStatus, reach: Option<&hyperslab::Result<u64>>) -> Value {
    let holders: Vec<Value> = status
        .holders
        .iter()
        .map(|holder| {
            let lock = holder.lock.map(|lock| match lock {
                HeldLock::Shared => "shared",
                HeldLock::Exclusive => "exclusive",
            });
            json!({"process": holder.process, "program": holder.program, "writes": holder.writes, "lock": lock})
        })
        .collect();
    json!({
        "superblock_version": status.superblock_version,
        "flags": status.flags,
        "orphan": status.is_orphan(),
        "writer_alive": status.writer_alive,
        "holders": holders,
        "end_of_allocation": status.end_of_allocation,
        "size": status.size,
        "reach": reach.and_then(|reach| reach.as_ref().ok()),
        "unreachable": reach.and_then(|reach| reach.as_ref().err()).map(ToString::to_string),
        "caution": status.mount.map(hyperslab::Mount::caution),
    })
}
