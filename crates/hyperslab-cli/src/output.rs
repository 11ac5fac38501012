//! What the command says, and how it ends: one writer to standard output, one kind of failure.

use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};
use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::process::ExitCode;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The engine says why.
    Engine(hyperslab::Error),
    /// Something outside HDF5 went wrong.
    Io(io::Error),
    /// The request makes no sense, or something was found that should not be.
    Message(String),
    /// The output says what was found.
    Told,
}

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// Says on one line of standard error why the command failed; gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Told => {}
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            _ => warn(&self.to_string()),
        }
        ExitCode::FAILURE
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => {
                write!(f, "{error}")?;
                let text = error.to_string();
                let refused = text.contains("refused by the policy for sources");
                if refused {
                    f.write_str("; --sources DIR or --sources anywhere allows more")
                } else {
                    Ok(())
                }
            }
            Self::Io(error) => write!(f, "{error}"),
            Self::Message(text) => f.write_str(text),
            Self::Told => Ok(()),
        }
    }
}

impl From<hyperslab::Error> for Failure {
    fn from(error: hyperslab::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One line on standard error.
pub(crate) fn warn(text: &str) {
    // There is nowhere left to say that standard error is gone.
    let _gone = writeln!(io::stderr(), "hyperslab: {}", text.replace(['\n', '\r'], " "));
}

/// Standard output, locked and buffered.
pub(crate) struct Output {
    to: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { to: BufWriter::new(io::stdout().lock()) }
    }

    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Outcome {
        Ok(writeln!(self.to, "{text}")?)
    }

    /// Text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Outcome {
        Ok(self.to.write_all(text.as_bytes())?)
    }

    /// What was said until now is seen.
    pub(crate) fn flush(&mut self) -> Outcome {
        Ok(self.to.flush()?)
    }

    /// JSON, indented by one space.
    pub(crate) fn json(&mut self, value: &Value) -> Outcome {
        let mut serializer = Serializer::with_formatter(&mut self.to, PrettyFormatter::with_indent(b" "));
        serde::Serialize::serialize(value, &mut serializer).map_err(io::Error::from)?;
        Ok(writeln!(self.to)?)
    }

    pub(crate) fn finish(mut self) -> Outcome {
        Ok(self.to.flush()?)
    }
}

/// Bytes of a name as text: as they are when they are `UTF-8`, else one character for each byte.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn a_name_that_is_no_utf8_keeps_each_byte() {
        assert_eq!(text("é".as_bytes()), "é");
        assert_eq!(text(b"a\xe9"), "a\u{e9}");
    }
}
