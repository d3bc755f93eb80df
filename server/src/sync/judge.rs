//! The domain's word on each operation of a push, and the events that it becomes.
//!
//! The protocol asks [`Judging`] about every new operation in turn, with the entity as the operations before it left it.
//! What is a request is decided by the same `decide` as a write by HTTP; what is a fact is taken in and, where it cannot
//! be true, told as something for a person to look at. Everything is staged in one [`Decision`] and appended as one
//! transaction, or not at all.

mod staging;

use std::cell::{OnceCell, RefCell};

use crdt::collapsed::{After, CollapsedEntity, CollapsedField};
use crdt::sync::{
    Chain, Depot, Hold, Host, Judge, Judgement, Operation, OperationBody, RecordBody, Rejection,
    Request, Verdict,
};
use crdt::{Change, DeviceId, EntityTable, LogPosition, Stamp};
use fleet::maintenance_task::{self, MaintenanceTaskCommand};
use fleet::policy::Role;
use fleet::sync::{Plan, plan};
use fleet::sync_session;
use fleet::work_order::{self, WorkOrderCommand};
use serde_json::{Map, Value as Json, json};
use storage::Timestamp;
use uuid::Uuid;

use super::carrier::{CarrierId, DEVICE_PREFIX, counted_name, note_of};
use super::devices::DeviceCaller;
use super::engine::{Engine, Fold};
use super::items::Named;
use super::note::Note;
use super::policy::Policy;
use super::stock;
use super::visible::{DeviceScope, is_deleted};
use crate::app::AppState;
use crate::command::{Decision, Staged};
use crate::envelope::{CORRELATION_PREFIX, USER_PREFIX, tag};
use crate::http::maintenance::{step_order, step_task};
use crate::http::problem::Problem;
use crate::projection::Ask;
use crate::rfc3339;

/// Kilometres that a vehicle may run in a day, as far as readings are believed.
const KILOMETRES_PER_DAY_MAX: i64 = 2_000;
/// Rows of conflicts that one push may open; further ones show at their fields alone.
const CONFLICTS_MAX: usize = 200;
const DAY_MS: u64 = 86_400_000;

/// What became of one operation, beside its verdict.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) seq: u64,
    pub(super) verdict: Verdict,
    /// What a person is told; empty where the verdict's code says it all.
    pub(super) detail: String,
    /// The entity it was about.
    pub(super) entity: Option<(&'static EntityTable, Box<str>)>,
    /// The event that carries it.
    carrier: Option<Staged>,
    id: Uuid,
    name: String,
}

/// See the module.
pub(super) struct Judging<'a> {
    state: &'a AppState,
    engine: &'a Engine,
    device: &'a DeviceCaller,
    scope: DeviceScope,
    policy: Policy,
    now: Timestamp,
    correlation: &'a str,
    /// What operations are called that clients named, in order of their numbers from `first` on.
    named: &'a [Named],
    first: u64,
    /// Open conflicts of the device before this push; counted when it first matters.
    open_conflicts: OnceCell<usize>,
    staging: RefCell<Staging<'a>>,
}

struct Staging<'a> {
    tx: Decision<'a>,
    pending: Pending,
    outcomes: Vec<Outcome>,
    conflicts: usize,
    /// By how much a time was wrong that had to be moved, the worst of this push.
    clock_off_ms: Option<i64>,
    failure: Option<Problem>,
}

impl<'a> Staging<'a> {
    fn new(state: &'a AppState) -> Self {
        Staging {
            tx: Decision::of_many(state),
            pending: Pending::Nothing,
            outcomes: Vec::new(),
            conflicts: 0,
            clock_off_ms: None,
            failure: None,
        }
    }
}

/// What `judge` found, for `admitted` to carry out.
enum Pending {
    Nothing,
    Refused(String),
    Planned(Plan),
    Stepped(Vec<Staged>),
}

/// What a push came to: its outcomes, and what is to be appended.
pub(super) struct Judged<'a> {
    pub(super) tx: Decision<'a>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) conflicts: usize,
    /// By how much the device's clock is wrong, where a time had to be moved.
    pub(super) clock_off_ms: Option<i64>,
}

impl<'a> Judging<'a> {
    /// The judge of one push.
    ///
    /// # Errors
    /// See [`Policy::now`].
    pub(super) fn new(
        state: &'a AppState,
        (engine, fold): (&'a Engine, &Fold),
        device: &'a DeviceCaller,
        correlation: &'a str,
        named: &'a [Named],
        first: u64,
    ) -> Result<Self, Problem> {
        Ok(Judging {
            state,
            engine,
            device,
            scope: DeviceScope::of(state, device)?.planned_in(state, fold),
            policy: Policy::now(state)?,
            now: state.clock.now(),
            correlation,
            named,
            first,
            open_conflicts: OnceCell::new(),
            staging: RefCell::new(Staging::new(state)),
        })
    }

    /// Ends the judging: every staged event says who caused it, and which operation it carries.
    ///
    /// # Errors
    /// What the server itself could not do.
    pub(super) fn finish(
        mut self,
        records: &[crdt::sync::Record],
        mut before: Chain,
        depot: &Depot,
    ) -> Result<Judged<'a>, Problem> {
        let empty = Staging::new(self.state);
        let staging = std::mem::replace(self.staging.get_mut(), empty);
        if let Some(failure) = staging.failure {
            return Err(failure);
        }
        let mut tx = staging.tx;
        for (record, outcome) in records.iter().zip(&staging.outcomes) {
            let note = Note::of(&record.body, before, depot, &outcome.name);
            if let RecordBody::Operation { chain, .. } = &record.body {
                before = *chain;
            }
            let carrier = outcome
                .carrier
                .and_then(|staged| tx.staged_mut(staged))
                .and_then(|(_, events)| events.first_mut());
            let (Some(note), Some(event)) = (note, carrier) else {
                return Err(Problem::internal(
                    &"an operation has no event that carries it",
                ));
            };
            event.id = Some(outcome.id);
            event.metadata = json!({
                "device_id": &*self.device.device.id,
                "source": "sync",
                "crdt": note,
            })
            .to_string()
            .into_bytes();
        }
        let (user, device) = (self.device.caller.id_text(), &*self.device.device.id);
        self.stage_session(&mut tx, &staging.outcomes, staging.conflicts)?;
        tx.sign_all(|event| {
            event.tags.push(tag(USER_PREFIX, user));
            event.tags.push(tag(DEVICE_PREFIX, device));
            if !self.correlation.is_empty() {
                event.tags.push(tag(CORRELATION_PREFIX, self.correlation));
            }
            if event.metadata.is_empty() {
                event.metadata = json!({ "device_id": device, "source": "sync" })
                    .to_string()
                    .into_bytes();
            }
        });
        Ok(Judged {
            tx,
            outcomes: staging.outcomes,
            conflicts: staging.conflicts,
            clock_off_ms: staging.clock_off_ms,
        })
    }

    /// Tells of the push itself, in the device's own stream: two pushes of one device at a time cannot both be judged on
    /// what was before.
    fn stage_session(
        &self,
        tx: &mut Decision<'_>,
        outcomes: &[Outcome],
        conflicts: usize,
    ) -> Result<(), Problem> {
        let count = |of: fn(&Verdict) -> bool| {
            outcomes
                .iter()
                .filter(|outcome| of(&outcome.verdict))
                .count()
        };
        let entities: std::collections::BTreeSet<_> = outcomes
            .iter()
            .filter_map(|outcome| outcome.entity.as_ref())
            .map(|(table, id)| (table.number, &**id))
            .collect();
        let rejected = count(|verdict| matches!(verdict, Verdict::Rejected(..)));
        let applied = count(is_applied);
        let now = rfc3339::to_string(self.now);
        let data = json!({
            "session_id": Uuid::new_v4().to_string(),
            "sync_type": "push",
            "entities_synced": entities.len(),
            "operations": outcomes.len(),
            "applied": applied,
            "merged": outcomes.len() - applied - rejected,
            "rejected": rejected,
            "conflicts": conflicts,
            "status": "completed",
            "started_at": now,
            "completed_at": now,
            "user_id": self.by(),
        });
        let draft = sync_session::SCHEMA.draft(
            sync_session::SYNC_PUSHED,
            fleet::schema::draft::members(data),
        );
        let device = &*self.device.device.id;
        tx.append(sync_session::AGGREGATE_TYPE, device, vec![draft])
    }

    fn by(&self) -> &str {
        self.device.caller.id_text()
    }

    fn role(&self) -> Role {
        self.device.role()
    }

    /// The time that a person's work is dated with: the device's word, as far as it can be true.
    fn believed(&self, operation: &Operation) -> Timestamp {
        let earliest = match operation.base {
            LogPosition::START => 0,
            base => self.engine.time_of(base),
        };
        let now = u64::try_from(self.now.micros() / 1_000).unwrap_or(0);
        let claimed = operation.stamp.millis().clamp(earliest.min(now), now);
        Timestamp::from_micros(i64::try_from(claimed).unwrap_or(0) * 1_000)
    }

    /// What an operation is called, and the id of the event that carries it.
    fn id_of(&self, device: DeviceId, seq: u64, verdict: &Verdict) -> (String, Uuid) {
        let named = seq
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| self.named.get(index));
        match named {
            Some(named) => {
                // What one device was refused, another may still bring.
                let shared = named.shared.filter(|_| verdict.is_folded());
                (named.name.clone(), shared.unwrap_or(named.event).id)
            }
            None => {
                let carrier = CarrierId::counted(self.engine.log().log_id(), device, seq);
                (counted_name(device, seq), carrier.id)
            }
        }
    }

    fn plan_for(&self, request: &Request<'_>, id: &str) -> Result<Pending, Problem> {
        let at = self.believed(request.operation);
        let text = rfc3339::to_string(at);
        let entity = request.entity;
        let planned = plan(entity, request.row, request.change, self.by(), &text)?;
        let Plan::Request(fields) = planned else {
            self.refuse_unbegun(request, id)?;
            return Ok(Pending::Planned(planned));
        };
        let mut staging = self.staging.borrow_mut();
        let tx = &mut staging.tx;
        tx.begin_step();
        let by = self.by();
        let stepped = match entity.table().name {
            maintenance_task::AGGREGATE_TYPE => {
                let command = MaintenanceTaskCommand::Change(fields);
                step_task(tx, id, &command, by)
            }
            _ => {
                let fields = with_times(fields, entity, text);
                step_order(tx, id, &WorkOrderCommand::Change { fields }, by)
            }
        };
        match stepped {
            Ok(()) => Ok(Pending::Stepped(tx.end_step())),
            Err(problem) => {
                tx.undo_step();
                Err(problem)
            }
        }
    }

    /// Refuses to take away when work began that goes on, or is to be released: that is no report of what was done.
    fn refuse_unbegun(&self, request: &Request<'_>, id: &str) -> Result<(), Problem> {
        let place = (request.entity.table().name, request.row.name);
        let is_emptied = matches!(request.change, Change::Set(value) if value.is_null());
        if place != (work_order::AGGREGATE_TYPE, "actual_start") || !is_emptied {
            return Ok(());
        }
        let mut staging = self.staging.borrow_mut();
        let order = staging.tx.load(work_order::AGGREGATE_TYPE, id)?;
        Ok(work_order::refuse_unbegun(&order)?)
    }

    fn refuse(&self, detail: impl Into<String>, code: Rejection) -> Judgement {
        self.staging.borrow_mut().pending = Pending::Refused(detail.into());
        Judgement::Reject(code)
    }

    /// Whether the change meets another value that its writer had not seen.
    fn would_disagree(&self, request: &Request<'_>) -> bool {
        let register = request.entity.register(request.row.number, request.change);
        let (Some(winner), Change::Set(value) | Change::Put { value, .. }) =
            (register.and_then(|held| held.winner()), request.change)
        else {
            return false;
        };
        let is_seen = winner.device == request.device || winner.position <= request.operation.base;
        !is_seen && winner.value != *value
    }

    /// Whether the device has as many open conflicts as it may, with `here` of this push.
    fn has_spent_conflicts(&self, here: usize) -> bool {
        let before = *self.open_conflicts.get_or_init(|| {
            let ask = Ask {
                aggregate_type: fleet::sync_conflict::AGGREGATE_TYPE,
                filters: vec![
                    ("is_resolved", "false".to_owned()),
                    ("source_device", self.device.device.id.to_string()),
                ],
                ..Ask::default()
            };
            let page = self.state.projections.catalog().page(&ask);
            page.map_or(0, |page| page.value.total)
        });
        before + here >= self.state.config.sync.conflicts_open_max
    }

    /// Why a reading cannot be believed as it is.
    fn implausible(&self, request: &Request<'_>) -> Option<String> {
        let Change::Raise { epoch, value } = request.change else {
            return None;
        };
        let Some(CollapsedField::Max(held, at)) = request.entity.field(request.row.number) else {
            return None;
        };
        let before = held.value().filter(|_| *epoch == held.epoch())?;
        let since = self.engine.time_of(*at);
        let now = u64::try_from(self.now.micros() / 1_000).unwrap_or(0);
        let days = i64::try_from(now.saturating_sub(since) / DAY_MS).unwrap_or(0) + 1;
        let most = KILOMETRES_PER_DAY_MAX.saturating_mul(days);
        let rise = value.saturating_sub(before);
        (rise > most && before > 0).then(|| {
            format!("{rise} km in {days} day(s); more than {most} km are looked at by a person")
        })
    }
}

/// The step of an order, with when it began or ended where its writer says that it does.
fn with_times(
    mut fields: Map<String, Json>,
    order: &CollapsedEntity,
    at: String,
) -> Map<String, Json> {
    let has_begun = super::visible::text(order, "actual_start").is_some();
    match fields.get("status").and_then(Json::as_str) {
        Some("in_progress") if !has_begun => {
            fields.insert("actual_start".to_owned(), at.into());
        }
        Some("completed") => {
            fields.insert("actual_end".to_owned(), at.into());
        }
        _ => {}
    }
    fields
}

/// What a refusal of the domain is to the protocol.
fn rejection_of(problem: &Problem) -> Rejection {
    match problem.kind().status().as_u16() {
        403 => Rejection::NotAuthorised,
        404 => Rejection::UnknownEntity,
        422 => Rejection::InvalidValue,
        _ => Rejection::IllegalTransition,
    }
}

impl Judge for Judging<'_> {
    fn judge(&self, request: &Request<'_>) -> Judgement {
        self.staging.borrow_mut().pending = Pending::Nothing;
        let entity = request.entity;
        let table = entity.table();
        let Ok(id) = std::str::from_utf8(request.id) else {
            return self.refuse("", Rejection::UnknownEntity);
        };
        let (handle, base) = (request.handle, request.operation.base);
        if !self.scope.covers(handle, entity) && !self.scope.moved_after(handle, entity, base) {
            return self.refuse("it is outside the device's scope", Rejection::OutOfScope);
        }
        if is_deleted(entity) {
            return self.refuse("it was deleted", Rejection::DeletedEntity);
        }
        let Some(rank) = self.policy.rank(table.name, request.row.name, self.role()) else {
            let detail = format!("a {} may not change {} here", self.role(), request.row.name);
            return self.refuse(detail, Rejection::NotAuthorised);
        };
        if matches!(request.change, Change::RemoveSeen { .. }) && self.named.is_empty() {
            let detail = "a frame removes by what its device had seen";
            return self.refuse(detail, Rejection::InvalidValue);
        }
        if let Some(detail) = self.implausible(request) {
            self.staging.borrow_mut().pending = Pending::Refused(detail);
            return Judgement::Hold(Hold::Implausible);
        }
        if let Some(detail) = stock::settled(self.state, entity, id, request.row, request.change) {
            return self.refuse(detail, Rejection::IllegalTransition);
        }
        match self.plan_for(request, id) {
            Ok(pending) => {
                if matches!(pending, Pending::Stepped(_)) {
                    self.staging.borrow_mut().pending = pending;
                    return Judgement::Decided;
                }
                let here = self.staging.borrow().conflicts;
                if self.would_disagree(request) && self.has_spent_conflicts(here) {
                    let most = self.state.config.sync.conflicts_open_max;
                    let detail = format!(
                        "the tablet has {most} open conflicts; settle some of them, and it may be done again"
                    );
                    self.staging.borrow_mut().pending = Pending::Refused(detail);
                    return Judgement::Hold(Hold::ConflictBudget);
                }
                self.staging.borrow_mut().pending = pending;
                Judgement::Allow { rank }
            }
            Err(problem) => {
                let detail = problem.detail().to_owned();
                let code = rejection_of(&problem);
                if problem.kind().status().is_server_error() {
                    self.staging.borrow_mut().failure = Some(problem);
                }
                self.refuse(detail, code)
            }
        }
    }

    fn judge_creation(
        &self,
        _: DeviceId,
        operation: &Operation,
        table: &'static EntityTable,
    ) -> Judgement {
        self.staging.borrow_mut().pending = Pending::Nothing;
        let OperationBody::Create { id, .. } = &operation.body else {
            return self.refuse("", Rejection::InvalidValue);
        };
        let id = std::str::from_utf8(id).unwrap_or_default();
        if id.is_empty() || id.chars().any(char::is_control) {
            return self.refuse(
                "an id is text without control characters",
                Rejection::InvalidValue,
            );
        }
        let known = self.state.projections.catalog().find(table.name, id);
        let is_known = known.value.is_some();
        match table.name {
            _ if is_known => Judgement::Allow { rank: 0 },
            "WorkOrder" | "StockMove" if Uuid::try_parse(id).is_err() => {
                self.refuse("its id must be a UUID", Rejection::InvalidValue)
            }
            "WorkOrder" | "StockMove" if self.role().reaches(Role::Technician) => {
                Judgement::Allow { rank: 0 }
            }
            name => {
                let detail = format!("there is no {name} {id}, and tablets do not create one");
                self.refuse(detail, Rejection::UnknownEntity)
            }
        }
    }
}

impl Host for Judging<'_> {
    fn time_of(&self, position: LogPosition) -> u64 {
        self.engine.time_of(position)
    }

    fn chain_at(&self, device: DeviceId, seq: u64) -> Option<Chain> {
        let log = self.engine.log().log_id();
        let read = |event: &storage::EventRef<'_>| note_of(log, event);
        let carrier = CarrierId::counted(log, device, seq);
        self.engine.event_of(carrier, read)??.chain()
    }

    fn admitted(&self, record: &RecordBody, after: Option<&After<'_>>) {
        let mut staging = self.staging.borrow_mut();
        let pending = std::mem::replace(&mut staging.pending, Pending::Nothing);
        if let Err(problem) = self.stage(&mut staging, record, after, pending) {
            staging.failure.get_or_insert(problem);
        }
    }
}

/// A stamp as a time of the log: its counter is microseconds, as far as they go.
pub(super) fn micros_of(stamp: Stamp) -> Timestamp {
    let millis = i64::try_from(stamp.millis()).unwrap_or(i64::MAX / 1_000);
    let below = i64::from(stamp.counter().min(999));
    Timestamp::from_micros(millis.saturating_mul(1_000).saturating_add(below))
}

/// Whether the operation stands as it was sent and shows.
pub(super) fn is_applied(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Applied(_) | Verdict::Adjusted(_, crdt::sync::Adjustment::Clock)
    )
}
