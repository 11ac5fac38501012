//! As much of `parking_lot` as the engine uses. Inside a shuttle execution whoever takes or gives back a lock lets shuttle
//! choose who goes on; a lock that is taken is tried again until it is free, so that one that never is runs out of steps.
//! Elsewhere, in other threads and between executions, these are spinning locks.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

thread_local! {
    static SCHEDULED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a model: what it does on this thread is scheduled.
pub fn scheduled<T>(work: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            SCHEDULED.set(self.0);
        }
    }
    let _back = Back(SCHEDULED.replace(true));
    work()
}

fn pause() {
    if SCHEDULED.get() && !std::thread::panicking() {
        shuttle::thread::yield_now();
    } else {
        std::thread::yield_now();
    }
}

/// Another thread may go on before this one does; not while a panic unwinds.
fn point() {
    if SCHEDULED.get() && !std::thread::panicking() {
        shuttle::thread::yield_now();
    }
}

#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `held` lets one thread at a time at the value.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

pub struct MutexGuard<'a, T: ?Sized>(&'a Mutex<T>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    pub fn lock(&self) -> MutexGuard<'_, T> {
        point();
        while self.held.swap(true, SeqCst) {
            pause();
        }
        MutexGuard(self)
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        point();
        (!self.held.swap(true, SeqCst)).then_some(MutexGuard(self))
    }

    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.0.held.store(false, SeqCst);
        point();
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

/// Of readers and writers; a writer who waits keeps new readers out, as there.
#[derive(Default)]
pub struct RwLock<T: ?Sized> {
    readers: AtomicUsize,
    writer: AtomicBool,
    waiting: AtomicUsize,
    value: UnsafeCell<T>,
}

// SAFETY: many threads read the value, or one has it alone.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

pub struct RwLockReadGuard<'a, T: ?Sized>(&'a RwLock<T>);
pub struct RwLockWriteGuard<'a, T: ?Sized>(&'a RwLock<T>);

impl<T> RwLock<T> {
    pub const fn new(value: T) -> Self {
        let (readers, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { readers, writer: AtomicBool::new(false), waiting, value: UnsafeCell::new(value) }
    }

    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    fn enter(&self, whatever_waits: bool) -> bool {
        if self.waiting.load(SeqCst) > 0 && !whatever_waits {
            return false;
        }
        self.readers.fetch_add(1, SeqCst);
        let fine = !self.writer.load(SeqCst);
        if !fine {
            self.readers.fetch_sub(1, SeqCst);
        }
        fine
    }

    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        point();
        while !self.enter(false) {
            pause();
        }
        RwLockReadGuard(self)
    }

    pub fn try_read_for(&self, _time: Duration) -> Option<RwLockReadGuard<'_, T>> {
        point();
        for _ in 0..20 {
            if self.enter(false) {
                return Some(RwLockReadGuard(self));
            }
            pause();
        }
        None
    }

    pub fn read_recursive(&self) -> RwLockReadGuard<'_, T> {
        point();
        while !self.enter(true) {
            pause();
        }
        RwLockReadGuard(self)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        point();
        self.waiting.fetch_add(1, SeqCst);
        while self.writer.swap(true, SeqCst) {
            pause();
        }
        while self.readers.load(SeqCst) > 0 {
            // Readers who came before the writer are let out, and no others in.
            self.writer.store(false, SeqCst);
            pause();
            while self.writer.swap(true, SeqCst) {
                pause();
            }
        }
        self.waiting.fetch_sub(1, SeqCst);
        RwLockWriteGuard(self)
    }

    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        point();
        if self.writer.swap(true, SeqCst) {
            return None;
        }
        if self.readers.load(SeqCst) > 0 {
            self.writer.store(false, SeqCst);
            return None;
        }
        Some(RwLockWriteGuard(self))
    }

    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock alone.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, SeqCst);
        point();
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.0.writer.store(false, SeqCst);
        point();
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock")
    }
}

/// Waiting is giving the lock back and taking it again: whoever waits looks whether it was for nothing.
#[derive(Debug, Default)]
pub struct Condvar(());

impl Condvar {
    pub const fn new() -> Self {
        Self(())
    }

    pub fn wait_until<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, _until: Instant) {
        guard.0.held.store(false, SeqCst);
        pause();
        while guard.0.held.swap(true, SeqCst) {
            pause();
        }
    }

    pub fn notify_all(&self) {}
}
