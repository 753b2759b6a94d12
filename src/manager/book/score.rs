//! Values that fade (4.5).
//!
//! Pure. A value is kept as what it was and when that was; what it is now is worked out at every read and never written
//! back, so that reading changes nothing (D4) and the time of the reads does not show (D6).

/// Bounds of every score.
pub(in crate::manager) const BEST: i16 = 1_000;
/// See [`BEST`].
pub(in crate::manager) const WORST: i16 = -1_000;

/// Half-life of how well a connected peer serves, in milliseconds: what it did an hour ago says little about now (4.5).
pub(in crate::manager) const QUALITY_CONNECTED_HALF_LIFE_MS: u64 = 30 * 60_000;
/// The same while we are not in touch: nothing newer is known (4.5).
pub(in crate::manager) const QUALITY_STORED_HALF_LIFE_MS: u64 = 24 * 3_600_000;
/// Half-life of how well a peer behaved, in milliseconds (4.5).
pub(in crate::manager) const BEHAVIOUR_HALF_LIFE_MS: u64 = 10 * 60_000;

/// Fractional bits of [`ROOTS`].
const Q: u32 = 15;
/// The longest half-life that is exact: products of it fit into 64 bits.
const MAX_HALF_LIFE_MS: u64 = 1 << 48;
/// Steps of one half-life.
const STEPS: u64 = 32;
/// 2^(−i/32) in Q15. Between two of them a straight line is within 0.006 % of the curve: less than a tenth of a unit.
const ROOTS: [u32; 33] = [
    32_768, 32_066, 31_379, 30_706, 30_048, 29_405, 28_774, 28_158, 27_554, 26_964, 26_386, 25_821,
    25_268, 24_726, 24_196, 23_678, 23_170, 22_674, 22_188, 21_713, 21_247, 20_792, 20_347, 19_911,
    19_484, 19_066, 18_658, 18_258, 17_867, 17_484, 17_109, 16_743, 16_384,
];

/// A score that halves with every half-life. See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::manager) struct Faded {
    value: i16,
    /// When that was its value, monotonic milliseconds.
    since: u64,
}

impl Faded {
    /// Nothing.
    pub(in crate::manager) const ZERO: Self = Self { value: 0, since: 0 };

    /// A score that has this value now.
    pub(in crate::manager) fn new(value: i16, now: u64) -> Self {
        Self {
            value: value.clamp(WORST, BEST),
            since: now,
        }
    }

    /// What is left of it: toward 0, of the same sign, at most one unit from the exact value. Before its own time it
    /// has not faded.
    pub(in crate::manager) fn at(self, now: u64, half_life_ms: u64) -> i16 {
        fade(self.value, now.saturating_sub(self.since), half_life_ms)
    }

    /// Adds to what is left of it.
    pub(in crate::manager) fn add(&mut self, step: i16, now: u64, half_life_ms: u64) {
        let value = self.at(now, half_life_ms).saturating_add(step);
        *self = Self::new(value, now);
    }

    /// Moves what is left of it 1/`part` of the way toward a bound, and at least one unit.
    pub(in crate::manager) fn toward(
        &mut self,
        bound: i16,
        part: i16,
        now: u64,
        half_life_ms: u64,
    ) {
        let value = self.at(now, half_life_ms);
        let way = i32::from(bound) - i32::from(value);
        let mut step = way / i32::from(part.max(1));
        if step == 0 {
            step = way.signum();
        }
        let step = i16::try_from(step).expect("a part of the way between two scores");
        *self = Self::new(value.saturating_add(step), now);
    }

    /// What is left of it fades at another pace from now on.
    pub(in crate::manager) fn rebase(&mut self, now: u64, half_life_ms: u64) {
        *self = Self::new(self.at(now, half_life_ms), now);
    }

    /// What is left of it does not fade before then.
    pub(in crate::manager) fn freeze(&mut self, until: u64, now: u64, half_life_ms: u64) {
        *self = Self::new(self.at(now, half_life_ms), until.max(now));
    }
}

/// `value · 2^(−age / half-life)`, rounded to the nearest unit, halves away from 0.
pub(in crate::manager) fn fade(value: i16, age_ms: u64, half_life_ms: u64) -> i16 {
    let mut half_life = half_life_ms.max(1);
    let halvings = age_ms / half_life;
    if value == 0 || halvings >= 16 {
        // Less than half a unit of any score.
        return 0;
    }
    let mut into = age_ms % half_life;
    // Nobody has scores of 8,000 years; those who had would not see the difference.
    while half_life > MAX_HALF_LIFE_MS {
        half_life /= 2;
        into /= 2;
    }
    let into = into.min(half_life - 1) * STEPS;
    let step = (into / half_life) as usize;
    let rest = into % half_life;
    let drop = u64::from(ROOTS[step] - ROOTS[step + 1]) * rest / half_life;
    let factor = u64::from(ROOTS[step]) - drop;
    let shift = u64::from(Q) + halvings;
    let half = 1 << (shift - 1);
    let left = (u64::from(value.unsigned_abs()) * factor + half) >> shift;
    let left = i16::try_from(left).expect("no more than the value was");
    if value < 0 { -left } else { left }
}

#[cfg(test)]
mod tests {
    use super::{Faded, fade};

    const HOUR: u64 = 3_600_000;

    /// 2^(−age / half-life) with 62 bits after the point: each bit of the exponent is a square root taken once more.
    fn exact(age: u64, half_life: u64) -> u128 {
        const ONE: u128 = 1 << 62;
        let (whole, mut rest) = (age / half_life, u128::from(age % half_life));
        if whole >= 40 {
            return 0;
        }
        let mut factor = ONE;
        let mut root = ONE >> 1;
        for _ in 0..50 {
            root = (root << 62).isqrt();
            rest *= 2;
            if rest >= u128::from(half_life) {
                rest -= u128::from(half_life);
                factor = (factor * root) >> 62;
            }
        }
        factor >> whole
    }

    type Fade = fn(i16, u64, u64) -> i16;

    /// Whether it is nowhere more than one unit from the exact value.
    fn accurate(fade: Fade) -> bool {
        let mut all = true;
        for half_life in [1, 7, 1_000, 600_000, 24 * HOUR, 7 * 24 * HOUR] {
            for value in [1, 2, 3, 10, 199, 500, 777, 999, 1_000] {
                for part in 0..400_u64 {
                    let age = half_life * part / 23 + part % 3;
                    let exact = u128::from(value as u64) * exact(age, half_life);
                    let got = u128::from(fade(value, age, half_life).unsigned_abs()) << 62;
                    all &= exact.abs_diff(got) <= 1 << 62;
                }
            }
        }
        all
    }

    /// Whether it never grows, keeps its sign, and comes to nothing.
    fn steady(fade: Fade) -> bool {
        let mut all = true;
        for value in [-1_000, -333, -1, 1, 42, 1_000] {
            let mut last = value;
            for age in 0..20_000 {
                let now = fade(value, age, 1_000);
                all &= now.abs() <= last.abs() && now.signum() * value.signum() >= 0;
                last = now;
            }
            all &= last == 0;
        }
        all
    }

    #[test]
    fn a_value_is_within_one_unit_of_the_exact_one_d6() {
        assert!(accurate(fade));
    }

    #[test]
    fn a_value_fades_steadily_to_nothing_and_keeps_its_sign_d6() {
        assert!(steady(fade));
    }

    #[test]
    fn other_ways_to_fade_fail_the_tests_of_d6() {
        // At once with each half-life; along a straight line; by a shift that rounds -1 to itself for ever.
        let stairs: Fade = |value, age, half_life| value / (1 << (age / half_life).min(14));
        let line: Fade = |value, age, half_life| {
            let left = half_life.saturating_mul(2).saturating_sub(age);
            (i128::from(value) * i128::from(left) / i128::from(half_life * 2)) as i16
        };
        let shift: Fade = |value, age, half_life| value >> (age / half_life).min(15);
        assert!(!accurate(stairs) && steady(stairs));
        assert!(!accurate(line) && steady(line));
        assert!(!steady(shift));
        assert!(!steady(|value, age, _| if age == 77 {
            -value
        } else {
            value
        }));
    }

    #[test]
    fn reading_does_not_change_what_is_read_later_d6() {
        let score = Faded::new(-800, 5_000);
        let once = score.at(1_000_000, 600_000);
        for now in (0..1_000_000).step_by(777) {
            score.at(now, 600_000);
        }
        assert_eq!(score.at(1_000_000, 600_000), once);
        // Before its own time, and at the end of all times.
        assert_eq!(score.at(0, 600_000), -800);
        assert_eq!(score.at(u64::MAX, u64::MAX), -400);
        assert_eq!(score.at(u64::MAX, 0), 0);
    }

    #[test]
    fn steps_stay_within_the_bounds() {
        let mut score = Faded::default();
        for _ in 0..5 {
            score.add(-700, 0, HOUR);
        }
        assert_eq!(score.at(0, HOUR), -1_000);
        for _ in 0..200 {
            score.toward(1_000, 8, 0, HOUR);
        }
        assert_eq!(score.at(0, HOUR), 1_000);
        assert_eq!(Faded::new(i16::MIN, 0).at(0, HOUR), -1_000);
    }

    #[test]
    fn a_frozen_value_waits() {
        let mut score = Faded::new(-500, 0);
        score.freeze(10 * HOUR, 0, HOUR);
        assert_eq!(score.at(9 * HOUR, HOUR), -500);
        assert_eq!(score.at(11 * HOUR, HOUR), -250);
    }
}
