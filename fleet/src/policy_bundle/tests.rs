//! Policies: signed before they are in force, and in force as they were signed.

use super::*;
use crate::command::Asked;
use crate::folded::Folded;
use crate::refusal::RefusalKind;
use crate::testing::applied;

const NOW: Asked<'static> = Asked { now: 0, by: "u1" };

fn upload(text: &str) -> PolicyCommand {
    PolicyCommand::Upload {
        text: text.to_owned(),
        sha256: format!("hash of {text}"),
    }
}

fn sign(signature: &str) -> PolicyCommand {
    PolicyCommand::Sign {
        signature: signature.to_owned(),
        public_key: "key".to_owned(),
    }
}

fn after(state: Folded, command: &PolicyCommand) -> Folded {
    let drafts = decide(&state, command, NOW).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

#[test]
fn only_what_is_signed_comes_into_force_and_stays_as_it_was_signed() {
    let state = after(Folded::default(), &upload("one"));
    let unsigned = decide(&state, &PolicyCommand::Activate, NOW).unwrap_err();
    assert_eq!(unsigned.code, "not_signed");
    let state = after(state, &sign("s1"));
    assert_eq!(in_force(&state), None);
    let state = after(state, &PolicyCommand::Activate);
    assert_eq!(in_force(&state).unwrap().text, "one");
    assert!(
        decide(&state, &PolicyCommand::Activate, NOW)
            .unwrap()
            .is_empty()
    );

    // Another document voids the signature, and changes nothing of what is in force.
    let state = after(state, &upload("two"));
    assert_eq!(
        (state.text("signature"), state.text("text")),
        (None, Some("two"))
    );
    assert_eq!(in_force(&state).unwrap().signature, "s1");
    let unsigned = decide(&state, &PolicyCommand::Activate, NOW).unwrap_err();
    assert_eq!(unsigned.code, "not_signed");
    let state = after(after(state, &sign("s2")), &PolicyCommand::Activate);
    assert_eq!(in_force(&state).unwrap().text, "two");
    assert!(row("p", &state).unwrap()["is_active"] == true);

    let refused = decide(&state, &PolicyCommand::Delete, NOW).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Conflict);
    let state = after(state, &PolicyCommand::Deactivate);
    assert!(in_force(&state).is_none() && !is_active(&state));
    let state = after(state, &PolicyCommand::Delete);
    let gone = decide(&state, &sign("s3"), NOW).unwrap_err();
    assert_eq!(gone.message, "Policy not found");
    let state = after(state, &upload("three"));
    assert_eq!((is_active(&state), state.text("signature")), (false, None));
}

#[test]
fn names_are_safe_as_names_of_files() {
    for name in ["scheduler_conflict_policy", "v1.2", "A-9"] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    for name in [
        "",
        "..",
        "../x",
        "a/b",
        "a\\b",
        ".hidden",
        "-x",
        "a..b",
        "a b",
        "ä",
        "a\0",
        "list",
        "active",
        &"x".repeat(101),
    ] {
        assert_eq!(
            check_name(name).unwrap_err().kind,
            RefusalKind::Invalid,
            "{name:?}"
        );
    }
}

#[test]
fn a_document_has_a_limit() {
    let long = upload(&"x".repeat(TEXT_BYTES_MAX + 1));
    let refused = decide(&Folded::default(), &long, NOW).unwrap_err();
    assert_eq!(
        (refused.field, refused.kind),
        ("policy_data", RefusalKind::Invalid)
    );
    assert_eq!(
        decide(&Folded::default(), &upload("x"), NOW).unwrap().len(),
        1
    );
}
