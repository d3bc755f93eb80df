//! What a row goes by whose id is the business key that it began with: no raw event has it go by another.
//!
//! Its key names it in paths and lists, and in what refers to it, and nothing holds a raw event's to being unique. It
//! changes only as an importer follows a database, in which it is.

use std::sync::LazyLock;

use fleet::schema::AggregateSchema;
use fleet::{Folded, Refusal, alias, registry};
use memchr::memmem::Finder;
use serde_json::{Map, Value};
use storage::{NewEvent, StreamName};

use super::may_name;
use crate::app::AppState;

/// All kinds of aggregates that begin under a business key. What finds their names is made once, and not for each event.
static KINDS: LazyLock<Vec<Named>> = LazyLock::new(|| {
    let aggregates = registry().aggregates().into_iter();
    aggregates.filter_map(Named::new).collect()
});

/// A kind of aggregate that begins under a business key.
#[derive(Debug)]
pub(super) struct Named {
    aggregate: &'static AggregateSchema,
    /// The key of the state that tells the present one.
    field: &'static str,
    /// The names under which events tell the key, now and in the past.
    names: Vec<&'static str>,
    /// What finds these names in a payload.
    finders: Vec<Finder<'static>>,
}

impl Named {
    /// This kind of aggregate; `None` for one whose id is no business key.
    pub(super) fn of(aggregate_type: &str) -> Option<&'static Self> {
        let mut kinds = KINDS.iter();
        kinds.find(|named| named.aggregate.aggregate_type == aggregate_type)
    }

    fn new(aggregate: &'static AggregateSchema) -> Option<Self> {
        let field = aggregate.named_by?;
        let spellings = aggregate.spellings.iter();
        let old = spellings.filter(|spelling| spelling.meant == field);
        let old = old.map(|spelling| spelling.given);
        let names: Vec<&'static str> = std::iter::once(field).chain(old).collect();
        let finders = names.iter().map(|name| Finder::new(*name)).collect();
        Some(Named {
            aggregate,
            field,
            names,
            finders,
        })
    }

    /// Whether an event may have its aggregate go by another key: whether it tells one, or begins or ends a life, before
    /// which no key counts.
    pub(super) fn may_change(&self, event: &NewEvent) -> bool {
        let event_type = alias::canonical(&event.event_type);
        let occasion = event_type.strip_prefix(self.aggregate.aggregate_type);
        if matches!(occasion, Some("Created" | "Deleted")) {
            return true;
        }
        if !may_name(event, &self.finders) {
            return false;
        }
        let data: Map<String, Value> = serde_json::from_slice(&event.data).unwrap_or_default();
        let tells = |told: &String| self.names.iter().any(|name| told.contains(*name));
        data.keys().any(tells)
    }

    /// Refuses events that have the aggregate with this id go by another key than before them, or begin it under a key that
    /// another goes by.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn check(
        &self,
        state: &AppState,
        id: &str,
        before: &Folded,
        after: &Folded,
    ) -> Result<(), Refusal> {
        let (aggregate, field) = (self.aggregate, self.field);
        let kind = aggregate.aggregate_type;
        let (held, told) = (aggregate.name_of(id, before), aggregate.name_of(id, after));
        let begins = !before.exists();
        if told != held && !(begins && told == id) {
            let text = match begins {
                true => format!(
                    "A {kind} that a raw event begins goes by its aggregate_id: leave {field} out, or send '{id}'"
                ),
                false => format!(
                    "This {kind} goes by the {field} '{held}', which no raw event changes: leave {field} out, or send '{held}'. It \
                     changes only as the importer follows the old database"
                ),
            };
            return Err(Refusal::conflict(field, "key_fixed", text));
        }
        if !(begins && after.exists()) {
            return Ok(());
        }
        let holder = state.projections.catalog().find(kind, told).value;
        let other = holder.filter(|holder| *holder.aggregate_id != *id && holder.key() == told);
        match other {
            Some(other) => Err(self.taken(told, &other.aggregate_id)),
            None => Ok(()),
        }
    }

    /// Refuses an event for an aggregate that is not in the log and whose id is the key that another goes by now: it would
    /// begin one that nobody meant, and that hid the events of the other.
    ///
    /// # Errors
    /// `Conflict`, with the aggregate_id of the other.
    pub(super) fn refuse_astray(
        &self,
        state: &AppState,
        stream: &StreamName,
    ) -> Result<(), Refusal> {
        if state.log.stream(stream).is_some() {
            return Ok(());
        }
        let key = &*stream.aggregate_id;
        let catalog = state.projections.catalog();
        match catalog.id_behind(self.aggregate.aggregate_type, key) {
            Some(other) => Err(self.taken(key, &other)),
            None => Ok(()),
        }
    }

    fn taken(&self, key: &str, other: &str) -> Refusal {
        let (kind, field) = (self.aggregate.aggregate_type, self.field);
        let text = format!(
            "Another {kind} goes by the {field} '{key}', under the aggregate_id '{other}': send its events there, or choose another \
             aggregate_id"
        );
        Refusal::conflict(field, "key_taken", text)
    }
}
