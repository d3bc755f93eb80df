//! Who may change what on a tablet, and whose change stands against a concurrent one.
//!
//! This is the policy that is built in. Where a signed one is in force, its lines go before these.

use crate::policy::{Editor, FieldRule, Role, work_order_field};

/// What the policy says of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// What settles two concurrent changes.
    pub rule: FieldRule,
    /// Who may change it at all.
    pub editors: &'static [Editor],
}

const ALL: &[Editor] = &[Editor::Workshop, Editor::Dispatcher, Editor::FleetManager];
const WORKSHOP: &[Editor] = &[Editor::Workshop];
const PLANNERS: &[Editor] = &[Editor::Dispatcher, Editor::FleetManager];
const MANAGER: &[Editor] = &[Editor::FleetManager];
const NOBODY: &[Editor] = &[];

const fn line(rule: FieldRule, editors: &'static [Editor]) -> Line {
    Line { rule, editors }
}

/// The line of a field; one that has none may be changed by nobody.
pub fn line_of(entity_type: &str, field: &str) -> Line {
    use FieldRule::{LastWriteWins, WorkshopAuthoritative};
    match (entity_type, field) {
        ("WorkOrder", "checklist" | "finding_items" | "used_parts") => {
            line(WorkshopAuthoritative, ALL)
        }
        ("WorkOrder", "note_items" | "tasks") => line(LastWriteWins, ALL),
        ("WorkOrder", "actual_hours" | "completion_notes") => line(WorkshopAuthoritative, WORKSHOP),
        ("WorkOrder", "vehicle_id" | "workshop_id" | "maintenance_type" | "assigned_staff") => {
            line(FieldRule::DispatcherAuthoritative, PLANNERS)
        }
        ("WorkOrder", "notes") => line(LastWriteWins, ALL),
        ("WorkOrder", field) => work_order_field(field)
            .map_or(line(LastWriteWins, NOBODY), |found| {
                line(found.rule, found.editors)
            }),
        ("Vehicle", "status") => line(
            WorkshopAuthoritative,
            &[Editor::Workshop, Editor::FleetManager],
        ),
        ("Vehicle", "current_mileage_km" | "total_operating_hours") => {
            line(WorkshopAuthoritative, ALL)
        }
        ("Vehicle", "current_location" | "notes") => line(LastWriteWins, ALL),
        ("Vehicle", "model" | "manufacturer" | "home_depot" | "year") => {
            line(LastWriteWins, MANAGER)
        }
        ("MaintenanceTask", "is_completed") => line(WorkshopAuthoritative, WORKSHOP),
        ("MaintenanceTask", "description") => line(LastWriteWins, ALL),
        ("StockMove", "is_deleted") => line(LastWriteWins, NOBODY),
        ("StockMove", _) => line(WorkshopAuthoritative, ALL),
        _ => line(LastWriteWins, NOBODY),
    }
}

/// Whether somebody of this role may change the field, and with which authority; higher stands against lower where both
/// wrote without knowing of each other. `None`: not at all.
pub fn rank_of(line: &Line, role: Role) -> Option<u8> {
    let parts = role.editor();
    if !parts.iter().any(|part| line.editors.contains(part)) {
        return None;
    }
    let has_authority = line
        .rule
        .authority()
        .is_some_and(|authority| parts.contains(&authority));
    Some(if has_authority { 2 } else { 1 })
}
