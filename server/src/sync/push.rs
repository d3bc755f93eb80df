//! A push: judged, appended in one transaction, folded as the log has it, answered.
//!
//! Nothing is held between judging and appending. The append holds only if every stream it writes to is as it was when it
//! was judged, and if no other push of the device came in between; otherwise it is judged again, on what is then. So many
//! devices are judged one after the other and made durable together.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Bytes;
use crdt::sync::{Chain, PushAnswer, PushError, PushRequest, Verdict};
use crdt::{DeviceId, LogPosition};
use fleet::sync_session;
use serde_json::{Value as Json, json};
use storage::{AppendError, ExpectedVersion, NewEvent, StreamName, StreamWrite, Transaction};

use super::carrier::{CarrierId, note_of};
use super::contact::refused;
use super::devices::DeviceCaller;
use super::engine::{Engine, Fold};
use super::items::{self, Fate, Item, Prepared};
use super::judge::{Judging, Outcome, is_applied};
use super::{note, wire};
use crate::app::AppState;
use crate::append::append;
use crate::envelope::{USER_PREFIX, tag};
use crate::http::problem::{Kind, Problem};
use crate::projection::CATALOG;

/// How often a push is judged again after somebody else wrote in between.
const RETRIES_MAX: usize = 32;

/// How long an answer waits for the read models to show the push, as the answer to any write does.
const SHOWN_WAIT: Duration = Duration::from_secs(2);

/// What a device sends.
#[derive(Clone, Debug)]
pub enum Source {
    /// A frame of the protocol.
    Frame(Bytes),
    /// Operations with ids of the client's own.
    Items(std::sync::Arc<Vec<Item>>),
}

/// What became of one item of a JSON client.
#[derive(Clone, Debug)]
pub struct ItemResult {
    /// The client's id.
    pub id: String,
    /// `applied`, `merged`, `duplicate` or `rejected`.
    pub status: &'static str,
    /// The protocol's code, where there is more to say.
    pub reason: Option<String>,
    /// The same for a person.
    pub detail: Option<String>,
    /// Where the log has it.
    pub position: Option<u64>,
    /// The entity and field now.
    pub state: Json,
}

/// What a push came to.
#[derive(Clone, Debug, Default)]
pub struct Pushed {
    /// For a frame: verdicts and handles.
    pub answer: PushAnswer,
    /// For items: one each, in their order.
    pub results: Vec<ItemResult>,
    /// Operations that were new.
    pub operations: usize,
    /// Conflicts that it opened.
    pub conflicts: usize,
}

enum Attempt {
    Append(Box<Proposal>),
    Again,
    Done(PushAnswer, Vec<Fate>),
}

struct Proposal {
    transaction: Transaction,
    outcomes: Vec<Outcome>,
    fates: Vec<Fate>,
    answer: PushAnswer,
    conflicts: usize,
    clock_off_ms: Option<i64>,
}

/// Pushes.
///
/// # Errors
/// What refuses the push whole: a frame that is none, of another device, with a gap, of a copied store; what the log says.
pub async fn push(
    state: &AppState,
    device: &DeviceCaller,
    source: Source,
    served: LogPosition,
    correlation: &str,
) -> Result<Pushed, Problem> {
    let mut turn = None;
    let now = state.clock.now();
    state
        .sync
        .contacts
        .note(&device.device.id, now, true, false);
    for _ in 0..RETRIES_MAX {
        let attempt = attempt(state, device, &source, served, correlation).await?;
        let proposal = match attempt {
            Attempt::Done(answer, fates) => {
                return finish(state, device, source, answer, fates, Vec::new(), 0).await;
            }
            Attempt::Again => continue,
            Attempt::Append(proposal) => *proposal,
        };
        let Proposal {
            transaction,
            outcomes,
            fates,
            answer,
            conflicts,
            clock_off_ms,
        } = proposal;
        match append(&state.log, transaction).await {
            Ok(receipt) => {
                count(state, &outcomes);
                let contacts = &state.sync.contacts;
                contacts.note_clock(&device.device.id, clock_off_ms);
                let most = state.config.sync.operations_per_day_max;
                let (id, taken) = (&device.device.id, outcomes.len() as u64);
                state.sync.budgets.take(id, taken, most, state.clock.now());
                let position = receipt.last_position();
                if state.projections.position(CATALOG) < position {
                    state.projections.reach(CATALOG, position, SHOWN_WAIT).await;
                }
                return finish(state, device, source, answer, fates, outcomes, conflicts).await;
            }
            Err(AppendError::WrongVersion { .. } | AppendError::IdReused { .. }) => {}
            Err(AppendError::ConditionFailed { position, .. }) => {
                state.projections.reach(CATALOG, position, SHOWN_WAIT).await;
            }
            Err(error) => return Err(error.into()),
        }
        if turn.is_none() {
            turn = Some(state.overtaken.lock().await);
        }
    }
    Err(Problem::new(
        Kind::Busy,
        "others kept writing to the same entities; push again",
    )
    .retry_after(1))
}

fn count(state: &AppState, outcomes: &[Outcome]) {
    let of = |wanted: fn(&Verdict) -> bool| {
        let found = outcomes.iter().filter(|outcome| wanted(&outcome.verdict));
        found.count() as u64
    };
    let rejected = of(|verdict| matches!(verdict, Verdict::Rejected(..)));
    let held = of(|verdict| matches!(verdict, Verdict::Held(..)));
    let clamped =
        of(|verdict| matches!(verdict, Verdict::Adjusted(_, crdt::sync::Adjustment::Clock)));
    let applied = of(is_applied);
    let metrics = &state.metrics;
    metrics.count_operations("applied", applied - clamped);
    metrics.count_operations("applied_clock_clamped", clamped);
    metrics.count_operations("rejected", rejected);
    metrics.count_operations("held", held);
    let merged = outcomes.len() as u64 - applied - rejected - held;
    metrics.count_operations("merged", merged);
}

async fn attempt(
    state: &AppState,
    device: &DeviceCaller,
    source: &Source,
    served: LogPosition,
    correlation: &str,
) -> Result<Attempt, Problem> {
    let (state, device, source) = (state.clone(), device.clone(), source.clone());
    let correlation = correlation.to_owned();
    let judged =
        tokio::task::spawn_blocking(move || judge(&state, &device, &source, served, &correlation));
    judged.await.map_err(|error| Problem::internal(&error))?
}

fn judge(
    state: &AppState,
    device: &DeviceCaller,
    source: &Source,
    served: LogPosition,
    correlation: &str,
) -> Result<Attempt, Problem> {
    let engine = &state.sync.engine;
    let mut fold = engine.current()?;
    let number = DeviceId::new(device.device.number);
    if fold.number_of(&device.device.id) != Some(number) {
        let detail = "the device was registered anew meanwhile; go on with its new token";
        return Err(Problem::new(Kind::Conflict, detail).with("code", "device_registered_anew"));
    }
    if matches!(source, Source::Frame(_)) {
        check_time(engine, served)?;
    }
    let Prepared {
        frame,
        named,
        items: fates,
    } = prepare(state, engine, &fold, device, source, served);
    let Some(frame) = frame else {
        return Ok(Attempt::Done(PushAnswer::default(), fates));
    };
    let status = fold.depot.device(number);
    let first = status.map_or(1, |status| status.seen + 1);
    let before = status.map_or_else(|| Chain::of(number), |status| status.chain);
    let judging = Judging::new(state, (engine, &fold), device, correlation, &named, first)?;
    let request = PushRequest {
        device: number,
        served,
        now_ms: u64::try_from(state.clock.now().micros() / 1_000).unwrap_or(0),
    };
    let judged = fold.depot.judge_push(&frame, &request, &judging);
    let (records, answer) = judged.map_err(|error| {
        if let Some(code) = suspicious(&error) {
            refused(state, &device.device.id, code, &error.to_string());
        }
        refused_whole(&error)
    })?;
    if records.is_empty() {
        return Ok(Attempt::Done(answer, fates));
    }
    check_budget(state, device, records.len())?;
    let judged = judging.finish(&records, before, &fold.depot)?;
    let moved = judged.tx.written().any(|stream| {
        let tip = state.log.stream(stream);
        tip.is_some_and(|tip| tip.position > fold.position)
    });
    drop(fold);
    if moved {
        // Somebody wrote to one of them after the state was taken.
        return Ok(Attempt::Again);
    }
    let transaction = judged.tx.into_transaction().unwrap_or_default();
    Ok(Attempt::Append(Box::new(Proposal {
        transaction,
        outcomes: judged.outcomes,
        fates,
        answer,
        conflicts: judged.conflicts,
        clock_off_ms: judged.clock_off_ms,
    })))
}

/// A frame tells its times against that of the entry at its cursor.
fn check_time(engine: &Engine, served: LogPosition) -> Result<(), Problem> {
    if served == LogPosition::START || engine.time_of(served) > 0 {
        return Ok(());
    }
    let detail = "the entry of the log at the cursor cannot be read any more; pull, and push with the new cursor";
    Err(Problem::new(Kind::Conflict, detail).with("code", "cursor_unreadable"))
}

/// Keeps operations that were refused before they were judged in the device's trail, under ids of this refusal: the same
/// operations may come again otherwise, and be judged then. Told twice they are kept once.
///
/// # Errors
/// 429 beyond the device's share; what the log says.
pub async fn keep_unjudged(
    state: &AppState,
    device: &DeviceCaller,
    items: &[Item],
    why: (&'static str, &str),
    detail: &str,
) -> Result<(), Problem> {
    let id = &*device.device.id;
    let (reason, claim) = why;
    let engine = &state.sync.engine;
    let event_of = |item: &Item| {
        let name = format!("{reason}\0{claim}\0{}", item.id);
        let carrier = CarrierId::named(engine.log().log_id(), id, &name);
        if engine.has(carrier) {
            return None;
        }
        let shortened = |text: &str| text.chars().take(200).collect::<String>();
        let (field, value) = match &item.act {
            items::Act::Change { field, value, .. } => (Some(shortened(field)), value.clone()),
            _ => (None, Json::Null),
        };
        let data = json!({
            "operation_id": item.id,
            "entity_type": item.entity_type,
            "entity_id": item.entity_id,
            "field": field,
            "change": { "op": "set", "value": value },
            "reason": reason,
            "detail": detail,
            "user_id": device.caller.id_text(),
        });
        let mut event = NewEvent::new(sync_session::SYNC_OPERATION_REFUSED, data.to_string());
        event.id = Some(carrier.id);
        event.tags.push(tag(USER_PREFIX, device.caller.id_text()));
        Some(event)
    };
    let mut events: Vec<NewEvent> = items.iter().filter_map(event_of).collect();
    events.sort_by_key(|event| event.id);
    events.dedup_by_key(|event| event.id);
    if events.is_empty() {
        return Ok(());
    }
    check_budget(state, device, events.len())?;
    let (most, count) = (state.config.sync.operations_per_day_max, events.len());
    let stream = StreamName::new(sync_session::AGGREGATE_TYPE, id);
    let writes = vec![StreamWrite {
        stream,
        expected: ExpectedVersion::Any,
        events,
    }];
    let transaction = Transaction {
        writes,
        condition: None,
    };
    match append(&state.log, transaction).await {
        // Its first two calls came at once.
        Ok(_) | Err(AppendError::IdReused { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let now = state.clock.now();
    state.sync.budgets.take(id, count as u64, most, now);
    Ok(())
}

/// Refuses what is beyond the device's share, before anything of it is taken.
fn check_budget(state: &AppState, device: &DeviceCaller, operations: usize) -> Result<(), Problem> {
    let (id, most) = (&*device.device.id, state.config.sync.operations_per_day_max);
    let checked = state
        .sync
        .budgets
        .check(id, operations as u64, most, state.clock.now());
    checked.map_err(|seconds| {
        let detail = format!("{operations} operations are more than the tablet may push now, of {most} a day; it keeps them and pushes again in {seconds} s");
        refused(state, id, "rate", &detail);
        Problem::new(Kind::OverBudget, detail)
            .with("code", "rate")
            .retry_after(seconds)
    })
}

fn prepare(
    state: &AppState,
    engine: &Engine,
    fold: &Fold,
    device: &DeviceCaller,
    source: &Source,
    served: LogPosition,
) -> Prepared {
    match source {
        Source::Frame(bytes) => Prepared {
            frame: Some(bytes.to_vec()),
            named: Vec::new(),
            items: Vec::new(),
        },
        Source::Items(given) => {
            let number = DeviceId::new(device.device.number);
            let named = (number, &*device.device.id);
            items::prepare(state, engine, fold, named, given, served)
        }
    }
}

/// Why a frame is refused whole, as the edge says it.
pub(super) fn refused_whole(error: &PushError) -> Problem {
    let detail = error.to_string();
    let conflict = |code: &str| Problem::new(Kind::Conflict, detail.clone()).with("code", code);
    match error {
        PushError::Malformed(cause) => {
            let detail = format!("the frame does not decode: {cause}");
            Problem::new(Kind::BadRequest, detail).with("code", "malformed_frame")
        }
        PushError::UnknownDevice(_) => conflict("unknown_device"),
        PushError::Gap { send_from } => conflict("gap").with("send_from", *send_from),
        PushError::BaseNotServed { seq, base, served } => conflict("base_not_served")
            .with("seq", *seq)
            .with("base", base.get())
            .with("served", served.get()),
        PushError::Cloned { agreed, created } => {
            let created: Vec<Json> = created
                .iter()
                .map(|(seq, handle)| json!([seq, handle.0]))
                .collect();
            conflict("cloned")
                .with("agreed", *agreed)
                .with("created", created)
        }
        PushError::Store(error) => Problem::internal(error),
    }
}

/// The code of what no honest device sends; a gap is only a message that came early.
fn suspicious(error: &PushError) -> Option<&'static str> {
    match error {
        PushError::Malformed(_) => Some("malformed_frame"),
        PushError::BaseNotServed { .. } => Some("base_not_served"),
        PushError::Cloned { .. } => Some("cloned"),
        PushError::UnknownDevice(_) | PushError::Gap { .. } | PushError::Store(_) => None,
    }
}

/// Folds what was appended and says what became of everything.
async fn finish(
    state: &AppState,
    device: &DeviceCaller,
    source: Source,
    answer: PushAnswer,
    fates: Vec<Fate>,
    outcomes: Vec<Outcome>,
    conflicts: usize,
) -> Result<Pushed, Problem> {
    let (state, device) = (state.clone(), device.clone());
    let finished = tokio::task::spawn_blocking(move || {
        let engine = &state.sync.engine;
        // Before the state is held: what came long ago may lie in an archive.
        let earlier: Vec<_> = fates.iter().map(|fate| earlier(engine, fate)).collect();
        let fold = engine.current()?;
        let number = DeviceId::new(device.device.number);
        let mut answer = answer;
        for (seq, verdict) in &mut answer.verdicts {
            *verdict = fold.depot.verdict(number, *seq);
        }
        for (seq, _) in &answer.verdicts {
            let entity = crdt::sync::EntityRef::Created {
                seq: *seq,
                table: 0,
            };
            let known = answer.created.iter().any(|(known, _)| known == seq);
            if let Some(handle) = fold.depot.resolve(number, entity)
                && !known
            {
                answer.created.push((*seq, handle));
            }
        }
        answer.created.sort_unstable_by_key(|(seq, _)| *seq);
        let results = match &source {
            Source::Frame(_) => Vec::new(),
            Source::Items(items) => {
                let fates = fates.iter().zip(&earlier);
                results(&state, &fold, number, items, fates, &outcomes)
            }
        };
        Ok(Pushed {
            answer,
            results,
            operations: outcomes.len(),
            conflicts,
        })
    });
    finished.await.map_err(|error| Problem::internal(&error))?
}

/// What operations came to that the log had already, and where it has them.
type Earlier = Vec<(String, u64)>;

fn earlier(engine: &Engine, fate: &Fate) -> Earlier {
    let Fate::Operations { known, .. } = fate else {
        return Vec::new();
    };
    let log = engine.log().log_id();
    let read = |event: &storage::EventRef<'_>| {
        let verdict = note_of(log, event).map(|note| note.verdict().to_owned());
        (verdict.unwrap_or_default(), event.position().get())
    };
    let known = known.iter();
    known
        .filter_map(|carrier| engine.event_of(*carrier, read))
        .collect()
}

fn results<'a>(
    state: &AppState,
    fold: &Fold,
    device: DeviceId,
    items: &[Item],
    fates: impl Iterator<Item = (&'a Fate, &'a Earlier)>,
    outcomes: &[Outcome],
) -> Vec<ItemResult> {
    let by_seq: HashMap<u64, &Outcome> = outcomes
        .iter()
        .map(|outcome| (outcome.seq, outcome))
        .collect();
    let result = |(item, (fate, earlier)): (&Item, (&Fate, &Earlier))| match fate {
        Fate::Unusable(unusable) => ItemResult {
            id: item.id.clone(),
            status: "rejected",
            reason: Some(unusable.code.to_owned()),
            detail: Some(unusable.detail.clone()),
            position: None,
            state: Json::Null,
        },
        Fate::Operations { new, .. } => {
            let told: Vec<&Outcome> = new
                .iter()
                .filter_map(|seq| by_seq.get(seq).copied())
                .collect();
            let verdicts = new.iter().map(|seq| {
                // Another push of the device may have come behind this one and taken its verdicts as heard.
                match (fold.depot.verdict(device, *seq), by_seq.get(seq)) {
                    (Verdict::Duplicate, Some(outcome)) => outcome.verdict,
                    (verdict, _) => verdict,
                }
            });
            of_operations(state, fold, item, &told, verdicts.collect(), earlier)
        }
    };
    items.iter().zip(fates).map(result).collect()
}

/// One result for all operations that an item became: the worst that befell one of them.
fn of_operations(
    state: &AppState,
    fold: &Fold,
    item: &Item,
    told: &[&Outcome],
    verdicts: Vec<Verdict>,
    earlier: &[(String, u64)],
) -> ItemResult {
    let badness = |verdict: &Verdict| match verdict {
        Verdict::Rejected(..) => 2,
        verdict if is_applied(verdict) => 0,
        _ => 1,
    };
    let worst = verdicts.iter().max_by_key(|verdict| badness(verdict));
    let (status, reason) = match worst {
        None => (
            "duplicate",
            earlier.first().map(|(verdict, _)| verdict.clone()),
        ),
        Some(verdict) => {
            let text = note::verdict_text(verdict);
            let status = match badness(verdict) {
                0 => "applied",
                1 => "merged",
                _ => "rejected",
            };
            let reason = match text.split_once(':') {
                Some(("held", code)) => Some(format!("held_{code}")),
                Some(("adjusted", code)) => Some(format!("adjusted_{code}")),
                Some((_, code)) => Some(code.to_owned()),
                None if text == "superseded" => Some(text),
                None => None,
            };
            (status, reason)
        }
    };
    let position = verdicts
        .iter()
        .filter_map(Verdict::position)
        .map(LogPosition::get)
        .max();
    let detail = told.iter().find(|outcome| !outcome.detail.is_empty());
    ItemResult {
        id: item.id.clone(),
        status,
        reason,
        detail: detail.map(|outcome| outcome.detail.clone()),
        position: position.or_else(|| earlier.iter().map(|(_, position)| *position).max()),
        state: shown(state, fold, item),
    }
}

/// The field, or the whole entity, as it is now.
fn shown(state: &AppState, fold: &Fold, item: &Item) -> Json {
    let Some(table) = fleet::sync::table_of(&item.entity_type) else {
        return Json::Null;
    };
    let id = items::aggregate_id(state, table, &item.entity_id);
    let Some((_, entity)) = fold.entity(table, &id) else {
        return Json::Null;
    };
    let row = match &item.act {
        items::Act::Create => None,
        items::Act::Change { field, .. } => items::row_of(table, field),
        items::Act::Part(part) => table.field(part.field),
    };
    let devices = &state.sync.devices;
    match row {
        Some(row) => match entity.field(row.number) {
            Some(field) => wire::field_to_json(row, field, devices),
            None => json!({ "value": null }),
        },
        None => Json::Object(wire::entity_to_json(&entity, devices)),
    }
}
