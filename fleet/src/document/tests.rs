//! Documents: their row, their end, their versions, who may read them and who did.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::folded::Folded;
use crate::policy::Role;
use crate::schema::body;
use crate::testing::{ASKED, NOW, any_body, applied_now as applied, fields, object, types};

const DAY: i64 = crate::calendar::DAY;

fn after(state: Folded, command: &DocumentCommand) -> Folded {
    let drafts = decide(&state, command, ASKED).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn creation(more: Value) -> DocumentCommand {
    let mut body =
        json!({ "document_id": "D-1", "title": "Certificate", "document_type": "certificate" });
    body.as_object_mut().unwrap().extend(object(more));
    DocumentCommand::Create(fields(CREATE, body))
}

fn document(more: Value) -> Folded {
    after(Folded::default(), &creation(more))
}

fn change(body: Value) -> DocumentCommand {
    DocumentCommand::Change(fields(CHANGE, body))
}

fn version(number: i64) -> DocumentCommand {
    DocumentCommand::AddVersion {
        version_id: format!("v{number}"),
        fields: fields(
            VERSION,
            json!({ "document_link_id": "D-1", "version_number": number, "file_hash": "ab".repeat(32) }),
        ),
    }
}

#[test]
fn a_new_document_is_the_row_that_clients_know() {
    let state = document(json!({ "expiration_date": "2026-12-02T08:00:00Z", "tags_json": ["a"] }));
    let mut row = row("0f8fad5b-d9cb-469f-a165-70867728950e", &state).unwrap();
    add_expiry(&mut row, &state, NOW);
    let row = Value::Object(row);
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "document_id": "D-1", "title": "Certificate",
        "document_type": "certificate", "description": null, "file_url": null, "file_hash": null,
        "file_size_bytes": null, "mime_type": null, "issue_date": null, "expiration_date": "2026-12-02T08:00:00.000000Z",
        "reminder_days_before": 30, "status": "active", "vehicle_id": null, "staff_id": null, "workshop_id": null,
        "work_order_id": null, "tags_json": ["a"], "metadata_json": null, "is_public": false, "access_level": "internal",
        "created_by": ASKED.by, "last_accessed_at": null, "last_accessed_by": null, "latest_version_number": null,
        "expiration_status": "ok", "days_until_expiration": 30, "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    assert_eq!(row, expected);
    assert_eq!(
        decide(&state, &change(row), ASKED),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn the_end_is_told_by_the_day_it_is_asked() {
    let state = document(json!({ "expiration_date": "2026-12-02T08:00:00Z" }));
    let at = |now| expiry(&state, now).map(|(class, days)| (class.name(), days));
    assert_eq!(at(NOW), Some(("ok", 30)));
    assert_eq!(at(NOW + 1), Some(("expiring_soon", 29)));
    assert_eq!(at(NOW + 30 * DAY), Some(("expiring_soon", 0)));
    assert_eq!(at(NOW + 30 * DAY + 1), Some(("expired", -1)));
    let archived = after(state.clone(), &change(json!({ "status": "archived" })));
    assert_eq!(expiry(&archived, NOW), None);
    assert_eq!(expiry(&document(json!({})), NOW), None);
    let row = Value::Object(expiring_row(
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        &state,
        expiry(&state, NOW).unwrap(),
    ));
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "document_id": "D-1", "title": "Certificate",
        "document_type": "certificate", "expiration_date": "2026-12-02T08:00:00.000000Z", "days_until_expiration": 30,
        "expiration_status": "ok", "vehicle_id": null, "staff_id": null, "workshop_id": null, "work_order_id": null,
        "status": "active",
    });
    assert_eq!(row, expected);
    let refusal = decide(
        &Folded::default(),
        &creation(json!({ "issue_date": "2027-01-01", "expiration_date": "2026-01-01" })),
        ASKED,
    );
    assert_eq!(
        refusal.unwrap_err().message,
        "Expiration date must be after issue date"
    );
}

#[test]
fn versions_have_numbers_of_their_own() {
    let state = after(after(document(json!({})), &version(2)), &version(1));
    assert_eq!(row("x", &state).unwrap()["latest_version_number"], 2);
    let again = decide(&state, &version(2), ASKED).unwrap_err();
    assert_eq!(
        (again.message.as_ref(), again.field),
        ("Version 2 already exists", "version_number")
    );
    let shown = version_row("U", &state.record.item(schema::VERSIONS, "v1").unwrap());
    let expected = json!({
        "id": "v1", "document_link_id": "U", "version_number": 1, "version_label": null, "change_description": null,
        "file_url": null, "file_hash": "ab".repeat(32), "file_size_bytes": null, "created_at": ASKED.time(), "created_by": ASKED.by,
    });
    assert_eq!(shown, expected);
}

#[test]
fn a_look_is_an_event_and_keeps_nothing_personal_in_the_state() {
    let look = DocumentCommand::NoteAccess {
        access_id: "a".to_owned(),
        access_type: "view",
        ip_address: Some("192.0.2.7".to_owned()),
        user_agent: None,
    };
    let drafts = decide(&document(json!({})), &look, ASKED).unwrap();
    let expected = json!({ "access_id": "a", "accessed_by": ASKED.by, "access_type": "view", "ip_address": "192.0.2.7", "accessed_at": ASKED.time() });
    assert_eq!(drafts[0].data, expected);
    let state = applied(AGGREGATE_TYPE, document(json!({})), &drafts);
    assert_eq!(
        (
            state.text("last_accessed_by"),
            state.text("last_accessed_at")
        ),
        (Some(ASKED.by), Some(ASKED.time().as_str()))
    );
    assert_eq!(
        (state.get("ip_address"), state.get("access_type")),
        (None, None)
    );
}

#[test]
fn the_level_says_who_reads() {
    for (level, role) in [
        ("public", Role::Viewer),
        ("internal", Role::Viewer),
        ("restricted", Role::Dispatcher),
        ("confidential", Role::FleetManager),
    ] {
        assert_eq!(
            role_to_read(&document(json!({ "access_level": level }))),
            role,
            "{level}"
        );
    }
    let state = document(json!({ "file_url": "https://x", "metadata_json": { "a": 1 } }));
    let mut row = row("x", &state).unwrap();
    conceal(&mut row);
    assert_eq!(
        (&row["file_url"], &row["metadata_json"], &row["title"]),
        (&Value::Null, &Value::Null, &json!("Certificate"))
    );
}

#[test]
fn what_is_revoked_stays_as_it_was() {
    let revoked = after(
        document(json!({})),
        &change(json!({ "status": "revoked", "reason": "forged" })),
    );
    assert_eq!(
        decide(&revoked, &change(json!({ "title": "y" })), ASKED)
            .unwrap_err()
            .code,
        "document_revoked"
    );
    let again = decide(
        &revoked,
        &change(json!({ "title": "y", "status": "active" })),
        ASKED,
    )
    .unwrap();
    assert_eq!(types(&again), [schema::UPDATED, schema::STATUS_CHANGED]);
    let gone = after(revoked, &DocumentCommand::Delete);
    assert_eq!(
        decide(&gone, &version(1), ASKED).unwrap_err().message,
        "Document not found"
    );
}

#[test]
fn bodies_out_of_the_limits_are_refused_with_every_field() {
    let body = json!({ "document_id": "D", "title": "", "document_type": "leaflet", "file_hash": "xyz", "reminder_days_before": 0 });
    let faults = body::parse(CREATE, &object(body)).unwrap_err();
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}:{}", fault.path.join("."), fault.kind))
        .collect();
    let expected = [
        "title:string_too_short",
        "document_type:enum",
        "file_hash:string_pattern_mismatch",
        "reminder_days_before:greater_than_equal",
    ];
    assert_eq!(faults, expected);
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked(bodies in prop::collection::vec(any_body(CHANGE), 0..12), now in -400_i64..400) {
        let mut state = document(json!({}));
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = DocumentCommand::Change(fields.clone());
            let Ok(drafts) = decide(&state, &command, ASKED) else { continue };
            state = applied(AGGREGATE_TYPE, state, &drafts);
            for (name, value) in fields.iter().filter(|(name, _)| *name != "reason") {
                prop_assert_eq!(&state.get(name).unwrap_or_default(), value, "{}", name);
            }
            if let Some((class, days)) = expiry(&state, NOW + now * DAY) {
                prop_assert_eq!(class == Expiry::Expired, days < 0);
            }
            let mut row = Map::new();
            add_expiry(&mut row, &state, NOW);
            prop_assert_eq!(row.len(), 2);
        }
    }
}
