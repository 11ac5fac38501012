//! Changing headers: messages are added, replaced and removed, in chunks that are made as they are needed.

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Body, Bounds, Cursor, Sink, Widths};
use crate::format::object_header::{
    CONSTANT, CONTINUATION_SIGNATURE, INDEXED, MOST_ROOM, PREFIX_2_MAX, Prefix, RawMessage, TIMED, TRACKED,
    kind, read_continuation, read_prefix, write_message, write_prefix, write_room, write_room_head,
};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};
use crate::object::header::{Chunk, Chunks, Header, Placed, Places};
use smallvec::smallvec;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Bytes left in a new header for two or three small attributes.
pub(crate) const ROOM: usize = 160;
/// Bytes of a further chunk that are left for what comes next, at least and at most.
const FURTHER: Range<usize> = 128..1024;

/// Bytes of messages a header may have that lies in one sector, with the address of a second chunk.
const WHOLE: usize = 440;
/// Bytes of a message before its body, at most.
const HEAD: usize = 6;

/// About what a header takes in memory.
const WEIGHT: usize = 1024;

/// How a new header is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Bytes left for messages that come later.
    pub(crate) spare: usize,
    /// Whether attributes remember the order they were made in.
    pub(crate) track_attributes: bool,
    /// Whether there is an index by that order, once attributes are in a heap.
    pub(crate) index_attributes: bool,
    /// When it is made, in seconds since 1970, if it is to say so.
    pub(crate) now: Option<u32>,
    /// Whether a disk is to write it as a whole, since it changes while others read the file.
    pub(crate) whole: bool,
}

/// Makes a header of an object that one hard link leads to; its version is what the bounds of the file ask for.
pub(crate) fn create(md: &Metadata, messages: Vec<RawMessage>, options: Options) -> Result<Address> {
    let tracked = options.track_attributes || options.index_attributes;
    let version = if md.bounds() == Bounds::Earliest && !tracked { 1 } else { 2 };
    let flags = if tracked { TRACKED } else { 0 } | if options.index_attributes { INDEXED } else { 0 };
    let flags = (flags | if options.now.is_some() { TIMED } else { 0 }, options.now.unwrap_or(0));
    let (prefix, _) = sample(version, flags, (0, 0), md)?;
    let used =
        messages.iter().fold(0_usize, |used, message| used.saturating_add(prefix.total(message.body.len())));
    // The first chunk must be able to lead to a second one, if only that.
    let least = prefix.total(usize::from(md.widths().offsets) + usize::from(md.widths().lengths));
    // Attributes may go elsewhere; what changes while others read must not.
    let most = if options.whole { WHOLE.saturating_sub(used) } else { usize::MAX };
    let spare = match options.spare.min(most).max(least.saturating_sub(used)) {
        0 => 0,
        spare => spare.max(prefix.head()).next_multiple_of(8),
    };
    let chunk = used.saturating_add(spare);
    let mut sink = Sink::with_room(md.widths(), chunk.saturating_add(PREFIX_2_MAX));
    let (prefix, start) = sample(version, flags, (chunk, 0), md)?;
    sink.put(start.bytes());
    for message in &messages {
        write_message(message, 0, &prefix, &mut sink)?;
    }
    let nothing = write_room(spare, &prefix, &mut sink)?;
    sink.zeros(prefix.tail());
    let mut bytes = sink.into_bytes();
    if version == 1 {
        set_count(&mut bytes, messages.len().saturating_add(nothing))?;
    }
    let address = if options.whole { md.allocate_whole(bytes.len())? } else { md.allocate(bytes.len())? };
    let chunk = Chunk {
        address,
        length: bytes.len(),
        room: prefix.length..bytes.len().saturating_sub(prefix.tail()),
        image: Vec::new(),
    };
    md.put_unsealed(Stage::ObjectHeader, address, bytes, seal(&prefix))?;
    if version == 2 {
        let places = smallvec![Placed { chunk: 0, order: 0 }; messages.len()];
        let (chunks, links): (Chunks, _) = (smallvec![chunk], OnceLock::new());
        let header = Header { address, messages, prefix, places, chunks, dense: true, links };
        md.keep_decoded(address, &Arc::new(header), WEIGHT);
    }
    Ok(address)
}

/// As [`create`]; of a header that is to be whole but has too much for it, the largest messages that never
/// change are in a second chunk.
pub(crate) fn create_apart(
    md: &Metadata,
    mut messages: Vec<RawMessage>,
    options: Options,
) -> Result<Address> {
    let mut later = Vec::new();
    if options.whole && md.bounds() == Bounds::V110 {
        let mut bytes = messages.iter().map(|message| message.body.len().saturating_add(HEAD)).sum::<usize>();
        while bytes > WHOLE {
            let fixed = |message: &RawMessage| message.flags & CONSTANT != 0;
            let sizes = messages.iter().enumerate().filter(|(_, message)| fixed(message));
            let Some((nth, _)) = sizes.max_by_key(|(_, message)| message.body.len()) else { break };
            let message = messages.remove(nth);
            bytes = bytes.saturating_sub(message.body.len().saturating_add(HEAD));
            later.push(message);
        }
    }
    let address = create(md, messages, options)?;
    later.iter().try_for_each(|message| add(md, address, message))?;
    Ok(address)
}

/// Messages with their creation orders.
pub(crate) type Ordered<'a> = [(&'a RawMessage, u16)];

/// Writes a message where message `nth` of the same size is, or messages behind all others, when nothing else
/// of the header has to move; tells whether it was done.
fn write_in_place(
    md: &Metadata,
    mut header: Arc<Header>,
    nth: Option<usize>,
    messages: &Ordered<'_>,
) -> Result<bool> {
    let prefix = header.prefix;
    let total = messages.iter().map(|(message, _)| prefix.total(message.body.len()));
    let total = total.fold(0_usize, usize::saturating_add);
    let Some((chunk, start, rest)) = room_for(&header, nth, total) else { return Ok(false) };
    let Some(Chunk { address, length, .. }) = header.chunks.get(chunk).cloned() else { return Ok(false) };
    if chunk > 0 && md.moves(address, length as u64) {
        return Ok(false);
    }
    let kept = nth.and_then(|nth| header.places.get(nth)).map(|place| place.order);
    let mut sink = Sink::new(md.widths());
    for (message, order) in messages {
        write_message(message, kept.unwrap_or(*order), &prefix, &mut sink)?;
    }
    write_room_head(rest, &prefix, &mut sink)?;
    md.edit((stage_of(chunk), seal(&prefix)), address, length, |block| {
        let end = start.saturating_add(total).saturating_add(rest);
        let room = block.get_mut(start..end).ok_or_else(gone)?;
        let (head, nothing) = room.split_at_mut_checked(sink.position()).ok_or_else(gone)?;
        head.copy_from_slice(sink.bytes());
        nothing.fill(0);
        Ok(())
    })?;
    if chunk > 0 {
        md.forget(header.address);
    }
    // As a rule nobody else has it any more, so nothing is copied.
    let changed = Arc::make_mut(&mut header);
    for (message, order) in messages {
        if let Some(old) = nth.and_then(|nth| changed.messages.get_mut(nth)) {
            *old = RawMessage::clone(message);
        } else {
            changed.messages.push(RawMessage::clone(message));
            changed.places.push(Placed { chunk, order: *order });
        }
    }
    md.keep_decoded(header.address, &header, WEIGHT);
    Ok(true)
}

/// Where in which chunk a message of `total` bytes can be written, and how many bytes of room follow it.
fn room_for(header: &Header, nth: Option<usize>, total: usize) -> Option<(usize, usize, usize)> {
    if !header.dense || header.prefix.version == 1 {
        return None;
    }
    if let Some(nth) = nth {
        let (old, place) = (header.messages.get(nth)?, header.places.get(nth)?);
        let start = header.chunks.get(place.chunk)?.room.start;
        let same = header.prefix.total(old.body.len()) == total;
        return same.then(|| (place.chunk, start.saturating_add(header.until(place.chunk, nth)), 0));
    }
    header.chunks.iter().enumerate().find_map(|(number, chunk)| {
        let used = header.used(number);
        let rest = chunk.room.len().checked_sub(used.checked_add(total)?)?;
        (rest <= MOST_ROOM).then(|| (number, chunk.room.start.saturating_add(used), rest))
    })
}

/// A prefix, and its bytes.
fn sample(version: u8, flags: (u8, u32), size: (usize, usize), md: &Metadata) -> Result<(Prefix, Sink)> {
    let mut sink = Sink::new(md.widths());
    write_prefix(version, flags, size, &mut sink)?;
    Ok((read_prefix(&mut Cursor::new(sink.bytes(), md.widths()))?, sink))
}

/// Adds a message.
pub(crate) fn add(md: &Metadata, address: Address, message: &RawMessage) -> Result<()> {
    add_ordered(md, address, &[(message, 0)])
}

/// Adds messages, attributes perhaps, with their creation orders.
pub(crate) fn add_ordered(md: &Metadata, address: Address, messages: &Ordered<'_>) -> Result<()> {
    let header = Header::open(md, address)?;
    if write_in_place(md, header, None, messages)? {
        return Ok(());
    }
    change(md, address, |draft| {
        messages.iter().try_for_each(|(message, order)| {
            draft.add(Item { message: Cow::Owned(RawMessage::clone(message)), order: *order })
        })
    })
}

/// Puts another message in the place of message `nth`, with its creation order.
pub(crate) fn replace(md: &Metadata, address: Address, nth: usize, message: &RawMessage) -> Result<()> {
    let header = Header::open(md, address)?;
    if write_in_place(md, header, Some(nth), &[(message, 0)])? {
        return Ok(());
    }
    change(md, address, |draft| draft.replace(nth, message))
}

/// Replaces the first message of its type, or adds it.
pub(crate) fn put(md: &Metadata, address: Address, message: &RawMessage) -> Result<()> {
    let found = Header::open(md, address)?.position(message.kind);
    match found {
        Some(nth) => replace(md, address, nth, message),
        None => add(md, address, message),
    }
}

/// Removes message `nth`.
pub(crate) fn remove(md: &Metadata, address: Address, nth: usize) -> Result<()> {
    remove_all(md, address, &[nth])
}

/// Removes several messages; `which` are their places before.
pub(crate) fn remove_all(md: &Metadata, address: Address, which: &[usize]) -> Result<()> {
    change(md, address, |draft| draft.remove(which))
}

/// Says how many hard links lead to the object.
pub(crate) fn set_link_count(md: &Metadata, address: Address, count: u32) -> Result<()> {
    let header = Header::open(md, address)?;
    if header.prefix.version == 1 {
        let chunk = header.chunks.first().ok_or_else(gone)?;
        return md.edit((Stage::ObjectHeader, Seal::None), address, chunk.length, |bytes| {
            bytes.get_mut(4..8).ok_or_else(gone)?.copy_from_slice(&count.to_le_bytes());
            Ok(())
        });
    }
    let mut body = Body::from_slice(&[0]);
    body.extend(count.to_le_bytes());
    let message = RawMessage { kind: kind::REFERENCE_COUNT, flags: 0, body };
    match (header.position(kind::REFERENCE_COUNT), count) {
        (Some(nth), 1) => remove(md, address, nth),
        (None, 1) => Ok(()),
        _ => put(md, address, &message),
    }
}

/// Reads a header that is about to be changed together with what it leads to, so that a disk that cannot be read is
/// met before that.
pub(crate) fn hold(md: &Metadata, header: &Header) -> Result<()> {
    if md.is_live() {
        return Ok(());
    }
    header.chunks.iter().enumerate().try_for_each(|(nth, chunk)| {
        md.hold((stage_of(nth), seal(&header.prefix)), chunk.address, chunk.length)
    })
}

fn stage_of(chunk: usize) -> Stage {
    if chunk == 0 { Stage::ObjectHeader } else { Stage::HeaderChunk }
}

fn gone() -> Error {
    Error::malformed("a message is not where it was")
}

fn seal(prefix: &Prefix) -> Seal {
    if prefix.version == 2 { Seal::Last } else { Seal::None }
}

fn change(md: &Metadata, address: Address, edit: impl FnOnce(&mut Draft<'_>) -> Result<()>) -> Result<()> {
    let place = || format!("object header at {address}");
    let header = Header::open(md, address)?;
    let mut draft = Draft::new(md, &header);
    edit(&mut draft).at(place)?;
    draft.shadow().at(place)?;
    draft.commit().at(place)?;
    let dense = header.dense || draft.chunks.iter().all(|part| part.state == State::Changed);
    let Some(kept) = draft.kept() else { return Ok(()) };
    // Nobody else has it any more, so its messages move.
    let Header { messages, prefix, chunks, .. } = Arc::unwrap_or_clone(header);
    let mut before: Vec<Option<RawMessage>> = messages.into_iter().map(Some).collect();
    let mut header = Header {
        address,
        messages: Vec::with_capacity(kept.len()),
        prefix,
        places: Places::new(),
        chunks,
        dense,
        links: OnceLock::new(),
    };
    for (message, place) in kept {
        let message = match message {
            Kept::Old(nth) => before.get_mut(nth).and_then(Option::take).ok_or_else(gone)?,
            Kept::New(message) => message,
        };
        header.messages.push(message);
        header.places.push(place);
    }
    md.keep_decoded(address, &Arc::new(header), WEIGHT);
    Ok(())
}

/// A message of a header after a change.
enum Kept {
    /// It was message so and so before.
    Old(usize),
    New(RawMessage),
}

/// A header while it is changed.
struct Draft<'a> {
    md: &'a Metadata,
    header: &'a Header,
    chunks: Vec<Part<'a>>,
}

/// A chunk while it is changed.
struct Part<'a> {
    address: Address,
    length: usize,
    room: Range<usize>,
    items: Vec<Item<'a>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Same,
    Changed,
    New,
    Gone,
}

/// A message with the creation order it carries.
struct Item<'a> {
    message: Cow<'a, RawMessage>,
    order: u16,
}

impl Item<'_> {
    fn is_chunk(&self) -> bool {
        self.message.kind == kind::CONTINUATION
    }
}

impl<'a> Draft<'a> {
    fn new(md: &'a Metadata, header: &'a Header) -> Self {
        let mut chunks: Vec<Part<'a>> = header
            .chunks
            .iter()
            .map(|chunk| Part {
                address: chunk.address,
                length: chunk.length,
                room: chunk.room.clone(),
                items: Vec::new(),
                state: State::Same,
            })
            .collect();
        for (message, place) in header.messages.iter().zip(&header.places) {
            if message.kind != kind::NIL
                && let Some(part) = chunks.get_mut(place.chunk)
            {
                part.items.push(Item { message: Cow::Borrowed(message), order: place.order });
            }
        }
        Self { md, header, chunks }
    }

    fn total(&self, item: &Item<'_>) -> usize {
        self.header.prefix.total(item.message.body.len())
    }

    /// Bytes of a chunk that no message needs.
    fn free(&self, part: &Part<'_>) -> usize {
        let used = part.items.iter().fold(0_usize, |used, item| used.saturating_add(self.total(item)));
        part.room.len().saturating_sub(used)
    }

    fn fits(&self, part: &Part<'_>, size: usize) -> bool {
        part.state != State::Gone && self.free(part) >= size
    }

    fn add(&mut self, item: Item<'a>) -> Result<()> {
        let size = self.total(&item);
        let host = self.chunks.iter().position(|part| self.fits(part, size));
        match host.and_then(|host| self.chunks.get_mut(host)) {
            Some(part) => {
                part.items.push(item);
                part.change();
                Ok(())
            }
            None => self.grow(item),
        }
    }

    /// Adds a chunk for a message, and for those that make room for the address of the chunk.
    fn grow(&mut self, item: Item<'a>) -> Result<()> {
        let widths = self.md.widths();
        let pointer = self.header.prefix.total(usize::from(widths.offsets) + usize::from(widths.lengths));
        let mut moved = vec![item];
        let host = self.host(pointer, &mut moved)?;
        let needed = moved.iter().fold(0_usize, |sum, item| sum.saturating_add(self.total(item)));
        let all = self.chunks.iter().fold(0_usize, |sum, part| sum.saturating_add(part.room.len()));
        let room = needed.saturating_add(all.clamp(FURTHER.start, FURTHER.end)).next_multiple_of(8);
        let (lead, tail) = (self.header.prefix.lead(), self.header.prefix.tail());
        let length = room.saturating_add(lead).saturating_add(tail);
        let address = self.md.allocate(length)?;
        let message = continuation(widths, address, length)?;
        if let Some(part) = self.chunks.get_mut(host) {
            part.items.push(Item { message: Cow::Owned(message), order: 0 });
            part.change();
        }
        let room = lead..lead.saturating_add(room);
        self.chunks.push(Part { address, length, room, items: moved, state: State::New });
        Ok(())
    }

    /// A chunk with room for `pointer` bytes, made by moving messages out when there is none.
    fn host(&mut self, pointer: usize, moved: &mut Vec<Item<'a>>) -> Result<usize> {
        if let Some(host) = self.chunks.iter().rposition(|part| self.fits(part, pointer)) {
            return Ok(host);
        }
        let movable = |part: &Part<'_>| {
            let bytes = part.items.iter().filter(|item| !item.is_chunk());
            self.free(part).saturating_add(bytes.fold(0, |sum, item| self.total(item).saturating_add(sum)))
        };
        let host = self.chunks.iter().position(|part| part.state != State::Gone && movable(part) >= pointer);
        let host = host.ok_or_else(|| Error::limit("the header has no room for another chunk"))?;
        while self.chunks.get(host).is_some_and(|part| self.free(part) < pointer) {
            let Some(part) = self.chunks.get_mut(host) else { break };
            let last = part.items.iter().rposition(|item| !item.is_chunk()).ok_or_else(gone)?;
            moved.push(part.items.remove(last));
        }
        Ok(host)
    }

    /// Chunk and item of message `nth` of the header.
    fn find(&self, nth: usize) -> Result<(usize, usize)> {
        let message = self.header.messages.get(nth).ok_or_else(gone)?;
        let chunk = self.header.places.get(nth).ok_or_else(gone)?.chunk;
        let part = self.chunks.get(chunk).ok_or_else(gone)?;
        let same =
            |item: &Item<'_>| matches!(&item.message, Cow::Borrowed(one) if std::ptr::eq(*one, message));
        part.items.iter().position(same).map(|item| (chunk, item)).ok_or_else(gone)
    }

    fn replace(&mut self, nth: usize, message: &RawMessage) -> Result<()> {
        let (chunk, at) = self.find(nth)?;
        let prefix = self.header.prefix;
        let part = self.chunks.get(chunk).ok_or_else(gone)?;
        let free = self.free(part);
        let part = self.chunks.get_mut(chunk).ok_or_else(gone)?;
        let item = part.items.get_mut(at).ok_or_else(gone)?;
        let room = free.saturating_add(prefix.total(item.message.body.len()));
        let next = Item { message: Cow::Owned(message.clone()), order: item.order };
        if prefix.total(message.body.len()) <= room {
            *item = next;
            part.change();
            return Ok(());
        }
        self.remove(&[nth])?;
        self.add(next)
    }

    fn remove(&mut self, which: &[usize]) -> Result<()> {
        for nth in which {
            let (chunk, at) = self.find(*nth)?;
            if let Some(part) = self.chunks.get_mut(chunk) {
                part.items.remove(at);
                part.change();
            }
        }
        self.drop_empty()
    }

    /// Gives up chunks that have no message left, except the first.
    fn drop_empty(&mut self) -> Result<()> {
        let empty = |part: &Part<'_>| part.items.is_empty() && part.state != State::Gone;
        while let Some(chunk) = self.chunks.iter().skip(1).position(empty) {
            let part = self.chunks.get_mut(chunk.saturating_add(1)).ok_or_else(gone)?;
            part.state = State::Gone;
            let address = part.address;
            for part in &mut self.chunks {
                let before = part.items.len();
                let widths = self.md.widths();
                part.items.retain(|item| {
                    let target = || read_continuation(&mut Cursor::new(&item.message.body, widths)).ok();
                    !item.is_chunk() || target().is_none_or(|(at, _)| at != address)
                });
                if part.items.len() != before {
                    part.change();
                }
            }
        }
        Ok(())
    }

    /// While others read the file, gives changed chunks new places unless one write changes the header: the
    /// first chunk then leads to all that is new, at once.
    fn shadow(&mut self) -> Result<()> {
        if !self.md.is_live() {
            return Ok(());
        }
        let known = |part: &Part<'_>| part.state == State::Changed && !self.md.is_unseen(part.address);
        let several = self.chunks.iter().filter(|part| known(part)).count() > 1;
        // A chunk is led to by one before it.
        for nth in (1..self.chunks.len()).rev() {
            let Some(part) = self.chunks.get(nth) else { break };
            let (old, length) = (part.address, part.length);
            let moves = several || self.md.moves(old, length as u64);
            if part.state != State::Changed || self.md.is_unseen(old) || !moves {
                continue;
            }
            let address = self.md.allocate(length)?;
            self.lead(old, address, length)?;
            let part = self.chunks.get_mut(nth).ok_or_else(gone)?;
            (part.address, part.state) = (address, State::New);
            self.md.free(old, length as u64)?;
        }
        Ok(())
    }

    /// Makes what leads to a chunk at `old` lead to `new`.
    fn lead(&mut self, old: Address, new: Address, length: usize) -> Result<()> {
        let widths = self.md.widths();
        let message = continuation(widths, new, length)?;
        let leads = |item: &Item<'_>| {
            let target = read_continuation(&mut Cursor::new(&item.message.body, widths));
            item.is_chunk() && target.is_ok_and(|(at, _)| at == old)
        };
        for part in &mut self.chunks {
            if let Some(item) = part.items.iter_mut().find(|item| leads(item)) {
                item.message = Cow::Owned(message);
                part.change();
                return Ok(());
            }
        }
        Err(gone())
    }

    fn commit(&self) -> Result<()> {
        let prefix = self.header.prefix;
        let mut count: usize = 0;
        let mut writes = Vec::new();
        for (nth, part) in self.chunks.iter().enumerate() {
            if part.state == State::Gone {
                continue;
            }
            let mut body = Sink::with_room(self.md.widths(), part.room.len());
            let mut messages = part.items.len();
            if part.state == State::Same {
                let inside = |place: &&Placed| place.chunk == nth;
                messages = self.header.places.iter().filter(inside).count();
            } else {
                for item in &part.items {
                    write_message(&item.message, item.order, &prefix, &mut body)?;
                }
                let rest = part.room.len().saturating_sub(body.position());
                messages = messages.saturating_add(write_room(rest, &prefix, &mut body)?);
                let body = body.into_bytes();
                if body.len() != part.room.len() {
                    return Err(part.misfit(body.len()));
                }
                writes.push((nth, part, body));
            }
            count = count.saturating_add(messages);
        }
        for (nth, part, body) in writes {
            part.write(self.md, (stage_of(nth), seal(&prefix)), &body)?;
        }
        for part in self.chunks.iter().filter(|part| part.state == State::Gone) {
            self.md.free(part.address, part.length as u64)?;
        }
        self.recount(count)
    }

    /// The messages from now on, when they are in the chunks they were in; version 1 is read anew.
    fn kept(self) -> Option<Vec<(Kept, Placed)>> {
        let same = |part: &Part<'_>| matches!(part.state, State::Same | State::Changed);
        if self.header.prefix.version == 1 || !self.chunks.iter().all(same) {
            return None;
        }
        let mut kept = Vec::new();
        for (chunk, part) in self.chunks.into_iter().enumerate() {
            for Item { message, order } in part.items {
                let message = match message {
                    Cow::Owned(message) => Kept::New(message),
                    Cow::Borrowed(message) => {
                        Kept::Old(self.header.messages.iter().position(|old| std::ptr::eq(old, message))?)
                    }
                };
                kept.push((message, Placed { chunk, order }));
            }
        }
        Some(kept)
    }

    /// Version 1 counts its messages. The decoded header is forgotten in any case.
    fn recount(&self, count: usize) -> Result<()> {
        let first = self.chunks.first().ok_or_else(gone)?;
        if self.header.prefix.version != 1 {
            self.md.forget(self.header.address);
            return Ok(());
        }
        let role = (Stage::ObjectHeader, Seal::None);
        self.md.edit(role, first.address, first.length, |bytes| set_count(bytes, count))
    }
}

/// Says in the prefix of a version-1 header how many messages there are.
fn set_count(bytes: &mut [u8], count: usize) -> Result<()> {
    let count = u16::try_from(count).map_err(|_| Error::limit(format!("a header of {count} messages")))?;
    bytes.get_mut(2..4).ok_or_else(gone)?.copy_from_slice(&count.to_le_bytes());
    Ok(())
}

/// The message that leads to a chunk.
fn continuation(widths: Widths, address: Address, length: usize) -> Result<RawMessage> {
    let mut body = Sink::new(widths);
    body.address(Some(address))?;
    body.length(length as u64)?;
    Ok(RawMessage { kind: kind::CONTINUATION, flags: 0, body: body.into_body() })
}

impl Part<'_> {
    fn change(&mut self) {
        if self.state == State::Same {
            self.state = State::Changed;
        }
    }

    /// What a header was read from may have messages of sizes that none is written with.
    fn misfit(&self, needed: usize) -> Error {
        let (address, room) = (self.address, self.room.len());
        Error::malformed(format!(
            "its messages at {address} need {needed} bytes and are in {room}; repack the file"
        ))
    }

    fn write(&self, md: &Metadata, how: (Stage, Seal), body: &[u8]) -> Result<()> {
        let fill = |bytes: &mut [u8]| {
            bytes.get_mut(self.room.clone()).ok_or_else(gone)?.copy_from_slice(body);
            Ok(())
        };
        if self.state != State::New {
            return md.edit(how, self.address, self.length, fill);
        }
        let mut bytes = vec![0; self.length];
        if self.room.start > 0 {
            bytes.get_mut(..4).ok_or_else(gone)?.copy_from_slice(&CONTINUATION_SIGNATURE);
        }
        fill(&mut bytes)?;
        md.put_unsealed(how.0, self.address, bytes, how.1)
    }
}

#[cfg(test)]
mod tests;
