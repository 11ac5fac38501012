//! The operations, and the files that are open between them.

use crate::datatypes::datatype;
use crate::elements::{all, extent, from_hex, selection, to_hex, to_json};
use crate::{Outcome, Request, creation, numbers, tree};
use hyperslab::{AttributeData, Dataset, File, Group, Location, Selection};
use serde_json::{Value as Json, json};
use std::collections::HashMap;

/// The files that are open, by the names the requests give them.
#[derive(Debug, Default)]
pub(crate) struct Session {
    files: HashMap<String, File>,
}

impl Session {
    /// Executes one request.
    pub(crate) fn run(&mut self, request: Request<'_>) -> Outcome<Json> {
        let name = request.text("file")?;
        match request.text("op")? {
            "open" => {
                let file = creation::open(request)?;
                let version = file.superblock_version();
                self.files.insert(name.to_owned(), file);
                Ok(json!({ "superblock": version }))
            }
            "close" => {
                let file = self.files.remove(name).ok_or_else(|| format!("no file {name} is open"))?;
                done(file.close())
            }
            "drop" => {
                self.files.remove(name);
                Ok(Json::Null)
            }
            operation => {
                let file = self.files.get(name).ok_or_else(|| format!("no file {name} is open"))?;
                if operation == "flush" {
                    return done(file.flush());
                }
                links(&file.root()?, operation, request)
            }
        }
    }
}

fn done(result: hyperslab::Result<()>) -> Outcome<Json> {
    Ok(result.map(|()| Json::Null)?)
}

/// Operations on names.
fn links(root: &Group, operation: &str, request: Request<'_>) -> Outcome<Json> {
    let path = || request.text("path");
    match operation {
        "create_group" if request.is("track_order") => root.create_ordered_group(path()?).map(drop)?,
        "create_group" => root.create_group(path()?).map(drop)?,
        "create_dataset" => return Ok(json!({ "chunk": creation::dataset(root, request)?.chunk_shape() })),
        "link_soft" => root.link_soft(path()?, request.text("target")?)?,
        "link_hard" => root.link_hard(path()?, root.object(request.text("target")?)?.location())?,
        "link_external" => {
            root.link_external(path()?, request.text("target_file")?, request.text("target")?)?;
        }
        "unlink" => root.unlink(path()?)?,
        "rename" => root.rename(request.text("from")?, request.text("to")?)?,
        "commit" => {
            let of = datatype(request.find("type").ok_or("needs \"type\"")?)?;
            root.commit_datatype(path()?, &of)?;
        }
        "tree" => return tree::object(&root.object(path()?)?),
        "reference" => return reference(root, request),
        "set_attribute" | "delete_attribute" | "rename_attribute" => {
            attributes(root.object(path()?)?.location(), operation, request)?;
        }
        _ => return elements(&root.dataset(path()?)?, operation, request),
    }
    Ok(Json::Null)
}

/// The bytes of a reference to an object, or with `at` to a region of a dataset.
fn reference(root: &Group, request: Request<'_>) -> Outcome<Json> {
    let object = root.object(request.text("path")?)?;
    let bytes = match request.find("at") {
        None => object.location().reference(),
        Some(_) => root.dataset(request.text("path")?)?.region_reference(&selection(request)?)?,
    };
    Ok(json!({ "hex": to_hex(&bytes) }))
}

/// Operations on attributes.
fn attributes(location: &Location, operation: &str, request: Request<'_>) -> Outcome<()> {
    match operation {
        "set_attribute" => {
            let of = datatype(request.find("type").ok_or("needs \"type\"")?)?;
            let extent = extent(request)?;
            let data = match request.find("values") {
                Some(values) => AttributeData::from_values(of.clone(), extent, all(&of, values)?),
                None => {
                    AttributeData::from_bytes(of, extent, from_hex(request.find_text("hex").unwrap_or(""))?)
                }
            };
            location.set_attribute(request.text("name")?, data)?;
        }
        "delete_attribute" => location.delete_attribute(request.text("name")?)?,
        _ => location.rename_attribute(request.text("from")?, request.text("to")?)?,
    }
    Ok(())
}

/// Operations on the elements of a dataset.
fn elements(dataset: &Dataset, operation: &str, request: Request<'_>) -> Outcome<Json> {
    match operation {
        "write" => {
            let selection = selection(request)?;
            if let Some(values) = request.find("values") {
                return done(dataset.write_values(&selection, &all(dataset.datatype(), values)?));
            }
            let memory = match request.find("as") {
                Some(of) => datatype(of)?,
                None => dataset.datatype().clone(),
            };
            done(dataset.write_bytes(&selection, &memory, &from_hex(request.text("hex")?)?))
        }
        "read" => read(dataset, &selection(request)?),
        "resize" => done(dataset.resize(numbers(request.find("shape").unwrap_or(&Json::Null))?)),
        other => Err(format!("no operation is called {other}").into()),
    }
}

/// The elements as they are stored, or as values where some are in a heap.
pub(crate) fn read(dataset: &Dataset, selection: &Selection) -> Outcome<Json> {
    if dataset.datatype().has_variable_length() {
        let values = dataset.read_values(selection)?;
        return Ok(json!({ "values": values.iter().map(to_json).collect::<Vec<_>>() }));
    }
    let bytes = dataset.read_bytes(selection, dataset.datatype())?;
    Ok(json!({ "hex": to_hex(&bytes) }))
}
