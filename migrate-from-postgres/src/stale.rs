//! Rows that the log has in an aggregate to which they belong no more: a line that was deleted, an assignment that went to
//! another order. Rows that are there are held against the log elsewhere; this finds what is only here.

use fleet::fold::plain::{Plain, Said};
use serde_json::Value;

use crate::held::Held;
use crate::ids;
use crate::json;
use crate::made::Portion;
use crate::mapping::{Child, Seen, mapping_of};

/// Stale rows that are looked for again; further ones are counted as gone.
pub(crate) const STALE_MAX: usize = 10_000;

/// A row that an import put into an aggregate, and that no row of the database puts there now.
pub(crate) struct StaleRow {
    pub(crate) child: &'static Child,
    pub(crate) key: String,
    /// The key of the aggregate's own row.
    pub(crate) parent: String,
}

impl StaleRow {
    pub(crate) fn table(&self) -> &'static str {
        self.child.mapping.table.name
    }
}

/// The tables whose rows belong to the aggregate of a portion, if all of the rows are in it.
fn children_of(portion: &Portion) -> &'static [Child] {
    let parent = portion.expected.first().filter(|_| portion.is_whole);
    let family = parent.and_then(|parent| mapping_of(parent.table.name));
    match family {
        // An orphan is a portion of its own, and no parent.
        Some((family, mapping)) if family.parent.table.name == mapping.table.name => {
            family.children
        }
        _ => &[],
    }
}

/// How many rows of a table a portion has.
fn count_of(portion: &Portion, child: &Child) -> usize {
    let is_its = |table: &str| table == child.mapping.table.name;
    portion
        .expected
        .iter()
        .filter(|expected| is_its(expected.table.name))
        .count()
}

/// Whether an aggregate may have rows that the portion has not, as far as its events' texts tell.
pub(crate) fn may_have_more(portion: &Portion, plain: &Plain<'_>) -> bool {
    children_of(portion).iter().any(|child| {
        let held = match child.mapping.seen {
            Seen::Item(list, _) => plain.item_count(list),
            Seen::Line(list) => match plain.said(None, list, &mut 0) {
                Said::Json(lines) => json::count_items(lines),
                Said::Nothing => Some(0),
                Said::Constant(_) | Said::More => None,
            },
            Seen::State | Seen::Event(_) | Seen::LogRow | Seen::Account => return false,
        };
        held != Some(count_of(portion, child))
    })
}

/// The rows of imports that an aggregate has and its portion has not.
pub(crate) fn rows(portion: &Portion, held: &Held) -> Vec<StaleRow> {
    let mut stale = Vec::new();
    for child in children_of(portion) {
        let table = child.mapping.table.name;
        let keys = match child.mapping.seen {
            Seen::Item(list, kind) => {
                let name = child.mapping.field_name("id");
                let items = held.state.record.items(list);
                let keys = items.iter().filter_map(|item| item.get(name)?.as_str());
                let is_imported = |key: &&str| {
                    let id = ids::event_id(table, key, kind);
                    let moved = ids::moved_id(id, &portion.stream);
                    held.imported.contains_key(&id) || held.imported.contains_key(&moved)
                };
                keys.filter(is_imported)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            }
            // Lines change as a whole: once somebody changed them here, they are not the old system's.
            Seen::Line(list) if held.native == 0 => {
                let lines = held.state.record.seen(list);
                let lines = lines.as_deref().and_then(Value::as_array);
                let ids = lines
                    .into_iter()
                    .flatten()
                    .filter_map(|line| line.get("id")?.as_str());
                ids.map(str::to_owned).collect()
            }
            _ => continue,
        };
        let is_there = |key: &String| {
            let mut expected = portion.expected.iter();
            expected.any(|expected| expected.table.name == table && expected.key == *key)
        };
        let parent = || portion.expected.first().map_or("", |parent| &parent.key);
        stale.extend(
            keys.into_iter()
                .filter(|key| !is_there(key))
                .map(|key| StaleRow {
                    child,
                    key,
                    parent: parent().to_owned(),
                }),
        );
    }
    stale
}

#[cfg(test)]
mod tests;
