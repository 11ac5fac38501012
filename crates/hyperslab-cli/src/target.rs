//! `run.h5/entry/data` and `run.h5::/entry/data?slice=0,...`: a file, a path in it, perhaps a part of it.

use std::path::{Path, PathBuf};

/// What a command is to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The file.
    pub(crate) file: PathBuf,
    /// The path of an object in it, from the root.
    pub(crate) path: String,
    /// What follows `?slice=`.
    pub(crate) slice: Option<String>,
}

impl Target {
    /// The longest part of the text that is a file names the file; the rest is the path.
    pub(crate) fn parse(text: &str) -> Self {
        Self::parse_with(text, Path::is_file)
    }

    /// As [`parse`](Self::parse), for a file that may not exist yet: it then ends at `::`, or behind the
    /// first name with a dot in it that ends like an HDF5 file.
    pub(crate) fn parse_expected(text: &str) -> Self {
        let found = Self::parse(text);
        if found.file.is_file() || found.path != "/" {
            return found;
        }
        let end = [".h5/", ".hdf5/", ".nxs/", ".hdf/", ".cxi/"]
            .iter()
            .filter_map(|end| text.find(end).map(|at| at + end.len() - 1))
            .min();
        match end.and_then(|at| text.split_at_checked(at)) {
            Some((file, path)) => Self::new(file, path, None),
            None => found,
        }
    }

    fn parse_with(text: &str, is_file: impl Fn(&Path) -> bool) -> Self {
        if !text.ends_with('/') && is_file(Path::new(text)) {
            return Self::new(text, "/", None);
        }
        let (text, slice) = match text.split_once("?slice=") {
            Some((text, slice)) => (text, Some(slice)),
            None => (text, None),
        };
        if let Some((file, path)) = text.split_once("::") {
            return Self::new(file, path, slice);
        }
        let ends = text.rmatch_indices('/').map(|(at, _)| at);
        let found = std::iter::once(text.len())
            .chain(ends)
            .filter_map(|at| text.split_at_checked(at))
            .find(|(file, _)| !file.ends_with('/') && is_file(Path::new(file)));
        let (file, path) = found.unwrap_or((text, "/"));
        Self::new(file, path, slice)
    }

    fn new(file: &str, path: &str, slice: Option<&str>) -> Self {
        let slash = if path.starts_with('/') { "" } else { "/" };
        Self { file: PathBuf::from(file), path: format!("{slash}{path}"), slice: slice.map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::Target;
    use std::path::Path;

    fn parse(text: &str) -> (String, String, Option<String>) {
        let target = Target::parse_with(text, |path| path == Path::new("dir/run.h5"));
        (target.file.display().to_string(), target.path, target.slice)
    }

    #[test]
    fn the_longest_part_that_is_a_file_is_the_file() {
        assert_eq!(parse("dir/run.h5/entry/data"), ("dir/run.h5".into(), "/entry/data".into(), None));
        assert_eq!(parse("dir/run.h5"), ("dir/run.h5".into(), "/".into(), None));
        assert_eq!(parse("dir/run.h5/"), ("dir/run.h5".into(), "/".into(), None));
    }

    #[test]
    fn two_colons_end_the_file() {
        assert_eq!(parse("new.h5::entry"), ("new.h5".into(), "/entry".into(), None));
        assert_eq!(parse("dir/run.h5::/a?slice=0,:"), ("dir/run.h5".into(), "/a".into(), Some("0,:".into())));
    }

    #[test]
    fn a_file_that_does_not_exist_is_taken_whole() {
        assert_eq!(parse("dir/no.h5/a"), ("dir/no.h5/a".into(), "/".into(), None));
    }

    #[test]
    fn an_expected_file_ends_where_its_name_ends() {
        let target = Target::parse_expected("later/mod_0.h5/entry/data");
        assert_eq!(
            (target.file.as_path(), target.path.as_str()),
            (Path::new("later/mod_0.h5"), "/entry/data")
        );
    }
}
