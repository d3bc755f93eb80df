//! Rows that the log says just as their database does, found without making a state: the text of each column is held
//! against the text in which the latest event that set its field said it ([`Plain`]).
//!
//! Only "it does" is found here. Of every other row a state is folded, and compared column by column ([`crate::compare`]).

use std::ops::Range;

use fleet::fold::plain::{Item, Plain, PlainEvent, Said};
use fleet::registry::KnownEvent;
use fleet::schema::Constant;
use fleet::{Stamp, registry};
use serde_json::Value;
use storage::{Log, Position, ReadError, ReadRequest, StreamTip};
use uuid::Uuid;

use crate::compare::field_names;
use crate::held::{Within, is_of_row};
use crate::ids;
use crate::json;
use crate::made::{Expected, Portion, Standing};
use crate::mapping::Seen;
use crate::stale::may_have_more;
use crate::tables::Table;

/// Portions that the log passes over between two of whose events it has: more were appended elsewhere.
const PASSED_OVER_MAX: usize = 64;

/// An event as it lies in the log.
struct Stored {
    portion: usize,
    id: Uuid,
    known: Option<KnownEvent>,
    schema: u16,
    stamp: Stamp,
    /// Whether an import made it of a row of one of Phase 2's tables.
    is_of_row: bool,
    /// Where its payload lies among those that were read.
    data: Range<usize>,
}

/// A payload's fields: the name and the JSON text of each.
type Fields<'a> = Vec<(&'a str, &'a str)>;

/// For each of the portions, whether all its rows are in the log as they are, as far as can be seen here. `payloads` is what
/// payloads are read into; it may be used again.
///
/// # Errors
/// When the log cannot be read, or an event of these streams is damaged.
pub(crate) fn agreeing(
    log: &Log,
    portions: &[Portion],
    position: Position,
    payloads: &mut Vec<u8>,
) -> Result<Vec<bool>, ReadError> {
    let mut agree = vec![false; portions.len()];
    let tips: Vec<StreamTip> = portions
        .iter()
        .map(|portion| log.stream(&portion.stream).unwrap_or_default())
        .collect();
    let stored = read(log, portions, &tips, position, payloads)?;
    let Ok(payloads) = std::str::from_utf8(payloads) else {
        return Ok(agree);
    };
    let mut names = Names::default();
    for events in stored.chunk_by(|one, next| one.portion == next.portion) {
        let place = events[0].portion;
        let is_whole = events.len() == tips[place].version.get() as usize;
        agree[place] = is_whole && agrees(&portions[place], events, payloads, &mut names).is_some();
    }
    Ok(agree)
}

/// The events of these portions that lie where an import writes them, by portion, and their payloads one behind the other.
fn read(
    log: &Log,
    portions: &[Portion],
    tips: &[StreamTip],
    position: Position,
    payloads: &mut Vec<u8>,
) -> Result<Vec<Stored>, ReadError> {
    payloads.clear();
    let mut stored = Vec::with_capacity(portions.len());
    let wanted = portions.iter().zip(tips);
    let wanted = wanted.filter(|(portion, _)| portion.standing != Standing::Log);
    let Some(within) = Within::of(wanted.map(|(_, tip)| *tip)) else {
        return Ok(stored);
    };
    let mut reader = log.read(&ReadRequest {
        from: within.first,
        to: within.last.min(position),
        ..ReadRequest::default()
    })?;
    let mut place = 0;
    while let Some(event) = reader.next() {
        let event = event?;
        let stream = event.stream();
        // An import appended them in this very order.
        let ahead = portions.iter().skip(place).take(PASSED_OVER_MAX);
        let Some(passed) = ahead
            .into_iter()
            .position(|portion| stream == portion.stream)
        else {
            continue;
        };
        place += passed;
        let start = payloads.len();
        payloads.extend_from_slice(event.data());
        stored.push(Stored {
            portion: place,
            id: event.id(),
            known: registry().event(stream.aggregate_type, event.event_type()),
            schema: event.schema(),
            stamp: Stamp {
                occurred_at: event.occurred_at().micros(),
                order: fleet::order(
                    event.recorded_at().micros(),
                    event.id().as_u128(),
                    fleet::Origin::of(event.tags()),
                ),
            },
            is_of_row: is_of_row(&event),
            data: start..payloads.len(),
        });
    }
    Ok(stored)
}

/// `Some` where all rows of a portion are said by its events as they are.
fn agrees(portion: &Portion, events: &[Stored], payloads: &str, names: &mut Names) -> Option<()> {
    // Of what no import made, a row shows more than events told.
    events.iter().any(|event| event.is_of_row).then_some(())?;
    let mut plain = Plain::default();
    let mut fields = Fields::new();
    for event in events {
        fields.clear();
        json::members(payloads.get(event.data.clone())?, &mut fields)?;
        let is_taken = plain.fold(&PlainEvent {
            known: event.known?,
            schema: event.schema,
            stamp: event.stamp,
            fields: &fields,
        });
        is_taken.then_some(())?;
    }
    if may_have_more(portion, &plain) {
        return None;
    }
    for expected in &portion.expected {
        let columns = names.of(expected.table);
        match expected.seen {
            Seen::State => {
                plain.exists().then_some(())?;
                says(expected, columns, &mut InPlain::of(&plain, None))?;
            }
            Seen::Item(list, _) => {
                let item = Item {
                    list,
                    name: &expected.key,
                };
                plain.has_item(item).then_some(())?;
                says(expected, columns, &mut InPlain::of(&plain, Some(item)))?;
            }
            Seen::Line(list) => {
                let Said::Json(lines) = plain.said(None, list, &mut 0) else {
                    return None;
                };
                line(lines, &expected.key, &mut fields)?;
                says(expected, columns, &mut InFields::of(&fields))?;
            }
            Seen::Event(_) => {
                // One that was told anew, or here, goes before it.
                let is_native = |event: &Stored| !event.is_of_row;
                let has = |id: Uuid| events.iter().find(|event| event.id == id);
                let first = expected.event_id();
                let again = [
                    expected.restated_id(),
                    ids::again_id(first, &portion.stream, 1),
                ];
                if events.iter().any(is_native) || again.into_iter().any(|id| has(id).is_some()) {
                    return None;
                }
                let event = has(first)?;
                fields.clear();
                json::members(payloads.get(event.data.clone())?, &mut fields)?;
                says(expected, columns, &mut InFields::of(&fields))?;
            }
            Seen::LogRow | Seen::Account => return None,
        }
    }
    Some(())
}

/// The fields of the line with this id, of a list of objects.
fn line<'a>(lines: &'a str, key: &str, fields: &mut Fields<'a>) -> Option<()> {
    let mut rest = lines;
    while let Some(object) = json::next_item(&mut rest)? {
        fields.clear();
        json::members(object, fields)?;
        let id = fields.iter().find(|(name, _)| *name == "id");
        let text = id.and_then(|(_, id)| id.strip_prefix('"')?.strip_suffix('"'));
        if text == Some(key) {
            return Some(());
        }
    }
    None
}

/// Where the values of fields are found.
trait Told {
    /// What is said of a field; null is nothing.
    fn said(&mut self, name: &str) -> Said<'_>;
}

struct InPlain<'p, 'a> {
    plain: &'p Plain<'a>,
    of: Option<Item<'p>>,
    near: usize,
}

impl<'p, 'a> InPlain<'p, 'a> {
    fn of(plain: &'p Plain<'a>, of: Option<Item<'p>>) -> Self {
        InPlain { plain, of, near: 0 }
    }
}

impl Told for InPlain<'_, '_> {
    fn said(&mut self, name: &str) -> Said<'_> {
        match self.plain.said(self.of, name, &mut self.near) {
            Said::Json("null") => Said::Nothing,
            said => said,
        }
    }
}

struct InFields<'f, 'a> {
    fields: &'f [(&'a str, &'a str)],
    near: usize,
}

impl<'f, 'a> InFields<'f, 'a> {
    fn of(fields: &'f [(&'a str, &'a str)]) -> Self {
        InFields { fields, near: 0 }
    }
}

impl Told for InFields<'_, '_> {
    fn said(&mut self, name: &str) -> Said<'_> {
        let start = self.near.min(self.fields.len());
        let (before, behind) = self.fields.split_at(start);
        let is_it = |(field, _): &(&str, &str)| *field == name;
        let place = match behind.iter().position(is_it) {
            Some(place) => Some(start + place),
            None => before.iter().position(is_it),
        };
        let Some(place) = place else {
            return Said::Nothing;
        };
        self.near = place + 1;
        match self.fields[place].1 {
            "null" => Said::Nothing,
            json => Said::Json(json),
        }
    }
}

/// `Some` where the row is just these columns with these texts, in their order, and `extra` behind them.
fn says(expected: &Expected, columns: &[&'static str], told: &mut impl Told) -> Option<()> {
    let mut rest = expected.row.strip_prefix(b"{")?;
    let mut is_first = true;
    for name in columns.iter().copied().chain(["extra"]) {
        let said = told.said(name);
        if said == Said::Nothing {
            continue;
        }
        if !is_first {
            rest = rest.strip_prefix(b",")?;
        }
        is_first = false;
        rest = rest.strip_prefix(b"\"")?.strip_prefix(name.as_bytes())?;
        rest = rest.strip_prefix(b"\":")?;
        rest = match said {
            Said::Json(text) => match rest.strip_prefix(text.as_bytes()) {
                Some(behind) => behind,
                None => rest.strip_prefix(&*as_read(text)?)?,
            },
            Said::Constant(Constant::Text(word)) => rest
                .strip_prefix(b"\"")?
                .strip_prefix(word.as_bytes())?
                .strip_prefix(b"\"")?,
            Said::Constant(Constant::Flag(true)) => rest.strip_prefix(b"true")?,
            Said::Constant(Constant::Flag(false)) => rest.strip_prefix(b"false")?,
            Said::Constant(Constant::Count(_) | Constant::EmptyList)
            | Said::Nothing
            | Said::More => return None,
        };
    }
    (rest == b"}").then_some(())
}

/// A list or an object as every reader of it sees it: `jsonb` orders names otherwise.
fn as_read(text: &str) -> Option<Vec<u8>> {
    text.starts_with(['[', '{']).then_some(())?;
    let value: Value = serde_json::from_str(text).ok()?;
    let mut read = Vec::with_capacity(text.len());
    json::put_value(&value, &mut read);
    Some(read)
}

/// The names of the fields that carry the columns of each table, but for those that none carries.
#[derive(Default)]
struct Names(Vec<(&'static str, Vec<&'static str>)>);

impl Names {
    fn of(&mut self, table: &'static Table) -> &[&'static str] {
        let known = self.0.iter().position(|(name, _)| *name == table.name);
        let place = known.unwrap_or_else(|| {
            let names = field_names(table).into_iter();
            let carried = names.filter(|name| !name.is_empty()).collect();
            self.0.push((table.name, carried));
            self.0.len() - 1
        });
        &self.0[place].1
    }
}

#[cfg(test)]
mod tests;
