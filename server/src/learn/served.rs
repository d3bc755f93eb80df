//! Answers that were served, kept until the entity's next event, and the events that remember them.

use std::collections::HashMap;

use fleet::prediction::{AGGREGATE_TYPE, event};
use serde_json::{Value, json};
use storage::{ExpectedVersion, Log, NewEvent, StreamName, Transaction, Version};

/// Answers kept; beyond, all are dropped and made again when asked.
const KEPT_MAX: usize = 20_000;

/// What an answer depends on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) kind: &'static str,
    pub(crate) entity_id: String,
    pub(crate) model: String,
    /// Everything else that was asked.
    pub(crate) asked: String,
}

/// Answers by what they depend on, with the entity's version that they hold for.
#[derive(Debug, Default)]
pub(crate) struct Served {
    answers: HashMap<Key, (Version, Value)>,
}

impl Served {
    pub(crate) fn get(&self, key: &Key, version: Version) -> Option<Value> {
        let (held, answer) = self.answers.get(key)?;
        (*held == version).then(|| answer.clone())
    }

    pub(crate) fn put(&mut self, key: Key, version: Version, answer: Value) {
        if self.answers.len() >= KEPT_MAX {
            self.answers.clear();
        }
        self.answers.insert(key, (version, answer));
    }
}

/// Remembers a served prediction in the log. The answer does not wait for it: it is a record, not a promise.
pub(crate) fn record(log: &Log, entity_type: &str, entity_id: &str, model_id: &str, data: Value) {
    let stream = StreamName::new(AGGREGATE_TYPE, format!("{entity_type}/{entity_id}"));
    let mut made = NewEvent::new(event::PREDICTION_MADE, data.to_string());
    made.metadata = json!({ "source": "learning" }).to_string().into_bytes();
    made.tags
        .push(crate::envelope::tags::tag("model:", model_id));
    log.submit(
        Transaction::single(stream, ExpectedVersion::Any, made),
        |_, result| {
            if let Err(error) = result {
                tracing::warn!(%error, "a prediction was served but not recorded");
            }
        },
    );
}
