//! Which columns the events and the states of an aggregate type have: taken from its table in [`fleet::registry`]. Pure.
//!
//! A field has one column in all events of its aggregate type. Two events that give one name different kinds share a
//! column of JSON text. What does not fit its column stands in `rest`, so nothing is lost.

use std::collections::BTreeMap;

use arrow_schema::{DataType, TimeUnit};
use fleet::schema::{AggregateSchema, Field, Kind, Sensitivity, Sets};

/// Digits of an amount of money, two of them behind the point.
pub(crate) const MONEY_DIGITS: u8 = 18;
/// Places behind the point.
pub(crate) const MONEY_PLACES: i8 = 2;
/// Before a field whose name is that of a column that every table has.
const TAKEN_PREFIX: &str = "data_";

/// The type of a column's values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ColumnKind {
    /// Text.
    Text,
    /// 64 bits.
    Integer,
    /// 64 bits, floating.
    Number,
    /// True or false.
    Flag,
    /// Microseconds since 1970 UTC.
    Time,
    /// A decimal with two places.
    Money,
    /// JSON text.
    Json,
}

impl ColumnKind {
    pub(crate) const ALL: [ColumnKind; 7] = [
        ColumnKind::Text,
        ColumnKind::Integer,
        ColumnKind::Number,
        ColumnKind::Flag,
        ColumnKind::Time,
        ColumnKind::Money,
        ColumnKind::Json,
    ];

    pub(crate) fn data_type(self) -> DataType {
        match self {
            ColumnKind::Text | ColumnKind::Json => DataType::Utf8,
            ColumnKind::Integer => DataType::Int64,
            ColumnKind::Number => DataType::Float64,
            ColumnKind::Flag => DataType::Boolean,
            ColumnKind::Time => time_type(),
            ColumnKind::Money => DataType::Decimal128(MONEY_DIGITS, MONEY_PLACES),
        }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text { .. }
            | Kind::Key { .. }
            | Kind::Uuid
            | Kind::OneOf(_)
            | Kind::Email
            | Kind::Hex { .. } => ColumnKind::Text,
            Kind::Integer { .. } => ColumnKind::Integer,
            Kind::Number { .. } => ColumnKind::Number,
            Kind::Boolean => ColumnKind::Flag,
            Kind::Time => ColumnKind::Time,
            Kind::Money | Kind::Amount { .. } => ColumnKind::Money,
            Kind::Object | Kind::List(_) | Kind::Record(_) | Kind::Any => ColumnKind::Json,
        }
    }
}

/// A moment, as every engine reads it.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The columns of a table, behind those that every table has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Columns {
    /// By the name in JSON: the column's name and kind. In the order of names.
    pub(crate) fields: Vec<(&'static str, String, ColumnKind)>,
    /// Names that are in no file: what nobody but the service that wrote it may read, and old names of what has a column.
    pub(crate) hidden: Vec<&'static str>,
}

impl Columns {
    /// Those of the events of an aggregate type. `taken` are the names of the columns that every table has.
    pub(crate) fn of_events(aggregate: &AggregateSchema, taken: &[&str]) -> Self {
        let mut chosen = Chosen::default();
        for field in aggregate.events.iter().flat_map(|event| event.fields) {
            chosen.put(field.name, ColumnKind::of(field.kind), field);
        }
        chosen.columns(taken)
    }

    /// Those of the states of an aggregate type.
    pub(crate) fn of_states(aggregate: &AggregateSchema, taken: &[&str]) -> Self {
        let mut chosen = Chosen::default();
        for event in aggregate.events {
            for field in event.fields.iter().filter(|_| !event.report) {
                let kind = ColumnKind::of(field.kind);
                match field.sets {
                    Sets::Itself => chosen.put(field.name, kind, field),
                    Sets::Key(key) | Sets::Corrects(key) => chosen.put(key, kind, field),
                    Sets::Adds(total) => chosen.put(total.key, ColumnKind::Integer, field),
                    Sets::AddsEach(totals) => chosen.put(totals.key, ColumnKind::Json, field),
                    Sets::Nothing => {}
                }
            }
            for (key, constant) in event.implies {
                if !chosen.kinds.contains_key(key) {
                    chosen.kinds.insert(key, kind_of(&constant.value()));
                }
            }
            if let Some(item) = event.item {
                chosen.kinds.insert(item.list, ColumnKind::Json);
            }
            let older = event.spellings.iter().chain(aggregate.spellings);
            chosen.old.extend(older.map(|spelling| spelling.given));
        }
        chosen.columns(taken)
    }
}

#[derive(Default)]
struct Chosen {
    kinds: BTreeMap<&'static str, ColumnKind>,
    secret: Vec<&'static str>,
    old: Vec<&'static str>,
}

impl Chosen {
    fn put(&mut self, name: &'static str, kind: ColumnKind, field: &Field) {
        if field.sensitivity == Sensitivity::Secret {
            self.secret.push(name);
            return;
        }
        let known = self.kinds.entry(name).or_insert(kind);
        if *known != kind {
            *known = ColumnKind::Json;
        }
    }

    fn columns(mut self, taken: &[&str]) -> Columns {
        // A name that is secret in one event is so in all; an old name may be another field's present one.
        self.kinds.retain(|name, _| !self.secret.contains(name));
        self.old.retain(|name| !self.kinds.contains_key(name));
        let mut hidden = self.secret;
        hidden.append(&mut self.old);
        hidden.sort_unstable();
        hidden.dedup();
        let fields = self.kinds.into_iter().map(|(name, kind)| {
            let column = match taken.contains(&name) {
                true => format!("{TAKEN_PREFIX}{name}"),
                false => name.to_owned(),
            };
            (name, column, kind)
        });
        Columns {
            fields: fields.collect(),
            hidden,
        }
    }
}

fn kind_of(value: &serde_json::Value) -> ColumnKind {
    match value {
        serde_json::Value::String(_) => ColumnKind::Text,
        serde_json::Value::Bool(_) => ColumnKind::Flag,
        serde_json::Value::Number(_) => ColumnKind::Integer,
        _ => ColumnKind::Json,
    }
}
