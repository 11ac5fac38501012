//! [`Following`]: patience with a file that somebody writes while it is read.
//!
//! What is read while it is written may be neither old nor new. The checksums of the format tell, and then the way
//! there is looked for again from the object header: a few times at once, then with pauses, and only so long. A machine
//! that stood still in between has not tried, so a few of the attempts have to come after a pause.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a reader tries unless it is told otherwise.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);
/// Attempts without a pause.
const AT_ONCE: u32 = 8;
/// Attempts there are at least, however late it is.
const LEAST: u32 = 16;
/// The first pause; each one is twice the one before,
const SHORTEST: Duration = Duration::from_micros(20);
/// up to this.
const LONGEST: Duration = Duration::from_millis(5);

/// How a file is read that somebody may be writing, and how that went.
#[derive(Debug)]
pub(crate) struct Following {
    deadline: Duration,
    retries: Mutex<BTreeMap<String, u64>>,
}

impl Following {
    pub(crate) fn new(deadline: Option<Duration>) -> Self {
        Self { deadline: deadline.unwrap_or(DEADLINE), retries: Mutex::default() }
    }

    /// How often something was read again, by the kind of structure that was not whole.
    pub(crate) fn retries(&self) -> BTreeMap<String, u64> {
        self.retries.lock().clone()
    }

    /// Does `work` until it succeeds, fails for good, or time is up; what it read is not to be believed when
    /// it is called again.
    pub(crate) fn attempt<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        match work() {
            Err(error) if error.may_pass() => self.attempt_again(error, work),
            done => done,
        }
    }

    fn attempt_again<T>(&self, first: Error, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        let (mut error, mut attempts, mut pause) = (first, 1_u32, SHORTEST);
        loop {
            self.count(&error);
            if attempts >= AT_ONCE {
                let left = self.deadline.saturating_sub(begun.elapsed());
                if left.is_zero() && attempts >= LEAST {
                    return Err(error.lasting(attempts, begun.elapsed()));
                }
                std::thread::sleep(if left.is_zero() { pause } else { pause.min(left) });
                pause = pause.saturating_mul(2).min(LONGEST);
            }
            attempts = attempts.saturating_add(1);
            match work() {
                Err(again) if again.may_pass() => error = again,
                done => return done,
            }
        }
    }

    fn count(&self, error: &Error) {
        let mut retries = self.retries.lock();
        let name = error.structure();
        match retries.get_mut(name) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(retries.insert(name.to_owned(), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Following;
    use crate::error::{Error, ErrorKind, Result};
    use std::time::{Duration, Instant};

    fn torn() -> Error {
        Error::malformed("checksum is 0x1, its bytes give 0x2").at("object header at 0x40")
    }

    #[test]
    fn what_is_torn_is_read_again_and_counted() {
        let following = Following::new(None);
        let mut left = 20;
        let read = following.attempt(|| {
            left -= 1;
            if left > 0 { Err(torn()) } else { Ok(7) }
        });
        assert_eq!(read.unwrap(), 7);
        assert_eq!(following.retries().into_iter().collect::<Vec<_>>(), [("object header".to_owned(), 19)]);
    }

    #[test]
    fn what_stays_torn_is_an_error_by_the_deadline() {
        let following = Following::new(Some(Duration::from_millis(200)));
        let begun = Instant::now();
        let error = following.attempt(|| -> Result<()> { Err(torn()) }).unwrap_err();
        let time = begun.elapsed();
        assert!(time >= Duration::from_millis(200), "{time:?}");
        assert_eq!(error.kind(), ErrorKind::Torn);
        let message = error.to_string();
        assert!(message.starts_with("object header at 0x40: ") && message.contains("attempts"), "{message}");
        let outer = following.attempt(|| -> Result<()> { Err(torn().lasting(9, time)) }).unwrap_err();
        assert!(!outer.may_pass(), "whoever gave up is not asked again");
    }

    #[test]
    fn a_deadline_that_passes_while_the_machine_stands_still_leaves_some_attempts() {
        let following = Following::new(Some(Duration::ZERO));
        let mut left = 16;
        let read = following.attempt(|| {
            left -= 1;
            if left > 0 { Err(torn()) } else { Ok(7) }
        });
        assert_eq!(read.unwrap(), 7);
        let error = following.attempt(|| -> Result<()> { Err(torn()) }).unwrap_err();
        assert!(error.to_string().contains("16 attempts"), "{error}");
    }

    #[test]
    fn what_no_writer_can_mend_is_an_error_at_once() {
        let following = Following::new(None);
        let error = following.attempt(|| -> Result<()> { Err(Error::not_found("x")) }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(following.retries().is_empty());
    }
}
