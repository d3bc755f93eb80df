//! What a part's commands may bring. Its level is not among that: stock moves change it.

use super::event;
use super::schema::{SCHEMA, STOCK_KEY};
use crate::described::Described;
use crate::schema::body::read_only;
use crate::schema::limits::{LEVEL, PRICE, REFERENCE, defaulted};
use crate::schema::{Constant, Field, Kind};

/// How a part is described.
pub const DESCRIBED: Described = Described {
    schema: &SCHEMA,
    name: "Part",
    missing: "part_not_found",
    created: event::PART_CREATED,
    updated: event::PART_UPDATED,
    creation: &[
        Field::required("part_no", Kind::Key { chars_max: 100 }),
        Field::required("name", Kind::name(255)),
        Field::optional("railway_class", Kind::text(50)),
        defaulted("unit", Kind::name(20)),
        defaulted("min_stock", LEVEL),
        defaulted(STOCK_KEY, LEVEL),
        Field::optional("unit_price", PRICE),
        Field::optional("preferred_supplier_id", REFERENCE),
        defaulted("is_active", Kind::Boolean),
    ],
    defaults: &[
        ("unit", Constant::Text("pc")),
        ("min_stock", Constant::Count(0)),
        (STOCK_KEY, Constant::Count(0)),
        ("is_active", Constant::Flag(true)),
    ],
    change: &[
        defaulted("name", Kind::name(255)),
        Field::optional("railway_class", Kind::text(50)),
        defaulted("unit", Kind::name(20)),
        defaulted("min_stock", LEVEL),
        // Taken only to be held against the level: a client that means to change it must not believe that it did.
        Field::optional(STOCK_KEY, Kind::Any),
        Field::optional("unit_price", PRICE),
        Field::optional("preferred_supplier_id", REFERENCE),
        defaulted("is_active", Kind::Boolean),
        read_only("part_no"),
        read_only("id"),
        read_only("stock_by_location"),
        read_only("created_at"),
        read_only("updated_at"),
        read_only("version"),
    ],
};
