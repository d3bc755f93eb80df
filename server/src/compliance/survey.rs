//! One walk over the log for all checks of a report.

use std::collections::{BTreeMap, HashMap};
use std::time::UNIX_EPOCH;

use fleet::{erasure, security, user};
use serde_json::{Value, json};
use storage::{EventRef, Position, Query, ReadError, ReadRequest, TimeRange, Timestamp};

use super::EVIDENCE_MAX;
use crate::app::AppState;
use crate::audit::CheckpointError;
use crate::{envelope, rfc3339};

mod accounts;
mod integrity;
mod money;
mod people;

pub use accounts::OpenAccount;
use money::{APPROVALS, COMMITMENTS, FINANCIAL};
pub use people::OpenRequest;

/// Events that one report looks at.
const EVENTS_MAX: u64 = 5_000_000;
const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;
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
    /// Bytes of older checkpoints that were not read, for the file of them is beyond what is.
    pub checkpoint_bytes_unread: u64,
    /// Notes that were kept as checkpoints and cannot be opened as such.
    pub unopened: Evidence,
    /// Checkpoints whose root the log does not have, and stretches of the period that do not hash to what they did.
    pub disagreeing: Evidence,
    /// The first and the last position of the period.
    pub positions: Option<(Position, Position)>,

    pub personal_events: u64,
    pub plain_personal: Evidence,
    /// Personal fields that can be read, of what happened longer ago than they are to be kept without a reason.
    pub overdue_personal: Evidence,
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
            checkpoint_bytes_unread: 0,
            unopened: Evidence::default(),
            disagreeing: Evidence::default(),
            positions: None,
            personal_events: 0,
            plain_personal: Evidence::default(),
            overdue_personal: Evidence::default(),
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
                Box::from(event.stream().aggregate_type),
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
                    event.stream().to_name(),
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
        let aggregate_type = event.stream().aggregate_type;
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
    look: impl FnMut(&EventRef<'_>) -> bool,
) -> Result<(), ReadError> {
    let request = ReadRequest {
        query,
        ..ReadRequest::default()
    };
    each_of(state, &request, look)
}

/// The same of what a request asks for.
fn each_of(
    state: &AppState,
    request: &ReadRequest,
    mut look: impl FnMut(&EventRef<'_>) -> bool,
) -> Result<(), ReadError> {
    let mut reader = state.log.read(request)?;
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
