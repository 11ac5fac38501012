//! What `watch` draws on a terminal: numbers, and a picture of the newest frame in blocks of colour.

use crate::frame::Frame;
use crate::output::{Failure, Outcome, Output};
use crate::picture::Picture;
use crate::show::plot;
use crate::values::extent;
use crate::watch::{Change, Teller, Watched};
use crate::watch_lines::{Lines, number, rate};
use console::Term;
use hyperslab::WriterState;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time over which a rate is taken.
const WINDOW: Duration = Duration::from_secs(3);
/// Lines above the picture.
const HEAD: u64 = 6;
/// From dark to bright where there are no colours.
const RAMP: &[u8] = b" .:-=+*#%@";
/// A screen of its own, without a cursor; and what was there before.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// A screen.
#[derive(Default)]
pub(crate) struct View {
    /// When how many rows were there.
    seen: VecDeque<(Instant, u64)>,
    /// When something last changed, and how old it was then.
    changed: Option<(Instant, Option<f64>)>,
    axis: usize,
    frame: Option<Frame>,
    problem: Option<String>,
    /// Whether the terminal shows this.
    entered: bool,
    interrupted: Arc<AtomicBool>,
}

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    None,
    Cube,
    True,
}

impl Teller for View {
    fn begin(&mut self, watched: &Watched, output: &mut Output) -> Outcome {
        let shape = watched.dataset.shape();
        self.axis = watched.dataset.extent().max().iter().position(Option::is_none).unwrap_or(0);
        self.note(shape.get(self.axis).copied().unwrap_or(0));
        self.look(watched, &shape);
        let interrupted = Arc::clone(&self.interrupted);
        ctrlc::set_handler(move || interrupted.store(true, Ordering::Relaxed))
            .map_err(|error| Failure::message(format!("cannot wait for Ctrl-C: {error}")))?;
        self.entered = true;
        output.text(ENTER)?;
        self.draw(watched, "", output)
    }

    fn tell(&mut self, watched: &Watched, change: Option<&Change>, output: &mut Output) -> Outcome {
        let shape = watched.dataset.shape();
        if let Some(change) = change {
            self.changed = Some((Instant::now(), watched.lag()));
            self.axis = change.axis;
            self.look(watched, &shape);
        }
        self.note(shape.get(self.axis).copied().unwrap_or(0));
        self.draw(watched, "followed; Ctrl-C ends", output)
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn leave(&mut self, output: &mut Output) -> Outcome {
        if std::mem::take(&mut self.entered) {
            output.text(LEAVE)?;
            output.flush()?;
        }
        Ok(())
    }

    fn end(&mut self, watched: &Watched, state: WriterState, output: &mut Output) -> Outcome {
        Lines::default().end(watched, state, output)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.entered {
            // Whoever is in such haste has nobody to tell of an error.
            let mut screen = std::io::stdout();
            let _gone = screen.write_all(LEAVE.as_bytes()).and_then(|()| screen.flush());
        }
    }
}

impl View {
    fn note(&mut self, rows: u64) {
        let now = Instant::now();
        self.seen.push_back((now, rows));
        while self.seen.len() > 2 && self.seen.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            self.seen.pop_front();
        }
    }

    fn rate(&self) -> f64 {
        match (self.seen.front(), self.seen.back()) {
            (Some((from, before)), Some((to, after))) if to > from => {
                rate(after.saturating_sub(*before), to.duration_since(*from))
            }
            _ => 0.0,
        }
    }

    fn look(&mut self, watched: &Watched, shape: &[u64]) {
        if !watched.is_numbers() {
            return;
        }
        let (rows, columns) = Term::stdout().size();
        let rows = if shape.len() == 1 { columns } else { rows.saturating_mul(2) };
        match Frame::newest(&watched.dataset, shape, self.axis, u64::from(rows)) {
            Ok(frame) => (self.frame, self.problem) = (frame, None),
            Err(failure) => self.problem = Some(failure.to_string()),
        }
    }

    fn draw(&self, watched: &Watched, state: &str, output: &mut Output) -> Outcome {
        let (lines, columns) = Term::stdout().size();
        let dataset = &watched.dataset;
        let shape = dataset.shape();
        let rows = shape.get(self.axis).copied().unwrap_or(0);
        let (rate, bytes) = (self.rate(), watched.row_bytes(&shape, self.axis));
        let lag = self.changed.and_then(|(_, lag)| lag);
        let lag = lag.map_or_else(|| "-".to_owned(), |lag| format!("{:.1} ms", lag * 1e3));
        let quiet = self.changed.map_or(watched.begun, |(at, _)| at).elapsed().as_secs_f64();
        let stat = self.frame.as_ref().and_then(Frame::stat).map_or_else(String::new, |stat| {
            format!("min {}  max {}  mean {}", number(stat.min), number(stat.max), number(stat.mean))
        });
        let head = [
            format!("{}: {}  {state}", watched.file.path().display(), dataset.path()),
            format!("{} {}", extent(&dataset.extent()), dataset.datatype()),
            format!("rows {rows}  {rate:.1} rows/s  {:.1} MiB/s", mebibytes(rate, bytes)),
            format!("lag {lag}  last change {quiet:.1} s ago"),
            self.problem.clone().unwrap_or(stat),
        ];
        output.text("\x1b[H")?;
        for line in head.into_iter().take(usize::from(lines).saturating_sub(1)) {
            let line: String = line.chars().filter(|c| !c.is_control()).take(usize::from(columns)).collect();
            output.text(&format!("{line}\x1b[K\r\n"))?;
        }
        if let Some(frame) = &self.frame {
            let room = u64::from(lines).saturating_sub(HEAD);
            picture(frame, shape.len(), (room, u64::from(columns)), output)?;
        }
        output.text("\x1b[J")
    }
}

/// A frame in as many lines and columns as there are.
fn picture(frame: &Frame, rank: usize, (lines, columns): (u64, u64), output: &mut Output) -> Outcome {
    if lines == 0 || columns == 0 {
        return Ok(());
    }
    if rank == 1 {
        let width = usize::try_from(columns).unwrap_or(usize::MAX).saturating_sub(16);
        return plot(&frame.values, width.max(8), output);
    }
    // A character is about twice as high as it is wide.
    let room = (lines.saturating_mul(2), columns);
    let size = if rank == 2 { room } else { fitted((frame.height, frame.width), room) };
    let picture = Picture::heat_map_of(&frame.values, (frame.height, frame.width), size)?;
    let rows: Vec<&[[u8; 3]]> = picture.rows().collect();
    let colours = colours();
    for pair in rows.chunks(2) {
        let (upper, lower) = (pair.first().copied().unwrap_or_default(), pair.get(1).copied());
        let mut line = String::new();
        for (at, upper) in upper.iter().enumerate() {
            line.push_str(&cell(*upper, lower.and_then(|lower| lower.get(at)).copied(), colours));
        }
        let end = if colours == Colours::None { "" } else { "\x1b[0m" };
        output.text(&format!("{line}{end}\x1b[K\r\n"))?;
    }
    Ok(())
}

/// The largest size of the same form that fits, and that is no larger than the frame.
fn fitted((height, width): (u64, u64), (rows, columns): (u64, u64)) -> (u64, u64) {
    let (height, width) = (height.max(1), width.max(1));
    let by_width =
        u64::try_from(u128::from(columns) * u128::from(height) / u128::from(width)).unwrap_or(u64::MAX);
    if by_width <= rows {
        return (by_width.max(1), columns);
    }
    let by_height =
        u64::try_from(u128::from(rows) * u128::from(width) / u128::from(height)).unwrap_or(u64::MAX);
    (rows, by_height.clamp(1, columns))
}

/// Two pixels, one above the other.
fn cell(upper: [u8; 3], lower: Option<[u8; 3]>, colours: Colours) -> String {
    match colours {
        Colours::None => {
            let sum: usize = upper.iter().chain(lower.iter().flatten()).map(|part| usize::from(*part)).sum();
            let most = 255 * if lower.is_some() { 6 } else { 3 };
            let at = sum * (RAMP.len() - 1) / most;
            char::from(RAMP.get(at).copied().unwrap_or(b' ')).to_string()
        }
        Colours::Cube => {
            let back = lower.map_or_else(String::new, |lower| format!("\x1b[48;5;{}m", cube(lower)));
            format!("\x1b[38;5;{}m{back}▀", cube(upper))
        }
        Colours::True => {
            let back = lower
                .map_or_else(String::new, |[red, green, blue]| format!("\x1b[48;2;{red};{green};{blue}m"));
            let [red, green, blue] = upper;
            format!("\x1b[38;2;{red};{green};{blue}m{back}▀")
        }
    }
}

/// The nearest of 216 colours.
fn cube(colour: [u8; 3]) -> u16 {
    let [red, green, blue] = colour.map(|part| (u16::from(part) * 5 + 127) / 255);
    16 + 36 * red + 6 * green + blue
}

fn colours() -> Colours {
    let term = std::env::var("COLORTERM").unwrap_or_default();
    if !console::colors_enabled() {
        Colours::None
    } else if term.contains("truecolor") || term.contains("24bit") {
        Colours::True
    } else {
        Colours::Cube
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with few digits")]
fn mebibytes(rows: f64, bytes: u64) -> f64 {
    rows * bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::{Colours, cell, cube, fitted};

    #[test]
    fn a_picture_keeps_its_form() {
        assert_eq!(fitted((512, 1024), (40, 80)), (40, 80));
        assert_eq!(fitted((512, 512), (40, 80)), (40, 40));
        assert_eq!(fitted((1, 4000), (40, 80)), (1, 80));
        assert_eq!(fitted((4000, 1), (40, 80)), (40, 1));
    }

    #[test]
    fn colours_are_as_many_as_the_terminal_has() {
        assert_eq!((cube([0, 0, 0]), cube([255, 255, 255]), cube([255, 0, 0])), (16, 231, 196));
        assert_eq!(cell([255; 3], Some([255; 3]), Colours::None), "@");
        assert_eq!(cell([0; 3], None, Colours::None), " ");
        assert_eq!(cell([1, 2, 3], Some([4, 5, 6]), Colours::True), "\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m▀");
    }
}
