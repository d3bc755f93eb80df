//! Which events a caller may see, and how much of them.
//!
//! Streams that the server keeps for itself (accounts, devices) are for a SUPER_ADMIN, and even there secrets are left
//! out: what was once stored as a secret is shown to nobody.

use std::borrow::Cow;

use fleet::policy::Role;
use fleet::schema::{Sensitivity, Sets};
use serde_json::{Map, Value};
use storage::EventRef;

use crate::auth::Caller;
use crate::envelope::{EventHead, KeptNames, write_head, write_tail};

/// What a caller may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    internal: bool,
}

impl Sight {
    /// What this caller may see.
    pub fn of(caller: &Caller) -> Self {
        Sight {
            internal: caller.role() == Role::SuperAdmin,
        }
    }

    /// What a person may see of what is held on them: all of it, less secrets.
    pub fn everything() -> Self {
        Sight { internal: true }
    }

    /// Whether streams of this type are shown.
    pub fn covers(self, aggregate_type: &str) -> bool {
        self.internal || !fleet::registry().is_internal(aggregate_type)
    }

    /// Whether some events are left out.
    pub fn is_partial(self) -> bool {
        !self.internal
    }

    /// Appends the event as JSON, without secrets. Only for events that are covered.
    pub fn write(self, event: &EventRef<'_>, out: &mut Vec<u8>) {
        write_head(&EventHead::of(event), out);
        write_rest(event, out);
    }

    /// The same, for one event of many.
    pub fn write_next(self, names: &mut KeptNames, event: &EventRef<'_>, out: &mut Vec<u8>) {
        names.write_head(&EventHead::of(event), out);
        write_rest(event, out);
    }
}

/// What follows the head.
fn write_rest(event: &EventRef<'_>, out: &mut Vec<u8>) {
    let is_internal = fleet::registry().is_internal(event.stream().aggregate_type);
    let data: Cow<'_, [u8]> = if is_internal {
        without_secrets(event).into()
    } else {
        event.data().into()
    };
    out.push(b',');
    write_tail(&data, event.metadata(), || event.tags(), out);
}

impl Sight {
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
        let data: Cow<'a, [u8]> = if fleet::registry().is_internal(event.stream().aggregate_type) {
            without_secrets(event).into()
        } else if is_object(event.data()) {
            event.data().into()
        } else {
            b"null"[..].into()
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
        if fleet::registry().is_internal(event.stream().aggregate_type) {
            return serde_json::from_slice(&without_secrets(event)).unwrap_or_default();
        }
        serde_json::from_slice(event.data()).unwrap_or_default()
    }

    /// A folded state without the keys that secrets set.
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
