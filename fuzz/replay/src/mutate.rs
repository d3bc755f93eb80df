//! Changes to bytes, from a number: the same number makes the same changes.

/// Makes the changes of one number.
#[derive(Debug)]
pub struct Mutator(u64);

/// Lengths and counts that decoders trip over.
const NUMBERS: [u64; 10] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX.cast_unsigned(),
    i64::MIN.cast_unsigned(),
    u64::MAX,
];
/// Changes to one input.
const CHANGES_MAX: usize = 4;

impl Mutator {
    /// The changes with this number.
    pub fn new(number: u64) -> Self {
        Mutator(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed)
    }

    /// The next random number (splitmix64, Steele, Lea and Flood 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = (bound as u64).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// Changes `bytes` in one to four places; pieces of `other` may come in.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(bytes, other);
        }
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        let piece = 1 + self.below(16);
        let end = (at + piece).min(bytes.len());
        match self.below(8) {
            0 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bit;
                }
            }
            1 => {
                let value = self.next().to_le_bytes()[0];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            2 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                let width = [1, 2, 4, 8][self.below(4)];
                let places = bytes.iter_mut().skip(at).take(width);
                places
                    .zip(number.to_le_bytes())
                    .for_each(|(place, byte)| *place = byte);
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let twice = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, twice);
            }
            6 => {
                let from = self.below(other.len());
                let to = (from + piece).min(other.len());
                let place = at..(at + self.below(2) * piece).min(bytes.len());
                bytes.splice(
                    place,
                    other.get(from..to).unwrap_or_default().iter().copied(),
                );
            }
            _ => {
                let value = self.next().to_le_bytes()[0];
                bytes.insert(at, value);
            }
        }
    }
}
