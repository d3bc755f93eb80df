//! From JSON to the log: several events as one transaction.

use serde::Deserialize;
use storage::QUERY_CLAUSES_MAX;
use storage::{
    Condition, ExpectedVersion, Position, Query, QueryItem, StreamName, StreamWrite, Transaction,
};

use super::parse::{Envelope, Refused, read_sent};
use super::tags::{FREE_PREFIX, tag};
use crate::field_error::{FieldError, Place};
use crate::json::{JsonError, Kind, Scanner};

/// Most faults reported of one batch; the events behind them are still read, so that broken JSON is found.
const FAULTS_MAX: usize = 100;

/// Several events for one transaction, in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What is appended, all or nothing.
    pub transaction: Transaction,
    /// How many events it holds.
    pub count: usize,
}

/// Why a batch is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Something in it is wrong.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It holds more events than a transaction may.
    #[error("a batch holds at most {limit} events")]
    TooMany {
        /// The most that are allowed.
        limit: usize,
    },
}

impl From<JsonError> for BatchError {
    fn from(error: JsonError) -> Self {
        BatchError::Refused(error.into())
    }
}

/// Reads a batch: an array of events ([`super::parse_event`]), or an object with such an array as `events` and, where
/// wanted, a `condition`: `{"after": POSITION, "query": [{"streams": [{"aggregate_type", "aggregate_id"}],
/// "aggregate_types": […], "event_types": […], "tags": […]}, …]}`, "nothing matching any of these lies after that
/// position".
///
/// An event's `expected_version` is what its stream must look like just before it, the batch's earlier events included.
///
/// # Errors
/// See [`BatchError`]; places lead with `["body", "events", INDEX]`.
pub fn parse_batch(body: &[u8], events_max: usize) -> Result<Batch, BatchError> {
    let mut scanner = Scanner::new(body)?;
    let mut reading = Reading {
        events_max,
        ..Reading::default()
    };
    match scanner.kind()? {
        Kind::Array => reading.events(&mut scanner)?,
        Kind::Object => scanner.object(|scanner, key| reading.member(scanner, &key))?,
        _ => {
            return Err(Refused(vec![FieldError::new(
                ["body".into()],
                "dict_type",
                "must be an object or an array",
            )])
            .into());
        }
    }
    scanner.finish()?;
    reading.finish()
}

#[derive(Debug, Default)]
struct Reading {
    events_max: usize,
    writes: Option<Vec<StreamWrite>>,
    count: usize,
    condition: Option<Condition>,
    faults: Vec<FieldError>,
}

impl Reading {
    fn fault(&mut self, fault: FieldError) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: &str) -> Result<(), BatchError> {
        match key {
            "events" => self.events(scanner),
            "condition" => self.condition(scanner),
            unknown => {
                scanner.skip()?;
                let loc = ["body".into(), Place::from(unknown.to_owned())];
                self.fault(FieldError::new(
                    loc,
                    "extra_forbidden",
                    "is not a member of a batch",
                ));
                Ok(())
            }
        }
    }

    fn events(&mut self, scanner: &mut Scanner<'_>) -> Result<(), BatchError> {
        let mut writes: Vec<StreamWrite> = Vec::new();
        if scanner.kind()? != Kind::Array {
            scanner.skip()?;
            self.fault(FieldError::body("events", "list_type", "must be an array"));
            self.writes = Some(writes);
            return Ok(());
        }
        scanner.array(|scanner, index| {
            if index >= self.events_max {
                return Err(BatchError::TooMany {
                    limit: self.events_max,
                });
            }
            match read_sent(scanner)? {
                Ok(sent) => {
                    match writes.last_mut() {
                        Some(last) if sent.follows(last) => last.events.push(sent.event),
                        _ => {
                            let Envelope {
                                stream,
                                expected,
                                event,
                            } = sent.into_envelope();
                            writes.push(StreamWrite {
                                stream,
                                expected: expected.unwrap_or(ExpectedVersion::Any),
                                events: vec![event],
                            });
                        }
                    }
                    self.count += 1;
                }
                Err(Refused(faults)) => {
                    let room = FAULTS_MAX.saturating_sub(self.faults.len());
                    let outer: [Place; 2] = ["events".into(), index.into()];
                    self.faults.extend(
                        faults
                            .into_iter()
                            .take(room)
                            .map(|fault| fault.below(&outer)),
                    );
                }
            }
            Ok(())
        })?;
        self.writes = Some(writes);
        Ok(())
    }

    fn condition(&mut self, scanner: &mut Scanner<'_>) -> Result<(), BatchError> {
        let mut text = Vec::new();
        scanner.compact(&mut text)?;
        match serde_json::from_slice::<Option<ConditionBody>>(&text) {
            Ok(None) => {}
            Ok(Some(body)) if body.clauses() > QUERY_CLAUSES_MAX => {
                let msg = format!(
                    "has {} clauses, {QUERY_CLAUSES_MAX} are allowed",
                    body.clauses()
                );
                self.fault(FieldError::body("condition", "too_long", msg));
            }
            Ok(Some(body)) => self.condition = Some(body.into_condition()),
            Err(error) => self.fault(FieldError::body(
                "condition",
                "value_error",
                error.to_string(),
            )),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Batch, BatchError> {
        let writes = self.writes.take();
        if writes.is_none() {
            self.fault(FieldError::body("events", "missing", "is required"));
        } else if self.count == 0 && self.faults.is_empty() {
            self.fault(FieldError::body(
                "events",
                "too_short",
                "must hold at least one event",
            ));
        }
        if !self.faults.is_empty() {
            return Err(Refused(self.faults).into());
        }
        let transaction = Transaction {
            writes: writes.unwrap_or_default(),
            condition: self.condition,
        };
        Ok(Batch {
            transaction,
            count: self.count,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionBody {
    after: u64,
    query: Vec<ItemBody>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct ItemBody {
    streams: Vec<StreamBody>,
    aggregate_types: Vec<Box<str>>,
    event_types: Vec<String>,
    tags: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamBody {
    aggregate_type: Box<str>,
    aggregate_id: Box<str>,
}

impl ConditionBody {
    fn clauses(&self) -> usize {
        // Each event type is asked for in both spellings.
        let of_item = |item: &ItemBody| {
            item.streams.len()
                + item.aggregate_types.len()
                + 2 * item.event_types.len()
                + item.tags.len()
        };
        self.query.iter().map(of_item).sum()
    }

    fn into_condition(self) -> Condition {
        let items = self.query.into_iter().map(ItemBody::into_item).collect();
        Condition {
            query: Query { items },
            after: Position::new(self.after),
        }
    }
}

impl ItemBody {
    fn into_item(self) -> QueryItem {
        QueryItem {
            streams: self
                .streams
                .into_iter()
                .map(|stream| StreamName {
                    aggregate_type: stream.aggregate_type,
                    aggregate_id: stream.aggregate_id,
                })
                .collect(),
            aggregate_types: self.aggregate_types,
            event_types: self
                .event_types
                .iter()
                .flat_map(|event_type| fleet::alias::spellings(event_type))
                .map(Into::into)
                .collect(),
            tags: self
                .tags
                .iter()
                .map(|value| tag(FREE_PREFIX, value))
                .collect(),
        }
    }
}
