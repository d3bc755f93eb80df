//! A track's row.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use crate::availability::SPANS;
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
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
};

/// The row of the track with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, track: &Folded) -> Option<Map<String, Value>> {
    let mut row = SHAPE.row(aggregate_id, track)?;
    row.insert(
        SPANS.to_owned(),
        Value::from_iter(track.record.items(SPANS)),
    );
    Some(row)
}
