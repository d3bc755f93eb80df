//! Who may do what: the roles of accounts in their order, and the field policy of offline edits as data.
//!
//! The field policy has roles of its own: it speaks of the *part* that somebody plays when editing a record offline
//! (workshop, dispatcher, fleet manager), not of an account's rank. [`Role::editor`] joins the two.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub mod rules;
#[cfg(test)]
mod tests;

pub use rules::{BadRules, FieldRules, RuleLine};

/// An account's role. Roles are ordered: a higher role may all that a lower one may.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Reads.
    #[default]
    Viewer,
    /// Works on vehicles and reports what was done.
    Technician,
    /// Plans.
    Dispatcher,
    /// Runs a workshop.
    WorkshopManager,
    /// Runs the fleet; the first role that may administrate.
    FleetManager,
    /// Everything, policies and accounts included.
    SuperAdmin,
}

impl Role {
    /// All roles, lowest first.
    pub const ALL: [Role; 6] = [
        Role::Viewer,
        Role::Technician,
        Role::Dispatcher,
        Role::WorkshopManager,
        Role::FleetManager,
        Role::SuperAdmin,
    ];

    /// The name in JSON, in tokens and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Viewer => "VIEWER",
            Role::Technician => "TECHNICIAN",
            Role::Dispatcher => "DISPATCHER",
            Role::WorkshopManager => "WORKSHOP_MANAGER",
            Role::FleetManager => "FLEET_MANAGER",
            Role::SuperAdmin => "SUPER_ADMIN",
        }
    }

    /// The rank that the old system gave it: 1 (`VIEWER`) to 6 (`SUPER_ADMIN`).
    pub const fn rank(self) -> u8 {
        match self {
            Role::Viewer => 1,
            Role::Technician => 2,
            Role::Dispatcher => 3,
            Role::WorkshopManager => 4,
            Role::FleetManager => 5,
            Role::SuperAdmin => 6,
        }
    }

    /// Whether a route that asks for `required` is open to this role.
    pub fn reaches(self, required: Role) -> bool {
        self >= required
    }

    /// Whether somebody with this role may give `granted` to another account: only roles below the own one, save that
    /// the highest may make its like. Nobody picks their own role.
    pub fn may_grant(self, granted: Role) -> bool {
        self == Role::SuperAdmin || (self == Role::FleetManager && granted < self)
    }

    /// The parts that this role may play in offline edits. The old system believed the part that a client claimed; here
    /// a claim outside this list is refused.
    pub const fn editor(self) -> &'static [Editor] {
        match self {
            Role::Viewer => &[],
            Role::Technician | Role::WorkshopManager => &[Editor::Workshop],
            Role::Dispatcher => &[Editor::Dispatcher],
            Role::FleetManager => &[Editor::FleetManager, Editor::Dispatcher],
            Role::SuperAdmin => &[Editor::FleetManager, Editor::Dispatcher, Editor::Workshop],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A role name that does not exist.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "unknown role {given:?}, known are SUPER_ADMIN, FLEET_MANAGER, WORKSHOP_MANAGER, DISPATCHER, TECHNICIAN, VIEWER"
)]
pub struct UnknownRole {
    /// What was given.
    pub given: String,
}

impl FromStr for Role {
    type Err = UnknownRole;

    /// Reads [`Role::name`], in any case, with `-` or a space for `_`.
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let wanted = text.trim().to_ascii_uppercase().replace(['-', ' '], "_");
        Role::ALL
            .into_iter()
            .find(|role| role.name() == wanted)
            .ok_or_else(|| UnknownRole {
                given: text.to_owned(),
            })
    }
}

/// The part that somebody plays when editing a record offline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Editor {
    /// Does the work and reports what was.
    Workshop,
    /// Plans what shall be.
    Dispatcher,
    /// Answers for the fleet.
    FleetManager,
}

impl Editor {
    /// All parts.
    pub const ALL: [Editor; 3] = [Editor::Workshop, Editor::Dispatcher, Editor::FleetManager];

    /// The part of this name.
    pub fn named(name: &str) -> Option<Self> {
        Editor::ALL.into_iter().find(|part| part.name() == name)
    }

    /// The name that clients send as `source_role`.
    pub const fn name(self) -> &'static str {
        match self {
            Editor::Workshop => "workshop",
            Editor::Dispatcher => "dispatcher",
            Editor::FleetManager => "fleet_manager",
        }
    }
}

/// What settles two edits of one field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldRule {
    /// An edit by the workshop stands against any other.
    WorkshopAuthoritative,
    /// An edit by the dispatcher stands against any other.
    DispatcherAuthoritative,
    /// The later edit stands.
    LastWriteWins,
}

impl FieldRule {
    /// The name in policies.
    pub const fn name(self) -> &'static str {
        match self {
            FieldRule::WorkshopAuthoritative => "workshop_authoritative",
            FieldRule::DispatcherAuthoritative => "dispatcher_authoritative",
            FieldRule::LastWriteWins => "last_write_wins",
        }
    }

    /// The part whose edits stand against any other, if there is one.
    pub const fn authority(self) -> Option<Editor> {
        match self {
            FieldRule::WorkshopAuthoritative => Some(Editor::Workshop),
            FieldRule::DispatcherAuthoritative => Some(Editor::Dispatcher),
            FieldRule::LastWriteWins => None,
        }
    }
}

/// One line of the field policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldPolicy {
    /// The field, as in the record's JSON.
    pub field: &'static str,
    /// What settles two edits.
    pub rule: FieldRule,
    /// Who may edit it at all.
    pub editors: &'static [Editor],
}

/// The built-in policy for work orders, used until a signed one takes its place.
///
/// Two corrections against the old file. `actual_start_ts` and `actual_end_ts` were policed there, but the columns are
/// `actual_start` and `actual_end`; the `_ts` names are [`FIELD_SPELLINGS`] now. `actual_cost` and `estimated_cost` had
/// editors but no rule, so that every permitted edit became a conflict: each follows the part that may edit it.
pub const WORK_ORDER_FIELDS: &[FieldPolicy] = &[
    line(
        "actual_cost",
        FieldRule::WorkshopAuthoritative,
        &[Editor::Workshop],
    ),
    line(
        "actual_end",
        FieldRule::WorkshopAuthoritative,
        &[Editor::Workshop],
    ),
    line(
        "actual_start",
        FieldRule::WorkshopAuthoritative,
        &[Editor::Workshop],
    ),
    line(
        "assigned_team",
        FieldRule::DispatcherAuthoritative,
        &[Editor::Dispatcher],
    ),
    line(
        "assigned_track",
        FieldRule::DispatcherAuthoritative,
        &[Editor::Dispatcher],
    ),
    line(
        "estimated_cost",
        FieldRule::DispatcherAuthoritative,
        &[Editor::Dispatcher],
    ),
    line(
        "findings",
        FieldRule::WorkshopAuthoritative,
        &[Editor::Workshop],
    ),
    line("notes", FieldRule::LastWriteWins, &[Editor::FleetManager]),
    line(
        "priority",
        FieldRule::DispatcherAuthoritative,
        &[Editor::Dispatcher, Editor::FleetManager],
    ),
    line(
        "scheduled_end",
        FieldRule::DispatcherAuthoritative,
        &[Editor::Dispatcher, Editor::FleetManager],
    ),
    line(
        "scheduled_start",
        FieldRule::DispatcherAuthoritative,
        &[Editor::Dispatcher, Editor::FleetManager],
    ),
    line(
        "status",
        FieldRule::WorkshopAuthoritative,
        &[Editor::Workshop, Editor::FleetManager],
    ),
    line(
        "work_description",
        FieldRule::LastWriteWins,
        &[Editor::Dispatcher, Editor::FleetManager],
    ),
    line(
        "work_performed",
        FieldRule::WorkshopAuthoritative,
        &[Editor::Workshop],
    ),
];

/// Other spellings of policed fields that clients send: (sent, meant).
pub const FIELD_SPELLINGS: &[(&str, &str)] = &[
    ("actual_end_ts", "actual_end"),
    ("actual_start_ts", "actual_start"),
];

/// The policy line of a work order's field, in any of its spellings. `None`: nobody may edit it offline.
pub fn work_order_field(field: &str) -> Option<&'static FieldPolicy> {
    let meant = FIELD_SPELLINGS
        .iter()
        .find(|(sent, _)| *sent == field)
        .map_or(field, |(_, meant)| meant);
    WORK_ORDER_FIELDS.iter().find(|line| line.field == meant)
}

const fn line(field: &'static str, rule: FieldRule, editors: &'static [Editor]) -> FieldPolicy {
    FieldPolicy {
        field,
        rule,
        editors,
    }
}
