//! Executes operations on HDF5 files, one line of JSON each, through the public interface alone: what the
//! conformance scripts speak to.
//!
//! A request is an object with `op`, `file` (a name for an open file) and what the operation needs. The answer is
//! a line `{"ok": …}` or `{"error": "Kind: message"}`. `operations.rs` has the operations, `datatypes.rs` how a
//! datatype is written down, `elements.rs` how elements and selections are.

mod creation;
mod datatypes;
mod elements;
mod operations;
mod tree;

use operations::Session;
use serde_json::{Value as Json, json};
use std::io::{self, BufRead, Write};

/// A result of the script.
type Outcome<T> = Result<T, Fault>;

/// Why an operation failed, as the answer says it.
#[derive(Debug)]
struct Fault(String);

impl From<hyperslab::Error> for Fault {
    fn from(error: hyperslab::Error) -> Self {
        Self(format!("{:?}: {error}", error.kind()))
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self(format!("Request: {message}"))
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::from(message.to_owned())
    }
}

fn main() -> io::Result<()> {
    let mut session = Session::default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        serde_json::to_writer(&mut out, &answer(&mut session, &line?))?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(session: &mut Session, line: &str) -> Json {
    let outcome = match serde_json::from_str(line) {
        Ok(request) => session.run(Request(&request)),
        Err(error) => Err(error.to_string().into()),
    };
    match outcome {
        Ok(value) => json!({ "ok": value }),
        Err(Fault(message)) => json!({ "error": message }),
    }
}

/// One object of JSON whose entries are asked for by name.
#[derive(Clone, Copy, Debug)]
struct Request<'a>(&'a Json);

impl<'a> Request<'a> {
    /// An entry, when it is there and not null.
    fn find(self, name: &str) -> Option<&'a Json> {
        self.0.get(name).filter(|entry| !entry.is_null())
    }

    fn text(self, name: &str) -> Outcome<&'a str> {
        self.find_text(name).ok_or_else(|| format!("needs \"{name}\", a text").into())
    }

    fn find_text(self, name: &str) -> Option<&'a str> {
        self.find(name).and_then(Json::as_str)
    }

    fn number(self, name: &str) -> Outcome<u64> {
        self.find(name).and_then(Json::as_u64).ok_or_else(|| format!("needs \"{name}\", a number").into())
    }

    fn is(self, name: &str) -> bool {
        self.find(name).and_then(Json::as_bool).unwrap_or(false)
    }

    fn list(self, name: &str) -> Outcome<&'a [Json]> {
        let list = self.find(name).and_then(Json::as_array).map(Vec::as_slice);
        list.ok_or_else(|| format!("needs \"{name}\", a list").into())
    }
}

/// A list of numbers.
fn numbers(list: &Json) -> Outcome<Vec<u64>> {
    let list = list.as_array().ok_or("a list of numbers is needed")?;
    list.iter().map(|number| number.as_u64().ok_or_else(|| "a number is needed".into())).collect()
}
