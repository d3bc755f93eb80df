//! What a team can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use crate::availability::{END, IS_AVAILABLE, START};
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const WORKSHOP: Field = Field::optional("workshop_id", Kind::name(255));
const SKILLS: Field = Field::optional("skills", Kind::List(&Kind::text(200)));
const MOST_AT_ONCE: Field = Field::optional(
    "max_concurrent_work_orders",
    Kind::Integer { min: 1, max: 1_000 },
)
.never_null();
const IS_ACTIVE: Field = Field::optional("is_active", Kind::Boolean).never_null();

/// The body of a new team.
pub const CREATE: &[Field] = &[
    Field::required("team_id", Kind::Key { chars_max: 50 }),
    Field::required("name", Kind::name(200)),
    WORKSHOP,
    SKILLS,
    MOST_AT_ONCE,
    IS_ACTIVE,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("name", Kind::name(200)).never_null(),
    WORKSHOP,
    SKILLS,
    MOST_AT_ONCE,
    IS_ACTIVE,
    read_only("id"),
    read_only("team_id"),
    read_only("availability"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
    read_only("position"),
];

/// The body of a span of time in which it is there, or is not.
pub const AVAILABILITY: &[Field] = &[
    START,
    END,
    IS_AVAILABLE,
    Field::optional("shift_type", Kind::text(50)),
    Field::optional("notes", Kind::text(500)),
];

/// A command on a team.
#[derive(Clone, PartialEq, Debug)]
pub enum TeamCommand {
    /// Come into being, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`].
    Change(Map<String, Value>),
    /// Be there for a span of time, or not.
    SetAvailability {
        /// The span's name; a new one's is the caller's to make.
        availability_id: String,
        /// Of [`AVAILABILITY`].
        fields: Map<String, Value>,
    },
    /// Take such a span back.
    RemoveAvailability {
        /// Which.
        availability_id: String,
    },
    /// Be kept no more.
    Delete,
}
