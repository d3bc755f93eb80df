//! The role order and the field policy's inner agreement.

use super::*;

#[test]
fn roles_are_ordered_by_rank() {
    for pair in Role::ALL.windows(2) {
        assert!(pair[0] < pair[1] && pair[0].rank() + 1 == pair[1].rank());
        assert!(pair[1].reaches(pair[0]) && !pair[0].reaches(pair[1]));
    }
    assert_eq!(Role::SuperAdmin.rank(), 6);
}

#[test]
fn role_names_read_back() {
    for role in Role::ALL {
        assert_eq!(role.name().parse::<Role>(), Ok(role));
        assert_eq!(
            role.name().to_lowercase().replace('_', "-").parse::<Role>(),
            Ok(role)
        );
        assert_eq!(serde_json::to_value(role).unwrap(), role.name());
    }
    assert!("MANAGER".parse::<Role>().is_err());
}

#[test]
fn nobody_grants_their_own_role_but_the_highest() {
    for role in Role::ALL {
        assert_eq!(role.may_grant(role), role == Role::SuperAdmin, "{role}");
    }
    assert!(Role::FleetManager.may_grant(Role::WorkshopManager));
    assert!(!Role::WorkshopManager.may_grant(Role::Viewer));
}

#[test]
fn an_authority_may_edit_what_it_rules() {
    for line in WORK_ORDER_FIELDS {
        assert!(
            !line.editors.is_empty(),
            "{} can be edited by nobody",
            line.field
        );
        if let Some(authority) = line.rule.authority() {
            assert!(line.editors.contains(&authority), "{}", line.field);
        }
    }
    assert!(WORK_ORDER_FIELDS.is_sorted_by_key(|line| line.field));
}

#[test]
fn the_time_stamp_spellings_mean_the_stored_fields() {
    assert_eq!(
        work_order_field("actual_end_ts").map(|line| line.field),
        Some("actual_end")
    );
    assert_eq!(work_order_field("order_number"), None);
}

fn parsed(document: serde_json::Value) -> Result<FieldRules, BadRules> {
    FieldRules::parse(document.as_object().unwrap())
}

#[test]
fn a_document_says_who_changes_what_and_whose_change_stands() {
    let rules = parsed(serde_json::json!({
        "version": "1.0.0",
        "rules": { "actual_start_ts": "workshop_authoritative", "notes": "last_write_wins", "priority": "dispatcher_authoritative" },
        "permissions": {
            "workshop": ["actual_start", "actual_cost"],
            "dispatcher": ["priority", "estimated_cost"],
            "fleet_manager": ["priority", "notes", "estimated_cost"],
        },
    }))
    .unwrap();
    let line = |field| {
        let line = rules.line(field)?;
        let editors: Vec<_> = line.editors.iter().map(|part| part.name()).collect();
        Some((line.rule, editors.join(" ")))
    };
    let told = |rule, editors: &str| Some((rule, editors.to_owned()));
    assert_eq!(
        line("actual_start_ts"),
        told(FieldRule::WorkshopAuthoritative, "workshop")
    );
    assert_eq!(line("actual_start_ts"), line("actual_start"));
    assert_eq!(
        line("priority"),
        told(
            FieldRule::DispatcherAuthoritative,
            "dispatcher fleet_manager"
        )
    );
    // Without a rule: the one part that may, else the later change.
    assert_eq!(
        line("actual_cost"),
        told(FieldRule::WorkshopAuthoritative, "workshop")
    );
    assert_eq!(
        line("estimated_cost"),
        told(FieldRule::LastWriteWins, "dispatcher fleet_manager")
    );
    assert_eq!(line("findings"), None);
}

#[test]
fn a_document_that_is_no_policy_is_told_every_fault() {
    let faults = parsed(serde_json::json!({
        "rules": { "status": "workshop_authoritative", "notes": "newest", "actual_end": "last_write_wins", "actual_end_ts": "workshop_authoritative" },
        "permissions": { "workshop": [7, "actual_end"], "driver": ["notes"], "dispatcher": "all" },
    }))
    .unwrap_err();
    let expected = [
        "permissions.dispatcher must be a list of fields",
        "permissions.driver is no part; known are workshop, dispatcher, fleet_manager",
        "permissions.workshop.0 must be the name of a field",
        "rules.actual_end_ts is told twice, in two ways",
        "rules.notes must be one of workshop_authoritative, dispatcher_authoritative, last_write_wins",
        "rules.status gives the last word to workshop, but permissions.workshop does not have it",
    ];
    assert_eq!(faults.0, expected);
    assert_eq!(
        parsed(serde_json::json!({ "rules": [] }))
            .unwrap_err()
            .0
            .len(),
        2
    );
}

#[test]
fn parts_and_rules_have_the_names_of_their_json() {
    for part in Editor::ALL {
        assert_eq!(serde_json::to_value(part).unwrap(), part.name());
        assert_eq!(Editor::named(part.name()), Some(part));
    }
    for line in WORK_ORDER_FIELDS {
        assert_eq!(serde_json::to_value(line.rule).unwrap(), line.rule.name());
    }
}
