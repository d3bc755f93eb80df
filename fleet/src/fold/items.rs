//! A list within an aggregate whose items have names: a checklist, the versions of a document, the hours of a track.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::state::Named;
use crate::event::Stamp;

/// The items of one list. Each field of each item keeps the value of the latest event that set it, and an item removed
/// stays away unless a later event puts it back; so the list depends on which events were folded and not on their order.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Items(Named<Item>);

/// One item.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Item {
    fields: Named<(Value, Stamp)>,
    /// The earliest event that put it: the list is shown in this order.
    first_put: Stamp,
    last_put: Stamp,
    removed: Stamp,
}

impl Items {
    pub(super) fn put<'a>(
        &mut self,
        name: &str,
        fields: impl Iterator<Item = (&'a str, &'a Value)>,
        stamp: Stamp,
    ) {
        let item = self.item(name, stamp);
        item.first_put = item.first_put.min(stamp);
        item.last_put = item.last_put.max(stamp);
        for (field, value) in fields {
            let (held, since) = item
                .fields
                .get_or_insert(field, || (Value::Null, Stamp::NEVER));
            if *since <= stamp {
                held.clone_from(value);
                *since = stamp;
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str, stamp: Stamp) {
        let item = self.item(name, Stamp::LAST);
        item.removed = item.removed.max(stamp);
    }

    /// The items put after `since` and not removed again, those that were put first first.
    pub(super) fn seen_since(&self, since: Stamp) -> Vec<Map<String, Value>> {
        let mut seen: Vec<_> = self
            .0
            .iter()
            .filter_map(|(name, item)| Some((item.first_put, name, item.seen_since(since)?)))
            .collect();
        seen.sort_by(|left, right| (left.0, left.1).cmp(&(right.0, right.1)));
        seen.into_iter().map(|(_, _, fields)| fields).collect()
    }

    /// The item of this name, if it was put after `since` and not removed again.
    pub(super) fn get_since(&self, name: &str, since: Stamp) -> Option<Map<String, Value>> {
        self.0.get(name)?.seen_since(since)
    }

    /// How many items [`Items::seen_since`] gives.
    pub(super) fn count_since(&self, since: Stamp) -> usize {
        self.0
            .iter()
            .filter(|(_, item)| item.last_put > item.removed.max(since))
            .count()
    }

    fn item(&mut self, name: &str, first_put: Stamp) -> &mut Item {
        self.0.get_or_insert(name, || Item {
            fields: Named::default(),
            first_put,
            last_put: Stamp::NEVER,
            removed: Stamp::NEVER,
        })
    }
}

impl Item {
    fn seen_since(&self, since: Stamp) -> Option<Map<String, Value>> {
        let since = self.removed.max(since);
        (self.last_put > since).then(|| {
            let fields = self.fields.iter();
            fields
                .filter(|(_, (_, stamp))| *stamp > since)
                .map(|(field, (value, _))| (field.to_owned(), value.clone()))
                .collect()
        })
    }
}
