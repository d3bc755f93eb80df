//! What a document can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use super::{ACCESS_LEVELS, STATUSES, TYPES};
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const REFERENCE: Kind = Kind::name(255);
const DESCRIPTION: Field = Field::optional("description", Kind::text(2_000));
const FILE_URL: Field = Field::optional("file_url", Kind::text(1_000));
const FILE_HASH: Field = Field::optional("file_hash", Kind::Hex { digits: 64 });
const FILE_SIZE: Field = Field::optional("file_size_bytes", Kind::count());
const MIME_TYPE: Field = Field::optional("mime_type", Kind::text(100));
const ISSUED: Field = Field::optional("issue_date", Kind::Time);
const EXPIRES: Field = Field::optional("expiration_date", Kind::Time);
const REMINDER: Field =
    Field::optional("reminder_days_before", Kind::Integer { min: 1, max: 365 }).never_null();
const TAGS: Field = Field::optional("tags_json", Kind::List(&Kind::text(200)));
const METADATA: Field = Field::optional("metadata_json", Kind::Object);
const IS_PUBLIC: Field = Field::optional("is_public", Kind::Boolean).never_null();
const ACCESS_LEVEL: Field =
    Field::optional("access_level", Kind::OneOf(ACCESS_LEVELS)).never_null();
const STATUS: Field = Field::optional("status", Kind::OneOf(STATUSES)).never_null();
const VEHICLE: Field = Field::optional("vehicle_id", REFERENCE);
const STAFF: Field = Field::optional("staff_id", REFERENCE);
const WORKSHOP: Field = Field::optional("workshop_id", REFERENCE);
const WORK_ORDER: Field = Field::optional("work_order_id", REFERENCE);

/// The body of a new document.
pub const CREATE: &[Field] = &[
    Field::required("document_id", Kind::Key { chars_max: 100 }),
    Field::required("title", Kind::name(500)),
    Field::required("document_type", Kind::OneOf(TYPES)),
    DESCRIPTION,
    FILE_URL,
    FILE_HASH,
    FILE_SIZE,
    MIME_TYPE,
    ISSUED,
    EXPIRES,
    REMINDER,
    TAGS,
    METADATA,
    IS_PUBLIC,
    ACCESS_LEVEL,
    STATUS,
    VEHICLE,
    STAFF,
    WORKSHOP,
    WORK_ORDER,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("title", Kind::name(500)).never_null(),
    Field::optional("document_type", Kind::OneOf(TYPES)).never_null(),
    DESCRIPTION,
    FILE_URL,
    FILE_HASH,
    FILE_SIZE,
    MIME_TYPE,
    ISSUED,
    EXPIRES,
    REMINDER,
    TAGS,
    METADATA,
    IS_PUBLIC,
    ACCESS_LEVEL,
    STATUS,
    VEHICLE,
    STAFF,
    WORKSHOP,
    WORK_ORDER,
    Field::optional("reason", Kind::text(1_000)),
    read_only("id"),
    read_only("document_id"),
    read_only("expiration_status"),
    read_only("days_until_expiration"),
    read_only("latest_version_number"),
    read_only("created_by"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("last_accessed_at"),
    read_only("last_accessed_by"),
    read_only("version"),
    read_only("position"),
];

/// The body of a version.
pub const VERSION: &[Field] = &[
    Field::required("document_link_id", REFERENCE),
    Field::required(
        "version_number",
        Kind::Integer {
            min: 1,
            max: 2_147_483_647,
        },
    ),
    Field::optional("version_label", Kind::text(50)),
    Field::optional("change_description", Kind::text(1_000)),
    FILE_URL,
    FILE_HASH,
    FILE_SIZE,
];

/// A command on a document.
#[derive(Clone, PartialEq, Debug)]
pub enum DocumentCommand {
    /// Come into being, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`].
    Change(Map<String, Value>),
    /// Have another version.
    AddVersion {
        /// Its name; the caller's to make.
        version_id: String,
        /// Of [`VERSION`], without the document.
        fields: Map<String, Value>,
    },
    /// Take in that somebody looked at it.
    NoteAccess {
        /// The name of this look; the caller's to make.
        access_id: String,
        /// One of [`super::ACCESS_TYPES`].
        access_type: &'static str,
        /// From where.
        ip_address: Option<String>,
        /// With what.
        user_agent: Option<String>,
    },
    /// Be kept no more.
    Delete,
}
