//! Chance that repeats itself: SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).

/// A source of chance.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The one of this seed and place: each row has its own, so that rows do not depend on how many came before.
    pub fn new(seed: u64, place: u64, row: u64) -> Self {
        let mut random =
            Random(seed ^ place.rotate_left(32) ^ row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.number();
        random
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// Whether something happens that does so once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let place = usize::try_from(self.below(of.len() as u64)).expect("a place in a list");
        of[place]
    }

    /// A random UUID as text.
    pub fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(
            ((u128::from(self.number()) << 64) | u128::from(self.number())).to_be_bytes(),
        )
        .into_uuid()
        .hyphenated()
        .to_string()
    }
}
