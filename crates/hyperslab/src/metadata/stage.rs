//! [`Staged`]: what was changed and not yet written, and the order in which it reaches the file.

use crate::error::{Error, Result};
use crate::format::bytes::Address;
use crate::format::checksum::lookup3;
use crate::metadata::Part;
use crate::metadata::live::{Live, SHARED};
use crate::metadata::space::{SECTOR, Space};
use crate::storage::WriteAt;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// When a staged structure may reach the file; lower stages are written first.
///
/// What a structure points at is of a lower stage, so a reader never follows an address to bytes
/// that are not there yet. Whatever its stage, a block the file on disk does not know comes before
/// all blocks it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Blocks an index, a heap or a tree leads to.
    Block,
    /// Blocks that lead to other blocks.
    IndexBlock,
    /// The head of an index, a heap or a tree.
    IndexHeader,
    /// Chunks of object headers but for the first.
    HeaderChunk,
    /// Object headers.
    ObjectHeader,
    /// The superblock.
    Superblock,
}

/// The checksum a block ends its changes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// None: the structure has no checksum, or its bytes carry it already.
    None,
    /// The last four bytes, over all before them.
    Last,
    /// Four bytes at an offset, over the whole block with those four as zeroes.
    At(usize),
    /// Four bytes at an offset, over all before them; what follows is not in use.
    After(usize),
}

/// Bytes that are written at once, at most, besides single blocks that are larger.
const BATCH: usize = 1 << 20;

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Staged {
    storage: Arc<dyn WriteAt>,
    /// Where address 0 is.
    base: u64,
    pub(crate) space: Space,
    blocks: BTreeMap<u64, Block>,
    state: State,
    /// What is needed besides while others read the file.
    live: Option<Live>,
    /// On whose behalf the next changes are made.
    owner: Address,
    /// Whether the next changes are to be seen after all others.
    late: bool,
}

/// What a flush writes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flush<'a> {
    /// The objects whose headers come first, in this order.
    pub(crate) owners: &'a [Address],
    /// Whether only their changes are written.
    pub(crate) only: bool,
    /// Whether to return when all is on the disk, and to wait for the disk between what leads to nothing yet
    /// and what leads to it, so that also a machine that stops leaves a file that can be read.
    pub(crate) durable: bool,
}

/// A staged block and its address.
type At<'a> = (u64, &'a Block);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sound,
    /// A write failed; what is on disk is what the last flush left.
    Restored,
    /// A write failed, and so did putting back what was there before.
    Damaged,
}

#[derive(Debug)]
struct Block {
    stage: Stage,
    bytes: Vec<u8>,
    /// A checksum that does not yet count the last changes.
    owed: Seal,
    /// The object it belongs to.
    owner: Address,
    /// Whether it is written after others of its kind.
    late: bool,
    /// What is on disk now, when that is known.
    before: Option<Vec<u8>>,
}

impl Block {
    fn settle(&mut self) {
        let at = match self.owed {
            Seal::None => return,
            Seal::Last => self.bytes.len().saturating_sub(4),
            Seal::At(at) | Seal::After(at) => at,
        };
        let end = at.saturating_add(4);
        let whole = matches!(self.owed, Seal::At(_));
        if whole && let Some(field) = self.bytes.get_mut(at..end) {
            field.fill(0);
        }
        let covered = if whole { self.bytes.len() } else { at };
        let sum = lookup3(self.bytes.get(..covered).unwrap_or_default());
        if let Some(field) = self.bytes.get_mut(at..end) {
            field.copy_from_slice(&sum.to_le_bytes());
        }
        self.owed = Seal::None;
    }
}

impl Staged {
    pub(crate) fn new(storage: Arc<dyn WriteAt>, base: u64, space: Space) -> Self {
        Self {
            storage,
            base,
            space,
            blocks: BTreeMap::new(),
            state: State::Sound,
            live: None,
            owner: SHARED,
            late: false,
        }
    }

    /// Fails once a write has failed.
    pub(crate) fn check(&self) -> Result<()> {
        if self.state == State::Sound {
            return Ok(());
        }
        let cause = io::Error::other("an earlier write failed, so nothing is written to this file any more");
        Err(Error::io("the file is as its last flush left it", cause))
    }

    /// Whether what is on disk is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.state != State::Damaged
    }

    /// From now on nothing is written; but others may go on to read a live file, and its writer to write it.
    pub(crate) fn fail(&mut self) {
        if self.state == State::Sound && self.live.is_none() {
            self.state = State::Restored;
        }
    }

    /// Others may read the file from now on, which is on disk as it is in memory.
    pub(crate) fn go_live(&mut self, live: Live) -> io::Result<Vec<(u64, u64)>> {
        self.space.set_live(true);
        self.live = Some(live);
        self.announce().inspect_err(|_| self.end_live())
    }

    /// Nobody begins to read the file any more.
    pub(crate) fn end_live(&mut self) {
        self.live = None;
        self.space.set_live(false);
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// The next changes are made on behalf of an object.
    pub(crate) fn set_owner(&mut self, owner: Address) {
        self.owner = owner;
    }

    /// The next changes are to be seen after all others of the same flush, or not.
    pub(crate) fn set_late(&mut self, late: bool) {
        self.late = late;
    }

    /// Whether changes wait that belong to no single object.
    pub(crate) fn is_shared(&self) -> bool {
        self.blocks.values().any(|block| block.owner == SHARED)
    }

    /// Room for element data; `runs`: small pieces of any dataset lie together.
    pub(crate) fn allocate_data(&mut self, length: u64, runs: bool) -> Result<Address> {
        let start = self
            .space
            .behind_head(|space| if runs { space.allocate_data(length) } else { space.allocate(length) })?;
        if let Some(live) = &mut self.live {
            live.allocated(self.owner, start, length);
        }
        Ok(start)
    }

    /// Whether the next version of a block goes elsewhere: when others may be reading this one, and a disk
    /// does not write it as a whole.
    pub(crate) fn moves(&self, address: Address, length: u64) -> bool {
        let whole = length <= SECTOR - address.0 % SECTOR;
        self.live.is_some() && !whole && !self.space.is_fresh(address.0)
    }

    /// The place for the next version of what moves; nothing on disk leads there. With `homes`, things move
    /// between two places; else the place is new.
    pub(crate) fn shadow(&mut self, address: Address, length: u64, homes: bool) -> Result<Address> {
        let known = self.live.as_mut().filter(|_| homes).and_then(|live| live.homes.remove(&address.0));
        let other = match known {
            Some(other) => {
                self.space.renew(Address(other), length);
                Address(other)
            }
            None => self.space.allocate_block(length)?,
        };
        if let Some(live) = self.live.as_mut().filter(|_| homes) {
            live.homes.insert(other.0, address.0);
        }
        Ok(other)
    }

    /// As [`shadow`](Self::shadow) between two places, of what has parts; leaves of `parts` those that the other
    /// place has not as they are.
    pub(crate) fn shadow_parts(
        &mut self,
        address: Address,
        length: u64,
        parts: &mut Vec<Part>,
    ) -> Result<Address> {
        if let Some(behind) = self.live.as_mut().and_then(|live| live.behind(address.0)) {
            parts.retain(|(_, offset, _)| *offset == 0 || behind.contains(offset));
        }
        self.shadow(address, length, true)
    }

    /// The part at an offset of what begins at an address changes.
    pub(crate) fn touch(&mut self, address: Address, offset: u64) {
        self.live.iter_mut().for_each(|live| live.touch(address.0, offset));
    }

    /// Replaces the block at an address.
    pub(crate) fn put(&mut self, stage: Stage, address: Address, bytes: Vec<u8>, owed: Seal) {
        let known = self.blocks.get(&address.0).map(|known| (known.owner, known.late));
        let owner = known.map_or(self.owner, |(owner, _)| if owner == self.owner { owner } else { SHARED });
        let late = self.late || known.is_some_and(|(_, late)| late);
        self.live.iter_mut().for_each(|live| _ = live.forget(address.0));
        self.blocks.insert(address.0, Block { stage, bytes, owed, owner, late, before: None });
    }

    /// The block at an address, to change it; none when it is not staged.
    pub(crate) fn block_mut(
        &mut self,
        stage: Stage,
        address: Address,
        length: usize,
        owed: Seal,
    ) -> Option<&mut [u8]> {
        let kept = self.live.as_mut().and_then(|live| live.take(address.0, length));
        let before = kept.clone();
        if let Some(bytes) = kept {
            self.put(stage, address, bytes, owed);
        }
        let block = self.blocks.get_mut(&address.0).filter(|block| block.bytes.len() == length)?;
        if before.is_some() {
            block.before = before;
        }
        block.stage = stage;
        block.owed = owed;
        block.late |= self.late;
        if block.owner != self.owner {
            block.owner = SHARED;
        }
        Some(&mut block.bytes)
    }

    /// The block at an address as it is, its checksum perhaps owed; none when it is not in memory.
    pub(crate) fn block(&self, address: Address, length: usize) -> Option<&[u8]> {
        let staged = self.blocks.get(&address.0).map(|block| block.bytes.as_slice());
        let known = staged.or_else(|| self.live.as_ref()?.block(address.0));
        known.filter(|bytes| bytes.len() == length)
    }

    /// The bytes of a staged block whose checksum does not count its last changes.
    pub(crate) fn owing(&self, address: Address, size: usize) -> Option<&[u8]> {
        let block = self.blocks.get(&address.0)?;
        (block.bytes.len() == size && block.owed != Seal::None).then_some(&block.bytes)
    }

    /// What was staged at an address is staged elsewhere now.
    pub(crate) fn drop_block(&mut self, address: Address) {
        self.blocks.remove(&address.0);
        self.live.iter_mut().for_each(|live| _ = live.forget(address.0));
    }

    /// Gives space back, with what is staged in it.
    pub(crate) fn free(&mut self, address: Address, length: u64) {
        let inside: Vec<u64> =
            self.blocks.range(address.0..address.0.saturating_add(length)).map(|(at, _)| *at).collect();
        for at in inside {
            self.blocks.remove(&at);
        }
        self.live.iter_mut().for_each(Live::forget_all);
        self.space.free(address, length);
    }

    /// Whether the range lies in one staged block; then `out` is it.
    pub(crate) fn whole(&mut self, address: Address, out: &mut [u8]) -> bool {
        if let Some(kept) = self.live.as_ref().and_then(|live| live.block(address.0))
            && let Some(kept) = kept.get(..out.len())
        {
            out.copy_from_slice(kept);
            return true;
        }
        let Some((start, block)) = self.blocks.range_mut(..=address.0).next_back() else { return false };
        let Ok(from) = usize::try_from(address.0 - start) else { return false };
        let Some(end) = from.checked_add(out.len()).filter(|end| *end <= block.bytes.len()) else {
            return false;
        };
        block.settle();
        out.copy_from_slice(block.bytes.get(from..end).unwrap_or_default());
        true
    }

    /// Lays what is staged over bytes read from the file at `address`.
    pub(crate) fn overlay(&mut self, address: Address, out: &mut [u8]) {
        let end = address.0.saturating_add(out.len() as u64);
        let before = self.blocks.range(..address.0).next_back().map_or(address.0, |(start, _)| *start);
        for (start, block) in self.blocks.range_mut(before..end) {
            let (from, to) = (address.0.max(*start), end.min(start.saturating_add(block.bytes.len() as u64)));
            if from >= to {
                continue;
            }
            block.settle();
            let within = |at: u64, origin: u64| usize::try_from(at - origin).unwrap_or(usize::MAX);
            let target = out.get_mut(within(from, address.0)..within(to, address.0));
            if let (Some(target), Some(bytes)) =
                (target, block.bytes.get(within(from, *start)..within(to, *start)))
            {
                target.copy_from_slice(bytes);
            }
        }
    }

    /// Announces an end beyond all that is in use, when others read the file.
    fn announce(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let Some(live) = &mut self.live else { return Ok(Vec::new()) };
        Ok(live.announce(&*self.storage, (self.base, self.space.end()))?.into_iter().collect())
    }

    /// Writes what is staged, and gives the ranges of the file (offset and length) that changed.
    ///
    /// When a write fails the file is left as the last flush left it, and nothing is written to it any more.
    /// While others read it, it is left at one of the states on the way, all of which are whole; what waited
    /// still waits.
    pub(crate) fn flush(&mut self, flush: &Flush<'_>) -> io::Result<Vec<(u64, u64)>> {
        let mut changed = self.announce()?;
        let belongs = |block: &Block| !flush.only || flush.owners.contains(&block.owner);
        self.blocks.values_mut().filter(|block| belongs(block)).for_each(Block::settle);
        let chosen = self.blocks.iter().map(|(at, block)| (*at, block)).filter(|(_, block)| belongs(block));
        let (mut fresh, known): (Vec<At<'_>>, Vec<_>) = chosen.partition(|(at, _)| self.space.is_fresh(*at));
        let (mut headers, mut known): (Vec<At<'_>>, Vec<_>) =
            known.into_iter().partition(|(_, block)| block.stage >= Stage::HeaderChunk);
        if self.live.is_some() {
            fresh.sort_by_key(|(at, block)| (block.stage, *at));
        }
        known.sort_by_key(|(at, block)| (block.late, block.stage, *at));
        let turn =
            |block: &Block| flush.owners.iter().position(|owner| *owner == block.owner).unwrap_or(usize::MAX);
        headers.sort_by_key(|(at, block)| (block.late, turn(block), block.stage, *at));
        let mut before = Vec::new();
        let written = self
            .write_fresh(&fresh, &mut changed)
            .and_then(|()| self.settle(flush.durable))
            .and_then(|()| self.write_known(&known, &mut before, &mut changed))
            .and_then(|()| self.settle(flush.durable))
            .and_then(|()| self.write_known(&headers, &mut before, &mut changed))
            .and_then(|()| self.settle(flush.durable));
        if let Err(error) = written {
            self.restore(&before);
            self.blocks.values_mut().for_each(|block| block.before = None);
            return Err(error);
        }
        self.published(flush);
        Ok(changed)
    }

    /// Puts back what was written over: all of it, or what was last when every state on the way is whole. What
    /// cannot be put back in a live file is written whole by the next flush.
    fn restore(&mut self, before: &[(u64, Vec<u8>)]) {
        let most = if self.live.is_some() { 1 } else { before.len() };
        let mut back = before.iter().rev().take(most);
        let restored = back.all(|(at, old)| self.storage.write_at(*at, old).is_ok());
        self.state = match (restored, self.live.is_some()) {
            (_, true) => self.state,
            (false, false) => State::Damaged,
            (true, false) => State::Restored,
        };
    }

    /// What a flush wrote is on disk as it is in memory.
    fn published(&mut self, flush: &Flush<'_>) {
        if self.live.is_none() {
            self.blocks.clear();
            self.space.published();
        }
        let (Some(live), space) = (&mut self.live, &mut self.space) else { return };
        for (at, block) in std::mem::take(&mut self.blocks) {
            if flush.only && !flush.owners.contains(&block.owner) {
                self.blocks.insert(at, block);
                continue;
            }
            space.publish(at, block.bytes.len() as u64);
            live.keep(at, block.bytes);
        }
        if flush.only {
            live.publish_data(flush.owners, space);
        } else {
            live.published();
            space.published();
        }
    }

    /// Makes the file as long as the space in use, unless a longer one is announced.
    pub(crate) fn fit(&mut self) -> io::Result<()> {
        let length = self.base.saturating_add(self.space.end());
        if self.live.is_some() || self.storage.len()? == length {
            return Ok(());
        }
        self.storage.set_len(length).inspect_err(|_| self.state = State::Restored)
    }

    /// New blocks, in runs; nothing on disk leads to them.
    fn write_fresh(&self, blocks: &[At<'_>], changed: &mut Vec<(u64, u64)>) -> io::Result<()> {
        let mut run: Vec<u8> = Vec::new();
        let mut start = 0_u64;
        for (at, block) in blocks {
            let end = start.saturating_add(run.len() as u64);
            if !run.is_empty() && (*at != end || run.len().saturating_add(block.bytes.len()) > BATCH) {
                self.write(start, &run, changed)?;
                run.clear();
            }
            if run.is_empty() {
                start = *at;
            }
            run.extend_from_slice(&block.bytes);
        }
        if run.is_empty() {
            return Ok(());
        }
        self.write(start, &run, changed)
    }

    /// Blocks the file on disk knows; `before` gets what was there, to put it back.
    fn write_known(
        &self,
        blocks: &[At<'_>],
        before: &mut Vec<(u64, Vec<u8>)>,
        changed: &mut Vec<(u64, u64)>,
    ) -> io::Result<()> {
        let mut length = None;
        for (at, block) in blocks {
            let offset = self.base.saturating_add(*at);
            let old = if let Some(known) = &block.before {
                known.clone()
            } else {
                let length = *length.insert(length.map_or_else(|| self.storage.len(), Ok)?);
                let there = length.saturating_sub(offset).min(block.bytes.len() as u64);
                let mut stored = vec![0; usize::try_from(there).unwrap_or(0)];
                self.storage.read_at(offset, &mut stored)?;
                stored
            };
            before.push((offset, old));
            self.write(*at, &block.bytes, changed)?;
        }
        Ok(())
    }

    fn settle(&self, durable: bool) -> io::Result<()> {
        if durable { self.storage.sync() } else { Ok(()) }
    }

    fn write(&self, at: u64, bytes: &[u8], changed: &mut Vec<(u64, u64)>) -> io::Result<()> {
        let offset = self.base.checked_add(at).ok_or(io::ErrorKind::InvalidInput)?;
        changed.push((offset, bytes.len() as u64));
        self.storage.write_at(offset, bytes)
    }

    pub(crate) fn storage(&self) -> &Arc<dyn WriteAt> {
        &self.storage
    }
}
