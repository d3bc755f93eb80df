//! One walk over the log for all checks of a report.

use std::collections::{BTreeMap, HashMap};
use std::time::UNIX_EPOCH;

use fleet::{budget, cost_center, erasure, invoice, purchase_order, security, user};
use serde_json::{Map, Value, json};
use storage::{
    EventRef, Position, Query, QueryItem, ReadError, ReadRequest, StreamName, StreamRange,
    TimeRange, Timestamp, TreeError,
};

use super::EVIDENCE_MAX;
use crate::app::AppState;
use crate::audit::CheckpointError;
use crate::privacy::Subject;
use crate::privacy::subject::{METADATA_FIELDS, personal_fields};
use crate::{envelope, rfc3339};

/// Events that one report looks at.
const EVENTS_MAX: u64 = 5_000_000;
const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;
/// Aggregates that are about money.
const FINANCIAL: &[&str] = &[
    invoice::AGGREGATE_TYPE,
    budget::AGGREGATE_TYPE,
    cost_center::AGGREGATE_TYPE,
    purchase_order::AGGREGATE_TYPE,
];
/// What approves a record, and what commits money that must have been approved.
const APPROVALS: &[&str] = &[
    purchase_order::event::PURCHASE_ORDER_APPROVED,
    invoice::event::INVOICE_APPROVED,
];
const COMMITMENTS: &[&str] = &[
    purchase_order::event::PURCHASE_ORDER_ORDERED,
    invoice::event::INVOICE_EXPORTED,
    invoice::event::INVOICE_PAID,
];
/// Aggregates that the server writes by itself: nobody in particular causes their events.
const UNATTRIBUTABLE: &[&str] = &[
    security::AGGREGATE_TYPE,
    "Prediction",
    "Model",
    "Import",
    "ImportedLog",
    user::AGGREGATE_TYPE,
];

/// How many there are, and the first of them.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// How many.
    pub count: u64,
    /// At most ten, as they are shown.
    pub lines: Vec<Value>,
}

impl Evidence {
    fn add(&mut self, line: impl FnOnce() -> Value) {
        self.count += 1;
        if self.lines.len() < EVIDENCE_MAX {
            self.lines.push(line());
        }
    }
}

/// An account that is open.
#[derive(Clone, Debug)]
pub struct OpenAccount {
    /// Its id.
    pub id: String,
    /// What it may do.
    pub role: &'static str,
    /// Days since its last login, or since it was registered.
    pub quiet_days: i64,
}

/// Somebody who asked to be erased and is not.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// Who.
    pub subject: String,
    /// The event that says so.
    pub position: u64,
    /// For how long.
    pub days: i64,
}

/// What the checks look at. Counts are of the period; what is about people, accounts and keys is as of now.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named for what it counts")]
pub struct Survey {
    pub from: Timestamp,
    pub to: Timestamp,
    /// The log's end when it was looked at.
    pub position: u64,
    /// The log as it was, signed.
    pub checkpoint: Option<String>,
    /// Whether the period has more events than are looked at.
    pub truncated: bool,
    pub total: u64,
    pub by_type: BTreeMap<(String, String), u64>,
    pub users: u64,
    pub attributable: u64,
    pub unattributed: Evidence,
    pub access_events: u64,
    pub modifications: u64,
    pub damaged: Evidence,
    pub checkpoints_held: u64,
    /// Checkpoints whose root the log does not have, and stretches of the period that do not hash to what they did.
    pub disagreeing: Evidence,
    /// The first and the last position of the period.
    pub positions: Option<(Position, Position)>,

    pub personal_events: u64,
    pub plain_personal: Evidence,
    pub oldest_personal_days: Option<i64>,
    pub oldest_personal: Option<Value>,
    pub people: usize,
    pub erased: u64,
    pub open_requests: Vec<OpenRequest>,
    pub lost_subjects: Vec<String>,

    pub financial: Evidence,
    pub financial_by_type: BTreeMap<String, u64>,
    pub financial_unattributed: Evidence,
    pub approvals: u64,
    pub self_approvals: Evidence,
    pub commitments: u64,
    pub unapproved: Evidence,

    pub accounts: Vec<OpenAccount>,
    pub logins: u64,
    pub refused_logins: u64,
    pub refused_writes: u64,
    pub refused_by_account: HashMap<String, u64>,
    pub role_changes: u64,
    pub own_role_changes: Evidence,
    pub reviewed_days_ago: Option<i64>,
    pub backup_days_ago: Option<i64>,
}

impl Survey {
    /// A survey in which nothing was seen.
    pub fn empty(from: Timestamp, to: Timestamp) -> Self {
        Survey {
            from,
            to,
            position: 0,
            checkpoint: None,
            truncated: false,
            total: 0,
            by_type: BTreeMap::new(),
            users: 0,
            attributable: 0,
            unattributed: Evidence::default(),
            access_events: 0,
            modifications: 0,
            damaged: Evidence::default(),
            checkpoints_held: 0,
            disagreeing: Evidence::default(),
            positions: None,
            personal_events: 0,
            plain_personal: Evidence::default(),
            oldest_personal_days: None,
            oldest_personal: None,
            people: 0,
            erased: 0,
            open_requests: Vec::new(),
            lost_subjects: Vec::new(),
            financial: Evidence::default(),
            financial_by_type: BTreeMap::new(),
            financial_unattributed: Evidence::default(),
            approvals: 0,
            self_approvals: Evidence::default(),
            commitments: 0,
            unapproved: Evidence::default(),
            accounts: Vec::new(),
            logins: 0,
            refused_logins: 0,
            refused_writes: 0,
            refused_by_account: HashMap::new(),
            role_changes: 0,
            own_role_changes: Evidence::default(),
            reviewed_days_ago: None,
            backup_days_ago: None,
        }
    }

    /// Looks at everything that was recorded from `from` to `to`. Reads the disk: for blocking threads.
    ///
    /// # Errors
    /// When the log cannot be read or its tree not made.
    pub fn of(state: &AppState, from: Timestamp, to: Timestamp) -> Result<Self, SurveyError> {
        let mut survey = Survey::empty(from, to);
        survey.walk(state)?;
        survey.look_at_tree(state)?;
        survey.look_at_people(state)?;
        survey.look_at_accounts(state)?;
        survey.look_at_backups(state);
        Ok(survey)
    }

    fn walk(&mut self, state: &AppState) -> Result<(), ReadError> {
        // Up to now is up to the log's end: its times may be a little ahead of the clock.
        let to = match self.to >= state.clock.now() {
            true => Timestamp::MAX,
            false => self.to,
        };
        let request = ReadRequest {
            recorded: Some(TimeRange {
                from: self.from,
                to,
            }),
            ..ReadRequest::default()
        };
        let mut users: HashMap<Box<str>, ()> = HashMap::new();
        let mut seen = BTreeMap::<(Box<str>, Box<str>), u64>::new();
        let mut money = Vec::new();
        let mut reader = state.log.read(&request)?;
        while let Some(event) = reader.next() {
            let event = match event {
                Ok(event) => event,
                Err(ReadError::Damaged {
                    first,
                    last,
                    segment,
                }) => {
                    let (first, last) = (first.get(), last.get());
                    self.damaged.add(|| json!({"damaged": {"first": first, "last": last, "segment": segment.to_string()}}));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if self.total == EVENTS_MAX {
                self.truncated = true;
                break;
            }
            self.total += 1;
            let position = event.position();
            self.positions = Some((
                self.positions.map_or(position, |(first, _)| first),
                position,
            ));
            let kind = (
                Box::from(&*event.stream().aggregate_type),
                Box::from(event.event_type()),
            );
            *seen.entry(kind).or_default() += 1;
            if let Some(user) = envelope::user_id(event.tags())
                && !users.contains_key(user)
            {
                users.insert(user.into(), ());
            }
            self.see(&event);
            if APPROVALS.contains(&event.event_type()) || COMMITMENTS.contains(&event.event_type())
            {
                money.push((
                    event.stream().clone(),
                    event.version().get(),
                    event.event_type().to_owned(),
                    line_of(&event),
                    envelope::user_id(event.tags()).map(str::to_owned),
                ));
            }
        }
        self.users = users.len() as u64;
        self.by_type = seen
            .into_iter()
            .map(|((aggregate, event), count)| ((aggregate.into(), event.into()), count))
            .collect();
        for (stream, version, event_type, line, user) in money {
            self.see_money(state, &stream, version, &event_type, line, user.as_deref())?;
        }
        Ok(())
    }

    /// Counts one event.
    fn see(&mut self, event: &EventRef<'_>) {
        let aggregate_type = &*event.stream().aggregate_type;
        let event_type = event.event_type();
        let user = envelope::user_id(event.tags());
        if !UNATTRIBUTABLE.contains(&aggregate_type) && *aggregate_type != *erasure::AGGREGATE_TYPE
        {
            self.attributable += 1;
            if user.is_none() {
                self.unattributed.add(|| line_of(event));
            }
        }
        let lower = event_type.to_lowercase();
        if ["read", "accessed", "viewed"]
            .iter()
            .any(|word| lower.contains(word))
        {
            self.access_events += 1;
        } else {
            self.modifications += 1;
        }
        self.see_personal(event);
        if FINANCIAL.contains(&aggregate_type) {
            self.financial.count += 1;
            *self
                .financial_by_type
                .entry(event_type.to_owned())
                .or_default() += 1;
            if user.is_none() {
                self.financial_unattributed.add(|| line_of(event));
            }
        }
        if *aggregate_type == *user::AGGREGATE_TYPE || *aggregate_type == *security::AGGREGATE_TYPE
        {
            self.see_account(event, user);
        }
    }

    fn see_personal(&mut self, event: &EventRef<'_>) {
        let sealed = event.tags().any(|tag| Subject::of_tag(tag).is_some());
        if sealed {
            self.personal_events += 1;
        } else if let Some(field) = plain_field(event) {
            self.personal_events += 1;
            self.plain_personal.add(|| {
                let mut line = line_of(event);
                line["field"] = json!(field);
                line
            });
        }
    }

    fn see_account(&mut self, event: &EventRef<'_>, by: Option<&str>) {
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        let count = data.get("count").and_then(Value::as_u64).unwrap_or(1);
        let id = &*event.stream().aggregate_id;
        match event.event_type() {
            user::events::USER_LOGGED_IN => self.logins += 1,
            user::events::USER_LOGIN_REFUSED => {
                self.refused_logins += 1;
                *self.refused_by_account.entry(id.to_owned()).or_default() += 1;
            }
            security::event::LOGIN_REFUSED => {
                self.refused_logins += count;
                let who = by.unwrap_or("unknown names");
                *self.refused_by_account.entry(who.to_owned()).or_default() += count;
            }
            security::event::WRITE_REFUSED | security::event::REFUSALS_SUMMED_UP => {
                self.refused_writes += count;
            }
            user::events::USER_ROLE_CHANGED => {
                self.role_changes += 1;
                if by == Some(id) {
                    self.own_role_changes.add(|| line_of(event));
                }
            }
            _ => {}
        }
    }

    /// Holds an approval, or a commitment, against what came before it in its stream.
    fn see_money(
        &mut self,
        state: &AppState,
        stream: &StreamName,
        version: u32,
        event_type: &str,
        mut line: Value,
        user: Option<&str>,
    ) -> Result<(), ReadError> {
        let before = StreamRange {
            to: storage::Version::new(version),
            ..StreamRange::default()
        };
        let (mut creator, mut approved) = (None, false);
        let mut reader = state.log.read_stream(stream, &before);
        while let Some(event) = reader.next() {
            match event {
                Ok(event) if event.version().get() == version => {}
                Ok(event) => {
                    if event.version().get() == 1 {
                        creator = envelope::user_id(event.tags()).map(str::to_owned);
                    }
                    approved |= APPROVALS.contains(&event.event_type());
                }
                Err(ReadError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if APPROVALS.contains(&event_type) {
            self.approvals += 1;
            if user.is_some() && creator.as_deref() == user {
                line["created_by"] = json!(creator);
                self.self_approvals.add(|| line);
            }
        } else {
            self.commitments += 1;
            if !approved {
                self.unapproved.add(|| line);
            }
        }
        Ok(())
    }

    fn look_at_tree(&mut self, state: &AppState) -> Result<(), SurveyError> {
        let end = state.log.durable_position();
        self.position = end.get();
        for kept in state.checkpoints.kept()? {
            self.checkpoints_held += 1;
            let size = kept.checkpoint.size;
            let told = kept.checkpoint.root;
            let root = (size <= end.get())
                .then(|| state.log.tree_root(Position::new(size)))
                .transpose();
            let agrees = matches!(&root, Ok(Some(root)) if *root == told);
            if !agrees {
                self.disagreeing
                    .add(|| json!({"checkpoint": size, "note": kept.note}));
            }
        }
        // The roots above are made of hashes that are kept: whether events are still what was hashed, only hashing tells.
        if let Some((first, last)) = self.positions {
            match state.log.tree_recheck(first, last) {
                Ok(()) => {}
                Err(TreeError::Changed { first, last }) => self
                    .disagreeing
                    .add(|| json!({"changed": {"first": first.get(), "last": last.get()}})),
                Err(error) => return Err(CheckpointError::from(error).into()),
            }
        }
        if end > Position::START {
            match state.checkpoints.sign(&state.log, end) {
                Ok(signed) => self.checkpoint = Some(signed.note),
                // What damages the tree has been found above.
                Err(error) => tracing::warn!(%error, "a report goes out without a checkpoint"),
            }
        }
        Ok(())
    }

    fn look_at_people(&mut self, state: &AppState) -> Result<(), ReadError> {
        let store = state.privacy.store();
        let now = state.clock.now();
        self.people = store.people_count();
        self.erased = store.erased().len() as u64;
        self.lost_subjects = store
            .lost()
            .iter()
            .map(|(subject, _)| subject.to_string())
            .collect();
        let mut open: BTreeMap<String, OpenRequest> = BTreeMap::new();
        each(
            state,
            Query::aggregate_types([erasure::AGGREGATE_TYPE]),
            |event| {
                let subject = event.stream().aggregate_id.to_string();
                if event.event_type() == erasure::event::SUBJECT_ERASED {
                    open.remove(&subject);
                    return true;
                }
                let data: Map<String, Value> =
                    serde_json::from_slice(event.data()).unwrap_or_default();
                let asked = data.get("requested_at").and_then(Value::as_str);
                let asked = asked
                    .and_then(|text| rfc3339::parse(text).ok())
                    .unwrap_or(event.recorded_at());
                open.entry(subject.clone()).or_insert(OpenRequest {
                    subject,
                    position: event.position().get(),
                    days: days_between(asked, now),
                });
                true
            },
        )?;
        self.open_requests = open.into_values().collect();
        // The oldest personal field that can still be read: the log is in the order of recording.
        let types: Vec<Box<str>> = fleet::registry::AGGREGATES
            .iter()
            .filter(|table| crate::privacy::subject::is_person(table.aggregate_type))
            .map(|table| table.aggregate_type.into())
            .collect();
        let query = QueryItem {
            aggregate_types: types,
            ..QueryItem::default()
        };
        let mut oldest = None;
        let mut looked = 0_u64;
        each(state, query.into(), |event| {
            looked += 1;
            if plain_field(event).is_some() {
                oldest = Some((days_between(event.occurred_at(), now), line_of(event)));
            }
            oldest.is_none() && looked < EVENTS_MAX
        })?;
        if let Some((days, line)) = oldest {
            self.oldest_personal_days = Some(days);
            self.oldest_personal = Some(line);
        }
        Ok(())
    }

    fn look_at_accounts(&mut self, state: &AppState) -> Result<(), ReadError> {
        let now = state.clock.now();
        for account in state.accounts.directory().list() {
            let of = &account.state;
            if !of.is_active {
                continue;
            }
            let last = of.last_login.unwrap_or(of.created_at);
            self.accounts.push(OpenAccount {
                id: account.id_text.to_string(),
                role: of.role.name(),
                quiet_days: days_between(Timestamp::from_micros(last), now),
            });
        }
        let query = QueryItem {
            aggregate_types: vec![security::AGGREGATE_TYPE.into()],
            event_types: vec![security::event::ACCESS_REVIEWED.into()],
            ..QueryItem::default()
        };
        each(state, query.into(), |event| {
            self.reviewed_days_ago = Some(days_between(event.recorded_at(), now));
            true
        })
    }

    /// When something was last put into the folder of backups.
    fn look_at_backups(&mut self, state: &AppState) {
        let Ok(entries) = std::fs::read_dir(state.config.backups_folder()) else {
            return;
        };
        let newest = entries
            .filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok())
            .max();
        let since = newest.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let micros = since.and_then(|since| i64::try_from(since.as_micros()).ok());
        self.backup_days_ago =
            micros.map(|micros| days_between(Timestamp::from_micros(micros), state.clock.now()));
    }
}

/// Why nothing was surveyed.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The checkpoints cannot be read.
    #[error(transparent)]
    Checkpoints(#[from] CheckpointError),
}

/// Hands every event of a query to `look`, until it says that it has seen enough. Damaged ones are passed over.
fn each(
    state: &AppState,
    query: Query,
    mut look: impl FnMut(&EventRef<'_>) -> bool,
) -> Result<(), ReadError> {
    let mut reader = state.log.read(&ReadRequest {
        query,
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => {
                if !look(&event) {
                    return Ok(());
                }
            }
            Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A personal field of the event that can be read, as it lies in the log or opened.
fn plain_field(event: &EventRef<'_>) -> Option<String> {
    let readable = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !["", "[erased]", "[key lost]"].contains(&text.as_str()),
        _ => true,
    };
    let found = |text: &[u8], fields: &[&str]| {
        let data: Map<String, Value> = serde_json::from_slice(text).ok()?;
        let field = fields
            .iter()
            .find(|field| data.get(**field).is_some_and(readable))?;
        Some((*field).to_owned())
    };
    personal_fields(&event.stream().aggregate_type, event.event_type())
        .and_then(|fields| found(event.data(), fields))
        .or_else(|| {
            let has_any = event.metadata().len() > 2;
            has_any
                .then(|| found(event.metadata(), METADATA_FIELDS))
                .flatten()
        })
}

/// An event as evidence.
fn line_of(event: &EventRef<'_>) -> Value {
    json!({
        "position": event.position().get(),
        "event_id": event.id().to_string(),
        "stream": event.stream().to_string(),
        "event_type": event.event_type(),
        "recorded_at": rfc3339::to_string(event.recorded_at()),
        "user_id": envelope::user_id(event.tags()),
    })
}

fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    to.micros()
        .saturating_sub(from.micros())
        .div_euclid(MICROS_PER_DAY)
}
