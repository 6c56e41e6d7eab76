//! Random numbers from a stated seed.

/// A stream of random numbers: the same seed gives the same stream, on every machine.
///
/// It is `SplitMix64` (Steele, Lea & Flood 2014), which passes the usual tests and is nine lines.
/// A plugin takes the seed from its host.
///
/// ```
/// let mut random = convscope_statistics::Random::new(7);
/// let chosen = random.sample(100, 3);
/// assert_eq!(chosen, convscope_statistics::Random::new(7).sample(100, 3));
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a stream.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`, each equally likely; 0 for a limit of 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let Some(limit) = std::num::NonZeroU64::new(limit as u64) else { return 0 };
        // The uppermost incomplete round of limits would favour small numbers.
        let complete = u64::MAX - u64::MAX % limit;
        loop {
            let number = self.next_u64();
            if number < complete {
                return (number % limit) as usize;
            }
        }
    }

    /// Draws `count` different numbers below `limit` in ascending order; all of them when there are
    /// no more.
    pub fn sample(&mut self, limit: usize, count: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..limit).collect();
        let count = count.min(limit);
        for place in 0..count {
            let other = place + self.below(limit - place);
            numbers.swap(place, other);
        }
        numbers.truncate(count);
        numbers.sort_unstable();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // First numbers for seed 1234567 of the authors' C program, splitmix64.c.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_sample_has_no_number_twice_and_is_sorted() {
        let sample = Random::new(1).sample(10, 7);
        assert!(sample.windows(2).all(|pair| pair[0] < pair[1]), "{sample:?}");
        assert_eq!(Random::new(1).sample(3, 9), [0, 1, 2]);
    }

    #[test]
    fn every_number_is_drawn_about_as_often() {
        let mut random = Random::new(0);
        let mut counts = [0; 5];
        for _ in 0..5000 {
            counts[random.below(5)] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
