//! What a workshop can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const WORDS: Kind = Kind::List(&Kind::text(200));
const TOTAL_TRACKS: Field = Field::optional("total_tracks", tracks(1)).never_null();
const CONTACT: Field = Field::optional("contact_person", Kind::text(200));
const PHONE: Field = Field::optional("phone", Kind::text(50));
const EMAIL: Field = Field::optional("email", Kind::Email);
const CERTIFIED: Field = Field::optional("is_ecm_certified", Kind::Boolean).never_null();
const SPECIALIZATIONS: Field = Field::optional("specializations", WORDS);
const VEHICLE_TYPES: Field = Field::optional("supported_vehicle_types", WORDS);
const NOTES: Field = Field::optional("notes", Kind::text(1_000));

const fn tracks(min: i64) -> Kind {
    Kind::Integer { min, max: 10_000 }
}

/// The body of a new workshop.
pub const CREATE: &[Field] = &[
    Field::required("code", Kind::Key { chars_max: 50 }),
    Field::required("name", Kind::name(200)),
    Field::required("location", Kind::name(255)),
    CONTACT,
    PHONE,
    EMAIL,
    TOTAL_TRACKS,
    CERTIFIED,
    SPECIALIZATIONS,
    VEHICLE_TYPES,
    NOTES,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("name", Kind::name(200)).never_null(),
    Field::optional("location", Kind::name(255)).never_null(),
    CONTACT,
    PHONE,
    EMAIL,
    TOTAL_TRACKS,
    Field::optional("available_tracks", tracks(0)).never_null(),
    CERTIFIED,
    SPECIALIZATIONS,
    VEHICLE_TYPES,
    Field::optional("rating", Kind::Number { min: 0.0, max: 5.0 }),
    Field::optional("is_active", Kind::Boolean).never_null(),
    NOTES,
    read_only("id"),
    read_only("code"),
    read_only("total_completed_orders"),
    read_only("orders_in_work"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
    read_only("position"),
];

/// A command on a workshop.
#[derive(Clone, PartialEq, Debug)]
pub enum WorkshopCommand {
    /// Come into being, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`].
    Change(Map<String, Value>),
    /// Work on an order begins.
    BeginOrder {
        /// The order.
        work_order_id: String,
        /// Whether it counted as completed before.
        is_taken_up_again: bool,
    },
    /// Work on an order ends.
    EndOrder {
        /// The order.
        work_order_id: String,
        /// Whether it is done rather than called off or moved.
        is_completed: bool,
    },
}
