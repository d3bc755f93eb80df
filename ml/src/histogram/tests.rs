use super::*;
use crate::random::Random;

fn packed(rows: usize) -> (Vec<f32>, Vec<f32>, PackedGradients) {
    let mut random = Random::new(5, 0);
    let gradients: Vec<f32> = (0..rows).map(|_| (random.unit() - 0.5) as f32).collect();
    let hessians: Vec<f32> = (0..rows).map(|_| random.unit() as f32).collect();
    let mut words = PackedGradients::default();
    words.pack(&gradients, &hessians);
    (gradients, hessians, words)
}

#[test]
fn a_packed_sum_is_the_sum_to_many_digits() {
    let (gradients, hessians, packed) = packed(30_000);
    let (gradient, hessian) = unpack(packed.words.iter().sum());
    let exact_gradient: f64 = gradients.iter().map(|&value| f64::from(value)).sum();
    let exact_hessian: f64 = hessians.iter().map(|&value| f64::from(value)).sum();
    assert!((f64::from(gradient) * packed.gradient_unit - exact_gradient).abs() < 1e-3);
    assert!((f64::from(hessian) * packed.hessian_unit / exact_hessian - 1.0).abs() < 1e-6);
}

#[test]
fn one_sided_gradients_do_not_overflow() {
    for sign in [-1.0_f32, 1.0] {
        let gradients = vec![sign * 1e20; 100_000];
        let hessians = vec![1e-20; 100_000];
        let mut packed = PackedGradients::default();
        packed.pack(&gradients, &hessians);
        let (gradient, hessian) = unpack(packed.words.iter().sum());
        assert!(gradient.signum() as f32 == sign && hessian > 1 << 29);
    }
}

#[test]
fn zeros_pack_to_zero() {
    let mut packed = PackedGradients::default();
    packed.pack(&[0.0; 3], &[0.0; 3]);
    assert_eq!(packed.words, [0; 3]);
}

#[test]
fn histograms_equal_a_plain_count_for_every_lane_choice() {
    let mut random = Random::new(9, 0);
    let tile: Vec<[u8; TILE_LANES]> = (0..500)
        .map(|_| std::array::from_fn(|_| random.below(256) as u8))
        .collect();
    let rows: Vec<u32> = (0..500).filter(|row| row % 3 != 0).collect();
    let words: Vec<i64> = rows.iter().map(|&row| i64::from(row) << 32 | 7).collect();
    for choice in 1_u32..256 {
        let lanes: Vec<u8> = (0..8).filter(|lane| choice >> lane & 1 == 1).collect();
        let mut out = vec![[-1_i64; 256]; lanes.len()];
        accumulate(&tile, &rows, &words, &lanes, &mut out);
        for (sums, &lane) in out.iter().zip(&lanes) {
            let mut expected = [0_i64; 256];
            for (&row, &word) in rows.iter().zip(&words) {
                expected[usize::from(tile[row as usize][usize::from(lane)])] += word;
            }
            assert_eq!(*sums, expected);
        }
    }
}

#[test]
fn parent_minus_child_is_the_sibling() {
    let (_, _, packed) = packed(400);
    let mut random = Random::new(2, 0);
    let tile: Vec<[u8; TILE_LANES]> = (0..400)
        .map(|_| std::array::from_fn(|_| random.below(256) as u8))
        .collect();
    let build = |rows: &[u32]| {
        let words: Vec<i64> = rows.iter().map(|&row| packed.words[row as usize]).collect();
        let mut out = vec![[0_i64; 256]; 8];
        accumulate(&tile, rows, &words, &[0, 1, 2, 3, 4, 5, 6, 7], &mut out);
        out
    };
    let all: Vec<u32> = (0..400).collect();
    let (small, large): (Vec<u32>, Vec<u32>) = all.iter().partition(|&&row| row % 4 == 0);
    let mut parent = build(&all);
    subtract(&mut parent, &build(&small));
    assert_eq!(parent, build(&large));
}
