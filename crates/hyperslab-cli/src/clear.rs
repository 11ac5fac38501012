//! `clear`: the marks taken off a file, as h5clear does it, but nothing cut off.

use crate::output::{Failure, Outcome, Output};
use hyperslab::RecoverOptions;
use std::path::PathBuf;

/// Takes the marks off a file whose writer is gone, without looking at what is in it.
///
/// The options are those of h5clear, but whichever is given, the file keeps its whole length and no data is cut
/// off. `hyperslab recover` also checks the file, and gives up only what nothing leads to.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Takes the marks off.
    #[arg(short, long)]
    status: bool,
    /// Puts structures that are in a metadata cache image where they belong, and removes the image.
    #[arg(short = 'm', long)]
    image: bool,
    /// Tells where the file says that it ends, and where it does.
    #[arg(long)]
    filesize: bool,
    /// Takes the marks off, and adds so many bytes to the file.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "1048576", value_name = "BYTES")]
    increment: Option<u64>,
    /// Goes on although a program that holds no lock has the file open to write.
    #[arg(long)]
    force: bool,
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    if arguments.filesize {
        let status = hyperslab::status(&arguments.file)?;
        output.line(format!("EOA is {}; EOF is {}", status.end_of_allocation, status.size))?;
    }
    if !arguments.status && !arguments.image && arguments.increment.is_none() {
        if arguments.filesize {
            return Ok(());
        }
        return Err(Failure::message("nothing to do: give -s, -m, --filesize or --increment"));
    }
    let options = RecoverOptions::new().force(arguments.force);
    Ok(hyperslab::clear(&arguments.file, arguments.increment.unwrap_or(0), &options)?)
}
