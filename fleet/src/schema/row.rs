//! The fields that rows of most aggregates share, and kinds as wide as any row of the old database.
//!
//! These are fields of *events*. An event tells what was, so its limits keep only what a program could choke on; what a
//! command may bring is tighter and stands in the command's own table.

use super::{Field, Kind};

/// Most characters of a name, a key or another short text of a row.
pub const SHORT_CHARS_MAX: usize = 1_000;
/// Most characters of a long text of a row.
pub const LONG_CHARS_MAX: usize = 100_000;

/// A short text; it may be empty.
pub const SHORT: Kind = Kind::text(SHORT_CHARS_MAX);
/// A long text; it may be empty.
pub const LONG: Kind = Kind::text(LONG_CHARS_MAX);
/// A whole number that JSON clients hold exactly, of either sign.
pub const WHOLE: Kind = Kind::Integer {
    min: -9_007_199_254_740_991,
    max: 9_007_199_254_740_991,
};
/// Any finite number.
pub const REAL: Kind = Kind::Number {
    min: f64::MIN,
    max: f64::MAX,
};

/// The row's own UUID, where it is not the aggregate's id. A creation tells it, and no other event changes it
/// ([`keeping_id`]): rows refer to each other by it.
pub const ID: Field = Field::optional("id", Kind::Uuid);
/// When the row was made, if not when the event occurred.
pub const CREATED_AT: Field = Field::optional("created_at", Kind::Time);
/// When the row was last changed, if not when the event occurred.
pub const UPDATED_AT: Field = Field::optional("updated_at", Kind::Time);
/// Who made the row.
pub const CREATED_BY: Field = Field::optional("created_by", SHORT);
/// Columns of an imported row that no table knows.
pub const EXTRA: Field = Field::optional("extra", Kind::Object);
/// Why something was done, for the trail.
pub const REASON: Field = Field::optional("reason", LONG).setting_nothing();

/// The fields of a creation, [`ID`] first, as those of a change: the row keeps the UUID that it has.
pub const fn keeping_id<const COUNT: usize>(mut fields: [Field; COUNT]) -> [Field; COUNT] {
    fields[0] = fields[0].setting_nothing();
    fields
}

/// A short text.
pub const fn short(name: &'static str) -> Field {
    Field::optional(name, SHORT)
}

/// A long text.
pub const fn long(name: &'static str) -> Field {
    Field::optional(name, LONG)
}

/// The id or the business key of another aggregate.
pub const fn reference(name: &'static str) -> Field {
    Field::optional(name, SHORT)
}

/// A whole number.
pub const fn whole(name: &'static str) -> Field {
    Field::optional(name, WHOLE)
}

/// A number.
pub const fn real(name: &'static str) -> Field {
    Field::optional(name, REAL)
}

/// An amount of money.
pub const fn money(name: &'static str) -> Field {
    Field::optional(name, Kind::Money)
}

/// A truth.
pub const fn flag(name: &'static str) -> Field {
    Field::optional(name, Kind::Boolean)
}

/// A moment.
pub const fn time(name: &'static str) -> Field {
    Field::optional(name, Kind::Time)
}

/// A value of a `json` column, which may hold anything.
pub const fn json(name: &'static str) -> Field {
    Field::optional(name, Kind::Any)
}

/// One of these words.
pub const fn word(name: &'static str, words: &'static [&'static str]) -> Field {
    Field::optional(name, Kind::OneOf(words))
}
