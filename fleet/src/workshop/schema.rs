//! The table of a workshop's events.

use super::AGGREGATE_TYPE;
use crate::schema::row::{
    CREATED_AT, EXTRA, REASON, UPDATED_AT, flag, json, long, real, short, whole,
};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The workshop exists from here on.
pub const CREATED: &str = "WorkshopCreated";
/// Some of what describes it changed.
pub const UPDATED: &str = "WorkshopUpdated";
/// The record of it was deleted.
pub const DELETED: &str = "WorkshopDeleted";

/// The Workshop aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS);

const ROW: &[Field] = &[
    short("code"),
    short("name"),
    short("location"),
    short("contact_person").personal(),
    short("phone").personal(),
    short("email").personal(),
    whole("total_tracks"),
    whole("available_tracks"),
    flag("is_ecm_certified"),
    json("specializations"),
    json("supported_vehicle_types"),
    real("rating"),
    whole("total_completed_orders"),
    flag("is_active"),
    long("notes"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The workshop exists from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes it changed.", ROW),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
