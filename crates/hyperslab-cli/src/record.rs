//! `record`: frames from standard input become rows of a live dataset.

use crate::opening::{options, warn_of_mount};
use crate::output::{Failure, Outcome, Output, warn};
use crate::progress::counter;
use crate::recipe::filtered;
use crate::target::Target;
use crate::typed::{parse_shape, parse_type};
use hyperslab::{Dataset, Datatype, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What chunks are not smaller than, in bytes, unless frames are asked for.
const CHUNK: u64 = 16 << 10;
/// What is read at once, in bytes.
const AT_ONCE: usize = 1 << 20;

/// Frames from standard input, one after the other as they are in memory, become rows of a dataset that others follow
/// meanwhile.
///
/// OUT is made when it is not there, and so is the dataset; frames are added to one that is there already if they fit it.
/// Every frame is shown to readers as soon as it is complete. The file is closed when the input ends, and with Ctrl-C.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The shape of a frame, as 512,512; `1` or nothing in between for single elements.
    #[arg(long)]
    shape: String,
    /// The elements, as numpy names them: u2, >i4, float32...
    #[arg(long)]
    dtype: String,
    /// Filters in the order they are applied, as shuffle+gzip:1; as for `repack`.
    #[arg(long, default_value = "none")]
    filter: String,
    /// Frames in a chunk of a new dataset; so many that a chunk is not too small, unless told.
    #[arg(long, value_name = "FRAMES", value_parser = clap::value_parser!(u64).range(1..))]
    chunk: Option<u64>,
    /// Has each frame on the disk before the next one is read.
    #[arg(long)]
    durable: bool,
    /// `run.h5/entry/data` or `run.h5::/entry/data`.
    #[arg(value_name = "OUT/PATH")]
    target: String,
}

/// The dataset that is written; whoever holds it is in the middle of a frame.
struct Recording {
    dataset: Dataset,
    file: File,
    durable: bool,
    /// The shape of a frame, and its bytes.
    frame: (Vec<u64>, usize),
    datatype: Datatype,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let recording = Arc::new(Mutex::new(open(arguments)?));
    close_when_interrupted(&recording)?;
    let progress = counter("frames");
    let recorded = record(&recording, |count| progress.inc(count));
    progress.finish_and_clear();
    let recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
    let (path, name, shape) =
        (recording.file.path().display().to_string(), recording.dataset.path(), recording.dataset.shape());
    recording.file.clone().close()?;
    output.line(format!("{path}: {name} {shape:?}"))?;
    let left = recorded?;
    if left > 0 {
        let of = recording.frame.1;
        let message = format!(
            "the input ends with {left} bytes of a frame of {of}, which are not recorded; --shape and --dtype \
             have to be those of the frames"
        );
        return Err(Failure::message(message));
    }
    Ok(())
}

fn open(arguments: &Arguments) -> Outcome<Recording> {
    let shape = parse_shape(&arguments.shape)?;
    let shape = if shape == [1] { Vec::new() } else { shape };
    let datatype = parse_type(&arguments.dtype)?;
    let size = shape
        .iter()
        .try_fold(datatype.size(), |size, length| size.checked_mul(usize::try_from(*length).ok()?));
    let size = size.filter(|size| *size > 0);
    let Some(size) = size else {
        let shape = &arguments.shape;
        return Err(Failure::message(format!(
            "--shape {shape}: a frame needs elements, and to fit into memory"
        )));
    };
    let target = Target::parse_expected(&arguments.target);
    if target.path == "/" {
        let text = &arguments.target;
        return Err(Failure::message(format!(
            "{text}: which dataset? Write OUT/PATH, as run.h5::/entry/data"
        )));
    }
    let (file, made) = open_file(&target.file)?;
    let dataset = match file.dataset(&target.path) {
        Ok(dataset) => fitting(dataset, &shape, &datatype)?,
        Err(error) if error.kind() == hyperslab::ErrorKind::NotFound => {
            let builder = file.new_dataset_of(&datatype);
            let builder = filtered(builder, &datatype, &arguments.filter).map_err(Failure::message)?;
            let frames =
                arguments.chunk.unwrap_or_else(|| CHUNK.div_ceil(u64::try_from(size).unwrap_or(CHUNK)));
            let prefixed =
                |first: u64| std::iter::once(first).chain(shape.iter().copied()).collect::<Vec<_>>();
            let most: Vec<_> =
                std::iter::once(None).chain(shape.iter().map(|length| Some(*length))).collect();
            builder.shape(prefixed(0)).max_shape(most).chunk(prefixed(frames)).create(&target.path)?
        }
        Err(error) => return Err(error.into()),
    };
    file.start_swmr().map_err(|error| {
        let path = target.file.display();
        Failure::message(format!(
            "{error}; `hyperslab repack {path} NEW` makes a file that can be live of it"
        ))
    })?;
    if !(made && file.mount() == Some(hyperslab::Mount::Overlay)) {
        warn_of_mount(&file);
    }
    Ok(Recording { dataset, file, durable: arguments.durable, frame: (shape, size), datatype })
}

/// The file, and whether it was made now.
fn open_file(path: &Path) -> Outcome<(File, bool)> {
    let made = !path.exists();
    let opened = if made { options().create_new(path) } else { options().open_rw(path) };
    let file = opened.map_err(|error| {
        let busy = error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        let way_out = if busy { "; `hyperslab status` tells who has it" } else { "" };
        Failure::message(format!("{error}{way_out}"))
    })?;
    Ok((file, made))
}

/// A dataset that is there already, when frames can be added to it.
fn fitting(dataset: Dataset, shape: &[u64], datatype: &Datatype) -> Outcome<Dataset> {
    let there = dataset.shape();
    let grows = dataset.extent().max().first() == Some(&None);
    if grows && there.get(1..) == Some(shape) && dataset.datatype() == datatype {
        return Ok(dataset);
    }
    Err(Failure::message(format!(
        "{} is there already, {} {}, and takes no frames of {shape:?} {datatype}; record to another path, or `hyperslab \
         rm` it before",
        dataset.path(),
        crate::values::extent(&dataset.extent()),
        dataset.datatype()
    )))
}

/// Records until the input ends; gives the bytes of a last frame that is not complete.
fn record(recording: &Mutex<Recording>, mut count: impl FnMut(u64)) -> Outcome<usize> {
    let size = recording.lock().unwrap_or_else(PoisonError::into_inner).frame.1;
    let mut input = BufReader::with_capacity(AT_ONCE.max(size), io::stdin().lock());
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        input.by_ref().take(u64::try_from(size).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        if bytes.len() < size {
            return Ok(bytes.len());
        }
        // What has come in meanwhile is shown together.
        let ready = input.buffer().len() / size * size;
        bytes.extend_from_slice(input.buffer().get(..ready).unwrap_or_default());
        input.consume(ready);
        let frames = u64::try_from(bytes.len() / size).unwrap_or(0);
        recording.lock().unwrap_or_else(PoisonError::into_inner).add(frames, &bytes)?;
        count(frames);
    }
}

impl Recording {
    fn add(&self, frames: u64, bytes: &[u8]) -> Outcome {
        let more: Vec<u64> = std::iter::once(frames).chain(self.frame.0.iter().copied()).collect();
        self.dataset.append_bytes(0, &more, &self.datatype, bytes)?;
        let shown = if self.durable { self.dataset.sync() } else { self.dataset.flush() };
        Ok(shown?)
    }
}

/// A file that is not closed has to be recovered before anybody opens it to write again.
fn close_when_interrupted(recording: &Arc<Mutex<Recording>>) -> Outcome {
    let recording = Arc::clone(recording);
    let close = move || {
        let recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
        let shape = recording.dataset.shape();
        match recording.file.clone().close() {
            Ok(()) => warn(&format!("interrupted; {} {shape:?} is closed", recording.dataset.path())),
            Err(error) => warn(&error.to_string()),
        }
        std::process::exit(130);
    };
    ctrlc::set_handler(close).map_err(|error| Failure::message(format!("cannot wait for Ctrl-C: {error}")))
}
