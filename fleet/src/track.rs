//! The Track aggregate: a track of a workshop, and when it can be used.

mod command;
pub mod schema;

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;
use crate::workplace::Workplace;

pub use command::{AVAILABILITY, CHANGE, CREATE};

/// The aggregate type of tracks.
pub const AGGREGATE_TYPE: &str = "Track";

/// What a track is as a workplace.
pub const WORKPLACE: Workplace = Workplace {
    schema: &schema::SCHEMA,
    shape: RowShape {
        aggregate_type: AGGREGATE_TYPE,
        fields: &[
            "track_id",
            "name",
            "workshop_id",
            "location",
            "capabilities",
            "is_active",
        ],
        defaults: &[
            ("capabilities", Constant::EmptyList),
            ("is_active", Constant::Flag(true)),
        ],
    },
    missing: "track_not_found",
    not_found: "Track not found",
    created: schema::CREATED,
    updated: schema::UPDATED,
    availability_set: schema::AVAILABILITY_SET,
    availability_removed: schema::AVAILABILITY_REMOVED,
    deleted: schema::DELETED,
    creation: CREATE,
    change: CHANGE,
    availability: AVAILABILITY,
};

/// The row of the track with this id; `None` when there is none, or none any more.
fn row(aggregate_id: &str, track: &Folded) -> Option<Map<String, Value>> {
    WORKPLACE.row(aggregate_id, track)
}
