//! Models: the order of their steps.

use serde_json::{Map, Value, json};

use super::*;
use crate::command::Asked;
use crate::folded::Folded;
use crate::refusal::RefusalKind;
use crate::testing::{applied, object};

fn after(commands: &[ModelCommand]) -> Result<Folded, crate::Refusal> {
    let asked = Asked { now: 0, by: "u1" };
    commands
        .iter()
        .try_fold(Folded::default(), |state, command| {
            let drafts = decide(&state, command, asked)?;
            Ok(applied(AGGREGATE_TYPE, state, &drafts))
        })
}

fn register() -> ModelCommand {
    ModelCommand::Register(object(json!({ "model_name": "maintenance_predictor" })))
}

fn train() -> ModelCommand {
    ModelCommand::Train(object(json!({ "metrics": { "auc": 0.9 } })))
}

#[test]
fn a_model_is_trained_deployed_and_archived() {
    let archive = || ModelCommand::Archive { reason: None };
    let way = [
        register(),
        train(),
        ModelCommand::Deploy,
        archive(),
        ModelCommand::Deploy,
    ];
    let state = after(&way).unwrap();
    let row = Value::Object(row("m", &state).unwrap());
    assert_eq!(
        (&row["status"], &row["metrics"]["auc"]),
        (&json!("deployed"), &json!(0.9))
    );
    assert_eq!(row["trained_at"], "1970-01-01T00:00:00.000000Z");
    let again = [
        register(),
        train(),
        ModelCommand::Deploy,
        ModelCommand::Deploy,
    ];
    assert_eq!(
        after(&again).unwrap().record.version(),
        3,
        "deployed twice is deployed once"
    );
}

#[test]
fn steps_out_of_order_are_refused() {
    let fail = || ModelCommand::Fail {
        error: "no data".into(),
    };
    for way in [
        vec![register(), ModelCommand::Deploy],
        vec![register(), fail(), train()],
        vec![register(), train(), fail()],
        vec![register(), register()],
    ] {
        assert_eq!(
            after(&way).unwrap_err().kind,
            RefusalKind::Conflict,
            "{way:?}"
        );
    }
    assert_eq!(after(&[train()]).unwrap_err().kind, RefusalKind::Missing);
    assert_eq!(
        status(&after(&[ModelCommand::Register(Map::new())]).unwrap()),
        "training"
    );
}
