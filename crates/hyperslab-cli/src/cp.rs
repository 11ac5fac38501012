//! `cp`: an object copied within a file or to another.

use crate::output::{Failure, Outcome};
use crate::target::Target;
use hyperslab::{CopyOptions, ErrorKind, File, Group, Object};

/// Copies a group, dataset or named datatype with all that is in it.
///
/// Virtual datasets stay virtual, soft and external links stay links. Where DST is a group, the copy goes
/// into it under its old name; groups on the way to DST, and the file itself, are made when missing.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Arguments {
    /// Only what is directly in a group: the groups in it are copied empty.
    #[arg(long)]
    shallow: bool,
    /// Copies what soft links lead to, instead of the links.
    #[arg(long)]
    follow_soft: bool,
    /// Copies what external links lead to, instead of the links.
    #[arg(long)]
    follow_external: bool,
    /// Copies what references point at as well.
    #[arg(long)]
    follow_references: bool,
    /// Leaves attributes out.
    #[arg(long)]
    no_attributes: bool,
    /// Replaces what is at DST.
    #[arg(long)]
    force: bool,
    /// What to copy: `run.h5/entry/data` or `run.h5::/entry/data`.
    #[arg(value_name = "SRC")]
    source: String,
    /// Where it goes: `other.h5/entry/data`, or `new.h5::/entry/data` for a file that does not exist yet.
    #[arg(value_name = "DST")]
    destination: String,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let (source, destination) =
        (Target::parse(&arguments.source), Target::parse_expected(&arguments.destination));
    if !source.file.is_file() {
        return Err(Failure::message(format!("{}: there is no such file", source.file.display())));
    }
    let options = CopyOptions::new()
        .shallow(arguments.shallow)
        .expand_soft(arguments.follow_soft)
        .expand_external(arguments.follow_external)
        .expand_references(arguments.follow_references)
        .without_attributes(arguments.no_attributes);
    let to = File::append(&destination.file)?;
    let object = File::open(&source.file)?.object(&source.path)?;
    let root = to.root()?;
    let place = place(&root, &source.path, &destination.path)?;
    if let Some(place) = &place {
        if arguments.force {
            replace(&root, place, &object, &options)?;
        } else {
            root.copy(&object, place, &options)?;
        }
    } else if let Object::Group(group) = &object {
        root.copy_members(group, &options)?;
    }
    drop(root);
    Ok(to.close()?)
}

/// The path of the copy; none when a whole file goes into the root of an empty one.
fn place(root: &Group, source: &str, destination: &str) -> Outcome<Option<String>> {
    let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let path = destination.trim_end_matches('/');
    match root.object(destination) {
        Ok(Object::Group(group)) if !name.is_empty() => {
            // A copy of a group next to it has its own name.
            drop(group);
            Ok(Some(format!("{path}/{name}")))
        }
        Ok(Object::Group(_)) if path.is_empty() && root.links()?.is_empty() => Ok(None),
        Ok(Object::Group(_)) => {
            let message =
                "a whole file is copied into an empty one, or to a new name: write DST as FILE::/NAME";
            Err(Failure::message(message))
        }
        Ok(_) => Ok(Some(destination.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(destination.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// Copies to a name beside the place, and puts that into the place when it is whole: a copy that fails costs nothing.
fn replace(root: &Group, place: &str, source: &Object, options: &CopyOptions<'_>) -> Outcome {
    if let Ok(there) = root.object(place)
        && there.address() == source.address()
        && there.location().file().path() == source.location().file().path()
    {
        return Err(Failure::message(format!("{place}: source and destination are the same object")));
    }
    let aside = format!("{place}.copy-{}", std::process::id());
    root.copy(source, &aside, options)?;
    match root.unlink(place) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    Ok(root.rename(&aside, place)?)
}
