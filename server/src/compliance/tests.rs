//! Every check fails for what it is for, and for nothing else.

use serde_json::json;
use storage::Timestamp;

use super::survey::{OpenAccount, OpenRequest};
use super::*;

/// A survey that passes every check.
fn good() -> Survey {
    let mut survey = Survey::empty(Timestamp::from_micros(0), Timestamp::from_micros(1));
    survey.total = 100;
    survey.attributable = 90;
    survey.position = 100;
    survey.checkpoints_held = 3;
    survey.financial.count = 5;
    survey.reviewed_days_ago = Some(3);
    survey.backup_days_ago = Some(1);
    survey.accounts.push(OpenAccount {
        id: "ada".into(),
        role: "SUPER_ADMIN",
        quiet_days: 1,
    });
    survey
}

fn some(count: u64) -> Evidence {
    Evidence {
        count,
        lines: vec![json!({"position": 7})],
    }
}

fn failed(standard: Standard, survey: &Survey) -> Vec<&'static str> {
    let report = Report::of(standard, survey);
    let failed = report.checks.iter().filter(|check| check.finding.is_some());
    failed.map(|check| check.name).collect()
}

#[track_caller]
fn only(change: impl Fn(&mut Survey), expected: [&[&str]; 3]) {
    let mut survey = good();
    change(&mut survey);
    let standards = [Standard::Gdpr, Standard::Sox, Standard::Soc2];
    for (standard, expected) in standards.into_iter().zip(expected) {
        assert_eq!(failed(standard, &survey), expected, "{standard:?}");
    }
}

#[test]
fn what_is_well_passes() {
    only(|_| {}, [&[], &[], &[]]);
    let report = Report::of(Standard::Gdpr, &good());
    let body = report.to_json(&good(), "all", Timestamp::from_micros(2));
    assert_eq!(
        (&body["compliance_score"], &body["status"]),
        (&json!(100.0), &json!("pass"))
    );
}

#[test]
fn each_fault_is_found_by_the_checks_that_are_for_it() {
    only(
        |survey| survey.unattributed = some(4),
        [&["user_attribution"], &[], &["user_attribution"]],
    );
    only(
        |survey| survey.plain_personal = some(1),
        [&["personal_data_sealed"], &[], &[]],
    );
    only(
        |survey| survey.overdue_personal = some(1),
        [&["data_retention"], &[], &[]],
    );
    only(
        |survey| survey.lost_subjects.push("Staff:1".into()),
        [&["keys_available"], &[], &[]],
    );
    only(
        |survey| survey.damaged = some(1),
        [
            &["audit_integrity"],
            &["audit_integrity"],
            &["audit_integrity"],
        ],
    );
    for of in [
        |survey: &mut Survey| survey.disagreeing = some(1),
        |survey: &mut Survey| survey.unopened = some(1),
        |survey: &mut Survey| survey.checkpoint_bytes_unread = 1,
    ] {
        only(
            of,
            [
                &["audit_integrity"],
                &["audit_integrity"],
                &["audit_integrity"],
            ],
        );
    }
    only(
        |survey| survey.financial_unattributed = some(1),
        [&[], &["financial_user_attribution"], &[]],
    );
    only(
        |survey| survey.self_approvals = some(1),
        [&[], &["change_approval"], &[]],
    );
    only(
        |survey| survey.unapproved = some(1),
        [&[], &["approval_before_commitment"], &[]],
    );
    only(
        |survey| survey.checkpoints_held = 0,
        [&[], &["checkpoints_kept"], &[]],
    );
    only(
        |survey| survey.own_role_changes = some(1),
        [&[], &[], &["no_self_granted_rights"]],
    );
    only(
        |survey| survey.reviewed_days_ago = None,
        [&[], &[], &["access_reviews"]],
    );
    only(
        |survey| survey.reviewed_days_ago = Some(91),
        [&[], &[], &["access_reviews"]],
    );
    only(
        |survey| survey.backup_days_ago = None,
        [&[], &[], &["backups"]],
    );
    only(
        |survey| survey.accounts[0].quiet_days = 91,
        [&[], &[], &["dormant_accounts"]],
    );
    only(
        |survey| survey.accounts = vec![survey.accounts[0].clone(); 6],
        [&[], &[], &["least_privilege"]],
    );
    only(
        |survey| {
            survey.refused_by_account.insert("ada".into(), 100);
        },
        [&[], &[], &["refused_logins"]],
    );
}

#[test]
fn a_request_is_overdue_after_a_month() {
    let with = |days| {
        move |survey: &mut Survey| {
            survey.open_requests.push(OpenRequest {
                subject: "Staff:1".into(),
                position: 9,
                days,
            });
        }
    };
    only(with(30), [&[], &[], &[]]);
    only(with(31), [&["erasure_requests_served"], &[], &[]]);
}

#[test]
fn nothing_recorded_and_no_money_are_told_apart() {
    let mut survey = good();
    survey.total = 0;
    assert_eq!(
        failed(Standard::Gdpr, &survey),
        ["audit_trail_completeness"]
    );
    survey.financial.count = 0;
    let report = Report::of(Standard::Sox, &survey);
    assert!(
        report
            .checks
            .iter()
            .all(|check| check.name != "financial_user_attribution"),
        "there is nothing to check"
    );
}

#[test]
fn scores_and_severities_are_counted() {
    let mut survey = good();
    survey.self_approvals = some(2);
    survey.checkpoints_held = 0;
    let report = Report::of(Standard::Sox, &survey);
    let body = report.to_json(&survey, "all", Timestamp::from_micros(2));
    assert_eq!(body["compliance_score"], 60.0);
    assert_eq!(
        body["findings_by_severity"],
        json!({"low": 0, "medium": 1, "high": 0, "critical": 1})
    );
    assert_eq!(body["status"], "fail");
    assert_eq!(
        (&body["passed_checks"], &body["failed_checks"]),
        (&json!(3), &json!(2))
    );
    for finding in body["findings"].as_array().unwrap() {
        assert!(
            finding["recommendation"]
                .as_str()
                .is_some_and(|text| text.len() > 20),
            "{finding}"
        );
    }
}

/// What was not read is no damage, and is said beside damage as well.
#[test]
fn checkpoints_that_were_not_read_are_said() {
    let mut survey = good();
    survey.checkpoint_bytes_unread = 4_711;
    for (change, severity) in [(0, Severity::Medium), (1, Severity::Critical)] {
        survey.damaged = some(change);
        let report = Report::of(Standard::Sox, &survey);
        let mut checks = report.checks.iter();
        let check = checks.find(|check| check.name == "audit_integrity");
        let check = check.unwrap();
        let finding = check.finding.as_ref().unwrap();
        assert_eq!(finding.severity, severity);
        for text in [&check.looked_at, &finding.description] {
            assert!(text.contains("4711 bytes of checkpoints.txt"), "{text}");
        }
    }
}
