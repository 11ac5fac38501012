//! The output of a byte-oriented LZ decoder: literals, and repeats of what was written before.

use crate::error::{Error, Result};
use crate::filter::pipeline::too_long;

/// Bytes decoded so far, and the room that is left.
#[derive(Debug)]
pub(super) struct Window<'a> {
    out: &'a mut [u8],
    filled: usize,
}

impl<'a> Window<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, filled: 0 }
    }

    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    pub(super) fn literals(&mut self, run: &[u8]) -> Result<()> {
        let end = self.end(run.len())?;
        if let Some(to) = self.out.get_mut(self.filled..end) {
            to.copy_from_slice(run);
        }
        self.filled = end;
        Ok(())
    }

    /// Writes `length` bytes again that begin `distance` bytes back; they may overlap the new ones.
    pub(super) fn repeat(&mut self, distance: usize, length: usize) -> Result<()> {
        let end = self.end(length)?;
        let Some(start) = self.filled.checked_sub(distance).filter(|_| distance > 0) else {
            let filled = self.filled;
            return Err(Error::malformed(format!(
                "a repeat begins {distance} bytes back, {filled} are decoded"
            )));
        };
        if distance == 1 {
            let byte = self.out.get(start).copied().unwrap_or_default();
            self.out.get_mut(self.filled..end).unwrap_or_default().fill(byte);
            self.filled = end;
            return Ok(());
        }
        // What lies between `start` and the end of the output is the pattern, and doubles with each copy.
        while self.filled < end {
            let step = self.filled.abs_diff(start).min(end.abs_diff(self.filled));
            self.out.copy_within(start..start.saturating_add(step), self.filled);
            self.filled = self.filled.saturating_add(step);
        }
        Ok(())
    }

    fn end(&self, length: usize) -> Result<usize> {
        let end = self.filled.saturating_add(length);
        if end > self.out.len() { Err(too_long(end, self.out.len())) } else { Ok(end) }
    }
}
