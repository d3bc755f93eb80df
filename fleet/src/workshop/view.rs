//! A workshop's row, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use super::decide::tracks;
use super::schema::ORDERS_IN_WORK;
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "code",
        "name",
        "location",
        "contact_person",
        "phone",
        "email",
        "total_tracks",
        "is_ecm_certified",
        "specializations",
        "supported_vehicle_types",
        "rating",
        "total_completed_orders",
        "is_active",
        "notes",
    ],
    defaults: &[
        ("total_tracks", Constant::Count(1)),
        ("total_completed_orders", Constant::Count(0)),
        ("is_ecm_certified", Constant::Flag(false)),
        ("is_active", Constant::Flag(true)),
    ],
};

/// The row of the workshop with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, workshop: &Folded) -> Option<Map<String, Value>> {
    let mut row = SHAPE.row(aggregate_id, workshop)?;
    let (usable, taken) = tracks(workshop);
    row.insert(
        "available_tracks".to_owned(),
        (usable - taken).max(0).into(),
    );
    let orders = workshop.record.items(ORDERS_IN_WORK);
    let orders = orders
        .iter()
        .filter_map(|order| order.get("work_order_id").cloned());
    row.insert("orders_in_work".to_owned(), orders.collect());
    Some(row)
}
