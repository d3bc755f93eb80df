//! GDPR: what the record shows of personal data.

use serde_json::{Value, json};

use super::common::{attribution, integrity};
use super::{Check, Finding, RETENTION_DAYS, Report, Severity, Standard, Survey};

/// Days within which somebody's request is to be served (Art. 12(3): a month).
const SERVE_DAYS: i64 = 30;

pub(super) fn report(survey: &Survey) -> Report {
    Report {
        standard: Standard::Gdpr,
        checks: vec![
            completeness(survey),
            attribution(survey, "Art. 5(2), accountability", Severity::Medium),
            sealed(survey),
            retention(survey),
            requests(survey),
            keys(survey),
            integrity(survey, "audit_integrity", "Art. 5(1)(f), integrity"),
        ],
        statistics: json!({
            "total_events": survey.total,
            "data_access_events": survey.access_events,
            "data_modification_events": survey.modifications,
            "personal_events": survey.personal_events,
            "people_with_keys": survey.people,
            "erased_people": survey.erased,
            "open_erasure_requests": survey.open_requests.len(),
        }),
    }
}

fn completeness(survey: &Survey) -> Check {
    let looked_at = format!("{} events in the period", survey.total);
    Check::passed(
        "audit_trail_completeness",
        "Art. 30, records of processing",
        looked_at,
    )
    .unless((survey.total == 0).then(|| Finding {
        severity: Severity::High,
        title: "Nothing was recorded",
        description: "no event was recorded in the period".to_owned(),
        evidence: Vec::new(),
        recommendation: "Check the dates, and that the depot's systems write to this server.",
    }))
}

/// Personal fields lie encrypted in the log.
fn sealed(survey: &Survey) -> Check {
    let plain = &survey.plain_personal;
    let looked_at = format!("{} events with personal fields", survey.personal_events);
    Check::passed("personal_data_sealed", "Art. 32(1)(a), encryption", looked_at).unless(
        (plain.count > 0).then(|| Finding {
            severity: Severity::Medium,
            title: "Personal data lies open in the log",
            description: format!(
                "{} events of the period hold personal fields that are not encrypted: they were recorded before this server sealed them, and cannot be erased one by one",
                plain.count
            ),
            evidence: plain.lines.clone(),
            recommendation: "Bring the old log over into a new one by an import, which seals these fields, and destroy the old one and its backups.",
        }),
    )
}

fn retention(survey: &Survey) -> Check {
    let overdue = &survey.overdue_personal;
    let looked_at = format!(
        "what happened more than {RETENTION_DAYS} days ago, of people, and who wrote it from where"
    );
    Check::passed("data_retention", "Art. 5(1)(e), storage limitation", looked_at).unless(
        (overdue.count > 0).then(|| Finding {
            severity: Severity::Low,
            title: "Personal data is kept for more than seven years",
            description: format!("{} events from more than {RETENTION_DAYS} days ago have personal fields that can still be read", overdue.count),
            evidence: overdue.lines.clone(),
            recommendation: "Erase people who left, unless a law wants their names kept: `POST /compliance/erase/{subject}`.",
        }),
    )
}

/// Whoever asked to be erased was, in time.
fn requests(survey: &Survey) -> Check {
    let late: Vec<Value> = survey
        .open_requests
        .iter()
        .filter(|open| open.days > SERVE_DAYS)
        .map(|open| json!({"subject": open.subject, "position": open.position, "open_days": open.days}))
        .collect();
    let looked_at = format!(
        "{} erasures asked for, {} of them open",
        survey.erased + survey.open_requests.len() as u64,
        survey.open_requests.len()
    );
    Check::passed("erasure_requests_served", "Art. 17 and 12(3)", looked_at).unless(
        (!late.is_empty()).then(|| Finding {
            severity: Severity::Critical,
            title: "Requests for erasure are overdue",
            description: format!("{} people asked more than {SERVE_DAYS} days ago and are not erased", late.len()),
            evidence: late.clone(),
            recommendation: "Erase them now, or tell them in writing why the time is extended (Art. 12(3)).",
        }),
    )
}

fn keys(survey: &Survey) -> Check {
    let looked_at = format!("the keys of {} people", survey.people);
    Check::passed("keys_available", "Art. 32(1)(b) and (c), availability", looked_at).unless(
        (!survey.lost_subjects.is_empty()).then(|| Finding {
            severity: Severity::High,
            title: "Keys of people are lost",
            description: format!(
                "personal fields of at least {} people cannot be read, though they were not erased",
                survey.lost_subjects.len()
            ),
            evidence: survey.lost_subjects.iter().map(|subject| json!({"subject": subject})).collect(),
            recommendation: "Put the copy of `keys/people.keys` back, with the master key that it was made under, and start again.",
        }),
    )
}
