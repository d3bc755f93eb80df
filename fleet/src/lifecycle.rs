//! The steps that the status of something planned may take: one table an aggregate, read by its `decide`, by its tests and
//! by the documentation.

use crate::refusal::Refusal;

#[cfg(test)]
mod tests;

/// A step that may be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The status before.
    pub from: &'static str,
    /// The status after.
    pub to: &'static str,
    /// Whether somebody must say why: steps that take back what was told before.
    pub needs_reason: bool,
}

impl Step {
    /// A step forward.
    pub const fn new(from: &'static str, to: &'static str) -> Self {
        Step {
            from,
            to,
            needs_reason: false,
        }
    }

    /// A step that takes back what was told before.
    pub const fn back(from: &'static str, to: &'static str) -> Self {
        Step {
            from,
            to,
            needs_reason: true,
        }
    }
}

/// Whether `steps` lead from one status to the other at once, and whether the reason is given where one is needed.
///
/// # Errors
/// `Conflict` for a step that there is not, and for one whose reason is missing. The text says what may be done instead.
pub fn check(
    steps: &[Step],
    what: &str,
    from: &str,
    to: &str,
    reason: Option<&str>,
) -> Result<(), Refusal> {
    let Some(step) = steps.iter().find(|step| step.from == from && step.to == to) else {
        let onward: Vec<_> = steps
            .iter()
            .filter(|step| step.from == from)
            .map(|step| step.to)
            .collect();
        let onward = match onward.as_slice() {
            [] => "it stays so".to_owned(),
            onward => format!("it may become {}", onward.join(", ")),
        };
        return Err(Refusal::conflict(
            "status",
            "status_step",
            format!("A {what} that is {from} cannot become {to}; {onward}"),
        ));
    };
    if step.needs_reason && reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Refusal::conflict(
            "reason",
            "reason_missing",
            format!("A {what} that is {from} becomes {to} only with a reason"),
        ));
    }
    Ok(())
}
