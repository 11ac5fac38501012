//! Waiting for a writer: a short spin, then being told, and looking now and then in any case.

use crate::error::Result;
use crate::storage::watch::Watch;
use std::time::{Duration, Instant};

/// How long to look without a pause: a writer at work writes the next row in about that time.
const SPIN: Duration = Duration::from_micros(30);
/// The first pause between two looks when nobody tells; each one is twice the one before,
const SHORTEST: Duration = Duration::from_micros(20);
/// up to this,
const LONGEST: Duration = Duration::from_micros(500);
/// or up to this where the operating system tells of writes: it does not of those of other machines.
const WATCHED: Duration = Duration::from_millis(20);

/// What became of whoever writes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriterState {
    /// The file is marked as being written live, and nothing says that its writer is gone.
    Writing,
    /// Nobody writes the file: its writer closed it, or there was none.
    Closed,
    /// The writer is gone without closing the file.
    Died,
    /// The name the file was opened by leads to another file now; this one is still read.
    Replaced,
    /// The name the file was opened by is gone; the file is still read.
    Deleted,
}

/// Calls `look` until it finds something; nothing when the time is up, which is never without `timeout`.
pub(crate) fn until<T>(
    watch: &Watch,
    timeout: Option<Duration>,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let begun = Instant::now();
    let end = timeout.and_then(|timeout| begun.checked_add(timeout));
    let longest = if watch.tells() { WATCHED } else { LONGEST };
    let mut pause = if watch.tells() { WATCHED / 8 } else { SHORTEST };
    loop {
        let mark = watch.mark();
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return Ok(None);
        }
        if now.duration_since(begun) < SPIN {
            continue;
        }
        let next = now.checked_add(pause).unwrap_or(now);
        watch.wait(mark, end.map_or(next, |end| end.min(next)));
        pause = pause.saturating_mul(2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use super::until;
    use crate::storage::watch::Watch;
    use std::time::{Duration, Instant};

    #[test]
    fn waiting_ends_with_what_is_found_or_with_the_time() {
        let watch = Watch::default();
        let mut looks = 0;
        let found = until(&watch, None, || {
            looks += 1;
            Ok((looks > 1000).then_some(looks))
        });
        assert_eq!(found.unwrap(), Some(1001));
        let begun = Instant::now();
        let found = until(&watch, Some(Duration::from_millis(30)), || Ok(None::<()>));
        assert_eq!(found.unwrap(), None);
        let time = begun.elapsed();
        assert!(time >= Duration::from_millis(30), "{time:?}");
    }
}
