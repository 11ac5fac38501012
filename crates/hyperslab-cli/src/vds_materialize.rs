//! `vds materialize`: the elements of a virtual dataset, copied into one that stores them.

use crate::opening;
use crate::output::{Failure, Outcome, Output, warn};
use crate::progress;
use crate::slabs::{self, Slabs};
use crate::target::Target;
use hyperslab::{AttributeData, Dataset, File};

/// Bytes that are copied at a time.
const AT_ONCE: u64 = 16 << 20;

/// Copies the elements of a virtual dataset into a dataset that stores them, with its attributes.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Compresses the copy: deflate, 1 to 9.
    #[arg(long, value_name = "LEVEL")]
    deflate: Option<u32>,
    /// Copies also when sources are missing, whose elements become the fill value.
    #[arg(long)]
    incomplete: bool,
    /// The virtual dataset: `all.h5/entry/data`.
    #[arg(value_name = "FILE/PATH")]
    source: String,
    /// Where the copy goes: `copy.h5/entry/data`; the file is made when there is none.
    #[arg(value_name = "OUT/PATH")]
    destination: String,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let (source, target) = (Target::parse(&arguments.source), Target::parse_expected(&arguments.destination));
    let dataset = opening::file(&source.file)?.dataset(&source.path)?;
    dataset.refresh()?;
    if !arguments.incomplete
        && let Some(broken) = dataset.mapping_status()?.into_iter().find(|status| status.problem.is_some())
    {
        let problem = broken.problem.map_or_else(String::new, |problem| problem.to_string());
        let message = format!("mapping {} ({}:{}): {problem}", broken.mapping, broken.file, broken.path);
        return Err(Failure::message(format!("{message}; --incomplete copies what there is")));
    }
    let path = if target.path == "/" { &source.path } else { &target.path };
    let file = File::append(&target.file)?;
    let mut builder = file.new_dataset_of(dataset.datatype()).extent(dataset.extent());
    let growing = dataset.extent().max().iter().zip(dataset.shape()).any(|(max, dim)| *max != Some(dim));
    if growing || arguments.deflate.is_some() {
        builder = builder.chunk_auto();
    }
    if let Some(level) = arguments.deflate {
        builder = builder.deflate(level);
    }
    if let Some(fill) = dataset.fill_value() {
        builder = builder.fill_bytes(fill.to_vec());
    }
    let copy = builder.create(path)?;
    copy_elements(&dataset, &copy)?;
    for attribute in dataset.attributes()? {
        // A reference means something in its own file only.
        if attribute.datatype().has_reference() {
            warn(&format!("attribute {} holds references, which are not copied", attribute.name()));
            continue;
        }
        let (datatype, extent) = (attribute.datatype().clone(), attribute.extent().clone());
        let data = AttributeData::from_values(datatype, extent, attribute.values()?);
        copy.set_attribute(attribute.name_bytes(), data)?;
    }
    drop(copy);
    file.close()?;
    output.line(format!("{}{path} {:?}", target.file.display(), dataset.shape()))
}

fn copy_elements(from: &Dataset, to: &Dataset) -> Outcome {
    let (shape, datatype) = (from.shape(), from.datatype());
    let most = AT_ONCE / (datatype.size() as u64).max(1);
    let bar = progress::bar(shape.iter().product(), "copying");
    for ranges in Slabs::new(&shape, to.chunk_shape(), most.max(1)) {
        let selection = slabs::selection(&ranges)?;
        if datatype.has_variable_length() {
            to.write_values(&selection, &from.read_values(&selection)?)?;
        } else {
            to.write_bytes(&selection, datatype, &from.read_bytes(&selection, datatype)?)?;
        }
        bar.inc(ranges.iter().map(|range| range.end - range.start).product());
    }
    bar.finish_and_clear();
    Ok(())
}
