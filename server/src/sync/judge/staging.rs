//! What an admitted operation is in the log: its own events, those of its consequences, and what is told about it.

use crdt::collapsed::{After, CollapsedField};
use crdt::sync::{Adjustment, Operation, OperationBody, RecordBody, Verdict};
use crdt::{Change, EntityTable, FieldRow, Stamp};
use fleet::command::Asked;
use fleet::sync::Plan;
use fleet::{EventDraft, sync_session, work_order};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::super::conflict::{self, Disagreement};
use super::super::note::verdict_text;
use super::super::{stock, wire};
use super::{CONFLICTS_MAX, Judging, Outcome, Pending, Staging, micros_of};
use crate::command::{Decision, Staged};
use crate::http::problem::Problem;

/// An operation that was admitted, with everything that its events say.
struct Admitted<'a> {
    operation: &'a Operation,
    verdict: Verdict,
    stamp: Stamp,
    name: String,
    id: Uuid,
    table: Option<&'static EntityTable>,
    entity_id: Box<str>,
    field: Option<&'static FieldRow>,
    change: Option<&'a Change>,
}

impl Judging<'_> {
    pub(super) fn stage(
        &self,
        staging: &mut Staging<'_>,
        record: &RecordBody,
        after: Option<&After<'_>>,
        pending: Pending,
    ) -> Result<(), Problem> {
        let RecordBody::Operation {
            device,
            operation,
            handle: _,
            stamp,
            verdict,
            ..
        } = record
        else {
            return Ok(());
        };
        let (name, id) = self.id_of(*device, operation.seq, verdict);
        let mut admitted = Admitted {
            operation,
            verdict: *verdict,
            stamp: *stamp,
            name,
            id,
            table: after.map(After::table),
            entity_id: after.map_or_else(Box::default, |after| {
                String::from_utf8_lossy(after.id()).into()
            }),
            field: None,
            change: None,
        };
        match &operation.body {
            OperationBody::Create { table, id } => {
                admitted.table = fleet::sync::TABLES
                    .iter()
                    .find(|known| known.number == *table)
                    .copied();
                admitted.entity_id = String::from_utf8_lossy(id).into();
            }
            OperationBody::Change { field, change, .. } => {
                admitted.field = admitted.table.and_then(|table| table.field(*field));
                admitted.change = Some(change);
            }
        }
        if matches!(verdict, Verdict::Adjusted(_, Adjustment::Clock)) {
            let claimed = operation.stamp.millis().cast_signed();
            let off = claimed.saturating_sub(stamp.millis().cast_signed());
            let worst = staging.clock_off_ms.map_or(0, i64::abs);
            if off.abs() > worst {
                staging.clock_off_ms = Some(off);
            }
        }
        let (carrier, detail) = match (verdict, pending) {
            (Verdict::Rejected(..), pending) => {
                let detail = detail_of(pending);
                let event = sync_session::SYNC_OPERATION_REFUSED;
                (self.trail(staging, &admitted, event, &detail)?, detail)
            }
            (Verdict::Held(..), pending) => {
                let detail = detail_of(pending);
                let event = sync_session::SYNC_OPERATION_HELD;
                (self.trail(staging, &admitted, event, &detail)?, detail)
            }
            (_, pending) => {
                let carrier = self.take_in(staging, &admitted, after, pending)?;
                let event = sync_session::SYNC_OPERATION_NOTED;
                match carrier {
                    Some(carrier) => (Some(carrier), String::new()),
                    None => (self.trail(staging, &admitted, event, "")?, String::new()),
                }
            }
        };
        self.tell_disagreement(staging, &admitted, after, &detail)?;
        staging.outcomes.push(Outcome {
            seq: operation.seq,
            verdict: *verdict,
            detail,
            entity: admitted.table.map(|table| (table, admitted.entity_id)),
            carrier,
            id,
            name: admitted.name,
        });
        Ok(())
    }
}

fn detail_of(pending: Pending) -> String {
    match pending {
        Pending::Refused(detail) => detail,
        _ => String::new(),
    }
}

/// Stages events of one stream as a step, and says where they are.
fn stage_events(
    tx: &mut Decision<'_>,
    aggregate_type: &str,
    id: &str,
    drafts: Vec<EventDraft>,
) -> Result<Option<Staged>, Problem> {
    if drafts.is_empty() {
        return Ok(None);
    }
    tx.begin_step();
    tx.append(aggregate_type, id, drafts)?;
    Ok(tx.end_step().into_iter().next())
}

impl Judging<'_> {
    /// Tells of an operation in the device's own stream.
    fn trail(
        &self,
        staging: &mut Staging<'_>,
        admitted: &Admitted<'_>,
        event_type: &'static str,
        detail: &str,
    ) -> Result<Option<Staged>, Problem> {
        let change = match (admitted.field, admitted.change) {
            (Some(row), Some(change)) => wire::change_to_json(row, change),
            (None, Some(change)) => json!({ "op": format!("{change:?}") }),
            (_, None) => json!({ "op": "create" }),
        };
        let reason = verdict_text(&admitted.verdict);
        let reason = reason.split_once(':').map(|(_, code)| code.to_owned());
        let mut data = Map::new();
        let mut put = |name: &str, value: Json| data.insert(name.to_owned(), value);
        put("operation_id", admitted.name.as_str().into());
        put("entity_type", admitted.table.map(|table| table.name).into());
        put("entity_id", (&*admitted.entity_id).into());
        put("field", admitted.field.map(|row| row.name).into());
        put("change", change);
        put(
            "timestamp",
            crdt::json::stamp_to_text(admitted.operation.stamp).into(),
        );
        put("reason", reason.into());
        put("detail", detail.into());
        put("user_id", self.by().into());
        let draft = sync_session::SCHEMA.draft(event_type, data);
        let device = &*self.device.device.id;
        stage_events(
            &mut staging.tx,
            sync_session::AGGREGATE_TYPE,
            device,
            vec![draft],
        )
    }

    /// Stages what an operation that counts is in the log; the first event said to carry it.
    fn take_in(
        &self,
        staging: &mut Staging<'_>,
        admitted: &Admitted<'_>,
        after: Option<&After<'_>>,
        pending: Pending,
    ) -> Result<Option<Staged>, Problem> {
        let Some(table) = admitted.table else {
            return Ok(None);
        };
        let id = &*admitted.entity_id;
        let device = &*self.device.device.id;
        let at = micros_of(admitted.stamp);
        let asked = Asked {
            now: self.believed(admitted.operation).micros(),
            by: self.by(),
        };
        let tx = &mut staging.tx;
        match pending {
            Pending::Stepped(staged) => {
                let mut carrier = None;
                for place in staged {
                    let Some((stream, events)) = tx.staged_mut(place) else {
                        continue;
                    };
                    let own = *stream.aggregate_type == *table.name && *stream.aggregate_id == *id;
                    if !own || events.is_empty() {
                        continue;
                    }
                    for event in events.iter_mut() {
                        event.occurred_at = Some(at);
                    }
                    carrier = Some(place.behind(events.len() - 1));
                }
                Ok(carrier)
            }
            Pending::Planned(Plan::Events(mut drafts)) => {
                let used =
                    stock::parts_used(self.state, tx, after, admitted.change, id, device, asked)?;
                if let (Some(used), Some(draft)) = (&used, drafts.first_mut())
                    && let Json::Object(data) = &mut draft.data
                {
                    data.insert("stock_move_id".to_owned(), used.as_str().into());
                }
                let staged = stage_events(tx, table.name, id, drafts)?;
                if let Some((_, events)) = staged.and_then(|staged| tx.staged_mut(staged)) {
                    for event in events {
                        event.occurred_at = Some(at);
                    }
                }
                Ok(staged)
            }
            Pending::Planned(Plan::Members(name)) => {
                let Some((after, row)) = after.zip(table.field_named(name)) else {
                    return Ok(None);
                };
                let entity = after.entity();
                let members = match entity.field(row.number) {
                    Some(CollapsedField::Set(set)) => {
                        set.members().map(crdt::json::value_to_json).collect()
                    }
                    _ => Vec::new(),
                };
                let mut data = Map::new();
                data.insert(name.to_owned(), Json::Array(members));
                let draft = work_order::schema::SCHEMA.draft(work_order::schema::UPDATED, data);
                // The merged set is what is so from now on, whenever this member came.
                stage_events(tx, table.name, id, vec![draft])
            }
            Pending::Planned(Plan::Noted) => match after {
                Some(after) => {
                    tx.begin_step();
                    let entity = after.entity();
                    let moved = stock::complete(self.state, tx, &entity, id, device, asked);
                    match moved {
                        Ok(true) => {
                            let staged = tx.end_step();
                            let own = staged.into_iter().find(|place| {
                                tx.staged_mut(*place).is_some_and(|(stream, _)| {
                                    *stream.aggregate_type == *table.name
                                })
                            });
                            Ok(own)
                        }
                        Ok(false) => {
                            tx.undo_step();
                            Ok(None)
                        }
                        Err(problem) => Err(problem),
                    }
                }
                None => Ok(None),
            },
            Pending::Planned(Plan::Request(_)) | Pending::Refused(_) => Ok(None),
            Pending::Nothing => self.created(tx, table, id),
        }
    }

    /// A creation. A work order begins as a draft, under a number of the server's.
    fn created(
        &self,
        tx: &mut Decision<'_>,
        table: &'static EntityTable,
        id: &str,
    ) -> Result<Option<Staged>, Problem> {
        if table.name != work_order::AGGREGATE_TYPE || tx.load(table.name, id)?.exists() {
            return Ok(None);
        }
        let year = fleet::calendar::date_of(self.now.micros()).year;
        let prefix = format!("WO-{year}-");
        let order_number = tx.next_number(table.name, "order_number", &prefix, 4);
        let mut data = Map::new();
        data.insert("order_number".to_owned(), order_number.into());
        data.insert("status".to_owned(), "draft".into());
        data.insert("priority".to_owned(), "medium".into());
        data.insert("created_by".to_owned(), self.by().into());
        let draft = work_order::schema::SCHEMA.draft(work_order::schema::CREATED, data);
        stage_events(tx, table.name, id, vec![draft])
    }

    /// Opens a conflict for a person to look at, where values disagree and one was overruled, refused or held.
    fn tell_disagreement(
        &self,
        staging: &mut Staging<'_>,
        admitted: &Admitted<'_>,
        after: Option<&After<'_>>,
        detail: &str,
    ) -> Result<(), Problem> {
        let (Some(after), Some(row), Some(change)) = (after, admitted.field, admitted.change)
        else {
            return Ok(());
        };
        let found = Disagreement::of(after, row, change, &admitted.verdict);
        let Some(found) = found.filter(|_| staging.conflicts < CONFLICTS_MAX) else {
            return Ok(());
        };
        if self.has_spent_conflicts(staging.conflicts) {
            // The operation itself tells of it, in the device's trail.
            return Ok(());
        }
        staging.conflicts += 1;
        let source = conflict::Source {
            entity_type: after.table().name,
            entity_id: &admitted.entity_id,
            device_id: &self.device.device.id,
            role: self.role(),
            operation_id: &admitted.name,
            event_id: admitted.id,
            now: self.now,
            detail,
        };
        let (id, drafts) = conflict::detected(&found, &source)?;
        staging
            .tx
            .append(fleet::sync_conflict::AGGREGATE_TYPE, &id, drafts)
    }
}
