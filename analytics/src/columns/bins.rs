//! Which of a histogram's bins an amount lies in.

/// Bins of one width, counted from 1; what lies below them is in 0, what lies above in one more than there are.
pub(super) struct Bins {
    low: i64,
    width: u64,
    /// All widths together: from this distance to `low` on, an amount lies above.
    end: u64,
    /// 2^63 by the width, rounded up, where [`Bins::new`] can divide by it.
    inverse: Option<u64>,
}

impl Bins {
    pub(super) fn new(low: i64, width: i64, bins: usize) -> Self {
        let width = width.max(1).cast_unsigned();
        let end = width.saturating_mul(bins as u64);
        // A multiplication instead of a division, exact because the inverse is less than a width too large: what that adds
        // to the product, distance times error, stays below 2^63, and so never reaches the next whole number.
        let is_exact = end <= 1 << 32 && width <= 1 << 31;
        Bins {
            low,
            width,
            end,
            inverse: is_exact.then(|| (1_u64 << 63).div_ceil(width)),
        }
    }

    /// Writes the bin of each amount to its place.
    pub(super) fn find(&self, amounts: &[i64], places: &mut [u32]) {
        match self.inverse {
            Some(inverse) => self.find_by(amounts, places, |distance| {
                (u128::from(distance) * u128::from(inverse)) >> 63
            }),
            None => self.find_by(amounts, places, |distance| {
                u128::from(distance / self.width)
            }),
        }
    }

    fn find_by(&self, amounts: &[i64], places: &mut [u32], quotient: impl Fn(u64) -> u128) {
        for (place, amount) in places.iter_mut().zip(amounts) {
            // Of an amount that is not below, the exact distance: it may be larger than an `i64`.
            let distance = amount.wrapping_sub(self.low).cast_unsigned();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "there is memory for every bin"
            )]
            let bin = 1 + quotient(distance.min(self.end)) as u32;
            *place = if *amount < self.low { 0 } else { bin };
        }
    }
}
