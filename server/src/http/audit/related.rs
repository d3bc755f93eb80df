//! Which other aggregates belong to one: a vehicle's work orders, transfers and documents, a work order's moves of stock.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use storage::StreamName;

use crate::app::AppState;
use crate::projection::Ask;

/// Aggregates that are followed; beyond, the answer says that there are more.
const RELATED_MAX: usize = 2_000;
/// How many steps from the aggregate itself.
const STEPS_MAX: u8 = 2;

/// Aggregates of the first type are named by rows of the second, in this filter.
const LINKS: &[(&str, &str, &str)] = &[
    ("Vehicle", "MaintenanceTask", "vehicle_id"),
    ("Vehicle", "WorkOrder", "vehicle_id"),
    ("Vehicle", "TransferAssignment", "vehicle_id"),
    ("Vehicle", "Document", "vehicle_id"),
    ("WorkOrder", "StockMove", "work_order_id"),
    ("WorkOrder", "StaffAssignment", "work_order_id"),
    ("WorkOrder", "Document", "work_order_id"),
    ("WorkOrder", "PurchaseOrder", "work_order_id"),
    ("PurchaseOrder", "Invoice", "purchase_order_id"),
    ("Supplier", "PurchaseOrder", "supplier_id"),
    ("Supplier", "Invoice", "supplier_id"),
    ("Part", "StockMove", "part_no"),
    ("Staff", "StaffAssignment", "staff_id"),
    ("Staff", "TransferAssignment", "driver_id"),
    ("Staff", "Document", "staff_id"),
    ("Workshop", "Document", "workshop_id"),
    ("TransferPlan", "TransferAssignment", "transfer_plan_id"),
    ("TransferPlan", "StaffAssignment", "transfer_plan_id"),
];

/// What belongs to an aggregate.
#[derive(Debug, Default)]
pub(in crate::http) struct Related {
    /// The streams, without the aggregate's own.
    pub(in crate::http) streams: Vec<StreamName>,
    /// How many there are of each type.
    pub(in crate::http) counts: BTreeMap<String, u64>,
    /// Whether some were left out.
    pub(in crate::http) truncated: bool,
}

/// The aggregates that exist now and name `of`, or name one that names it. Of those that were deleted nothing is known.
pub(in crate::http) fn related(state: &AppState, of: &StreamName) -> Related {
    let catalog = state.projections.catalog();
    let mut found = Related::default();
    let mut seen = BTreeSet::from([of.clone()]);
    let mut ahead = VecDeque::from([(of.clone(), 0)]);
    while let Some((name, steps)) = ahead.pop_front() {
        if steps == STEPS_MAX {
            continue;
        }
        // Rows name others by the UUID of their row, by their id or by the key that they go by, as their writer did.
        let entry = catalog.entry(&name.aggregate_type, &name.aggregate_id);
        let mut values = vec![name.aggregate_id.to_string()];
        if let Some(entry) = entry.value.filter(|entry| entry.folded.exists()) {
            values.push(entry.key().to_owned());
            values.push(entry.uuid().to_string());
        }
        values.dedup();
        let links = LINKS
            .iter()
            .filter(|(from, ..)| *from == &*name.aggregate_type);
        for (_, aggregate_type, filter) in links {
            for value in &values {
                let ask = Ask {
                    aggregate_type,
                    filters: vec![(filter, value.clone())],
                    limit: RELATED_MAX,
                    ..Ask::default()
                };
                let Ok(page) = catalog.page(&ask) else {
                    continue;
                };
                found.truncated |= page.value.next.is_some();
                for entry in page.value.entries {
                    let name = StreamName::new(*aggregate_type, &*entry.aggregate_id);
                    if !seen.insert(name.clone()) {
                        continue;
                    }
                    if found.streams.len() == RELATED_MAX {
                        found.truncated = true;
                        return found;
                    }
                    *found
                        .counts
                        .entry((*aggregate_type).to_owned())
                        .or_default() += 1;
                    found.streams.push(name.clone());
                    ahead.push_back((name, steps + 1));
                }
            }
        }
    }
    found
}
