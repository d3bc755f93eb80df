//! A field policy as a document: which part may change which field offline, and whose change stands.
//!
//! The document's shape is the old system's: `rules` names for each field what settles two changes, `permissions` names
//! for each part the fields that it may change. Both speak of fields of any entity. A document in force goes before the
//! built-in policy, field by field; a field that it does not name follows the built-in one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Editor, FIELD_SPELLINGS, FieldRule};

/// What a field policy says of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleLine {
    /// What settles two changes.
    pub rule: FieldRule,
    /// Who may change it at all.
    pub editors: BTreeSet<Editor>,
}

/// A field policy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FieldRules {
    lines: BTreeMap<String, RuleLine>,
}

/// Why a document is no field policy: a sentence for each fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct BadRules(pub Vec<String>);

const RULES: [FieldRule; 3] = [
    FieldRule::WorkshopAuthoritative,
    FieldRule::DispatcherAuthoritative,
    FieldRule::LastWriteWins,
];

impl FieldRules {
    /// Reads a document.
    ///
    /// A field that somebody may change but that has no rule follows the one part that may change it, or the later
    /// change where there are several: the old system made a conflict of each such change.
    ///
    /// # Errors
    /// Every fault: no `permissions`, a part or a rule that does not exist, a part with authority over a field that it
    /// may not change.
    pub fn parse(document: &Map<String, Value>) -> Result<Self, BadRules> {
        let mut faults = Vec::new();
        let mut editors: BTreeMap<String, BTreeSet<Editor>> = BTreeMap::new();
        match document.get("permissions").and_then(Value::as_object) {
            Some(permissions) => {
                for (part, fields) in permissions {
                    let Some(editor) = Editor::named(part) else {
                        let known = Editor::ALL.map(Editor::name).join(", ");
                        faults.push(format!("permissions.{part} is no part; known are {known}"));
                        continue;
                    };
                    for (index, field) in fields.as_array().into_iter().flatten().enumerate() {
                        match field.as_str() {
                            Some(field) => {
                                editors.entry(meant(field)).or_default().insert(editor);
                            }
                            None => faults.push(format!(
                                "permissions.{part}.{index} must be the name of a field"
                            )),
                        }
                    }
                    if !fields.is_array() {
                        faults.push(format!("permissions.{part} must be a list of fields"));
                    }
                }
            }
            None => faults.push("permissions must name the fields of each part".to_owned()),
        }
        let told = match document.get("rules") {
            None => BTreeMap::new(),
            Some(Value::Object(rules)) => read_rules(rules, &mut faults),
            Some(_) => {
                faults.push("rules must name a rule for each field".to_owned());
                BTreeMap::new()
            }
        };
        for (field, rule) in &told {
            if let Some(authority) = rule.authority()
                && !editors
                    .get(field)
                    .is_some_and(|parts| parts.contains(&authority))
            {
                faults.push(format!(
                    "rules.{field} gives the last word to {0}, but permissions.{0} does not have it",
                    authority.name()
                ));
            }
        }
        if !faults.is_empty() {
            return Err(BadRules(faults));
        }
        let fields: BTreeSet<&String> = told.keys().chain(editors.keys()).collect();
        let lines = fields.into_iter().map(|field| {
            let editors = editors.get(field).cloned().unwrap_or_default();
            let rule = told.get(field).copied();
            let rule = rule.unwrap_or_else(|| rule_of(&editors));
            (field.clone(), RuleLine { rule, editors })
        });
        Ok(FieldRules {
            lines: lines.collect(),
        })
    }

    /// What it says of a field, in any of its spellings; `None` where it says nothing.
    pub fn line(&self, field: &str) -> Option<&RuleLine> {
        self.lines.get(&meant(field))
    }
}

/// What settles two changes of a field of which only this is known: who may change it.
fn rule_of(editors: &BTreeSet<Editor>) -> FieldRule {
    if editors.len() == 1 {
        let only = RULES
            .into_iter()
            .find(|rule| rule.authority() == editors.first().copied());
        return only.unwrap_or(FieldRule::LastWriteWins);
    }
    FieldRule::LastWriteWins
}

fn read_rules(rules: &Map<String, Value>, faults: &mut Vec<String>) -> BTreeMap<String, FieldRule> {
    let mut told: BTreeMap<String, FieldRule> = BTreeMap::new();
    for (field, rule) in rules {
        let found = RULES
            .into_iter()
            .find(|known| rule.as_str() == Some(known.name()));
        let Some(found) = found else {
            let known = RULES.map(FieldRule::name).join(", ");
            faults.push(format!("rules.{field} must be one of {known}"));
            continue;
        };
        let earlier = told.insert(meant(field), found);
        if earlier.is_some_and(|earlier| earlier != found) {
            faults.push(format!("rules.{field} is told twice, in two ways"));
        }
    }
    told
}

/// The field that a spelling means.
fn meant(field: &str) -> String {
    let spelling = FIELD_SPELLINGS.iter().find(|(sent, _)| *sent == field);
    spelling.map_or(field, |(_, meant)| meant).to_owned()
}
