//! [`Space`]: which addresses are in use, which are free, and which the file on disk still needs.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, all_ones};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// The space of a file that is written.
///
/// Space that the file on disk refers to is not given out again before the next flush, so that a flush
/// that fails half-way leaves the former state whole.
#[derive(Debug)]
pub(crate) struct Space {
    /// One past the last address in use.
    end: u64,
    /// No address is beyond: the width of addresses.
    most: u64,
    free: Ranges,
    by_length: BTreeSet<(u64, u64)>,
    /// Given out since the last flush, so unknown to the file on disk.
    fresh: Ranges,
    /// Freed since the last flush, but part of the file on disk.
    pending: Vec<(u64, u64)>,
    placement: Placement,
    /// Whether others read the file now: they may hold on to what was freed.
    live: bool,
    /// Where the next small piece of element data goes, and how many bytes are left there.
    run: Option<(u64, u64)>,
    /// Bytes of the next run of small pieces.
    next_run: u64,
}

/// The first bytes of a new file are for metadata, as libhdf5 has it: what opening the file needs lies together,
/// and elements begin where no block of metadata is rewritten.
const HEAD: u64 = 2048;
/// Bytes a disk writes as a whole.
pub(crate) const SECTOR: u64 = 512;
/// Bytes the memory of the operating system keeps together.
const PAGE: u64 = 4096;
/// Free ranges that are looked at for one in which a block lies as it must.
const TRIED: usize = 16;
/// Pieces of element data up to this size share runs, so that blocks of metadata lie together and are
/// written together.
const SMALL: u64 = 2 << 10;
/// Bytes of the first and of the largest run.
const RUNS: (u64, u64) = (2 << 10, 64 << 10);

/// Where blocks may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    Anywhere,
    /// In pages of so many bytes: what is smaller lies in one, what is larger begins one.
    Pages(u64),
}

/// Ranges, start and length, that became one.
type Merged = SmallVec<[(u64, u64); 2]>;

/// Ranges that do not touch: start → length.
#[derive(Debug, Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn containing(&self, at: u64) -> Option<(u64, u64)> {
        let (start, length) = self.0.range(..=at).next_back()?;
        (at - start < *length).then_some((*start, *length))
    }

    /// Adds a range, merged with those it touches; gives what was merged away and the result.
    fn add(&mut self, start: u64, length: u64) -> (Merged, (u64, u64)) {
        let (mut start, mut end) = (start, start.saturating_add(length));
        let mut merged = Merged::new();
        if let Some((before, length)) = self.0.range(..=start).next_back().map(|(a, b)| (*a, *b))
            && before.saturating_add(length) >= start
        {
            merged.push((before, length));
            (start, end) = (before, end.max(before.saturating_add(length)));
        }
        while let Some((after, length)) = self.0.range(start..=end).next().map(|(a, b)| (*a, *b)) {
            if !merged.contains(&(after, length)) {
                merged.push((after, length));
            }
            self.0.remove(&after);
            end = end.max(after.saturating_add(length));
        }
        self.0.insert(start, end - start);
        (merged, (start, end - start))
    }

    /// As [`add`](Self::add), of a range that as a rule goes on where another one ends.
    fn extend(&mut self, start: u64, length: u64) {
        let end = start.saturating_add(length);
        let mut near = self.0.range_mut(..=end);
        match near.next_back() {
            Some((before, known)) if *before <= start && before.saturating_add(*known) == start => {
                *known = end - before;
            }
            _ => _ = self.add(start, length),
        }
    }

    /// Takes a range out of the one that contains it.
    fn cut(&mut self, start: u64, length: u64) {
        let Some((from, whole)) = self.containing(start) else { return };
        self.0.remove(&from);
        if start > from {
            self.0.insert(from, start - from);
        }
        let (end, last) = (start.saturating_add(length), from.saturating_add(whole));
        if last > end {
            self.0.insert(end, last - end);
        }
    }
}

impl Space {
    /// `offsets` are the bytes of an address.
    pub(crate) fn new(end: u64, offsets: u8) -> Self {
        Self {
            end,
            most: all_ones(offsets).saturating_sub(1),
            free: Ranges::default(),
            by_length: BTreeSet::new(),
            fresh: Ranges::default(),
            pending: Vec::new(),
            placement: Placement::Anywhere,
            live: false,
            run: None,
            next_run: RUNS.0,
        }
    }

    /// The file is made of pages of so many bytes.
    pub(crate) fn set_page(&mut self, page: u64) {
        self.placement = Placement::Pages(page);
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether the file on disk does not know what is at this address.
    pub(crate) fn is_fresh(&self, at: u64) -> bool {
        self.fresh.containing(at).is_some()
    }

    /// How many bytes may be given out without growing the file, now or after the next flush.
    #[cfg(test)]
    fn idle(&self) -> u64 {
        self.free.0.values().chain(self.pending.iter().map(|(_, length)| length)).sum()
    }

    /// Others begin or cease to read the file. What it refers to or once did is not used again, not even
    /// afterwards: whoever opened it meanwhile may still look there.
    pub(crate) fn set_live(&mut self, live: bool) {
        self.live = live;
        self.end_run();
        self.pending.clear();
        if live {
            self.free.0.clear();
            self.by_length.clear();
        }
    }

    /// Room for a block of metadata of `length` bytes; while others read, a [whole](Self::allocate_whole) one.
    pub(crate) fn allocate_block(&mut self, length: u64) -> Result<Address> {
        if self.live { self.allocate_whole(length) } else { self.allocate(length) }
    }

    /// Room for a block that a disk writes as a whole: in one sector, or in one page of memory, or from the
    /// start of one.
    pub(crate) fn allocate_whole(&mut self, length: u64) -> Result<Address> {
        let unit = if length <= SECTOR { SECTOR } else { PAGE };
        let place = |start: u64| {
            let next = start.checked_next_multiple_of(unit)?;
            if start.checked_add(length)? <= next { Some(start) } else { Some(next) }
        };
        let fits = |(whole, start): (u64, u64)| {
            let at = place(start)?;
            (at.checked_add(length)? <= start.saturating_add(whole)).then_some((start, whole, at))
        };
        let mut free = self.by_length.range((length, 0)..).take(TRIED).copied();
        if let Some((start, whole, at)) = free.find_map(fits)
            && self.placement == Placement::Anywhere
        {
            self.by_length.remove(&(whole, start));
            self.free.0.remove(&start);
            let (end, last) = (at + length, start + whole);
            for (from, until) in [(start, at), (end, last)].into_iter().filter(|(from, until)| from < until) {
                self.release(from, until - from);
            }
            self.fresh.extend(at, length);
            return Ok(Address(at));
        }
        match place(self.end) {
            Some(at) if at > self.end && self.placement == Placement::Anywhere => {
                let before = (self.end, at - self.end);
                self.fresh.extend(before.0, before.1);
                self.end = at;
                let address = self.take_end(length)?;
                self.release(before.0, before.1);
                Ok(address)
            }
            _ => self.take_end(length),
        }
    }

    /// Finds room for element data: the first of a file goes behind its head, which stays for metadata.
    pub(crate) fn behind_head(
        &mut self,
        allocate: impl FnOnce(&mut Self) -> Result<Address>,
    ) -> Result<Address> {
        let has_head = self.end >= HEAD || self.live || self.placement != Placement::Anywhere;
        if has_head || self.most < HEAD {
            return allocate(self);
        }
        let (start, length) = (self.end, HEAD - self.end);
        self.fresh.extend(start, length);
        self.end = HEAD;
        let found = allocate(self);
        self.release(start, length);
        found
    }

    /// Room for `length` bytes of element data.
    pub(crate) fn allocate_data(&mut self, length: u64) -> Result<Address> {
        let in_run = self.run.is_some_and(|(_, left)| left >= length);
        let free = !in_run && self.by_length.range((length, 0)..).next().is_some();
        if length == 0 || length > SMALL || free || self.live || self.placement != Placement::Anywhere {
            return self.allocate(length);
        }
        let (start, left) = match self.run.take() {
            Some((start, left)) if left >= length => (start, left),
            short => {
                self.run = short;
                self.end_run();
                let Address(start) = self.allocate(self.next_run)?;
                let left = self.next_run;
                self.next_run = left.saturating_mul(2).min(RUNS.1);
                (start, left)
            }
        };
        self.run = Some((start + length, left - length)).filter(|(_, left)| *left > 0);
        Ok(Address(start))
    }

    /// Gives back what is left of the run of small pieces.
    fn end_run(&mut self) {
        if let Some((start, left)) = self.run.take() {
            self.free(Address(start), left);
        }
    }

    /// Nothing on disk leads to the bytes at an address, so they may be written like new ones.
    pub(crate) fn renew(&mut self, address: Address, length: u64) {
        self.fresh.extend(address.0, length);
    }

    /// Room for `length` bytes: the smallest free range that has it, else at the end.
    pub(crate) fn allocate(&mut self, length: u64) -> Result<Address> {
        if length == 0 {
            return Err(Error::usage("an allocation of no bytes"));
        }
        if let Some((whole, start)) = self.by_length.range((length, 0)..).next().copied()
            && self.placement == Placement::Anywhere
        {
            self.by_length.remove(&(whole, start));
            self.free.0.remove(&start);
            if whole > length {
                self.free.0.insert(start + length, whole - length);
                self.by_length.insert((whole - length, start + length));
            }
            self.fresh.extend(start, length);
            return Ok(Address(start));
        }
        self.take_end(length)
    }

    /// Room for `length` bytes at the end.
    fn take_end(&mut self, length: u64) -> Result<Address> {
        let start = self.in_page(self.end, length);
        let end = start.and_then(|start| start.checked_add(length)).filter(|end| *end <= self.most);
        let (Some(start), Some(end)) = (start, end) else {
            let message = format!("the file would pass {:#x} bytes, all its addresses can say", self.most);
            return Err(Error::limit(message));
        };
        self.fresh.extend(self.end, end - self.end);
        self.end = end;
        Ok(Address(start))
    }

    /// The first start from `start` on at which `length` bytes lie in their pages as they must.
    fn in_page(&self, start: u64, length: u64) -> Option<u64> {
        let Placement::Pages(page) = self.placement else { return Some(start) };
        let next = start.checked_next_multiple_of(page)?;
        if length < page && start.checked_add(length)? <= next { Some(start) } else { Some(next) }
    }

    /// One past the highest address that was given back since the last flush.
    pub(crate) fn freed_end(&self) -> u64 {
        self.pending.iter().map(|(start, length)| start.saturating_add(*length)).max().unwrap_or(0)
    }

    /// Gives space back.
    pub(crate) fn free(&mut self, address: Address, length: u64) {
        let end = address.0.saturating_add(length);
        if length == 0 || end > self.end {
            return;
        }
        match self.fresh.containing(address.0) {
            Some((start, whole)) if start.saturating_add(whole) >= end => {
                self.fresh.cut(address.0, length);
                self.release(address.0, length);
            }
            _ => self.pending.push((address.0, length)),
        }
    }

    fn release(&mut self, start: u64, length: u64) {
        let (merged, whole) = self.free.add(start, length);
        for (start, length) in merged {
            self.by_length.remove(&(length, start));
        }
        self.by_length.insert((whole.1, whole.0));
    }

    /// Moves the end before what is free at the end; in a file of pages, to the end of the last one.
    pub(crate) fn trim(&mut self) {
        self.end_run();
        if let Placement::Pages(page) = self.placement {
            let end = self.end.checked_next_multiple_of(page).unwrap_or(self.end);
            self.fresh.extend(self.end, end - self.end);
            self.end = end;
            return;
        }
        if let Some((start, length)) = self.free.0.iter().next_back().map(|(a, b)| (*a, *b))
            && start.saturating_add(length) >= self.end
        {
            self.free.0.remove(&start);
            self.by_length.remove(&(length, start));
            self.end = start;
        }
    }

    /// What is at an address is part of the file on disk from now on.
    pub(crate) fn publish(&mut self, address: u64, length: u64) {
        self.fresh.cut(address, length);
    }

    /// The file on disk is now as the one in memory.
    pub(crate) fn published(&mut self) {
        self.fresh.0.clear();
        if self.live {
            self.pending.clear();
        }
        for (start, length) in std::mem::take(&mut self.pending) {
            self.release(start, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Space;
    use crate::format::bytes::Address;
    use proptest::prelude::{any, prop, prop_assert, proptest};

    #[test]
    fn fresh_space_is_reused_at_once_and_published_space_after_the_next_flush() {
        let mut space = Space::new(96, 8);
        let first = space.allocate(100).unwrap();
        space.free(first, 100);
        assert_eq!(space.allocate(40).unwrap(), first);
        space.published();
        space.free(first, 40);
        assert_ne!(space.allocate(40).unwrap(), first);
        space.published();
        assert_eq!(space.allocate(40).unwrap(), first);
    }

    #[test]
    fn neighbours_merge_and_the_end_is_trimmed() {
        let mut space = Space::new(0, 8);
        let all: Vec<_> = (0..4).map(|_| space.allocate(16).unwrap()).collect();
        for at in [1, 3, 2] {
            space.free(all[at], 16);
        }
        assert_eq!(space.free.0.len(), 1);
        space.trim();
        assert_eq!((space.end(), space.idle()), (16, 0));
    }

    #[test]
    fn small_pieces_of_data_lie_together_and_leave_nothing_unused() {
        let mut space = Space::new(0, 8);
        let starts: Vec<u64> = (0..4)
            .flat_map(|_| [space.allocate_block(300).unwrap().0, space.allocate_data(80).unwrap().0])
            .collect();
        assert_eq!(starts, [0, 300, 2348, 380, 2648, 460, 2948, 540]);
        space.trim();
        assert_eq!(space.allocate_block(1700).unwrap().0, 620);
        assert_eq!(space.allocate_data(5000).unwrap().0, 3248);
    }

    #[test]
    fn in_a_file_of_pages_small_blocks_stay_in_one_and_large_ones_begin_one() {
        let mut space = Space::new(4000, 8);
        space.set_page(4096);
        let starts: Vec<u64> = [90, 100, 5000, 8].map(|length| space.allocate(length).unwrap().0).to_vec();
        assert_eq!(starts, [4000, 4096, 8192, 13192]);
        space.trim();
        assert_eq!(space.end(), 16384);
    }

    #[test]
    fn while_others_read_nothing_they_may_hold_is_reused_and_blocks_lie_in_sectors() {
        let mut space = Space::new(0, 8);
        let old = space.allocate(400).unwrap();
        space.published();
        space.free(old, 400);
        space.published();
        space.set_live(true);
        assert_eq!(
            [300, 300, 700, 5000, 8].map(|n| space.allocate_block(n).unwrap().0),
            [512, 1024, 1324, 4096, 400]
        );
        space.published();
        space.set_live(false);
        space.published();
        assert_ne!(space.allocate(400).unwrap(), old);
    }

    #[test]
    fn whole_blocks_leave_the_room_before_them_to_others() {
        let mut space = Space::new(48, 8);
        let starts = [300, 300, 100, 600, 5000].map(|n| space.allocate_whole(n).unwrap().0);
        assert_eq!(starts, [48, 512, 348, 812, 4096]);
        assert_eq!(space.allocate(64).unwrap().0, 448);
    }

    #[test]
    fn addresses_too_wide_for_the_file_are_refused() {
        let mut space = Space::new(60_000, 2);
        assert!(space.allocate(5000).is_ok());
        assert!(space.allocate(5000).is_err());
    }

    proptest! {
        #[test]
        fn ranges_in_use_never_overlap(steps in prop::collection::vec((any::<bool>(), 1_u64..50, any::<prop::sample::Index>()), 1..200)) {
            let mut space = Space::new(48, 8);
            let mut used: Vec<(u64, u64)> = Vec::new();
            for (at, (take, length, which)) in steps.into_iter().enumerate() {
                if take || used.is_empty() {
                    let Address(start) = space.allocate(length).unwrap();
                    prop_assert!(used.iter().all(|(a, b)| a + b <= start || start + length <= *a));
                    prop_assert!(start >= 48 && start + length <= space.end());
                    used.push((start, length));
                } else {
                    let (start, length) = used.swap_remove(which.index(used.len()));
                    space.free(Address(start), length);
                }
                if at % 17 == 0 {
                    space.published();
                    space.trim();
                    prop_assert!(used.iter().all(|(a, b)| a + b <= space.end()));
                }
            }
        }
    }
}
