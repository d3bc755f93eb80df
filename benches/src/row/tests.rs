use super::*;

#[track_caller]
fn check(bars: &[Bar], measured: f64, reference: Option<f64>, expected: Verdict) {
    let mut row = Row::new("question", "µs", vec![measured]);
    if let Some(reference) = reference {
        row = row.against("raw", &[reference]);
    }
    row = bars.iter().fold(row, |row, &bar| row.bar(bar));
    assert_eq!(row.verdict(), expected);
}

#[test]
fn bars_include_their_limit() {
    check(&[Bar::AtMost(2.0)], 2.0, None, Verdict::Held);
    check(&[Bar::AtMost(2.0)], 2.1, None, Verdict::Missed);
    check(&[Bar::AtLeast(2.0)], 2.0, None, Verdict::Held);
    check(&[Bar::AtLeast(2.0)], 1.9, None, Verdict::Missed);
    check(&[Bar::RatioAtMost(1.5)], 3.0, Some(2.0), Verdict::Held);
    check(&[Bar::RatioAtMost(1.5)], 3.1, Some(2.0), Verdict::Missed);
    check(&[Bar::RatioAtLeast(1.5)], 3.0, Some(2.0), Verdict::Held);
    check(&[Bar::RatioAtLeast(1.5)], 2.9, Some(2.0), Verdict::Missed);
    check(&[Bar::Within(1.0, 0.5)], 1.5, None, Verdict::Held);
    check(&[Bar::Within(1.0, 0.5)], 0.25, None, Verdict::Missed);
    check(&[], 1.0, None, Verdict::NoBar);
}

#[test]
fn a_margin_is_the_better_one_and_tells_the_side() {
    let row = |bar, measured| Row::new("question", "µs", vec![measured]).bar(bar);
    assert_eq!(row(Bar::AtMost(2.0), 1.5).margin(), Some(0.25));
    assert_eq!(row(Bar::AtMost(2.0), 3.0).margin(), Some(-0.5));
    assert_eq!(row(Bar::AtLeast(2.0), 3.0).margin(), Some(0.5));
    assert_eq!(row(Bar::Within(1.0, 0.5), 1.25).margin(), Some(0.5));
    assert_eq!(row(Bar::AtMost(0.0), 0.0).margin(), None);
    let both = row(Bar::AtMost(2.0), 4.0).bar(Bar::AtLeast(2.0));
    assert_eq!(both.margin(), Some(1.0));
    assert_eq!(Row::skipped("question", "why").margin(), None);
}

#[test]
fn one_of_several_bars_is_enough() {
    let bars = [Bar::AtLeast(35_000.0), Bar::RatioAtLeast(7.0)];
    check(&bars, 20_000.0, Some(2_000.0), Verdict::Held);
    check(&bars, 36_000.0, Some(9_000.0), Verdict::Held);
    check(&bars, 20_000.0, Some(9_000.0), Verdict::Missed);
}

#[test]
fn a_ratio_is_the_median_of_the_rounds_ratios() {
    let row =
        Row::new("question", "µs", vec![10.0, 100.0, 30.0]).against("raw", &[10.0, 20.0, 15.0]);
    assert_eq!(row.measured, 30.0);
    assert_eq!(row.ratio, Some(2.0));
}

#[test]
fn what_was_not_measured_is_not_held() {
    let row = Row::skipped("question", "PostgreSQL is missing").bar(Bar::AtMost(1.0));
    assert_eq!(
        row.verdict(),
        Verdict::Skipped("PostgreSQL is missing".to_owned())
    );
    let row = Row::failed("question", "the server ended").bar(Bar::AtMost(1.0));
    assert_eq!(
        row.verdict(),
        Verdict::Failed("the server ended".to_owned())
    );
}
