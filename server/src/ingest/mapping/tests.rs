//! Mappings that are refused, and local times.

use super::local_time::LocalTime;
use super::{Mapping, MappingError};
use crate::rfc3339;

const GOOD: &str = r#"
name = "m"
[time]
text = "{at}"
[[events]]
aggregate_type = "A"
aggregate_id = "{unit}"
event_type = "Seen"
[events.data]
a = { column = "a" }
"#;

#[track_caller]
fn refused(from: &str, to: &str, reason: &str) {
    assert!(GOOD.contains(from), "{from}");
    let said = Mapping::parse(&GOOD.replace(from, to))
        .unwrap_err()
        .to_string();
    assert!(said.contains(reason), "{said:?} does not say {reason:?}");
}

#[test]
fn a_mapping_says_what_it_means() {
    assert_eq!(Mapping::parse(GOOD).unwrap().name(), "m");
    refused("name = \"m\"", "name = \"\"", "name");
    refused("name = \"m\"", "nam = \"m\"", "nam");
    refused("[[events]]", "[[event]]", "event");
    refused("{ column = \"a\" }", "{ colum = \"a\" }", "colum");
    refused("{ column = \"a\" }", "{}", "exactly one");
    refused(
        "{ column = \"a\" }",
        "{ column = \"a\", value = 1 }",
        "exactly one",
    );
    refused(
        "{ column = \"a\" }",
        "{ value = 1, as = \"integer\" }",
        "go with column",
    );
    refused(
        "{ column = \"a\" }",
        "{ column = \"a\", as = \"flag\" }",
        "true_if",
    );
    refused(
        "{ column = \"a\" }",
        "{ column = \"a\", true_if = [\"1\"] }",
        "true_if",
    );
    refused("{ column = \"a\" }", "{ value = 2026-03-01 }", "string");
    refused(
        "text = \"{at}\"",
        "text = \"{at}\"\nzone = \"Europe/Entenhausen\"",
        "Entenhausen",
    );
    refused("text = \"{at}\"", "text = \"{at}\"\nformat = \"%Q\"", "%Q");
    refused("[time]", "[input]\ndelimiter = \"ü\"\n[time]", "delimiter");
}

#[test]
fn columns_are_those_of_the_file() {
    let header = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let mapping = Mapping::parse(GOOD).unwrap();
    assert!(
        mapping
            .bind(&header(&["unit", "a", "other", "at"]), "")
            .is_ok()
    );
    for missing in [&["unit", "a"][..], &["at", "a"], &["at", "unit"]] {
        assert!(matches!(
            mapping.bind(&header(missing), ""),
            Err(MappingError::Column { .. })
        ));
    }
    let open = Mapping::parse(&GOOD.replace("{unit}", "{unit")).unwrap();
    assert!(matches!(
        open.bind(&header(&["unit", "a", "at"]), ""),
        Err(MappingError::Wrong(_))
    ));
    let doubled = Mapping::parse(&GOOD.replace("{unit}", "{{unit}}{unit}")).unwrap();
    assert!(doubled.bind(&header(&["unit", "a", "at"]), "").is_ok());
}

#[test]
fn mappings_are_found_by_name_and_by_path() {
    assert_eq!(Mapping::load("ttc-subway").unwrap().name(), "ttc-subway");
    let said = Mapping::load("ttc-subwai").unwrap_err().to_string();
    assert!(
        said.contains("ttc-subwai") && said.contains("ttc-subway"),
        "{said}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.toml");
    std::fs::write(&path, GOOD).unwrap();
    assert_eq!(Mapping::load(path.to_str().unwrap()).unwrap().name(), "m");
}

/// What the wall clock shows, and what UTC it is.
#[track_caller]
fn check(zone: &str, local: &str, utc: &str) {
    let time = LocalTime::new(Some("%Y-%m-%d %H:%M"), Some(zone)).unwrap();
    assert_eq!(
        rfc3339::to_string(time.parse(local).unwrap()),
        format!("{utc}:00.000000Z"),
        "{local}"
    );
}

#[test]
fn wall_clocks_are_read_in_their_zone() {
    check("America/Toronto", "2019-01-15 12:00", "2019-01-15T17:00");
    check("America/Toronto", "2019-07-15 12:00", "2019-07-15T16:00");
    check("UTC", "2019-07-15 12:00", "2019-07-15T12:00");
    check("Asia/Kathmandu", "2019-07-15 12:00", "2019-07-15T06:15");
}

#[test]
fn the_skipped_hour_is_read_by_the_clock_before_the_change() {
    check("America/Toronto", "2019-03-10 01:59", "2019-03-10T06:59");
    check("America/Toronto", "2019-03-10 02:00", "2019-03-10T07:00");
    check("America/Toronto", "2019-03-10 02:30", "2019-03-10T07:30");
    check("America/Toronto", "2019-03-10 03:00", "2019-03-10T07:00");
    // Samoa skipped a whole day.
    check("Pacific/Apia", "2011-12-29 23:59", "2011-12-30T09:59");
    check("Pacific/Apia", "2011-12-30 12:00", "2011-12-30T22:00");
    check("Pacific/Apia", "2011-12-31 00:00", "2011-12-30T10:00");
}

#[test]
fn the_doubled_hour_is_the_first_of_the_two() {
    check("America/Toronto", "2019-11-03 00:59", "2019-11-03T04:59");
    check("America/Toronto", "2019-11-03 01:30", "2019-11-03T05:30");
    check("America/Toronto", "2019-11-03 02:00", "2019-11-03T07:00");
}

#[test]
fn without_a_format_times_are_rfc_3339() {
    let time = LocalTime::new(None, None).unwrap();
    assert_eq!(
        time.parse("2019-07-15T12:00:00+02:00").unwrap().micros(),
        1_563_184_800_000_000
    );
    assert!(time.parse("15.7.2019").unwrap_err().contains("15.7.2019"));
    let german = LocalTime::new(Some("%d.%m.%Y %H:%M"), Some("Europe/Berlin")).unwrap();
    assert!(
        german
            .parse("31.02.2019 12:00")
            .unwrap_err()
            .contains("31.02.2019")
    );
    assert!(german.parse("2019-07-15 12:00").is_err());
}
