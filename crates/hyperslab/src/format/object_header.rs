//! Object headers: a prefix and messages, in one or more chunks of bytes.
//!
//! Spec: IV.A.1 "Data Object Header", versions 1 and 2.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Body, Cursor, Sink};

/// The signature of a version-2 header.
pub(crate) const SIGNATURE: [u8; 4] = *b"OHDR";
pub(crate) const CONTINUATION_SIGNATURE: [u8; 4] = *b"OCHK";
/// Bytes before the first message of a version-1 header.
pub(crate) const PREFIX_1: usize = 16;
/// No prefix of a version-2 header is longer.
pub(crate) const PREFIX_2_MAX: usize = 34;

/// Message types, as the specification numbers them.
pub(crate) mod kind {
    pub(crate) const NIL: u16 = 0x00;
    pub(crate) const DATASPACE: u16 = 0x01;
    pub(crate) const LINK_INFO: u16 = 0x02;
    pub(crate) const DATATYPE: u16 = 0x03;
    pub(crate) const FILL_OLD: u16 = 0x04;
    pub(crate) const FILL: u16 = 0x05;
    pub(crate) const LINK: u16 = 0x06;
    pub(crate) const EXTERNAL_FILES: u16 = 0x07;
    pub(crate) const LAYOUT: u16 = 0x08;
    pub(crate) const GROUP_INFO: u16 = 0x0a;
    pub(crate) const FILTER_PIPELINE: u16 = 0x0b;
    pub(crate) const ATTRIBUTE: u16 = 0x0c;
    pub(crate) const COMMENT: u16 = 0x0d;
    pub(crate) const TIME_OLD: u16 = 0x0e;
    pub(crate) const SHARED_TABLE: u16 = 0x0f;
    pub(crate) const CONTINUATION: u16 = 0x10;
    pub(crate) const SYMBOL_TABLE: u16 = 0x11;
    pub(crate) const TIME: u16 = 0x12;
    pub(crate) const BTREE_K: u16 = 0x13;
    pub(crate) const DRIVER_INFO: u16 = 0x14;
    pub(crate) const ATTRIBUTE_INFO: u16 = 0x15;
    pub(crate) const REFERENCE_COUNT: u16 = 0x16;
    pub(crate) const FILE_SPACE_INFO: u16 = 0x17;
    pub(crate) const CACHE_IMAGE: u16 = 0x18;
}

/// A message as stored: its type, its flags and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RawMessage {
    pub(crate) kind: u16,
    pub(crate) flags: u8,
    pub(crate) body: Body,
}

impl RawMessage {
    /// Whether the body only says where the message is.
    pub(crate) fn is_shared(&self) -> bool {
        self.flags & 0x02 != 0
    }

    /// Whether a program that did not know the type has changed the object since the message was written,
    /// so that what it says no longer counts.
    pub(crate) fn is_outdated(&self) -> bool {
        self.flags & 0x20 != 0
    }

    /// Whether a reader that does not know the type must give up.
    pub(crate) fn fails_if_unknown(&self) -> bool {
        self.flags & 0x80 != 0
    }
}

/// Where the messages of a header begin, and how they are framed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prefix {
    pub(crate) version: u8,
    /// Version 2: bit 2 tells whether messages carry a creation order.
    pub(crate) flags: u8,
    /// Bytes of the prefix itself.
    pub(crate) length: usize,
    /// Bytes of the first chunk's messages.
    pub(crate) chunk: u64,
    /// Version 1: how many hard links lead to the object.
    pub(crate) references: u32,
    /// Attributes beyond which they go into a heap, and below which they come back.
    pub(crate) attribute_limits: (u16, u16),
    /// Version 2: when the object was changed, in seconds since 1970, where the header says it.
    pub(crate) changed: Option<u32>,
}

/// When attributes go into a heap, unless a header says otherwise.
const ATTRIBUTE_LIMITS: (u16, u16) = (8, 6);
/// Flag of a message that never changes.
pub(crate) const CONSTANT: u8 = 1;
/// Bit of the prefix flags: messages carry a creation order.
pub(crate) const TRACKED: u8 = 4;
/// Bit of the prefix flags: attributes are indexed by their creation order.
pub(crate) const INDEXED: u8 = 8;
/// Bit of the prefix flags: there are times behind them.
pub(crate) const TIMED: u8 = 0x20;

/// A message with what its frame says besides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Framed {
    pub(crate) message: RawMessage,
    /// The creation order of an attribute, where it is tracked.
    pub(crate) order: u16,
}

impl Prefix {
    /// Bytes that follow the messages of a chunk: the checksum of version 2.
    pub(crate) fn tail(&self) -> usize {
        if self.version == 2 { 4 } else { 0 }
    }

    /// Bytes before the messages of a continuation chunk: the signature of version 2.
    pub(crate) fn lead(&self) -> usize {
        self.tail()
    }

    /// Bytes before the body of a message.
    pub(crate) fn head(&self) -> usize {
        match (self.version, self.flags & TRACKED) {
            (1, _) => 8,
            (_, 0) => 4,
            _ => 6,
        }
    }

    /// Bytes that a message of `body` bytes takes.
    pub(crate) fn total(&self, body: usize) -> usize {
        let body = if self.version == 1 { body.checked_next_multiple_of(8).unwrap_or(body) } else { body };
        body.saturating_add(self.head())
    }
}

/// Reads the prefix from the first bytes of a header.
pub(crate) fn read_prefix(cursor: &mut Cursor<'_>) -> Result<Prefix> {
    if cursor.rest().starts_with(&SIGNATURE) {
        return read_prefix_2(cursor);
    }
    let version = cursor.u8()?;
    if version != 1 {
        return Err(Error::malformed(format!(
            "object header begins with {version}, expected version 1 or the signature \"OHDR\""
        )));
    }
    cursor.skip(3)?;
    let references = cursor.u32()?;
    let chunk = u64::from(cursor.u32()?);
    cursor.skip(4)?;
    let attribute_limits = ATTRIBUTE_LIMITS;
    Ok(Prefix { version, flags: 0, length: PREFIX_1, chunk, references, attribute_limits, changed: None })
}

fn read_prefix_2(cursor: &mut Cursor<'_>) -> Result<Prefix> {
    cursor.signature(SIGNATURE)?;
    let version = cursor.version(&[2])?;
    let flags = cursor.u8()?;
    if flags & 0xc0 != 0 {
        return Err(Error::malformed(format!("object header flags are {flags:#x}, bits 6 and 7 must be 0")));
    }
    let mut changed = None;
    if flags & TIMED != 0 {
        // When elements were read, and the object changed; its header changed, and made.
        cursor.skip(4)?;
        changed = Some(cursor.u32()?);
        cursor.skip(8)?;
    }
    let attribute_limits = if flags & 0x10 != 0 { (cursor.u16()?, cursor.u16()?) } else { ATTRIBUTE_LIMITS };
    let width = 1_usize.checked_shl(u32::from(flags & 3)).unwrap_or(8);
    let chunk = cursor.uint(width)?;
    let length = cursor.position();
    Ok(Prefix { version, flags, length, chunk, references: 1, attribute_limits, changed })
}

/// Messages that most chunks have no more of.
const USUAL: usize = 8;

/// Reads the messages of one chunk; `bytes` are those between prefix (or signature) and checksum.
pub(crate) fn read_messages(cursor: &mut Cursor<'_>, prefix: &Prefix) -> Result<Vec<Framed>> {
    let most = cursor.remaining().checked_div(prefix.head()).unwrap_or(0);
    let mut messages = Vec::with_capacity(most.min(USUAL));
    let ordered = prefix.flags & TRACKED != 0;
    while cursor.remaining() >= prefix.head() {
        let (kind, size, flags);
        let mut order = 0;
        if prefix.version == 1 {
            (kind, size, flags) = (cursor.u16()?, cursor.u16()?, cursor.u8()?);
            cursor.skip(3)?;
        } else {
            (kind, size, flags) = (u16::from(cursor.u8()?), cursor.u16()?, cursor.u8()?);
            order = if ordered { cursor.u16()? } else { 0 };
        }
        let body =
            cursor.take(usize::from(size)).map_err(|error| error.at(format!("message of type {kind:#x}")))?;
        messages.push(Framed { message: RawMessage { kind, flags, body: Body::from_slice(body) }, order });
    }
    Ok(messages)
}

/// Writes one message as the messages of such a header are framed.
pub(crate) fn write_message(
    message: &RawMessage,
    order: u16,
    prefix: &Prefix,
    sink: &mut Sink,
) -> Result<()> {
    let size = prefix.total(message.body.len()).saturating_sub(prefix.head());
    write_head((message.kind, message.flags), (size, order), prefix, sink)?;
    sink.put(&message.body);
    sink.zeros(size.saturating_sub(message.body.len()));
    Ok(())
}

/// What is before the body of a message: its type and flags, the bytes of its body and its creation order.
fn write_head(
    (kind, flags): (u16, u8),
    (size, order): (usize, u16),
    prefix: &Prefix,
    sink: &mut Sink,
) -> Result<()> {
    let size = u16::try_from(size).map_err(|_| {
        Error::limit(format!(
            "a message of type {kind:#x} has {size} bytes, a header holds at most {}",
            u16::MAX
        ))
    })?;
    if prefix.version == 1 {
        sink.u16(kind);
        sink.u16(size);
        sink.put(&[flags, 0, 0, 0]);
        return Ok(());
    }
    sink.uint(kind.into(), 1)?;
    sink.u16(size);
    sink.u8(flags);
    if prefix.flags & TRACKED != 0 {
        sink.u16(order);
    }
    Ok(())
}

/// The head of one message that says nothing and fills `room` bytes; none when they are too few.
pub(crate) fn write_room_head(room: usize, prefix: &Prefix, sink: &mut Sink) -> Result<()> {
    match room.checked_sub(prefix.head()) {
        Some(body) => write_head((kind::NIL, 0), (body, 0), prefix, sink),
        None => Ok(()),
    }
}

/// Fills `room` bytes with messages that say nothing; gives how many there are.
pub(crate) fn write_room(mut room: usize, prefix: &Prefix, sink: &mut Sink) -> Result<usize> {
    let mut count: usize = 0;
    while room >= prefix.head() {
        let mut body = room.saturating_sub(prefix.head()).min(MOST_ROOM);
        // What is left over is no less than a head, or nothing.
        let left = room.saturating_sub(prefix.head()).saturating_sub(body);
        if left > 0 && left < prefix.head() {
            body = body.saturating_sub(8);
        }
        let size = prefix.total(body).saturating_sub(prefix.head());
        write_head((kind::NIL, 0), (size, 0), prefix, sink)?;
        sink.zeros(size);
        room = room.saturating_sub(prefix.total(body));
        count = count.saturating_add(1);
    }
    sink.zeros(room);
    Ok(count)
}

/// The most bytes of a message's body, at the alignment of version 1.
pub(crate) const MOST_ROOM: usize = 65528;

/// Writes the prefix of a header whose first chunk has `chunk` bytes of messages, `count` of them; one that has times
/// was made and changed `now`, in seconds since 1970.
pub(crate) fn write_prefix(
    version: u8,
    (flags, now): (u8, u32),
    (chunk, count): (usize, usize),
    sink: &mut Sink,
) -> Result<()> {
    let chunk = u64::try_from(chunk).unwrap_or(u64::MAX);
    if version == 1 {
        sink.put(&[1, 0]);
        sink.uint(u64::try_from(count).unwrap_or(u64::MAX), 2)?;
        sink.u32(1);
        sink.uint(chunk, 4)?;
        sink.zeros(4);
        return Ok(());
    }
    let (bits, width) = match chunk {
        0..0x100 => (0, 1),
        0x100..0x1_0000 => (1, 2),
        _ => (2, 4),
    };
    sink.put(&SIGNATURE);
    sink.put(&[2, flags | bits]);
    if flags & TIMED != 0 {
        (0..4).for_each(|_| sink.u32(now));
    }
    sink.uint(chunk, width)
}

/// Checks a continuation chunk's frame and gives the cursor over its messages.
pub(crate) fn open_continuation<'a>(
    bytes: &'a [u8],
    prefix: &Prefix,
    cursor: &Cursor<'a>,
) -> Result<Cursor<'a>> {
    let mut all = Cursor::new(bytes, cursor.widths());
    if prefix.version == 1 {
        return Ok(all);
    }
    let length =
        bytes.len().checked_sub(8).ok_or_else(|| Error::malformed("a continuation of less than 8 bytes"))?;
    all.signature(CONTINUATION_SIGNATURE)?;
    let inner = all.sub(length)?;
    all.checksum(0)?;
    Ok(inner)
}

/// Where a header goes on.  Spec: IV.A.2.q "The Object Header Continuation Message".
pub(crate) fn read_continuation(cursor: &mut Cursor<'_>) -> Result<(Address, u64)> {
    let address = cursor.address()?.ok_or_else(|| Error::malformed("a continuation has no address"))?;
    Ok((address, cursor.length()?))
}
