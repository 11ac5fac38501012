//! The attributes of an object, in its header or, when there are many, in a heap.

use crate::datatype::Datatype;
use crate::error::{Error, Place, Result};
use crate::format::btree_v2::AttributeName;
use crate::format::bytes::{Cursor, Wire};
use crate::format::message::attribute::{AttributeInfo, AttributeMessage};
use crate::format::object_header::kind;
use crate::object::Objects;
use crate::object::btree;
use crate::object::fractal_heap::FractalHeap;
use crate::object::header::Header;
use crate::space::Extent;

/// An attribute with its datatype and extent decoded, its elements as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredAttribute {
    pub(crate) name: Vec<u8>,
    pub(crate) datatype: Datatype,
    pub(crate) extent: Extent,
    pub(crate) data: Vec<u8>,
}

/// All attributes, those in the header first.
pub(crate) fn list(objects: &Objects, header: &Header) -> Result<Vec<StoredAttribute>> {
    let mut found = Vec::new();
    for message in header.all(kind::ATTRIBUTE) {
        let body = objects.body(message)?;
        found.push(decode(objects, &body)?);
    }
    if let Some(message) = header.first(kind::ATTRIBUTE_INFO) {
        let widths = objects.metadata.widths();
        let info =
            AttributeInfo::read(&mut Cursor::new(&message.body, widths)).at(|| "attribute info message")?;
        if let (Some(heap), Some(by_name)) = (info.heap, info.by_name) {
            let heap = FractalHeap::open(&objects.metadata, heap).at(|| "attributes in a heap")?;
            for record in
                btree::records::<AttributeName>(&objects.metadata, by_name).at(|| "attributes in a heap")?
            {
                let stored = heap.get(&objects.metadata, &record.id).at(|| "attributes in a heap")?;
                let body = objects.body_of(kind::ATTRIBUTE, record.flags, &stored)?;
                found.push(decode(objects, &body)?);
            }
        }
    }
    Ok(found)
}

fn decode(objects: &Objects, body: &[u8]) -> Result<StoredAttribute> {
    let widths = objects.metadata.widths();
    let message = AttributeMessage::read(&mut Cursor::new(body, widths)).at(|| "attribute message")?;
    let place = || format!("attribute \"{}\"", String::from_utf8_lossy(&message.name));
    let shared = |shared: bool| if shared { 2 } else { 0 };
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
    Ok(StoredAttribute { name: message.name, datatype, extent, data: message.data })
}
