//! Which role a raw event takes.
//!
//! `POST /events` takes in what happened, from a TECHNICIAN on, and decides nothing. What a route of its own leaves to a
//! higher role (money, approvals, releases, deletions, handing a vehicle over) takes that role here, too, whether the event's
//! type says it or one of its fields; otherwise this would be the way around.

use fleet::policy::Role;
use serde_json::{Map, Value};
use storage::{NewEvent, StreamName};

use crate::app::AppState;
use crate::auth::Caller;
use crate::http::problem::{Kind, Problem};

/// What of an aggregate type a rule is about.
#[derive(Clone, Copy, Debug)]
enum What {
    /// All of its events.
    Everything,
    /// Events of this type.
    Event(&'static str),
    /// Events that set this field, or take its value away.
    Field(&'static str),
    /// Events that say anything but yes under this field: the yes is anybody's who may write at all, and so is what the
    /// first event says that begins the aggregate.
    Denial(&'static str),
}

use What::{Denial, Event, Everything, Field};

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
    // Work that need not be released lets its vehicle run when it is completed. No event says whether it has begun, so
    // this is asked of all that change an order.
    (
        "WorkOrder",
        Denial("requires_release"),
        Role::WorkshopManager,
    ),
    // It holds its vehicle no more, released or not; and in the life that another creation begins, no work has begun.
    (
        "WorkOrder",
        Event("WorkOrderDeleted"),
        Role::WorkshopManager,
    ),
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
    ("Document", Event("DocumentUpdated"), Role::Dispatcher),
    ("Document", Event("DocumentStatusChanged"), Role::Dispatcher),
    (
        "Document",
        Event("DocumentVersionRemoved"),
        Role::Dispatcher,
    ),
    ("Document", Event("DocumentDeleted"), Role::WorkshopManager),
    // Who may read it: by its own route somebody who may has to say so.
    ("Document", Field("access_level"), Role::FleetManager),
    (
        "StaffAssignment",
        Event("StaffAssignmentDeleted"),
        Role::Dispatcher,
    ),
    (
        "TransferPlan",
        Event("TransferPlanDeleted"),
        Role::Dispatcher,
    ),
    (
        "TransferAssignment",
        Event("TransferAssignmentDeleted"),
        Role::Dispatcher,
    ),
    (
        "WorkOrder",
        Event("WorkOrderChecklistItemRemoved"),
        Role::Dispatcher,
    ),
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
    state: &AppState,
    caller: &Caller,
    stream: &StreamName,
    event: &NewEvent,
) -> Result<(), Problem> {
    if caller.role().reaches(Role::FleetManager) {
        return Ok(());
    }
    let aggregate_type = &*stream.aggregate_type;
    let rules = || RULES.iter().filter(|rule| rule.0 == aggregate_type);
    let set = match rules().any(|(_, what, _)| matches!(what, Field(_) | Denial(_))) {
        true => fields_of(event),
        false => Vec::new(),
    };
    for (_, what, least) in rules() {
        let applies = match what {
            Everything => true,
            Event(event_type) => *event_type == &*event.event_type,
            Field(name) => set.iter().any(|(field, _)| field == name),
            Denial(name) => set
                .iter()
                .any(|(field, value)| field == name && *value != Value::Bool(true)),
        };
        if applies && !caller.role().reaches(*least) {
            let may_begin = matches!(what, Denial(_)) && is_creation(stream, event);
            if may_begin && state.log.stream(stream).is_none() {
                continue;
            }
            let detail = format!(
                "{} of a {aggregate_type} takes the role {least}, as by its own route",
                event.event_type
            );
            return Err(Problem::new(Kind::Forbidden, detail).with("role", least.name()));
        }
    }
    check_deciders(caller, &set)
}

/// Whether the event begins the life of its aggregate by its name. (Names are canonical here.)
pub(super) fn is_creation(stream: &StreamName, event: &NewEvent) -> bool {
    event.event_type.strip_prefix(&*stream.aggregate_type) == Some("Created")
}

fn check_deciders(caller: &Caller, fields: &[(String, Value)]) -> Result<(), Problem> {
    for (name, decider) in fields {
        if DECIDERS.contains(&name.as_str())
            && let Some(decider) = decider.as_str()
            && !caller.is(decider)
        {
            let detail = format!(
                "{name} names another account; only a FLEET_MANAGER or SUPER_ADMIN may record for others"
            );
            return Err(Problem::new(Kind::Forbidden, detail).with("field", name.as_str()));
        }
    }
    Ok(())
}

/// What the event sets, by the keys of the state: an event that no table knows sets `status` by `new_status`. A null takes a
/// value away, save in what begins, where there is none.
fn fields_of(event: &NewEvent) -> Vec<(String, Value)> {
    let data: Map<String, Value> = serde_json::from_slice(&event.data).unwrap_or_default();
    let begins = event.event_type.ends_with("Created");
    let fields = data.into_iter();
    fields
        .filter(|(_, value)| !(begins && value.is_null()))
        .map(|(name, value)| {
            let key = name.strip_prefix("new_").or(name.strip_prefix("old_"));
            (key.unwrap_or(&name).to_owned(), value)
        })
        .collect()
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
                Field(name) | Denial(name) => {
                    table.events.iter().any(|event| event.field(name).is_some())
                }
            };
            assert!(known, "{aggregate_type}: {what:?}");
        }
    }
}
