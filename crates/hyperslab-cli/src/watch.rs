//! `watch`: follows a dataset that somebody writes, and tells how it grows.

use crate::opening;
use crate::output::{Failure, Outcome, Output};
use crate::target::Target;
use crate::typed::parse_seconds;
use crate::watch_lines::{Json, Lines};
use crate::watch_view::View;
use hyperslab::{Class, Dataset, File, Follow, Growth, WriterState};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// How long to wait for growth before looking what else there is to do.
const TICK: Duration = Duration::from_millis(50);
/// How often a full screen is drawn.
const DRAWN: Duration = Duration::from_millis(100);

/// Follows a dataset while it is written, until its writer closes the file.
///
/// On a terminal it fills the screen until Ctrl-C: how fast the dataset grows, how far behind this is, and a picture of
/// the newest frame. Otherwise each growth is a line. The exit status is 1 when the writer is gone without having closed the file.
/// A virtual dataset has no writer of its own: it is followed until --timeout, or for ever.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Adds the least, the greatest and the mean element of the newest frame.
    #[arg(long)]
    stat: bool,
    /// Tells what grew no more often than once in so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    every: Option<Duration>,
    /// JSON, one object on each line.
    #[arg(long)]
    json: bool,
    /// Lines, on a terminal too.
    #[arg(long)]
    lines: bool,
    /// Ends when nothing changed for so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: Option<Duration>,
    /// Takes no lock, so that other programs can open the file to write meanwhile.
    #[arg(long)]
    unlocked: bool,
    /// `run.h5/entry/data` or `run.h5::/entry/data`.
    #[arg(value_name = "FILE/PATH")]
    target: String,
}

/// What is followed.
pub(crate) struct Watched {
    pub(crate) file: File,
    pub(crate) dataset: Dataset,
    pub(crate) stat: bool,
    pub(crate) begun: Instant,
}

/// How a dataset grew since that was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) before: Vec<u64>,
    pub(crate) after: Vec<u64>,
    pub(crate) axis: usize,
}

/// Whoever tells of growth.
pub(crate) trait Teller {
    /// That it is followed from now on.
    fn begin(&mut self, watched: &Watched, output: &mut Output) -> Outcome;
    /// What changed, or that nothing did for a while.
    fn tell(&mut self, watched: &Watched, change: Option<&Change>, output: &mut Output) -> Outcome;
    /// Whether somebody wants it to end.
    fn interrupted(&self) -> bool {
        false
    }
    /// Gives the terminal back, whatever happened.
    fn leave(&mut self, _output: &mut Output) -> Outcome {
        Ok(())
    }
    /// That it is not followed any more.
    fn end(&mut self, watched: &Watched, state: WriterState, output: &mut Output) -> Outcome;
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let target = Target::parse(&arguments.target);
    let (file, dataset) = open(arguments, &target)?;
    let watched = Watched { file, dataset, stat: arguments.stat, begun: Instant::now() };
    let screen = !arguments.json && !arguments.lines && std::io::stdout().is_terminal();
    let mut teller: Box<dyn Teller> = if screen {
        Box::new(View::default())
    } else if arguments.json {
        Box::new(Json)
    } else {
        Box::new(Lines::default())
    };
    let every = arguments.every.unwrap_or(if screen { DRAWN } else { Duration::ZERO });
    let followed = follow(&watched, (arguments.timeout, every), teller.as_mut(), output);
    teller.leave(output)?;
    followed?;
    let state = watched.file.writer_state()?;
    teller.end(&watched, state, output)?;
    if teller.interrupted() {
        output.flush()?;
        std::process::exit(130);
    }
    match state {
        WriterState::Died => {
            let path = target.file.display();
            Err(Failure::message(format!(
                "{path}: its writer is gone and did not close it; `hyperslab recover {path}` makes it whole"
            )))
        }
        _ => Ok(()),
    }
}

fn follow(
    watched: &Watched,
    (timeout, every): (Option<Duration>, Duration),
    teller: &mut dyn Teller,
    output: &mut Output,
) -> Outcome {
    teller.begin(watched, output)?;
    output.flush()?;
    let mut follow: Follow = watched.dataset.follow(timeout);
    let mut waiting: Option<Change> = None;
    let mut due = Instant::now();
    while !follow.is_ended() && !teller.interrupted() {
        if let Some(growth) = follow.look(TICK)? {
            waiting = Some(Change::new(waiting, &growth));
        }
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || follow.is_ended() {
            teller.tell(watched, waiting.take().as_ref(), output)?;
            output.flush()?;
            due = Instant::now() + every;
        } else if waiting.is_some() {
            std::thread::sleep(left.min(TICK));
        }
    }
    Ok(())
}

fn open(arguments: &Arguments, target: &Target) -> Outcome<(File, Dataset)> {
    if target.slice.is_some() {
        return Err(Failure::message("watch follows a whole dataset; leave out ?slice="));
    }
    let options = opening::options().swmr(true);
    let options = if arguments.unlocked { options.locking(false) } else { options };
    let path = PathBuf::from(&target.file);
    let file = options.open(&path).map_err(|error| {
        let way_out = match error.io_error().map(std::io::Error::kind) {
            Some(std::io::ErrorKind::NotFound) => "; start the writer first",
            Some(std::io::ErrorKind::WouldBlock) => {
                "; whoever writes it has it alone: a file is followed once its writer lets others read it \
                 (File::start_swmr, swmr_mode = True); `hyperslab status` tells who has it"
            }
            _ => "",
        };
        Failure::message(format!("{error}{way_out}"))
    })?;
    opening::warn_of_mount(&file);
    let dataset = file.dataset(&target.path).map_err(|error| {
        let path = path.display();
        Failure::message(format!("{error}; `hyperslab ls -r {path}` lists the datasets of the file"))
    })?;
    Ok((file, dataset))
}

impl Watched {
    /// How old what is newest in the file is, in seconds, as the file system tells the time of a write; nothing of a
    /// virtual dataset, whose elements are in other files.
    pub(crate) fn lag(&self) -> Option<f64> {
        if self.dataset.is_virtual() {
            return None;
        }
        let written = self.file.path().metadata().and_then(|metadata| metadata.modified()).ok()?;
        Some(SystemTime::now().duration_since(written).unwrap_or_default().as_secs_f64())
    }

    /// Bytes of one row, a slice across the axis that grows.
    pub(crate) fn row_bytes(&self, shape: &[u64], axis: usize) -> u64 {
        let others = shape.iter().enumerate().filter(|(at, _)| *at != axis);
        let size = u64::try_from(self.dataset.datatype().size()).unwrap_or(0);
        others.fold(size, |bytes, (_, length)| bytes.saturating_mul(*length))
    }

    /// Whether elements are numbers, so that there is something to draw.
    pub(crate) fn is_numbers(&self) -> bool {
        let class = self.dataset.datatype().class();
        matches!(
            class,
            Class::Integer(_)
                | Class::Float(_)
                | Class::Bitfield(_)
                | Class::Complex(_)
                | Class::Enumeration(_)
        )
    }
}

impl Change {
    fn new(waiting: Option<Self>, growth: &Growth) -> Self {
        let before = waiting.map_or_else(|| growth.before().to_vec(), |waiting| waiting.before);
        Self { before, after: growth.after().to_vec(), axis: growth.axis() }
    }

    /// Rows before and after.
    pub(crate) fn rows(&self) -> (u64, u64) {
        let length = |dims: &[u64]| dims.get(self.axis).copied().unwrap_or(0);
        (length(&self.before), length(&self.after))
    }
}

/// What became of the writer, in words.
pub(crate) fn ending(state: WriterState) -> &'static str {
    match state {
        WriterState::Writing => "still written",
        WriterState::Closed => "closed",
        WriterState::Died => "left by its writer",
        WriterState::Replaced => "replaced by another file of its name",
        WriterState::Deleted => "deleted",
        _ => "unknown",
    }
}
