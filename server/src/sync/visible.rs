//! What a device may see of the entities, and where that was decided.

use crdt::collapsed::{CollapsedEntity, CollapsedField, Handle};
use crdt::{LogPosition, Value};

use super::devices::DeviceCaller;
use super::scope::Scope;

/// The scope of a device's token, for the entities of one moment.
#[derive(Clone, Debug)]
pub(super) struct DeviceScope {
    scope: Scope,
    user: Box<str>,
}

impl DeviceScope {
    /// What this device may see.
    pub(super) fn of(device: &DeviceCaller) -> Self {
        DeviceScope {
            scope: device.grant.scope.clone(),
            user: device.caller.id_text().into(),
        }
    }

    /// Whether the device may see the entity.
    pub(super) fn covers(&self, entity: &CollapsedEntity) -> bool {
        let holds = |wanted: &Option<Box<str>>, field: &str| match wanted {
            None => true,
            Some(wanted) => text(entity, field) == Some(wanted),
        };
        match entity.table().name {
            "Vehicle" => holds(&self.scope.depot, "home_depot"),
            "WorkOrder" => {
                holds(&self.scope.workshop, "workshop_id")
                    && (!self.scope.assigned_orders || self.is_assigned(entity))
            }
            _ => true,
        }
    }

    /// Whether the entity entered or left the scope after `from`.
    pub(super) fn moved_after(&self, entity: &CollapsedEntity, from: LogPosition) -> bool {
        crdt::sync::Scope::decided_at(self, entity) > from
    }

    fn is_assigned(&self, entity: &CollapsedEntity) -> bool {
        let row = entity.table().field_named("assigned_staff");
        match row.and_then(|row| entity.field(row.number)) {
            Some(CollapsedField::Set(set)) => set.contains(&Value::text(&self.user)),
            _ => false,
        }
    }

    /// The fields that decide it.
    fn deciding(&self, entity: &CollapsedEntity) -> [Option<&'static str>; 2] {
        match entity.table().name {
            "Vehicle" => [self.scope.depot.as_ref().map(|_| "home_depot"), None],
            "WorkOrder" => [
                self.scope.workshop.as_ref().map(|_| "workshop_id"),
                self.scope.assigned_orders.then_some("assigned_staff"),
            ],
            _ => [None, None],
        }
    }
}

impl crdt::sync::Scope for DeviceScope {
    fn sees(&self, _: Handle, entity: &CollapsedEntity) -> bool {
        self.covers(entity)
    }

    fn decided_at(&self, entity: &CollapsedEntity) -> LogPosition {
        let fields = self.deciding(entity).into_iter().flatten();
        let places = fields.filter_map(|name| {
            let row = entity.table().field_named(name)?;
            entity.field(row.number).map(CollapsedField::changed)
        });
        places.max().unwrap_or(LogPosition::START)
    }
}

/// The text that a register shows.
pub(super) fn text<'a>(entity: &'a CollapsedEntity, field: &str) -> Option<&'a str> {
    let row = entity.table().field_named(field)?;
    let Some(CollapsedField::Register(register)) = entity.field(row.number) else {
        return None;
    };
    match &register.winner()?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
