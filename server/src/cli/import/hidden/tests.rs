//! A report with everything that it shows of rows.

use migrate_from_postgres::finding::Sample;
use migrate_from_postgres::report::{Difference, FindingReport, MismatchedRow, TableReport};
use serde_json::json;

use super::*;

fn finding(treatment: Treatment, samples: Vec<Sample>) -> FindingReport {
    FindingReport {
        treatment,
        met: treatment.met(),
        done: treatment.done(),
        count: samples.len() as u64,
        samples,
    }
}

fn differs(column: &str, there: Value) -> Difference {
    Difference {
        column: column.to_owned(),
        there,
        here: json!("Quastenflosser"),
    }
}

#[test]
fn what_is_personal_is_not_in_a_report_and_the_rest_is() {
    let staff = TableReport {
        table: "staff",
        findings: vec![
            finding(
                Treatment::TextNotUtf8,
                vec![
                    Sample::of("17", "last_name", "Quastenflosser"),
                    Sample::of("17", "home_depot", "Fröttmaning"),
                    Sample::of_row("17", "Quastenflosser"),
                ],
            ),
            finding(
                Treatment::UnknownColumns,
                vec![Sample::of_row("", "shoe_size")],
            ),
        ],
        mismatched: vec![MismatchedRow {
            key: "17".to_owned(),
            found: true,
            columns: vec![differs("email", json!("Quastenflosser"))],
        }],
        ..TableReport::default()
    };
    let kept = r#"{"phone": "Quastenflosser", "line": "U6"}"#;
    let vehicles = TableReport {
        table: "vehicles",
        findings: vec![finding(
            Treatment::UnknownWord,
            vec![Sample::of_row("5110", "parked")],
        )],
        mismatched: vec![MismatchedRow {
            key: "5110".to_owned(),
            found: true,
            columns: vec![Difference {
                column: "extra".to_owned(),
                there: json!({"contact": [{"first_name": "Quastenflosser"}], "depot": "Nord"}),
                here: json!(kept),
            }],
        }],
        ..TableReport::default()
    };
    let mut report = Report {
        tables: vec![staff, vehicles],
        ..Report::default()
    };
    let text = |report: &Report| String::from_utf8(report.to_json()).unwrap() + &report.to_html();
    let before = text(&report);
    assert!(before.matches("Quastenflosser").count() >= 10, "{before}");
    hide_personal(&mut report);
    let after = text(&report);
    assert!(!after.contains("Quastenflosser"), "{after}");
    for stays in [
        "Fröttmaning",
        "shoe_size",
        "parked",
        "U6",
        "Nord",
        "[personal]",
    ] {
        assert!(after.contains(stays), "{stays} in {after}");
    }
}

#[test]
fn no_hash_of_a_password_is_in_a_report() {
    const HASH: &str = "$2b$12$Quastenflosser";
    let users = TableReport {
        table: "users",
        findings: vec![finding(
            Treatment::TextNotUtf8,
            vec![Sample::of("17", "hashed_password", HASH)],
        )],
        mismatched: vec![MismatchedRow {
            key: "17".to_owned(),
            found: true,
            columns: vec![
                differs("password_hash", json!(HASH)),
                // Kept as it was, a row has the old system's names.
                differs("hashed_password", json!(HASH)),
            ],
        }],
        ..TableReport::default()
    };
    let mut report = Report {
        tables: vec![users],
        ..Report::default()
    };
    hide_personal(&mut report);
    let after = String::from_utf8(report.to_json()).unwrap() + &report.to_html();
    assert!(!after.contains("Quastenflosser"), "{after}");
}

#[test]
fn what_is_personal_within_an_event_of_the_old_store_is_hidden() {
    let data = json!({ "first_name": "Quastenflosser", "depot": "Nord" });
    let metadata = json!({ "user_email": "Quastenflosser", "n": 7 });
    let events = TableReport {
        table: "events",
        mismatched: vec![MismatchedRow {
            key: "17".to_owned(),
            found: true,
            columns: vec![
                Difference {
                    column: "data".to_owned(),
                    there: data.clone(),
                    here: json!({ "unreadable": data.to_string() + "," }),
                },
                Difference {
                    column: "metadata".to_owned(),
                    there: metadata.clone(),
                    here: Value::Null,
                },
            ],
        }],
        ..TableReport::default()
    };
    let mut report = Report {
        tables: vec![events],
        ..Report::default()
    };
    hide_personal(&mut report);
    let after = String::from_utf8(report.to_json()).unwrap();
    assert!(!after.contains("Quastenflosser"), "{after}");
    assert!(after.contains("Nord"), "{after}");
}
