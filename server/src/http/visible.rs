//! Which events a caller may see, and how much of them.
//!
//! Streams that the server keeps for itself (accounts, devices) are for a SUPER_ADMIN, and even there secrets are left
//! out: what was once stored as a secret is shown to nobody. What an aggregate's own routes show by row (a document's
//! content) is in its events and states for a FLEET_MANAGER, who may read every row, and for nobody else.

use std::borrow::Cow;

use fleet::policy::Role;
use fleet::schema::{AggregateSchema, Sensitivity, Sets};
use serde_json::{Map, Value};
use storage::EventRef;

use crate::auth::Caller;
use crate::envelope::{EventHead, KeptNames, write_head, write_tail};

/// What a caller may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    role: Role,
}

impl Sight {
    /// What this caller may see.
    pub fn of(caller: &Caller) -> Self {
        Sight {
            role: caller.role(),
        }
    }

    /// What a person may see of what is held on them: all of it, less secrets.
    pub fn everything() -> Self {
        Sight {
            role: Role::SuperAdmin,
        }
    }

    /// Whether streams of this type are shown.
    pub fn covers(self, aggregate_type: &str) -> bool {
        self.role.reaches(Role::SuperAdmin) || !fleet::registry().is_internal(aggregate_type)
    }

    /// Whether events of this type are shown with every byte that is stored, so that their records can be given away.
    pub fn shows_whole(self, aggregate_type: &str) -> bool {
        let table = fleet::registry().aggregate(aggregate_type);
        table.is_none_or(|table| !table.internal && self.guarded_by(table).is_empty())
    }

    /// The names of what is kept from this caller in such events and states.
    fn guarded_by(self, table: &AggregateSchema) -> &'static [&'static str] {
        match self.role.reaches(Role::FleetManager) {
            true => &[],
            false => table.guarded,
        }
    }

    /// Appends the event as JSON, without secrets. Only for events that are covered.
    pub fn write(self, event: &EventRef<'_>, out: &mut Vec<u8>) {
        write_head(&EventHead::of(event), out);
        self.write_rest(event, out);
    }

    /// The same, for one event of many.
    pub fn write_next(self, names: &mut KeptNames, event: &EventRef<'_>, out: &mut Vec<u8>) {
        names.write_head(&EventHead::of(event), out);
        self.write_rest(event, out);
    }

    /// What follows the head.
    fn write_rest(self, event: &EventRef<'_>, out: &mut Vec<u8>) {
        out.push(b',');
        let data = self.payload(event);
        write_tail(&data, event.metadata(), || event.tags(), out);
    }

    /// The payload as it may be shown.
    fn payload<'a>(self, event: &EventRef<'a>) -> Cow<'a, [u8]> {
        let Some(table) = fleet::registry().aggregate(event.stream().aggregate_type) else {
            return event.data().into();
        };
        if table.internal {
            return without_secrets(event).into();
        }
        match self.guarded_by(table) {
            [] => event.data().into(),
            guarded => without(event, table, guarded).into(),
        }
    }

    /// The event as JSON, as it may be shown. Only for events that are covered.
    pub fn event(self, event: &EventRef<'_>) -> Value {
        let mut text = Vec::with_capacity(512 + event.data().len() + event.metadata().len());
        self.write(event, &mut text);
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// An event's payload and metadata as text, as they may be shown; `null` and `{}` where there is nothing to show. Only for
    /// events that are covered.
    pub fn texts<'a>(self, event: &EventRef<'a>) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
        let is_object = |text: &[u8]| text.first() == Some(&b'{') && text.last() == Some(&b'}');
        let data = match self.payload(event) {
            data if is_object(&data) => data,
            _ => b"null"[..].into(),
        };
        let metadata = if is_object(event.metadata()) {
            event.metadata()
        } else {
            b"{}"
        };
        (data, metadata.into())
    }

    /// An event's payload as it may be shown; null where it is no JSON object. Only for events that are covered.
    pub fn data(self, event: &EventRef<'_>) -> Value {
        serde_json::from_slice(&self.payload(event)).unwrap_or_default()
    }

    /// A folded state without the keys that secrets set, and those that are kept from this caller.
    pub fn state(self, aggregate_type: &str, mut state: Map<String, Value>) -> Map<String, Value> {
        let Some(table) = fleet::registry().aggregate(aggregate_type) else {
            return state;
        };
        let fields = table.events.iter().flat_map(|event| event.fields);
        for field in fields.filter(|field| field.sensitivity == Sensitivity::Secret) {
            state.remove(field.name);
            if let Sets::Key(key) = field.sets {
                state.remove(key);
            }
        }
        for name in self.guarded_by(table) {
            state.remove(*name);
        }
        state
    }
}

/// The payload less the fields that the domain calls secret. Of an event that the domain does not know, nothing.
fn without_secrets(event: &EventRef<'_>) -> Vec<u8> {
    let known = fleet::registry().event(event.stream().aggregate_type, event.event_type());
    let data = serde_json::from_slice::<Map<String, Value>>(event.data());
    let (Some(known), Ok(mut data)) = (known, data) else {
        return b"{}".to_vec();
    };
    for field in known
        .event
        .fields
        .iter()
        .filter(|field| field.sensitivity == Sensitivity::Secret)
    {
        data.remove(field.name);
    }
    Value::Object(data).to_string().into_bytes()
}

/// The payload less these fields, by whichever of their names it has them.
fn without(event: &EventRef<'_>, table: &AggregateSchema, names: &[&str]) -> Vec<u8> {
    let data = serde_json::from_slice::<Map<String, Value>>(event.data());
    let mut data = data.unwrap_or_default();
    let events = table.events.iter();
    let spellings = events
        .flat_map(|event| event.spellings)
        .chain(table.spellings);
    for spelling in spellings.filter(|spelling| names.contains(&spelling.meant)) {
        data.remove(spelling.given);
    }
    // An event that no table knows says `new_description` of `description`.
    data.retain(|given, _| {
        let name = given.strip_prefix("new_").or(given.strip_prefix("old_"));
        !names.contains(&name.unwrap_or(given))
    });
    Value::Object(data).to_string().into_bytes()
}
