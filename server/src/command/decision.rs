//! What a decision looks at, and what it leaves to be appended.

use std::collections::BTreeSet;

use fleet::listing::row_uuid;
use fleet::vehicle::event::VEHICLE_TAKEN_OVER;
use fleet::{EventDraft, EventView, Folded, Refusal, order_of_next, registry};
use hashbrown::HashMap;
use serde_json::{Map, Value};
use storage::{
    ExpectedVersion, NewEvent, Position, Query, QueryItem, StreamName, StreamRange, StreamWrite,
    Timestamp, Transaction, Version,
};
use uuid::Uuid;

use crate::app::AppState;
use crate::envelope::key_tag;
use crate::figures::last_in_time;
use crate::http::problem::{Kind, Problem};
use crate::projection::{Ask, Entry};

/// Rows that a decision may look at in one list.
const LISTED_MAX: usize = 10_000;
/// How far the log's times may be ahead of the clock without a client's doing, in microseconds.
const AHEAD_OF_CLOCK_MAX: i64 = 1_000_000;

/// One making of a decision.
///
/// What is *loaded* is meant to be written: its events are appended at exactly the version that was seen. What was
/// loaded and gets no event is not held to its version; what was concluded from it is for a *claim* to hold. What is
/// *found* is only looked at: the append holds if it has not been deleted since; what is *read*, if nothing at all
/// happened to it.
#[derive(Debug)]
pub struct Decision<'a> {
    state: &'a AppState,
    now: Timestamp,
    /// What the read model reflected when the decision began: what the append's condition looks behind.
    seen: Position,
    /// The version that the client wants the first loaded aggregate to have.
    wanted: Option<ExpectedVersion>,
    /// Made of the idempotency key, so that a repetition makes the same ids.
    id_seed: Option<Uuid>,
    ids_made: u64,
    streams: Vec<Loaded>,
    /// Where each stream stands in `streams`.
    places: HashMap<StreamName, usize>,
    conditions: Vec<QueryItem>,
    claims: BTreeSet<Box<str>>,
    /// How to take the present step back.
    step: Option<Step>,
}

/// What was before a step.
#[derive(Debug)]
struct Step {
    streams: usize,
    conditions: usize,
    claims: BTreeSet<Box<str>>,
    /// Streams that the step appended to, as they were.
    changed: Vec<(usize, Loaded)>,
}

/// Where a step put its events: a stream's place, and the first of them there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Staged {
    stream: usize,
    from: usize,
}

impl Staged {
    /// So many events further on in the same stream.
    pub(crate) fn behind(self, events: usize) -> Self {
        Staged {
            from: self.from + events,
            ..self
        }
    }
}

/// An aggregate that was loaded, and its staged events.
#[derive(Clone, Debug)]
struct Loaded {
    name: StreamName,
    folded: Folded,
    /// As it is in the log.
    version: Version,
    staged: Vec<NewEvent>,
}

impl<'a> Decision<'a> {
    pub(super) fn new(
        state: &'a AppState,
        wanted: Option<ExpectedVersion>,
        id_seed: Option<Uuid>,
    ) -> Self {
        Decision {
            now: state.clock.now(),
            seen: state.projections.catalog().position(),
            state,
            wanted,
            id_seed,
            ids_made: 0,
            streams: Vec::new(),
            places: HashMap::new(),
            conditions: Vec::new(),
            claims: BTreeSet::new(),
            step: None,
        }
    }

    /// A decision made of many, for somebody who is not a request.
    pub(crate) fn of_many(state: &'a AppState) -> Self {
        Decision::new(state, None, None)
    }

    /// What follows is a step, which may be taken back as a whole.
    pub(crate) fn begin_step(&mut self) {
        self.step = Some(Step {
            streams: self.streams.len(),
            conditions: self.conditions.len(),
            claims: self.claims.clone(),
            changed: Vec::new(),
        });
    }

    /// Takes back what was done since [`begin_step`](Decision::begin_step).
    pub(crate) fn undo_step(&mut self) {
        let Some(step) = self.step.take() else {
            return;
        };
        for loaded in self.streams.drain(step.streams..) {
            self.places.remove(&loaded.name);
        }
        for (index, before) in step.changed {
            if let Some(loaded) = self.streams.get_mut(index) {
                *loaded = before;
            }
        }
        self.conditions.truncate(step.conditions);
        self.claims = step.claims;
    }

    /// Keeps what was done since [`begin_step`](Decision::begin_step), and says where its events are.
    pub(crate) fn end_step(&mut self) -> Vec<Staged> {
        let Some(step) = self.step.take() else {
            return Vec::new();
        };
        let changed = step.changed.iter().map(|(stream, before)| Staged {
            stream: *stream,
            from: before.staged.len(),
        });
        let new = (step.streams..self.streams.len()).map(|stream| Staged { stream, from: 0 });
        changed.chain(new).collect()
    }

    /// The events of a step, with their streams, to be signed and dated.
    pub(crate) fn staged_mut(&mut self, staged: Staged) -> Option<(&StreamName, &mut [NewEvent])> {
        let loaded = self.streams.get_mut(staged.stream)?;
        let events = loaded.staged.get_mut(staged.from..)?;
        Some((&loaded.name, events))
    }

    /// Every staged event, to be signed.
    pub(crate) fn sign_all(&mut self, mut sign: impl FnMut(&mut NewEvent)) {
        let events = self
            .streams
            .iter_mut()
            .flat_map(|loaded| &mut loaded.staged);
        events.for_each(&mut sign);
    }

    /// The streams that get events.
    pub(crate) fn written(&self) -> impl Iterator<Item = &StreamName> {
        let written = self
            .streams
            .iter()
            .filter(|loaded| !loaded.staged.is_empty());
        written.map(|loaded| &loaded.name)
    }

    /// The time at which the decision is made.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The last moment at which what is due at `due` is in time, here ([`last_in_time`]).
    pub fn last_in_time(&self, due: i64) -> i64 {
        last_in_time(self.state.config.analytics.time_zone, due)
    }

    /// An id for a new aggregate, lower-case and hyphenated.
    pub fn new_id(&mut self) -> String {
        self.ids_made += 1;
        let id = match &self.id_seed {
            Some(seed) => Uuid::new_v5(seed, format!("aggregate/{}", self.ids_made).as_bytes()),
            None => Uuid::new_v4(),
        };
        id.to_string()
    }

    /// The aggregate as its log has it, to be written. Not existing is a state as well; what follows from it is the
    /// domain's to say. The first one loaded is the one that `If-Match` speaks of.
    ///
    /// # Errors
    /// `precondition-failed`; when the log cannot be read.
    pub fn load(&mut self, aggregate_type: &str, aggregate_id: &str) -> Result<Folded, Problem> {
        let index = self.place(aggregate_type, aggregate_id)?;
        Ok(self.streams[index].folded.clone())
    }

    /// The aggregate that exists with this id, UUID or business key, to be written.
    ///
    /// # Errors
    /// 404 with `missing` as its text when there is none; those of [`load`](Decision::load).
    pub fn load_existing(
        &mut self,
        aggregate_type: &str,
        id: &str,
        missing: &'static str,
    ) -> Result<Entry, Problem> {
        let found = self.state.projections.catalog().find(aggregate_type, id);
        let id = match &found.value {
            Some(entry) => std::sync::Arc::clone(&entry.aggregate_id),
            // It may be so new that the read model does not have it yet.
            None => id.into(),
        };
        let index = self.place(aggregate_type, &id)?;
        let loaded = &self.streams[index];
        if !loaded.folded.exists() {
            return Err(Problem::not_found(missing));
        }
        Ok(Entry {
            aggregate_type: aggregate_type.into(),
            aggregate_id: id,
            version: loaded.version,
            folded: loaded.folded.clone(),
        })
    }

    /// The aggregate that exists with this id, UUID or business key. The append fails if it is deleted meanwhile.
    pub fn find(&mut self, aggregate_type: &str, id: &str) -> Option<Entry> {
        let found = self.state.projections.catalog().find(aggregate_type, id);
        let entry = found.value?;
        let deleted = format!("{aggregate_type}Deleted");
        self.conditions.push(QueryItem {
            streams: vec![StreamName::new(aggregate_type, &*entry.aggregate_id)],
            event_types: fleet::alias::spellings(&deleted).map(Into::into).to_vec(),
            ..QueryItem::default()
        });
        Some(entry)
    }

    /// As [`find`](Decision::find). The append fails if anything happens to it meanwhile.
    pub fn read(&mut self, aggregate_type: &str, id: &str) -> Option<Entry> {
        let found = self.state.projections.catalog().find(aggregate_type, id);
        let entry = found.value?;
        self.conditions.push(QueryItem {
            streams: vec![StreamName::new(aggregate_type, &*entry.aggregate_id)],
            ..QueryItem::default()
        });
        Some(entry)
    }

    /// As [`find`](Decision::find), and the append does not depend on it: for what a [`claim`](Decision::claim) holds, and
    /// for what would only free something by going.
    pub fn look(&self, aggregate_type: &str, id: &str) -> Option<Entry> {
        let catalog = self.state.projections.catalog();
        catalog.find(aggregate_type, id).value
    }

    /// The rows of a type that have this value of a declared filter, at most ten thousand, as the read model has them.
    /// Whether they stay as they are is for a [`claim`](Decision::claim) to say.
    pub fn list(
        &self,
        aggregate_type: &'static str,
        filter: &'static str,
        value: &str,
    ) -> Vec<Entry> {
        let ask = Ask {
            aggregate_type,
            filters: vec![(filter, value.to_owned())],
            limit: LISTED_MAX,
            ..Ask::default()
        };
        let page = self.state.projections.catalog().page(&ask);
        page.map_or_else(|_| Vec::new(), |page| page.value.entries)
    }

    /// As [`list`](Decision::list), with what this decision has staged so far: what takes several steps at once, a
    /// tablet's push, must not judge one step by what another of them has ended.
    pub fn list_so_far(
        &self,
        aggregate_type: &'static str,
        filter: &'static str,
        value: &str,
    ) -> Vec<Entry> {
        let mut entries = self.list(aggregate_type, filter, value);
        let filter = registry().aggregate(aggregate_type).and_then(|aggregate| {
            let mut filters = aggregate.listing.filters.iter();
            filters.find(|known| known.name == filter)
        });
        let staged = self.streams.iter().filter(|loaded| {
            *loaded.name.aggregate_type == *aggregate_type && !loaded.staged.is_empty()
        });
        for loaded in staged {
            let (id, folded) = (&*loaded.name.aggregate_id, &loaded.folded);
            entries.retain(|entry| *entry.aggregate_id != *id);
            let listed_under = filter.and_then(|filter| filter.of(folded));
            if folded.exists() && listed_under.as_deref() == Some(value) {
                entries.push(Entry {
                    aggregate_type: aggregate_type.into(),
                    aggregate_id: id.into(),
                    version: loaded.version,
                    folded: folded.clone(),
                });
            }
        }
        entries
    }

    /// Takes something that only one writer at a time may take, `calendar:Staff:…`: every event of this write carries
    /// the tag, and the append fails if another event with it was appended meanwhile.
    pub fn claim(&mut self, tag: &str) {
        self.claims.insert(tag.into());
    }

    /// Whether a row that exists has this business key.
    pub fn is_taken(&self, aggregate_type: &str, field: &str, value: &str) -> bool {
        let catalog = self.state.projections.catalog();
        catalog.by_key(aggregate_type, field, value).value.is_some()
    }

    /// The next number behind `prefix` in a business key, with at least so many digits. It is given to nobody else, and no row
    /// has it.
    pub fn next_number(
        &self,
        aggregate_type: &str,
        field: &str,
        prefix: &str,
        digits: usize,
    ) -> String {
        let catalog = self.state.projections.catalog();
        let used = catalog.highest_number(aggregate_type, field, prefix).value;
        let series = format!("{aggregate_type}/{field}/{prefix}");
        loop {
            let number = self.state.numbers.next(&series, used);
            let key = format!("{prefix}{number:0digits$}");
            // Behind the highest that is counted, what was given before the last start is not known as such.
            if !self.is_taken(aggregate_type, field, &key) {
                return key;
            }
        }
    }

    /// Stages events of an aggregate. What is loaded of it afterwards has them folded.
    ///
    /// The business keys that its [`Listing`](fleet::listing::Listing) names are held: a value that the aggregate does
    /// not have yet must be free, and stays so until the append.
    ///
    /// # Errors
    /// 400 for a business key that another row has; `decided-elsewhere` for what a vehicle's home records; those of
    /// [`load`](Decision::load).
    pub fn append(
        &mut self,
        aggregate_type: &str,
        aggregate_id: &str,
        drafts: Vec<EventDraft>,
    ) -> Result<(), Problem> {
        let index = self.place(aggregate_type, aggregate_id)?;
        let event_types = drafts.iter().map(|draft| draft.event_type);
        // Who takes a vehicle over is not its home yet.
        let event_types = event_types.filter(|event_type| *event_type != VEHICLE_TAKEN_OVER);
        crate::federation::check_vehicle(self.state, &self.streams[index].name, event_types)?;
        for draft in drafts {
            let Value::Object(data) = draft.data else {
                continue;
            };
            let tags = self.hold_keys(index, &data)?;
            self.note_before(index);
            let loaded = &mut self.streams[index];
            let happens = staged_at(self.now, &loaded.folded);
            let version =
                loaded.version.get() + 1 + u32::try_from(loaded.staged.len()).unwrap_or(0);
            loaded.folded.fold(&EventView {
                aggregate_type,
                aggregate_id,
                event_type: draft.event_type,
                schema: draft.schema,
                version,
                // Behind all that is in the log.
                position: u64::MAX,
                occurred_at: happens,
                recorded_at: happens,
                order: order_of_next(version),
                data: &data,
            });
            let mut event = NewEvent::new(draft.event_type, Value::Object(data).to_string());
            event.schema = draft.schema;
            event.tags = tags;
            loaded.staged.push(event);
        }
        Ok(())
    }

    fn note_before(&mut self, index: usize) {
        let Some(step) = &mut self.step else { return };
        let is_new = index >= step.streams;
        if !is_new && step.changed.iter().all(|(changed, _)| *changed != index) {
            step.changed.push((index, self.streams[index].clone()));
        }
    }

    /// The UUID of the row of an aggregate that was loaded.
    pub fn uuid_of(&mut self, aggregate_type: &str, aggregate_id: &str) -> Result<Uuid, Problem> {
        let index = self.place(aggregate_type, aggregate_id)?;
        let folded = &self.streams[index].folded;
        Ok(row_uuid(aggregate_type, aggregate_id, folded))
    }

    /// Tags for the business keys that `data` sets, having made sure that each is free.
    fn hold_keys(
        &mut self,
        index: usize,
        data: &Map<String, Value>,
    ) -> Result<Vec<Box<str>>, Problem> {
        let loaded = &self.streams[index];
        let aggregate_type = &loaded.name.aggregate_type;
        let Some(aggregate) = registry().aggregate(aggregate_type) else {
            return Ok(Vec::new());
        };
        let mut tags = Vec::new();
        for key in aggregate.listing.keys {
            let Some(value) = data.get(*key).and_then(Value::as_str) else {
                continue;
            };
            if value.is_empty() || loaded.folded.text(key) == Some(value) {
                continue;
            }
            if self.is_taken(aggregate_type, key, value) {
                let text = format!("{aggregate_type} with {key} '{value}' already exists");
                return Err(Refusal::rule(key, "already_exists", text).into());
            }
            tags.push(key_tag(aggregate_type, key, value));
        }
        self.conditions.extend(tags.iter().map(|tag| QueryItem {
            tags: vec![tag.clone()],
            ..QueryItem::default()
        }));
        Ok(tags)
    }

    fn place(&mut self, aggregate_type: &str, aggregate_id: &str) -> Result<usize, Problem> {
        let name = StreamName::new(aggregate_type, aggregate_id);
        if let Some(index) = self.places.get(&name) {
            return Ok(*index);
        }
        let (folded, version) = present(self.state, &name)?;
        crate::federation::check_home(self.state, &name)?;
        if let Some(wanted) = self.wanted.take() {
            check_wanted(&name, wanted, version)?;
        }
        self.places.insert(name.clone(), self.streams.len());
        self.streams.push(Loaded {
            name,
            folded,
            version,
            staged: Vec::new(),
        });
        Ok(self.streams.len() - 1)
    }

    /// The stream that the answer is about: the first that was loaded or appended to.
    pub(super) fn subject(&self) -> Option<StreamName> {
        self.streams.first().map(|loaded| loaded.name.clone())
    }

    /// What is to be appended; `None` when the decision was that nothing is.
    pub(crate) fn into_transaction(self) -> Option<Transaction> {
        let claims: Vec<Box<str>> = self.claims.into_iter().collect();
        let mut writes = Vec::new();
        for loaded in self.streams {
            if loaded.staged.is_empty() {
                continue;
            }
            let mut events = loaded.staged;
            for event in &mut events {
                event.tags.extend(claims.iter().cloned());
            }
            writes.push(StreamWrite {
                stream: loaded.name,
                expected: ExpectedVersion::Exact(loaded.version),
                events,
            });
        }
        if writes.is_empty() {
            return None;
        }
        let mut items = self.conditions;
        items.extend(claims.into_iter().map(|claim| QueryItem {
            tags: vec![claim],
            ..QueryItem::default()
        }));
        let transaction = Transaction {
            writes,
            condition: None,
        };
        Some(if items.is_empty() {
            transaction
        } else {
            transaction.on_condition(Query { items }, self.seen)
        })
    }
}

/// When a staged event will have happened. The log's times rise with every event, so they may be ahead of a clock that
/// stands or was set back a little; an event appended now is later than those all the same. What a client dated further
/// ahead keeps its place in the future, here as in the log.
pub(super) fn staged_at(now: Timestamp, folded: &Folded) -> i64 {
    let latest = folded.record.changed_at().unwrap_or(i64::MIN);
    if latest >= now.micros() && latest - now.micros() <= AHEAD_OF_CLOCK_MAX {
        latest + 1
    } else {
        now.micros()
    }
}

fn check_wanted(
    name: &StreamName,
    wanted: ExpectedVersion,
    version: Version,
) -> Result<(), Problem> {
    let (met, expected): (bool, Value) = match wanted {
        ExpectedVersion::Any => (true, "any".into()),
        ExpectedVersion::NoStream => (version == Version::NONE, "no_stream".into()),
        ExpectedVersion::Exists => (version != Version::NONE, "exists".into()),
        ExpectedVersion::Exact(exact) => (version == exact, exact.get().into()),
    };
    if met {
        return Ok(());
    }
    let detail = format!(
        "{}/{} is at version {version}, not as If-Match asks",
        name.aggregate_type, name.aggregate_id
    );
    Err(Problem::new(Kind::PreconditionFailed, detail)
        .with("expected_version", expected)
        .with("actual_version", version.get()))
}

/// The aggregate as the log has it now: what the read model has of it, and the events behind that.
pub(super) fn present(state: &AppState, name: &StreamName) -> Result<(Folded, Version), Problem> {
    let tip = state.log.stream(name);
    let entry = state
        .projections
        .catalog()
        .entry(&name.aggregate_type, &name.aggregate_id);
    let (mut folded, mut version) = match entry.value {
        Some(entry) => (entry.folded, entry.version),
        None => (Folded::default(), Version::NONE),
    };
    let is_behind = tip.is_some_and(|tip| tip.version > version);
    let Some(from) = version.next().filter(|_| is_behind) else {
        return Ok((folded, version));
    };
    let range = StreamRange {
        from,
        ..StreamRange::default()
    };
    let mut reader = state.log.read_stream(name, &range);
    while let Some(event) = reader.next() {
        let event = event?;
        let data = serde_json::from_slice(event.data()).unwrap_or_default();
        folded.fold(&crate::projection::view(&event, &data));
        version = event.version();
    }
    Ok((folded, version))
}
