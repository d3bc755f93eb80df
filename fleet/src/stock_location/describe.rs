//! What the commands of stock locations may bring.

use super::event;
use super::schema::SCHEMA;
use crate::described::Described;
use crate::schema::body::read_only;
use crate::schema::limits::{REFERENCE, defaulted};
use crate::schema::{Constant, Field, Kind};

/// How one is described.
pub const DESCRIBED: Described = Described {
    schema: &SCHEMA,
    name: "Stock location",
    missing: "stock_location_not_found",
    created: event::STOCK_LOCATION_CREATED,
    updated: event::STOCK_LOCATION_UPDATED,
    creation: &[
        Field::required("location_code", Kind::Key { chars_max: 50 }),
        Field::required("name", Kind::name(255)),
        Field::required("location_type", Kind::name(50)),
        Field::optional("workshop_id", REFERENCE),
        Field::optional("address", Kind::text(500)),
        defaulted("is_active", Kind::Boolean),
    ],
    defaults: &[("is_active", Constant::Flag(true))],
    change: &[
        defaulted("name", Kind::name(255)),
        defaulted("location_type", Kind::name(50)),
        Field::optional("workshop_id", REFERENCE),
        Field::optional("address", Kind::text(500)),
        defaulted("is_active", Kind::Boolean),
        read_only("location_code"),
        read_only("id"),
        read_only("created_at"),
        read_only("updated_at"),
        read_only("version"),
    ],
};
