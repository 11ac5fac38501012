//! [`Mount`]: what kind of file system a file is on, as far as that decides how others see what is written.

use std::fs::File;
use std::path::Path;

/// A file system on which writers and readers of one file may not see what the other sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mount {
    /// The network file system of Unix.
    Nfs,
    /// Windows shares (CIFS, SMB).
    Smb,
    /// A file system that a program provides: anything from an archive to a cluster.
    Fuse,
    /// Shared with a virtual machine's host, or over a network.
    NineP,
    /// The file system of a computing centre: Ceph, Lustre, GPFS or AFS.
    Cluster,
    /// Layers of a container: a file that is first written moves to another layer.
    Overlay,
}

/// What tells the kinds apart. Linux: `linux/magic.h`.
const KINDS: [(i128, Mount); 11] = [
    (0x6969, Mount::Nfs),
    (0x517b, Mount::Smb),
    (0xff53_4d42, Mount::Smb),
    (0xfe53_4d42, Mount::Smb),
    (0x6573_5546, Mount::Fuse),
    (0x0102_1997, Mount::NineP),
    (0x00c3_6400, Mount::Cluster),
    (0x0bd0_0bd0, Mount::Cluster),
    (0x4750_4653, Mount::Cluster),
    (0x5346_414f, Mount::Cluster),
    (0x794c_7630, Mount::Overlay),
];

impl Mount {
    /// The kind of file system `path` is on; none when it is an ordinary one, or nothing is known.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        // The width of the field depends on the machine.
        Self::from_magic(i128::from(rustix::fs::statfs(path).ok()?.f_type))
    }

    /// The kind of file system `path` is on; none when it is an ordinary one, or nothing is known.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn of(_: &Path) -> Option<Self> {
        None
    }

    /// The kind of file system an open file is on, as [`of`](Self::of).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn of_open(file: &File) -> Option<Self> {
        Self::from_magic(i128::from(rustix::fs::fstatfs(file).ok()?.f_type))
    }

    /// The kind of file system an open file is on, as [`of`](Self::of).
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn of_open(_: &File) -> Option<Self> {
        None
    }

    fn from_magic(magic: i128) -> Option<Self> {
        // Where the field has 32 bits, the upper ones count as a sign.
        KINDS.iter().find(|(known, _)| *known == magic & 0xffff_ffff).map(|(_, mount)| *mount)
    }

    /// Whether other machines may write to its files.
    pub(crate) fn is_shared(self) -> bool {
        self != Self::Overlay
    }

    /// What to know before a file on it is read while it is written.
    #[must_use]
    pub fn caution(self) -> &'static str {
        match self {
            Self::Nfs => {
                "is on NFS: other machines see what is written seconds later and in another order, and \
                 locks may not reach them; write durably and let readers reopen the file"
            }
            Self::Smb => {
                "is on a Windows share: other machines see what is written later and in another order, and \
                 locks shut readers out; copy the file, or follow it on the machine that writes it"
            }
            Self::Fuse => {
                "is on a file system that a program provides (FUSE): whether readers see what is written, and \
                 in which order, is for that program to say"
            }
            Self::NineP => {
                "is on a share of a virtual machine (9p): the other side sees what is written later and \
                 perhaps in another order"
            }
            Self::Cluster => {
                "is on the file system of a computing centre: other machines see what is written when it says \
                 so, and locks may not reach them; ask its people whether reads are coherent across machines"
            }
            Self::Overlay => {
                "is on a container's layers (overlay): who opened the file before it was first written goes \
                 on to see the old one; put live files on a volume"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mount;

    #[test]
    fn file_systems_are_known_by_their_number_whatever_the_width_of_the_field() {
        assert_eq!(Mount::from_magic(0x6969), Some(Mount::Nfs));
        assert_eq!(Mount::from_magic(0xfe53_4d42), Some(Mount::Smb));
        assert_eq!(Mount::from_magic(i128::from(0xfe53_4d42_u32.cast_signed())), Some(Mount::Smb));
        assert_eq!(Mount::from_magic(0xef53), None);
    }
}
