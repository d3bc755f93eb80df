//! Imports: that one can be interrupted and go on, and that nothing is cut over that was not held against its source.

use serde_json::{Map, Value, json};

use super::*;
use crate::folded::Folded;
use crate::refusal::RefusalKind;
use crate::testing::{applied, object};

fn after(commands: &[ImportCommand]) -> Result<Folded, crate::Refusal> {
    commands
        .iter()
        .try_fold(Folded::default(), |state, command| {
            let drafts = decide(&state, command)?;
            Ok(applied(AGGREGATE_TYPE, state, &drafts))
        })
}

fn start() -> ImportCommand {
    ImportCommand::Start(object(json!({ "source": "postgres://depot/railfleet_db" })))
}

fn finish() -> ImportCommand {
    ImportCommand::Finish(object(json!({ "position": 9 })))
}

fn reconcile(mismatches: i64) -> ImportCommand {
    ImportCommand::Reconcile(object(json!({ "position": 9, "mismatches": mismatches })))
}

#[test]
fn an_interrupted_import_goes_on_and_is_cut_over_when_it_agrees() {
    let table = |rows: i64| {
        ImportCommand::FinishTable(object(json!({ "table": "vehicles", "rows": rows })))
    };
    let interrupt = ImportCommand::Interrupt {
        reason: "connection lost".into(),
    };
    let way = [
        start(),
        table(1),
        interrupt,
        start(),
        table(2),
        finish(),
        reconcile(0),
        ImportCommand::CutOver,
    ];
    let state = after(&way).unwrap();
    assert_eq!(status(&state), Some("cut_over"));
    let row = Value::Object(row("i", &state).unwrap());
    assert_eq!(row["tables"], json!([{ "table": "vehicles", "rows": 2 }]));
}

#[test]
fn nothing_is_cut_over_that_disagrees() {
    for way in [
        vec![start(), finish(), ImportCommand::CutOver],
        vec![start(), finish(), reconcile(1), ImportCommand::CutOver],
        vec![start(), reconcile(0)],
        vec![
            start(),
            finish(),
            reconcile(0),
            ImportCommand::CutOver,
            start(),
        ],
    ] {
        assert_eq!(
            after(&way).unwrap_err().kind,
            RefusalKind::Conflict,
            "{way:?}"
        );
    }
    let missing = after(&[ImportCommand::FinishTable(Map::new())]).unwrap_err();
    assert_eq!(missing.kind, RefusalKind::Missing);
}
