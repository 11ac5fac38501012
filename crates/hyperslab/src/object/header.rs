//! [`Header`]: an object's messages, gathered from its chunks.

pub(crate) mod edit;

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor, little_endian};
use crate::format::message::other::{FileSpace, check_time};
use crate::format::object_header::{
    Framed, PREFIX_2_MAX, Prefix, RawMessage, kind, open_continuation, read_continuation, read_messages,
    read_prefix,
};
use crate::limits::Limits;
use crate::metadata::Metadata;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Chunks of one header; real headers have a handful.
const MOST_CHUNKS: usize = 4096;
/// Most first chunks fit in so many bytes, so that they are read by one read where nothing is kept.
const USUAL: usize = 512;

/// An object header, its messages in the order they are stored.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) address: Address,
    pub(crate) messages: Vec<RawMessage>,
    pub(crate) prefix: Prefix,
    /// Where each of the messages is.
    places: Places,
    chunks: Chunks,
    /// Whether the messages of each chunk follow one another from its start, and room is behind them.
    dense: bool,
    /// Which message is the link of that name, once somebody asked: none when a link cannot be decoded.
    pub(crate) links: OnceLock<Option<HashMap<Vec<u8>, usize>>>,
}

/// Most headers have few messages, all in one chunk.
type Places = SmallVec<[Placed; 8]>;
type Chunks = SmallVec<[Chunk; 1]>;

/// Which chunk a message is in.
#[derive(Clone, Copy, Debug)]
struct Placed {
    chunk: usize,
    /// Its creation order, where it has one.
    order: u16,
}

/// A run of bytes with messages of a header.
#[derive(Clone, Debug)]
struct Chunk {
    address: Address,
    /// All its bytes, with prefix or signature, and checksum.
    length: usize,
    /// Those that are messages.
    room: Range<usize>,
    /// What it was read from, in a file that somebody else writes.
    image: Vec<u8>,
}

impl Header {
    /// The header at `address` with all its continuations, decoded once as long as it does not change: each
    /// time in a file that somebody else writes.
    pub(crate) fn open(metadata: &Metadata, address: Address) -> Result<Arc<Self>> {
        if metadata.is_followed() {
            let header = Self::load(metadata, address).map(Arc::new);
            // What it leads to is to be at least as new as the header is.
            metadata.next_generation();
            return header;
        }
        metadata.decoded(address, || {
            let header = Self::load(metadata, address)?;
            let bytes = header.messages.iter().fold(128_usize, |bytes, message| {
                let known = if message.kind == kind::LINK { 3 } else { 1 };
                bytes.saturating_add(message.body.len().saturating_add(80).saturating_mul(known))
            });
            Ok((header, bytes))
        })
    }

    /// Reads the header at `address` with all its continuations.
    pub(crate) fn load(metadata: &Metadata, address: Address) -> Result<Self> {
        Self::gather(metadata, address).at(|| format!("object header at {address}"))
    }

    fn gather(metadata: &Metadata, address: Address) -> Result<Self> {
        let ahead = if metadata.is_followed() { USUAL } else { PREFIX_2_MAX };
        let head = metadata.read_up_to(address, ahead)?;
        let prefix = read_prefix(&mut Cursor::new(&head, metadata.widths()))?;
        let (chunk, framed) = first_chunk(metadata, address, &prefix, &head)?;
        let mut header = Self {
            address,
            messages: Vec::new(),
            prefix,
            places: Places::new(),
            chunks: Chunks::new(),
            dense: true,
            links: OnceLock::new(),
        };
        header.take(chunk, framed);
        let mut bytes = prefix.chunk;
        let mut next = 0;
        while let Some(message) = header.messages.get(next) {
            next += 1;
            if message.kind != kind::CONTINUATION {
                continue;
            }
            let (at, length) = read_continuation(&mut Cursor::new(&message.body, metadata.widths()))?;
            bytes = bytes.saturating_add(length);
            let seen = header.chunks.iter().any(|chunk| chunk.address == at);
            Limits::check(bytes, ("header_bytes", metadata.limits().header_bytes), "bytes of messages")?;
            if seen || header.chunks.len() >= MOST_CHUNKS {
                return Err(Error::malformed(format!(
                    "its continuations run in a circle or on without end at {at}"
                )));
            }
            let (chunk, framed) =
                continuation(metadata, at, length, &prefix).at(|| format!("continuation at {at}"))?;
            header.take(chunk, framed);
        }
        header.check(metadata)?;
        Ok(header)
    }

    /// Whether a file that somebody else writes still has the bytes this was read from.
    pub(crate) fn is_current(&self, metadata: &Metadata) -> bool {
        self.chunks.iter().all(|chunk| metadata.has_still(chunk.address, &chunk.image))
    }

    /// Bytes that messages take at the start of a chunk whose messages follow one another.
    fn used(&self, chunk: usize) -> usize {
        self.until(chunk, self.messages.len())
    }

    /// Bytes that the messages of a chunk before message `nth` take.
    fn until(&self, chunk: usize, nth: usize) -> usize {
        let before = self.messages.iter().zip(&self.places).take(nth);
        before
            .filter(|(message, place)| place.chunk == chunk && message.kind != kind::NIL)
            .fold(0, |used, (message, _)| self.prefix.total(message.body.len()).saturating_add(used))
    }

    /// Takes the messages of one more chunk.
    fn take(&mut self, chunk: Chunk, framed: Vec<Framed>) {
        let mut room = false;
        self.messages.reserve(framed.len());
        for Framed { message, order } in framed {
            self.dense &= !room || message.kind == kind::NIL;
            room |= message.kind == kind::NIL;
            self.places.push(Placed { chunk: self.chunks.len(), order });
            self.messages.push(message);
        }
        self.chunks.push(chunk);
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
                kind::FILE_SPACE_INFO => {
                    FileSpace::read(&mut cursor).map(drop).at(|| "file space info message")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The first message of a type.
    pub(crate) fn first(&self, kind: u16) -> Option<&RawMessage> {
        self.messages.iter().find(|message| message.kind == kind)
    }

    /// Which message is the first of a type.
    pub(crate) fn position(&self, kind: u16) -> Option<usize> {
        self.messages.iter().position(|message| message.kind == kind)
    }

    /// All messages of a type.
    pub(crate) fn all(&self, kind: u16) -> impl Iterator<Item = &RawMessage> {
        self.messages.iter().filter(move |message| message.kind == kind)
    }

    /// The creation order of message `nth`, where messages have one.
    pub(crate) fn order(&self, nth: usize) -> u16 {
        self.places.get(nth).map_or(0, |place| place.order)
    }

    /// How many hard links lead to the object.
    pub(crate) fn link_count(&self) -> u32 {
        if self.prefix.version == 1 {
            return self.prefix.references;
        }
        let count = self.first(kind::REFERENCE_COUNT).and_then(|message| message.body.get(1..5));
        count.and_then(|count| u32::try_from(little_endian(count)).ok()).unwrap_or(1)
    }

    /// Address and bytes of each of its chunks.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (Address, usize)> {
        self.chunks.iter().map(|chunk| (chunk.address, chunk.length))
    }
}

/// The first chunk, of which the bytes of `head` are read already.
fn first_chunk(
    metadata: &Metadata,
    address: Address,
    prefix: &Prefix,
    head: &[u8],
) -> Result<(Chunk, Vec<Framed>)> {
    let length = to_usize(prefix.chunk)?;
    let end = prefix.length.checked_add(length);
    let whole = end.and_then(|end| Some((end, end.checked_add(prefix.tail())?)));
    let (end, whole) =
        whole.ok_or_else(|| Error::malformed(format!("its first chunk has {length} bytes")))?;
    let bytes = match head.get(..whole) {
        Some(bytes) => bytes.to_vec(),
        None => metadata.read(address, whole)?,
    };
    let mut cursor = Cursor::new(&bytes, metadata.widths());
    cursor.skip(prefix.length)?;
    let mut messages = cursor.sub(length)?;
    if prefix.version == 2 {
        cursor.checksum(0)?;
    }
    let framed = read_messages(&mut messages, prefix)?;
    let image = if metadata.is_followed() { bytes } else { Vec::new() };
    Ok((Chunk { address, length: whole, room: prefix.length..end, image }, framed))
}

fn continuation(
    metadata: &Metadata,
    address: Address,
    length: u64,
    prefix: &Prefix,
) -> Result<(Chunk, Vec<Framed>)> {
    let length = to_usize(length)?;
    let bytes = metadata.read(address, length)?;
    let frame = Cursor::new(&bytes, metadata.widths());
    let messages = read_messages(&mut open_continuation(&bytes, prefix, &frame)?, prefix)?;
    let room = prefix.lead()..length.saturating_sub(prefix.tail());
    let image = if metadata.is_followed() { bytes } else { Vec::new() };
    Ok((Chunk { address, length, room, image }, messages))
}
