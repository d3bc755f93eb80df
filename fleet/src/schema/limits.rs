//! Kinds that the contract's command bodies share. The old database's column types set them.

use super::{Field, Kind};
use crate::money::{AMOUNT_MAX, Money, PRICE_MAX};

/// The highest whole number of an `integer` column.
pub const INTEGER_MAX: i64 = 2_147_483_647;

/// A price of one piece, not below 0.
pub const PRICE: Kind = Kind::Amount {
    min: Money::ZERO,
    max: PRICE_MAX,
};
/// A sum, not below 0.
pub const AMOUNT: Kind = Kind::Amount {
    min: Money::ZERO,
    max: AMOUNT_MAX,
};
/// How many pieces are moved, ordered or billed: at least one.
pub const QUANTITY: Kind = Kind::Integer {
    min: 1,
    max: INTEGER_MAX,
};
/// How many pieces there are.
pub const LEVEL: Kind = Kind::Integer {
    min: 0,
    max: INTEGER_MAX,
};
/// The id or business key of another aggregate.
pub const REFERENCE: Kind = Kind::name(255);
/// A currency's code.
pub const CURRENCY: Kind = Kind::name(3);
/// Free text without a limit in the old database.
pub const REMARK: Kind = Kind::text(10_000);

/// A field with a value for clients that leave it out, which may therefore not be null.
pub const fn defaulted(name: &'static str, kind: Kind) -> Field {
    Field::optional(name, kind).never_null()
}
