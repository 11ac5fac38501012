//! `recover`: a file made whole whose writer died.

use crate::output::{Failure, Outcome, Output};
use crate::status::marks;
use hyperslab::{RecoverOptions, Recovery};
use serde_json::json;
use std::path::PathBuf;

/// Makes files whole whose writer died, so that every HDF5 library opens them again.
///
/// All that the writer had flushed is kept, also in files of libhdf5, where `h5clear -s` alone would cut it off.
/// Everything in the file is looked at; what is broken is told, and the exit status is 1 then. A file that
/// somebody has open is left alone.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Tells what would be done, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Keeps bytes at the end to which nothing leads.
    #[arg(long)]
    keep_tail: bool,
    /// Goes on although a program that holds no lock has the file open to write.
    #[arg(long)]
    force: bool,
    /// JSON, one object for each file.
    #[arg(long)]
    json: bool,
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let options = RecoverOptions::new()
        .dry_run(arguments.dry_run)
        .keep_tail(arguments.keep_tail)
        .force(arguments.force);
    let mut damaged = false;
    for path in &arguments.files {
        let recovery = hyperslab::recover(path, &options)?;
        damaged |= !recovery.damage.is_empty();
        let name = path.display().to_string();
        if arguments.json {
            output.json(&as_json(&name, &recovery))?;
        } else {
            tell(&name, &recovery, output)?;
        }
    }
    if damaged { Err(Failure::Told) } else { Ok(()) }
}

fn tell(name: &str, recovery: &Recovery, output: &mut Output) -> Outcome {
    let Recovery { size, end, reach, end_of_allocation, objects, .. } = recovery;
    let done = match (recovery.was_closed(), recovery.written) {
        (true, _) => "was closed as it should be",
        (false, true) => "is whole again",
        (false, false) => "would be made whole",
    };
    output.line(format!("{name}: {done}: {objects} objects, their last byte at {reach}"))?;
    if !recovery.was_closed() {
        output.line(format!("  marks              {} -> none", marks(recovery.flags)))?;
        output.line(format!("  end of allocation  {end_of_allocation} -> {end}"))?;
        output.line(format!("  file size          {size} -> {end}"))?;
    }
    for damage in &recovery.damage {
        output.line(format!("  {}: {}", damage.path, damage.error))?;
    }
    Ok(())
}

fn as_json(name: &str, recovery: &Recovery) -> serde_json::Value {
    let damage: Vec<_> = recovery
        .damage
        .iter()
        .map(|damage| json!({"path": damage.path, "error": damage.error.to_string()}))
        .collect();
    json!({
        "file": name,
        "flags": recovery.flags,
        "size": recovery.size,
        "end_of_allocation": recovery.end_of_allocation,
        "reach": recovery.reach,
        "end": recovery.end,
        "objects": recovery.objects,
        "damage": damage,
        "written": recovery.written,
    })
}
