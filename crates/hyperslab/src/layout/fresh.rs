//! Fresh buffers: zeroed, refused rather than aborted when memory is short, on huge pages when large.
#![expect(
    unsafe_code,
    reason = "zeroed memory straight from the allocator, and advice to the kernel about it"
)]

use crate::error::{Error, Result};
use bytemuck::Zeroable;
use std::alloc::{Layout, alloc_zeroed};

/// Buffers from this size on are worth huge pages: page faults would cost as much as the copy.
const HUGE: usize = 4 << 20;
const PAGE: usize = 4096;

/// `count` zeroed elements.
///
/// # Errors
/// `Limit` when there is no such memory.
pub(crate) fn zeroed<T: Zeroable>(count: usize) -> Result<Vec<T>> {
    let refused = || Error::limit(format!("no memory for {count} elements of {} bytes", size_of::<T>()));
    let layout = Layout::array::<T>(count).map_err(|_| refused())?;
    if layout.size() == 0 {
        let mut elements = Vec::new();
        elements.resize_with(count, T::zeroed);
        return Ok(elements);
    }
    // SAFETY: the layout has a size that is not zero, checked above.
    let start = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if start.is_null() {
        return Err(refused());
    }
    if layout.size() >= HUGE {
        advise(start.cast(), layout.size());
    }
    // SAFETY: the global allocator gave `start` for an array of `count` elements of `T`, and all zeroes
    // is a value of `T` because `T: Zeroable`.
    let elements = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, count)) };
    Ok(elements.into_vec())
}

/// Asks for huge pages under a buffer that was not touched yet; a refusal costs only time.
fn advise(start: *mut u8, length: usize) {
    let before = start.align_offset(PAGE);
    let Some(inside) = length.checked_sub(before) else { return };
    let whole = inside - inside % PAGE;
    // SAFETY: the pages start inside the allocation of `length` bytes and end inside it, and advice about
    // huge pages does not change what they hold.
    let advised =
        unsafe { rustix::mm::madvise(start.add(before).cast(), whole, rustix::mm::Advice::LinuxHugepage) };
    advised.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::zeroed;
    use crate::error::ErrorKind;

    #[test]
    fn a_fresh_buffer_is_zero_whatever_its_size() {
        for count in [0, 1, 4095, (4 << 20) + 5] {
            let bytes: Vec<u8> = zeroed(count).unwrap();
            assert_eq!(bytes.len(), count);
            assert!(bytes.iter().all(|byte| *byte == 0));
        }
        assert_eq!(zeroed::<f64>(700_000).unwrap().iter().sum::<f64>().to_bits(), 0);
    }

    #[test]
    fn more_memory_than_there_is_is_a_limit() {
        assert_eq!(zeroed::<u64>(usize::MAX / 2).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(zeroed::<u8>(usize::MAX / 4).unwrap_err().kind(), ErrorKind::Limit);
    }
}
