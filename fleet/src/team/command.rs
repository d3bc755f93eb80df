//! The tables of the bodies that become commands on a team.

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
