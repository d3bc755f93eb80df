//! Gauss–Legendre quadrature on [0, 1].

/// Points strictly inside (0, 1) and their weights; exact for polynomials of degree below twice their number.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) points: Vec<f64>,
    pub(super) weights: Vec<f64>,
}

impl Rule {
    /// Newton's iteration on the Legendre polynomial from Chebyshev-like starting points.
    /// Source: Press et al., "Numerical Recipes", 3rd ed., §4.6.1.
    pub(super) fn new(count: usize) -> Self {
        let (mut points, mut weights) = (vec![0.0; count], vec![0.0; count]);
        let n = count as f64;
        for index in 0..count.div_ceil(2) {
            let mut x = (std::f64::consts::PI * (index as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 0.0;
            for _ in 0..100 {
                let (value, before) = legendre(count, x);
                slope = n * (x * value - before) / (x * x - 1.0);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            let weight = 1.0 / ((1.0 - x * x) * slope * slope);
            (points[index], points[count - 1 - index]) = (0.5 - 0.5 * x, 0.5 + 0.5 * x);
            (weights[index], weights[count - 1 - index]) = (weight, weight);
        }
        Self { points, weights }
    }
}

/// The Legendre polynomials of degree `count` and `count - 1` at `x`.
fn legendre(count: usize, x: f64) -> (f64, f64) {
    let (mut value, mut before) = (1.0, 0.0);
    for degree in 0..count {
        let k = degree as f64;
        (value, before) = (
            ((2.0 * k + 1.0) * x * value - k * before) / (k + 1.0),
            value,
        );
    }
    (value, before)
}
