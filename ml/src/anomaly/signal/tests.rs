use super::*;
use crate::random::Random;

#[test]
fn a_jump_is_an_alarm_and_the_daily_swing_is_not() {
    let mut watch = SignalWatch::new(SignalSettings::default()).unwrap();
    let mut random = Random::new(71, 0);
    let (mut ordinary, mut jumps) = (Vec::new(), Vec::new());
    for step in 0..6_000_usize {
        let hour = step / 12 % 24;
        let level = 50.0 + if (8..18).contains(&hour) { 20.0 } else { 0.0 };
        let jump = step > 4_000 && step % 500 == 250;
        let value = level + random.unit() * 2.0 + if jump { 40.0 } else { 0.0 };
        let verdict = watch.observe(value, hour).unwrap();
        if let Some(verdict) = verdict
            && step > 3_000
        {
            if jump {
                jumps.push(verdict.score)
            } else {
                ordinary.push(verdict.score)
            }
        }
    }
    ordinary.sort_by(f64::total_cmp);
    let usual = ordinary[ordinary.len() * 99 / 100];
    let least = jumps.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(
        least > 5.0 * usual,
        "jumps from {least}, 99 % of the rest below {usual}"
    );
}

#[test]
fn a_flat_signal_that_moves_is_an_alarm() {
    let mut watch = SignalWatch::new(SignalSettings {
        slots: 1,
        ..SignalSettings::default()
    })
    .unwrap();
    for _ in 0..100 {
        watch.observe(5.0, 0).unwrap();
    }
    assert!(watch.observe(5.0, 0).unwrap().unwrap().score < 1e-9);
    assert!(watch.observe(6.0, 0).unwrap().unwrap().score > 1_000.0);
}

#[test]
fn windows_forget_and_keep_their_order() {
    let mut window = Window::default();
    for value in [5.0, 1.0, 9.0, 3.0, 7.0, 2.0] {
        window.push(value, 4);
    }
    assert_eq!(window.sorted, [2.0, 3.0, 7.0, 9.0]);
    assert_eq!(window.median(), 5.0);
}

#[test]
fn bad_input_is_named() {
    assert!(
        SignalWatch::new(SignalSettings {
            slots: 0,
            ..SignalSettings::default()
        })
        .is_err()
    );
    let mut watch = SignalWatch::new(SignalSettings::default()).unwrap();
    assert_eq!(
        watch.observe(1.0, 24),
        Err(SignalError::Slot {
            slot: 24,
            slots: 24
        })
    );
    assert_eq!(watch.observe(f64::NAN, 0), Err(SignalError::NotFinite));
    assert_eq!(watch.observe(1.0, 0), Ok(None));
}
