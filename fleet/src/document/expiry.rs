//! When a document expires: computed when it is asked for, never stored.

use super::decide::status;
use crate::calendar::{self, DAY};
use crate::folded::Folded;

/// Days before the end on which a document counts as expiring soon, where it names none.
const REMINDER_DAYS: i64 = 30;

/// How near a document is to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Expiry {
    /// Its day has passed.
    Expired,
    /// Its day is nearer than it wants to be reminded.
    ExpiringSoon,
    /// Neither.
    Ok,
}

impl Expiry {
    /// All, the most urgent first.
    pub const ALL: [Expiry; 3] = [Expiry::Expired, Expiry::ExpiringSoon, Expiry::Ok];

    /// The word in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Expiry::Expired => "expired",
            Expiry::ExpiringSoon => "expiring_soon",
            Expiry::Ok => "ok",
        }
    }
}

/// How near a document is to its end at `now`, and whole days until then (less than 0 when it is past). `None` for one
/// without an end, and for one that is put away: archived, revoked, or marked as expired.
pub fn expiry(document: &Folded, now: i64) -> Option<(Expiry, i64)> {
    if !document.exists() || !matches!(status(document), "active" | "expiring_soon") {
        return None;
    }
    let end = document
        .text("expiration_date")
        .and_then(calendar::parse_time)?;
    let reminder = document
        .integer("reminder_days_before")
        .unwrap_or(REMINDER_DAYS);
    let left = end.saturating_sub(now);
    let class = if left < 0 {
        Expiry::Expired
    } else if left < reminder.saturating_mul(DAY) {
        Expiry::ExpiringSoon
    } else {
        Expiry::Ok
    };
    Some((class, left.div_euclid(DAY)))
}
