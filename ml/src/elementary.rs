//! Exponential, logistic and friends, spelled out so that a model's bytes do not depend on the C library.
//!
//! `f64::exp` calls the platform's libm, whose result changes in the last bit with its version and with the
//! processor's fused multiply-add. Gradients are made from these functions, so training uses ours: plain
//! multiplications and additions in a fixed order, which the compiler may vectorise but not reorder.

const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// The high part of ln 2 has 21 trailing zero bits, so `n * LN2_HIGH` is exact for |n| < 2^11.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Adding this to a double of magnitude below 2^51 leaves its nearest integer in the low mantissa bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// e^x, relative error below 1e-14; saturates at about e^±708 instead of reaching zero or infinity.
#[must_use]
#[inline]
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-708.0, 708.0);
    let shifted = x * LOG2_E + ROUNDING;
    let whole = shifted - ROUNDING;
    let r = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    // Taylor to r^12 on |r| <= ln2/2: the first omitted term is below 2e-16.
    let mut series = 1.0 / 479_001_600.0;
    series = series * r + 1.0 / 39_916_800.0;
    series = series * r + 1.0 / 3_628_800.0;
    series = series * r + 1.0 / 362_880.0;
    series = series * r + 1.0 / 40_320.0;
    series = series * r + 1.0 / 5_040.0;
    series = series * r + 1.0 / 720.0;
    series = series * r + 1.0 / 120.0;
    series = series * r + 1.0 / 24.0;
    series = series * r + 1.0 / 6.0;
    series = series * r + 0.5;
    series = series * r + 1.0;
    series = series * r + 1.0;
    // The low bits of `shifted` hold the power of two; adding them to the exponent field scales exactly.
    f64::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// 1 / (1 + e^-x): the probability belonging to a log-odds score.
#[must_use]
#[inline]
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// ln(1 + e^x) without overflow: the logistic loss of a score against label 0.
#[must_use]
#[inline]
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + exp(-x.abs()).ln_1p()
}

/// ln(p / (1 - p)), with p held 1e-15 away from the ends.
#[must_use]
#[inline]
pub fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(1e-15, 1.0 - 1e-15);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests;
