//! Every message of small files that h5py made at each bound, read and written back to the same bytes.

use crate::datatype::Datatype;
use crate::error::Result;
use crate::filter::FilterPipeline;
use crate::format::bytes::{Bounds, Cursor, Sink, Widths, Wire};
use crate::format::message::attribute::{AttributeInfo, AttributeMessage};
use crate::format::message::fill::{FillValue, read_old, write_old};
use crate::format::message::layout::DataLayout;
use crate::format::message::link::{LinkInfo, LinkMessage};
use crate::format::message::other::{ModificationTime, SymbolTable};
use crate::format::object_header::{
    RawMessage, kind, open_continuation, read_continuation, read_messages, read_prefix,
};
use crate::format::superblock::Superblock;
use crate::format::symbol_table::SymbolTableNode;
use crate::space::Extent;
use std::collections::BTreeMap;

const WIDTHS: Widths = Widths::EIGHT;
const FILES: [(&[u8], Bounds); 3] = [
    (include_bytes!("../../../fixtures/messages/earliest.h5"), Bounds::Earliest),
    (include_bytes!("../../../fixtures/messages/v108.h5"), Bounds::V18),
    (include_bytes!("../../../fixtures/messages/v110.h5"), Bounds::V110),
];

fn places<'a>(file: &'a [u8], signature: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    memchr::memmem::find_iter(file, signature)
}

/// Addresses of all object headers: those with a signature, and those that symbol tables tell of.
fn headers(file: &[u8]) -> Vec<usize> {
    let mut found: Vec<usize> = places(file, b"OHDR").collect();
    for at in places(file, b"SNOD") {
        let node = SymbolTableNode::read(&mut Cursor::new(&file[at..], WIDTHS)).unwrap();
        found.extend(node.entries.iter().map(|entry| usize::try_from(entry.header.unwrap().0).unwrap()));
    }
    found
}

fn messages(file: &[u8], at: usize) -> Vec<RawMessage> {
    let mut cursor = Cursor::new(&file[at..], WIDTHS);
    let prefix = read_prefix(&mut cursor).unwrap();
    let mut first = cursor.sub(usize::try_from(prefix.chunk).unwrap()).unwrap();
    let mut messages = read_messages(&mut first, &prefix).unwrap();
    let mut next = 0;
    while next < messages.len() {
        if messages[next].message.kind == kind::CONTINUATION {
            let (address, length) =
                read_continuation(&mut Cursor::new(&messages[next].message.body, WIDTHS)).unwrap();
            let start = usize::try_from(address.0).unwrap();
            let bytes = &file[start..start + usize::try_from(length).unwrap()];
            let mut inner = open_continuation(bytes, &prefix, &Cursor::new(&[], WIDTHS)).unwrap();
            messages.extend(read_messages(&mut inner, &prefix).unwrap());
        }
        next += 1;
    }
    messages.into_iter().map(|framed| framed.message).collect()
}

fn again<T: Wire>(body: &[u8], bounds: Bounds) -> Result<Vec<u8>> {
    let mut sink = Sink::new(WIDTHS).bounded(bounds);
    T::read(&mut Cursor::new(body, WIDTHS))?.write(&mut sink)?;
    Ok(sink.into_bytes())
}

fn attribute(body: &[u8], bounds: Bounds) -> Result<Vec<u8>> {
    let mut attribute = AttributeMessage::read(&mut Cursor::new(body, WIDTHS))?;
    if !attribute.datatype_shared {
        attribute.datatype = again::<Datatype>(&attribute.datatype, bounds)?;
    }
    attribute.dataspace = again::<Extent>(&attribute.dataspace, bounds)?;
    let mut sink = Sink::new(WIDTHS).bounded(bounds);
    attribute.write(&mut sink)?;
    Ok(sink.into_bytes())
}

fn written_again(message: &RawMessage, bounds: Bounds) -> Option<Result<Vec<u8>>> {
    let body = message.body.as_slice();
    Some(match message.kind {
        _ if message.is_shared() => return None,
        kind::DATASPACE => again::<Extent>(body, bounds),
        kind::DATATYPE => again::<Datatype>(body, bounds),
        kind::FILL => again::<FillValue>(body, bounds),
        kind::FILL_OLD => read_old(&mut Cursor::new(body, WIDTHS)).and_then(|fill| {
            let mut sink = Sink::new(WIDTHS);
            write_old(&fill, &mut sink).map(|()| sink.into_bytes())
        }),
        kind::LAYOUT => again::<DataLayout>(body, bounds),
        kind::FILTER_PIPELINE => again::<FilterPipeline>(body, bounds),
        kind::ATTRIBUTE => attribute(body, bounds),
        kind::ATTRIBUTE_INFO => again::<AttributeInfo>(body, bounds),
        kind::LINK => again::<LinkMessage>(body, bounds),
        kind::LINK_INFO => again::<LinkInfo>(body, bounds),
        kind::SYMBOL_TABLE => again::<SymbolTable>(body, bounds),
        kind::TIME => again::<ModificationTime>(body, bounds),
        _ => return None,
    })
}

#[test]
fn every_message_of_h5py_is_written_back_byte_for_byte() {
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (file, bounds) in FILES {
        for at in headers(file) {
            for message in messages(file, at) {
                let Some(written) = written_again(&message, bounds) else { continue };
                *seen.entry(message.kind).or_default() += 1;
                let mut written = written.unwrap_or_else(|error| panic!("{bounds:?} {message:?}: {error}"));
                if bounds == Bounds::Earliest {
                    written.resize(written.len().next_multiple_of(8), 0);
                }
                if *written != *message.body {
                    wrong.push(format!(
                        "{bounds:?}, header at {at:#x}, message of type {:#x}:\n {:02x?}\n {:02x?}",
                        message.kind, message.body, written
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds: Vec<u16> = seen.keys().copied().collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 6, 8, 0xb, 0xc, 0x11, 0x12, 0x15], "{seen:?}");
}

#[test]
fn superblocks_of_h5py_are_written_back_byte_for_byte() {
    for (file, bounds) in FILES {
        let written = again::<Superblock>(file, bounds).unwrap();
        assert_eq!(written, file[..written.len()]);
        let superblock = Superblock::read(&mut Cursor::new(file, WIDTHS)).unwrap();
        assert_eq!(Superblock::new(bounds, 0).version, superblock.version);
    }
}
