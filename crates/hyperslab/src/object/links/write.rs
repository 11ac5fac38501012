//! Adding, removing and renaming the links of a group.

use super::{decode, dense_of, table_of};
use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Cursor, Wire};
use crate::format::message::link::{LinkInfo, LinkMessage, LinkTarget};
use crate::format::object_header::{RawMessage, kind};
use crate::object::Objects;
use crate::object::dense::{Addresses, Dense, Entry, LINKS};
use crate::object::header::{Header, edit};
use crate::object::symbol_table;
use std::borrow::Cow;

/// Links beyond which they go into a heap, and below which they come back, unless the group says otherwise.
const LIMITS: (u16, u16) = (8, 6);

/// Adds a link to a group; where the group tracks the order of creation, it is the last one.
///
/// # Errors
/// `Usage` when the group has a link of that name.
pub(crate) fn insert(objects: &Objects, group: Address, link: &LinkMessage) -> Result<()> {
    add(objects, group, link).at(|| place(&link.name))
}

/// Removes a link and gives what it was; the object it led to is not asked.
///
/// # Errors
/// `NotFound` when the group has no link of that name.
pub(crate) fn remove(objects: &Objects, group: Address, name: &[u8]) -> Result<LinkMessage> {
    take(objects, group, name).at(|| place(name))
}

/// Gives a link of a group another name.
///
/// # Errors
/// `NotFound` when there is no link `from`, `Usage` when there is one `to`.
pub(crate) fn rename(objects: &Objects, group: Address, from: &[u8], to: &[u8]) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let header = Header::open(&objects.metadata, group)?;
    if super::find(objects, &header, to)?.is_some() {
        return Err(taken()).at(|| place(to));
    }
    let link = remove(objects, group, from)?;
    let utf8 = link.utf8 || !to.is_ascii();
    let renamed = insert(objects, group, &LinkMessage { name: to.to_vec(), utf8, ..link.clone() });
    renamed.inspect_err(|_| {
        // The first error is the one to tell.
        let _ = insert(objects, group, &link);
    })
}

fn place(name: &[u8]) -> String {
    format!("link \"{}\"", String::from_utf8_lossy(name))
}

fn taken() -> Error {
    Error::usage("the group has a link of that name")
}

fn missing() -> Error {
    Error::not_found("the group has no link of that name")
}

fn add(objects: &Objects, group: Address, link: &LinkMessage) -> Result<()> {
    if matches!(link.name.as_slice(), b"" | b".") || link.name.contains(&b'/') || link.name.contains(&0) {
        let message = "a link's name is one or more bytes, none of them '/' or NUL; '.' is the group itself";
        return Err(Error::usage(message));
    }
    let md = &objects.metadata;
    let header = Header::open(md, group)?;
    if let Some(table) = table_of(objects, &header)? {
        if matches!(link.target, LinkTarget::Hard(_) | LinkTarget::Soft(_)) {
            return symbol_table::write::insert(md, table, link).at(|| "symbol table");
        }
        modernize(objects, group, table)?;
        return add(objects, group, link);
    }
    let mut info = info_of(objects, &header)?;
    let before = info.clone();
    let link = match info.next_order {
        order if order == link.order => Cow::Borrowed(link),
        order => Cow::Owned(LinkMessage { order, ..link.clone() }),
    };
    info.next_order = info.next_order.map(|order| order.saturating_add(1));
    let body = md.body(&*link)?;
    let order = link.order.unwrap_or(0);
    if let Some(dense) = open(objects, &info)? {
        edit::hold(md, &header)?;
        dense.insert(&link.name, &body, order).map_err(|error| rename_error(&dense, &link.name, error))?;
        return store(objects, group, &before, &info);
    }
    let compact = compact(objects, &header)?;
    if compact.iter().any(|(_, other)| other.name == link.name) {
        return Err(taken());
    }
    // A header changes at once, a heap does not, so nothing moves there while others read.
    let few = compact.len() < usize::from(limits(&header).0);
    if (few || md.is_live()) && u16::try_from(body.len()).is_ok() {
        edit::add(md, group, &RawMessage { kind: kind::LINK, flags: 0, body })?;
        return store(objects, group, &before, &info);
    }
    let dense = Dense::create(objects, &LINKS, info.order_indexed)?;
    for (nth, other) in &compact {
        let body = header.messages.get(*nth).map(|message| message.body.as_slice()).unwrap_or_default();
        dense.insert(&other.name, body, other.order.unwrap_or(0))?;
    }
    dense.insert(&link.name, &body, order)?;
    let Addresses { heap, by_name, by_order } = dense.at;
    let info = LinkInfo { heap: Some(heap), by_name: Some(by_name), by_order, ..info };
    let which: Vec<usize> = compact.iter().map(|(nth, _)| *nth).collect();
    edit::remove_all(md, group, &which)?;
    store(objects, group, &before, &info)
}

/// The error of an insertion, which is that the name is taken when it is.
fn rename_error(dense: &Dense<'_>, name: &[u8], error: Error) -> Error {
    if matches!(dense.find(name), Ok(Some(_))) { taken() } else { error }
}

fn take(objects: &Objects, group: Address, name: &[u8]) -> Result<LinkMessage> {
    let md = &objects.metadata;
    let header = Header::open(md, group)?;
    if let Some(table) = table_of(objects, &header)? {
        let removed = symbol_table::write::remove(md, table, name).at(|| "symbol table")?;
        return removed.ok_or_else(missing);
    }
    let info = info_of(objects, &header)?;
    let Some(dense) = open(objects, &info)? else {
        let found = compact(objects, &header)?.into_iter().find(|(_, link)| link.name == name);
        let (nth, link) = found.ok_or_else(missing)?;
        edit::remove(md, group, nth)?;
        return Ok(link);
    };
    let order = |entry: &Entry| Ok(decode(objects, &entry.body)?.order.unwrap_or(0));
    edit::hold(md, &header)?;
    let removed = dense.remove(name, &order)?.ok_or_else(missing)?;
    if dense.len()? < limits(&header).1.into() {
        to_compact(objects, group, &info, &dense)?;
    }
    decode(objects, &removed.body)
}

/// Moves links that are few out of their heap, unless one is too large for a header.
fn to_compact(objects: &Objects, group: Address, info: &LinkInfo, dense: &Dense<'_>) -> Result<()> {
    let md = &objects.metadata;
    let entries = dense.all()?;
    if entries.iter().any(|entry| u16::try_from(entry.body.len()).is_err()) {
        return Ok(());
    }
    let links = entries.into_iter().map(|entry| Ok((decode(objects, &entry.body)?, entry.body)));
    let mut links: Vec<(LinkMessage, Vec<u8>)> = links.collect::<Result<_>>()?;
    links.sort_by(|(a, _), (b, _)| (a.order, &a.name).cmp(&(b.order, &b.name)));
    dense.delete()?;
    for (_, body) in links {
        edit::add(md, group, &RawMessage { kind: kind::LINK, flags: 0, body: body.into() })?;
    }
    store(objects, group, info, &LinkInfo { heap: None, by_name: None, by_order: None, ..info.clone() })
}

/// Turns a group with a symbol table into one that can hold links of any kind.
fn modernize(objects: &Objects, group: Address, table: (Address, Address)) -> Result<()> {
    let md = &objects.metadata;
    let header = Header::open(md, group)?;
    let links = super::list(objects, &header)?;
    let nth = header.position(kind::SYMBOL_TABLE).ok_or_else(|| Error::malformed("no symbol table"))?;
    edit::remove(md, group, nth)?;
    for message in crate::object::group::messages(objects, false)? {
        edit::add(md, group, &message)?;
    }
    for link in &links {
        add(objects, group, link)?;
    }
    symbol_table::write::delete(md, table)
}

fn info_of(objects: &Objects, header: &Header) -> Result<LinkInfo> {
    let info = objects.decoded(header, kind::LINK_INFO, LinkInfo::read).at(|| "link info message")?;
    info.ok_or_else(|| Error::usage("the object is no group"))
}

fn open<'a>(objects: &'a Objects, info: &LinkInfo) -> Result<Option<Dense<'a>>> {
    let Some((heap, by_name)) = dense_of(info)? else { return Ok(None) };
    let by_order = info.by_order.filter(|_| info.order_indexed);
    Dense::open(objects, &LINKS, Addresses { heap, by_name, by_order }).at(|| "links in a heap").map(Some)
}

fn store(objects: &Objects, group: Address, before: &LinkInfo, info: &LinkInfo) -> Result<()> {
    if before == info {
        return Ok(());
    }
    let body = objects.metadata.body(info)?;
    edit::put(&objects.metadata, group, &RawMessage { kind: kind::LINK_INFO, flags: 0, body })
}

/// The links in the header, and which messages they are.
fn compact(objects: &Objects, header: &Header) -> Result<Vec<(usize, LinkMessage)>> {
    let messages = header.messages.iter().enumerate().filter(|(_, message)| message.kind == kind::LINK);
    messages.map(|(nth, message)| Ok((nth, decode(objects, &message.body)?))).collect()
}

/// The most links of a header, and the fewest of a heap.  Spec: IV.A.2.k "The Group Info Message".
fn limits(header: &Header) -> (u16, u16) {
    let body = header.first(kind::GROUP_INFO).map(|message| message.body.as_slice()).unwrap_or_default();
    match body {
        [0, flags, a, b, c, d, ..] if flags & 1 != 0 => {
            (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]))
        }
        _ => LIMITS,
    }
}

/// Frees the heap and indexes, or the symbol table, of a group that is deleted.
pub(crate) fn release(objects: &Objects, header: &Header) -> Result<()> {
    if let Some(table) = table_of(objects, header)? {
        return symbol_table::write::delete(&objects.metadata, table);
    }
    let Some(message) = header.first(kind::LINK_INFO) else { return Ok(()) };
    let info = LinkInfo::read(&mut Cursor::new(&message.body, objects.metadata.widths()))?;
    open(objects, &info)?.map_or(Ok(()), |dense| dense.delete())
}
