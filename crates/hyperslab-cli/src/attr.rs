//! `attr set`, `attr rm`, `attr ls`: the attributes of one object.

use crate::literal::Literal;
use crate::output::{Failure, Outcome, Output, text};
use crate::target::Target;
use crate::values::{extent, shown};
use hyperslab::{Attribute, File, Object};
use serde_json::{Value, json};

/// Lists the attributes of a file, group or dataset, one line each.
#[derive(clap::Args, Debug)]
pub(crate) struct Ls {
    /// JSON, one object for each attribute.
    #[arg(long)]
    json: bool,
    /// `run.h5`, `run.h5/entry/data` or `run.h5::/entry/data`; the attributes of a file are those of its root.
    #[arg(value_name = "FILE[/PATH]")]
    target: String,
}

/// Sets an attribute; one of that name is replaced.
///
/// VALUE is a number, true or false, text, or a list of these in brackets: 12.5, mm, `[1, 2, 3]`,
/// `["x", "y"]`, `[[1, 0], [0, 1]]`. What is none of these is taken as text.
#[derive(clap::Args, Debug)]
pub(crate) struct Set {
    /// Stores the value so: u2, i4, f8, float32, >u4, bool, str, or S10 for text of 10 bytes.
    #[arg(long = "type", value_name = "TYPE")]
    datatype: Option<String>,
    /// `run.h5`, `run.h5/entry/data` or `run.h5::/entry/data`.
    #[arg(value_name = "FILE[/PATH]")]
    target: String,
    /// The name of the attribute.
    name: String,
    /// What it is to be.
    #[arg(allow_hyphen_values = true)]
    value: String,
}

/// Removes attributes.
#[derive(clap::Args, Debug)]
pub(crate) struct Rm {
    /// `run.h5`, `run.h5/entry/data` or `run.h5::/entry/data`.
    #[arg(value_name = "FILE[/PATH]")]
    target: String,
    /// The names of the attributes.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn ls(arguments: &Ls, output: &mut Output) -> Outcome {
    let target = Target::parse(&arguments.target);
    let attributes = File::open(&target.file)?.object(&target.path)?.attributes()?;
    if arguments.json {
        let listed = attributes.iter().map(described).collect();
        return output.json(&Value::Array(listed));
    }
    let names: Vec<String> = attributes.iter().map(|attribute| text(attribute.name_bytes())).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(40);
    for (attribute, name) in attributes.iter().zip(names) {
        let (shape, of) = (extent(attribute.extent()), attribute.datatype());
        output.line(format!("{name:width$}  {shape} {of} = {}", values(attribute)))?;
    }
    Ok(())
}

fn values(attribute: &Attribute) -> String {
    match attribute.values() {
        Ok(values) => {
            let values: Vec<String> = values.iter().map(|value| shown(value, attribute.datatype())).collect();
            values.join(", ")
        }
        Err(error) => format!("*ERROR* {error}"),
    }
}

fn described(attribute: &Attribute) -> Value {
    json!({
        "name": text(attribute.name_bytes()),
        "shape": attribute.extent().dims(),
        "datatype": attribute.datatype().to_string(),
        "value": values(attribute),
    })
}

pub(crate) fn set(arguments: &Set) -> Outcome {
    let literal = Literal::parse(&arguments.value, arguments.datatype.as_deref())
        .map_err(|why| Failure::message(format!("attribute \"{}\": {why}", arguments.name)))?;
    let (file, object) = open(&arguments.target)?;
    object.location().set_attribute(&arguments.name, literal.into_attribute())?;
    Ok(file.close()?)
}

pub(crate) fn rm(arguments: &Rm) -> Outcome {
    let (file, object) = open(&arguments.target)?;
    for name in &arguments.names {
        object.location().delete_attribute(name)?;
    }
    Ok(file.close()?)
}

fn open(target: &str) -> Outcome<(File, Object)> {
    let target = Target::parse(target);
    let file = File::open_rw(&target.file)?;
    let object = file.object(&target.path)?;
    Ok((file, object))
}
