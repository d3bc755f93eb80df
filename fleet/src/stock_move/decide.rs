//! What a stock move does to the levels of its part: events for two streams, to be appended in one transaction.
//!
//! A *request* that would take more than there is is refused. A *reported fact* (from a tablet that was offline, from an
//! old database) has happened: it is taken in, and what cannot be true is told as a discrepancy for somebody to count.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::command::{MoveType, StockMove};
use super::{event, schema};
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::part;
use crate::part::event as part_event;
use crate::refusal::Refusal;
use crate::schema::draft::members;

/// Whether a move may still be refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Somebody asks for it.
    Requested,
    /// It has happened.
    Reported,
}

/// How much of a part there is and where: what a move is decided upon, and what the next one finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Levels {
    total: i64,
    by_location: BTreeMap<String, i64>,
    least: i64,
    unit: String,
}

/// What a move causes.
#[derive(Clone, PartialEq, Debug)]
pub struct Moved {
    /// Events of the move's own stream.
    pub of_move: Vec<EventDraft>,
    /// Events of the part's stream.
    pub of_part: Vec<EventDraft>,
    /// The levels behind it.
    pub levels: Levels,
}

impl Levels {
    /// The levels of a part.
    pub fn of(part: &Folded) -> Self {
        let by_location = part.record.sums(part::schema::STOCK_BY_LOCATION_KEY);
        Levels {
            total: part::level(part),
            by_location: by_location
                .map(|(location, level)| (location.to_owned(), level))
                .collect(),
            least: part::least_level(part),
            unit: part::unit(part).to_owned(),
        }
    }

    /// How much there is on the whole.
    pub fn total(&self) -> i64 {
        self.total
    }

    /// How much lies at a location, or at none that is known.
    pub fn at(&self, location: Option<&str>) -> i64 {
        match location {
            Some(location) => self.by_location.get(location).copied().unwrap_or(0),
            None => {
                let located = self.by_location.values();
                self.total
                    .saturating_sub(located.fold(0, |sum, level| sum.saturating_add(*level)))
            }
        }
    }

    fn change(&mut self, location: Option<&str>, delta: i64) {
        self.total = self.total.saturating_add(delta);
        if let Some(location) = location {
            let level = self.by_location.entry(location.to_owned()).or_default();
            *level = level.saturating_add(delta);
            if *level == 0 {
                self.by_location.remove(location);
            }
        }
    }
}

/// The events that a move `move_id` causes.
///
/// # Errors
/// `Rule` for locations that do not fit the kind of move, `Conflict` for a request that takes more than there is.
pub fn decide(
    mut levels: Levels,
    move_id: &str,
    wanted: &StockMove,
    standing: Standing,
    asked: Asked<'_>,
) -> Result<Moved, Refusal> {
    let changes = changes(&levels, wanted, standing)?;
    let before = levels.total;
    let mut of_part = Vec::new();
    for (location, delta) in &changes {
        let old = levels.total;
        levels.change(*location, *delta);
        of_part.push(level_changed(*location, *delta, old, levels.total, move_id));
    }
    if standing == Standing::Requested {
        refuse_overdraw(&levels, before, wanted, &changes)?;
    } else {
        of_part.extend(discrepancies(&levels, &changes, move_id));
    }
    if before > levels.least && levels.total <= levels.least {
        of_part.push(low_stock(&wanted.part_no, &levels));
    }
    Ok(Moved {
        of_move: schema::SCHEMA.admit(vec![created(wanted, asked)])?,
        of_part: part::schema::SCHEMA.admit(of_part)?,
        levels,
    })
}

/// What a move takes away and adds, and where. What is taken comes first.
type Changes<'a> = Vec<(Option<&'a str>, i64)>;

fn changes<'a>(
    levels: &Levels,
    wanted: &'a StockMove,
    standing: Standing,
) -> Result<Changes<'a>, Refusal> {
    let quantity = wanted.quantity;
    let from = wanted.from_location_id.as_deref();
    let to = wanted.to_location_id.as_deref();
    let taken = (from, -quantity);
    let added = (to, quantity);
    // What lies at no known location (a part's opening stock) is taken by naming none, while there is enough of it.
    let source_known =
        from.is_some() || standing == Standing::Reported || levels.at(None) >= quantity;
    match wanted.move_type {
        MoveType::Incoming => {
            target_needed(wanted.move_type, to)?;
            not_wanted(wanted.move_type, "from_location_id", from)?;
            Ok(vec![added])
        }
        MoveType::Usage | MoveType::Writeoff => {
            source_needed(wanted, source_known)?;
            not_wanted(wanted.move_type, "to_location_id", to)?;
            Ok(vec![taken])
        }
        MoveType::Transfer => {
            source_needed(wanted, source_known)?;
            target_needed(wanted.move_type, to)?;
            if from == to {
                return Err(Refusal::rule(
                    "to_location_id",
                    "same_location",
                    "A TRANSFER goes to another location than it comes from",
                ));
            }
            Ok(vec![taken, added])
        }
        MoveType::Adjustment => match (from, to) {
            (None, Some(_)) => Ok(vec![added]),
            (Some(_), None) => Ok(vec![taken]),
            _ => Err(Refusal::rule(
                "to_location_id",
                "one_location",
                "An ADJUSTMENT names one location: to_location_id where more was found, from_location_id where less was",
            )),
        },
    }
}

fn target_needed(move_type: MoveType, to: Option<&str>) -> Result<(), Refusal> {
    if to.is_some() {
        return Ok(());
    }
    let message = format!("{} needs to_location_id", with_article(move_type));
    Err(Refusal::rule("to_location_id", "location_needed", message))
}

fn source_needed(wanted: &StockMove, source_known: bool) -> Result<(), Refusal> {
    if source_known {
        return Ok(());
    }
    let message = format!("{} needs from_location_id", with_article(wanted.move_type));
    Err(Refusal::rule(
        "from_location_id",
        "location_needed",
        message,
    ))
}

fn not_wanted(
    move_type: MoveType,
    field: &'static str,
    given: Option<&str>,
) -> Result<(), Refusal> {
    if given.is_none() {
        return Ok(());
    }
    let message = format!(
        "{} has no {field}; carrying parts to another place is a TRANSFER",
        with_article(move_type)
    );
    Err(Refusal::rule(field, "location_not_wanted", message))
}

fn with_article(move_type: MoveType) -> String {
    let article = match move_type {
        MoveType::Incoming | MoveType::Adjustment => "An",
        MoveType::Usage | MoveType::Transfer | MoveType::Writeoff => "A",
    };
    format!("{article} {}", move_type.name())
}

/// `levels` are those behind the move.
fn refuse_overdraw(
    levels: &Levels,
    before: i64,
    wanted: &StockMove,
    changes: &Changes<'_>,
) -> Result<(), Refusal> {
    for (location, delta) in changes.iter().filter(|(_, delta)| *delta < 0) {
        let behind = levels.at(*location);
        if location.is_some() && behind < 0 {
            return Err(too_few(
                wanted,
                behind.saturating_sub(*delta),
                levels,
                "at this location",
            ));
        }
    }
    if levels.total < 0 && levels.total < before {
        return Err(too_few(wanted, before, levels, "in all"));
    }
    Ok(())
}

fn too_few(wanted: &StockMove, there: i64, levels: &Levels, place: &str) -> Refusal {
    let message = format!(
        "There are {there} {} of part '{}' {place}, {} cannot be taken",
        levels.unit, wanted.part_no, wanted.quantity
    );
    Refusal::conflict("quantity", "insufficient_stock", message)
}

fn created(wanted: &StockMove, asked: Asked<'_>) -> EventDraft {
    let mut data = wanted.details.clone();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("part_no", wanted.part_no.as_str().into());
    put("move_type", wanted.move_type.name().into());
    put("quantity", wanted.quantity.into());
    if let Some(from) = &wanted.from_location_id {
        put("from_location_id", from.as_str().into());
    }
    if let Some(to) = &wanted.to_location_id {
        put("to_location_id", to.as_str().into());
    }
    put("performed_by", asked.by.into());
    put("performed_at", asked.time().into());
    schema::SCHEMA.draft(event::STOCK_MOVE_CREATED, data)
}

fn level_changed(
    location: Option<&str>,
    delta: i64,
    old: i64,
    new: i64,
    move_id: &str,
) -> EventDraft {
    let mut data = members(json!({
        "delta": delta,
        "old_current_stock": old,
        "new_current_stock": new,
        "stock_move_id": move_id,
    }));
    if let Some(location) = location {
        data.insert("location_id".to_owned(), location.into());
    }
    part::schema::SCHEMA.draft(part_event::STOCK_LEVEL_CHANGED, data)
}

/// What a reported move left that cannot be: less than nothing at a location, or on the whole.
fn discrepancies(levels: &Levels, changes: &Changes<'_>, move_id: &str) -> Option<EventDraft> {
    let emptied = changes
        .iter()
        .find_map(|(location, _)| location.filter(|location| levels.at(Some(location)) < 0));
    // Taken from where nobody knows, while all that there is lies somewhere: one of those places has less than it says.
    let from_nowhere = changes
        .iter()
        .any(|(location, delta)| location.is_none() && *delta < 0);
    let is_untrue_somewhere = from_nowhere && levels.at(None) < 0;
    if emptied.is_none() && levels.total >= 0 && !is_untrue_somewhere {
        return None;
    }
    let mut data = members(json!({
        "level": levels.total,
        "stock_move_id": move_id,
        "reason": "more was taken than there was",
    }));
    if let Some(location) = emptied {
        data.insert("location_id".to_owned(), location.into());
        let level = levels.at(Some(location));
        data.insert("level_at_location".to_owned(), level.into());
    } else if is_untrue_somewhere {
        let level = levels.at(None);
        data.insert("level_at_location".to_owned(), level.into());
    }
    Some(part::schema::SCHEMA.draft(part_event::STOCK_DISCREPANCY_DETECTED, data))
}

fn low_stock(part_no: &str, levels: &Levels) -> EventDraft {
    let data = members(json!({
        "part_number": part_no,
        "quantity": levels.total,
        "reorder_point": levels.least,
    }));
    part::schema::SCHEMA.draft(part_event::INVENTORY_LOW_STOCK_ALERT, data)
}
