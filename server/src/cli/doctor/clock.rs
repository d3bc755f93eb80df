//! The clock: every event's recorded time comes from it, and tokens end by it.

use std::process::Command;

use storage::{Clock as _, SystemClock, Timestamp};

use super::Finding;
use crate::rfc3339;

/// A clock before this is wrong: 2024-01-01.
const MICROS_MIN: i64 = 1_704_067_200_000_000;
/// How far the log may be ahead: it never records two events at one time, and a clock is corrected by some seconds.
const AHEAD_MICROS_MAX: i64 = 60 * 1_000_000;

pub(super) fn clock() -> Vec<Finding> {
    vec![
        judge_now(SystemClock.now()),
        kept(synchronized().as_deref()),
    ]
}

pub(super) fn judge_now(now: Timestamp) -> Finding {
    let text = format!("the clock says {}", rfc3339::to_string(now));
    if now.micros() >= MICROS_MIN {
        return Finding::Fine(text);
    }
    Finding::Bad(format!(
        "{text}: set it, or every event will be recorded at a wrong time"
    ))
}

/// Whether the clock has fallen behind what the log has recorded by it.
pub(super) fn behind(last_recorded: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
    let last = last_recorded?;
    let ahead = last.micros() - now.micros();
    (ahead > AHEAD_MICROS_MAX).then(|| {
        Finding::Bad(format!(
            "the last event was recorded at {}, {} s after what the clock says now: one of the two is wrong; set the clock, for until it has passed that time every event is recorded at that time",
            rfc3339::to_string(last),
            ahead / 1_000_000
        ))
    })
}

/// What the kernel says of the clock, by systemd's tool: `adjtimex` is behind it, whoever keeps the clock.
fn synchronized() -> Option<String> {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .ok()?;
    let said = String::from_utf8(asked.stdout).ok()?;
    asked.status.success().then(|| said.trim().to_owned())
}

pub(super) fn kept(synchronized: Option<&str>) -> Finding {
    match synchronized {
        Some("yes") => Finding::Fine("the clock is kept by NTP".to_owned()),
        Some("no") => Finding::Look(
            "the clock is not kept by NTP: `timedatectl set-ntp true`, or chrony; times of several depots are compared".to_owned(),
        ),
        _ => Finding::Look(
            "whether the clock is kept by NTP cannot be told: `timedatectl` does not answer; ask `chronyc tracking` or whoever keeps it".to_owned(),
        ),
    }
}
