//! [`Holder`]: which programs have a file open, as far as the operating system tells.
#![expect(clippy::disallowed_methods, reason = "this room is where the operating system is touched")]

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A program that has a file open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The number of its process.
    pub process: u32,
    /// What it is called.
    pub program: String,
    /// Whether it can write to the file.
    pub writes: bool,
    /// The lock it holds on the whole file.
    pub lock: Option<HeldLock>,
}

/// A lock that somebody holds on a whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldLock {
    /// Of a reader; readers share it.
    Shared,
    /// Of a writer.
    Exclusive,
}

/// The programs that have a file open, as far as they show it.
pub(crate) struct Holders {
    pub(crate) known: Vec<Holder>,
    /// Whether every program showed what it has open: those of other users may not.
    pub(crate) complete: bool,
}

impl Holders {
    /// Whether one of them can write to the file; nothing when that cannot be known.
    pub(crate) fn any_writes(&self) -> Option<bool> {
        let found = self.known.iter().any(|holder| holder.writes);
        (found || self.complete).then_some(found)
    }
}

/// The programs that have the file with this device and inode open, this one included. Takes some milliseconds.
pub(crate) fn of(identity: (u64, u64)) -> Holders {
    let mut holders = Holders { known: Vec::new(), complete: false };
    let Ok(processes) = fs::read_dir("/proc") else { return holders };
    holders.complete = true;
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for process in numbers {
        let folder = Path::new("/proc").join(process.to_string());
        match holder(process, &folder, identity) {
            Ok(found) => holders.known.extend(found),
            // A program of somebody else, unless it has just ended.
            Err(_) => holders.complete &= !folder.exists(),
        }
    }
    holders
}

/// What a process has to do with the file.
///
/// # Errors
/// When it does not show what it has open.
fn holder(process: u32, folder: &Path, identity: (u64, u64)) -> io::Result<Option<Holder>> {
    let mut found: Option<Holder> = None;
    for entry in fs::read_dir(folder.join("fd"))?.flatten() {
        let path = entry.path();
        // Sockets and pipes are no paths.
        let is_path = fs::read_link(&path).is_ok_and(|target| target.is_absolute());
        let same = |file: fs::Metadata| (file.dev(), file.ino()) == identity;
        if !is_path || !fs::metadata(&path).is_ok_and(same) {
            continue;
        }
        let info = fs::read_to_string(folder.join("fdinfo").join(entry.file_name())).unwrap_or_default();
        let (writes, lock) = described(&info);
        let holder = found.get_or_insert_with(|| {
            let program = fs::read_to_string(folder.join("comm")).unwrap_or_default().trim().to_owned();
            Holder { process, program, writes: false, lock: None }
        });
        holder.writes |= writes;
        holder.lock = holder.lock.max(lock);
    }
    Ok(found)
}

/// Whether an open file can be written, and the lock on it, as Linux tells it.
fn described(info: &str) -> (bool, Option<HeldLock>) {
    const ACCESS: u32 = 3;
    let mut writes = false;
    let mut lock = None;
    for line in info.lines() {
        if let Some(flags) = line.strip_prefix("flags:") {
            writes = u32::from_str_radix(flags.trim(), 8).is_ok_and(|flags| flags & ACCESS != 0);
        } else if line.starts_with("lock:") && line.contains("FLOCK") {
            let held = if line.contains(" WRITE ") { HeldLock::Exclusive } else { HeldLock::Shared };
            lock = lock.max(Some(held));
        }
    }
    (writes, lock)
}

#[cfg(test)]
mod tests {
    use super::{HeldLock, described, of};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_the_system_says_of_an_open_file_is_understood() {
        let info = "pos:\t0\nflags:\t0100002\nmnt_id:\t29\nino:\t1\nlock:\t1: OFDLCK ADVISORY  READ -1 00:1d:1 1 1\n";
        assert_eq!(described(info), (true, None));
        let info = "flags:\t0100000\nlock:\t1: FLOCK  ADVISORY  READ 7 00:1d:1 0 EOF\n";
        assert_eq!(described(info), (false, Some(HeldLock::Shared)));
        let info = "flags:\t02100001\nlock:\t1: FLOCK  ADVISORY  WRITE 7 00:1d:1 0 EOF\n";
        assert_eq!(described(info), (true, Some(HeldLock::Exclusive)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_program_is_found_with_the_lock_it_holds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let there = file.as_file().metadata().unwrap();
        file.as_file().lock().unwrap();
        let found = of((there.dev(), there.ino()));
        assert_eq!(found.any_writes(), Some(true));
        let me = found.known.iter().find(|holder| holder.process == std::process::id()).unwrap();
        assert_eq!((me.writes, me.lock), (true, Some(HeldLock::Exclusive)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whether_a_file_is_open_to_write_is_known_or_said_to_be_unknown() {
        let writer = tempfile::NamedTempFile::new().unwrap();
        let reader = std::fs::File::open(writer.path()).unwrap();
        let there = reader.metadata().unwrap();
        let path = writer.into_temp_path();
        assert_ne!(of((there.dev(), there.ino())).any_writes(), Some(true));
        drop(path);
    }
}
