//! Making groups.

use crate::error::Result;
use crate::format::btree_v1::TreeKind;
use crate::format::bytes::{Address, Body, Bounds};
use crate::format::message::link::LinkInfo;
use crate::format::message::other::SymbolTable;
use crate::format::object_header::{CONSTANT, RawMessage, kind};
use crate::metadata::btree_v1::BTreeV1;
use crate::object::Objects;
use crate::object::header::edit;
use crate::object::local_heap;

/// How a group is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupOptions {
    /// Whether links and attributes remember the order they were made in, with an index by it.
    pub(crate) track_order: bool,
}

/// Makes an empty group that one hard link leads to, in the form that the bounds of the file ask for.
pub(crate) fn create(objects: &Objects, options: GroupOptions) -> Result<Address> {
    let md = &objects.metadata;
    let tracked = options.track_order;
    let messages = if md.bounds() == Bounds::Earliest && !tracked {
        let heap = local_heap::write::create(md)?;
        let tree = BTreeV1::create(md, TreeKind::Group, usize::from(md.widths().lengths))?;
        let table = SymbolTable { btree: Some(tree.root()), heap: Some(heap) };
        vec![RawMessage { kind: kind::SYMBOL_TABLE, flags: 0, body: md.body(&table)? }]
    } else {
        messages(objects, tracked)?
    };
    let options = edit::Options {
        spare: edit::ROOM,
        track_attributes: tracked,
        index_attributes: tracked,
        now: None,
        whole: true,
    };
    edit::create(md, messages, options)
}

/// The messages of an empty group without symbol table.
pub(crate) fn messages(objects: &Objects, tracked: bool) -> Result<Vec<RawMessage>> {
    let info = LinkInfo {
        next_order: tracked.then_some(0),
        heap: None,
        by_name: None,
        order_indexed: tracked,
        by_order: None,
    };
    Ok(vec![
        RawMessage { kind: kind::LINK_INFO, flags: 0, body: objects.metadata.body(&info)? },
        RawMessage { kind: kind::GROUP_INFO, flags: CONSTANT, body: Body::from_slice(&[0, 0]) },
    ])
}
