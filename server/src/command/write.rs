//! A write on its way: read out of the request, decided, appended, shown.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use storage::{
    AppendError, ExpectedVersion, NewEvent, Position, ReadRequest, StreamName, Transaction,
};
use uuid::Uuid;

use super::decision::{Decision, present};
use crate::app::AppState;
use crate::append::append;
use crate::auth::Caller;
use crate::envelope::{CORRELATION_PREFIX, USER_PREFIX, tag};
use crate::http::body::{self, BodyLimits};
use crate::http::edge::RequestId;
use crate::http::events::append::{Wishes, idempotency_key, precondition};
use crate::http::problem::{Kind, Problem};
use crate::projection::{CATALOG, Entry};

/// How often a decision is made again after somebody else wrote in between.
const RETRIES_MAX: usize = 24;
/// How long an answer waits for the read model to show the write. Past it the answer is right all the same, but the
/// next list may not have it yet, unless it asks for `min_position`.
const SHOWN_WAIT: Duration = Duration::from_secs(2);

/// Who writes, and under which conditions.
#[derive(Clone, Debug)]
pub struct Write {
    state: AppState,
    caller: Caller,
    correlation: Box<str>,
    wanted: Option<ExpectedVersion>,
    repeatable: Option<Repeatable>,
}

/// A write that may come twice.
#[derive(Clone, Debug)]
struct Repeatable {
    /// Of account and key: what ids are made from.
    seed: Uuid,
    /// Of the request: a key names one request, not two.
    digest: String,
}

/// What came of a write.
#[derive(Debug)]
pub struct Done<T> {
    state: AppState,
    /// What the decision gave; `None` when the write is a repetition, and was decided earlier.
    pub value: Option<T>,
    /// Of its last event; where nothing was to be done, what the read model reflects.
    pub position: Position,
    /// The first aggregate that the decision loaded or appended to.
    pub subject: Option<StreamName>,
}

impl Write {
    /// Reads a request with a JSON object as its body.
    ///
    /// # Errors
    /// Those of reading a body and of the headers `Idempotency-Key` and `If-Match`.
    pub async fn with_body(
        state: &AppState,
        caller: Caller,
        request: Request,
    ) -> Result<(Self, Map<String, Value>), Problem> {
        body::require_json(request.headers())?;
        let (parts, bytes) = read(state, request).await?;
        let object = body::parse(&bytes)?;
        Ok((Write::of(state, caller, &parts, &bytes)?, object))
    }

    /// Reads a request with a JSON object as its body, or with none, which is the same as an empty object.
    ///
    /// # Errors
    /// As [`with_body`](Write::with_body).
    pub async fn with_optional_body(
        state: &AppState,
        caller: Caller,
        request: Request,
    ) -> Result<(Self, Map<String, Value>), Problem> {
        let (parts, bytes) = read(state, request).await?;
        let object = if bytes.is_empty() {
            Map::new()
        } else {
            body::require_json(&parts.headers)?;
            body::parse(&bytes)?
        };
        Ok((Write::of(state, caller, &parts, &bytes)?, object))
    }

    /// Reads a request whose body, if it has one, does not matter.
    ///
    /// # Errors
    /// Those of the headers `Idempotency-Key` and `If-Match`.
    pub fn without_body(
        state: &AppState,
        caller: Caller,
        request: Request,
    ) -> Result<Self, Problem> {
        Write::of(state, caller, &request.into_parts().0, &[])
    }

    fn of(state: &AppState, caller: Caller, parts: &Parts, body: &[u8]) -> Result<Self, Problem> {
        let wishes = Wishes::of(&parts.headers);
        let repeatable = idempotency_key(wishes)?.map(|key| Repeatable {
            seed: Uuid::new_v5(&caller.account().id, key),
            digest: digest_of(parts, body),
        });
        let request_id = parts.extensions.get::<RequestId>();
        Ok(Write {
            state: state.clone(),
            wanted: precondition(wishes)?,
            correlation: request_id
                .and_then(|id| id.0.to_str().ok())
                .unwrap_or_default()
                .into(),
            repeatable,
            caller,
        })
    }

    /// Who writes.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Has `decide` decide, appends what it staged, and waits until the read model shows it. The decision must not do
    /// anything but through the [`Decision`]: it is made again when somebody else wrote in between.
    ///
    /// # Errors
    /// Those of `decide`, of the append, and `busy` when others were always quicker.
    pub async fn run<T: Send + 'static>(
        self,
        decide: impl Fn(&mut Decision<'_>) -> Result<T, Problem> + Send + Sync + 'static,
    ) -> Result<Done<T>, Problem> {
        let decide = std::sync::Arc::new(decide);
        let mut turn = None;
        for _ in 0..RETRIES_MAX {
            if let Some(done) = self.earlier().await? {
                return Ok(done);
            }
            let (write, again) = (self.clone(), decide.clone());
            // Decisions may read the log, which may touch the disk.
            let decided = tokio::task::spawn_blocking(move || write.decide(&*again));
            let decided = match decided.await.map_err(|error| Problem::internal(&error))? {
                Ok(decided) => decided,
                // What stands in its way may be what this very request did, sent twice at once.
                Err(refusal) => {
                    return match self.earlier().await? {
                        Some(done) => Ok(done),
                        None => Err(refusal),
                    };
                }
            };
            let Some(transaction) = decided.transaction else {
                let position = self.state.projections.catalog().position();
                return Ok(self.done(Some(decided.value), position, decided.subject));
            };
            match append(&self.state.log, transaction).await {
                Ok(receipt) => {
                    let position = receipt.last_position();
                    self.shown(position, SHOWN_WAIT).await;
                    return Ok(self.done(Some(decided.value), position, decided.subject));
                }
                Err(AppendError::WrongVersion { stream, .. }) => {
                    // What the next decision lists shall show what it loads.
                    if let Some(tip) = self.state.log.stream(&stream) {
                        self.shown(tip.position, SHOWN_WAIT).await;
                    }
                }
                Err(AppendError::ConditionFailed { position, .. }) => {
                    self.shown(position, SHOWN_WAIT).await;
                }
                // The same request, sent twice at once: the other one was quicker.
                Err(AppendError::IdReused { .. }) if self.repeatable.is_some() => {}
                Err(error) => return Err(error.into()),
            }
            // Who was overtaken waits for those who were as well, so that a busy aggregate is written by turns.
            if turn.is_none() {
                turn = Some(self.state.overtaken.lock().await);
            }
        }
        Err(Problem::new(
            Kind::Busy,
            "others kept writing to the same aggregate; try again",
        ))
    }

    fn decide<T>(
        &self,
        decide: &(impl Fn(&mut Decision<'_>) -> Result<T, Problem> + ?Sized),
    ) -> Result<Decided<T>, Problem> {
        let seed = self.repeatable.as_ref().map(|repeatable| repeatable.seed);
        let mut decision = Decision::new(&self.state, self.wanted, seed);
        let value = decide(&mut decision)?;
        let subject = decision.subject();
        let mut transaction = decision.into_transaction();
        let events = transaction
            .iter_mut()
            .flat_map(|transaction| &mut transaction.writes)
            .flat_map(|write| &mut write.events);
        for (index, event) in events.enumerate() {
            self.sign(event, index);
        }
        Ok(Decided {
            value,
            subject,
            transaction,
        })
    }

    /// Says on an event who caused it, and in which request.
    fn sign(&self, event: &mut NewEvent, index: usize) {
        event.tags.push(tag(USER_PREFIX, self.caller.id_text()));
        if !self.correlation.is_empty() {
            event.tags.push(tag(CORRELATION_PREFIX, &self.correlation));
        }
        if let Some(repeatable) = &self.repeatable {
            event.id = Some(repeatable.event_id(index));
            event.metadata =
                format!("{{\"request_digest\":\"{}\"}}", repeatable.digest).into_bytes();
        }
    }

    /// What an earlier sending of this request came to.
    async fn earlier<T: Send + 'static>(&self) -> Result<Option<Done<T>>, Problem> {
        let Some(repeatable) = self.repeatable.clone() else {
            return Ok(None);
        };
        let found = crate::reads::run(&self.state, move |state| {
            let Some(position) = state.log.position_of(repeatable.event_id(0))? else {
                return Ok(None);
            };
            let request = ReadRequest::at(position);
            let mut reader = state.log.read(&request)?;
            let Some(event) = reader.next().transpose()? else {
                return Ok(None);
            };
            let metadata: Map<String, Value> =
                serde_json::from_slice(event.metadata()).unwrap_or_default();
            if metadata.get("request_digest") != Some(&Value::from(repeatable.digest)) {
                let detail = "this Idempotency-Key came with another request before";
                return Err(Problem::new(Kind::IdReused, detail).with("position", position.get()));
            }
            Ok(Some((position, event.stream().to_name())))
        });
        let Some((position, subject)) = found.await? else {
            return Ok(None);
        };
        self.shown(position, SHOWN_WAIT).await;
        Ok(Some(self.done(None, position, Some(subject))))
    }

    async fn shown(&self, position: Position, wait: Duration) {
        let projections = &self.state.projections;
        if projections.position(CATALOG) < position {
            projections.reach(CATALOG, position, wait).await;
        }
    }

    fn done<T>(
        &self,
        value: Option<T>,
        position: Position,
        subject: Option<StreamName>,
    ) -> Done<T> {
        Done {
            state: self.state.clone(),
            value,
            position,
            subject,
        }
    }
}

async fn read(state: &AppState, request: Request) -> Result<(Parts, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let limits = BodyLimits {
        bytes_max: state.config.http.body_bytes_max,
        timeout: state.config.http.body_read_timeout,
    };
    let bytes = body::read(&parts.headers, body, limits).await?;
    Ok((parts, bytes))
}

struct Decided<T> {
    value: T,
    subject: Option<StreamName>,
    transaction: Option<Transaction>,
}

impl Repeatable {
    fn event_id(&self, index: usize) -> Uuid {
        Uuid::new_v5(&self.seed, format!("event/{index}").as_bytes())
    }
}

impl<T> Done<T> {
    /// The subject as it is now.
    ///
    /// # Errors
    /// When the log cannot be read; 404 when there is none any more.
    pub fn entry(&self) -> Result<Entry, Problem> {
        let gone = || Problem::not_found("it was deleted meanwhile");
        let subject = self.subject.as_ref().ok_or_else(gone)?;
        let (folded, version) = present(&self.state, subject)?;
        Ok(Entry {
            aggregate_type: (*subject.aggregate_type).into(),
            aggregate_id: (*subject.aggregate_id).into(),
            version,
            folded,
        })
    }
}

/// Of method, address and body.
fn digest_of(parts: &Parts, body: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(parts.method.as_str());
    hasher.update([0]);
    hasher.update(parts.uri.to_string());
    hasher.update([0]);
    hasher.update(body);
    let digest = hasher.finalize();
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
