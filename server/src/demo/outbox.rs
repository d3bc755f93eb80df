//! Everything that happens passes here on its way out: it gets its id, its surroundings, and the moment at which it
//! arrives.
//!
//! What is entered at a desk arrives at once. What is entered on a tablet arrives at once while the tablet is online;
//! while it is offline, entries wait and arrive together, in the order in which they were made, when it is back. So a
//! few percent of all events arrive days after they happened, as they do in a real depot.

use std::collections::BTreeMap;

use fleet::EventDraft;
use fleet::calendar::{DAY, HOUR, SECOND};
use serde_json::{Value, json};
use uuid::Uuid;

use super::DemoEvent;
use super::random::Random;

/// How many tablets the depot has.
pub(super) const TABLETS: usize = 12;
/// How likely a tablet that is online goes offline on a given day.
const OFFLINE_CHANCE: f64 = 0.025;

/// Who enters an event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reporter {
    /// Somebody at a desk, by function: `dispatcher`, `storekeeper` …
    Desk(&'static str),
    /// Somebody out there with this tablet.
    Tablet(usize),
}

/// What happens, when, who enters it, and to what it belongs.
#[derive(Debug)]
pub(super) struct Happening {
    pub aggregate_type: &'static str,
    pub aggregate_id: String,
    pub draft: EventDraft,
    /// Microseconds since 1970 UTC.
    pub at: i64,
    pub reporter: Reporter,
    /// Ties together what one cause set off: incident, order, moves, completion.
    pub correlation: Option<Uuid>,
}

/// The events on their way.
#[derive(Debug)]
pub(super) struct Outbox {
    namespace: Uuid,
    made: u64,
    /// The accounts of those who sit at desks, by function.
    desks: BTreeMap<&'static str, String>,
    tablets: Vec<Tablet>,
    /// Keyed by arrival, then by the order in which they were made.
    waiting: BTreeMap<(i64, u64), DemoEvent>,
}

#[derive(Debug)]
struct Tablet {
    name: String,
    /// The account of whoever holds it.
    holder: String,
    random: Random,
    /// From when until when it is offline, microseconds since 1970 UTC.
    offline: Option<(i64, i64)>,
}

impl Outbox {
    pub(super) fn new(seed: u64) -> Self {
        let namespace = Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("railfleet demo {seed}").as_bytes(),
        );
        let mut outbox = Outbox {
            namespace,
            made: 0,
            desks: BTreeMap::new(),
            tablets: Vec::new(),
            waiting: BTreeMap::new(),
        };
        for index in 0..TABLETS {
            let name = format!("tablet-{:02}", index + 1);
            let holder = outbox.id(&format!("holder of {name}")).to_string();
            outbox.tablets.push(Tablet {
                name,
                holder,
                random: Random::new(seed, "tablet", index),
                offline: None,
            });
        }
        outbox
    }

    /// An id that is the same in every run under this seed.
    pub(super) fn id(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.namespace, name.as_bytes())
    }

    /// Lets tablets come and go for the day that starts at `day`.
    pub(super) fn begin_day(&mut self, day: i64) {
        for tablet in &mut self.tablets {
            if tablet.offline.is_some_and(|(_, until)| until <= day) {
                tablet.offline = None;
            }
            if tablet.offline.is_none() && tablet.random.chance(OFFLINE_CHANCE) {
                let from = day + tablet.random.between(6, 18) * HOUR;
                let length = tablet.random.between(1, 4) * DAY + tablet.random.between(0, 8) * HOUR;
                tablet.offline = Some((from, from + length));
            }
        }
    }

    /// Puts an event on its way. Its time must not lie before the present day.
    pub(super) fn put(&mut self, happening: Happening) {
        let Happening {
            aggregate_type,
            aggregate_id,
            draft,
            at,
            reporter,
            correlation,
        } = happening;
        self.made += 1;
        let arrived_at = self.arrival(at, reporter);
        let metadata = self.metadata(reporter, correlation);
        let event = DemoEvent {
            id: self.id(&format!("event {}", self.made)),
            aggregate_type,
            aggregate_id,
            event_type: draft.event_type,
            schema: draft.schema,
            occurred_at: at,
            arrived_at,
            data: draft.data,
            metadata,
        };
        self.waiting.insert((arrived_at, self.made), event);
    }

    /// Takes out what has arrived before `moment`, in the order of arrival.
    pub(super) fn arrived_before(&mut self, moment: i64) -> BTreeMap<(i64, u64), DemoEvent> {
        let later = self.waiting.split_off(&(moment, 0));
        std::mem::replace(&mut self.waiting, later)
    }

    fn arrival(&self, at: i64, reporter: Reporter) -> i64 {
        let Reporter::Tablet(index) = reporter else {
            return at;
        };
        match self.tablets[index % TABLETS].offline {
            // Waiting entries go out within a minute of the return, spaced as they were made.
            Some((from, until)) if (from..until).contains(&at) => until + (at - from) / 10_000,
            _ => at + 2 * SECOND,
        }
    }

    fn metadata(&mut self, reporter: Reporter, correlation: Option<Uuid>) -> Value {
        let mut metadata = match reporter {
            Reporter::Desk(function) => json!({ "user_id": self.desk(function) }),
            Reporter::Tablet(index) => {
                let tablet = &self.tablets[index % TABLETS];
                json!({ "user_id": tablet.holder, "device_id": tablet.name })
            }
        };
        metadata["source"] = json!("demo");
        if let Some(correlation) = correlation {
            metadata["correlation_id"] = json!(correlation.to_string());
        }
        metadata
    }

    fn desk(&mut self, function: &'static str) -> &str {
        let namespace = self.namespace;
        self.desks
            .entry(function)
            .or_insert_with(|| Uuid::new_v5(&namespace, function.as_bytes()).to_string())
    }
}
