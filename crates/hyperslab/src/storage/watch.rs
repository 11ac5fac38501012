//! [`Watch`]: being told when somebody writes to a file.

use parking_lot::{Condvar, Mutex};
use std::fs::File;
use std::io;
use std::time::Instant;

/// A file that is watched, by any number of threads. It may ring without a reason, and where the operating system
/// does not tell, or the file is written by another machine, it never rings: whoever waits looks now and then.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    bell: Option<system::Bell>,
    /// How often it rang.
    rung: Mutex<u64>,
    changed: Condvar,
    /// Held by the thread that asks the operating system, while the others wait for it.
    asking: Mutex<()>,
}

impl Watch {
    /// Watches an open file, whatever its name is or will be.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        Ok(Self { bell: Some(system::Bell::new(file)?), ..Self::default() })
    }

    /// Whether the operating system tells of writes.
    pub(crate) fn tells(&self) -> bool {
        self.bell.is_some()
    }

    /// How often the file was written until now, as far as that was told.
    pub(crate) fn mark(&self) -> u64 {
        *self.rung.lock()
    }

    /// Returns when the file was written since `mark`, or at the time `until`; whether it was written.
    pub(crate) fn wait(&self, mark: u64, until: Instant) -> bool {
        let Some(bell) = &self.bell else {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            return false;
        };
        loop {
            if self.mark() != mark {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let Some(_asking) = self.asking.try_lock() else {
                let mut rung = self.rung.lock();
                if *rung == mark {
                    self.changed.wait_until(&mut rung, until);
                }
                continue;
            };
            if self.mark() == mark && bell.wait(left) {
                *self.rung.lock() += 1;
            }
            self.changed.notify_all();
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    /// Tells of one file.
    #[derive(Debug)]
    pub(super) struct Bell(OwnedFd);

    impl Bell {
        pub(super) fn new(file: &File) -> io::Result<Self> {
            let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let what =
                WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF;
            inotify::add_watch(&events, format!("/proc/self/fd/{}", file.as_raw_fd()), what)?;
            Ok(Self(events))
        }

        /// Whether something happened; returns after `time` at the latest.
        pub(super) fn wait(&self, time: Duration) -> bool {
            let time = Timespec::try_from(time).ok();
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            if !matches!(poll(&mut fds, time.as_ref()), Ok(1..)) {
                return false;
            }
            let mut events = [0; 4096];
            while rustix::io::read(&self.0, &mut events).is_ok_and(|count| count == events.len()) {}
            true
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;
    use std::time::Duration;

    #[derive(Debug)]
    pub(super) struct Bell;

    impl Bell {
        pub(super) fn new(_: &File) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn wait(&self, _: Duration) -> bool {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Watch;
    use std::io::Write;
    use std::time::{Duration, Instant};

    #[test]
    fn every_thread_that_waits_is_told_of_a_write() {
        let mut file = tempfile::tempfile().unwrap();
        let Ok(watch) = Watch::new(&file) else { return };
        let begun = Instant::now();
        let until = begun + Duration::from_secs(120);
        // Who begins to wait only now may come after the write.
        let mark = watch.mark();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(watch.wait(mark, until)));
            }
            std::thread::sleep(Duration::from_millis(50));
            file.write_all(b"x").unwrap();
        });
        assert!(begun.elapsed() < Duration::from_secs(100));
        assert!(watch.wait(0, until), "what was told once is known");
        let mark = watch.mark();
        assert!(!watch.wait(mark, Instant::now() + Duration::from_millis(20)));
        assert!(begun.elapsed() < Duration::from_secs(100));
    }

    #[test]
    fn a_file_that_nobody_tells_of_is_waited_for_until_the_time_is_up() {
        let watch = Watch::default();
        let begun = Instant::now();
        assert!(!watch.wait(watch.mark(), begun + Duration::from_millis(20)));
        assert!(!watch.tells() && begun.elapsed() >= Duration::from_millis(20));
    }
}
