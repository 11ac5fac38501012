//! `dump`: everything that is in a file, as JSON that two programs can compare.

use crate::numpy::Numpy;
use crate::opening;
use crate::output::{Failure, Outcome, Output, text, warn};
use crate::packed::packed;
use crate::slabs::{Slabs, selection};
use crate::token::{References, digits, flatten, pack, token};
use hyperslab::{
    Attribute, Dataset, Error, ErrorKind, Extent, File, Group, Link, LinkKind, Object, ReferenceKind,
    Selection, Value as Element,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

/// Datasets of more bytes are not read.
const LIMIT: u128 = 64 << 20;
/// Objects that are looked at.
const MOST_OBJECTS: usize = 50_000;
/// Regions of regions that are followed, and elements of all regions together.
const DEEPEST: u32 = 6;
const MOST_IN_REGIONS: u64 = 4 << 20;
/// Soft and external links of a group that are followed, and circles that are found, before the rest is believed.
const MOST_FOLLOWED: usize = 256;
const MOST_CIRCLES: usize = 8;
/// Elements of a dataset that are in memory at a time as values.
const AT_ONCE: u64 = 1 << 15;

/// Everything in a file, as JSON: objects, links, attributes, and a digest of each array.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The file.
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let path = &arguments.file;
    let opened = opening::file(path).and_then(|file| Ok((file.root()?, file)));
    let (root, file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            output.json(&closed(path, &error))?;
            return Err(error.into());
        }
    };
    let (report, faults) = Dumper::new(file).dump(path, root);
    output.json(&report)?;
    if faults > 0 {
        warn(&format!("{}: {faults} things could not be read, see \"why\" in the output", path.display()));
        return Err(Failure::Told);
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn closed(path: &Path, error: &Error) -> Value {
    json!({
        "format": 1,
        "file": name_of(path),
        "open": format!("fails: {}", class(error)),
        "why": error.to_string(),
        "objects": {},
        "module": "hyperslab",
        "faults": 1,
        "skipped": 0,
    })
}

/// The exception h5py would raise.
fn class(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "KeyError",
        ErrorKind::Usage => "ValueError",
        ErrorKind::Limit => "MemoryError",
        _ => "OSError",
    }
}

/// A piece of a report, and what it says went wrong.
fn fails(error: &Error) -> Value {
    json!({ "fails": class(error), "why": error.to_string() })
}

fn fails_because(class: &str, why: &str) -> Value {
    json!({ "fails": class, "why": why })
}

struct Dumper {
    file: File,
    /// The first path to the object at an address.
    first: HashMap<u64, String>,
    truncated: bool,
    /// Elements of regions that may still be read.
    left: Cell<u64>,
    /// References that lead nowhere.
    dangling: Cell<u64>,
}

/// What a path leads to: done, or a dataset that is read once every path is known.
enum Entry {
    Done(Value),
    Dataset(Dataset),
}

impl Dumper {
    fn new(file: File) -> Self {
        Self {
            file,
            first: HashMap::new(),
            truncated: false,
            left: Cell::new(MOST_IN_REGIONS),
            dangling: Cell::new(0),
        }
    }

    /// The report, and how many things could not be read.
    fn dump(mut self, path: &Path, root: Group) -> (Value, u64) {
        let entries = self.walk(root);
        let mut objects = Map::new();
        for (path, entry) in entries {
            let entry = match entry {
                Entry::Done(value) => value,
                Entry::Dataset(dataset) => self.dataset(&dataset),
            };
            objects.insert(path, entry);
        }
        let mut count = Count { faults: self.dangling.get(), skipped: 0 };
        objects.values().for_each(|object| count.add(object));
        let mut report = json!({
            "format": 1,
            "file": name_of(path),
            "open": "ok",
            "module": "hyperslab",
            "faults": count.faults,
            "skipped": count.skipped,
            "dangling": self.dangling.get(),
        });
        if let Some(report) = report.as_object_mut() {
            report.insert("objects".to_owned(), Value::Object(objects));
            if self.truncated {
                report.insert("truncated".to_owned(), Value::Bool(true));
            }
        }
        (report, count.faults)
    }

    /// Visits every group, breadth first.
    fn walk(&mut self, root: Group) -> Vec<(String, Entry)> {
        let mut entries = Vec::new();
        self.first.insert(Object::Group(root.clone()).address(), "/".to_owned());
        let mut queue = VecDeque::from([("/".to_owned(), root)]);
        while let Some((path, group)) = queue.pop_front() {
            let attributes = self.attributes(group.attributes());
            let links = match group.links() {
                Ok(links) => links,
                Err(error) => {
                    let entry = json!({ "kind": "group", "attrs": attributes, "links": fails(&error) });
                    entries.push((path, Entry::Done(entry)));
                    continue;
                }
            };
            let shown: Map<String, Value> =
                links.iter().map(|link| (text(&link.name), shown(link))).collect();
            let mut entry = json!({ "kind": "group", "attrs": attributes, "links": shown });
            if let Some((broken, fields)) = circles(&group, &links).zip(entry.as_object_mut()) {
                fields.insert("broken".to_owned(), broken);
            }
            entries.push((path.clone(), Entry::Done(entry)));
            for link in links.iter().filter(|link| matches!(link.kind, LinkKind::Hard { .. })) {
                let slash = if path.ends_with('/') { "" } else { "/" };
                let child = format!("{path}{slash}{}", text(&link.name));
                match self.visit(&group, link, &child) {
                    Visited::Group(group) => queue.push_back((child, group)),
                    Visited::Entry(entry) => entries.push((child, entry)),
                }
                if entries.len() + queue.len() > MOST_OBJECTS {
                    self.truncated = true;
                    let group = || Entry::Done(json!({ "kind": "group" }));
                    entries.extend(queue.into_iter().map(|(path, _)| (path, group())));
                    return entries;
                }
            }
        }
        entries
    }

    fn visit(&mut self, group: &Group, link: &Link, path: &str) -> Visited {
        let object = match group.object(&link.name) {
            Ok(object) => object,
            Err(error) => {
                let entry = json!({ "kind": "error", "why": error.to_string() });
                return Visited::Entry(Entry::Done(entry));
            }
        };
        if let Some(first) = self.first.get(&object.address()) {
            return Visited::Entry(Entry::Done(json!({ "kind": "alias", "of": first })));
        }
        self.first.insert(object.address(), path.to_owned());
        match object {
            Object::Group(group) => Visited::Group(group),
            Object::Dataset(dataset) => Visited::Entry(Entry::Dataset(dataset)),
            Object::Datatype(named) => {
                let attributes = self.attributes(named.attributes());
                Visited::Entry(Entry::Done(match Numpy::of(named.datatype()) {
                    Ok(kind) => json!({ "kind": "datatype", "dtype": kind.text(), "attrs": attributes }),
                    Err(why) => json!({ "kind": "datatype", "dtype": null, "why": why, "attrs": attributes }),
                }))
            }
            _ => Visited::Entry(Entry::Done(json!({ "kind": "error", "why": "unknown object class" }))),
        }
    }

    fn attributes(&self, found: hyperslab::Result<Vec<Attribute>>) -> Value {
        match found {
            Ok(found) => found.iter().map(|one| (text(one.name_bytes()), self.attribute(one))).collect(),
            Err(error) => fails(&error),
        }
    }

    fn attribute(&self, attribute: &Attribute) -> Value {
        let kind = match Numpy::of(attribute.datatype()) {
            Ok(kind) => kind,
            Err(why) => return json!({ "data": fails_because("TypeError", &why) }),
        };
        if *attribute.extent() == Extent::Null {
            return json!({ "shape": null, "dtype": kind.text(), "data": null });
        }
        let mut digest = Digested::new(&kind, attribute.extent().rank());
        let data = match attribute.values() {
            Ok(values) => {
                for value in &values {
                    digest.value(value, &self.references(0));
                }
                digest.finish()
            }
            Err(error) => fails(&error),
        };
        json!({ "shape": attribute.extent().dims(), "dtype": kind.text(), "data": data })
    }

    fn dataset(&self, dataset: &Dataset) -> Value {
        let null = dataset.extent() == Extent::Null;
        let mut entry = json!({
            "kind": "dataset",
            "shape": if null { Value::Null } else { json!(dataset.shape()) },
            "maxshape": if null { Value::Null } else { json!(dataset.extent().max()) },
            "attrs": self.attributes(dataset.attributes()),
        });
        let (kind, data) = match Numpy::of(dataset.datatype()) {
            Ok(kind) if null => (json!(kind.text()), Value::Null),
            Ok(kind) => (json!(kind.text()), self.elements(dataset, &kind)),
            Err(why) => (Value::Null, fails_because("TypeError", &why)),
        };
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("data".to_owned(), data);
            if !kind.is_null() {
                entry.insert("dtype".to_owned(), kind);
            }
        }
        entry
    }

    fn elements(&self, dataset: &Dataset, kind: &Numpy) -> Value {
        let count =
            dataset.shape().iter().fold(1_u128, |count, length| count.saturating_mul(u128::from(*length)));
        let bytes = count.saturating_mul(kind.size().max(1) as u128);
        if bytes > LIMIT {
            return skipped(dataset, kind, bytes);
        }
        let mut digest = Digested::new(kind, dataset.shape().len());
        let read = if kind.is_text() {
            self.read_values(dataset, &mut digest)
        } else {
            match packed(dataset.datatype()) {
                Ok(memory) => {
                    dataset.read_bytes(&Selection::All, &memory).map(|bytes| digest.bytes(&bytes, count))
                }
                Err(why) => return fails_because("TypeError", &why),
            }
        };
        match read {
            Ok(()) => digest.finish(),
            Err(error) => fails(&error),
        }
    }

    fn read_values(&self, dataset: &Dataset, digest: &mut Digested<'_>) -> hyperslab::Result<()> {
        let chunk = dataset.chunk_shape();
        let one = chunk.map_or(1, |chunk| chunk.iter().product::<u64>());
        for slab in Slabs::new(&dataset.shape(), chunk, AT_ONCE.max(one.min(16 * AT_ONCE))) {
            for value in dataset.read_values(&selection(&slab)?)? {
                digest.value(&value, &self.references(0));
            }
        }
        Ok(())
    }

    fn references(&self, depth: u32) -> Resolver<'_> {
        Resolver { dumper: self, depth }
    }
}

/// A dataset too large to be read; its first and its last element are, to see whether it could be.
fn skipped(dataset: &Dataset, kind: &Numpy, bytes: u128) -> Value {
    let Ok(bytes) = u64::try_from(bytes) else {
        return fails_because("ValueError", "its elements are more than 2^64 bytes");
    };
    if kind.size() as u128 > LIMIT {
        return fails_because("MemoryError", &format!("an element has {} bytes", kind.size()));
    }
    for last in [false, true] {
        let at = |length: &u64| if last { length - 1..*length } else { 0..1 };
        let corner: Vec<_> = dataset.shape().iter().map(at).collect();
        if let Err(error) = selection(&corner).and_then(|corner| dataset.read_values(&corner)) {
            return fails(&error);
        }
    }
    json!({ "skipped": bytes })
}

/// Soft and external links that lead in a circle; those that lead nowhere are in order.
fn circles(group: &Group, links: &[Link]) -> Option<Value> {
    let circle = |link: &Link| match (&link.kind, group.object(&link.name)) {
        (LinkKind::Soft { .. } | LinkKind::External { .. }, Err(error))
            if error.kind() == ErrorKind::Limit =>
        {
            Some((text(&link.name), fails(&error)))
        }
        _ => None,
    };
    let soft = links.iter().filter(|link| !matches!(link.kind, LinkKind::Hard { .. }));
    let broken: Map<String, Value> = soft.take(MOST_FOLLOWED).filter_map(circle).take(MOST_CIRCLES).collect();
    (!broken.is_empty()).then_some(Value::Object(broken))
}

enum Visited {
    Group(Group),
    Entry(Entry),
}

fn shown(link: &Link) -> Value {
    match &link.kind {
        LinkKind::Hard { .. } => json!("hard"),
        LinkKind::Soft { path } => json!(["soft", text(path)]),
        LinkKind::External { file, path } => json!(["external", text(file), text(path)]),
        _ => json!("user"),
    }
}

/// Names what references lead to.
struct Resolver<'a> {
    dumper: &'a Dumper,
    /// Regions of regions on the way here.
    depth: u32,
}

impl References for Resolver<'_> {
    fn token(&self, reference: &Element, region: bool) -> String {
        let letter = if region { 'g' } else { 'r' };
        let nowhere = |path: &str| {
            self.dumper.dangling.set(self.dumper.dangling.get() + 1);
            format!("{letter}{path}?")
        };
        let Element::Reference(bytes) = reference else { return nowhere("") };
        if bytes.iter().all(|byte| *byte == 0) {
            return format!("{letter}-");
        }
        let kind = if region { ReferenceKind::Region } else { ReferenceKind::Object };
        let Ok(Some(found)) = self.dumper.file.referenced(kind, bytes) else {
            return nowhere("");
        };
        let path = self.dumper.first.get(&found.address()).map_or("?", String::as_str);
        if !region && path != "?" {
            return format!("r{path}");
        }
        let object = self.dumper.file.dereference(&found);
        if !region {
            return if object.is_ok() { "r?".to_owned() } else { nowhere("") };
        }
        match object
            .ok()
            .zip(found.selection())
            .and_then(|(object, selection)| self.region(&object, selection))
        {
            Some(tokens) => format!("g{path}:[{tokens}]"),
            None => nowhere(&format!("{path}:")),
        }
    }
}

impl Resolver<'_> {
    fn region(&self, object: &Object, selection: &Selection) -> Option<String> {
        let Object::Dataset(dataset) = object else { return None };
        let kind = Numpy::of(dataset.datatype()).ok()?;
        let left = self.dumper.left.get().checked_sub(selection.count(&dataset.shape()).ok()?)?;
        if self.depth >= DEEPEST {
            return None;
        }
        self.dumper.left.set(left);
        let inner = self.dumper.references(self.depth + 1);
        let mut tokens = String::new();
        for value in dataset.read_values(selection).ok()? {
            if !tokens.is_empty() {
                tokens.push(',');
            }
            region_element(&value, &kind, &inner, &mut tokens);
        }
        Some(tokens)
    }
}

/// numpy makes one array of arrays, whose elements then are taken for arrays of one.
fn region_element(value: &Element, kind: &Numpy, inner: &dyn References, tokens: &mut String) {
    if !matches!(kind, Numpy::Array { .. }) {
        return token(value, kind, inner, tokens);
    }
    let mut flat = Vec::new();
    flatten(value, &mut flat);
    for (index, item) in flat.into_iter().enumerate() {
        if index > 0 {
            tokens.push(',');
        }
        token(item, kind, inner, tokens);
    }
}

/// The digest of some elements, as it grows.
struct Digested<'a> {
    kind: &'a Numpy,
    /// A scalar sequence is an array to h5py.
    scalar: bool,
    sha: Sha256,
    count: u64,
    scratch: String,
    packed: Vec<u8>,
}

impl<'a> Digested<'a> {
    fn new(kind: &'a Numpy, rank: usize) -> Self {
        Self {
            kind,
            scalar: rank == 0,
            sha: Sha256::new(),
            count: 0,
            scratch: String::new(),
            packed: Vec::new(),
        }
    }

    fn bytes(&mut self, bytes: &[u8], elements: u128) {
        self.sha.update(bytes);
        let elements = u64::try_from(elements).unwrap_or(u64::MAX);
        self.count = elements.saturating_mul(inner_count(self.kind));
    }

    fn value(&mut self, value: &Element, references: &dyn References) {
        if !self.kind.is_text() {
            self.packed.clear();
            pack(value, self.kind, &mut self.packed);
            self.sha.update(&self.packed);
            self.count = self.count.saturating_add(inner_count(self.kind));
            return;
        }
        match (self.kind, value) {
            (Numpy::Sequence(_), Element::Sequence(items)) if self.scalar => {
                for item in items {
                    self.token(item, references);
                }
            }
            (Numpy::Array { dims, base }, _) if matches!(**base, Numpy::Array { .. }) => {
                let mut flat = Vec::new();
                flatten(value, &mut flat);
                let rows = usize::try_from(dims.iter().product::<u64>()).unwrap_or(usize::MAX).max(1);
                for row in flat.chunks(rows) {
                    let row = Element::Array(row.iter().map(|item| (*item).clone()).collect());
                    self.token(&row, references);
                }
            }
            _ => self.token(value, references),
        }
    }

    fn token(&mut self, value: &Element, references: &dyn References) {
        self.scratch.clear();
        if self.count > 0 {
            self.scratch.push(',');
        }
        token(value, self.kind, references, &mut self.scratch);
        self.sha.update(&self.scratch);
        self.count += 1;
    }

    fn finish(self) -> Value {
        let form = if self.kind.is_text() { "text" } else { "bytes" };
        let mut sha = String::new();
        digits(&self.sha.finalize(), &mut sha);
        json!({ "sha256": sha, "form": form, "n": self.count })
    }
}

/// numpy makes one array of arrays in arrays, so that only the outermost counts as an element.
fn inner_count(kind: &Numpy) -> u64 {
    match kind {
        Numpy::Array { base, .. } => scalars(base),
        _ => 1,
    }
}

fn scalars(kind: &Numpy) -> u64 {
    match kind {
        Numpy::Array { dims, base } => {
            dims.iter().fold(scalars(base), |count, dim| count.saturating_mul(*dim))
        }
        _ => 1,
    }
}

/// What a report says was not read.
#[derive(Default)]
struct Count {
    faults: u64,
    skipped: u64,
}

impl Count {
    fn add(&mut self, value: &Value) {
        let Value::Object(fields) = value else { return };
        let kind = fields.get("kind").and_then(Value::as_str);
        let named = kind == Some("datatype") && fields.get("dtype").is_some_and(Value::is_null);
        if fields.get("fails").is_some_and(Value::is_string) || kind == Some("error") || named {
            self.faults += 1;
        }
        if fields.get("skipped").is_some_and(Value::is_u64) {
            self.skipped += 1;
        }
        fields.values().for_each(|field| self.add(field));
    }
}
