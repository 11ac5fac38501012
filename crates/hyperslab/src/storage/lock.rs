//! [`Locking`]: locks on a whole file, against other programs, and the one by which a live writer is known to live.
//!
//! The lock on the whole file is the one that libhdf5 takes (`flock`): whoever lets others read what it writes has
//! to let go of it. A live writer therefore also holds a shared lock on one byte far beyond any file. It is in
//! nobody's way, ends with the writer however that ends, and can be asked for without taking anything.

use std::fs::{File, TryLockError};
use std::io;

/// Whether a file is locked while it is open, against programs that would write it or read it meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locking {
    /// The lock is taken; a file system that has no locks is an error.
    On,
    /// No lock is taken, and nobody's lock is heeded.
    Off,
    /// The lock is taken where the file system has locks.
    #[default]
    BestEffort,
}

impl From<bool> for Locking {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl Locking {
    /// Takes the lock that readers share.
    pub(super) fn share(self, file: &File) -> io::Result<()> {
        if self == Self::Off {
            return Ok(());
        }
        self.told(file.try_lock_shared(), "is locked by another program that writes it")
    }

    /// Takes the lock that a writer has alone.
    pub(super) fn take(self, file: &File) -> io::Result<()> {
        if self == Self::Off {
            return Ok(());
        }
        self.told(file.try_lock(), "is open elsewhere: whoever reads or writes it holds a lock")
    }

    /// The answer to a lock; that there are none is no answer when best effort is enough.
    fn told(self, locked: Result<(), TryLockError>, held: &str) -> io::Result<()> {
        match locked {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::WouldBlock, held)),
            Err(TryLockError::Error(error)) if self == Self::BestEffort && has_no_locks(&error) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// What Linux says beside the codes of POSIX when a file system or its server does not do something.
const NOT_SUPPORTED_BY_SERVER: i32 = 524;

/// Whether an error of a lock says that there are no locks here, rather than that it failed.
fn has_no_locks(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let Some(code) = error.raw_os_error() else { return error.kind() == io::ErrorKind::Unsupported };
    let none = [Errno::NOSYS, Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::INVAL];
    code == NOT_SUPPORTED_BY_SERVER || none.into_iter().any(|none| none.raw_os_error() == code)
}

/// Says, for as long as the file is open, that its live writer lives; where there are no locks, nothing is said.
pub(super) fn hold_alive(file: &File) -> io::Result<()> {
    match alive::set(file, alive::HELD) {
        Err(error) if has_no_locks(&error) => Ok(()),
        held => held,
    }
}

/// Takes that back.
pub(super) fn release_alive(file: &File) {
    // What cannot be released goes when the file is closed.
    let _ = alive::set(file, alive::GONE);
}

/// Whether a live writer holds the file open, other than by this very descriptor.
///
/// Where there are no such locks, and for writers other than this engine, the answer is no.
pub(super) fn is_alive(file: &File) -> io::Result<bool> {
    match alive::probe(file) {
        Err(error) if has_no_locks(&error) => Ok(false),
        probed => probed,
    }
}

/// Locks of open files, which unlike those of processes stay when another descriptor is closed.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod alive {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    use std::fs::File;
    use std::io;

    /// The byte a live writer locks; no file is that long.
    const PLACE: libc::off_t = 1 << 62;

    pub(super) const HELD: libc::c_int = libc::F_RDLCK;
    pub(super) const GONE: libc::c_int = libc::F_UNLCK;

    fn byte(kind: libc::c_int) -> io::Result<libc::flock> {
        let short = |value: libc::c_int| libc::c_short::try_from(value).map_err(io::Error::other);
        let (l_type, l_whence) = (short(kind)?, short(libc::SEEK_SET)?);
        Ok(libc::flock { l_type, l_whence, l_start: PLACE, l_len: 1, l_pid: 0 })
    }

    pub(super) fn set(file: &File, kind: libc::c_int) -> io::Result<()> {
        fcntl(file, FcntlArg::F_OFD_SETLK(&byte(kind)?))?;
        Ok(())
    }

    /// Whether a lock that admits nobody else would be refused; none is taken.
    pub(super) fn probe(file: &File) -> io::Result<bool> {
        let mut lock = byte(libc::F_WRLCK)?;
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(libc::c_int::from(lock.l_type) != libc::F_UNLCK)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod alive {
    use std::fs::File;
    use std::io;

    pub(super) const HELD: i32 = 0;
    pub(super) const GONE: i32 = 1;

    pub(super) fn set(_: &File, _: i32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn probe(_: &File) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Locking, hold_alive, is_alive, release_alive};
    use std::fs::{File, TryLockError};
    use std::io;

    fn two() -> (tempfile::NamedTempFile, File) {
        let one = tempfile::NamedTempFile::new().unwrap();
        let other = File::options().read(true).write(true).open(one.path()).unwrap();
        (one, other)
    }

    #[test]
    fn a_live_writer_is_known_until_its_file_is_closed_and_keeps_nobody_out() {
        let (one, other) = two();
        assert!(!is_alive(&other).unwrap());
        hold_alive(one.as_file()).unwrap();
        assert!(is_alive(&other).unwrap());
        assert!(!is_alive(one.as_file()).unwrap(), "its own lock is no other's");
        Locking::On.take(&other).unwrap();
        hold_alive(&other).unwrap();
        release_alive(&other);
        assert!(is_alive(&other).unwrap());
        drop(one.into_file());
        assert!(!is_alive(&other).unwrap());
    }

    #[test]
    fn readers_share_a_file_and_a_writer_does_not() {
        let (one, other) = two();
        Locking::On.share(one.as_file()).unwrap();
        Locking::BestEffort.share(&other).unwrap();
        let error = Locking::BestEffort.take(&other).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        Locking::Off.take(&other).unwrap();
    }

    #[test]
    fn that_there_are_no_locks_is_an_error_only_when_they_are_demanded() {
        // ENOSYS, ENOLCK, EOPNOTSUPP, EINVAL, and what some servers answer.
        for code in [38, 37, 95, 22, 524] {
            let refused = || Err(TryLockError::Error(io::Error::from_raw_os_error(code)));
            assert!(Locking::BestEffort.told(refused(), "").is_ok(), "{code}");
            assert!(Locking::On.told(refused(), "").is_err(), "{code}");
        }
        let failed = Err(TryLockError::Error(io::Error::from_raw_os_error(5)));
        assert!(Locking::BestEffort.told(failed, "").is_err());
    }
}
