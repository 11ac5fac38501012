//! LZF (32000): Marc Lehmann's small compressor, as h5py stores it.

use crate::error::{Error, Result};
use crate::filter::window::Window;

/// Decompresses to the front of `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut window = Window::new(out);
    let mut rest = input;
    while let Some(control) = next(&mut rest) {
        if control < 32 {
            let (run, after) = rest.split_at_checked(control.saturating_add(1)).ok_or_else(ended)?;
            window.literals(run)?;
            rest = after;
            continue;
        }
        let mut length = control >> 5;
        if length == 7 {
            length = length.saturating_add(next(&mut rest).ok_or_else(ended)?);
        }
        let near = next(&mut rest).ok_or_else(ended)?;
        let distance = ((control & 31) << 8 | near).saturating_add(1);
        window.repeat(distance, length.saturating_add(2))?;
    }
    Ok(window.filled())
}

fn next(rest: &mut &[u8]) -> Option<usize> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(usize::from(*first))
}

fn ended() -> Error {
    Error::malformed("the compressed bytes end early")
}
