//! The engine's own worker threads.

use crate::error::Result;
use parking_lot::Mutex;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The pool and the process it was made in: threads do not survive a fork.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// How many threads decode and copy: `HYPERSLAB_THREADS`, or as many as the machine offers.
pub(crate) fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let asked = std::env::var("HYPERSLAB_THREADS").ok().and_then(|text| text.parse().ok());
        let offered = || std::thread::available_parallelism().map_or(1, usize::from);
        asked.filter(|threads| *threads > 0).unwrap_or_else(offered)
    })
}

fn pool() -> Option<Arc<ThreadPool>> {
    let process = std::process::id();
    let mut current = POOL.lock();
    if let Some((made_in, pool)) = current.as_ref()
        && *made_in == process
    {
        return Some(Arc::clone(pool));
    }
    let name = |index| format!("hyperslab-{index}");
    let made = ThreadPoolBuilder::new().num_threads(threads()).thread_name(name).build().ok()?;
    let made = Arc::new(made);
    // A pool of the process that forked this one has no threads here that could end.
    std::mem::forget(current.replace((process, Arc::clone(&made))));
    Some(made)
}

/// Runs `work` for every number of `range`; on many threads when `parallel`. Stops at an error.
pub(crate) fn each<F>(range: Range<usize>, parallel: bool, work: F) -> Result<()>
where
    F: Fn(usize) -> Result<()> + Send + Sync,
{
    if !parallel || range.len() < 2 || threads() < 2 {
        return { range }.try_for_each(work);
    }
    match pool() {
        Some(pool) => pool.install(|| range.into_par_iter().try_for_each(work)),
        None => { range }.try_for_each(work),
    }
}
