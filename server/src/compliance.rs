//! What auditors of three regimes ask, answered by looking: checks over the log, the accounts and the keys.
//!
//! [`survey`] walks the log once over the period and gathers what all checks need; [`gdpr`], [`sox`] and [`soc2`] judge it.
//! A check passes or fails; one that fails has a [`Finding`] with evidence and what to do. The score is the share of checks
//! that passed. A report says what the record shows. It is no certificate.

mod gdpr;
mod soc2;
mod sox;
pub mod survey;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use storage::Timestamp;

use crate::audit::anomaly::Severity;
use crate::rfc3339;
pub use survey::{Evidence, Survey};

/// Lines of evidence of a finding.
const EVIDENCE_MAX: usize = 10;
/// After how many days what is kept on people is to be looked over.
const RETENTION_DAYS: i64 = 7 * 365;

/// Whose rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standard {
    /// The General Data Protection Regulation (EU) 2016/679.
    Gdpr,
    /// The Sarbanes-Oxley Act, §404: internal control over financial reporting.
    Sox,
    /// AICPA's Trust Services Criteria: security and availability.
    Soc2,
}

impl Standard {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Standard::Gdpr => "GDPR",
            Standard::Sox => "SOX",
            Standard::Soc2 => "SOC2",
        }
    }
}

/// Something that was looked into.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its stable name.
    pub name: &'static str,
    /// What it is held against: the article, section or criterion.
    pub source: &'static str,
    /// What was looked at, in a sentence.
    pub looked_at: String,
    /// What is wrong; `None`: it passed.
    pub finding: Option<Finding>,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How severe.
    pub severity: Severity,
    /// What, in a few words.
    pub title: &'static str,
    /// What, with numbers.
    pub description: String,
    /// Where to look: events with their positions, accounts, subjects; at most ten.
    pub evidence: Vec<Value>,
    /// What to do.
    pub recommendation: &'static str,
}

impl Check {
    fn passed(name: &'static str, source: &'static str, looked_at: impl Into<String>) -> Self {
        Check {
            name,
            source,
            looked_at: looked_at.into(),
            finding: None,
        }
    }

    /// Passed, unless there is a finding.
    fn unless(mut self, finding: Option<Finding>) -> Self {
        self.finding = finding.map(|mut finding| {
            finding.evidence.truncate(EVIDENCE_MAX);
            finding
        });
        self
    }
}

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose rules.
    pub standard: Standard,
    /// The checks, in the order of the rules.
    pub checks: Vec<Check>,
    /// Counts of the period.
    pub statistics: Value,
}

impl Report {
    /// The report of this survey.
    pub fn of(standard: Standard, survey: &Survey) -> Self {
        match standard {
            Standard::Gdpr => gdpr::report(survey),
            Standard::Sox => sox::report(survey),
            Standard::Soc2 => soc2::report(survey),
        }
    }

    /// Checks that passed, in percent; 100 where nothing could be checked.
    pub fn score(&self) -> f64 {
        let failed = self.failed();
        if self.checks.is_empty() {
            return 100.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a dozen checks")]
        let share = (self.checks.len() - failed) as f64 / self.checks.len() as f64;
        (share * 10_000.0).round() / 100.0
    }

    fn failed(&self) -> usize {
        self.checks
            .iter()
            .filter(|check| check.finding.is_some())
            .count()
    }

    /// As JSON, in the shape of the old system's code and in that of its guide.
    pub fn to_json(&self, survey: &Survey, scope: &str, generated_at: Timestamp) -> Value {
        let failed = self.failed();
        let findings: Vec<Value> = self
            .checks
            .iter()
            .filter_map(|check| {
                let finding = check.finding.as_ref()?;
                Some(json!({
                    "check": check.name,
                    "severity": finding.severity.name(),
                    "title": finding.title,
                    "description": finding.description,
                    "evidence": finding.evidence,
                    "recommendation": finding.recommendation,
                }))
            })
            .collect();
        let count_of = |severity: Severity| {
            let of = |check: &&Check| {
                check
                    .finding
                    .as_ref()
                    .is_some_and(|finding| finding.severity == severity)
            };
            self.checks.iter().filter(of).count()
        };
        let worst = self
            .checks
            .iter()
            .filter_map(|check| Some(check.finding.as_ref()?.severity))
            .max();
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| {
                json!({
                    "check_name": check.name,
                    "passed": check.finding.is_none(),
                    "source": check.source,
                    "looked_at": check.looked_at,
                })
            })
            .collect();
        let recommendations: Vec<&str> = self
            .checks
            .iter()
            .filter_map(|check| Some(check.finding.as_ref()?.recommendation))
            .collect();
        json!({
            "standard": self.standard.name(),
            "report_type": self.standard.name().to_lowercase(),
            "scope": scope,
            "start_date": rfc3339::to_string(survey.from),
            "end_date": rfc3339::to_string(survey.to),
            "generated_at": rfc3339::to_string(generated_at),
            "status": match worst {
                None => "pass",
                Some(Severity::Low | Severity::Medium) => "warning",
                Some(Severity::High | Severity::Critical) => "fail",
            },
            "checks": checks,
            "findings": findings,
            "findings_by_severity": {
                "low": count_of(Severity::Low),
                "medium": count_of(Severity::Medium),
                "high": count_of(Severity::High),
                "critical": count_of(Severity::Critical),
            },
            "recommendations": recommendations,
            "passed_checks": self.checks.len() - failed,
            "failed_checks": failed,
            "compliance_score": self.score(),
            "statistics": self.statistics,
            "position": survey.position,
            "checkpoint": survey.checkpoint,
            "truncated": survey.truncated,
        })
    }
}

/// Checks that stand in every report.
mod common {
    use serde_json::json;

    use super::{Check, EVIDENCE_MAX, Finding, Severity, Survey};

    /// Every event of the period can be read, every checkpoint that was kept can be opened, and the log's tree agrees with it.
    pub(super) fn integrity(survey: &Survey, name: &'static str, source: &'static str) -> Check {
        let unread = match survey.checkpoint_bytes_unread {
            0 => String::new(),
            bytes => format!("; the first {bytes} bytes of checkpoints.txt were not read"),
        };
        let looked_at = format!(
            "{} events up to position {}, held against {} checkpoints{unread}",
            survey.total, survey.position, survey.checkpoints_held
        );
        let finding = broken(survey, &unread).or_else(|| older(survey));
        Check::passed(name, source, looked_at).unless(finding)
    }

    fn broken(survey: &Survey, unread: &str) -> Option<Finding> {
        let found = [&survey.damaged, &survey.disagreeing, &survey.unopened];
        let broken: u64 = found.iter().map(|of| of.count).sum();
        (broken > 0).then(|| Finding {
            severity: Severity::Critical,
            title: "The record has been damaged or changed",
            description: format!(
                "{} stretches of the log cannot be read, {} checkpoints or stretches do not agree with what was hashed, {} kept checkpoints are not what was signed{unread}",
                survey.damaged.count, survey.disagreeing.count, survey.unopened.count
            ),
            evidence: found.iter().flat_map(|of| of.lines.iter().take(EVIDENCE_MAX / found.len())).cloned().collect(),
            recommendation: "Run `railfleet verify --checkpoint` with copies kept elsewhere, and restore the events from a backup.",
        })
    }

    /// A change that only an older checkpoint tells would not be found: that is no pass.
    fn older(survey: &Survey) -> Option<Finding> {
        let bytes = survey.checkpoint_bytes_unread;
        (bytes > 0).then(|| Finding {
            severity: Severity::Medium,
            title: "Older checkpoints were not looked at",
            description: format!(
                "the log was not held against the checkpoints in the first {bytes} bytes of checkpoints.txt: of so long a file a report reads the end"
            ),
            evidence: vec![json!({"file": "checkpoints.txt", "bytes_not_read": bytes})],
            recommendation: "Run `railfleet verify` on a backup, with the file as `--checkpoint`: it reads all of them. Then, while the server is down, move the beginning of the file elsewhere, and keep it.",
        })
    }

    /// Every event names who caused it.
    pub(super) fn attribution(survey: &Survey, source: &'static str, severity: Severity) -> Check {
        let of = &survey.unattributed;
        let looked_at = format!(
            "{} events that people or devices write",
            survey.attributable
        );
        Check::passed("user_attribution", source, looked_at).unless((of.count > 0).then(|| Finding {
            severity,
            title: "Events name nobody",
            description: format!("{} of {} events do not say who caused them", of.count, survey.attributable),
            evidence: of.lines.clone(),
            recommendation: "Have whatever writes these events log in with an account of its own, or name `metadata.user_id`.",
        }))
    }
}
