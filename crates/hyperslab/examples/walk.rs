//! Visits everything in a file and counts what could be read: `walk FILE...`
#![allow(clippy::print_stdout, reason = "an example talks")]

use hyperslab::{File, Group, Object, Selection};
use std::collections::HashSet;

fn main() {
    for path in std::env::args().skip(1) {
        let mut walk = Walk::default();
        match File::open(&path).and_then(|file| file.root()) {
            Ok(root) => walk.group(&root),
            Err(error) => walk.problems.push(error.to_string()),
        }
        println!("{path}: {} values, {} problems", walk.values, walk.problems.len());
        for problem in walk.problems {
            println!("    {problem}");
        }
    }
}

#[derive(Default)]
struct Walk {
    seen: HashSet<u64>,
    values: usize,
    problems: Vec<String>,
}

impl Walk {
    fn group(&mut self, group: &Group) {
        match group.links() {
            Ok(links) => {
                for link in links.iter().filter(|link| matches!(link.kind, hyperslab::LinkKind::Hard { .. }))
                {
                    match group.object(&link.name) {
                        Ok(object) if self.seen.insert(object.address()) => self.object(&object),
                        Ok(_) => {}
                        Err(error) => self.problems.push(error.to_string()),
                    }
                }
            }
            Err(error) => self.problems.push(error.to_string()),
        }
    }

    fn object(&mut self, object: &Object) {
        match object.attributes() {
            Ok(attributes) => attributes.iter().for_each(|attribute| self.count(attribute.values())),
            Err(error) => self.problems.push(error.to_string()),
        }
        match object {
            Object::Group(group) => self.group(group),
            Object::Dataset(dataset) => self.count(dataset.read_values(&Selection::All)),
            _ => {}
        }
    }

    fn count(&mut self, values: hyperslab::Result<Vec<hyperslab::Value>>) {
        match values {
            Ok(values) => self.values += values.len(),
            Err(error) => self.problems.push(error.to_string()),
        }
    }
}
