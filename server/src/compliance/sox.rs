//! SOX §404: what the record shows of control over money.

use serde_json::json;

use super::common::integrity;
use super::{Check, Finding, Report, Severity, Standard, Survey};

pub(super) fn report(survey: &Survey) -> Report {
    let mut checks = Vec::new();
    if survey.financial.count > 0 {
        checks.push(attribution(survey));
    }
    checks.push(separation(survey));
    checks.push(approval_first(survey));
    checks.push(integrity(
        survey,
        "audit_integrity",
        "§404, integrity of records; §802",
    ));
    checks.push(signed(survey));
    Report {
        standard: Standard::Sox,
        checks,
        statistics: json!({
            "total_financial_events": survey.financial.count,
            "financial_changes_by_type": survey.financial_by_type,
            "approvals": survey.approvals,
            "self_approvals": survey.self_approvals.count,
        }),
    }
}

fn attribution(survey: &Survey) -> Check {
    let of = &survey.financial_unattributed;
    let looked_at = format!(
        "{} events of invoices, budgets, cost centers and purchase orders",
        survey.financial.count
    );
    Check::passed(
        "financial_user_attribution",
        "§404, accountability",
        looked_at,
    )
    .unless((of.count > 0).then(|| Finding {
        severity: Severity::High,
        title: "Financial events name nobody",
        description: format!("{} financial events do not say who caused them", of.count),
        evidence: of.lines.clone(),
        recommendation: "Have whatever writes these events log in with an account of its own.",
    }))
}

/// Who created, or changed what is approved, may not approve.
fn separation(survey: &Survey) -> Check {
    let of = &survey.self_approvals;
    let looked_at = format!(
        "{} approvals of invoices and purchase orders",
        survey.approvals
    );
    Check::passed("change_approval", "§404, separation of duties", looked_at).unless((of.count > 0).then(|| Finding {
        severity: Severity::Critical,
        title: "Somebody approved what they had written",
        description: format!("{} of {} approvals are by an account that created the record, or changed what the approval is for", of.count, survey.approvals),
        evidence: of.lines.clone(),
        recommendation: "Have these approved by somebody else, and keep creating and approving in different hands.",
    }))
}

/// What was ordered, exported or paid had been approved before.
fn approval_first(survey: &Survey) -> Check {
    let of = &survey.unapproved;
    let looked_at = format!("{} orders, exports and payments", survey.commitments);
    Check::passed("approval_before_commitment", "§404, authorization", looked_at).unless((of.count > 0).then(|| Finding {
        severity: Severity::High,
        title: "Money was committed without an approval",
        description: format!("{} of {} orders, exports and payments have no approval before them", of.count, survey.commitments),
        evidence: of.lines.clone(),
        recommendation: "Approve them afterwards with a reason, and find out which way around the approval was taken.",
    }))
}

/// Somebody outside could show that the period was not changed.
fn signed(survey: &Survey) -> Check {
    let looked_at = format!("{} checkpoints were kept", survey.checkpoints_held);
    Check::passed("checkpoints_kept", "§802, records that cannot be altered unseen", looked_at).unless((survey.checkpoints_held == 0 && survey.total > 0).then(|| Finding {
        severity: Severity::Medium,
        title: "The record was never signed",
        description: "no checkpoint was kept, so nobody can show that the record was not changed since".to_owned(),
        evidence: Vec::new(),
        recommendation: "Set `events.checkpoint_interval_s`, and keep copies of `checkpoints.txt` where this server cannot write.",
    }))
}
