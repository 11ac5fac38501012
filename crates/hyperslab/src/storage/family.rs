//! [`FamilyStorage`]: one file cut into members of equal size, `name00000.h5`, `name00001.h5`, ...

use crate::storage::ReadAt;
use crate::storage::file::FileStorage;
use std::io;
use std::path::{Path, PathBuf};

/// Members of one family; each keeps a descriptor open.
const MOST_MEMBERS: u64 = 4096;

/// The members of a family as one run of bytes.
#[derive(Debug)]
pub(crate) struct FamilyStorage {
    members: Vec<FileStorage>,
    /// Bytes of every member but the last.
    size: u64,
}

impl FamilyStorage {
    /// Opens the family whose first member is at `first`, as many members as there are.
    pub(crate) fn open(first: &Path, size: u64) -> io::Result<Self> {
        let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidInput, message.to_owned());
        if size == 0 {
            return Err(invalid("members of a family have no bytes"));
        }
        let name = Numbered::of(first)
            .ok_or_else(|| invalid("the first member of a family has no number in its name"))?;
        let mut members = Vec::new();
        for number in 0..MOST_MEMBERS {
            match FileStorage::open(&name.path(number)) {
                Ok(member) => members.push(member),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self { members, size })
    }

    /// How many members there are.
    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }
}

/// A path whose file name has a number in it.
struct Numbered {
    directory: PathBuf,
    before: String,
    digits: usize,
    after: String,
}

impl Numbered {
    /// The last run of zeroes in the file name is the number of the first member.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let end = name.rfind('0')? + 1;
        let digits = name.get(..end)?.bytes().rev().take_while(|byte| *byte == b'0').count();
        Some(Self {
            directory: path.parent()?.to_path_buf(),
            before: name.get(..end - digits)?.to_owned(),
            digits,
            after: name.get(end..)?.to_owned(),
        })
    }

    fn path(&self, number: u64) -> PathBuf {
        let Self { directory, before, digits, after } = self;
        directory.join(format!("{before}{number:0digits$}{after}"))
    }
}

impl ReadAt for FamilyStorage {
    fn len(&self) -> io::Result<u64> {
        let Some(last) = self.members.last() else { return Ok(0) };
        let before = (self.members.len() as u64 - 1).saturating_mul(self.size);
        Ok(before.saturating_add(last.len()?))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (mut offset, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let member = usize::try_from(offset / self.size).ok().and_then(|number| self.members.get(number));
            let member = member.ok_or(io::ErrorKind::UnexpectedEof)?;
            let within = offset % self.size;
            let room = usize::try_from(self.size - within).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(room);
            member.read_at(within, now)?;
            rest = later;
            offset += room as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Numbered;
    use std::path::Path;

    #[test]
    fn the_number_of_a_member_keeps_its_digits() {
        let name = Numbered::of(Path::new("/data/run7-000000.h5")).unwrap();
        assert_eq!(name.path(12), Path::new("/data/run7-000012.h5"));
        assert!(Numbered::of(Path::new("/data/run.h5")).is_none());
    }
}
