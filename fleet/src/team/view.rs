//! A team's row.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use crate::availability::SPANS;
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
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
};

/// The row of the team with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, team: &Folded) -> Option<Map<String, Value>> {
    let mut row = SHAPE.row(aggregate_id, team)?;
    row.insert(SPANS.to_owned(), Value::from_iter(team.record.items(SPANS)));
    Some(row)
}
