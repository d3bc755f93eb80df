//! Tracks and teams: their rows, their hours, and commands by chance.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::availability::SPANS_MAX;
use crate::schema::body;
use crate::testing::{any_body, applied_now, fields, object};
use crate::{team, track};

/// Each kind, with the field that is its business key.
const ALL: [(Workplace, &str); 2] = [(track::WORKPLACE, "track_id"), (team::WORKPLACE, "team_id")];

fn after(workplace: &Workplace, state: Folded, command: &WorkplaceCommand) -> Folded {
    let drafts = workplace.decide(&state, command).unwrap();
    applied_now(workplace.schema.aggregate_type, state, &drafts)
}

fn new((workplace, key): &(Workplace, &str)) -> Folded {
    let body = json!({ (*key): "X1", "name": "Pit 1" });
    let create = WorkplaceCommand::Create(fields(workplace.creation, body));
    after(workplace, Folded::default(), &create)
}

fn span(workplace: &Workplace, name: &str, start: &str, end: &str) -> WorkplaceCommand {
    let body = json!({ "start_ts": start, "end_ts": end });
    WorkplaceCommand::SetAvailability {
        availability_id: name.to_owned(),
        fields: fields(workplace.availability, body),
    }
}

#[test]
fn a_new_one_shows_what_was_not_told() {
    let own = [
        json!({ "location": null, "capabilities": [] }),
        json!({ "skills": [], "max_concurrent_work_orders": 1 }),
    ];
    for (kind, own) in ALL.iter().zip(own) {
        let (workplace, key) = kind;
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let row = Value::Object(workplace.row(id, &new(kind)).unwrap());
        let mut expected = object(json!({
            "id": id, (*key): "X1", "name": "Pit 1", "workshop_id": null,
            "is_active": true, "availability": [], "version": 1,
            "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
        }));
        expected.extend(object(own));
        assert_eq!(row, Value::Object(expected));
        let back = WorkplaceCommand::Change(fields(workplace.change, row));
        let drafts = workplace.decide(&new(kind), &back);
        assert_eq!(drafts, Ok(Vec::new()), "sent back, it changes nothing");
    }
}

#[test]
fn hours_are_set_changed_and_taken_back() {
    for kind in &ALL {
        let workplace = &kind.0;
        let hours = span(workplace, "a", "2026-11-02", "2026-11-03");
        let state = after(workplace, new(kind), &hours);
        let shown = |state: &Folded| workplace.row("x", state).unwrap()["availability"].clone();
        let expected = json!([{ "availability_id": "a", "start_ts": "2026-11-02T00:00:00.000000Z",
            "end_ts": "2026-11-03T00:00:00.000000Z", "is_available": true }]);
        assert_eq!(shown(&state), expected);
        let backwards = span(workplace, "b", "2026-11-03", "2026-11-03");
        let refusal = workplace.decide(&state, &backwards).unwrap_err();
        assert_eq!(
            (refusal.field, refusal.code),
            ("end_ts", "end_before_start")
        );
        let removal = WorkplaceCommand::RemoveAvailability {
            availability_id: "a".to_owned(),
        };
        let state = after(workplace, state, &removal);
        assert_eq!(shown(&state), json!([]));
        let refusal = workplace.decide(&state, &removal).unwrap_err();
        assert_eq!(refusal.code, "span_not_found");
    }
}

#[test]
fn hours_have_an_end() {
    for kind in &ALL {
        let workplace = &kind.0;
        let mut state = new(kind);
        for number in 0..SPANS_MAX {
            let hours = span(workplace, &number.to_string(), "2026-11-02", "2026-11-03");
            state = after(workplace, state, &hours);
        }
        let more = span(workplace, "more", "2026-11-02", "2026-11-03");
        let refusal = workplace.decide(&state, &more).unwrap_err();
        assert_eq!(refusal.code, "too_many");
    }
}

#[test]
fn what_was_deleted_is_missing() {
    for (kind, message) in ALL.iter().zip(["Track not found", "Team not found"]) {
        let workplace = &kind.0;
        let gone = after(workplace, new(kind), &WorkplaceCommand::Delete);
        assert_eq!(workplace.row("x", &gone), None);
        let refusal = workplace
            .decide(&gone, &WorkplaceCommand::Delete)
            .unwrap_err();
        assert_eq!(refusal.message, message);
    }
}

fn kind_and_changes() -> impl Strategy<Value = (usize, Vec<Map<String, Value>>)> {
    (0..ALL.len()).prop_flat_map(|place| {
        let bodies = prop::collection::vec(any_body(ALL[place].0.change), 0..8);
        (Just(place), bodies)
    })
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked((place, bodies) in kind_and_changes()) {
        let workplace = &ALL[place].0;
        let mut state = new(&ALL[place]);
        for body in bodies {
            let Ok(fields) = body::parse(workplace.change, &body) else { continue };
            let command = WorkplaceCommand::Change(fields.clone());
            state = after(workplace, state, &command);
            prop_assert_eq!(workplace.decide(&state, &command), Ok(Vec::new()));
            for (name, value) in fields {
                prop_assert_eq!(state.get(&name).unwrap_or_default(), value);
            }
        }
    }
}
