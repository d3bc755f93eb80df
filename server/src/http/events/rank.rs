//! Which role a raw event takes.
//!
//! `POST /events` takes in what happened, from a TECHNICIAN on, and decides nothing. What a route of its own leaves to a
//! higher role (money, approvals, releases, deletions, handing a vehicle over) takes that role here, too, whether the event's
//! type says it or one of its fields; otherwise this would be the way around.

use fleet::policy::Role;
use serde_json::{Map, Value};
use storage::NewEvent;

use crate::auth::Caller;
use crate::http::problem::{Kind, Problem};

/// What of an aggregate type a rule is about.
#[derive(Clone, Copy, Debug)]
enum What {
    /// All of its events.
    Everything,
    /// Events of this type.
    Event(&'static str),
    /// Events in which this field has a value.
    Field(&'static str),
}

use What::{Event, Everything, Field};

const RULES: &[(&str, What, Role)] = &[
    ("Invoice", Everything, Role::Dispatcher),
    ("Invoice", Event("InvoiceApproved"), Role::FleetManager),
    ("Invoice", Event("InvoiceExported"), Role::FleetManager),
    ("Invoice", Event("InvoicePaid"), Role::FleetManager),
    ("Invoice", Event("InvoiceDeleted"), Role::FleetManager),
    ("Invoice", Field("status"), Role::FleetManager),
    ("Invoice", Field("approved_by"), Role::FleetManager),
    ("PurchaseOrder", Everything, Role::Dispatcher),
    (
        "PurchaseOrder",
        Event("PurchaseOrderApproved"),
        Role::WorkshopManager,
    ),
    (
        "PurchaseOrder",
        Event("PurchaseOrderDeleted"),
        Role::WorkshopManager,
    ),
    ("PurchaseOrder", Field("status"), Role::WorkshopManager),
    ("PurchaseOrder", Field("approved_by"), Role::WorkshopManager),
    ("Budget", Everything, Role::WorkshopManager),
    ("CostCenter", Everything, Role::WorkshopManager),
    ("CostCenter", Event("CostCenterDeleted"), Role::FleetManager),
    (
        "WorkOrder",
        Event("WorkOrderReleased"),
        Role::WorkshopManager,
    ),
    ("WorkOrder", Field("released_at"), Role::WorkshopManager),
    ("WorkOrder", Field("released_by"), Role::WorkshopManager),
    ("Vehicle", Event("VehicleDeleted"), Role::FleetManager),
    ("Vehicle", Event("VehicleHandedOver"), Role::FleetManager),
    ("Vehicle", Event("VehicleTakenOver"), Role::FleetManager),
    ("Staff", Event("StaffDeleted"), Role::FleetManager),
    ("Part", Event("PartDeleted"), Role::WorkshopManager),
    ("Supplier", Event("SupplierDeleted"), Role::WorkshopManager),
    (
        "StockLocation",
        Event("StockLocationDeleted"),
        Role::WorkshopManager,
    ),
    ("Document", Event("DocumentDeleted"), Role::WorkshopManager),
    ("Workshop", Event("WorkshopDeleted"), Role::WorkshopManager),
    ("Track", Event("TrackDeleted"), Role::WorkshopManager),
    ("Team", Event("TeamDeleted"), Role::WorkshopManager),
];

/// Fields that say who decided. Only who may record for others names others.
const DECIDERS: &[&str] = &["approved_by", "released_by"];

/// Refuses an event that its caller could not have caused by its own route.
///
/// # Errors
/// `forbidden`, with the role that it takes.
pub(super) fn check(
    caller: &Caller,
    aggregate_type: &str,
    event: &NewEvent,
) -> Result<(), Problem> {
    if caller.role().reaches(Role::FleetManager) {
        return Ok(());
    }
    let mut fields = None;
    for (_, what, least) in RULES.iter().filter(|rule| rule.0 == aggregate_type) {
        let applies = match what {
            Everything => true,
            Event(event_type) => *event_type == &*event.event_type,
            Field(name) => has(fields.get_or_insert_with(|| fields_of(event)), name),
        };
        if applies && !caller.role().reaches(*least) {
            let detail = format!(
                "{} of a {aggregate_type} takes the role {least}, as by its own route",
                event.event_type
            );
            return Err(Problem::new(Kind::Forbidden, detail).with("role", least.name()));
        }
        if applies {
            check_deciders(caller, fields.get_or_insert_with(|| fields_of(event)))?;
        }
    }
    Ok(())
}

fn check_deciders(caller: &Caller, fields: &Map<String, Value>) -> Result<(), Problem> {
    for name in DECIDERS {
        if let Some(decider) = fields.get(*name).and_then(Value::as_str)
            && !caller.is(decider)
        {
            let detail = format!(
                "{name} names another account; only a FLEET_MANAGER or SUPER_ADMIN may record for others"
            );
            return Err(Problem::new(Kind::Forbidden, detail).with("field", *name));
        }
    }
    Ok(())
}

fn fields_of(event: &NewEvent) -> Map<String, Value> {
    serde_json::from_slice(&event.data).unwrap_or_default()
}

fn has(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_about_what_the_domain_knows() {
        for (aggregate_type, what, least) in RULES {
            let table = fleet::registry().aggregate(aggregate_type);
            let table = table.unwrap_or_else(|| panic!("{aggregate_type}"));
            assert!(
                *least > Role::Technician,
                "{aggregate_type}: every writer is one"
            );
            let known = match what {
                Everything => true,
                Event(event_type) => table
                    .events
                    .iter()
                    .any(|event| event.event_type == *event_type),
                Field(name) => table.events.iter().any(|event| event.field(name).is_some()),
            };
            assert!(known, "{aggregate_type}: {what:?}");
        }
    }
}
