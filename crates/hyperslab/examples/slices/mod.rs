//! Requests as lines, `FILE<TAB>PATH<TAB>SLICE` and perhaps `<TAB>VIEW:GAP`, and what they ask for.

use hyperslab::AxisSlab;
use hyperslab::Class;
use hyperslab::Dataset;
use hyperslab::DatasetAccess;
use hyperslab::Datatype;
use hyperslab::Element;
use hyperslab::ExtentView;
use hyperslab::File;
use hyperslab::Selection;
use std::error::Error;
use std::fmt;

/// The result of an example.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// One line: what to read.
pub(crate) struct Request<'a> {
    pub(crate) file: &'a str,
    pub(crate) path: &'a str,
    slice: &'a str,
    access: DatasetAccess,
}

/// What was read. Displays as its type as numpy names it, and its shape: `<i4 (3,4)`.
pub(crate) struct Answer {
    kind: String,
    shape: Vec<u64>,
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<_> = self.shape.iter().map(u64::to_string).collect();
        write!(f, "{} ({})", self.kind, shape.join(","))
    }
}

impl<'a> Request<'a> {
    pub(crate) fn parse(line: &'a str) -> Outcome<Self> {
        let mut fields = line.trim_end_matches('\n').split('\t');
        match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some(file), Some(path), Some(slice), text) => {
                Ok(Self { file, path, slice, access: access(text.unwrap_or("last:0"))? })
            }
            _ => Err(format!("{line:?} is not FILE, PATH and SLICE with tabs between").into()),
        }
    }

    pub(crate) fn read(&self, file: &File) -> Outcome<Answer> {
        let dataset = file.dataset_with(self.path, &self.access)?;
        let (selection, shape) = self.selection(&dataset.shape())?;
        let (kind, memory) = memory(&dataset)?;
        let bytes = dataset.read_bytes(&selection, &memory)?;
        Ok(Answer { kind, shape, bytes })
    }

    /// The selection, and the shape it gives: an index takes its axis away.
    fn selection(&self, dims: &[u64]) -> Outcome<(Selection, Vec<u64>)> {
        let mut texts = self.slice.split(',').filter(|text| !text.is_empty());
        let mut axes = Vec::new();
        let mut shape = Vec::new();
        for dim in dims {
            let text = texts.next().unwrap_or(":");
            let slab = axis(text, *dim)?;
            if text.contains(':') {
                shape.push(slab.count.unwrap_or(0));
            }
            axes.push(slab);
        }
        if texts.next().is_some() {
            return Err(format!("slice {} has more than {} axes", self.slice, dims.len()).into());
        }
        if dims.is_empty() {
            return Ok((Selection::All, shape));
        }
        if axes.iter().any(|axis| axis.count == Some(0)) {
            return Ok((Selection::None, shape));
        }
        Ok((Selection::from_axes(axes)?, shape))
    }
}

/// `last:0`: where a dataset ends that grows, and how many numbered sources in a row may be missing.
fn access(text: &str) -> Outcome<DatasetAccess> {
    let (view, gap) = text.split_once(':').ok_or("no gap")?;
    let view = if view == "first" { ExtentView::FirstMissing } else { ExtentView::LastAvailable };
    Ok(DatasetAccess::new().view(view).printf_gap(gap.parse()?))
}

/// `3`, `:`, `a:b` or `a:b:step`.
fn axis(text: &str, dim: u64) -> Outcome<AxisSlab> {
    let fields: Vec<_> = text.split(':').collect();
    let number = |at: usize, absent: u64| match fields.get(at) {
        None | Some(&"") => Ok(absent),
        Some(digits) => digits.parse::<u64>(),
    };
    let start = number(0, 0)?;
    let end = if fields.len() == 1 { start.saturating_add(1) } else { number(1, dim)?.min(dim) };
    let stride = number(2, 1)?.max(1);
    let count = end.saturating_sub(start).div_ceil(stride);
    Ok(AxisSlab { start, stride, count: Some(count), block: Some(1) })
}

/// How numpy names the numbers of a dataset when they are little-endian, and their type in memory.
fn memory(dataset: &Dataset) -> Outcome<(String, Datatype)> {
    let datatype = dataset.datatype();
    let letter = match datatype.class() {
        Class::Integer(integer) if integer.signed => 'i',
        Class::Integer(_) => 'u',
        Class::Float(_) => 'f',
        _ => return Err("only integers and floats are read here".into()),
    };
    let memory = match (letter, datatype.size()) {
        ('i', 1) => i8::datatype(),
        ('i', 2) => i16::datatype(),
        ('i', 4) => i32::datatype(),
        ('i', 8) => i64::datatype(),
        ('u', 1) => u8::datatype(),
        ('u', 2) => u16::datatype(),
        ('u', 4) => u32::datatype(),
        ('u', 8) => u64::datatype(),
        ('f', 4) => f32::datatype(),
        ('f', 8) => f64::datatype(),
        (_, size) => return Err(format!("no number of {size} bytes is read here").into()),
    };
    Ok((format!("<{letter}{}", datatype.size()), memory))
}
