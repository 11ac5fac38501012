//! `vds build`: many datasets become one, without copying an element.

use crate::output::{Failure, Outcome, Output};
use crate::replacement::Replacement;
use crate::target::Target;
use crate::typed::{element, parse_shape, parse_type};
use crate::values::extent;
use clap::ValueEnum;
use hyperslab::{AxisSlab, Datatype, File, Selection, VirtualLayout, VirtualSource};
use std::path::{Component, Path, PathBuf};

/// How the sources become one dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Each source is one step of a new axis.
    Stack,
    /// One source behind the other along an axis.
    Concat,
    /// In turns along an axis: element 0 of each source, then element 1, ...
    Interleave,
    /// Tiles of a mosaic over the last two axes, row by row.
    Grid,
}

/// Composes datasets of other files into one virtual dataset of a new file.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The path of the virtual dataset in the new file.
    #[arg(long, value_name = "PATH")]
    name: String,
    /// How the sources become one.
    #[arg(long, value_enum, default_value_t = Mode::Stack)]
    mode: Mode,
    /// The axis of stack, concat and interleave.
    #[arg(long, default_value_t = 0)]
    axis: usize,
    /// Tiles of grid, `ROWSxCOLUMNS`.
    #[arg(long, value_name = "ROWSxCOLS")]
    grid: Option<String>,
    /// Elements between the tiles of grid, `ROWS,COLUMNS`.
    #[arg(long, value_name = "R,C", default_value = "0,0")]
    gap: String,
    /// The path of the dataset in each source.
    #[arg(long, value_name = "PATH")]
    source_path: Option<String>,
    /// What sources that do not exist yet will be: `--expect 100,512,512 u2`.
    #[arg(long, num_args = 2, value_names = ["SHAPE", "DTYPE"])]
    expect: Option<Vec<String>>,
    /// What elements read as that no source has.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    fill: Option<String>,
    /// Replaces the file if it exists.
    #[arg(long)]
    force: bool,
    /// The file to make.
    out: PathBuf,
    /// The sources in order: `mod_0.h5/entry/data`, `mod_*.h5::/entry/data`, or files with `--source-path`.
    #[arg(required = true, value_name = "SRC")]
    sources: Vec<String>,
}

/// A source: where it is, and what it is or will be.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) file: PathBuf,
    pub(crate) path: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) datatype: Datatype,
    pub(crate) exists: bool,
}

/// The mosaic of grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mosaic {
    pub(crate) rows: u64,
    pub(crate) columns: u64,
    pub(crate) gap: (u64, u64),
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let inputs = inputs(arguments)?;
    let first = inputs.first().ok_or_else(|| Failure::message("no sources"))?;
    if let Some(other) = inputs.iter().find(|input| input.datatype != first.datatype) {
        let message = format!(
            "{}: its elements are {}, those of {} are {}",
            other.file.display(),
            other.datatype,
            first.file.display(),
            first.datatype
        );
        return Err(Failure::message(message));
    }
    let fill = arguments.fill.as_ref().map(|text| element(text, &first.datatype)).transpose()?;
    let layout = match arguments.mode {
        Mode::Stack => stack(&arguments.out, &inputs, arguments.axis)?,
        Mode::Concat => concat(&arguments.out, &inputs, arguments.axis)?,
        Mode::Interleave => interleave(&arguments.out, &inputs, arguments.axis)?,
        Mode::Grid => grid(&arguments.out, &inputs, mosaic(arguments, inputs.len())?)?,
    };
    let replacement = Replacement::begin(&arguments.out, arguments.force)?;
    let new = File::create_new(replacement.path())?;
    let name = format!("/{}", arguments.name.trim_start_matches('/'));
    let shape = extent(layout.extent());
    let mut builder = new.new_dataset_of(&first.datatype).virtual_layout(layout);
    if let Some(fill) = fill {
        builder = builder.fill_bytes(fill);
    }
    drop(builder.create(&name)?);
    new.close()?;
    replacement.finish()?;
    output.line(format!("{}{name} {shape} {}", arguments.out.display(), first.datatype))?;
    let missing = inputs.iter().filter(|input| !input.exists).count();
    output.line(format!("{} sources, {missing} of them not there yet", inputs.len()))
}

/// Every source, globs expanded, in order.
fn inputs(arguments: &Arguments) -> Outcome<Vec<Input>> {
    let expected = match arguments.expect.as_deref() {
        Some([shape, datatype]) => Some((parse_shape(shape)?, parse_type(datatype)?)),
        _ => None,
    };
    let mut targets = Vec::new();
    for source in &arguments.sources {
        let target = target(source, arguments.source_path.as_deref())?;
        for file in expand(&target.file)? {
            targets.push(Target { file, ..target.clone() });
        }
    }
    targets.into_iter().map(|target| input(target, expected.as_ref())).collect()
}

fn target(source: &str, source_path: Option<&str>) -> Outcome<Target> {
    let mut target = Target::parse_expected(source);
    if target.path != "/" {
        return Ok(target);
    }
    let Some(path) = source_path else {
        let message = format!("{source}: which dataset of the file? Write FILE/PATH, or give --source-path");
        return Err(Failure::message(message));
    };
    target.path = format!("/{}", path.trim_start_matches('/'));
    Ok(target)
}

/// The files a name with `*`, `?` or `[` means, numbers in their order.
fn expand(file: &Path) -> Outcome<Vec<PathBuf>> {
    let text = file.to_string_lossy();
    if !text.contains(['*', '?', '[']) || file.exists() {
        return Ok(vec![file.to_path_buf()]);
    }
    let failed = |why: String| Failure::message(format!("{text}: {why}"));
    let paths = glob::glob(&text).map_err(|error| failed(error.to_string()))?;
    let mut found = paths.collect::<Result<Vec<_>, _>>().map_err(|error| failed(error.to_string()))?;
    if found.is_empty() {
        return Err(failed("no file has such a name".to_owned()));
    }
    found.sort_by_cached_key(|path| natural(&path.to_string_lossy()));
    Ok(found)
}

/// Text and numbers in turns, so that 2 comes before 10.
fn natural(text: &str) -> Vec<(String, u64)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (words, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        pieces.push((words.to_owned(), number.parse().unwrap_or(0)));
        rest = after;
    }
    pieces
}

fn input(target: Target, expected: Option<&(Vec<u64>, Datatype)>) -> Outcome<Input> {
    if target.file.exists() {
        let dataset = File::open(&target.file)?.dataset(&target.path)?;
        let (shape, datatype) = (dataset.shape(), dataset.datatype().clone());
        return Ok(Input { file: target.file, path: target.path, shape, datatype, exists: true });
    }
    match expected.cloned() {
        Some((shape, datatype)) => {
            Ok(Input { file: target.file, path: target.path, shape, datatype, exists: false })
        }
        None => Err(Failure::message(format!(
            "{}: there is no such file; --expect SHAPE DTYPE says what it will be",
            target.file.display()
        ))),
    }
}

fn mosaic(arguments: &Arguments, sources: usize) -> Outcome<Mosaic> {
    let pair = |text: &str, between: char| {
        let (first, second) = text.split_once(between)?;
        Some((first.trim().parse::<u64>().ok()?, second.trim().parse::<u64>().ok()?))
    };
    let Some(grid) = &arguments.grid else {
        return Err(Failure::message(format!("--mode grid needs --grid ROWSxCOLUMNS for {sources} tiles")));
    };
    let (Some((rows, columns)), Some(gap)) = (pair(grid, 'x'), pair(&arguments.gap, ',')) else {
        return Err(Failure::message("--grid is two numbers as in 4x2, --gap two numbers as in 12,4"));
    };
    if rows.checked_mul(columns) != Some(sources as u64) {
        return Err(Failure::message(format!(
            "a grid of {rows}x{columns} has another number of tiles than {sources}"
        )));
    }
    Ok(Mosaic { rows, columns, gap })
}

fn stack(out: &Path, inputs: &[Input], axis: usize) -> Outcome<VirtualLayout> {
    let shape = equal(inputs, None)?;
    if axis > shape.len() {
        return Err(Failure::message(format!(
            "axis {axis} of a stack of datasets with {} axes",
            shape.len()
        )));
    }
    let mut whole = shape.clone();
    whole.insert(axis, inputs.len() as u64);
    let mut layout = VirtualLayout::new(&whole);
    for (at, input) in (0..).zip(inputs) {
        let mut slabs: Vec<AxisSlab> = shape.iter().map(|length| AxisSlab::range(0, *length)).collect();
        slabs.insert(axis, AxisSlab::range(at, 1));
        map(&mut layout, slabs, input, out)?;
    }
    Ok(layout)
}

fn concat(out: &Path, inputs: &[Input], axis: usize) -> Outcome<VirtualLayout> {
    let mut whole = equal(inputs, Some(axis))?;
    let total =
        inputs.iter().filter_map(|input| input.shape.get(axis)).try_fold(0_u64, |sum, n| sum.checked_add(*n));
    let total = total.ok_or_else(|| Failure::message("the sources together are longer than 2^64"))?;
    set(&mut whole, axis, total);
    let mut layout = VirtualLayout::new(&whole);
    let mut at = 0;
    for input in inputs {
        let mut slabs: Vec<AxisSlab> = input.shape.iter().map(|length| AxisSlab::range(0, *length)).collect();
        if let Some(slab) = slabs.get_mut(axis) {
            slab.start = at;
            at += input.shape.get(axis).copied().unwrap_or(0);
        }
        map(&mut layout, slabs, input, out)?;
    }
    Ok(layout)
}

fn interleave(out: &Path, inputs: &[Input], axis: usize) -> Outcome<VirtualLayout> {
    let mut whole = equal(inputs, Some(axis))?;
    let every = inputs.len() as u64;
    let end = |(at, input): (u64, &Input)| {
        let last = input.shape.get(axis)?.checked_sub(1)?;
        last.checked_mul(every)?.checked_add(at)?.checked_add(1)
    };
    set(&mut whole, axis, (0..).zip(inputs).filter_map(end).max().unwrap_or(0));
    let mut layout = VirtualLayout::new(&whole);
    for (at, input) in (0..).zip(inputs) {
        let mut slabs: Vec<AxisSlab> = input.shape.iter().map(|length| AxisSlab::range(0, *length)).collect();
        if let (Some(slab), Some(length)) = (slabs.get_mut(axis), input.shape.get(axis)) {
            *slab = AxisSlab { start: at, stride: every, count: Some(*length), block: Some(1) };
        }
        map(&mut layout, slabs, input, out)?;
    }
    Ok(layout)
}

/// Tiles over the last two axes, row by row.
pub(crate) fn grid(out: &Path, inputs: &[Input], mosaic: Mosaic) -> Outcome<VirtualLayout> {
    let shape = equal(inputs, None)?;
    let [leading @ .., height, width] = shape.as_slice() else {
        return Err(Failure::message(format!(
            "a grid needs datasets of two axes or more, these have {}",
            shape.len()
        )));
    };
    let side = |tiles: u64, length: u64, gap: u64| {
        let step = length.checked_add(gap)?;
        Some((step, tiles.checked_mul(step)?.checked_sub(gap)?))
    };
    let sides = side(mosaic.rows, *height, mosaic.gap.0).zip(side(mosaic.columns, *width, mosaic.gap.1));
    let ((down, rows), (across, columns)) =
        sides.ok_or_else(|| Failure::message("the grid is larger than 2^64"))?;
    let whole: Vec<u64> = leading.iter().copied().chain([rows, columns]).collect();
    let mut layout = VirtualLayout::new(&whole);
    for (at, input) in (0_u64..).zip(inputs) {
        let (row, column) = (at / mosaic.columns.max(1), at % mosaic.columns.max(1));
        let mut slabs: Vec<AxisSlab> = leading.iter().map(|length| AxisSlab::range(0, *length)).collect();
        slabs.push(AxisSlab::range(row * down, *height));
        slabs.push(AxisSlab::range(column * across, *width));
        map(&mut layout, slabs, input, out)?;
    }
    Ok(layout)
}

/// The shape the sources have in common, but for one axis.
fn equal(inputs: &[Input], but: Option<usize>) -> Outcome<Vec<u64>> {
    let first = inputs.first().ok_or_else(|| Failure::message("no sources"))?;
    if let Some(axis) = but.filter(|axis| *axis >= first.shape.len()) {
        return Err(Failure::message(format!("axis {axis} of datasets with {} axes", first.shape.len())));
    }
    let kept = |input: &Input| {
        let mut shape = input.shape.clone();
        if let Some(axis) = but {
            set(&mut shape, axis, 0);
        }
        shape
    };
    match inputs.iter().find(|input| kept(input) != kept(first)) {
        None => Ok(first.shape.clone()),
        Some(other) => Err(Failure::message(format!(
            "{}: its shape is {:?}, that of {} is {:?}",
            other.file.display(),
            other.shape,
            first.file.display(),
            first.shape
        ))),
    }
}

fn set(shape: &mut [u64], axis: usize, length: u64) {
    if let Some(place) = shape.get_mut(axis) {
        *place = length;
    }
}

fn map(layout: &mut VirtualLayout, slabs: Vec<AxisSlab>, input: &Input, out: &Path) -> Outcome {
    if input.shape.contains(&0) {
        return Ok(());
    }
    let selection = if slabs.is_empty() { Selection::All } else { Selection::from_axes(slabs)? };
    let source = VirtualSource::new(stored_name(&input.file, out), percents(&input.path), &input.shape);
    Ok(layout.map(&selection, &source)?)
}

/// The name of a source as it is stored: relative to the directory of the virtual dataset's file.
fn stored_name(given: &Path, out: &Path) -> String {
    let absolute = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        path.canonicalize().unwrap_or_else(|_| tidy(&path))
    };
    let directory =
        out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let (file, directory) = (absolute(given), absolute(directory));
    if given.is_absolute() && !file.starts_with(&directory) {
        return percents(&given.to_string_lossy());
    }
    let common = file.components().zip(directory.components()).take_while(|(a, b)| a == b).count();
    let up = directory.components().skip(common).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(file.components().skip(common)).collect();
    percents(&relative.to_string_lossy())
}

/// Without `.` and `..`, for a path that does not exist.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                tidied.pop();
            }
            other => tidied.push(other),
        }
    }
    tidied
}

/// A percent sign in a stored name is written twice.
fn percents(name: &str) -> String {
    name.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::{natural, percents, stored_name};
    use std::path::Path;

    #[test]
    fn numbers_in_names_are_in_their_order() {
        let mut names = ["mod_10.h5", "mod_9.h5", "mod_1.h5"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["mod_1.h5", "mod_9.h5", "mod_10.h5"]);
    }

    #[test]
    fn a_source_is_named_from_the_directory_of_the_new_file() {
        assert_eq!(stored_name(Path::new("no/a.h5"), Path::new("out.h5")), "no/a.h5");
        assert_eq!(stored_name(Path::new("./no/a.h5"), Path::new("no/out.h5")), "a.h5");
        assert_eq!(stored_name(Path::new("a.h5"), Path::new("no/such/out.h5")), "../../a.h5");
        assert_eq!(stored_name(Path::new("/data/a.h5"), Path::new("out.h5")), "/data/a.h5");
    }

    #[test]
    fn a_percent_sign_is_written_twice() {
        assert_eq!(percents("100%.h5"), "100%%.h5");
    }
}
