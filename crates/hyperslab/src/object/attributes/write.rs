//! Setting, removing and renaming the attributes of an object.

use super::{dense_of, info_of, name_of};
use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Cursor};
use crate::format::message::attribute::{AttributeInfo, AttributeParts};
use crate::format::message::other::Shared;
use crate::format::object_header::{INDEXED, RawMessage, TRACKED, kind};
use crate::object::Objects;
use crate::object::delete;
use crate::object::dense::{ATTRIBUTES, Addresses, Dense, Entry};
use crate::object::header::{Header, edit};
use std::borrow::Cow;

/// The order of an attribute where none is tracked.
const NO_ORDER: u16 = u16::MAX;

/// Sets an attribute, in the place of one of that name if there is one.
pub(crate) fn put(objects: &Objects, object: Address, attribute: &AttributeParts<'_>) -> Result<()> {
    set(objects, object, attribute).at(|| place(attribute.name))
}

/// Removes an attribute.
///
/// # Errors
/// `NotFound` when the object has none of that name.
pub(crate) fn remove(objects: &Objects, object: Address, name: &[u8]) -> Result<()> {
    take(objects, object, name).at(|| place(name))
}

/// Gives an attribute another name; its order stays.
///
/// # Errors
/// `NotFound` when there is no attribute `from`, `Usage` when there is one `to`.
pub(crate) fn rename(objects: &Objects, object: Address, from: &[u8], to: &[u8]) -> Result<()> {
    let md = &objects.metadata;
    let header = Header::open(md, object)?;
    if from == to {
        return Ok(());
    }
    if super::find(objects, &header, to)?.is_some() {
        return Err(Error::usage("the object has an attribute of that name")).at(|| place(to));
    }
    let renamed = |body: &[u8]| {
        let message = AttributeParts::read(&mut Cursor::new(body, md.widths()))?;
        let mut sink = md.sink();
        AttributeParts { name: to, utf8: message.utf8 || !to.is_ascii(), ..message }.write(&mut sink)?;
        Ok(sink.into_body())
    };
    if let Some(dense) = dense_of(objects, &info_of(objects, &header)?)? {
        let entry = dense.remove(from, &|entry| Ok(entry.order))?.ok_or_else(missing).at(|| place(from))?;
        let body = objects.body_of(kind::ATTRIBUTE, entry.flags, &entry.body)?;
        return dense.insert(to, &renamed(&body)?, entry.order);
    }
    let (nth, body) = compact(objects, &header, from)?.ok_or_else(missing).at(|| place(from))?;
    edit::replace(md, object, nth, &RawMessage { kind: kind::ATTRIBUTE, flags: 0, body: renamed(&body)? })
}

fn place(name: &[u8]) -> String {
    format!("attribute \"{}\"", String::from_utf8_lossy(name))
}

fn missing() -> Error {
    Error::not_found("the object has no attribute of that name")
}

fn set(objects: &Objects, object: Address, attribute: &AttributeParts<'_>) -> Result<()> {
    let md = &objects.metadata;
    let header = Header::open(md, object)?;
    let mut sink = md.sink();
    attribute.write(&mut sink)?;
    let body = sink.into_body();
    let mut info = info_of(objects, &header)?;
    let fits = u16::try_from(body.len()).is_ok();
    if let Some(dense) = dense_of(objects, &info)? {
        if let Some(entry) = dense.find(attribute.name)? {
            let before = objects.body_of(kind::ATTRIBUTE, entry.flags, &entry.body)?.into_owned();
            dense.replace(attribute.name, &entry, &body)?;
            return share(objects, Some(&before), Some(&body));
        }
        share(objects, None, Some(&body))?;
        let order = next_order(&header, &mut info)?;
        edit::hold(md, &header)?;
        dense.insert(attribute.name, &body, order.into())?;
        return if order == NO_ORDER { Ok(()) } else { store(objects, object, &info) };
    }
    let message = RawMessage { kind: kind::ATTRIBUTE, flags: 0, body };
    let found = compact(objects, &header, attribute.name)?;
    share(objects, found.as_ref().map(|(_, body)| &**body), Some(&message.body))?;
    let version = header.prefix.version;
    if let (Some((nth, _)), true) = (&found, fits || version == 1) {
        let nth = *nth;
        drop(found);
        drop(header);
        return edit::replace(md, object, nth, &message);
    }
    let count = header.all(kind::ATTRIBUTE).count();
    if version == 1 {
        return edit::add(md, object, &message);
    }
    let order = match &found {
        Some((nth, _)) => header.order(*nth),
        None => next_order(&header, &mut info)?,
    };
    // A header changes at once, a heap does not, so nothing moves there while others read.
    let few = count < usize::from(header.prefix.attribute_limits.0);
    if fits && (few || md.is_live()) {
        let there = header.position(kind::ATTRIBUTE_INFO).is_some();
        // Whoever changes the header copies it while it is held here.
        drop(found);
        drop(header);
        if !there {
            return edit::add_ordered(md, object, &[(&info_message(objects, &info)?, 0), (&message, order)]);
        }
        if order != NO_ORDER {
            store(objects, object, &info)?;
        }
        return edit::add_ordered(md, object, &[(&message, order)]);
    }
    let dense = to_dense(objects, &header, &mut info, found.map(|(nth, _)| nth))?;
    dense.insert(attribute.name, &message.body, order.into())?;
    store(objects, object, &info)
}

/// Moves the attributes of a header into a heap, but for one that is replaced.
fn to_dense<'a>(
    objects: &'a Objects,
    header: &Header,
    info: &mut AttributeInfo,
    but: Option<usize>,
) -> Result<Dense<'a>> {
    let dense = Dense::create(objects, &ATTRIBUTES, info.order_indexed)?;
    let mut moved = Vec::new();
    for (nth, message) in header.messages.iter().enumerate() {
        if message.kind != kind::ATTRIBUTE {
            continue;
        }
        moved.push(nth);
        if but != Some(nth) {
            let body = objects.body(message)?;
            dense.insert(name_of(objects, &body)?, &body, header.order(nth).into())?;
        }
    }
    edit::remove_all(&objects.metadata, header.address, &moved)?;
    let Addresses { heap, by_name, by_order } = dense.at;
    (info.heap, info.by_name, info.by_order) = (Some(heap), Some(by_name), by_order);
    Ok(dense)
}

/// The order of the next attribute, which is then given out.
fn next_order(header: &Header, info: &mut AttributeInfo) -> Result<u16> {
    let flags = header.prefix.flags;
    if header.prefix.version == 1 || flags & TRACKED == 0 {
        return Ok(NO_ORDER);
    }
    info.order_indexed = flags & INDEXED != 0;
    let order = info.next_order.unwrap_or(0);
    if order == NO_ORDER {
        return Err(Error::limit("the object had 65535 attributes, all it can tell the order of"));
    }
    info.next_order = Some(order.saturating_add(1));
    Ok(order)
}

fn take(objects: &Objects, object: Address, name: &[u8]) -> Result<()> {
    let md = &objects.metadata;
    let header = Header::open(md, object)?;
    let mut info = info_of(objects, &header)?;
    let Some(dense) = dense_of(objects, &info)? else {
        let (nth, body) = compact(objects, &header, name)?.ok_or_else(missing)?;
        let mut which = vec![nth];
        if header.all(kind::ATTRIBUTE).count() == 1 {
            which.extend(header.position(kind::ATTRIBUTE_INFO));
        }
        edit::remove_all(md, object, &which)?;
        return share(objects, Some(&body), None);
    };
    edit::hold(md, &header)?;
    let entry = dense.remove(name, &|entry| Ok(entry.order))?.ok_or_else(missing)?;
    let body = objects.body_of(kind::ATTRIBUTE, entry.flags, &entry.body)?;
    share(objects, Some(&body), None)?;
    if dense.len()? >= header.prefix.attribute_limits.1.into() {
        return Ok(());
    }
    let mut entries = dense.all()?;
    let small = |entry: &Entry| u16::try_from(entry.body.len()).is_ok();
    if !entries.iter().all(small) {
        return Ok(());
    }
    entries.sort_by_key(|entry| entry.order);
    dense.delete()?;
    (info.heap, info.by_name, info.by_order) = (None, None, None);
    match header.position(kind::ATTRIBUTE_INFO).filter(|_| entries.is_empty()) {
        Some(nth) => edit::remove(md, object, nth)?,
        None => store(objects, object, &info)?,
    }
    for entry in entries {
        let order = u16::try_from(entry.order).unwrap_or(NO_ORDER);
        let message = RawMessage { kind: kind::ATTRIBUTE, flags: entry.flags, body: entry.body.into() };
        edit::add_ordered(md, object, &[(&message, order)])?;
    }
    Ok(())
}

fn store(objects: &Objects, object: Address, info: &AttributeInfo) -> Result<()> {
    edit::put(&objects.metadata, object, &info_message(objects, info)?)
}

fn info_message(objects: &Objects, info: &AttributeInfo) -> Result<RawMessage> {
    // Attribute info is never shared, which bit 2 says.
    Ok(RawMessage { kind: kind::ATTRIBUTE_INFO, flags: 4, body: objects.metadata.body(info)? })
}

/// The attribute of that name in the header: which message it is, and its bytes.
fn compact<'h>(objects: &Objects, header: &'h Header, name: &[u8]) -> Result<Option<(usize, Cow<'h, [u8]>)>> {
    for (nth, message) in header.messages.iter().enumerate() {
        if message.kind == kind::ATTRIBUTE {
            let body = objects.body(message)?;
            if name_of(objects, &body)? == name {
                return Ok(Some((nth, body)));
            }
        }
    }
    Ok(None)
}

/// Counts the uses of committed datatypes: those of `after`, and no longer those of `before`.
fn share(objects: &Objects, before: Option<&[u8]>, after: Option<&[u8]>) -> Result<()> {
    let (before, after) = (committed(objects, before)?, committed(objects, after)?);
    if before == after {
        return Ok(());
    }
    if let Some(address) = after {
        delete::link(objects, address)?;
    }
    before.map_or(Ok(()), |address| delete::unlink(objects, address, &mut |_, _| Ok(()), &mut |_| false))
}

/// The committed datatype of an attribute, if it has one.
fn committed(objects: &Objects, body: Option<&[u8]>) -> Result<Option<Address>> {
    let widths = objects.metadata.widths();
    let Some(body) = body else { return Ok(None) };
    let message = AttributeParts::read(&mut Cursor::new(body, widths))?;
    if !message.datatype_shared {
        return Ok(None);
    }
    match Shared::read(&mut Cursor::new(message.datatype, widths))? {
        Shared::Committed(address) => Ok(Some(address)),
        Shared::Heap(_) => Ok(None),
    }
}

/// Frees heap and indexes of an object that is deleted, and lets go of the datatypes its attributes share.
pub(crate) fn release(objects: &Objects, header: &Header) -> Result<()> {
    for message in header.all(kind::ATTRIBUTE) {
        let body = objects.body(message)?;
        share(objects, Some(&body), None)?;
    }
    let Some(dense) = dense_of(objects, &info_of(objects, header)?)? else { return Ok(()) };
    for entry in dense.all()? {
        let body = objects.body_of(kind::ATTRIBUTE, entry.flags, &entry.body)?;
        share(objects, Some(&body), None)?;
    }
    dense.delete()
}
