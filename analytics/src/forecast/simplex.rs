//! Nelder and Mead's search for the least value of a function of three numbers, with a fixed count of steps.

/// Steps of a search: enough for three numbers, few enough for a thousandth of a second.
const STEPS: usize = 60;
/// Size of the first simplex.
const EDGE: f64 = 1.0;

/// Where `cost` is least near `start`. Source: Nelder and Mead, "A simplex method for function minimization", 1965,
/// with its usual coefficients 1, 2, 1/2, 1/2.
pub(super) fn minimum(cost: impl Fn([f64; 3]) -> f64, start: [f64; 3]) -> [f64; 3] {
    let mut corners: Vec<([f64; 3], f64)> = (0..4)
        .map(|corner| {
            let mut at = start;
            if corner > 0 {
                at[corner - 1] += EDGE;
            }
            (at, cost(at))
        })
        .collect();
    for _ in 0..STEPS {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let centre = centre(&corners[..3]);
        let worst = corners[3];
        let reflected = towards(centre, worst.0, -1.0);
        let at_reflected = cost(reflected);
        corners[3] = if at_reflected < corners[0].1 {
            let expanded = towards(centre, worst.0, -2.0);
            let at_expanded = cost(expanded);
            if at_expanded < at_reflected {
                (expanded, at_expanded)
            } else {
                (reflected, at_reflected)
            }
        } else if at_reflected < corners[2].1 {
            (reflected, at_reflected)
        } else {
            let side = if at_reflected < worst.1 { -0.5 } else { 0.5 };
            let contracted = towards(centre, worst.0, side);
            let at_contracted = cost(contracted);
            if at_contracted < worst.1.min(at_reflected) {
                (contracted, at_contracted)
            } else {
                let best = corners[0].0;
                for corner in &mut corners[1..] {
                    corner.0 = towards(best, corner.0, 0.5);
                    corner.1 = cost(corner.0);
                }
                continue;
            }
        };
    }
    corners.sort_by(|a, b| a.1.total_cmp(&b.1));
    corners[0].0
}

/// The point that lies the share `by` of the way from `from` to `to`; a negative share lies on the other side.
fn towards(from: [f64; 3], to: [f64; 3], by: f64) -> [f64; 3] {
    std::array::from_fn(|axis| from[axis] + by * (to[axis] - from[axis]))
}

fn centre(corners: &[([f64; 3], f64)]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        corners.iter().map(|corner| corner.0[axis]).sum::<f64>() / corners.len() as f64
    })
}
