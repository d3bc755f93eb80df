//! What a person on the staff can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use super::{ROLES, STATUSES};
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const STATUS: Field = Field::optional("status", Kind::OneOf(STATUSES)).never_null();
const EMAIL: Field = Field::optional("email", Kind::Email);
const PHONE: Field = Field::optional("phone", Kind::text(50));
const NUMBER: Field = Field::optional("employee_number", Kind::text(50));
const SKILLS: Field = Field::optional("skills_json", Kind::List(&Kind::text(200)));
const CERTIFICATIONS: Field = Field::optional("certifications_json", Kind::Object);
const DEPOT: Field = Field::optional("home_depot", Kind::text(255));
const WORKSHOP: Field = Field::optional("workshop_id", Kind::name(255));
const WEEKLY_HOURS: Field =
    Field::optional("max_weekly_hours", Kind::Integer { min: 1, max: 168 }).never_null();
const IS_AVAILABLE: Field = Field::optional("is_available", Kind::Boolean).never_null();
const AVAILABILITY_NOTES: Field = Field::optional("availability_notes", Kind::text(500));
const HIRED: Field = Field::optional("hired_date", Kind::Time);

/// The body of a new person.
pub const CREATE: &[Field] = &[
    Field::required("staff_id", Kind::Key { chars_max: 50 }),
    Field::required("first_name", Kind::name(100)),
    Field::required("last_name", Kind::name(100)),
    Field::required("role", Kind::OneOf(ROLES)),
    EMAIL,
    PHONE,
    NUMBER,
    SKILLS,
    CERTIFICATIONS,
    DEPOT,
    WORKSHOP,
    WEEKLY_HOURS,
    AVAILABILITY_NOTES,
    STATUS,
    IS_AVAILABLE,
    HIRED,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("first_name", Kind::name(100)).never_null(),
    Field::optional("last_name", Kind::name(100)).never_null(),
    Field::optional("role", Kind::OneOf(ROLES)).never_null(),
    EMAIL,
    PHONE,
    NUMBER,
    SKILLS,
    CERTIFICATIONS,
    DEPOT,
    WORKSHOP,
    WEEKLY_HOURS,
    AVAILABILITY_NOTES,
    STATUS,
    IS_AVAILABLE,
    HIRED,
    Field::optional("reason", Kind::text(500)),
    read_only("id"),
    read_only("staff_id"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
    read_only("position"),
];

/// A command on a person of the staff.
#[derive(Clone, PartialEq, Debug)]
pub enum StaffCommand {
    /// Belong to the staff, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`].
    Change(Map<String, Value>),
    /// Be kept no more.
    Delete,
}
