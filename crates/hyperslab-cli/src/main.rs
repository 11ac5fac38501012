//! The `hyperslab` command: one module for each verb.

mod demo;
mod dump;
mod ls;
mod numpy;
mod output;
mod packed;
mod picture;
mod progress;
mod show;
mod slabs;
mod slice;
mod target;
mod token;
mod typed;
mod values;
mod vds_build;
mod vds_check;
mod vds_ls;
mod virtuals;

use clap::{Parser, Subcommand};
use output::{Outcome, Output};
use std::process::ExitCode;

/// Look into HDF5 files, compose them into virtual datasets, check those.
#[derive(Debug, Parser)]
#[command(name = "hyperslab", version, after_help = "FILE/PATH is run.h5/entry/data or run.h5::/entry/data.")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Ls(ls::Arguments),
    Show(show::Arguments),
    Dump(dump::Arguments),
    /// Virtual datasets: compose, list and check them.
    #[command(subcommand)]
    Vds(Vds),
    Demo(demo::Arguments),
}

#[derive(Debug, Subcommand)]
enum Vds {
    Build(vds_build::Arguments),
    Ls(vds_ls::Arguments),
    Check(vds_check::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new();
    let done = run(&cli.verb, &mut output);
    match (done, output.finish()) {
        (Ok(()), Ok(())) => ExitCode::SUCCESS,
        (Err(failure), _) | (_, Err(failure)) => failure.report(),
    }
}

fn run(verb: &Verb, output: &mut Output) -> Outcome {
    match verb {
        Verb::Ls(arguments) => ls::run(arguments, output),
        Verb::Show(arguments) => show::run(arguments, output),
        Verb::Dump(arguments) => dump::run(arguments, output),
        Verb::Vds(Vds::Build(arguments)) => vds_build::run(arguments, output),
        Verb::Vds(Vds::Ls(arguments)) => vds_ls::run(arguments, output),
        Verb::Vds(Vds::Check(arguments)) => vds_check::run(arguments, output),
        Verb::Demo(arguments) => demo::run(arguments, output),
    }
}
