//! Spans against counting moment by moment.

use proptest::prelude::*;

use super::*;

fn span(start: i64, end: i64) -> Span {
    Span::new(start, end).unwrap()
}

#[test]
fn spans_that_touch_do_not_meet() {
    assert!(!span(1, 3).meets(span(3, 5)) && !span(3, 5).meets(span(1, 3)));
    assert!(span(1, 4).meets(span(3, 5)) && span(1, 9).meets(span(3, 5)));
    assert_eq!(most_at_once(span(0, 9), [span(1, 3), span(3, 5)]), 1);
    assert_eq!(Span::new(3, 3), None);
}

#[test]
fn times_are_read_and_shown() {
    let day = Span::of_text(
        Some("2026-11-02T08:00:00Z"),
        Some("2026-11-02T10:30:00+01:00"),
    )
    .unwrap();
    assert_eq!(day.shown(), "2026-11-02 08:00 to 2026-11-02 09:30 UTC");
    assert_eq!(day.length(), 90 * calendar::MINUTE);
    assert_eq!(Span::of_text(Some("2026-11-02"), None), None);
}

#[test]
fn what_goes_on_takes_its_time() {
    let planned = Some(span(8, 10));
    for (start, now, expected) in [
        (8, 9, span(8, 10)),
        (9, 9, span(9, 10)),
        (9, 12, span(9, 12)),
        (11, 11, span(11, 13)),
        (11, 15, span(11, 15)),
        // Told of ahead: it begins then, and takes its time.
        (12, 9, span(12, 14)),
    ] {
        assert_eq!(Span::under_way(start, planned, now), expected);
    }
    let unplanned = Span::under_way(5, None, 5);
    assert_eq!(unplanned.length(), calendar::MINUTE);
    let long = 5 + calendar::HOUR;
    assert_eq!(Span::under_way(5, None, long), span(5, long));
}

/// What was begun and never ended was in the way of everything that was planned later.
#[test]
fn what_nobody_ends_is_over_a_day_after_it_should_have_been() {
    let planned = Some(span(8, 10));
    for late in [calendar::DAY, calendar::DAY + 1, 400 * calendar::DAY] {
        let expected = span(8, 10 + calendar::DAY);
        assert_eq!(Span::under_way(8, planned, 10 + late), expected);
        assert_eq!(
            Span::under_way(12, planned, 14 + late),
            span(12, 14 + calendar::DAY)
        );
    }
}

fn any_span() -> impl Strategy<Value = Span> {
    (0_i64..20, 1_i64..8).prop_map(|(start, length)| span(start, start + length))
}

proptest! {
    #[test]
    fn the_most_at_once_is_counted_moment_by_moment(within in any_span(), others in prop::collection::vec(any_span(), 0..12)) {
        let at = |moment: i64| others.iter().filter(|span| (span.start..span.end).contains(&moment)).count();
        let expected = (within.start..within.end).map(at).max().unwrap_or(0);
        prop_assert_eq!(most_at_once(within, others.iter().copied()), expected);
        for other in others {
            prop_assert_eq!(within.meets(other), (within.start..within.end).any(|moment| (other.start..other.end).contains(&moment)));
        }
    }
}
