//! The Team aggregate: people of a workshop who work together, and when they are there.

mod command;
pub mod schema;

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;
use crate::workplace::Workplace;

pub use command::{AVAILABILITY, CHANGE, CREATE};

/// The aggregate type of teams.
pub const AGGREGATE_TYPE: &str = "Team";

/// What a team is as a workplace.
pub const WORKPLACE: Workplace = Workplace {
    schema: &schema::SCHEMA,
    shape: RowShape {
        aggregate_type: AGGREGATE_TYPE,
        fields: &[
            "team_id",
            "name",
            "workshop_id",
            "skills",
            "max_concurrent_work_orders",
            "is_active",
        ],
        defaults: &[
            ("skills", Constant::EmptyList),
            ("max_concurrent_work_orders", Constant::Count(1)),
            ("is_active", Constant::Flag(true)),
        ],
    },
    missing: "team_not_found",
    not_found: "Team not found",
    created: schema::CREATED,
    updated: schema::UPDATED,
    availability_set: schema::AVAILABILITY_SET,
    availability_removed: schema::AVAILABILITY_REMOVED,
    deleted: schema::DELETED,
    creation: CREATE,
    change: CHANGE,
    availability: AVAILABILITY,
};

/// The row of the team with this id; `None` when there is none, or none any more.
fn row(aggregate_id: &str, team: &Folded) -> Option<Map<String, Value>> {
    WORKPLACE.row(aggregate_id, team)
}
