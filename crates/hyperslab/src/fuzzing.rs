//! Hands any bytes to the parts of the engine that read files, for the targets in `fuzz/`; not for users.

mod edit;
mod index_heaps;
mod model;
mod whole_file;

pub use crate::fuzzing::edit::edit;
pub use crate::fuzzing::index_heaps::index_heaps;
pub use crate::fuzzing::model::model;
pub use crate::fuzzing::whole_file::whole_file;

use crate::datatype::Datatype;
use crate::datatype::NoHeap;
use crate::datatype::Value;
use crate::filter::{Filter, FilterPipeline, Scratch};
use crate::format::bytes::Cursor;
use crate::format::bytes::Sink;
use crate::format::bytes::Widths;
use crate::format::bytes::Wire;
use crate::format::message::attribute::AttributeInfo;
use crate::format::message::attribute::AttributeMessage;
use crate::format::message::fill::FillValue;
use crate::format::message::layout::DataLayout;
use crate::format::message::link::LinkInfo;
use crate::format::message::link::LinkMessage;
use crate::format::message::other::ModificationTime;
use crate::format::message::other::SymbolTable;
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
        for framed in object_header::read_messages(&mut cursor, &prefix).unwrap_or_default() {
            message(&framed.message.body);
        }
    }
}

/// A datatype message, and the bytes after it as an element.
pub fn datatype(bytes: &[u8]) {
    both_ways::<Datatype>(bytes);
    let mut cursor = Cursor::new(bytes, Widths::EIGHT);
    if let Ok(datatype) = Datatype::read(&mut cursor) {
        let _ = Value::decode(&datatype, cursor.rest(), &NoHeap);
    }
}

/// The mappings of a virtual dataset.
pub fn virtual_block(bytes: &[u8]) {
    both_ways::<VirtualBlock>(bytes);
}

/// A selection; it is the same when it is read again.
pub fn selection(bytes: &[u8]) {
    both_ways::<StoredSelection>(bytes);
    for widths in WIDTHS {
        let Ok(read) = StoredSelection::read(&mut Cursor::new(bytes, widths)) else { continue };
        let mut sink = Sink::new(widths);
        if read.write(&mut sink).is_ok() {
            let again = StoredSelection::read(&mut Cursor::new(&sink.into_bytes(), widths));
            assert!(again.is_ok_and(|again| again.selection == read.selection), "another selection is read");
        }
    }
}

/// A pipeline and a chunk it decodes; or the parameters of a filter, first their number, and a chunk.
pub fn filter(bytes: &[u8]) {
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

/// A message of any type.
pub fn message(bytes: &[u8]) {
    both_ways::<Extent>(bytes);
    both_ways::<Datatype>(bytes);
    both_ways::<FillValue>(bytes);
    both_ways::<DataLayout>(bytes);
    both_ways::<LinkMessage>(bytes);
    both_ways::<LinkInfo>(bytes);
    both_ways::<AttributeMessage>(bytes);
    both_ways::<FilterPipeline>(bytes);
    both_ways::<AttributeInfo>(bytes);
    both_ways::<SymbolTable>(bytes);
    both_ways::<ModificationTime>(bytes);
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

#[cfg(test)]
mod tests {
    use super::{edit, model};
    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, any, prop, proptest};

    const FILES: [&[u8]; 2] =
        [include_bytes!("../fixtures/messages/v110.h5"), include_bytes!("../fixtures/messages/earliest.h5")];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read_whatever_the_order_of_the_calls(calls in vec(any::<u8>(), 1..800)) {
            model(&calls);
        }

        #[test]
        fn a_damaged_file_is_changed_or_an_error(
            file in prop::sample::select(FILES.to_vec()),
            plan in vec(any::<u8>(), 48),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut bytes = [&plan, file].concat();
            for (place, value) in damage {
                bytes[48 + place.index(file.len())] = value;
            }
            edit(&bytes);
        }
    }
}
