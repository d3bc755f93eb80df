//! Accounts: what commands cause, what events fold to, and that the one fits the other.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::event::{EventDraft, EventView};
use crate::policy::Role;
use crate::refusal::RefusalKind;
use crate::registry::registry;

/// Folds drafts as versions 1, 2, 3 …, each a second later, checking each against its table first.
fn fold_drafts(mut state: Option<UserState>, drafts: &[EventDraft]) -> Option<UserState> {
    for draft in drafts {
        let data: &Map<String, Value> = draft.data.as_object().unwrap();
        registry()
            .check(AGGREGATE_TYPE, draft.event_type, draft.schema, data)
            .unwrap();
        let version = state.as_ref().map_or(1, |user| user.version + 1);
        state = fold(
            state,
            &EventView {
                aggregate_type: AGGREGATE_TYPE,
                aggregate_id: "7b1f",
                event_type: draft.event_type,
                schema: draft.schema,
                version,
                position: u64::from(version),
                occurred_at: i64::from(version) * 1_000_000,
                recorded_at: i64::from(version) * 1_000_000,
                order: u64::from(version),
                data,
            },
        );
    }
    state
}

fn register(role: Role) -> UserState {
    let command = UserCommand::Register {
        username: "Ada".into(),
        email: "ada@depot.example".into(),
        role,
        password_hash: "$argon2id$x".into(),
    };
    fold_drafts(None, &decide(None, &command).unwrap()).unwrap()
}

#[test]
fn a_registered_account_holds_what_was_given() {
    let user = register(Role::Technician);
    assert_eq!(
        (
            user.username.as_str(),
            user.role,
            user.is_active,
            user.version
        ),
        ("Ada", Role::Technician, true, 1)
    );
    assert_eq!(user.created_at, 1_000_000);
    assert!(
        !format!("{user:?}").contains("argon2"),
        "the hash stays out of logs"
    );
}

#[test]
fn names_out_of_their_limits_are_refused_with_the_field() {
    let try_names = |username: &str, email: &str| {
        let command = UserCommand::Register {
            username: username.into(),
            email: email.into(),
            role: Role::Viewer,
            password_hash: String::new(),
        };
        decide(None, &command).map_err(|refusal| refusal.field)
    };
    let good = "a@b.c";
    for username in ["ab", "", " abc", "a@b", "ab\u{0}c", &"x".repeat(51)] {
        assert_eq!(try_names(username, good), Err("username"), "{username:?}");
    }
    let long = format!("{}@b.c", "x".repeat(255));
    for email in ["", "a", "@b", "a@", "a@@b", "a b@c", "a@.c", &long] {
        assert_eq!(try_names("ada", email), Err("email"), "{email:?}");
    }
    assert!(try_names("ädä", good).is_ok());
}

#[test]
fn only_a_higher_role_changes_a_role() {
    let user = register(Role::Technician);
    let change = |by, role| decide(Some(&user), &UserCommand::ChangeRole { by, role });
    assert_eq!(
        change(Role::Dispatcher, Role::Viewer).unwrap_err().kind,
        RefusalKind::Forbidden
    );
    assert_eq!(
        change(Role::FleetManager, Role::FleetManager)
            .unwrap_err()
            .kind,
        RefusalKind::Forbidden
    );
    assert_eq!(change(Role::FleetManager, Role::Technician).unwrap(), []);
    let drafts = change(Role::SuperAdmin, Role::SuperAdmin).unwrap();
    assert_eq!(
        fold_drafts(Some(user), &drafts).unwrap().role,
        Role::SuperAdmin
    );
}

#[test]
fn a_changed_password_ends_sessions_and_a_rehash_does_not() {
    let user = fold_drafts(
        Some(register(Role::Viewer)),
        &[events::refresh_issued("f", "t1", i64::MAX)],
    )
    .unwrap();
    let change = |ends_sessions| UserCommand::ChangePassword {
        password_hash: "$new".into(),
        ends_sessions,
    };
    let rehashed = fold_drafts(
        Some(user.clone()),
        &decide(Some(&user), &change(false)).unwrap(),
    )
    .unwrap();
    assert_eq!(
        (rehashed.password_hash.as_str(), rehashed.families.len()),
        ("$new", 1)
    );
    let changed = fold_drafts(
        Some(user.clone()),
        &decide(Some(&user), &change(true)).unwrap(),
    )
    .unwrap();
    assert_eq!(changed.families.len(), 0);
}

#[test]
fn a_refresh_token_is_good_once_and_a_copy_ends_the_family() {
    let user = fold_drafts(
        Some(register(Role::Viewer)),
        &[events::refresh_issued("f", "t1", 9_000_000)],
    )
    .unwrap();
    let lifetime = 20_000_000;
    let refresh_within = |grace, user: &UserState, token_id: &str, new_id: &str, now| {
        decide_refresh(user, "f", token_id, new_id, now, now + lifetime, grace)
    };
    let refresh = |user: &UserState, token_id: &str, now| {
        refresh_within(1_000_000, user, token_id, "t3", now)
    };
    let rotated = refresh_within(1_000_000, &user, "t1", "t2", 3_000_000);
    let user = fold_drafts(Some(user), &[rotated.unwrap().unwrap()]).unwrap();
    assert_eq!(user.families["f"].token_id, "t2");
    // Its answer was lost, or another one asked at once and had read the clock before: nothing new is begun.
    for now in [2_000_000, 3_000_000, 4_000_000] {
        assert_eq!(refresh(&user, "t1", now), Ok(None), "{now}");
    }
    // Without a grace never, by the same clock either; nor before it, by a clock that was put back.
    assert!(refresh_within(0, &user, "t1", "t3", 3_000_000).is_err());
    for now in [1_999_999, 4_000_001] {
        let refused = refresh(&user, "t1", now);
        assert!(
            matches!(refused, Err(RefreshRefusal::Reused { .. })),
            "{now}"
        );
    }
    // Nor once the successor was exchanged itself.
    let rotated = refresh(&user, "t2", 3_500_000).unwrap().unwrap();
    let used = fold_drafts(Some(user.clone()), &[rotated]).unwrap();
    assert!(refresh(&used, "t1", 4_000_000).is_err());
    assert_eq!(refresh(&used, "t2", 4_000_000), Ok(None));
    let Err(RefreshRefusal::Reused { revoke }) = refresh(&user, "t1", 5_000_000) else {
        panic!("the old token must be seen as reused");
    };
    let user = fold_drafts(Some(user), &[*revoke]).unwrap();
    assert_eq!(
        refresh(&user, "t2", 5_000_000),
        Err(RefreshRefusal::Unknown)
    );
}

#[test]
fn an_expired_or_closed_session_is_not_refreshed() {
    let user = fold_drafts(
        Some(register(Role::Viewer)),
        &[events::refresh_issued("f", "t1", 9_000_000)],
    )
    .unwrap();
    assert_eq!(
        decide_refresh(&user, "f", "t1", "t2", 9_000_000, 0, 0),
        Err(RefreshRefusal::Expired)
    );
    let closed = decide(
        Some(&user),
        &UserCommand::Deactivate {
            reason: "left".into(),
        },
    )
    .unwrap();
    let user = fold_drafts(Some(user), &closed).unwrap();
    assert_eq!(
        decide_refresh(&user, "f", "t1", "t2", 5_000_000, 0, 0),
        Err(RefreshRefusal::Inactive)
    );
    assert_eq!(
        decide(
            Some(&user),
            &UserCommand::Deactivate {
                reason: String::new()
            }
        )
        .unwrap(),
        []
    );
    let user = fold_drafts(
        Some(user.clone()),
        &decide(Some(&user), &UserCommand::Reactivate).unwrap(),
    )
    .unwrap();
    assert!(user.is_active && user.families.is_empty());
}

#[test]
fn refused_logins_are_counted_until_one_succeeds() {
    let refused = events::login_refused("wrong_password", "192.0.2.1");
    let user = fold_drafts(Some(register(Role::Viewer)), &[refused.clone(), refused]).unwrap();
    assert_eq!(
        (user.refused_logins, user.last_refused_at, user.updated_at),
        (2, Some(3_000_000), 1_000_000)
    );
    let user = fold_drafts(Some(user), &[events::logged_in("192.0.2.1")]).unwrap();
    assert_eq!((user.refused_logins, user.last_login), (0, Some(4_000_000)));
}

#[test]
fn expired_families_do_not_pile_up() {
    let drafts: Vec<_> = (1..=50)
        .map(|n| events::refresh_issued(&format!("f{n}"), "t", (n + 3) * 1_000_000))
        .collect();
    let user = fold_drafts(Some(register(Role::Viewer)), &drafts).unwrap();
    assert!(user.families.len() <= 3, "{}", user.families.len());
}

#[test]
fn secrets_and_personal_fields_are_marked() {
    let known = registry()
        .event(AGGREGATE_TYPE, events::USER_REGISTERED)
        .unwrap();
    let names: Vec<_> = known
        .event
        .sensitive_fields()
        .map(|field| field.name)
        .collect();
    assert_eq!(names, ["username", "email", "password_hash"]);
    assert!(known.is_internal());
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds(username in ".{0,60}", email in ".{0,20}@.{0,20}") {
        let command = UserCommand::Register {
            username: username.clone(), email, role: Role::Viewer, password_hash: "$h".into(),
        };
        if let Ok(drafts) = decide(None, &command) {
            let user = fold_drafts(None, &drafts);
            prop_assert_eq!(user.map(|user| user.username), Some(username));
        }
    }
}
