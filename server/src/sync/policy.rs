//! The policy of fields, behind one door: what is signed and in force, and what is built in where that says nothing.

use fleet::policy::{Editor, FieldRule, FieldRules, Role};
use fleet::sync::{line_of, rank_of};

use crate::app::AppState;
use crate::http::problem::Problem;

/// The policy of one push.
#[derive(Debug)]
pub(super) struct Policy(Option<FieldRules>);

impl Policy {
    /// The policy that is in force now.
    ///
    /// # Errors
    /// `internal` where one is in force that does not verify: nothing is taken under rules that nobody vouches for.
    pub(super) fn now(state: &AppState) -> Result<Self, Problem> {
        crate::policy::in_force(state).map(Policy)
    }

    /// Whether somebody of this role may change the field on a tablet, and with which authority: higher stands against
    /// lower where both wrote without knowing of each other.
    pub(super) fn rank(&self, entity_type: &str, field: &str, role: Role) -> Option<u8> {
        let is_policed = matches!(entity_type, "WorkOrder" | "Vehicle");
        let signed = self.0.as_ref().filter(|_| is_policed);
        let Some(line) = signed.and_then(|rules| rules.line(field)) else {
            return rank_of(&line_of(entity_type, field), role);
        };
        let parts = role.editor();
        if !parts.iter().any(|part| line.editors.contains(part)) {
            return None;
        }
        Some(if has_authority(line.rule, parts) {
            2
        } else {
            1
        })
    }
}

fn has_authority(rule: FieldRule, parts: &[Editor]) -> bool {
    rule.authority()
        .is_some_and(|authority| parts.contains(&authority))
}
