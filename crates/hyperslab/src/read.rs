//! One read: a plan of what comes from where, then its steps.

use crate::dataset::{Dataset, DatasetState, Elements};
use crate::datatype::{Conversion, Datatype, Value};
use crate::error::{Error, Result};
use crate::file::FileState;
use crate::layout::execute::Memory;
use crate::space::{Extent, Part, Selection};
use crate::vds::layout::VirtualLayout;
use std::sync::Arc;

pub(crate) fn virtual_layout(_file: &FileState, _state: &DatasetState) -> Result<Arc<VirtualLayout>> {
    Err(Error::unsupported("virtual layout"))
}

pub(crate) fn read(dataset: &Dataset, selection: &Selection, memory: &Datatype, out: &mut [u8]) -> Result<()> {
    let dims = dataset.shape();
    if *dataset.extent() == Extent::Null {
        return if out.is_empty() { Ok(()) } else { Err(Error::usage("a null dataspace has no elements to read")) };
    }
    selection.check(dims)?;
    let place_dims = selection.shape(dims)?;
    if out.is_empty() {
        return Ok(());
    }
    let parts = crate::space::parts(selection, dims)?;
    let state = &dataset.state;
    match &state.elements {
        Elements::Stored(stored) => {
            let conversion = Conversion::plan(&state.datatype, memory)?;
            let memory = Memory { conversion: &conversion, size: memory.size(), heap: &dataset.file.objects, zeroed: false };
            crate::layout::read(&stored.elements(state, &dataset.file), &parts, &place_dims, &memory, out)
        }
        Elements::Virtual(_) => Err(Error::unsupported("virtual")),
    }
}

pub(crate) fn values(dataset: &Dataset, selection: &Selection) -> Result<Vec<Value>> {
    let datatype = dataset.datatype();
    let bytes = dataset.read_bytes(selection, datatype)?;
    bytes.chunks_exact(datatype.size().max(1)).map(|element| Value::decode(datatype, element, &dataset.file.objects)).collect()
}

#[expect(dead_code, reason = "for the plan")]
type Parts = Vec<Part>;
