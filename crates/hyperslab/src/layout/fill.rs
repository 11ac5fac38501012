//! One element, again and again.

/// Fills `out` with copies of `element`; an element without bytes stands for zeroes.
pub(crate) fn fill(out: &mut [u8], element: &[u8]) {
    let first = element.first().copied().unwrap_or(0);
    if element.iter().all(|byte| *byte == first) {
        out.fill(first);
        return;
    }
    let mut done = element.len().min(out.len());
    let (head, _) = out.split_at_mut(done);
    head.copy_from_slice(element.get(..done).unwrap_or_default());
    while done < out.len() {
        let (full, rest) = out.split_at_mut(done);
        // Pieces of a few kilobytes stay in the nearest cache while they are copied again and again.
        let count = rest.len().min(done).min(4096.max(element.len()) / element.len() * element.len());
        let (Some(rest), Some(full)) = (rest.get_mut(..count), full.get(..count)) else { return };
        rest.copy_from_slice(full);
        done += count;
    }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn every_element_becomes_the_pattern() {
        for length in [0, 3, 12, 4095 * 3, 30_000] {
            let mut out = vec![9; length];
            fill(&mut out, &[1, 2, 3]);
            assert!(out.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at % 3 + 1));
            fill(&mut out, &[7, 7]);
            assert!(out.iter().all(|byte| *byte == 7));
            fill(&mut out, &[]);
            assert!(out.iter().all(|byte| *byte == 0));
        }
    }
}
