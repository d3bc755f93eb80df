//! What a device may see of the entities, and where that was decided.

use std::collections::BTreeMap;
use std::time::Duration;

use crdt::collapsed::{CollapsedEntity, CollapsedField, Handle};
use crdt::{LogPosition, Value};

use fleet::staff;
use fleet::sync::IS_DELETED;
use fleet::sync::tables::{WORK_ORDER, last_table_of};

use super::devices::DeviceCaller;
use super::engine::Fold;
use super::scope::Scope;
use crate::app::AppState;
use crate::http::problem::{Kind, Problem};
use crate::projection::{Ask, CATALOG};

/// People on the staff that are looked through for a user.
const STAFF_MAX: usize = 10_000;
/// How long the catalog is waited for where it is behind.
const CATALOG_WAITED: Duration = Duration::from_secs(2);

/// The scope of a device's token, for the entities of one moment.
#[derive(Clone, Debug)]
pub(super) struct DeviceScope {
    scope: Scope,
    /// The highest table that it knows.
    last_table: u16,
    /// What orders may call the device's user; empty where the scope does not ask for it.
    names: Vec<Value>,
    /// The orders that the user is or was planned for, with where that last changed.
    planned: BTreeMap<Handle, (bool, LogPosition)>,
}

impl DeviceScope {
    /// What this device may see, before it is asked who is planned for which order: see [`DeviceScope::planned_in`].
    /// Blocks while the catalog, which knows who is who and what orders are called, is behind the log.
    ///
    /// # Errors
    /// `unavailable` where it stays behind: who is taken for a stranger would never be shown what is his.
    pub(super) fn of(state: &AppState, device: &DeviceCaller) -> Result<Self, Problem> {
        let scope = device.grant.scope.clone();
        let names = if scope.assigned_orders {
            let durable = state.log.durable_position();
            if !state.projections.wait_for(CATALOG, durable, CATALOG_WAITED) {
                let detail = "the read models are being made; who is assigned to which order is not known yet";
                return Err(Problem::new(Kind::Unavailable, detail).retry_after(5));
            }
            names_of(state, device)
        } else {
            Vec::new()
        };
        Ok(DeviceScope {
            scope,
            last_table: u16::MAX,
            names,
            planned: BTreeMap::new(),
        })
    }

    /// The same, with the orders that `/hr/assignments` plans the user for, as the state has it.
    #[must_use]
    pub(super) fn planned_in(mut self, state: &AppState, fold: &Fold) -> Self {
        let names = self.names.iter().filter_map(|name| match name {
            Value::Text(name) => Some(&**name),
            _ => None,
        });
        for (order, planned) in names.flat_map(|name| fold.plans.of(name)) {
            let Some(handle) = order_named(state, fold, order) else {
                continue;
            };
            let (is_now, since) = self.planned.entry(handle).or_default();
            *is_now |= planned.is_now();
            *since = planned.since.max(*since);
        }
        self
    }

    /// The same, for a client that knows the tables of this schema and no later ones.
    #[must_use]
    pub(super) fn of_schema(mut self, schema: u16) -> Self {
        self.last_table = last_table_of(schema);
        self
    }

    /// Whether the device may see the entity.
    pub(super) fn covers(&self, handle: Handle, entity: &CollapsedEntity) -> bool {
        let holds = |wanted: &Option<Box<str>>, field: &str| match wanted {
            None => true,
            Some(wanted) => text(entity, field) == Some(wanted),
        };
        match entity.table().name {
            _ if entity.table().number > self.last_table => false,
            "Vehicle" => holds(&self.scope.depot, "home_depot"),
            "WorkOrder" => {
                holds(&self.scope.workshop, "workshop_id")
                    && (!self.scope.assigned_orders || self.is_assigned(handle, entity))
            }
            _ => true,
        }
    }

    /// Whether the entity entered or left the scope after `from`.
    pub(super) fn moved_after(
        &self,
        handle: Handle,
        entity: &CollapsedEntity,
        from: LogPosition,
    ) -> bool {
        crdt::sync::Scope::decided_at(self, handle, entity) > from
    }

    fn is_assigned(&self, handle: Handle, entity: &CollapsedEntity) -> bool {
        if self.planned.get(&handle).is_some_and(|(is_now, _)| *is_now) {
            return true;
        }
        let row = entity.table().field_named("assigned_staff");
        match row.and_then(|row| entity.field(row.number)) {
            Some(CollapsedField::Set(set)) => self.names.iter().any(|name| set.contains(name)),
            _ => false,
        }
    }

    /// The fields that decide it.
    fn deciding(&self, entity: &CollapsedEntity) -> [Option<&'static str>; 3] {
        match entity.table().name {
            "Vehicle" => [self.scope.depot.as_ref().map(|_| "home_depot"), None, None],
            "WorkOrder" => [
                self.scope.workshop.as_ref().map(|_| "workshop_id"),
                self.scope.assigned_orders.then_some("assigned_staff"),
                // Once deleted it is found by nothing but its id, so an assignment may name it no more.
                self.scope.assigned_orders.then_some(IS_DELETED),
            ],
            _ => [None; 3],
        }
    }
}

impl crdt::sync::Scope for DeviceScope {
    fn sees(&self, handle: Handle, entity: &CollapsedEntity) -> bool {
        self.covers(handle, entity)
    }

    fn decided_at(&self, handle: Handle, entity: &CollapsedEntity) -> LogPosition {
        let fields = self.deciding(entity).into_iter().flatten();
        let places = fields.filter_map(|name| {
            let row = entity.table().field_named(name)?;
            entity.field(row.number).map(CollapsedField::changed)
        });
        let planned = self.planned.get(&handle).map(|(_, since)| *since);
        places.chain(planned).max().unwrap_or(LogPosition::START)
    }

    fn moved_since(&self, from: LogPosition) -> Vec<(LogPosition, Handle)> {
        let planned = self.planned.iter();
        let mut moved: Vec<_> = planned
            .map(|(handle, (_, since))| (*since, *handle))
            .filter(|(since, _)| *since > from)
            .collect();
        moved.sort_unstable();
        moved
    }

    /// Everything that decides is in it: who is planned for what follows from the names and the state.
    fn shared_as(&self) -> Option<Box<[u8]>> {
        let named = (&self.scope, self.last_table, &self.names);
        Some(format!("{named:?}").into_bytes().into())
    }
}

/// The order that an assignment names: by its id or, as wherever an order is named, by its UUID or number.
fn order_named(state: &AppState, fold: &Fold, name: &str) -> Option<Handle> {
    let of_id = |id: &str| fold.depot.store().find(&WORK_ORDER, id.as_bytes());
    of_id(name).or_else(|| {
        // What the fold has of the order, the catalog may not have yet.
        let projections = &state.projections;
        projections.wait_for(CATALOG, fold.position, CATALOG_WAITED);
        let found = projections.catalog().find(WORK_ORDER.name, name);
        of_id(&found.value?.aggregate_id)
    })
}

/// What an order may call the user of a device: the account's id and name, and the ids of the people on the staff that are
/// the same person, by their e-mail address or by a staff id that is the account's name.
fn names_of(state: &AppState, device: &DeviceCaller) -> Vec<Value> {
    let account = &device.caller.account().state;
    let mut names = vec![
        device.caller.id_text().to_owned(),
        account.username.to_string(),
    ];
    let ask = Ask {
        aggregate_type: staff::AGGREGATE_TYPE,
        limit: STAFF_MAX,
        ..Ask::default()
    };
    let people = state.projections.catalog().page(&ask);
    let people = people.map_or_else(|_| Vec::new(), |page| page.value.entries);
    for person in people {
        let text = |name: &str| person.folded.text(name).unwrap_or_default();
        let same_address =
            !account.email.is_empty() && text("email").eq_ignore_ascii_case(&account.email);
        if same_address || text("staff_id").eq_ignore_ascii_case(&account.username) {
            names.push(person.aggregate_id.to_string());
            names.push(person.uuid().to_string());
            names.push(text("staff_id").to_owned());
        }
    }
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| Value::text(name)).collect()
}

/// Whether an entity was deleted, as its field says.
pub(super) fn is_deleted(entity: &CollapsedEntity) -> bool {
    let row = entity.table().field_named(IS_DELETED);
    match row.and_then(|row| entity.field(row.number)) {
        Some(CollapsedField::Register(register)) => register
            .winner()
            .is_some_and(|write| write.value == Value::Bool(true)),
        _ => false,
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
