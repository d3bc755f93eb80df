//! An event as it is folded: what it says of a field, and which of two values counts.

use fleet::calendar::parse_time;
use fleet::money::Money;
use fleet::registry::KnownEvent;
use fleet::schema::Sets;
use serde_json::{Map, Value};

/// When an event happened, and its order among those of the same microsecond ([`fleet::order`]): later wins, in every log alike.
pub(super) type When = (i64, u64);

/// A field's latest value.
#[derive(Clone, Debug)]
pub(super) struct Latest<T> {
    pub(super) value: Option<T>,
    pub(super) when: When,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Latest {
            value: None,
            when: (i64::MIN, 0),
        }
    }
}

impl<T> Latest<T> {
    pub(super) fn set(&mut self, value: Option<T>, when: When) {
        if when >= self.when {
            *self = Latest { value, when };
        }
    }
}

/// An event, its payload in present names.
pub(super) struct Told<'a> {
    pub(super) known: KnownEvent,
    pub(super) id: &'a str,
    pub(super) when: When,
    /// Where it stands in this log.
    pub(super) position: u64,
    pub(super) data: &'a Map<String, Value>,
}

impl Told<'_> {
    /// The value that this event gives a key of the state.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.data
            .iter()
            .find(|(name, _)| {
                let sets = self
                    .known
                    .event
                    .field(name)
                    .map_or(Sets::Itself, |field| field.sets);
                match sets {
                    Sets::Key(set) | Sets::Corrects(set) => set == key,
                    Sets::Itself => *name == key && !self.known.event.report,
                    _ => false,
                }
            })
            .map(|(_, value)| value)
    }

    /// A word that the event sets or implies.
    pub(super) fn word(&self, key: &str) -> Option<Box<str>> {
        if let Some(value) = self.get(key) {
            return value.as_str().map(Into::into);
        }
        let implied = self
            .known
            .event
            .implies
            .iter()
            .find(|(name, _)| *name == key);
        implied.and_then(|(_, constant)| constant.value().as_str().map(Into::into))
    }

    /// Sets `field` where the event says something of `key`; null empties it.
    pub(super) fn set<T>(
        &self,
        field: &mut Latest<T>,
        key: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) {
        if let Some(value) = self.get(key) {
            field.set(read(value), self.when);
        }
    }
}

pub(super) fn time(value: &Value) -> Option<i64> {
    value.as_str().and_then(parse_time)
}

pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// Hundredths of the currency, from a number or a text of one.
pub(super) fn cents(value: &Value) -> Option<i64> {
    Money::of_json(value).and_then(|money| {
        let text = money.to_json();
        let digits: String = text.as_str()?.chars().filter(|char| *char != '.').collect();
        digits.parse().ok()
    })
}
