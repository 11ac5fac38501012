//! What `watch` says in lines: for people, or in JSON.

use crate::frame::{Frame, Stat};
use crate::output::{Outcome, Output, warn};
use crate::values::{extent, shown};
use crate::watch::{Change, Teller, Watched, ending};
use hyperslab::{Datatype, Value, WriterState};
use serde_json::json;
use std::time::{Duration, Instant};

/// For people.
#[derive(Default)]
pub(crate) struct Lines {
    last: Option<Instant>,
}

/// For programs.
pub(crate) struct Json;

impl Teller for Lines {
    fn begin(&mut self, watched: &Watched, output: &mut Output) -> Outcome {
        let (dataset, state) = (&watched.dataset, ending(watched.file.writer_state()?));
        let path = watched.file.path().display();
        output.line(format!(
            "{path}: {} {} {}, {state}",
            dataset.path(),
            extent(&dataset.extent()),
            dataset.datatype()
        ))
    }

    fn tell(&mut self, watched: &Watched, change: Option<&Change>, output: &mut Output) -> Outcome {
        let Some(change) = change else { return Ok(()) };
        let now = Instant::now();
        let since = now.duration_since(self.last.replace(now).unwrap_or(watched.begun));
        let (before, after) = change.rows();
        let (sign, count) = if after >= before { ('+', after - before) } else { ('-', before - after) };
        let rate = rate(count, since);
        let numbers = stat(watched, change).map_or_else(String::new, |Stat { min, max, mean }| {
            format!("  min {}  max {}  mean {}", number(min), number(max), number(mean))
        });
        output.line(format!(
            "{:9.3} s  {:>8}  {:?}  {rate:.1} rows/s{numbers}",
            watched.begun.elapsed().as_secs_f64(),
            format!("{sign}{count}"),
            change.after
        ))
    }

    fn end(&mut self, watched: &Watched, state: WriterState, output: &mut Output) -> Outcome {
        let seconds = watched.begun.elapsed().as_secs_f64();
        output.line(format!("{:?} after {seconds:.3} s, {}", watched.dataset.shape(), ending(state)))
    }
}

impl Teller for Json {
    fn begin(&mut self, watched: &Watched, output: &mut Output) -> Outcome {
        let dataset = &watched.dataset;
        output.line(json!({
            "file": watched.file.path().display().to_string(),
            "path": dataset.path(),
            "shape": dataset.shape(),
            "datatype": dataset.datatype().to_string(),
            "state": ending(watched.file.writer_state()?),
        }))
    }

    fn tell(&mut self, watched: &Watched, change: Option<&Change>, output: &mut Output) -> Outcome {
        let Some(change) = change else { return Ok(()) };
        let (before, after) = change.rows();
        let mut told = json!({
            "seconds": watched.begun.elapsed().as_secs_f64(),
            "before": change.before,
            "after": change.after,
            "axis": change.axis,
            "rows": [before.min(after), after],
            "lag": watched.lag(),
        });
        if let (Some(stat), Some(members)) = (stat(watched, change), told.as_object_mut()) {
            members.insert("stat".to_owned(), json!({"min": stat.min, "max": stat.max, "mean": stat.mean}));
        }
        output.line(told)
    }

    fn end(&mut self, watched: &Watched, state: WriterState, output: &mut Output) -> Outcome {
        output.line(json!({
            "seconds": watched.begun.elapsed().as_secs_f64(),
            "shape": watched.dataset.shape(),
            "state": ending(state),
            "retries": watched.file.retries(),
        }))
    }
}

/// What the newest frame comes to, when that is asked for.
fn stat(watched: &Watched, change: &Change) -> Option<Stat> {
    if !watched.stat || !watched.is_numbers() {
        return None;
    }
    match Frame::newest(&watched.dataset, &change.after, change.axis, 1) {
        Ok(frame) => frame?.stat(),
        Err(failure) => {
            warn(&failure.to_string());
            None
        }
    }
}

/// A number as it is shown elsewhere.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    shown(&Value::Float(value), &Datatype::of::<f32>())
}

/// So many things in that time, in each second.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown with few digits")]
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-6)
}
