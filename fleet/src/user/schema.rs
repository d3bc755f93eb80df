//! The table of an account's events. Nobody outside the server writes them, yet they are checked like all others.

use super::decide::{EMAIL_BYTES_MAX, USERNAME_CHARS_MAX, USERNAME_CHARS_MIN};
use super::{AGGREGATE_TYPE, events};
use crate::schema::row;
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

const ROLES: Kind = Kind::OneOf(&[
    "SUPER_ADMIN",
    "FLEET_MANAGER",
    "WORKSHOP_MANAGER",
    "DISPATCHER",
    "TECHNICIAN",
    "VIEWER",
]);
const TOKEN_NAME: Kind = Kind::name(100);
const REASON: Kind = Kind::text(500);
const PASSWORD_HASH: Field = Field::required("password_hash", Kind::name(500)).secret();
const FAMILY: Field = Field::required("family", TOKEN_NAME).setting_nothing();
/// Where the request came from.
const ADDRESS: Field = Field::optional("ip_address", Kind::text(100))
    .personal()
    .setting_nothing();
const EXPIRES_AT: Field = Field::required(
    "expires_at",
    Kind::Integer {
        min: 0,
        max: i64::MAX,
    },
)
.setting_nothing();

/// The User aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).internal();

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        events::USER_REGISTERED,
        "The account exists from here on.",
        &[
            Field::required(
                "username",
                Kind::Text {
                    chars_min: USERNAME_CHARS_MIN,
                    chars_max: USERNAME_CHARS_MAX,
                },
            )
            .personal(),
            Field::required(
                "email",
                Kind::Text {
                    chars_min: 3,
                    chars_max: EMAIL_BYTES_MAX,
                },
            )
            .personal(),
            Field::required("role", ROLES),
            PASSWORD_HASH,
        ],
    ),
    EventSchema::new(
        events::USER_UPDATED,
        "The old database says other names to log in with.",
        &[
            Field::optional("username", row::SHORT).personal(),
            Field::optional("email", row::SHORT).personal(),
            row::CREATED_AT,
            row::UPDATED_AT,
            row::EXTRA,
        ],
    ),
    EventSchema::new(
        events::USER_PASSWORD_CHANGED,
        "A new password, or the old one hashed anew.",
        &[PASSWORD_HASH],
    ),
    EventSchema::new(
        events::USER_ROLE_CHANGED,
        "The account may do more, or less.",
        &[
            Field::optional("old_role", ROLES).setting_nothing(),
            Field::required("new_role", ROLES).setting("role"),
        ],
    ),
    EventSchema::new(
        events::USER_DEACTIVATED,
        "The account may not log in, its tokens end.",
        &[Field::optional("reason", REASON)],
    ),
    EventSchema::new(
        events::USER_REACTIVATED,
        "The account may log in again.",
        &[],
    ),
    EventSchema::new(
        events::USER_LOGGED_IN,
        "The right password was given.",
        &[ADDRESS],
    ),
    EventSchema::new(
        events::USER_LOGIN_REFUSED,
        "A login was refused.",
        &[Field::required("reason", REASON).setting_nothing(), ADDRESS],
    ),
    EventSchema::new(
        events::REFRESH_TOKEN_ISSUED,
        "A login opened a family of refresh tokens.",
        &[
            FAMILY,
            Field::required("token_id", TOKEN_NAME).setting_nothing(),
            EXPIRES_AT,
        ],
    ),
    EventSchema::new(
        events::REFRESH_TOKEN_ROTATED,
        "A refresh token was exchanged for its successor.",
        &[
            FAMILY,
            Field::required("old_token_id", TOKEN_NAME).setting_nothing(),
            Field::required("new_token_id", TOKEN_NAME).setting_nothing(),
            EXPIRES_AT,
        ],
    ),
    EventSchema::new(
        events::REFRESH_TOKEN_REVOKED,
        "A family of refresh tokens ended before its time.",
        &[FAMILY, Field::required("reason", REASON).setting_nothing()],
    ),
];
