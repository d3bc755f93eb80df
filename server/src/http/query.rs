//! Query parameters, read one by one. Faults are collected, so that a client learns of all of them at once.
//!
//! A parameter that a route does not take is refused before its handler runs: a filter that is misspelt and passed over
//! would answer another question. What a route takes is what its description says ([`described`]), so no route can forget
//! it; an older spelling that is still taken is described too.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use storage::{Position, Timestamp};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn};

use super::problem::Problem;
use crate::field_error::FieldError;
use crate::rfc3339;

/// Most faults that are told of one request: a client that sends thousands has made one mistake.
const FAULTS_MAX: usize = 20;

/// The names of the query parameters that an operation takes.
pub fn described(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    parameters
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => {
                Some(parameter.name.clone())
            }
            _ => None,
        })
        .collect()
}

/// Holds what a request says behind its `?` against the names that its route takes.
///
/// # Errors
/// A 422 with every name that is none of them.
pub fn only(known: &[String], query: &str) -> Result<(), Problem> {
    let mut faults: Vec<FieldError> = Vec::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        let loc = ["query".into(), name.clone().into_owned().into()];
        if known.iter().any(|known| *known == name) || faults.iter().any(|fault| fault.loc == loc) {
            continue;
        }
        if faults.len() == FAULTS_MAX {
            break;
        }
        let msg = if known.is_empty() {
            "is not known here: this path takes no parameters".to_owned()
        } else {
            format!("is not known here: this path takes {}", known.join(", "))
        };
        faults.push(FieldError::new(loc, "extra_forbidden", msg));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(faults))
    }
}

/// The parameters of a request, and the faults found in them so far.
#[derive(Debug)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    faults: Vec<FieldError>,
}

impl<'a> Query<'a> {
    /// The parameters behind the `?`.
    pub fn parse(query: Option<&'a str>) -> Self {
        let query = query.unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let mut faults = Vec::new();
        // The decoder replaces what is no UTF-8; a replacement that was not sent as such gives that away.
        let sent = query.contains('\u{fffd}') || query.to_ascii_uppercase().contains("%EF%BF%BD");
        for (name, value) in &pairs {
            if faults.len() < FAULTS_MAX
                && !sent
                && (name.contains('\u{fffd}') || value.contains('\u{fffd}'))
            {
                let loc = ["query".into(), name.clone().into_owned().into()];
                faults.push(FieldError::new(loc, "string_unicode", "is no valid UTF-8"));
            }
        }
        Query { pairs, faults }
    }

    /// The parameter as text; absent and empty are the same.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let mut values = self
            .pairs
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value);
        let value = values
            .next()
            .filter(|value| !value.is_empty())
            .map(|value| value.clone().into_owned());
        if values.next().is_some() {
            self.faults.push(FieldError::query(
                name,
                "value_error",
                "is given more than once",
            ));
        }
        value
    }

    /// The first of these parameters that is there: the name in use first, older spellings behind it.
    pub fn text_as(&mut self, names: &[&'static str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// Every value of a parameter that may be repeated.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self
            .pairs
            .iter()
            .filter(|(known, value)| known == name && !value.is_empty());
        values
            .map(|(_, value)| value.clone().into_owned())
            .collect()
    }

    /// A parameter that has to be there.
    pub fn required(&mut self, name: &'static str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.faults
                .push(FieldError::query(name, "missing", "is required"));
            String::new()
        })
    }

    /// A whole number within the range.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let msg = if *range.end() == u64::MAX {
                    format!("must be a whole number from {}", range.start())
                } else {
                    format!(
                        "must be a whole number from {} to {}",
                        range.start(),
                        range.end()
                    )
                };
                self.faults
                    .push(FieldError::query(name, "int_parsing", msg));
                None
            }
        }
    }

    /// A position of the log.
    pub fn position(&mut self, name: &'static str) -> Option<Position> {
        self.number(name, 0..=u64::MAX).map(Position::new)
    }

    /// A version of a stream, as a number that fits one.
    pub fn version(&mut self, name: &'static str) -> Option<u32> {
        self.number(name, 0..=u64::from(u32::MAX))
            .and_then(|number| u32::try_from(number).ok())
    }

    /// A time.
    pub fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        let text = self.text(name)?;
        match rfc3339::parse(&text) {
            Ok(time) => Some(time),
            Err(error) => {
                self.faults.push(FieldError::query(
                    name,
                    "datetime_parsing",
                    error.to_string(),
                ));
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.faults.push(FieldError::query(
                    name,
                    "bool_parsing",
                    "must be true or false",
                ));
                None
            }
        }
    }

    /// One of these words, as its place among them.
    pub fn one_of(&mut self, name: &'static str, words: &[&str]) -> Option<usize> {
        let text = self.text(name)?;
        let found = words.iter().position(|word| *word == text);
        if found.is_none() {
            let msg = format!("must be one of: {}", words.join(", "));
            self.faults.push(FieldError::query(name, "enum", msg));
        }
        found
    }

    /// A fault that only the reader of several parameters can see.
    pub fn fault(
        &mut self,
        name: &'static str,
        kind: &'static str,
        msg: impl Into<Cow<'static, str>>,
    ) {
        self.faults.push(FieldError::query(name, kind, msg));
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A 422 with every fault.
    pub fn finish(self) -> Result<(), Problem> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.faults))
        }
    }
}
