//! Neighbouring reads as one.

use std::ops::Range;

/// Which reads, sorted by offset, are done as one: at most `gap` bytes between two that follow each
/// other, at most `limit` bytes from the first to the last unless a read is longer by itself.
pub(crate) fn groups(sorted: &[(u64, u64)], gap: u64, limit: u64) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut bounds = (0u64, 0u64);
    for (index, (offset, length)) in sorted.iter().enumerate() {
        let end = offset.saturating_add(*length);
        let near = *offset <= bounds.1.saturating_add(gap);
        let small = end.max(bounds.1).saturating_sub(bounds.0) <= limit;
        match groups.last_mut() {
            Some(group) if near && small => {
                group.end = index + 1;
                bounds.1 = bounds.1.max(end);
            }
            _ => {
                groups.push(index..index + 1);
                bounds = (*offset, end);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn neighbours_are_read_together_until_the_limit() {
        assert_eq!(groups(&[(0, 10), (10, 10), (25, 5)], 4, 100), vec![0..2, 2..3]);
        assert_eq!(groups(&[(0, 10), (12, 10), (24, 10)], 4, 22), vec![0..2, 2..3]);
        assert_eq!(groups(&[(0, 1000), (1000, 1)], 4, 22), vec![0..1, 1..2]);
        assert!(groups(&[], 4, 22).is_empty());
    }
}
