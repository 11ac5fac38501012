//! [`Header`]: an object's messages, gathered from its chunks.

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor};
use crate::format::message::other::{check_file_space, check_time};
use crate::format::object_header::{
    PREFIX_2_MAX, Prefix, RawMessage, kind, open_continuation, read_continuation, read_messages, read_prefix,
};
use crate::metadata::Metadata;

/// Chunks of one header; real headers have a handful.
const MOST_CHUNKS: usize = 4096;
/// Bytes of messages of one header.
const MOST_BYTES: u64 = 256 << 20;

/// An object header, its messages in the order they are stored.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) address: Address,
    pub(crate) messages: Vec<RawMessage>,
}

impl Header {
    /// Reads the header at `address` with all its continuations.
    pub(crate) fn load(metadata: &Metadata, address: Address) -> Result<Self> {
        Self::gather(metadata, address).at(|| format!("object header at {address}"))
    }

    fn gather(metadata: &Metadata, address: Address) -> Result<Self> {
        let head = metadata.read_up_to(address, PREFIX_2_MAX)?;
        let prefix = read_prefix(&mut Cursor::new(&head, metadata.widths()))?;
        let mut messages = first_chunk(metadata, address, &prefix)?;
        let mut seen = vec![address];
        let mut bytes = prefix.chunk;
        let mut next = 0;
        while let Some(message) = messages.get(next) {
            next += 1;
            if message.kind != kind::CONTINUATION {
                continue;
            }
            let (at, length) = read_continuation(&mut Cursor::new(&message.body, metadata.widths()))?;
            bytes = bytes.saturating_add(length);
            if seen.contains(&at) || seen.len() >= MOST_CHUNKS || bytes > MOST_BYTES {
                return Err(Error::malformed(format!(
                    "its continuations run in a circle or on without end at {at}"
                )));
            }
            seen.push(at);
            messages
                .extend(continuation(metadata, at, length, &prefix).at(|| format!("continuation at {at}"))?);
        }
        let header = Self { address, messages };
        header.check(metadata)?;
        Ok(header)
    }

    /// Fails when a message nobody asks for is broken, or is of a type one must know.
    fn check(&self, metadata: &Metadata) -> Result<()> {
        for message in &self.messages {
            let mut cursor = Cursor::new(&message.body, metadata.widths());
            let sharable = matches!(
                message.kind,
                kind::DATASPACE
                    | kind::DATATYPE
                    | kind::FILL_OLD
                    | kind::FILL
                    | kind::FILTER_PIPELINE
                    | kind::ATTRIBUTE
            );
            let known = message.kind <= kind::CACHE_IMAGE && message.kind != 9;
            if known && message.is_shared() && !sharable {
                return Err(Error::malformed(format!(
                    "a message of type {:#x} is shared, which it cannot be",
                    message.kind
                )));
            }
            if !known && message.fails_if_unknown() {
                return Err(Error::unsupported(format!(
                    "message type {:#x} is unknown, and marked as one a reader must know",
                    message.kind
                )));
            }
            match message.kind {
                kind::TIME_OLD => check_time(&mut cursor, true).at(|| "modification time message")?,
                kind::TIME => check_time(&mut cursor, false).at(|| "modification time message")?,
                kind::FILE_SPACE_INFO if message.is_outdated() => {}
                kind::FILE_SPACE_INFO => check_file_space(&mut cursor).at(|| "file space info message")?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The first message of a type.
    pub(crate) fn first(&self, kind: u16) -> Option<&RawMessage> {
        self.messages.iter().find(|message| message.kind == kind)
    }

    /// All messages of a type.
    pub(crate) fn all(&self, kind: u16) -> impl Iterator<Item = &RawMessage> {
        self.messages.iter().filter(move |message| message.kind == kind)
    }
}

fn first_chunk(metadata: &Metadata, address: Address, prefix: &Prefix) -> Result<Vec<RawMessage>> {
    let length = to_usize(prefix.chunk)?;
    let whole = prefix
        .length
        .checked_add(length)
        .and_then(|sum| sum.checked_add(prefix.tail()))
        .ok_or_else(|| Error::malformed(format!("its first chunk has {length} bytes")))?;
    let bytes = metadata.read(address, whole)?;
    let mut cursor = Cursor::new(&bytes, metadata.widths());
    cursor.skip(prefix.length)?;
    let mut messages = cursor.sub(length)?;
    if prefix.version == 2 {
        cursor.checksum(0)?;
    }
    read_messages(&mut messages, prefix)
}

fn continuation(
    metadata: &Metadata,
    address: Address,
    length: u64,
    prefix: &Prefix,
) -> Result<Vec<RawMessage>> {
    let bytes = metadata.read(address, to_usize(length)?)?;
    let frame = Cursor::new(&bytes, metadata.widths());
    read_messages(&mut open_continuation(&bytes, prefix, &frame)?, prefix)
}
