//! Waiting for a writer: a short spin, then being told, which begins another spin, and looking now and then in any case.
//! Of a writer that writes in quick succession the next row is awaited without a pause.

use crate::error::Result;
use crate::storage::watch::Watch;
use parking_lot::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long to look without a pause: a writer at work writes the next row, or the rest of this one, in about that time.
const SPIN: Duration = Duration::from_micros(50);
/// How often the processor is told between two looks that nothing is to be hurried: a microsecond or two.
const BREATH: u32 = 32;
/// The first pause between two looks when nobody tells; each one is twice the one before,
const SHORTEST: Duration = Duration::from_micros(20);
/// up to this,
const LONGEST: Duration = Duration::from_micros(500);
/// or up to this where the operating system tells of writes: it does not of those of other machines.
const WATCHED: Duration = Duration::from_millis(20);

/// Rows that follow one another in less than this are awaited without a pause, as who polls would: to be woken takes a tenth
/// of it.
const QUICK: Duration = Duration::from_micros(1500);
/// Held by the one thread of this program that does.
static AWAKE: Mutex<()> = Mutex::new(());

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

/// How often whoever waits found something.
#[derive(Debug, Default)]
pub(crate) struct Rhythm(Mutex<Option<Beat>>);

#[derive(Clone, Copy, Debug)]
struct Beat {
    /// When something was found last.
    last: Instant,
    /// The time between two finds, the last ones counting most.
    interval: Duration,
}

impl Rhythm {
    fn found(&self, now: Instant) {
        let mut beat = self.0.lock();
        let known = beat.unwrap_or(Beat { last: now, interval: 2 * QUICK });
        let passed = now.saturating_duration_since(known.last).min(2 * QUICK);
        *beat = Some(Beat { last: now, interval: (3 * known.interval + passed) / 4 });
    }

    /// Until when to await the next find without a pause; nothing when they do not come that fast.
    fn due<'a>(&self, awake: &'a Mutex<()>) -> Option<(Instant, MutexGuard<'a, ()>)> {
        let beat = self.0.lock().filter(|beat| beat.interval < QUICK)?;
        Some((beat.last.checked_add(beat.interval * 3 / 2)?, awake.try_lock()?))
    }
}

/// Calls `look` until it finds something; nothing when the time is up, which is never without `timeout`.
pub(crate) fn until<T>(
    (watch, rhythm): (&Watch, &Rhythm),
    timeout: Option<Duration>,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let begun = Instant::now();
    let end = timeout.and_then(|timeout| begun.checked_add(timeout));
    let longest = if watch.tells() { WATCHED } else { LONGEST };
    let mut pause = if watch.tells() { WATCHED / 8 } else { SHORTEST };
    let mut spinning = begun;
    let mut awake = rhythm.due(&AWAKE);
    loop {
        let mark = watch.mark();
        if let Some(found) = look()? {
            rhythm.found(Instant::now());
            return Ok(Some(found));
        }
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return Ok(None);
        }
        awake = awake.filter(|(due, _)| now < *due);
        if awake.is_some() || now.duration_since(spinning) < SPIN {
            let_others_run();
            continue;
        }
        let next = now.checked_add(pause).unwrap_or(now);
        if watch.wait(mark, end.map_or(next, |end| end.min(next))) {
            spinning = Instant::now();
        }
        pause = pause.saturating_mul(2).min(longest);
    }
}

/// A breath between two looks: who writes may need this processor, or what it shares with another one.
fn let_others_run() {
    std::thread::yield_now();
    (0..BREATH).for_each(|_| std::hint::spin_loop());
}

#[cfg(test)]
mod tests {
    use super::{QUICK, Rhythm, until};
    use crate::storage::watch::Watch;
    use parking_lot::Mutex;
    use std::time::{Duration, Instant};

    #[test]
    fn waiting_ends_with_what_is_found_or_with_the_time() {
        let (watch, rhythm) = (Watch::default(), Rhythm::default());
        let mut looks = 0;
        let found = until((&watch, &rhythm), None, || {
            looks += 1;
            Ok((looks > 1000).then_some(looks))
        });
        assert_eq!(found.unwrap(), Some(1001));
        let begun = Instant::now();
        let found = until((&watch, &rhythm), Some(Duration::from_millis(30)), || Ok(None::<()>));
        assert_eq!(found.unwrap(), None);
        let time = begun.elapsed();
        assert!(time >= Duration::from_millis(30), "{time:?}");
    }

    #[test]
    fn rows_in_quick_succession_are_awaited_by_one_thread_until_they_are_overdue() {
        let (rhythm, begun) = (Rhythm::default(), Instant::now());
        let one = Mutex::new(());
        assert!(rhythm.due(&one).is_none());
        let row = |number: u32| begun + QUICK / 2 * number;
        (0..20).for_each(|number| rhythm.found(row(number)));
        let awake = rhythm.due(&one);
        assert!(awake.as_ref().is_some_and(|(due, _)| (row(20)..row(21)).contains(due)));
        assert!(rhythm.due(&one).is_none(), "the first one is awake");
        drop(awake);
        assert!(rhythm.due(&one).is_some());
        (1..9).for_each(|second| rhythm.found(begun + Duration::from_secs(second)));
        assert!(rhythm.due(&one).is_none(), "it became slow");
    }
}
