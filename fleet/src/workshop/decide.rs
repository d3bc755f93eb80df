//! Which commands on a workshop become events.

use serde_json::{Map, Value};

use super::command::WorkshopCommand;
use super::schema::{self, ORDERS_IN_WORK, SCHEMA};
use super::view::SHAPE;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::schema::check::integer;

/// The events that `command` causes on a workshop, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Rule` for a code that is taken and for more free tracks than there are.
pub fn decide(workshop: &Folded, command: &WorkshopCommand) -> Result<Vec<EventDraft>, Refusal> {
    if !workshop.exists() && !matches!(command, WorkshopCommand::Create(_)) {
        return Err(Refusal::missing("workshop_not_found", "Workshop not found"));
    }
    let drafts = match command {
        WorkshopCommand::Create(_) if workshop.exists() => {
            let text = "Workshop with this code already exists";
            return Err(Refusal::rule("code", "already_exists", text));
        }
        WorkshopCommand::Create(fields) => vec![SCHEMA.draft(schema::CREATED, created(fields))],
        WorkshopCommand::Change(fields) => change(workshop, fields.clone())?,
        WorkshopCommand::BeginOrder {
            work_order_id,
            is_taken_up_again,
        } => {
            let more = if *is_taken_up_again { -1 } else { 0 };
            vec![SCHEMA.draft(schema::ORDER_BEGUN, about(work_order_id, more))]
        }
        WorkshopCommand::EndOrder {
            work_order_id,
            is_completed,
        } => {
            let more = i64::from(*is_completed);
            vec![SCHEMA.draft(schema::ORDER_ENDED, about(work_order_id, more))]
        }
    };
    SCHEMA.admit(drafts)
}

/// The tracks that are in working order, and how many are taken.
pub(super) fn tracks(workshop: &Folded) -> (i64, i64) {
    let usable = workshop.integer("available_tracks");
    let usable = usable.or(workshop.integer("total_tracks")).unwrap_or(0);
    let taken = workshop.record.item_count(ORDERS_IN_WORK);
    (usable, i64::try_from(taken).unwrap_or(i64::MAX))
}

fn created(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = SHAPE.created(fields);
    fields.insert(
        "available_tracks".to_owned(),
        fields["total_tracks"].clone(),
    );
    fields
}

fn change(workshop: &Folded, mut fields: Map<String, Value>) -> Result<Vec<EventDraft>, Refusal> {
    let (usable, taken) = tracks(workshop);
    let before = workshop.integer("total_tracks").unwrap_or(usable);
    let total = fields.get("total_tracks").and_then(integer);
    let total = total.unwrap_or(before);
    let usable_then = match fields.get("available_tracks").and_then(integer) {
        Some(free) if free > total => {
            let text = format!("available_tracks cannot exceed total_tracks, which is {total}");
            return Err(Refusal::rule("available_tracks", "more_than_all", text));
        }
        // What a client sends is what is free now; what is taken is in working order as well.
        Some(free) if free != (usable - taken).max(0) => (free + taken).min(total),
        Some(_) => usable,
        // All tracks were usable: so are those that are new.
        None if usable >= before => total,
        None => usable.min(total),
    };
    fields.insert("available_tracks".to_owned(), usable_then.into());
    Ok(SCHEMA.update(schema::UPDATED, workshop, fields))
}

fn about(work_order_id: &str, completed_more: i64) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("work_order_id".to_owned(), work_order_id.into());
    if completed_more != 0 {
        fields.insert("completed_orders".to_owned(), completed_more.into());
    }
    fields
}
