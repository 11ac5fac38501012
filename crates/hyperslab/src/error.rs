//! [`Error`]: whose fault, which structure or path, where, found versus expected, and the way out.

use std::fmt;
use std::io;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong, and so whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused or failed.
    Io,
    /// The bytes of a file are not what the format allows.
    Malformed,
    /// The file is sound, but uses something this build does not do.
    Unsupported,
    /// No such link, object, attribute or file.
    NotFound,
    /// The caller asked for something that makes no sense here.
    Usage,
    /// A stated limit was reached; the message names it.
    Limit,
    /// A structure was caught while its writer was changing it; trying again may help.
    Torn,
}

/// An error with the place it happened in.
///
/// Displays as `place: place: message`, outermost place first, for instance
/// `run.h5: /entry/data: extensible array header at 0x1a40: checksum is 0x1, its bytes give 0x2`.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    places: Vec<String>,
    message: String,
    cause: Option<io::Error>,
    /// Whether trying again was tried long enough.
    given_up: bool,
}

impl Error {
    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operating system's error behind this one, if there is one.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.cause.as_ref()
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            places: Vec::new(),
            message: message.into(),
            cause: None,
            given_up: false,
        }))
    }

    #[doc(hidden)]
    #[must_use]
    pub fn unnamed(value: i128) -> Self {
        Self::malformed(format!("{value} has no name in the enumeration"))
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub(crate) fn torn(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Torn, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    pub(crate) fn io(doing: impl Into<String>, cause: io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Io, format!("{}: {cause}", doing.into()));
        error.0.cause = Some(cause);
        error
    }

    /// Whether the file may say something else when it is read again, since somebody is writing it.
    pub(crate) fn may_pass(&self) -> bool {
        let cut_off = |cause: &io::Error| cause.kind() == io::ErrorKind::UnexpectedEof;
        match self.0.kind {
            ErrorKind::Malformed | ErrorKind::Torn => !self.0.given_up,
            ErrorKind::Io => self.0.cause.as_ref().is_some_and(cut_off),
            _ => false,
        }
    }

    /// What kind of structure the error is about, such as `object header`.
    pub(crate) fn structure(&self) -> &str {
        let named = self.0.places.iter().find_map(|place| place.split_once(" at "));
        let name = named.map_or("file", |(name, _)| name);
        // Of a chunk, its coordinates are no part of its kind.
        name.split_once(" [").map_or(name, |(name, _)| name)
    }

    /// The same error of a file that somebody writes, after it was looked at so often that it will not pass.
    pub(crate) fn lasting(mut self, attempts: u32, time: std::time::Duration) -> Self {
        self.0.kind = ErrorKind::Torn;
        self.0.given_up = true;
        let seconds = time.as_secs_f64();
        self.0.message = format!("{} (still so after {attempts} attempts in {seconds:.3} s)", self.0.message);
        self
    }

    /// The same error, said to have happened in `place`; the last place added is the outermost.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.places.push(place.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.0.places.iter().rev() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// Adds the place to an error on its way up.
pub(crate) trait Place<T> {
    /// `place` is only evaluated when there is an error.
    fn at<P: fmt::Display>(self, place: impl FnOnce() -> P) -> Result<T>;
}

impl<T> Place<T> for Result<T> {
    fn at<P: fmt::Display>(self, place: impl FnOnce() -> P) -> Self {
        self.map_err(|error| error.at(place()))
    }
}

/// A size or count of the file as a size in memory.
///
/// # Errors
/// `Limit` when this machine cannot address that much.
pub(crate) fn to_usize(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::limit(format!("{value} is more than this machine can address")))
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorKind, Place, Result};

    #[test]
    fn an_error_tells_what_kind_of_structure_it_is_about() {
        let broken = || Error::malformed("checksum is 0x1, its bytes give 0x2");
        let header = broken().at("continuation at 0x60").at("object header at 0x40").at("at home: /x");
        assert_eq!(header.structure(), "continuation");
        assert_eq!(broken().at("chunk [3, 0] at 0x40").structure(), "chunk");
        assert_eq!(broken().at("/x").structure(), "file");
        let lasting = header.lasting(9, std::time::Duration::from_millis(1500));
        assert_eq!((lasting.kind(), lasting.may_pass()), (ErrorKind::Torn, false));
        assert!(lasting.to_string().ends_with("(still so after 9 attempts in 1.500 s)"), "{lasting}");
    }

    #[test]
    fn an_error_reads_from_the_outermost_place_inwards() {
        let inner: Result<()> = Err(Error::malformed("version is 9, expected 0 or 1"));
        let error = inner.at(|| "dataspace message").at(|| "/entry/data").at(|| "run.h5").unwrap_err();
        assert_eq!(
            error.to_string(),
            "run.h5: /entry/data: dataspace message: version is 9, expected 0 or 1"
        );
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}
