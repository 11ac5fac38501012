//! The links of a group: in its header, in a heap, or in a symbol table.

mod write;

pub(crate) use crate::object::links::write::{insert, release, remove, rename};

use crate::error::{Error, Place, Result};
use crate::format::btree_v2::LinkName;
use crate::format::bytes::{Address, Cursor, Wire};
use crate::format::message::link::{LinkInfo, LinkMessage, LinkTarget};
use crate::format::message::other::SymbolTable;
use crate::format::object_header::kind;
use crate::format::symbol_table::SymbolEntry;
use crate::object::Objects;
use crate::object::dense::{self, Addresses, Dense};
use crate::object::fractal_heap::FractalHeap;
use crate::object::header::Header;
use crate::object::local_heap::LocalHeap;
use crate::object::{btree, symbol_table};
use std::collections::HashMap;

/// Messages of a header that are looked at one by one; groups that libhdf5 makes have no more links in it.
const FEW: usize = 32;

/// Whether the header is that of a group.
pub(crate) fn is_group(header: &Header) -> bool {
    [kind::SYMBOL_TABLE, kind::LINK_INFO].iter().any(|kind| header.first(*kind).is_some())
}

/// All links, in no order.
pub(crate) fn list(objects: &Objects, header: &Header) -> Result<Vec<LinkMessage>> {
    let metadata = &objects.metadata;
    let mut found = Vec::new();
    if let Some((btree, heap)) = table_of(objects, header)? {
        let names = LocalHeap::open(metadata, heap).at(|| "symbol table")?;
        symbol_table::for_each(metadata, btree, heap, &mut |name, entry| {
            found.push(from_entry(&names, name, &entry)?);
            Ok(())
        })
        .at(|| "symbol table")?;
        return Ok(found);
    }
    for message in header.all(kind::LINK) {
        found.push(decode(objects, &message.body)?);
    }
    if let Some((heap, by_name)) = dense_in(objects, header)? {
        let heap = FractalHeap::open(metadata, heap).at(|| "links in a heap")?;
        for record in btree::records::<LinkName>(metadata, by_name).at(|| "links in a heap")? {
            found.push(decode(objects, &heap.get(metadata, &record.id).at(|| "links in a heap")?)?);
        }
    }
    Ok(found)
}

/// The link of that name.
pub(crate) fn find(objects: &Objects, header: &Header, name: &[u8]) -> Result<Option<LinkMessage>> {
    let metadata = &objects.metadata;
    if let Some((btree, heap)) = table_of(objects, header)? {
        // While names are added, the whole heap is never the same for long.
        if metadata.is_writable() {
            return symbol_table::write::find(metadata, (btree, heap), name).at(|| "symbol table");
        }
        let entry = symbol_table::find(metadata, btree, heap, name).at(|| "symbol table")?;
        let names = LocalHeap::open(metadata, heap).at(|| "symbol table")?;
        return entry.map(|entry| from_entry(&names, name, &entry)).transpose();
    }
    if let Some(link) = in_header(objects, header, name)? {
        return Ok(Some(link));
    }
    let Some((heap, by_name)) = dense_in(objects, header)? else { return Ok(None) };
    let dense = Dense::open(objects, &dense::LINKS, Addresses { heap, by_name, by_order: None });
    let found = dense.and_then(|dense| dense.find(name)).at(|| "links in a heap")?;
    found.map(|entry| decode(objects, &entry.body)).transpose()
}

/// The link of that name that is a message: looked for by name where there are many, for a path may lead through
/// one group again and again.
fn in_header(objects: &Objects, header: &Header, name: &[u8]) -> Result<Option<LinkMessage>> {
    if header.messages.len() > FEW
        && let Some(links) = header.links.get_or_init(|| by_name(objects, header).ok())
    {
        let message = links.get(name).and_then(|at| header.messages.get(*at));
        return message.map(|message| decode(objects, &message.body)).transpose();
    }
    for message in header.all(kind::LINK) {
        let link = decode(objects, &message.body)?;
        if link.name == name {
            return Ok(Some(link));
        }
    }
    Ok(None)
}

/// Which message is the first link of each name.
fn by_name(objects: &Objects, header: &Header) -> Result<HashMap<Vec<u8>, usize>> {
    let mut links = HashMap::new();
    for (at, message) in header.messages.iter().enumerate() {
        if message.kind == kind::LINK {
            links.entry(decode(objects, &message.body)?.name).or_insert(at);
        }
    }
    Ok(links)
}

/// B-tree and heap of a symbol table, when the group has one.
fn table_of(objects: &Objects, header: &Header) -> Result<Option<(Address, Address)>> {
    let Some(message) = header.first(kind::SYMBOL_TABLE) else { return Ok(None) };
    let table = SymbolTable::read(&mut Cursor::new(&message.body, objects.metadata.widths()));
    match table.at(|| "symbol table message")? {
        SymbolTable { btree: Some(btree), heap: Some(heap) } => Ok(Some((btree, heap))),
        _ => Err(Error::malformed("a symbol table has no address").at("symbol table message")),
    }
}

/// Heap and name index of links that outgrew the header, when there are any.
fn dense_of(info: &LinkInfo) -> Result<Option<(Address, Address)>> {
    match (info.heap, info.by_name) {
        (Some(heap), Some(by_name)) => Ok(Some((heap, by_name))),
        (Some(heap), None) => {
            Err(Error::malformed(format!("links are in the heap at {heap}, but nothing indexes them")))
        }
        _ => Ok(None),
    }
}

fn dense_in(objects: &Objects, header: &Header) -> Result<Option<(Address, Address)>> {
    let info = objects.decoded(header, kind::LINK_INFO, LinkInfo::read).at(|| "link info message")?;
    info.map_or(Ok(None), |info| dense_of(&info))
}

fn decode(objects: &Objects, body: &[u8]) -> Result<LinkMessage> {
    LinkMessage::read(&mut Cursor::new(body, objects.metadata.widths())).at(|| "link message")
}

/// A link of an old group, where only the cached kind tells soft links from hard ones.
fn from_entry(names: &LocalHeap, name: &[u8], entry: &SymbolEntry) -> Result<LinkMessage> {
    let place = || format!("link \"{}\"", String::from_utf8_lossy(name));
    let target = match (entry.soft_link(), entry.header) {
        (Some(offset), _) => LinkTarget::Soft(names.name(offset).at(place)?.to_vec()),
        (None, Some(address)) => LinkTarget::Hard(address),
        (None, None) => return Err(Error::malformed("has no address")).at(place),
    };
    if name.is_empty() {
        return Err(Error::malformed("a link has an empty name"));
    }
    Ok(LinkMessage { name: name.to_vec(), target, order: None, utf8: false })
}

#[cfg(test)]
mod tests;
