//! The `hyperslab` command: one module for each verb.

mod attr;
mod clear;
mod cp;
mod demo;
mod dump;
mod frame;
mod literal;
mod ls;
mod numpy;
mod opening;
mod output;
mod packed;
mod picture;
mod progress;
mod recipe;
mod record;
mod recover;
mod repack;
mod replacement;
mod rm;
mod show;
mod slabs;
mod slice;
mod status;
mod target;
mod token;
mod typed;
mod values;
mod vds_build;
mod vds_check;
mod vds_flatten;
mod vds_ls;
mod vds_materialize;
mod vds_rebase;
mod vds_who;
mod virtuals;
mod watch;
mod watch_lines;
mod watch_view;

use clap::{Parser, Subcommand};
use hyperslab::SourcePolicy;
use output::{Outcome, Output};
use std::process::ExitCode;

/// Look into HDF5 files, compose them into virtual datasets, copy, edit and repack them,
/// follow and record live ones.
#[derive(Debug, Parser)]
#[command(name = "hyperslab", version, after_help = "FILE/PATH is run.h5/entry/data or run.h5::/entry/data.")]
struct Cli {
    /// Which other files a file may name, for its virtual datasets, external links and raw data: those in its
    /// own `tree`, `anywhere`, `none`, or those in DIR:DIR....
    #[arg(long, global = true, default_value = "tree", value_name = "WHERE")]
    sources: String,
    /// What a file may ask for before it is refused, as NAME=NUMBER; errors name the limit they meet.
    #[arg(long, global = true, value_name = "NAME=NUMBER")]
    limit: Vec<String>,
    #[command(flatten)]
    access: opening::Access,
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
    Cp(cp::Arguments),
    Rm(rm::Arguments),
    /// Attributes: list, set and remove them.
    #[command(subcommand)]
    Attr(Attr),
    Repack(repack::Arguments),
    Watch(watch::Arguments),
    Record(record::Arguments),
    Status(status::Arguments),
    Recover(recover::Arguments),
    Clear(clear::Arguments),
    Demo(demo::Arguments),
}

#[derive(Debug, Subcommand)]
enum Vds {
    Build(vds_build::Arguments),
    Ls(vds_ls::Arguments),
    Check(vds_check::Arguments),
    Rebase(vds_rebase::Arguments),
    Flatten(vds_flatten::Arguments),
    Materialize(vds_materialize::Arguments),
    Who(vds_who::Arguments),
}

#[derive(Debug, Subcommand)]
enum Attr {
    Ls(attr::Ls),
    Set(attr::Set),
    Rm(attr::Rm),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new();
    let done = opening::limits(&cli.limit).and_then(|limits| {
        opening::decide(SourcePolicy::from(cli.sources.as_str()), limits, &cli.access);
        run(&cli.verb, &mut output)
    });
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
        Verb::Vds(Vds::Rebase(arguments)) => {
            vds_rebase::check(arguments)?;
            vds_rebase::run(arguments, output)
        }
        Verb::Vds(Vds::Flatten(arguments)) => vds_flatten::run(arguments, output),
        Verb::Vds(Vds::Materialize(arguments)) => vds_materialize::run(arguments, output),
        Verb::Vds(Vds::Who(arguments)) => vds_who::run(arguments, output),
        Verb::Cp(arguments) => cp::run(arguments),
        Verb::Rm(arguments) => rm::run(arguments),
        Verb::Attr(Attr::Ls(arguments)) => attr::ls(arguments, output),
        Verb::Attr(Attr::Set(arguments)) => attr::set(arguments),
        Verb::Attr(Attr::Rm(arguments)) => attr::rm(arguments),
        Verb::Repack(arguments) => repack::run(arguments, output),
        Verb::Watch(arguments) => watch::run(arguments, output),
        Verb::Record(arguments) => record::run(arguments, output),
        Verb::Status(arguments) => status::run(arguments, output),
        Verb::Recover(arguments) => recover::run(arguments, output),
        Verb::Clear(arguments) => clear::run(arguments, output),
        Verb::Demo(arguments) => demo::run(arguments, output),
    }
}
