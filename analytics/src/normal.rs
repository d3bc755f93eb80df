//! The distributions that intervals and tests need: normal and gamma. Written out because each is a dozen lines, and a
//! statistics library is two hundred crates' worth of everything else.

/// The chance that a normal variable lies further than `z` from its mean, either way. Error below 1e-7.
pub(crate) fn two_sided(z: f64) -> f64 {
    // For |z| the complement of the error function at z / √2 is the gamma function's upper tail at a half.
    gamma_upper(0.5, z * z / 2.0).clamp(0.0, 1.0)
}

/// The share of a gamma distribution of shape `a` (scale 1) that lies above `x`. Series below a + 1, continued fraction
/// above. Source: Abramowitz and Stegun 6.5.29 and 6.5.31; Lentz's method.
pub(crate) fn gamma_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for step in 1..TERMS_MAX {
            term *= x / (a + f64::from(step));
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / f64::MIN_POSITIVE;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for step in 1..TERMS_MAX {
        let n = f64::from(step);
        let an = -n * (n - a);
        b += 2.0;
        d = 1.0 / nonzero(an * d + b);
        c = nonzero(b + an / c);
        let factor = c * d;
        fraction *= factor;
        if (factor - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    front * fraction
}

const TERMS_MAX: i32 = 10_000;

fn nonzero(value: f64) -> f64 {
    if value.abs() < f64::MIN_POSITIVE {
        f64::MIN_POSITIVE
    } else {
        value
    }
}

/// The logarithm of the gamma function for positive arguments; relative error below 2e-10 (Lanczos 1964).
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 6] = [
        76.180_091_729_471_46,
        -86.505_320_329_416_77,
        24.014_098_240_830_91,
        -1.231_739_572_450_155,
        0.001_208_650_973_866_179,
        -0.000_005_395_239_384_953,
    ];
    let base = x + 5.5 - (x + 0.5) * (x + 5.5).ln();
    let mut series = 1.000_000_000_190_015;
    for (step, coefficient) in COEFFICIENTS.iter().enumerate() {
        series += coefficient / (x + 1.0 + step as f64);
    }
    -base + (2.506_628_274_631_000_5 * series / x).ln()
}

/// The value that a gamma variable of shape `a` (scale 1) exceeds with chance `upper`, 0 < upper < 1, by halving.
pub(crate) fn gamma_quantile_upper(a: f64, upper: f64) -> f64 {
    let mut high = a.max(1.0);
    while gamma_upper(a, high) > upper {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if gamma_upper(a, middle) > upper {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Halvings leave an interval that a double does not resolve.
const HALVINGS: usize = 80;
