//! The table of security events.

use super::{AGGREGATE_TYPE, event};
use crate::schema::row;
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

/// The Security aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).internal();

const COUNT: Field = Field::required("count", Kind::count());
const FIRST_AT: Field = row::time("first_at");
const LAST_AT: Field = row::time("last_at");
/// Where the requests came from.
const ADDRESS: Field = row::short("ip_address").personal();

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::LOGIN_REFUSED,
        "A login was refused without an account to tell it of, or before a password was looked at.",
        &[
            Field::required("reason", row::SHORT),
            ADDRESS,
            COUNT,
            FIRST_AT,
            LAST_AT,
        ],
    )
    .reporting(),
    EventSchema::new(
        event::WRITE_REFUSED,
        "A request to change something was refused: by whom, of which route, with which status.",
        &[
            Field::required("method", row::SHORT),
            Field::required("path", row::SHORT),
            row::whole("status"),
            row::short("problem"),
            ADDRESS,
            COUNT,
            FIRST_AT,
            LAST_AT,
        ],
    )
    .reporting(),
    EventSchema::new(
        event::REFUSALS_SUMMED_UP,
        "More was refused than is told one by one.",
        &[COUNT, FIRST_AT, LAST_AT],
    )
    .reporting(),
    EventSchema::new(
        event::ACCESS_REVIEWED,
        "Somebody went through the accounts and what they may do.",
        &[row::json("accounts"), row::long("note")],
    )
    .reporting(),
];
