//! Hands any bytes to the parts of the engine that read files, for the targets in `fuzz/`; not for users.

mod index_heaps;
mod whole_file;

pub use crate::fuzzing::index_heaps::index_heaps;
pub use crate::fuzzing::whole_file::whole_file;

use crate::datatype::Datatype;
use crate::datatype::NoHeap;
use crate::datatype::Value;
use crate::filter::{Filter, FilterPipeline, Scratch};
use crate::format::bytes::Cursor;
use crate::format::bytes::Sink;
use crate::format::bytes::Widths;
use crate::format::bytes::Wire;
use crate::format::message::attribute::AttributeMessage;
use crate::format::message::fill::FillValue;
use crate::format::message::layout::DataLayout;
use crate::format::message::link::LinkInfo;
use crate::format::message::link::LinkMessage;
use crate::format::object_header;
use crate::format::selection::StoredSelection;
use crate::format::superblock::Superblock;
use crate::format::virtual_block::VirtualBlock;
use crate::space::Extent;

const WIDTHS: [Widths; 3] =
    [Widths { offsets: 8, lengths: 8 }, Widths { offsets: 4, lengths: 4 }, Widths { offsets: 2, lengths: 2 }];

/// The filters that are built in.
const FILTERS: [u16; 12] = [1, 2, 3, 4, 5, 6, 307, 32000, 32001, 32004, 32008, 32015];

/// A superblock, and an object header with its messages.
pub fn superblock_header(bytes: &[u8]) {
    both_ways::<Superblock>(bytes);
    for widths in WIDTHS {
        let mut cursor = Cursor::new(bytes, widths);
        let Ok(prefix) = object_header::read_prefix(&mut cursor) else { continue };
        for message in object_header::read_messages(&mut cursor, &prefix).unwrap_or_default() {
            any_message(&message.message.body);
        }
    }
    any_message(bytes);
    filters(bytes);
}

/// A datatype message, and the bytes after it as an element.
pub fn datatype(bytes: &[u8]) {
    both_ways::<Datatype>(bytes);
    let mut cursor = Cursor::new(bytes, Widths::EIGHT);
    if let Ok(datatype) = Datatype::read(&mut cursor) {
        let _ = Value::decode(&datatype, cursor.rest(), &NoHeap);
    }
}

/// The mappings of a virtual dataset, and a selection on its own.
pub fn virtual_block(bytes: &[u8]) {
    both_ways::<VirtualBlock>(bytes);
    both_ways::<StoredSelection>(bytes);
}

/// A pipeline and a chunk it decodes; or the parameters of a filter, first their number, and a chunk.
fn filters(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes, Widths::EIGHT);
    if let Ok(pipeline) = FilterPipeline::read(&mut cursor) {
        decode(&pipeline, cursor.rest());
    }
    let mut cursor = Cursor::new(bytes, Widths::EIGHT);
    let parameters = cursor.u8().unwrap_or_default() % 24;
    let client: Vec<u32> = (0..parameters).map_while(|_| cursor.u32().ok()).collect();
    for id in FILTERS {
        let filter = Filter { id, name: None, optional: false, client: client.clone() };
        decode(&FilterPipeline { filters: vec![filter] }, cursor.rest());
    }
}

fn decode(pipeline: &FilterPipeline, stored: &[u8]) {
    let mut scratch = Scratch::default();
    for size in [0, 7, 96, 4096] {
        let _ = pipeline.decode_into(stored, 0, &mut vec![0; size], &mut scratch);
    }
}

fn any_message(bytes: &[u8]) {
    both_ways::<Extent>(bytes);
    both_ways::<Datatype>(bytes);
    both_ways::<FillValue>(bytes);
    both_ways::<DataLayout>(bytes);
    both_ways::<LinkMessage>(bytes);
    both_ways::<LinkInfo>(bytes);
    both_ways::<AttributeMessage>(bytes);
    both_ways::<FilterPipeline>(bytes);
}

/// Reads a structure at all widths; what was read can be written, and what was written read.
fn both_ways<T: Wire>(bytes: &[u8]) {
    for widths in WIDTHS {
        let Ok(value) = T::read(&mut Cursor::new(bytes, widths)) else { continue };
        let mut sink = Sink::new(widths);
        if value.write(&mut sink).is_ok() {
            let again = sink.into_bytes();
            assert!(T::read(&mut Cursor::new(&again, widths)).is_ok(), "what was written cannot be read");
        }
    }
}
