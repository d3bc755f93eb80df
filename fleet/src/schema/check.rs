//! Validation of payloads against their tables. Every fault is found, not just the first, and none makes it panic.
//!
//! The words for the kinds of fault are those of Pydantic 2, which clients of the old system know.

use std::fmt;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::canon::{canonical_data, given_name};
use super::{AggregateSchema, EventSchema, Field, Kind};
use crate::calendar;
use crate::money::Money;

/// Most faults reported of one payload; a list of a million wrong items is one mistake.
pub const FIELD_ERRORS_MAX: usize = 32;

/// One fault in a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldError {
    /// The way to the value, below `data`: field, then list indexes. Names are those that the writer used.
    pub path: Vec<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// A stable word for the kind of fault, `string_too_long`.
    pub kind: &'static str,
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path.join("."), self.message)
    }
}

/// Checks `data`, which follows schema number `schema`, against what the current schema asks once it is upcast.
///
/// # Errors
/// All faults, at most [`FIELD_ERRORS_MAX`]; never an empty list.
pub fn check(
    aggregate: &AggregateSchema,
    event: &EventSchema,
    schema: u16,
    data: &Map<String, Value>,
) -> Result<(), Vec<FieldError>> {
    if !(1..=event.schema).contains(&schema) {
        return Err(vec![FieldError {
            path: vec!["schema".to_owned()],
            message: format!(
                "{} has schemas 1 to {}, not {schema}",
                event.event_type, event.schema
            ),
            kind: "schema_unknown",
        }]);
    }
    let canonical = canonical_data(aggregate, event, schema, data);
    check_fields(event.fields, &canonical, &|field| {
        given_name(aggregate, event, data, field).to_owned()
    })
}

/// Checks an object against a table of fields: an event's payload in its current schema, or a command's body. Faults
/// name a field as `name_of` says. Fields that the table lacks pass.
///
/// # Errors
/// All faults, at most [`FIELD_ERRORS_MAX`]; never an empty list.
pub fn check_fields(
    fields: &[Field],
    object: &Map<String, Value>,
    name_of: &dyn Fn(&'static str) -> String,
) -> Result<(), Vec<FieldError>> {
    let mut faults = Faults {
        name_of,
        field: "",
        below: Vec::new(),
        found: Vec::new(),
    };
    for field in fields {
        faults.field = field.name;
        check_field(field, object.get(field.name), &mut faults);
    }
    if faults.found.is_empty() {
        Ok(())
    } else {
        Err(faults.found)
    }
}

/// The faults found so far, and where the check is. Nothing is allocated until there is a fault.
struct Faults<'a> {
    name_of: &'a dyn Fn(&'static str) -> String,
    field: &'static str,
    below: Vec<Step>,
    found: Vec<FieldError>,
}

/// A step on the way from a field down to a value within it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Item(usize),
    Member(&'static str),
}

impl Faults<'_> {
    fn add(&mut self, kind: &'static str, message: String) {
        if self.found.len() < FIELD_ERRORS_MAX {
            let mut path = vec![(self.name_of)(self.field)];
            path.extend(self.below.iter().map(|step| match step {
                Step::Item(index) => index.to_string(),
                Step::Member(name) => (*name).to_owned(),
            }));
            self.found.push(FieldError {
                path,
                message,
                kind,
            });
        }
    }
}

fn check_field(field: &Field, value: Option<&Value>, faults: &mut Faults<'_>) {
    match value {
        Some(Value::Null) if field.nullable => {}
        None if !field.required => {}
        None => faults.add("missing", "Field required".to_owned()),
        Some(value) => check_value(&field.kind, value, faults),
    }
}

fn check_value(kind: &Kind, value: &Value, faults: &mut Faults<'_>) {
    match kind {
        Kind::Text {
            chars_min,
            chars_max,
        } => check_text(value, *chars_min, *chars_max, faults),
        Kind::Key { chars_max } => check_key(value, *chars_max, faults),
        Kind::Uuid
            if value
                .as_str()
                .and_then(|text| Uuid::parse_str(text).ok())
                .is_none() =>
        {
            faults.add("uuid_parsing", "Input should be a UUID".to_owned());
        }
        Kind::Integer { min, max } => check_integer(value, *min, *max, faults),
        Kind::Number { min, max } => check_number(value, *min, *max, faults),
        Kind::Boolean if !value.is_boolean() => {
            faults.add("bool_type", "Input should be true or false".to_owned())
        }
        Kind::OneOf(words) if !value.as_str().is_some_and(|word| words.contains(&word)) => {
            faults.add(
                "enum",
                format!("Input should be one of {}", words.join(", ")),
            );
        }
        Kind::Time if value.as_str().and_then(calendar::parse_time).is_none() => {
            faults.add(
                "datetime_parsing",
                "Input should be a time like 2026-10-31T08:00:00Z".to_owned(),
            );
        }
        Kind::Object if !value.is_object() => {
            faults.add("dict_type", "Input should be an object".to_owned())
        }
        Kind::List(kind) => match value.as_array() {
            Some(items) => check_items(kind, items, faults),
            None => faults.add("list_type", "Input should be a list".to_owned()),
        },
        Kind::Amount { min, max } => check_amount(value, *min, *max, faults),
        Kind::Record(members) => match value.as_object() {
            Some(object) => check_members(members, object, faults),
            None => faults.add("dict_type", "Input should be an object".to_owned()),
        },
        Kind::Money if !is_money(value) => faults.add(
            "decimal_parsing",
            "Input should be a decimal number as text, like \"6275.00\"".to_owned(),
        ),
        Kind::Email if !value.as_str().is_some_and(is_email) => faults.add(
            "value_error",
            "Input should be an e-mail address like depot@example.org".to_owned(),
        ),
        Kind::Hex { digits } if !value.as_str().is_some_and(|text| is_hex(text, *digits)) => {
            faults.add(
                "string_pattern_mismatch",
                format!("Input should be {digits} hexadecimal digits"),
            );
        }
        Kind::Boolean
        | Kind::OneOf(_)
        | Kind::Time
        | Kind::Object
        | Kind::Uuid
        | Kind::Money
        | Kind::Email
        | Kind::Hex { .. }
        | Kind::Any => {}
    }
}

fn check_items(kind: &Kind, items: &[Value], faults: &mut Faults<'_>) {
    for (index, item) in items.iter().enumerate() {
        if faults.found.len() >= FIELD_ERRORS_MAX {
            return;
        }
        faults.below.push(Step::Item(index));
        check_value(kind, item, faults);
        faults.below.pop();
    }
}

fn check_members(members: &'static [Field], object: &Map<String, Value>, faults: &mut Faults<'_>) {
    for member in members {
        faults.below.push(Step::Member(member.name));
        check_field(member, object.get(member.name), faults);
        faults.below.pop();
    }
}

fn check_text(value: &Value, chars_min: usize, chars_max: usize, faults: &mut Faults<'_>) {
    let Some(text) = value.as_str() else {
        return faults.add("string_type", "Input should be a string".to_owned());
    };
    let length = text.chars().count();
    if length < chars_min {
        faults.add(
            "string_too_short",
            format!("String should have at least {chars_min} characters, it has {length}"),
        );
    }
    if length > chars_max {
        faults.add(
            "string_too_long",
            format!("String should have at most {chars_max} characters, it has {length}"),
        );
    }
}

fn check_key(value: &Value, chars_max: usize, faults: &mut Faults<'_>) {
    check_text(value, 1, chars_max, faults);
    let Some(text) = value.as_str() else { return };
    if text.chars().any(char::is_control) || text.trim() != text {
        faults.add(
            "string_pattern_mismatch",
            "String should hold no control characters and no blanks at its ends".to_owned(),
        );
    }
}

fn check_integer(value: &Value, min: i64, max: i64, faults: &mut Faults<'_>) {
    match integer(value) {
        None if value.is_number() => faults.add(
            "int_from_float",
            "Input should be a whole number".to_owned(),
        ),
        None => faults.add("int_type", "Input should be a whole number".to_owned()),
        Some(number) if number < min => {
            faults.add(
                "greater_than_equal",
                format!("Input should be greater than or equal to {min}"),
            );
        }
        Some(number) if number > max => {
            faults.add(
                "less_than_equal",
                format!("Input should be less than or equal to {max}"),
            );
        }
        Some(_) => {}
    }
}

fn check_number(value: &Value, min: f64, max: f64, faults: &mut Faults<'_>) {
    match value.as_f64() {
        None => faults.add("float_type", "Input should be a number".to_owned()),
        Some(number) if !number.is_finite() => faults.add(
            "finite_number",
            "Input should be a finite number".to_owned(),
        ),
        Some(number) if number < min => {
            faults.add(
                "greater_than_equal",
                format!("Input should be greater than or equal to {min}"),
            );
        }
        Some(number) if number > max => {
            faults.add(
                "less_than_equal",
                format!("Input should be less than or equal to {max}"),
            );
        }
        Some(_) => {}
    }
}

fn check_amount(value: &Value, min: Money, max: Money, faults: &mut Faults<'_>) {
    match Money::of_json(value) {
        Some(amount) if amount < min => faults.add(
            "greater_than_equal",
            format!("Input should be greater than or equal to {min}"),
        ),
        Some(amount) if amount > max => faults.add(
            "less_than_equal",
            format!("Input should be less than or equal to {max}"),
        ),
        Some(_) => {}
        None if !value.is_string() && !value.is_number() => faults.add(
            "decimal_type",
            "Input should be a decimal number as text, like \"6275.00\"".to_owned(),
        ),
        None if is_money(value) => faults.add(
            "decimal_max_places",
            "Input should have at most two decimal places, and no more digits than any sum of money has"
                .to_owned(),
        ),
        None => faults.add(
            "decimal_parsing",
            "Input should be a decimal number as text, like \"6275.00\"".to_owned(),
        ),
    }
}

/// Most bytes of an e-mail address.
const EMAIL_BYTES_MAX: usize = 254;

/// Whether the text looks like an address; only sending to it would tell more.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['@', ' ']);
    text.len() <= EMAIL_BYTES_MAX
        && !text
            .chars()
            .any(|char| char.is_control() || char.is_whitespace())
        && is_plain(local)
        && is_plain(domain)
        && !domain.starts_with('.')
        && !domain.ends_with('.')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Most characters of an amount of money.
const MONEY_CHARS_MAX: usize = 40;

/// Whether the value is an amount: text of an optional sign, digits, and an optional point with digits; or a number.
fn is_money(value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        return value.is_number();
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= MONEY_CHARS_MAX && are_digits(whole) && are_digits(fraction)
}

/// The whole number that a JSON value stands for: `7` and `7.0`, not `7.5` nor `"7"`, nothing out of `i64`.
pub fn integer(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    // Above 2^53 a float no longer says which whole number it stands for.
    let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
    let whole = number as i64;
    exact.then_some(whole)
}
