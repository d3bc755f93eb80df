//! What an aggregate's events look like: tables, one per aggregate, that validation, upcasting, folding, redaction and
//! documentation read. The tables are data; the steps over them are in [`check`] and [`canon`].
//!
//! Two rules keep old and foreign writers welcome. A field that no table knows is accepted and kept, and sets the key of
//! its name unless that is [reserved](AggregateSchema::is_reserved). A field is required only where an event means nothing
//! without it: what a *command* must bring is `decide`'s to say.

pub mod body;
pub mod canon;
pub mod check;
pub mod draft;
pub mod limits;
pub mod row;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::event::EventView;
use crate::folded::Folded;
use crate::listing::Listing;
use crate::money::Money;

pub use canon::canonical_data;
pub use check::{FieldError, check};
use row::ID;

/// All that is known of one aggregate type.
#[derive(Clone, Copy, Debug)]
pub struct AggregateSchema {
    /// The name, `Vehicle`.
    pub aggregate_type: &'static str,
    /// Whether only the server itself writes these streams; the public append refuses their events.
    pub internal: bool,
    /// Keys of the state that are counters of the real world: they only rise, save by a correction
    /// ([`crate::fold::Highest`]). All other keys keep the value of the latest event that set them.
    pub highest: &'static [&'static str],
    /// Keys of the state that differences add up to ([`Sets::Adds`], [`Sets::AddsEach`]).
    pub totals: &'static [&'static str],
    /// Where the aggregate's id is the business key that it began with: the key of the state under which events tell the
    /// present one, `asset_id`. It changes only as an importer follows a database, and is held unique by whoever writes it.
    pub named_by: Option<&'static str>,
    /// Names of fields and of keys of the state whose reading the aggregate's own routes decide, row by row. Where events and
    /// states are shown as such, they are for whoever may read every row.
    pub guarded: &'static [&'static str],
    /// Other names under which its fields came in the past. Applies to every event that has the field.
    pub spellings: &'static [Spelling],
    /// Its event types, in the order in which they are documented.
    pub events: &'static [EventSchema],
    /// What its known events do beyond what their tables say; after the table-driven fold.
    pub fold: Option<FoldStep>,
    /// How its rows look and what they are found by.
    pub listing: Listing,
}

/// What an event does to a state beyond its table. The payload is in the current schema, with its present names.
pub type FoldStep = fn(&mut Folded, &EventView<'_>, &Map<String, Value>);

impl AggregateSchema {
    /// An aggregate whose events do what their tables say, and that is found by its id.
    pub const fn new(aggregate_type: &'static str, events: &'static [EventSchema]) -> Self {
        AggregateSchema {
            aggregate_type,
            internal: false,
            highest: &[],
            totals: &[],
            named_by: None,
            guarded: &[],
            spellings: &[],
            events,
            fold: None,
            listing: Listing::NONE,
        }
    }

    /// The same, written by the server alone.
    #[must_use]
    pub const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// The same, with these keys as counters that only rise.
    #[must_use]
    pub const fn highest(mut self, keys: &'static [&'static str]) -> Self {
        self.highest = keys;
        self
    }

    /// The same, with these keys as totals of differences.
    #[must_use]
    pub const fn totals(mut self, keys: &'static [&'static str]) -> Self {
        self.totals = keys;
        self
    }

    /// The same, begun under a business key of which this key of the state tells the present one.
    #[must_use]
    pub const fn named_by(mut self, key: &'static str) -> Self {
        self.named_by = Some(key);
        self
    }

    /// The same, with these fields and keys guarded by the aggregate's own routes.
    #[must_use]
    pub const fn guarding(mut self, names: &'static [&'static str]) -> Self {
        self.guarded = names;
        self
    }

    /// The same, with other names for some fields.
    #[must_use]
    pub const fn spelled(mut self, spellings: &'static [Spelling]) -> Self {
        self.spellings = spellings;
        self
    }

    /// The same, with a step behind the table-driven fold.
    #[must_use]
    pub const fn folded_by(mut self, step: FoldStep) -> Self {
        self.fold = Some(step);
        self
    }

    /// The same, with these rows.
    #[must_use]
    pub const fn listed(mut self, listing: Listing) -> Self {
        self.listing = listing;
        self
    }

    /// What the aggregate with this id goes by: its business key as its events told it last, where its id is the one that it
    /// began with; else its id.
    pub fn name_of<'a>(&self, id: &'a str, folded: &'a Folded) -> &'a str {
        let told = self.named_by.and_then(|key| folded.text(key));
        told.filter(|told| !told.is_empty()).unwrap_or(id)
    }

    /// Whether a field of this name sets nothing in an event of this type (in its canonical spelling) whose table lacks
    /// it, or that stands in no table. A total is opened by the fields that the tables name for it, and else only added to: a level
    /// that came along with a difference would count beside it for ever. A row has the UUID that a creation told.
    pub fn is_reserved(&self, event_type: &str, name: &str) -> bool {
        if name == ID.name {
            return event_type.strip_prefix(self.aggregate_type) != Some("Created");
        }
        self.totals.contains(&name)
    }
}

/// A name under which a field came in the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spelling {
    /// The old name, `build_year`.
    pub given: &'static str,
    /// The field's name now, `year`.
    pub meant: &'static str,
}

impl Spelling {
    /// `given` means the field `meant`.
    pub const fn new(given: &'static str, meant: &'static str) -> Self {
        Spelling { given, meant }
    }
}

/// A step from one schema number to the next. It must cope with any object: what is not as expected stays as it is.
pub type Upcaster = fn(&mut Map<String, Value>);

/// All that is known of one event type.
#[derive(Clone, Copy, Debug)]
pub struct EventSchema {
    /// The canonical name, `VehicleStatusChanged`.
    pub event_type: &'static str,
    /// The current schema number; one more than there are upcasters.
    pub schema: u16,
    /// What happened, in a sentence.
    pub summary: &'static str,
    /// The payload's fields.
    pub fields: &'static [Field],
    /// Whether it reports something that happened to the aggregate rather than what the aggregate is. A report's
    /// fields set nothing in the state, save those that name a key.
    pub report: bool,
    /// Keys that the event sets by its type alone: a completion makes `status` `completed`, whatever it carries. A
    /// payload that sets the same key goes before.
    pub implies: &'static [(&'static str, Constant)],
    /// Whether it is about one item of a list within the aggregate rather than the aggregate itself.
    pub item: Option<ItemRule>,
    /// Whether it begins the aggregate's life, though its name is not the aggregate's with `Created` behind it.
    pub begins: bool,
    /// Other names of fields in this event alone. They go before the aggregate's.
    pub spellings: &'static [Spelling],
    /// `upcasters[n - 1]` turns schema `n` into `n + 1`. Stored events are never rewritten.
    pub upcasters: &'static [Upcaster],
}

impl EventSchema {
    /// An event type in its first schema, without other spellings.
    pub const fn new(
        event_type: &'static str,
        summary: &'static str,
        fields: &'static [Field],
    ) -> Self {
        EventSchema {
            event_type,
            schema: 1,
            summary,
            fields,
            report: false,
            begins: false,
            implies: &[],
            item: None,
            spellings: &[],
            upcasters: &[],
        }
    }

    /// The same type, marked as a report.
    #[must_use]
    pub const fn reporting(mut self) -> Self {
        self.report = true;
        self
    }

    /// The same type, setting these keys by its type alone.
    #[must_use]
    pub const fn implying(mut self, implies: &'static [(&'static str, Constant)]) -> Self {
        self.implies = implies;
        self
    }

    /// The same type, adding to or changing the item of `list` that the field `key` names. Fields that name no key of
    /// the state are the item's.
    #[must_use]
    pub const fn putting_item(mut self, list: &'static str, key: &'static str) -> Self {
        self.item = Some(ItemRule {
            list,
            key,
            removes: false,
        });
        self
    }

    /// The same type, taking the item that the field `key` names out of `list`.
    #[must_use]
    pub const fn removing_item(mut self, list: &'static str, key: &'static str) -> Self {
        self.item = Some(ItemRule {
            list,
            key,
            removes: true,
        });
        self
    }

    /// The same type, beginning the aggregate's life.
    #[must_use]
    pub const fn beginning(mut self) -> Self {
        self.begins = true;
        self
    }

    /// The same type, with other names for some of its fields.
    #[must_use]
    pub const fn spelled(mut self, spellings: &'static [Spelling]) -> Self {
        self.spellings = spellings;
        self
    }

    /// The same type, at the schema number to which these steps lead from 1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a handful of steps; checked by the assertion"
    )]
    pub const fn upcast_by(mut self, upcasters: &'static [Upcaster]) -> Self {
        assert!(upcasters.len() < u16::MAX as usize);
        self.schema = upcasters.len() as u16 + 1;
        self.upcasters = upcasters;
        self
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// What the field of this name does to the state; a field that the table lacks sets the key of its name, unless that
    /// is [reserved](AggregateSchema::is_reserved).
    pub fn sets(&self, name: &str) -> Sets {
        self.field(name).map_or(Sets::Itself, |field| field.sets)
    }

    /// The fields that hold something about a person, or a secret.
    pub fn sensitive_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields
            .iter()
            .filter(|field| field.sensitivity != Sensitivity::Open)
    }
}

/// A value that stands in a table: what an event type implies, what a row shows where no event told anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Constant {
    /// A word, mostly of a status.
    Text(&'static str),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Count(i64),
    /// A list without items.
    EmptyList,
}

impl Constant {
    /// The same as JSON.
    pub fn value(self) -> Value {
        match self {
            Constant::Text(text) => Value::from(text),
            Constant::Flag(flag) => Value::from(flag),
            Constant::Count(count) => Value::from(count),
            Constant::EmptyList => Value::Array(Vec::new()),
        }
    }
}

/// Which item of a list within the aggregate an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItemRule {
    /// The key of the state that holds the list, `checklist`.
    pub list: &'static str,
    /// The field that names the item, `item_id`.
    pub key: &'static str,
    /// Whether the item goes rather than comes or changes.
    pub removes: bool,
}

/// One field of a payload.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Field {
    /// The name in JSON.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// Whether the event means nothing without it.
    pub required: bool,
    /// Whether null is a value of it: "unknown", "none".
    pub nullable: bool,
    /// Who may read it.
    pub sensitivity: Sensitivity,
    /// Which key of the folded state it sets.
    pub sets: Sets,
}

/// What a field does to the folded state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sets {
    /// Sets the key of its own name.
    Itself,
    /// Sets this key: `new_status` sets `status`.
    Key(&'static str),
    /// Corrects this key, one of the aggregate's `highest`, so that it may fall.
    Corrects(&'static str),
    /// A difference, added to a total.
    Adds(Total),
    /// A list of items, the difference in each added to what is counted under its name.
    AddsEach(ItemTotals),
    /// Sets nothing: what was before (`old_status`), or what only the event itself is about.
    Nothing,
}

/// The total that a field's differences add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Total {
    /// The key of the state that holds the total, `current_stock`.
    pub key: &'static str,
    /// The key that holds the total's shares by name, and the field that names the share: `stock_by_location` and
    /// `location_id`. An event without that name adds to the total alone.
    pub shares: Option<(&'static str, &'static str)>,
}

/// The totals that the items of a list add to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItemTotals {
    /// The key of the state that holds the totals by name.
    pub key: &'static str,
    /// The item's member that names the total.
    pub by: &'static str,
    /// The item's member that is added.
    pub delta: &'static str,
}

/// Who may read a field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sensitivity {
    /// Whoever may read the event.
    Open,
    /// As open, but about a person: found by a data subject's request, lost when the person is erased.
    Personal,
    /// Nobody outside the service that wrote it.
    Secret,
}

/// Which values a field takes. Bounds are inclusive.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// Text of so many characters (Unicode scalar values).
    Text {
        /// Fewest characters.
        chars_min: usize,
        /// Most characters.
        chars_max: usize,
    },
    /// A business key of 1 to so many characters: text without control characters and without blanks at its ends.
    Key {
        /// Most characters.
        chars_max: usize,
    },
    /// A UUID in any of its usual forms.
    Uuid,
    /// A whole number; `7.0` is one.
    Integer {
        /// Lowest value.
        min: i64,
        /// Highest value.
        max: i64,
    },
    /// A finite number.
    Number {
        /// Lowest value.
        min: f64,
        /// Highest value.
        max: f64,
    },
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A time in any form that [`crate::calendar::parse_time`] reads.
    Time,
    /// An object, its content free.
    Object,
    /// A list, each item of this kind.
    List(&'static Kind),
    /// An object with these members, and any others.
    Record(&'static [Field]),
    /// A decimal number as text, `"6275.00"`, its scale kept. A JSON number is taken too, as old writers gave it.
    Money,
    /// Money within these bounds and with at most two places that are not zero: what a command may bring.
    Amount {
        /// The least amount.
        min: Money,
        /// The greatest amount.
        max: Money,
    },
    /// An e-mail address: something on both sides of one `@`, no blanks, at most 254 bytes (RFC 5321 §4.5.3.1.3).
    Email,
    /// So many hexadecimal digits.
    Hex {
        /// How many.
        digits: usize,
    },
    /// Any JSON value.
    Any,
}

impl Kind {
    /// Text of 1 to `chars_max` characters.
    pub const fn name(chars_max: usize) -> Self {
        Kind::Text {
            chars_min: 1,
            chars_max,
        }
    }

    /// Text of at most `chars_max` characters, which may be empty.
    pub const fn text(chars_max: usize) -> Self {
        Kind::Text {
            chars_min: 0,
            chars_max,
        }
    }

    /// A whole number from 0 up to what JSON clients hold exactly (2^53 - 1).
    pub const fn count() -> Self {
        Kind::Integer {
            min: 0,
            max: 9_007_199_254_740_991,
        }
    }
}

impl Field {
    /// A field without which the event means nothing.
    pub const fn required(name: &'static str, kind: Kind) -> Self {
        let (sensitivity, sets) = (Sensitivity::Open, Sets::Itself);
        Field {
            name,
            kind,
            required: true,
            nullable: false,
            sensitivity,
            sets,
        }
    }

    /// A field that may be absent or null.
    pub const fn optional(name: &'static str, kind: Kind) -> Self {
        let (sensitivity, sets) = (Sensitivity::Open, Sets::Itself);
        Field {
            name,
            kind,
            required: false,
            nullable: true,
            sensitivity,
            sets,
        }
    }

    /// The same field, which may be absent but not null.
    #[must_use]
    pub const fn never_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The same field, holding something about a person.
    #[must_use]
    pub const fn personal(mut self) -> Self {
        self.sensitivity = Sensitivity::Personal;
        self
    }

    /// The same field, holding a secret.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.sensitivity = Sensitivity::Secret;
        self
    }

    /// The same field, setting the state's `key`.
    #[must_use]
    pub const fn setting(mut self, key: &'static str) -> Self {
        self.sets = Sets::Key(key);
        self
    }

    /// The same field, correcting the state's `key`.
    #[must_use]
    pub const fn correcting(mut self, key: &'static str) -> Self {
        self.sets = Sets::Corrects(key);
        self
    }

    /// The same field, a difference that is added to the total under `key`.
    #[must_use]
    pub const fn adding(mut self, key: &'static str) -> Self {
        self.sets = Sets::Adds(Total { key, shares: None });
        self
    }

    /// The same field, a difference that is added to the total under `key`, and under `shares` to the share that the
    /// field `by` names.
    #[must_use]
    pub const fn adding_shares(
        mut self,
        key: &'static str,
        shares: &'static str,
        by: &'static str,
    ) -> Self {
        self.sets = Sets::Adds(Total {
            key,
            shares: Some((shares, by)),
        });
        self
    }

    /// The same field, a list whose items' `delta` is added under `key` to the total that the item's `by` names.
    #[must_use]
    pub const fn adding_each(
        mut self,
        key: &'static str,
        by: &'static str,
        delta: &'static str,
    ) -> Self {
        self.sets = Sets::AddsEach(ItemTotals { key, by, delta });
        self
    }

    /// The same field, setting nothing.
    #[must_use]
    pub const fn setting_nothing(mut self) -> Self {
        self.sets = Sets::Nothing;
        self
    }
}
