//! Gradient sums per bin, as integers: the inner loop of training.
//!
//! Place on the path: binning → **histogram** → split → tree.
//!
//! A row's gradient and hessian become one 64-bit word, the gradient in the high half and the hessian in the low, in
//! units chosen each round so that all absolute gradients together stay below 2^30. One integer addition then adds
//! both, and because integer addition is associative, any order of rows and any number of threads gives the same
//! bits. With 2^24 rows, the most allowed, an average row still spans 64 units; with 50 000 rows more than 20 000.

use crate::matrix::TILE_LANES;

/// Packed sums of the 256 bins of one feature in one leaf.
pub(crate) type BinSums = [i64; 256];

/// Sums of one half-word stay below this, so that neither half overflows into the other.
const UNITS_MAX: f64 = (1_u64 << 30) as f64;
/// Adding this to a double below 2^51 leaves its nearest integer in the low mantissa bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// Rows of one block of the unit sum; fixed, so that the sum's order never changes.
pub(crate) const SUM_BLOCK_ROWS: usize = 4_096;

/// Gradients and hessians of one round, packed, with the value of one unit of each.
#[derive(Debug, Default)]
pub(crate) struct PackedGradients {
    pub(crate) words: Vec<i64>,
    pub(crate) gradient_unit: f64,
    pub(crate) hessian_unit: f64,
}

/// Splits a packed sum into gradient and hessian units.
#[inline]
pub(crate) fn unpack(word: i64) -> (i32, i32) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves are taken apart on purpose; units stay below 2^31"
    )]
    let halves = ((word >> 32) as i32, word as i32);
    halves
}

impl PackedGradients {
    /// Packs one round. Hessians must not be negative; both slices have one entry a row.
    pub(crate) fn pack(&mut self, gradients: &[f32], hessians: &[f32]) {
        assert_eq!(
            gradients.len(),
            hessians.len(),
            "one hessian for each gradient"
        );
        self.gradient_unit = unit_of(gradients);
        self.hessian_unit = unit_of(hessians);
        self.words.clear();
        let units = (self.gradient_unit, self.hessian_unit);
        self.words.extend(packed(gradients, hessians, units));
    }
}

/// Gradients and hessians as words, in these units of each.
pub(crate) fn packed(
    gradients: &[f32],
    hessians: &[f32],
    units: (f64, f64),
) -> impl Iterator<Item = i64> {
    let (gradient_scale, hessian_scale) = (1.0 / units.0, 1.0 / units.1);
    let pairs = gradients.iter().zip(hessians);
    pairs.map(move |(&gradient, &hessian)| {
        let gradient = nearest_integer(f64::from(gradient) * gradient_scale);
        let hessian = nearest_integer(f64::from(hessian) * hessian_scale);
        (gradient << 32) + hessian
    })
}

fn unit_of(values: &[f32]) -> f64 {
    let mut sum = UnitSum::default();
    sum.add(values);
    sum.unit()
}

/// The sum of absolute values that a unit follows from.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct UnitSum {
    total: f64,
    rows: usize,
}

impl UnitSum {
    /// Takes in values in their order. Pieces other than the last have a multiple of [`SUM_BLOCK_ROWS`].
    pub(crate) fn add(&mut self, values: &[f32]) {
        self.rows += values.len();
        for block in values.chunks(SUM_BLOCK_ROWS) {
            let mut lanes = [0.0_f64; 4];
            for quad in block.chunks(4) {
                for (lane, &value) in lanes.iter_mut().zip(quad) {
                    *lane += f64::from(value.abs());
                }
            }
            self.total += (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        }
    }

    /// The unit that makes the sum 2^30 units, or 1 where everything is zero.
    pub(crate) fn unit(self) -> f64 {
        // A little room above the sum pays for rounding each row to a whole unit.
        let room = UNITS_MAX - self.rows as f64;
        if self.total > 0.0 && self.total.is_finite() {
            self.total / room
        } else {
            1.0
        }
    }
}

#[inline]
fn nearest_integer(value: f64) -> i64 {
    ((value + ROUNDING).to_bits() as i64).wrapping_sub(ROUNDING.to_bits() as i64)
}

/// Adds the rows of a leaf to the histograms of the chosen lanes of one tile.
///
/// `words[i]` belongs to `rows[i]`; `out` has one histogram a lane in the order of `lanes` and is overwritten.
pub(crate) fn accumulate(
    tile: &[[u8; TILE_LANES]],
    rows: &[u32],
    words: &[i64],
    lanes: &[u8],
    out: &mut [BinSums],
) {
    for sums in out.iter_mut() {
        sums.fill(0);
    }
    // The lane count is a constant inside each arm, so the inner loop unrolls and keeps its pointers in registers.
    match lanes.len() {
        1 => accumulate_lanes::<1>(tile, rows, words, lanes, out),
        2 => accumulate_lanes::<2>(tile, rows, words, lanes, out),
        3 => accumulate_lanes::<3>(tile, rows, words, lanes, out),
        4 => accumulate_lanes::<4>(tile, rows, words, lanes, out),
        5 => accumulate_lanes::<5>(tile, rows, words, lanes, out),
        6 => accumulate_lanes::<6>(tile, rows, words, lanes, out),
        7 => accumulate_lanes::<7>(tile, rows, words, lanes, out),
        8 => accumulate_lanes::<8>(tile, rows, words, lanes, out),
        _ => {}
    }
}

fn accumulate_lanes<const WIDTH: usize>(
    tile: &[[u8; TILE_LANES]],
    rows: &[u32],
    words: &[i64],
    lanes: &[u8],
    out: &mut [BinSums],
) {
    let (Ok(lanes), Ok(out)) = (
        <&[u8; WIDTH]>::try_from(lanes),
        <&mut [BinSums; WIDTH]>::try_from(out),
    ) else {
        return;
    };
    if lanes.iter().zip(0_u8..).all(|(&lane, place)| lane == place) {
        for (&row, &word) in rows.iter().zip(words) {
            let bins = tile[row as usize];
            for place in 0..WIDTH {
                out[place][usize::from(bins[place])] += word;
            }
        }
        return;
    }
    for (&row, &word) in rows.iter().zip(words) {
        let bins = &tile[row as usize];
        for place in 0..WIDTH {
            let lane = usize::from(lanes[place]) % TILE_LANES;
            out[place][usize::from(bins[lane])] += word;
        }
    }
}

/// Turns a parent's histograms into the other child's by taking one child's away.
pub(crate) fn subtract(parent: &mut [BinSums], child: &[BinSums]) {
    for (parent, child) in parent.iter_mut().zip(child) {
        for (sum, &taken) in parent.iter_mut().zip(child) {
            *sum -= taken;
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;
