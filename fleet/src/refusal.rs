//! Why a command was not turned into events.

use std::borrow::Cow;

use crate::schema::check::FieldError;

/// Which of the edge's answers a refusal is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefusalKind {
    /// A field of the command breaks a limit: the caller can mend the field.
    Invalid,
    /// The field is fine by itself and breaks a rule between fields, or one that the old system answered with 400.
    Rule,
    /// The field is fine by itself and wrong against the present state.
    Conflict,
    /// The aggregate does not exist.
    Missing,
    /// The caller's role does not reach.
    Forbidden,
}

/// A command refused, with the field, a stable code and a sentence for a person.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which of the edge's answers it is.
    pub kind: RefusalKind,
    /// The field at fault; empty when it is the command as a whole.
    pub field: &'static str,
    /// A stable word for programs, `mileage_decreases`.
    pub code: &'static str,
    /// The sentence that clients of the old system know where it has one.
    pub message: Cow<'static, str>,
}

impl Refusal {
    fn new(
        kind: RefusalKind,
        field: &'static str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let message = message.into();
        Refusal {
            kind,
            field,
            code,
            message,
        }
    }

    /// A field that breaks a limit.
    pub fn invalid(
        field: &'static str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Refusal::new(RefusalKind::Invalid, field, code, message)
    }

    /// A field that breaks a rule: what the old system answered with 400.
    pub fn rule(
        field: &'static str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Refusal::new(RefusalKind::Rule, field, code, message)
    }

    /// A field that is wrong against the present state.
    pub fn conflict(
        field: &'static str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Refusal::new(RefusalKind::Conflict, field, code, message)
    }

    /// A command whose event would break a limit; the message tells all faults.
    pub fn out_of_limits(faults: &[FieldError]) -> Self {
        let message = faults
            .iter()
            .map(FieldError::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        Refusal::invalid(
            "",
            faults.first().map_or("invalid", |fault| fault.kind),
            message,
        )
    }

    /// An aggregate that does not exist.
    pub fn missing(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::new(RefusalKind::Missing, "", code, message)
    }

    /// A caller whose role does not reach.
    pub fn forbidden(
        field: &'static str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Refusal::new(RefusalKind::Forbidden, field, code, message)
    }
}
