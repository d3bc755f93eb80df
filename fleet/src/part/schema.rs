//! The table of a part's events.
//!
//! Schema 1 of `StockLevelChanged` is what was written before differences were: the level before and the one after.

use serde_json::{Map, Value};

use super::{AGGREGATE_TYPE, event, view};
use crate::described::listed_is_active;
use crate::listing::{Filter, Listing, Search};
use crate::schema::check::integer;
use crate::schema::row::{self, CREATED_AT, EXTRA, ID, SHORT, UPDATED_AT, WHOLE};
use crate::schema::{AggregateSchema, EventSchema, Field, Spelling};

/// The state's key of the level on the whole.
pub const STOCK_KEY: &str = "current_stock";
/// The state's key of the levels by location.
pub const STOCK_BY_LOCATION_KEY: &str = "stock_by_location";
/// The state's key of what was announced.
pub const AVAILABILITIES_KEY: &str = "availabilities";

/// The Part aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .spelled(&[
        Spelling::new("part_number", "part_no"),
        Spelling::new("reorder_point", "min_stock"),
    ])
    .totals(&[STOCK_KEY, STOCK_BY_LOCATION_KEY])
    .named_by("part_no")
    .listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[
        Filter::key("railway_class"),
        Filter::by("is_active", listed_is_active),
        Filter::by("low_stock", view::listed_low_stock),
    ],
    searches: &[Search::over("search", &["part_no", "name"]).with_id()],
    row: view::row,
    ..Listing::NONE
};

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::PART_CREATED,
        "The part is kept from here on.",
        &[
            ID,
            row::reference("part_no"),
            row::short("name"),
            row::short("railway_class"),
            row::short("unit"),
            row::whole("min_stock"),
            row::whole(STOCK_KEY),
            row::reference("preferred_supplier_id"),
            row::money("unit_price"),
            row::flag("is_active"),
            CREATED_AT,
            UPDATED_AT,
            EXTRA,
        ],
    ),
    EventSchema::new(
        event::PART_UPDATED,
        "Some of what describes it changed; its level is not among that.",
        &[
            ID.setting_nothing(),
            row::reference("part_no"),
            row::short("name"),
            row::short("railway_class"),
            row::short("unit"),
            row::whole("min_stock"),
            row::whole(STOCK_KEY).setting_nothing(),
            row::reference("preferred_supplier_id"),
            row::money("unit_price"),
            row::flag("is_active"),
            CREATED_AT,
            UPDATED_AT,
            EXTRA,
        ],
    ),
    EventSchema::new(event::PART_DELETED, "It is kept no more.", &[row::REASON]),
    EventSchema::new(
        event::STOCK_LEVEL_CHANGED,
        "Some of it came (more than 0) or went (less than 0), at a location or at none that is known.",
        &[
            Field::required("delta", WHOLE).adding_shares(
                STOCK_KEY,
                STOCK_BY_LOCATION_KEY,
                "location_id",
            ),
            row::reference("location_id").setting_nothing(),
            row::whole("old_current_stock").setting_nothing(),
            row::whole("new_current_stock").setting_nothing(),
            row::reference("stock_move_id").setting_nothing(),
            row::REASON,
        ],
    )
    .upcast_by(&[difference]),
    EventSchema::new(
        event::STOCK_DISCREPANCY_DETECTED,
        "A reported fact left less of it than nothing: somebody must count.",
        &[
            row::whole("level"),
            row::reference("location_id"),
            row::whole("level_at_location"),
            row::reference("stock_move_id"),
            row::REASON,
        ],
    )
    .reporting(),
    EventSchema::new(
        event::INVENTORY_LOW_STOCK_ALERT,
        "Its level fell to its least or below.",
        &[
            row::short("part_number"),
            row::whole("quantity"),
            row::whole("reorder_point"),
        ],
    )
    .reporting(),
    EventSchema::new(
        event::INVENTORY_ITEM_USED,
        "Some of it was used, as the old documents report it; the level is not changed by this.",
        &[
            row::short("part_number"),
            row::whole("quantity"),
            row::reference("work_order_id"),
        ],
    )
    .reporting(),
    EventSchema::new(
        event::PART_AVAILABILITY_ANNOUNCED,
        "Some of it will be available from a time on.",
        &[
            Field::required("availability_id", SHORT),
            row::whole("available_qty"),
            row::time("available_from_ts"),
            row::short("location"),
            row::reference("reservation_work_order_id"),
            CREATED_AT,
            EXTRA,
        ],
    )
    .putting_item(AVAILABILITIES_KEY, "availability_id"),
    EventSchema::new(
        event::PART_AVAILABILITY_WITHDRAWN,
        "What was announced will not come.",
        &[Field::required("availability_id", SHORT), row::REASON],
    )
    .removing_item(AVAILABILITIES_KEY, "availability_id"),
];

/// `StockLevelChanged`, 1 → 2: the difference, where only the levels before and after stand.
fn difference(data: &mut Map<String, Value>) {
    let level = |name| data.get(name).and_then(integer);
    if !data.contains_key("delta")
        && let (Some(old), Some(new)) = (level("old_current_stock"), level("new_current_stock"))
        && let Some(delta) = new.checked_sub(old)
    {
        data.insert("delta".to_owned(), Value::from(delta));
    }
}
