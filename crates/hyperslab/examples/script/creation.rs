//! Opening and making files, and making datasets.

use crate::datatypes::datatype;
use crate::elements::{extent, from_hex};
use crate::{Outcome, Request, numbers};
use hyperslab::{Allocation, Bounds, Dataset, DatasetBuilder, File, FillTime, Group, Object, OpenOptions};
use serde_json::Value as Json;

/// `path`, `mode` as h5py has it, `bounds`, `user_block`, `track_order`.
pub(crate) fn open(request: Request<'_>) -> Outcome<File> {
    let mut options = OpenOptions::new().track_order(request.is("track_order"));
    options = options.bounds(match request.find_text("bounds") {
        Some("earliest") => Bounds::Earliest,
        Some("v18") => Bounds::V18,
        _ => Bounds::V110,
    });
    if request.find("user_block").is_some() {
        options = options.user_block(request.number("user_block")?);
    }
    let path = request.text("path")?;
    Ok(match request.text("mode")? {
        "r" => options.open(path)?,
        "r+" => options.open_rw(path)?,
        "w" => options.create(path)?,
        "w-" => options.create_new(path)?,
        "a" => options.append(path)?,
        other => return Err(format!("no mode is called {other}").into()),
    })
}

/// Makes a dataset of `type`, `shape`, `max`, `layout`, `chunk`, `filters`, `fill`, `fill_time`, `allocation`.
pub(crate) fn dataset(root: &Group, request: Request<'_>) -> Outcome<Dataset> {
    let mut builder = match request.find_text("named") {
        None => root.new_dataset_of(&datatype(request.find("type").ok_or("needs \"type\"")?)?),
        Some(path) => match root.object(path)? {
            Object::Datatype(named) => root.new_dataset_of(named.datatype()).named_datatype(&named),
            _ => return Err("not a datatype".into()),
        },
    };
    builder = builder.extent(extent(request)?).track_order(request.is("track_order"));
    builder = match request.find_text("layout") {
        Some("compact") => builder.compact(),
        Some("contiguous") => builder.contiguous(),
        _ => builder,
    };
    if let Some(chunk) = request.find("chunk") {
        builder = if chunk.is_boolean() { builder.chunk_auto() } else { builder.chunk(numbers(chunk)?) };
    }
    if request.find("filters").is_some() {
        builder = request.list("filters")?.iter().try_fold(builder, filter)?;
    }
    if let Some(fill) = request.find_text("fill") {
        builder =
            if fill == "undefined" { builder.without_fill() } else { builder.fill_bytes(from_hex(fill)?) };
    }
    builder = builder.fill_time(match request.find_text("fill_time") {
        Some("alloc") => FillTime::WithAllocation,
        Some("never") => FillTime::Never,
        _ => FillTime::IfSet,
    });
    builder = builder.allocation(match request.find_text("allocation") {
        Some("early") => Allocation::Early,
        Some("late") => Allocation::Late,
        Some("incremental") => Allocation::Incremental,
        _ => Allocation::Default,
    });
    Ok(builder.create(request.text("path")?)?)
}

/// A filter by name, or a list of name or registered number and parameters.
fn filter(builder: DatasetBuilder, entry: &Json) -> Outcome<DatasetBuilder> {
    let fault = || format!("no filter is written {entry}");
    let which = entry.get(0).unwrap_or(entry);
    let parameters = entry.get(1).map(numbers).transpose()?.unwrap_or_default();
    let parameters: Result<Vec<u32>, _> = parameters.into_iter().map(u32::try_from).collect();
    let parameters = parameters.map_err(|_| fault())?;
    let first = parameters.first().copied();
    if let Some(number) = which.as_u64() {
        let number = u16::try_from(number).map_err(|_| fault())?;
        return Ok(builder.filter_number(
            number,
            parameters,
            entry.get(2).and_then(Json::as_bool).unwrap_or(false),
        ));
    }
    match which.as_str().unwrap_or_default() {
        "deflate" => Ok(builder.deflate(first.unwrap_or(4))),
        "shuffle" => Ok(builder.shuffle()),
        "fletcher32" => Ok(builder.fletcher32()),
        _ => Err(fault().into()),
    }
}
