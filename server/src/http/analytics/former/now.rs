//! What is to be done, and what there is, at present.

use analytics::facts::{Priority, Standing};
use analytics::former::{UNIT_COST, overdue};
use fleet::calendar::DAY;
use serde_json::{Value, json};
use storage::Timestamp;

use super::{current_json, moment};
use crate::app::AppState;
use crate::figures::Known;
use crate::http::problem::Problem;
use crate::projection::Ask;
use crate::rfc3339;

/// Upcoming maintenance shown at most.
const UPCOMING_MAX: usize = 10;
/// How far ahead it is looked for.
const UPCOMING_DAYS: i64 = 7;

/// Work orders counted at present.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    pub(super) pending: i64,
    pub(super) in_progress: i64,
    pub(super) completed_today: i64,
    /// Open ones by priority, the least first.
    pub(super) backlog: [i64; 4],
    pub(super) overdue: i64,
}

impl Orders {
    pub(super) fn of(known: &Known, now: Timestamp) -> Self {
        let all = known.store().in_all();
        let now = now.micros();
        let day = [now - DAY, now.saturating_add(1)];
        let today = known.store().orders_happened(&day)[0];
        Orders {
            pending: all.drafts + all.scheduled,
            in_progress: all.in_progress,
            completed_today: today.completed,
            backlog: all.open_by_priority(),
            overdue: overdue(known.store(), now),
        }
    }

    pub(super) fn high_priority(&self) -> i64 {
        self.backlog[Priority::High as usize] + self.backlog[Priority::Urgent as usize]
    }

    pub(super) fn open(&self) -> i64 {
        self.pending + self.in_progress
    }
}

/// A part in the old interface's words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) number: &'a str,
    pub(super) level: i64,
    pub(super) reorder_point: i64,
}

impl Item<'_> {
    pub(super) fn value(&self) -> i64 {
        self.level.saturating_mul(UNIT_COST)
    }

    pub(super) fn is_low(&self) -> bool {
        self.level < self.reorder_point
    }

    pub(super) fn is_overstocked(&self) -> bool {
        self.level > self.reorder_point.saturating_mul(3)
    }
}

/// All parts that are kept.
pub(super) fn items(known: &Known) -> Vec<Item<'_>> {
    let kept = known.store().parts().iter().filter(|part| part.exists);
    kept.map(|part| Item {
        number: &part.number,
        level: part.level,
        reorder_point: part.least,
    })
    .collect()
}

/// Vehicles that can run, are in maintenance, or are out of service.
pub(super) fn vehicle_status(known: &Known) -> Value {
    let (mut active, mut maintenance, mut out) = (0_u64, 0_u64, 0_u64);
    for vehicle in known.vehicles_now().filter(|vehicle| vehicle.exists) {
        if vehicle.is_in_maintenance {
            maintenance += 1;
        } else if vehicle.is_out_of_service {
            out += 1;
        } else if vehicle.standing != Some(Standing::NotRequired) {
            active += 1;
        }
    }
    json!({"active": active, "maintenance": maintenance, "out_of_service": out})
}

/// Maintenance that is planned for the next days.
pub(super) fn upcoming(known: &Known, now: Timestamp) -> Vec<Value> {
    let until = now.micros() + UPCOMING_DAYS * DAY;
    known
        .planned(now.micros(), until)
        .take(UPCOMING_MAX)
        .map(|(at, planned)| {
            json!({
                "vehicle_id": planned.vehicle,
                "scheduled_at": moment(at),
                "type": planned.kind.as_deref().unwrap_or("routine"),
                "priority": planned.priority.as_deref().unwrap_or("medium"),
            })
        })
        .collect()
}

/// Figures and counts at a glance.
pub(super) fn summary(state: &AppState, known: &Known) -> Result<Value, Problem> {
    let now = state.clock.now();
    let orders = Orders::of(known, now);
    let items = items(known);
    let low = items.iter().filter(|item| item.is_low()).count();
    let ask = Ask {
        aggregate_type: fleet::staff::AGGREGATE_TYPE,
        filters: vec![("status", "active".to_owned())],
        ..Ask::default()
    };
    let staff = state.projections.catalog().page(&ask)?.value.total;
    let metric = |name: &str| current_json(known, name, now);
    Ok(json!({
        "timestamp": rfc3339::to_string(now),
        "fleet": {
            "availability": metric("fleet_availability"),
            "mtbf": metric("mtbf"),
            "mttr": metric("mttr"),
            "total_vehicles": known.vehicles_now().filter(|one| one.exists).count(),
        },
        "workorders": {
            "completion_rate": metric("workorder_completion_rate"),
            "active": orders.in_progress,
            "pending": orders.pending,
            "completed_today": orders.completed_today,
        },
        "inventory": {
            "turnover": metric("inventory_turnover"),
            "stockout_rate": metric("stockout_rate"),
            "total_items": items.len(),
            "low_stock_items": low,
        },
        "staff": {"total_active": staff},
    }))
}
