//! SOC 2: what the record shows of security and availability.

use serde_json::json;

use super::common::{attribution, integrity};
use super::{Check, Finding, Report, Severity, Standard, Survey};

/// Days after which an account without a login is dormant, and a review of access is due.
const DORMANT_DAYS: i64 = 90;
/// Refused logins of one account or address within the period that are worth a look.
const REFUSED_LOGINS_MIN: u64 = 100;
/// Days within which a backup is expected.
const BACKUP_DAYS: i64 = 7;
/// Accounts that may do everything; more are hard to answer for.
const SUPER_ADMINS_MAX: usize = 5;

pub(super) fn report(survey: &Survey) -> Report {
    Report {
        standard: Standard::Soc2,
        checks: vec![
            dormant(survey),
            reviews(survey),
            own_rights(survey),
            super_admins(survey),
            guessing(survey),
            integrity(survey, "audit_integrity", "CC7.1, detection of changes"),
            attribution(survey, "CC8.1, changes are attributable", Severity::Medium),
            backups(survey),
        ],
        statistics: json!({
            "total_events": survey.total,
            "active_accounts": survey.accounts.len(),
            "logins": survey.logins,
            "refused_logins": survey.refused_logins,
            "refused_writes": survey.refused_writes,
            "role_changes": survey.role_changes,
        }),
    }
}

fn dormant(survey: &Survey) -> Check {
    let dormant: Vec<_> = survey
        .accounts
        .iter()
        .filter(|account| account.quiet_days > DORMANT_DAYS)
        .collect();
    let looked_at = format!("{} active accounts", survey.accounts.len());
    Check::passed("dormant_accounts", "CC6.2, access is removed when not needed", looked_at).unless((!dormant.is_empty()).then(|| Finding {
        severity: Severity::Medium,
        title: "Accounts are open that nobody uses",
        description: format!("{} active accounts have not logged in for {DORMANT_DAYS} days", dormant.len()),
        evidence: dormant.iter().map(|account| json!({"user_id": account.id, "role": account.role, "quiet_days": account.quiet_days})).collect(),
        recommendation: "Close them: `DELETE /users/{user_id}`; they can be opened again.",
    }))
}

fn reviews(survey: &Survey) -> Check {
    let days = survey.reviewed_days_ago;
    let looked_at = match days {
        Some(days) => format!("the last review of access was {days} days ago"),
        None => "no review of access was ever noted".to_owned(),
    };
    let is_due = days.is_none_or(|days| days > DORMANT_DAYS);
    Check::passed("access_reviews", "CC6.3, access is reviewed", looked_at.clone()).unless(is_due.then(|| Finding {
        severity: Severity::Medium,
        title: "A review of who may do what is due",
        description: format!("{looked_at}; every {DORMANT_DAYS} days are expected"),
        evidence: survey.accounts.iter().map(|account| json!({"user_id": account.id, "role": account.role})).collect(),
        recommendation: "Go through the accounts and their roles, and note it: `POST /compliance/access-reviews`.",
    }))
}

/// Nobody gives themselves rights.
fn own_rights(survey: &Survey) -> Check {
    let of = &survey.own_role_changes;
    let looked_at = format!("{} changes of roles", survey.role_changes);
    Check::passed(
        "no_self_granted_rights",
        "CC6.3, rights are granted by somebody else",
        looked_at,
    )
    .unless((of.count > 0).then(|| Finding {
        severity: Severity::High,
        title: "Somebody changed their own role",
        description: format!(
            "{} changes of a role were made by the account itself",
            of.count
        ),
        evidence: of.lines.clone(),
        recommendation: "Have the role set by somebody else, and ask why.",
    }))
}

fn super_admins(survey: &Survey) -> Check {
    let admins: Vec<_> = survey
        .accounts
        .iter()
        .filter(|account| account.role == "SUPER_ADMIN")
        .collect();
    let looked_at = format!("{} accounts may do everything", admins.len());
    Check::passed("least_privilege", "CC6.1, least privilege", looked_at).unless(
        (admins.len() > SUPER_ADMINS_MAX).then(|| Finding {
            severity: Severity::Low,
            title: "Many accounts may do everything",
            description: format!(
                "{} accounts are SUPER_ADMIN, {SUPER_ADMINS_MAX} are plenty",
                admins.len()
            ),
            evidence: admins
                .iter()
                .map(|account| json!({"user_id": account.id}))
                .collect(),
            recommendation: "Give those who do not need it a lower role.",
        }),
    )
}

fn guessing(survey: &Survey) -> Check {
    let many: Vec<_> = survey
        .refused_by_account
        .iter()
        .filter(|(_, count)| **count >= REFUSED_LOGINS_MIN)
        .map(|(who, count)| json!({"who": who, "refused_logins": count}))
        .collect();
    let looked_at = format!(
        "{} logins, {} refused",
        survey.logins, survey.refused_logins
    );
    Check::passed("refused_logins", "CC6.6, CC7.2, attempts are noticed", looked_at).unless((!many.is_empty()).then(|| Finding {
        severity: Severity::Medium,
        title: "Passwords are being guessed",
        description: format!("{} accounts or unknown names had {REFUSED_LOGINS_MIN} refused logins or more", many.len()),
        evidence: many.clone(),
        recommendation: "Look at where they come from (`GET /audit/security?kind=login_refused`) and keep them out.",
    }))
}

fn backups(survey: &Survey) -> Check {
    let looked_at = match survey.backup_days_ago {
        Some(days) => format!("the last backup in the folder of backups is {days} days old"),
        None => "there is no backup in the folder of backups".to_owned(),
    };
    let is_due = survey.backup_days_ago.is_none_or(|days| days > BACKUP_DAYS);
    Check::passed("backups", "A1.2, backups", looked_at.clone()).unless(is_due.then(|| Finding {
        severity: Severity::High,
        title: "There is no recent backup",
        description: looked_at.clone(),
        evidence: Vec::new(),
        recommendation: "Back up every day (`POST /operations/backups`, or `railfleet backup`), and `keys/` by itself; where backups go elsewhere, show that instead.",
    }))
}
