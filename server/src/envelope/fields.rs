//! The members of an event's JSON, read one by one: each function takes the value at the scanner's place and says what
//! is wrong with it, having stepped behind it either way.

use std::borrow::Cow;

use fleet::schema::check::FIELD_ERRORS_MAX;
use storage::{ExpectedVersion, Timestamp, Version};
use uuid::Uuid;

use crate::field_error::FieldError;
use crate::json::{JsonError, Kind, Scanner};
use crate::rfc3339;

/// A value that is not acceptable: the kind of fault and what is wrong.
pub(super) type Fault = (&'static str, Cow<'static, str>);

/// What reading a member gives: broken JSON ends everything, a fault is one among several.
pub(super) type Read<T> = Result<Result<T, Fault>, JsonError>;

/// A string, or a fault.
pub(super) fn string<'a>(scanner: &mut Scanner<'a>) -> Read<Cow<'a, str>> {
    match scanner.kind()? {
        Kind::String => Ok(Ok(scanner.string()?)),
        other => wrong_type(scanner, other, "string_type", "must be a string"),
    }
}

/// A name of 1 to `bytes_max` bytes without control characters.
pub(super) fn name<'a>(scanner: &mut Scanner<'a>, bytes_max: usize) -> Read<Cow<'a, str>> {
    Ok(
        string(scanner)?.and_then(|text| match length_fault(&text, bytes_max) {
            Some(fault) => Err(fault),
            None if holds_control(&text) => {
                Err(("string_pattern", "must hold no control characters".into()))
            }
            None => Ok(text),
        }),
    )
}

fn holds_control(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}

/// An id of 1 to `bytes_max` bytes: free Unicode, but no NUL, at which other systems would cut it.
pub(super) fn identifier<'a>(scanner: &mut Scanner<'a>, bytes_max: usize) -> Read<Cow<'a, str>> {
    Ok(
        string(scanner)?.and_then(|text| match length_fault(&text, bytes_max) {
            Some(fault) => Err(fault),
            None if text.contains('\0') => {
                Err(("string_pattern", "must hold no NUL character".into()))
            }
            None => Ok(text),
        }),
    )
}

fn length_fault(text: &str, bytes_max: usize) -> Option<Fault> {
    if text.is_empty() {
        return Some(("string_too_short", "must not be empty".into()));
    }
    (text.len() > bytes_max).then(|| {
        (
            "string_too_long",
            format!("has {} bytes, {bytes_max} are allowed", text.len()).into(),
        )
    })
}

/// A UUID in any of its spellings; not the nil one, which says "none".
pub(super) fn uuid(scanner: &mut Scanner<'_>) -> Read<Uuid> {
    Ok(
        string(scanner)?.and_then(|text| match Uuid::try_parse(&text) {
            Ok(id) if !id.is_nil() => Ok(id),
            Ok(_) => Err(("uuid_parsing", "must not be the nil UUID".into())),
            Err(_) => Err(("uuid_parsing", "must be a UUID".into())),
        }),
    )
}

/// A time, or null for none.
pub(super) fn time(scanner: &mut Scanner<'_>) -> Read<Option<Timestamp>> {
    if null(scanner)? {
        return Ok(Ok(None));
    }
    Ok(
        string(scanner)?.and_then(|text| match rfc3339::parse(&text) {
            Ok(time) => Ok(Some(time)),
            Err(error) => Err(("datetime_parsing", error.to_string().into())),
        }),
    )
}

/// A schema number, 1 to 65,535.
pub(super) fn schema(scanner: &mut Scanner<'_>) -> Read<u16> {
    let fault = || {
        (
            "int_parsing",
            "must be a whole number from 1 to 65535".into(),
        )
    };
    match scanner.kind()? {
        Kind::Number => Ok(scanner
            .number()?
            .parse()
            .ok()
            .filter(|schema| *schema > 0)
            .ok_or_else(fault)),
        _ => {
            scanner.skip()?;
            Ok(Err(fault()))
        }
    }
}

/// What the stream must look like: a version, or `any`, `no_stream`, `exists`; null for nothing.
pub(super) fn expected_version(scanner: &mut Scanner<'_>) -> Read<Option<ExpectedVersion>> {
    let fault = || {
        let words = "must be a version (0 for a stream without events) or one of \"any\", \"no_stream\", \"exists\"";
        ("expected_version", words.into())
    };
    match scanner.kind()? {
        Kind::Null => {
            scanner.skip()?;
            Ok(Ok(None))
        }
        Kind::Number => {
            let version = scanner
                .number()?
                .parse()
                .map(|number| Some(ExpectedVersion::Exact(Version::new(number))));
            Ok(version.map_err(|_| fault()))
        }
        Kind::String => Ok(match &*scanner.string()? {
            "any" => Ok(Some(ExpectedVersion::Any)),
            "no_stream" => Ok(Some(ExpectedVersion::NoStream)),
            "exists" => Ok(Some(ExpectedVersion::Exists)),
            _ => Err(fault()),
        }),
        _ => {
            scanner.skip()?;
            Ok(Err(fault()))
        }
    }
}

/// Steps over a null and says whether there was one.
pub(super) fn null(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    if scanner.kind()? != Kind::Null {
        return Ok(false);
    }
    scanner.skip()?;
    Ok(true)
}

/// Steps over a value of the wrong kind.
pub(super) fn wrong_type<T>(
    scanner: &mut Scanner<'_>,
    found: Kind,
    kind: &'static str,
    must: &'static str,
) -> Read<T> {
    scanner.skip()?;
    Ok(Err((
        kind,
        format!("{must}, not {}", found.described()).into(),
    )))
}

/// The faults of an event, as they are found; those behind the first [`FIELD_ERRORS_MAX`] are not kept.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<FieldError>,
}

impl Faults {
    /// One fault more.
    pub(super) fn push(&mut self, fault: FieldError) {
        if self.found.len() < FIELD_ERRORS_MAX {
            self.found.push(fault);
        }
    }

    /// What was found.
    pub(super) fn found(&self) -> &[FieldError] {
        &self.found
    }

    /// What was found, to be answered.
    pub(super) fn into_found(self) -> Vec<FieldError> {
        self.found
    }

    /// The value, or nothing and one fault more.
    pub(super) fn take<T>(&mut self, field: &'static str, read: Result<T, Fault>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err((kind, msg)) => {
                self.push(FieldError::body(field, kind, msg));
                None
            }
        }
    }
}
