//! The attributes of an object, in its header or, when there are many, in a heap.

mod write;

pub(crate) use crate::object::attributes::write::{put, release, remove, rename};

use crate::datatype::Datatype;
use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Cursor, Wire};
use crate::format::message::attribute::{AttributeInfo, AttributeMessage, AttributeParts};
use crate::format::message::other::Shared;
use crate::format::object_header::{TRACKED, kind};
use crate::object::Objects;
use crate::object::dense::{ATTRIBUTES, Addresses, Dense};
use crate::object::header::Header;
use crate::space::Extent;

/// An attribute with its datatype and extent decoded, its elements as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredAttribute {
    pub(crate) name: Vec<u8>,
    pub(crate) utf8: bool,
    /// The named datatype, when it is one.
    pub(crate) named: Option<Address>,
    pub(crate) datatype: Datatype,
    pub(crate) extent: Extent,
    pub(crate) data: Vec<u8>,
    /// The order it was made in, where the object tracks it.
    pub(crate) order: Option<u64>,
}

/// All attributes, those in the header first.
pub(crate) fn list(objects: &Objects, header: &Header) -> Result<Vec<StoredAttribute>> {
    let tracked = header.prefix.flags & TRACKED != 0;
    let mut found = Vec::new();
    for (nth, message) in header.messages.iter().enumerate() {
        if message.kind == kind::ATTRIBUTE {
            let order = tracked.then(|| header.order(nth).into());
            found.push(decode(objects, &objects.body(message)?, order)?);
        }
    }
    let Some(dense) = dense_of(objects, &info_of(objects, header)?)? else { return Ok(found) };
    for entry in dense.all().at(|| "attributes in a heap")? {
        let body = objects.body_of(kind::ATTRIBUTE, entry.flags, &entry.body)?;
        found.push(decode(objects, &body, tracked.then_some(entry.order))?);
    }
    Ok(found)
}

/// The attribute of that name.
pub(crate) fn find(objects: &Objects, header: &Header, name: &[u8]) -> Result<Option<StoredAttribute>> {
    let tracked = header.prefix.flags & TRACKED != 0;
    for (nth, message) in header.messages.iter().enumerate() {
        if message.kind != kind::ATTRIBUTE {
            continue;
        }
        let body = objects.body(message)?;
        if name_of(objects, &body)? == name {
            return decode(objects, &body, tracked.then(|| header.order(nth).into())).map(Some);
        }
    }
    let Some(dense) = dense_of(objects, &info_of(objects, header)?)? else { return Ok(None) };
    let Some(entry) = dense.find(name).at(|| "attributes in a heap")? else { return Ok(None) };
    let body = objects.body_of(kind::ATTRIBUTE, entry.flags, &entry.body)?;
    decode(objects, &body, tracked.then_some(entry.order)).map(Some)
}

fn name_of<'b>(objects: &Objects, body: &'b [u8]) -> Result<&'b [u8]> {
    let message = AttributeParts::read(&mut Cursor::new(body, objects.metadata.widths()));
    Ok(message.at(|| "attribute message")?.name)
}

fn info_of(objects: &Objects, header: &Header) -> Result<AttributeInfo> {
    let info = objects.decoded(header, kind::ATTRIBUTE_INFO, AttributeInfo::read);
    Ok(info.at(|| "attribute info message")?.unwrap_or_default())
}

fn dense_of<'a>(objects: &'a Objects, info: &AttributeInfo) -> Result<Option<Dense<'a>>> {
    let (Some(heap), Some(by_name)) = (info.heap, info.by_name) else { return Ok(None) };
    let by_order = info.by_order.filter(|_| info.order_indexed);
    let at = Addresses { heap, by_name, by_order };
    Dense::open(objects, &ATTRIBUTES, at).at(|| "attributes in a heap").map(Some)
}

fn decode(objects: &Objects, body: &[u8], order: Option<u64>) -> Result<StoredAttribute> {
    let widths = objects.metadata.widths();
    let message = AttributeMessage::read(&mut Cursor::new(body, widths)).at(|| "attribute message")?;
    let place = || format!("attribute \"{}\"", String::from_utf8_lossy(&message.name));
    let shared = |shared: bool| if shared { 2 } else { 0 };
    let mut named = None;
    if message.datatype_shared
        && let Shared::Committed(address) =
            Shared::read(&mut Cursor::new(&message.datatype, widths)).at(place)?
    {
        named = Some(address);
    }
    let datatype =
        objects.body_of(kind::DATATYPE, shared(message.datatype_shared), &message.datatype).at(place)?;
    let datatype = Datatype::read(&mut Cursor::new(&datatype, widths)).at(|| "datatype").at(place)?;
    let extent =
        objects.body_of(kind::DATASPACE, shared(message.dataspace_shared), &message.dataspace).at(place)?;
    let extent = Extent::read(&mut Cursor::new(&extent, widths)).at(|| "dataspace").at(place)?;
    let needed = extent.count()?.checked_mul(datatype.size() as u64);
    if needed.is_none_or(|needed| needed > message.data.len() as u64) {
        let message = format!("its elements need {needed:?} bytes, {} are stored", message.data.len());
        return Err(Error::malformed(message)).at(place);
    }
    Ok(StoredAttribute {
        name: message.name,
        utf8: message.utf8,
        named,
        datatype,
        extent,
        data: message.data,
        order,
    })
}

#[cfg(test)]
mod tests;
