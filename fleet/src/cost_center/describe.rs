//! What the commands of cost centers may bring.

use super::event;
use super::schema::SCHEMA;
use crate::described::Described;
use crate::schema::body::read_only;
use crate::schema::limits::{REMARK, defaulted};
use crate::schema::{Constant, Field, Kind};

/// How one is described.
pub const DESCRIBED: Described = Described {
    schema: &SCHEMA,
    name: "Cost center",
    missing: "cost_center_not_found",
    created: event::COST_CENTER_CREATED,
    updated: event::COST_CENTER_UPDATED,
    creation: &[
        Field::required("code", Kind::Key { chars_max: 50 }),
        Field::required("name", Kind::name(255)),
        Field::optional("parent_code", Kind::text(50)),
        defaulted("is_active", Kind::Boolean),
        Field::optional("notes", REMARK),
    ],
    defaults: &[("is_active", Constant::Flag(true))],
    change: &[
        defaulted("name", Kind::name(255)),
        Field::optional("parent_code", Kind::text(50)),
        defaulted("is_active", Kind::Boolean),
        Field::optional("notes", REMARK),
        read_only("code"),
        read_only("id"),
        read_only("created_at"),
        read_only("updated_at"),
        read_only("version"),
    ],
};
