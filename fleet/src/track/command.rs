//! The tables of the bodies that become commands on a track.

use crate::availability::{END, IS_AVAILABLE, START};
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const WORKSHOP: Field = Field::optional("workshop_id", Kind::name(255));
const LOCATION: Field = Field::optional("location", Kind::text(255));
const CAPABILITIES: Field = Field::optional("capabilities", Kind::List(&Kind::text(200)));
const IS_ACTIVE: Field = Field::optional("is_active", Kind::Boolean).never_null();

/// The body of a new track.
pub const CREATE: &[Field] = &[
    Field::required("track_id", Kind::Key { chars_max: 50 }),
    Field::required("name", Kind::name(200)),
    WORKSHOP,
    LOCATION,
    CAPABILITIES,
    IS_ACTIVE,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("name", Kind::name(200)).never_null(),
    WORKSHOP,
    LOCATION,
    CAPABILITIES,
    IS_ACTIVE,
    read_only("id"),
    read_only("track_id"),
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
    Field::optional("reason", Kind::text(255)),
];
