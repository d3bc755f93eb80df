//! The table of a vehicle's events.
//!
//! Schema 1 of the first five types is whatever the old system and its documents wrote: other names, status words of the
//! dashboards, mileages with a fraction. Schema 2 is ours; [`super::upcast`] leads from one to the other.

use super::{AGGREGATE_TYPE, STATUSES, TYPES, event, fold, upcast, view};
use crate::listing::{Filter, Listing, Search};
use crate::schema::{AggregateSchema, EventSchema, Field, Kind, Spelling, row};

/// The state's key of the odometer's reading.
pub const MILEAGE_KEY: &str = "current_mileage_km";

/// The Vehicle aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .highest(&[MILEAGE_KEY])
    .spelled(SPELLINGS)
    .folded_by(fold::count)
    .named_by("asset_id")
    .listed(LISTING);

/// Vehicles are listed by their aggregate ids, which are the asset ids that they began with.
const LISTING: Listing = Listing {
    filters: &[
        Filter::by("status", view::listed_status),
        Filter::key("type"),
    ],
    searches: &[Search::over("search", &["asset_id", "model", "manufacturer"]).with_id()],
    row: view::row,
    ..Listing::NONE
};

/// The current schema number of one of these event types.
pub(super) fn current(event_type: &str) -> u16 {
    EVENTS
        .iter()
        .find(|event| event.event_type == event_type)
        .map_or(1, |event| event.schema)
}

const SPELLINGS: &[Spelling] = &[
    Spelling::new("build_year", "year"),
    Spelling::new("current_mileage", MILEAGE_KEY),
    Spelling::new("location", "current_location"),
    Spelling::new("max_speed", "max_speed_kmh"),
    Spelling::new("mileage", MILEAGE_KEY),
    Spelling::new("mileage_km", MILEAGE_KEY),
    Spelling::new("operating_hours", "total_operating_hours"),
    Spelling::new("power_output", "power_kw"),
    Spelling::new("vehicle_number", "asset_id"),
];

const POSITIVE: Kind = Kind::Integer {
    min: 1,
    max: 1_000_000,
};
const KILOMETRES: Kind = Kind::count();
const MINUTES: Kind = Kind::Integer {
    min: 0,
    max: 1_000_000,
};
const WORD: Kind = Kind::text(100);
const PLACE: Kind = Kind::text(255);
const REMARK: Kind = Kind::text(1_000);
const WEIGHT: Kind = Kind::Number {
    min: f64::MIN_POSITIVE,
    max: 1_000_000.0,
};
const YEAR: Kind = Kind::Integer {
    min: 1900,
    max: 2100,
};
const FAULT_CODE: Field = Field::optional("fault_code", WORD);
const FAULT_GROUP: Field = Field::optional("fault_group", WORD);
const MILEAGE_THEN: Field = Field::optional("mileage_km", KILOMETRES).setting(MILEAGE_KEY);

/// What describes a vehicle. In events all of it is optional: the old system's creations carried what they had. What a
/// creating command must bring is in [`COMMAND_FIELDS`].
const FIELDS: [Field; 18] = [
    row::ID,
    Field::optional("asset_id", Kind::Key { chars_max: 50 }).never_null(),
    Field::optional("model", Kind::name(100)).never_null(),
    Field::optional("type", Kind::OneOf(TYPES)),
    Field::optional("manufacturer", Kind::text(100)),
    Field::optional("year", YEAR),
    Field::optional("purchase_date", Kind::Time),
    Field::optional("max_speed_kmh", POSITIVE),
    Field::optional("power_kw", POSITIVE),
    Field::optional("weight_tons", WEIGHT),
    Field::optional("current_location", PLACE),
    Field::optional("home_depot", PLACE),
    Field::optional("notes", REMARK),
    Field::optional("specifications", Kind::Object),
    Field::optional("status", Kind::OneOf(STATUSES)).never_null(),
    Field::optional(MILEAGE_KEY, KILOMETRES).never_null(),
    Field::optional("total_operating_hours", Kind::count()).never_null(),
    Field::optional("last_service_date", Kind::Time),
];
const DESCRIPTION: &[Field] = &FIELDS;
const DESCRIPTION_CHANGED: &[Field] = &row::keeping_id(FIELDS);

/// The body of a command that creates a vehicle.
pub(super) const COMMAND_FIELDS: &[Field] = &[
    Field::required("asset_id", Kind::Key { chars_max: 50 }),
    Field::required("model", Kind::name(100)),
    Field::required("type", Kind::OneOf(TYPES)),
    Field::optional("manufacturer", Kind::text(100)),
    Field::optional("year", YEAR),
    Field::optional("max_speed_kmh", POSITIVE),
    Field::optional("power_kw", POSITIVE),
    Field::optional("weight_tons", WEIGHT),
    Field::optional("current_location", PLACE),
    Field::optional("home_depot", PLACE),
    Field::optional("notes", REMARK),
    Field::optional("specifications", Kind::Object),
    Field::optional("status", Kind::OneOf(STATUSES)).never_null(),
    Field::optional(MILEAGE_KEY, KILOMETRES).never_null(),
    Field::optional("total_operating_hours", Kind::count()).never_null(),
];

/// The body of a command that changes a vehicle.
pub(super) const CHANGE_FIELDS: &[Field] = &[
    Field::optional("model", Kind::name(100)).never_null(),
    Field::optional("status", Kind::OneOf(STATUSES)).never_null(),
    Field::optional("manufacturer", Kind::text(100)),
    Field::optional("year", YEAR),
    Field::optional(MILEAGE_KEY, KILOMETRES).never_null(),
    Field::optional("total_operating_hours", Kind::count()).never_null(),
    Field::optional("current_location", PLACE),
    Field::optional("home_depot", PLACE),
    Field::optional("notes", REMARK),
    Field::optional("specifications", Kind::Object),
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::VEHICLE_CREATED,
        "The vehicle exists from here on.",
        DESCRIPTION,
    )
    .upcast_by(&[upcast::description]),
    EventSchema::new(
        event::VEHICLE_UPDATED,
        "Some of what describes it changed.",
        DESCRIPTION_CHANGED,
    )
    .upcast_by(&[upcast::description]),
    EventSchema::new(
        event::VEHICLE_DELETED,
        "It left the fleet.",
        &[Field::optional("reason", REMARK).setting_nothing()],
    ),
    EventSchema::new(
        event::VEHICLE_STATUS_CHANGED,
        "It may do something else than before.",
        &[
            Field::optional("old_status", Kind::OneOf(STATUSES)).setting_nothing(),
            Field::required("new_status", Kind::OneOf(STATUSES)).setting("status"),
            Field::optional("reason", REMARK).setting_nothing(),
        ],
    )
    .spelled(&[Spelling::new("status", "new_status")])
    .upcast_by(&[upcast::status]),
    EventSchema::new(
        event::VEHICLE_MILEAGE_UPDATED,
        "Its odometer was read.",
        &[
            Field::optional("old_mileage", KILOMETRES).setting_nothing(),
            Field::required("new_mileage", KILOMETRES).setting(MILEAGE_KEY),
        ],
    )
    .spelled(MILEAGE_SPELLINGS)
    .upcast_by(&[upcast::mileage]),
    EventSchema::new(
        event::VEHICLE_MILEAGE_CORRECTED,
        "A wrong reading was set right, or the odometer was exchanged.",
        &[
            Field::optional("old_mileage", KILOMETRES).setting_nothing(),
            Field::required("new_mileage", KILOMETRES).correcting(MILEAGE_KEY),
            Field::required("reason", Kind::name(1_000)).setting_nothing(),
        ],
    ),
    EventSchema::new(
        event::VEHICLE_OPERATING_HOURS_UPDATED,
        "Its counter of operating hours was read.",
        &[
            Field::optional("old_hours", Kind::count()).setting_nothing(),
            Field::required("new_hours", Kind::count()).setting("total_operating_hours"),
        ],
    ),
    EventSchema::new(
        event::VEHICLE_LOCATION_CHANGED,
        "It stands somewhere else.",
        &[
            Field::optional("old_location", PLACE).setting_nothing(),
            Field::optional("location", PLACE).setting("current_location"),
        ],
    )
    .spelled(&[
        Spelling::new("current_location", "location"),
        Spelling::new("new_location", "location"),
    ]),
    EventSchema::new(
        event::VEHICLE_MAINTENANCE_SCHEDULED,
        "Maintenance was planned.",
        &[
            Field::optional("maintenance_type", WORD),
            Field::optional("scheduled_date", Kind::Time),
            Field::optional("priority", WORD),
            Field::optional("work_order_id", Kind::text(255)),
        ],
    )
    .reporting()
    .spelled(&[
        Spelling::new("type", "maintenance_type"),
        Spelling::new("due_date", "scheduled_date"),
    ]),
    EventSchema::new(
        event::MAINTENANCE_COMPLETED,
        "Maintenance was done.",
        &[
            Field::optional("maintenance_type", WORD),
            Field::optional("date", Kind::Time),
            Field::optional("work_order_id", Kind::text(255)),
            Field::optional("maintenance_task_id", Kind::text(255)),
            MILEAGE_THEN,
        ],
    )
    .reporting()
    .spelled(&[Spelling::new("type", "maintenance_type")]),
    EventSchema::new(
        event::VEHICLE_MAINTENANCE_REOPENED,
        "Maintenance that was told done under this order or task is open again.",
        &[
            Field::optional("work_order_id", Kind::text(255)),
            Field::optional("maintenance_task_id", Kind::text(255)),
        ],
    )
    .reporting(),
    EventSchema::new(
        event::VEHICLE_BREAKDOWN_REPORTED,
        "It broke down.",
        &[
            Field::optional("description", Kind::text(2_000)),
            Field::optional("severity", WORD),
            FAULT_CODE,
            FAULT_GROUP,
            Field::optional("location", PLACE),
            MILEAGE_THEN,
        ],
    )
    .reporting(),
    EventSchema::new(
        event::VEHICLE_INCIDENT_REPORTED,
        "Something delayed its service.",
        &[
            Field::optional("delay_min", MINUTES),
            Field::optional("gap_min", MINUTES),
            Field::optional("line", WORD),
            Field::optional("bound", WORD),
            FAULT_CODE,
            FAULT_GROUP,
            Field::optional("is_failure", Kind::Boolean),
            Field::optional("car_number", WORD),
            Field::optional("description", Kind::text(2_000)),
            MILEAGE_THEN,
        ],
    )
    .reporting()
    .spelled(&[
        Spelling::new("code", "fault_code"),
        Spelling::new("group", "fault_group"),
        Spelling::new("min_delay", "delay_min"),
        Spelling::new("min_gap", "gap_min"),
    ]),
    EventSchema::new(
        event::VEHICLE_HANDED_OVER,
        "Its home depot gives it to another.",
        &[
            Field::required("claim_id", Kind::Uuid),
            Field::required("from_log", Kind::Uuid),
            Field::required("to_log", Kind::Uuid),
            Field::optional("reason", REMARK),
        ],
    )
    .reporting(),
    EventSchema::new(
        event::VEHICLE_TAKEN_OVER,
        "A depot took over what was handed to it, took back what it handed over, or took over what belongs to a depot that is gone (`claim_id`).",
        &[
            Field::optional("hand_over_id", Kind::Uuid),
            Field::optional("claim_id", Kind::Uuid),
            Field::required("from_log", Kind::Uuid),
        ],
    )
    .reporting(),
];

const MILEAGE_SPELLINGS: &[Spelling] = &[
    Spelling::new("current_mileage", "new_mileage"),
    Spelling::new("current_mileage_km", "new_mileage"),
    Spelling::new("mileage", "new_mileage"),
    Spelling::new("mileage_km", "new_mileage"),
];
