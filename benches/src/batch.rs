//! Batches of 1,000 events with everything that can be checked: a client's id on each event, an exact expected version
//! on each of ten streams, and a condition on the whole: no other batch carries this one's order number.

use storage::{
    Condition, ExpectedVersion, NewEvent, Position, Query, StreamWrite, Transaction, Version,
};
use uuid::Uuid;

use crate::event::{self, EventMaker};
use crate::seed::SplitMix64;

/// Events in a batch.
pub const BATCH_EVENTS: u32 = 1_000;
const STREAMS: u32 = 10;
const SEED: u64 = 1;

/// Makes the batches of one caller, each for the streams as the ones before leave them.
#[derive(Debug)]
pub struct BatchMaker {
    caller: u32,
    batch: u32,
    ids: SplitMix64,
    events: EventMaker,
}

impl BatchMaker {
    /// The maker for the caller with this number; callers share no stream.
    pub fn new(caller: u32) -> Self {
        BatchMaker {
            caller,
            batch: 0,
            ids: SplitMix64::new(SEED + u64::from(caller)),
            events: EventMaker::new(),
        }
    }

    /// The next batch.
    pub fn make(&mut self) -> Transaction {
        let per_stream = BATCH_EVENTS / STREAMS;
        let version = Version::new(self.batch * per_stream);
        let order = format!("order:{}-{}", self.caller, self.batch);
        let writes = (0..STREAMS)
            .map(|stream| StreamWrite {
                stream: event::stream(u64::from(self.caller * STREAMS + stream)),
                expected: ExpectedVersion::Exact(version),
                events: (0..per_stream)
                    .map(|at| self.event(stream * per_stream + at, &order))
                    .collect(),
            })
            .collect();
        self.batch += 1;
        Transaction {
            writes,
            condition: None,
        }
        .on_condition(Query::tags([order]), Position::START)
    }

    /// The first event of a batch carries the tag that no other batch may carry.
    fn event(&mut self, at: u32, order: &str) -> NewEvent {
        let id = Uuid::from_u64_pair(self.ids.draw(), self.ids.draw());
        let number = u64::from(self.batch) * u64::from(BATCH_EVENTS) + u64::from(at);
        let event = self.events.event(number).with_id(id);
        if at == 0 {
            event.with_tag(order)
        } else {
            event
        }
    }
}

/// The batch as the body of a request that asks for the same.
pub fn json(batch: &Transaction) -> Vec<u8> {
    let mut body = b"{\"events\":[".to_vec();
    let mut first = true;
    for write in &batch.writes {
        for (at, event) in write.events.iter().enumerate() {
            if !std::mem::take(&mut first) {
                body.push(b',');
            }
            push_event(&mut body, write, at, event);
        }
    }
    body.push(b']');
    if let Some(condition) = &batch.condition {
        push_condition(&mut body, condition);
    }
    body.push(b'}');
    body
}

/// The first event of a stream's says which version it expects; those behind it follow it.
fn push_event(body: &mut Vec<u8>, write: &StreamWrite, at: usize, event: &NewEvent) {
    let name = &write.stream;
    let mut head = format!(
        r#"{{"aggregate_type":"{}","aggregate_id":"{}","event_type":"{}""#,
        name.aggregate_type, name.aggregate_id, event.event_type
    );
    if let Some(id) = event.id {
        head += &format!(r#","id":"{id}""#);
    }
    if let (0, ExpectedVersion::Exact(version)) = (at, write.expected) {
        head += &format!(r#","expected_version":{version}"#);
    }
    if !event.tags.is_empty() {
        head += &format!(r#","tags":["{}"]"#, event.tags.join("\",\""));
    }
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(&event.data);
    body.push(b'}');
}

fn push_condition(body: &mut Vec<u8>, condition: &Condition) {
    let items: Vec<String> = condition
        .query
        .items
        .iter()
        .map(|item| format!(r#"{{"tags":["{}"]}}"#, item.tags.join("\",\"")))
        .collect();
    let text = format!(
        r#","condition":{{"after":{},"query":[{}]}}"#,
        condition.after,
        items.join(",")
    );
    body.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
