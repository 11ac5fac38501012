//! Whether any program on this machine has a file open to write, for writers that say so in no other way.
#![expect(clippy::disallowed_methods, reason = "this room is where the operating system is touched")]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Types of file systems that other machines may write to: NFS, three of SMB, Ceph, Lustre, GPFS, AFS, 9p and FUSE.
const SHARED: [i64; 10] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x00c3_6400,
    0x0bd0_0bd0,
    0x4750_4653,
    0x5346_414f,
    0x0102_1997,
    0x6573_5546,
];

/// Whether some program has the file open to write; nothing when that cannot be known here.
pub(super) fn has_writer(file: &File) -> Option<bool> {
    if is_shared(file)? {
        return None;
    }
    let metadata = file.metadata().ok()?;
    let identity = (metadata.dev(), metadata.ino());
    let mut all = true;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        if !name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        match writes(&process.path(), identity) {
            Some(true) => return Some(true),
            Some(false) => {}
            // A program of somebody else, unless it has just ended.
            None => all &= !process.path().exists(),
        }
    }
    all.then_some(false)
}

/// Whether a process has the file open to write; nothing when it does not show what it has open.
fn writes(process: &Path, identity: (u64, u64)) -> Option<bool> {
    for open in fs::read_dir(process.join("fd")).ok()?.flatten() {
        let same = fs::metadata(open.path()).is_ok_and(|found| (found.dev(), found.ino()) == identity);
        if same && is_open_to_write(&process.join("fdinfo").join(open.file_name())) {
            return Some(true);
        }
    }
    Some(false)
}

fn is_open_to_write(about: &Path) -> bool {
    let Ok(about) = fs::read_to_string(about) else { return false };
    let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 3 != 0)
}

/// Whether other machines may write the file.
#[cfg(target_os = "linux")]
fn is_shared(file: &File) -> Option<bool> {
    let kind = rustix::fs::fstatfs(file).ok()?.f_type;
    Some(SHARED.contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn is_shared(_: &File) -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use super::has_writer;
    use std::fs::File;

    #[test]
    fn who_has_a_file_open_to_write_is_found() {
        let writer = tempfile::NamedTempFile::new().unwrap();
        let reader = File::open(writer.path()).unwrap();
        if has_writer(&reader).is_none() {
            return;
        }
        assert_eq!(has_writer(&reader), Some(true));
        let path = writer.into_temp_path();
        assert_eq!(has_writer(&reader), Some(false));
        drop(path);
    }
}
