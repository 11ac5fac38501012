//! [`Progression`]: evenly spaced numbers, and where two of them meet.

/// The numbers `start + k * step` for `k` below `count`; `step` is at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progression {
    pub(crate) start: u64,
    pub(crate) step: u64,
    pub(crate) count: u64,
}

/// Members of a progression (`first + i * first_step`-th) that are members of something else
/// (`second + i * second_step`), for `i` below `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) first: u64,
    pub(crate) first_step: u64,
    pub(crate) second: u64,
    pub(crate) second_step: u64,
    pub(crate) count: u64,
}

impl Progression {
    /// The numbers from 0 below `count`.
    pub(crate) fn upto(count: u64) -> Self {
        Self { start: 0, step: 1, count }
    }

    /// The largest member; `start` when there is none.
    pub(crate) fn last(&self) -> u64 {
        self.start + self.count.saturating_sub(1) * self.step
    }

    /// The members in `low..high`: index of the first, and how many.
    pub(crate) fn within(&self, low: u64, high: u64) -> Option<(u64, u64)> {
        if self.count == 0 || high <= low || high <= self.start {
            return None;
        }
        let step = self.step.max(1);
        let first = low.saturating_sub(self.start).div_ceil(step);
        let end = (high - self.start).div_ceil(step).min(self.count);
        (first < end).then(|| (first, end - first))
    }

    /// The common members, as indices into both.
    pub(crate) fn meet(&self, other: &Self) -> Option<Hit> {
        if self.count == 0 || other.count == 0 {
            return None;
        }
        let high = self.last().min(other.last());
        let low = self.start.max(other.start);
        if low > high {
            return None;
        }
        let (step, other_step) = (self.step.max(1), other.step.max(1));
        let shared = gcd(step, other_step);
        if !self.start.abs_diff(other.start).is_multiple_of(shared) {
            return None;
        }
        let period = other_step / shared;
        let first = self.first_meeting(other.start, step / shared, shared, period);
        let at_least = (low - self.start).div_ceil(step);
        let first = u128::from(first)
            + u128::from(at_least.saturating_sub(first).div_ceil(period)) * u128::from(period);
        let most = u128::from((high - self.start) / step);
        if first > most {
            return None;
        }
        let first = u64::try_from(first).ok()?;
        let count = u64::try_from((most - u128::from(first)) / u128::from(period)).ok()? + 1;
        let second = (self.start + first * step - other.start) / other_step;
        Some(Hit { first, first_step: period, second, second_step: step / shared, count }.tidy())
    }

    /// The smallest `k` with `start + k * step` congruent to `target` modulo `shared * period`.
    fn first_meeting(&self, target: u64, reduced: u64, shared: u64, period: u64) -> u64 {
        if period == 1 {
            return 0;
        }
        let distance = self.start.abs_diff(target) / shared % period;
        let distance = if target >= self.start || distance == 0 { distance } else { period - distance };
        let product = u128::from(distance) * u128::from(inverse(reduced % period, period));
        u64::try_from(product % u128::from(period)).unwrap_or(0)
    }
}

impl Hit {
    /// The same hit, with the steps of a single element written as 1.
    pub(crate) fn tidy(mut self) -> Self {
        if self.count == 1 {
            self.first_step = 1;
            self.second_step = 1;
        }
        self
    }

    /// What this hit reached, as a progression.
    pub(crate) fn reached(&self) -> Progression {
        Progression { start: self.second, step: self.second_step, count: self.count }
    }

    /// This hit, then `next` starting from what it reached.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let first_step = if next.count > 1 { self.first_step * next.first_step } else { 1 };
        Self { first: self.first + next.first * self.first_step, first_step, ..*next }
    }
}

/// The greatest common divisor; that of 0 and `b` is `b`.
pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The number whose product with `value` is 1 modulo `modulus`, the two having no common divisor.
fn inverse(value: u64, modulus: u64) -> u64 {
    let (mut old, mut rest) = (i128::from(value), i128::from(modulus));
    let (mut factor, mut next) = (1_i128, 0_i128);
    while rest != 0 {
        let quotient = old / rest;
        (old, rest) = (rest, old - quotient * rest);
        (factor, next) = (next, factor - quotient * next);
    }
    u64::try_from(factor.rem_euclid(i128::from(modulus.max(1)))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Progression;
    use proptest::prelude::*;

    fn members(p: &Progression) -> Vec<u64> {
        (0..p.count).map(|k| p.start + k * p.step).collect()
    }

    proptest! {
        #[test]
        fn meeting_equals_comparing_every_pair(a in 0..60_u64, s in 1..13_u64, n in 0..20_u64, b in 0..60_u64, t in 1..13_u64, m in 0..20_u64) {
            let one = Progression { start: a, step: s, count: n };
            let two = Progression { start: b, step: t, count: m };
            let expected: Vec<u64> = members(&one).into_iter().filter(|v| members(&two).contains(v)).collect();
            let found: Vec<u64> = one.meet(&two).map_or_else(Vec::new, |hit| {
                (0..hit.count).map(|i| {
                    let value = a + (hit.first + i * hit.first_step) * s;
                    assert_eq!(value, b + (hit.second + i * hit.second_step) * t);
                    value
                }).collect()
            });
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn within_finds_exactly_the_members_of_a_range(a in 0..40_u64, s in 1..9_u64, n in 0..12_u64, low in 0..60_u64, high in 0..90_u64) {
            let p = Progression { start: a, step: s, count: n };
            let expected: Vec<u64> = members(&p).into_iter().filter(|v| (low..high).contains(v)).collect();
            let found: Vec<u64> = p.within(low, high).map_or_else(Vec::new, |(k, n)| (k..k + n).map(|k| a + k * s).collect());
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn progressions_near_the_largest_number_meet_without_overflow() {
        let one = Progression { start: 5, step: u64::MAX - 8, count: 2 };
        let two = Progression { start: u64::MAX - 3, step: u64::MAX, count: 1 };
        assert_eq!(one.meet(&two).unwrap().count, 1);
    }
}
