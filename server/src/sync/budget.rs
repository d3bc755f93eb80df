//! What a tablet may push: a budget of new operations that fills up again over a day, so that one that is broken or in
//! wrong hands cannot fill the log. What is beyond it is refused before anything of the push is taken, and stays on the
//! tablet.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use storage::Timestamp;

const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// The budgets of all devices that pushed since the server began: each begins full.
#[derive(Debug, Default)]
pub struct Budgets(Mutex<HashMap<Box<str>, Budget>>);

/// What was used of a budget, and when that was so. It fills up evenly, its whole in a day.
#[derive(Clone, Copy, Debug)]
struct Budget {
    used: f64,
    at: Timestamp,
}

impl Budgets {
    /// Whether a device may push so many operations now, `most` being all that it may in a day.
    ///
    /// # Errors
    /// The seconds after which it may, at least 1.
    pub fn check(
        &self,
        device_id: &str,
        operations: u64,
        most: u64,
        now: Timestamp,
    ) -> Result<(), u64> {
        let used = self.used(device_id, most, now);
        let over = used + whole(operations) - whole(most);
        if over <= 0.0 {
            return Ok(());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to one day and a second"
        )]
        let seconds = (over / whole(most) * 86_400.0).clamp(0.0, 86_400.0) as u64 + 1;
        Err(seconds)
    }

    /// Takes operations that are in the log off a device's budget.
    pub fn take(&self, device_id: &str, operations: u64, most: u64, now: Timestamp) {
        let used = self.used(device_id, most, now) + whole(operations);
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.insert(device_id.into(), Budget { used, at: now });
    }

    fn used(&self, device_id: &str, most: u64, now: Timestamp) -> f64 {
        let budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(budget) = budgets.get(device_id) else {
            return 0.0;
        };
        let passed = now.micros().saturating_sub(budget.at.micros());
        let passed = whole(u64::try_from(passed.clamp(0, DAY_MICROS)).unwrap_or(0));
        let filled = passed / whole(DAY_MICROS.unsigned_abs()) * whole(most);
        (budget.used - filled).max(0.0)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a day, far below 2^53"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_used_up_and_fills_again() {
        let budgets = Budgets::default();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(budgets.check("t", 1_000, 1_000, at(0)), Ok(()));
        budgets.take("t", 1_000, 1_000, at(0));
        assert_eq!(budgets.check("t", 1_000, 1_000, at(0)), Err(86_401));
        assert_eq!(budgets.check("t", 1, 1_000, at(0)), Err(87));
        assert_eq!(budgets.check("t", 1, 1_000, at(87)), Ok(()));
        assert_eq!(budgets.check("t", 500, 1_000, at(43_200)), Ok(()));
        assert!(budgets.check("t", 501, 1_000, at(43_200)).is_err());
        assert_eq!(budgets.check("other", 1_000, 1_000, at(0)), Ok(()));
        // A clock that is set back fills nothing and takes nothing away.
        assert!(budgets.check("t", 1, 1_000, at(-9)).is_err());
        assert_eq!(budgets.check("t", 1_000, 1_000, at(90_000)), Ok(()));
    }
}
