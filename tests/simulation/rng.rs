//! All randomness of the world: one number in, the same world out.

/// SplitMix64: small, and good enough for a world that only has to be varied.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A stream of its own, so that more draws in one place do not move those of another.
    pub(crate) fn fork(&mut self, label: u64) -> Self {
        Self(self.next() ^ label.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    /// From 0 to `n` − 1; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.next() % n }
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True so many times in a thousand. Draws nothing when the answer is certain.
    pub(crate) fn per_mille(&mut self, chance: u16) -> bool {
        chance > 0 && (chance >= 1_000 || self.below(1_000) < u64::from(chance))
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).expect("a place in the slice")]
    }

    /// A place below `n`, as an index of 16 bits.
    pub(crate) fn place(&mut self, n: usize) -> u16 {
        u16::try_from(self.below(n as u64)).expect("worlds have fewer than 65,536 peers")
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, usize::from(self.place(i + 1)));
        }
    }

    /// 32 bytes for a manager.
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes());
        }
        seed
    }
}
