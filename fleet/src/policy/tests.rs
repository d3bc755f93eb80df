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
