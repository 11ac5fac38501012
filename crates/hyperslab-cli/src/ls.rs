//! `ls`: what is in a group, one line each.

use crate::opening;
use crate::output::{Outcome, Output, text, warn};
use crate::target::Target;
use crate::values::{extent, shown};
use hyperslab::{Attribute, Dataset, Group, Link, LinkKind, Object};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Groups within groups that are followed.
const DEEPEST: usize = 256;

/// The objects of a file or group, one line each.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Groups within groups as well.
    #[arg(short, long)]
    recursive: bool,
    /// Datatype, storage and attributes as well.
    #[arg(short, long)]
    verbose: bool,
    /// JSON, one object for each entry.
    #[arg(long)]
    json: bool,
    /// `run.h5`, `run.h5/entry` or `run.h5::/entry`.
    #[arg(value_name = "FILE[/PATH]")]
    target: String,
}

/// What is under a name.
struct Entry {
    name: String,
    what: What,
}

/// An entry as it is shown; the object itself only where more is to be said of it.
struct Line {
    name: String,
    text: String,
    object: Option<Object>,
}

enum What {
    Object(Object),
    Seen(String),
    Link(Link),
    Broken(hyperslab::Error),
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let target = Target::parse(&arguments.target);
    let file = opening::file(&target.file)?;
    let object = file.object(&target.path)?;
    if arguments.json {
        let mut entries = Vec::new();
        list(arguments.recursive, object, target.path, &mut |entry| entries.push(json_entry(&entry)))?;
        return output.json(&Value::Array(entries));
    }
    let mut lines = Vec::new();
    list(arguments.recursive, object, target.path, &mut |entry| {
        let text = line(&entry);
        let object = match entry.what {
            What::Object(object) if arguments.verbose => Some(object),
            _ => None,
        };
        lines.push(Line { name: entry.name, text, object });
    })?;
    let width = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0).min(40);
    for line in &lines {
        output.line(format!("{:width$}  {}", line.name, line.text))?;
        line.object.as_ref().map_or(Ok(()), |object| details(object, output))?;
    }
    Ok(())
}

/// Calls `each` with every entry of a group, or with the one thing there is.
fn list(recursive: bool, object: Object, path: String, each: &mut dyn FnMut(Entry)) -> Outcome {
    let Object::Group(group) = object else {
        each(Entry { name: path, what: What::Object(object) });
        return Ok(());
    };
    let seen = HashMap::from([(group.address(), path)]);
    Listing { recursive, seen, each }.group(&group, "", 0)
}

struct Listing<'a> {
    recursive: bool,
    /// The first path to the object at an address.
    seen: HashMap<u64, String>,
    each: &'a mut dyn FnMut(Entry),
}

impl Listing<'_> {
    fn group(&mut self, group: &Group, prefix: &str, depth: usize) -> Outcome {
        for link in group.links()? {
            let name = format!("{prefix}{}", text(&link.name));
            if !matches!(link.kind, LinkKind::Hard { .. }) {
                (self.each)(Entry { name, what: What::Link(link) });
                continue;
            }
            let object = match group.linked(&link) {
                Ok(object) => object,
                Err(error) => {
                    (self.each)(Entry { name, what: What::Broken(error) });
                    continue;
                }
            };
            if let Some(first) = self.seen.get(&object.address()) {
                let what = What::Seen(first.clone());
                (self.each)(Entry { name, what });
                continue;
            }
            self.seen.insert(object.address(), name.clone());
            let inner = match &object {
                Object::Group(inner) if self.recursive && depth < DEEPEST => Some(inner.clone()),
                _ => None,
            };
            let prefix = format!("{name}/");
            (self.each)(Entry { name, what: What::Object(object) });
            if let Some(inner) = inner
                && let Err(failure) = self.group(&inner, &prefix, depth + 1)
            {
                warn(&failure.to_string());
            }
        }
        Ok(())
    }
}

fn line(entry: &Entry) -> String {
    match &entry.what {
        What::Object(Object::Group(_)) => "Group".to_owned(),
        What::Object(Object::Dataset(dataset)) => {
            let many = if dataset.is_virtual() { ", virtual" } else { "" };
            format!("Dataset {} {}{many}", extent(&dataset.extent()), dataset.datatype())
        }
        What::Object(Object::Datatype(named)) => format!("Type {}", named.datatype()),
        What::Object(_) => "Object".to_owned(),
        What::Seen(first) => format!("same as {first}"),
        What::Link(link) => link_text(link),
        What::Broken(error) => format!("*ERROR* {error}"),
    }
}

fn link_text(link: &Link) -> String {
    match &link.kind {
        LinkKind::Soft { path } => format!("Soft Link {{{}}}", text(path)),
        LinkKind::External { file, path } => format!("External Link {{{}//{}}}", text(file), text(path)),
        LinkKind::User { class } => format!("User Link of class {class}"),
        _ => "Link".to_owned(),
    }
}

fn details(object: &Object, output: &mut Output) -> Outcome {
    match object {
        Object::Dataset(dataset) => {
            output.line(format!("    stored: {}", storage(dataset)))?;
            if let Ok(Some(layout)) = dataset.virtual_layout() {
                output.line(format!("    mappings: {}", layout.mappings().len()))?;
            }
        }
        Object::Group(group) => output.line(format!("    links: {}", group.links()?.len()))?,
        _ => {}
    }
    for attribute in object.attributes()? {
        output.line(format!(
            "    @{} {} = {}",
            text(attribute.name_bytes()),
            extent(attribute.extent()),
            brief(&attribute)
        ))?;
    }
    Ok(())
}

fn storage(dataset: &Dataset) -> String {
    let mut parts = vec![dataset.layout_name().to_owned()];
    if let Some(chunk) = dataset.chunk_shape() {
        parts.push(format!("chunks of {chunk:?}"));
    }
    let filters = filters(dataset);
    if !filters.is_empty() {
        parts.push(filters.join(" + "));
    }
    parts.join(", ")
}

fn filters(dataset: &Dataset) -> Vec<String> {
    let name = |(id, name): (u16, Option<&str>)| match name {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => format!("filter {id}"),
    };
    dataset.filters().map(name).collect()
}

fn brief(attribute: &Attribute) -> String {
    const SHOWN: usize = 8;
    match attribute.values() {
        Ok(values) => {
            let mut items: Vec<String> =
                values.iter().take(SHOWN).map(|value| shown(value, attribute.datatype())).collect();
            if values.len() > SHOWN {
                items.push(format!(".. {} more", values.len() - SHOWN));
            }
            items.join(", ")
        }
        Err(error) => format!("*ERROR* {error}"),
    }
}

fn json_entry(entry: &Entry) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("name", json!(entry.name));
    match &entry.what {
        What::Object(Object::Dataset(dataset)) => {
            put("kind", json!("dataset"));
            put("shape", json!(dataset.shape()));
            put("maxshape", json!(dataset.extent().max()));
            put("datatype", json!(dataset.datatype().to_string()));
            put("layout", json!(dataset.layout_name()));
            put("chunks", json!(dataset.chunk_shape()));
            put("filters", json!(filters(dataset)));
        }
        What::Object(Object::Datatype(named)) => {
            put("kind", json!("datatype"));
            put("datatype", json!(named.datatype().to_string()));
        }
        What::Object(_) => put("kind", json!("group")),
        What::Seen(first) => {
            put("kind", json!("alias"));
            put("of", json!(first));
        }
        What::Link(link) => match &link.kind {
            LinkKind::Soft { path } => {
                put("kind", json!("soft link"));
                put("path", json!(text(path)));
            }
            LinkKind::External { file, path } => {
                put("kind", json!("external link"));
                put("file", json!(text(file)));
                put("path", json!(text(path)));
            }
            _ => put("kind", json!("user link")),
        },
        What::Broken(error) => {
            put("kind", json!("error"));
            put("why", json!(error.to_string()));
        }
    }
    Value::Object(fields)
}
