//! Buckets of local time: days of 23 to 25 hours, weeks from Monday, calendar months.

use chrono::{
    DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone,
};
use chrono_tz::Tz;
use fleet::calendar::{HOUR, date_alone};
use storage::Timestamp;

/// How long a bucket is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interval {
    /// An hour.
    Hour,
    /// A local day.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// The local date of a moment; the epoch's for times that no calendar holds.
fn date_of(zone: Tz, at: Timestamp) -> NaiveDate {
    DateTime::from_timestamp_micros(at.micros()).map_or(NaiveDate::default(), |moment| {
        moment.with_timezone(&zone).date_naive()
    })
}

/// The first moment of a local day. Where the clock skips midnight, the first moment after it.
fn begin_of(zone: Tz, date: NaiveDate) -> i64 {
    let midnight = date.and_time(NaiveTime::MIN);
    let moment = match zone.from_local_datetime(&midnight) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => moment,
        LocalResult::None => {
            let later = midnight + TimeDelta::hours(1);
            match zone.from_local_datetime(&later).earliest() {
                Some(moment) => moment,
                None => zone.from_utc_datetime(&midnight),
            }
        }
    };
    moment.timestamp_micros()
}

/// The first day of the bucket that holds a day.
fn first_day(interval: Interval, date: NaiveDate) -> NaiveDate {
    match interval {
        Interval::Hour | Interval::Day => date,
        Interval::Week => {
            let since_monday = u64::from(date.weekday().num_days_from_monday());
            date.checked_sub_days(Days::new(since_monday))
                .unwrap_or(date)
        }
        Interval::Month => date.with_day(1).unwrap_or(date),
    }
}

/// The first day of the bucket behind the one that begins with `date`.
fn next(interval: Interval, date: NaiveDate) -> Option<NaiveDate> {
    match interval {
        Interval::Hour | Interval::Day => date.checked_add_days(Days::new(1)),
        Interval::Week => date.checked_add_days(Days::new(7)),
        Interval::Month => date.checked_add_months(Months::new(1)),
    }
}

/// The ends of the buckets that cover `from` to `to`, at most `most` buckets; `None` when there are more.
pub(crate) fn edges(
    zone: Tz,
    interval: Interval,
    from: Timestamp,
    to: Timestamp,
    most: usize,
) -> Option<Vec<i64>> {
    let mut date = first_day(interval, date_of(zone, from));
    if interval == Interval::Hour {
        // Counted from the day's begin, so that hours of the clock on the wall are whole where it is set by whole hours.
        let day = begin_of(zone, date);
        let first = day + (from.micros() - day).div_euclid(HOUR) * HOUR;
        let hours = (to.micros() - first + HOUR - 1).div_euclid(HOUR).max(1);
        let hours = usize::try_from(hours).ok().filter(|hours| *hours <= most)?;
        let edges = (0..=hours as i64).map(|hour| first + hour * HOUR);
        return Some(edges.collect());
    }
    let mut edges = vec![begin_of(zone, date)];
    while edges.last().is_some_and(|edge| *edge < to.micros()) {
        if edges.len() > most {
            return None;
        }
        date = next(interval, date)?;
        edges.push(begin_of(zone, date));
    }
    if edges.len() < 2 {
        edges.push(begin_of(zone, next(interval, date)?));
    }
    Some(edges)
}

/// The begin of the month that lies `count` months before the one of `at`.
pub(crate) fn months_before(zone: Tz, at: Timestamp, count: u32) -> Timestamp {
    let month = first_day(Interval::Month, date_of(zone, at));
    let earlier = month
        .checked_sub_months(Months::new(count))
        .unwrap_or(month);
    Timestamp::from_micros(begin_of(zone, earlier))
}

/// A day as `2026-11-28`.
pub(crate) fn local_date(zone: Tz, at: i64) -> String {
    date_of(zone, Timestamp::from_micros(at))
        .format("%Y-%m-%d")
        .to_string()
}

/// A month as `2026-11`.
pub(crate) fn local_month(zone: Tz, at: i64) -> String {
    date_of(zone, Timestamp::from_micros(at))
        .format("%Y-%m")
        .to_string()
}

/// The last moment at which what is due at `due` is in time: of a date alone that of its day, here.
pub(crate) fn last_in_time(zone: Tz, due: i64) -> i64 {
    if date_alone(due).is_none() {
        return due;
    }
    let date = date_of(chrono_tz::UTC, Timestamp::from_micros(due));
    next(Interval::Day, date).map_or(due, |next| begin_of(zone, next) - 1)
}

/// The local day of a moment: its first moment, that of the next day, and its number from 1970 on.
pub(super) fn local_day(zone: Tz, at: i64) -> (i64, i64, i64) {
    let date = date_of(zone, Timestamp::from_micros(at));
    let begin = begin_of(zone, date);
    let end = next(Interval::Day, date).map_or(i64::MAX, |next| begin_of(zone, next));
    let number = date.signed_duration_since(NaiveDate::default()).num_days();
    (begin, end, number)
}
