//! What the commands of suppliers may bring.

use super::event;
use super::schema::SCHEMA;
use crate::described::Described;
use crate::schema::body::read_only;
use crate::schema::limits::{CURRENCY, REMARK, defaulted};
use crate::schema::{Constant, Field, Kind};

/// How one is described.
pub const DESCRIBED: Described = Described {
    schema: &SCHEMA,
    name: "Supplier",
    missing: "supplier_not_found",
    created: event::SUPPLIER_CREATED,
    updated: event::SUPPLIER_UPDATED,
    creation: &[
        Field::required("supplier_code", Kind::Key { chars_max: 50 }),
        Field::required("name", Kind::name(255)),
        Field::optional("contact_person", Kind::text(255)),
        Field::optional("email", Kind::text(255)),
        Field::optional("phone", Kind::text(50)),
        Field::optional("address", REMARK),
        Field::optional("vat_id", Kind::text(50)),
        Field::optional("payment_terms", Kind::text(100)),
        defaulted("currency", CURRENCY),
        Field::optional("notes", REMARK),
        defaulted("is_active", Kind::Boolean),
    ],
    defaults: &[
        ("currency", Constant::Text("EUR")),
        ("is_active", Constant::Flag(true)),
    ],
    change: &[
        defaulted("name", Kind::name(255)),
        Field::optional("contact_person", Kind::text(255)),
        Field::optional("email", Kind::text(255)),
        Field::optional("phone", Kind::text(50)),
        Field::optional("address", REMARK),
        Field::optional("vat_id", Kind::text(50)),
        Field::optional("payment_terms", Kind::text(100)),
        defaulted("currency", CURRENCY),
        Field::optional("notes", REMARK),
        defaulted("is_active", Kind::Boolean),
        read_only("supplier_code"),
        read_only("id"),
        read_only("created_at"),
        read_only("updated_at"),
        read_only("version"),
    ],
};
