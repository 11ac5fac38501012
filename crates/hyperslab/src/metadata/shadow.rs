//! Changes that others may read while they are made: where the next version of a block goes, and on whose behalf.

use crate::error::Result;
use crate::format::bytes::Address;
use crate::format::superblock::Superblock;
use crate::metadata::live::Live;
use crate::metadata::stage::{Seal, Stage, Staged};
use crate::metadata::{Metadata, Part};

impl Metadata {
    /// Where the next version of the block at `address` is to be edited, with its bytes as they are now: the
    /// same place, or, when others read the file and could see it half written, the other one of two it then
    /// moves between. Whatever leads to the block must lead there then.
    pub(crate) fn shadow(&self, block: (Stage, Seal), address: Address, length: usize) -> Result<Address> {
        self.shadow_one((block, 0, length), address, true)
    }

    /// As [`shadow`](Self::shadow), to a new place every time: for blocks whose readers may come by ways that
    /// are older than both.
    pub(crate) fn shadow_anew(
        &self,
        block: (Stage, Seal),
        address: Address,
        length: usize,
    ) -> Result<Address> {
        self.shadow_one((block, 0, length), address, false)
    }

    fn shadow_one(&self, part: Part, address: Address, homes: bool) -> Result<Address> {
        let (staged, length) = (self.writer()?, part.2 as u64);
        if !staged.lock().moves(address, length) {
            return Ok(address);
        }
        let other = staged.lock().shadow(address, length, homes)?;
        self.move_parts((address, other), [part])?;
        Ok(other)
    }

    /// As [`shadow`](Self::shadow), for `length` bytes that hold several blocks, of which the one at the offset
    /// `touched` will change; `parts` tells all that are in use, the first at 0. Those that are already in the
    /// other place as they are stay there.
    pub(crate) fn shadow_parts(
        &self,
        address: Address,
        (length, touched): (u64, u64),
        parts: impl FnOnce() -> Result<Vec<Part>>,
    ) -> Result<Address> {
        let staged = self.writer()?;
        if !staged.lock().moves(address, length) {
            staged.lock().touch(address, touched);
            return Ok(address);
        }
        let mut parts = parts()?;
        let other = staged.lock().shadow_parts(address, length, &mut parts)?;
        self.move_parts((address, other), parts)?;
        staged.lock().touch(other, touched);
        Ok(other)
    }

    fn move_parts(
        &self,
        (from, to): (Address, Address),
        parts: impl IntoIterator<Item = Part>,
    ) -> Result<()> {
        let staged = self.writer()?;
        for ((stage, seal), offset, length) in parts {
            let (from, to) = (from.0.saturating_add(offset), to.0.saturating_add(offset));
            let bytes = self.read(Address(from), length)?;
            staged.lock().put(stage, Address(to), bytes, seal);
            staged.lock().drop_block(Address(from));
            self.decoded.forget(from);
            self.decoded.forget(to);
        }
        Ok(())
    }

    /// Whether [`shadow`](Self::shadow) would give another place.
    pub(crate) fn moves(&self, address: Address, length: u64) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.lock().moves(address, length))
    }

    /// Whether others read the file while it is written.
    pub(crate) fn is_live(&self) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.lock().is_live())
    }

    /// Whether bytes at an address may be written over although others read the file: nothing on disk leads
    /// to them.
    pub(crate) fn is_unseen(&self, address: Address) -> bool {
        let unseen = |staged: &Staged| !staged.is_live() || staged.space.is_fresh(address.0);
        self.staged.as_ref().is_none_or(|staged| unseen(&staged.lock()))
    }

    /// Nothing on disk leads to the `length` bytes at an allocated address: they are written before what does.
    pub(crate) fn renew(&self, address: Address, length: usize) -> Result<()> {
        let mut staged = self.writer()?.lock();
        if staged.is_live() {
            staged.space.renew(address, length as u64);
        }
        Ok(())
    }

    /// Others may read the file from now on, which was flushed just before.
    pub(crate) fn go_live(&self, superblock: Superblock, headroom: u64) -> Result<()> {
        let changed = self.writer()?.lock().go_live(Live::new(superblock, headroom));
        self.written(changed)
    }

    /// Nobody begins to read the file any more.
    pub(crate) fn end_live(&self) -> Result<()> {
        self.writer()?.lock().end_live();
        Ok(())
    }

    /// Begins changes on behalf of the object whose header is at `owner`; fails once a write has failed.
    pub(crate) fn begin(&self, owner: Address) -> Result<()> {
        let mut staged = self.writer()?.lock();
        staged.set_owner(owner);
        staged.check()
    }

    /// The next changes are made on behalf of the object whose header is at `owner`.
    pub(crate) fn set_owner(&self, owner: Address) {
        if let Some(staged) = &self.staged {
            staged.lock().set_owner(owner);
        }
    }

    /// Makes changes that readers see after all others of the same flush.
    pub(crate) fn late<T>(&self, change: impl FnOnce() -> Result<T>) -> Result<T> {
        self.staged.iter().for_each(|staged| staged.lock().set_late(true));
        let changed = change();
        self.staged.iter().for_each(|staged| staged.lock().set_late(false));
        changed
    }

    /// Whether changes wait that belong to no single object, so must be written with all others.
    pub(crate) fn is_shared(&self) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.lock().is_shared())
    }
}
