//! The rows of the real history, read by hand, and the arithmetic of Toronto's clocks (daylight saving time from the
//! second Sunday of March to the first of November, 2 o'clock: Ontario, Time Act, R.S.O. 1990, c. T.9, O. Reg. 111/07).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::process::run;

const HEADER: &str = "date,time,line,code,min_delay,min_gap,bound,vehicle,unit,fleet,group,fail";
const DAY_MINUTES: i64 = 24 * 60;

/// One incident.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// When, in minutes since 1970 UTC.
    pub(super) utc_minutes: i64,
    /// Whether its local time occurs twice that day.
    pub(super) hour_comes_twice: bool,
    pub(super) line: String,
    pub(super) code: String,
    pub(super) delay_min: i64,
    pub(super) unit: String,
    pub(super) fleet: String,
    /// Whether the unit failed.
    pub(super) failed: bool,
}

/// Reads the file, in its order.
pub(super) fn read(file: &Path) -> Vec<Row> {
    let (status, text) = run(
        Command::new("gzip").arg("-dc").arg(file),
        Duration::from_secs(60),
    );
    assert!(status.success(), "gzip: {text}");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(HEADER));
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let fields: Vec<&str> = line.split(',').collect();
    let [
        date,
        time,
        metro_line,
        code,
        delay,
        _gap,
        _bound,
        _car,
        unit,
        fleet,
        _group,
        fail,
    ] = fields[..]
    else {
        panic!("not twelve fields: {line}");
    };
    let number = |text: &str| {
        text.parse::<i64>()
            .unwrap_or_else(|_| panic!("no number in {line}"))
    };
    let (hour, minute) = time.split_once(':').expect("a time");
    let day = day_number(date);
    let local = day * DAY_MINUTES + number(hour) * 60 + number(minute);
    let (begins, ends) = daylight_saving(number(&date[..4]));
    let saving = (begins..ends).contains(&local);
    Row {
        utc_minutes: local + if saving { 4 * 60 } else { 5 * 60 },
        hour_comes_twice: (ends - 60..ends).contains(&local),
        line: metro_line.to_owned(),
        code: code.to_owned(),
        delay_min: number(delay),
        unit: unit.to_owned(),
        fleet: fleet.to_owned(),
        failed: fail == "1",
    }
}

/// When the clocks go forward and back in a year, in minutes of local time.
fn daylight_saving(year: i64) -> (i64, i64) {
    let first_sunday = |month: i64| {
        let first = days_from_civil(year, month, 1);
        // Day 0, 1970-01-01, was a Thursday.
        first + (3 - first).rem_euclid(7)
    };
    let at_two = |day: i64| day * DAY_MINUTES + 2 * 60;
    (at_two(first_sunday(3) + 7), at_two(first_sunday(11)))
}

/// Minutes since 1970 of a UTC time as the server writes it, its seconds left off.
pub(super) fn minutes_of(time: &str) -> i64 {
    assert!(
        time.ends_with('Z') && time.len() >= 20,
        "no UTC time: {time}"
    );
    let number = |from: usize| time[from..from + 2].parse::<i64>().expect("two digits");
    day_number(&time[..10]) * DAY_MINUTES + number(11) * 60 + number(14)
}

/// The day, `YYYY-MM-DD`, of a time in minutes since 1970.
pub(super) fn day_of(minutes: i64) -> String {
    let (mut year, days) = (1970, minutes.div_euclid(DAY_MINUTES));
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12)
        .rfind(|&month| days_from_civil(year, month, 1) <= days)
        .expect("a day has a month");
    let day = days - days_from_civil(year, month, 1) + 1;
    format!("{year}-{month:02}-{day:02}")
}

fn day_number(date: &str) -> i64 {
    let number = |text: &str| text.parse::<i64>().expect("digits");
    days_from_civil(
        number(&date[..4]),
        number(&date[5..7]),
        number(&date[8..10]),
    )
}

/// Days since 1970-01-01 in the Gregorian calendar, by counting leap days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leaps = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let month_days = BEFORE[usize::try_from(month - 1).expect("a month")];
    let leap_day = i64::from(leap(year) && month > 2);
    (year - 1970) * 365 + leaps(year) - leaps(1970) + month_days + leap_day + day - 1
}

#[test]
fn the_calendar_is_right_where_it_is_known() {
    assert_eq!(days_from_civil(1970, 1, 1), 0);
    assert_eq!(days_from_civil(2000, 3, 1), 11_017);
    assert_eq!(
        day_of(days_from_civil(2024, 2, 29) * DAY_MINUTES + 5),
        "2024-02-29"
    );
    // 2019: forward on 10 March, back on 3 November.
    let (begins, ends) = daylight_saving(2019);
    assert_eq!(day_of(begins), "2019-03-10");
    assert_eq!(day_of(ends), "2019-11-03");
    let noon = row("2019-07-01,12:00,BD,X,1,2,W,1,1,T1,,0");
    assert_eq!(noon.utc_minutes, minutes_of("2019-07-01T16:00:00Z"));
    let winter = row("2019-12-31,20:30,BD,X,1,2,W,1,1,T1,,0");
    assert_eq!(winter.utc_minutes, minutes_of("2020-01-01T01:30:00Z"));
}
