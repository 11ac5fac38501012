//! The links of a group: in its header, in a heap, or in a symbol table.

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Cursor, Wire};
use crate::format::message::link::{LinkInfo, LinkMessage};
use crate::format::message::other::SymbolTable;
use crate::format::object_header::kind;
use crate::object::Objects;
use crate::object::header::Header;
use crate::object::symbol_table;

/// Whether the header is that of a group.
pub(crate) fn is_group(header: &Header) -> bool {
    [kind::SYMBOL_TABLE, kind::LINK_INFO].iter().any(|kind| header.first(*kind).is_some())
}

/// All links, in no order.
pub(crate) fn list(objects: &Objects, header: &Header) -> Result<Vec<LinkMessage>> {
    let mut found = Vec::new();
    each(objects, header, &mut |link| {
        found.push(link);
        Ok(())
    })?;
    Ok(found)
}

/// The link of that name.
pub(crate) fn find(objects: &Objects, header: &Header, name: &[u8]) -> Result<Option<LinkMessage>> {
    if let Some(table) = table_of(objects, header)? {
        return symbol_table::find(&objects.metadata, table, name).at(|| "symbol table");
    }
    let mut found = None;
    each(objects, header, &mut |link| {
        if link.name == name {
            found = Some(link);
        }
        Ok(())
    })?;
    Ok(found)
}

fn table_of(objects: &Objects, header: &Header) -> Result<Option<SymbolTable>> {
    let Some(message) = header.first(kind::SYMBOL_TABLE) else { return Ok(None) };
    let mut cursor = Cursor::new(&message.body, objects.metadata.widths());
    SymbolTable::read(&mut cursor).map(Some).at(|| "symbol table message")
}

fn each(objects: &Objects, header: &Header, take: &mut dyn FnMut(LinkMessage) -> Result<()>) -> Result<()> {
    if let Some(table) = table_of(objects, header)? {
        return symbol_table::each(&objects.metadata, table, take).at(|| "symbol table");
    }
    let widths = objects.metadata.widths();
    for message in header.all(kind::LINK) {
        take(LinkMessage::read(&mut Cursor::new(&message.body, widths)).at(|| "link message")?)?;
    }
    let Some(message) = header.first(kind::LINK_INFO) else { return Ok(()) };
    let info = LinkInfo::read(&mut Cursor::new(&message.body, widths)).at(|| "link info message")?;
    match (info.heap, info.by_name) {
        (Some(heap), Some(by_name)) => objects
            .dense(heap, by_name, &mut |_, body| {
                take(LinkMessage::read(&mut Cursor::new(body, widths)).at(|| "link message")?)
            })
            .at(|| "links in a heap"),
        (Some(heap), None) => Err(Error::malformed(format!("links are in the heap at {heap}, but nothing indexes them"))),
        (None, _) => Ok(()),
    }
}
