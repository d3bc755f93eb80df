//! Teams: their row, their hours, and commands by chance.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::availability::SPANS_MAX;
use crate::folded::Folded;
use crate::schema::body;
use crate::testing::{any_body, applied_now as applied, fields};

fn after(state: Folded, command: &TeamCommand) -> Folded {
    let drafts = decide(&state, command).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn team() -> Folded {
    let body = json!({ "team_id": "X1", "name": "Pit 1" });
    after(
        Folded::default(),
        &TeamCommand::Create(fields(CREATE, body)),
    )
}

fn span(name: &str, start: &str, end: &str) -> TeamCommand {
    TeamCommand::SetAvailability {
        availability_id: name.to_owned(),
        fields: fields(AVAILABILITY, json!({ "start_ts": start, "end_ts": end })),
    }
}

#[test]
fn a_new_team_shows_what_was_not_told() {
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &team()).unwrap());
    let mut expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "team_id": "X1", "name": "Pit 1", "workshop_id": null,
        "is_active": true, "availability": [], "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    expected
        .as_object_mut()
        .unwrap()
        .extend(crate::testing::object(
            json!({ "skills": [], "max_concurrent_work_orders": 1 }),
        ));
    assert_eq!(row, expected);
    let back = TeamCommand::Change(fields(CHANGE, row));
    assert_eq!(
        decide(&team(), &back),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn hours_are_set_changed_and_taken_back() {
    let state = after(team(), &span("a", "2026-11-02", "2026-11-03"));
    let shown = |state: &Folded| row("x", state).unwrap()["availability"].clone();
    let expected = json!([{ "availability_id": "a", "start_ts": "2026-11-02T00:00:00.000000Z",
        "end_ts": "2026-11-03T00:00:00.000000Z", "is_available": true }]);
    assert_eq!(shown(&state), expected);
    let backwards = decide(&state, &span("b", "2026-11-03", "2026-11-03")).unwrap_err();
    assert_eq!(
        (backwards.field, backwards.code),
        ("end_ts", "end_before_start")
    );
    let removal = TeamCommand::RemoveAvailability {
        availability_id: "a".to_owned(),
    };
    let state = after(state, &removal);
    assert_eq!(shown(&state), json!([]));
    assert_eq!(decide(&state, &removal).unwrap_err().code, "span_not_found");
}

#[test]
fn hours_have_an_end() {
    let mut state = team();
    for number in 0..SPANS_MAX {
        state = after(
            state,
            &span(&number.to_string(), "2026-11-02", "2026-11-03"),
        );
    }
    let refusal = decide(&state, &span("more", "2026-11-02", "2026-11-03")).unwrap_err();
    assert_eq!(refusal.code, "too_many");
}

#[test]
fn what_was_deleted_is_missing() {
    let gone = after(team(), &TeamCommand::Delete);
    assert_eq!(row("x", &gone), None);
    let refusal = decide(&gone, &TeamCommand::Delete).unwrap_err();
    assert_eq!(refusal.message, "Team not found");
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked(bodies in prop::collection::vec(any_body(CHANGE), 0..8)) {
        let mut state = team();
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = TeamCommand::Change(fields.clone());
            state = after(state, &command);
            prop_assert_eq!(decide(&state, &command), Ok(Vec::new()));
            for (name, value) in fields {
                prop_assert_eq!(state.get(&name).unwrap_or_default(), value);
            }
        }
    }
}
