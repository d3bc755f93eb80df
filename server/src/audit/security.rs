//! Security events: every refused write, and every login that no account can be told of, kept in the log.
//!
//! Whoever is refused can repeat it at will, so the log must not grow with each time. What repeats itself (the same account,
//! address, route and status) is counted: told at once the first time, and then at most once a minute with how often. Beyond
//! [`KEYS_MAX`] different ones at a time, and beyond [`EVENTS_PER_HOUR_MAX`] events an hour, refusals are only summed up. A
//! flood thus costs the log a few megabytes a day at most.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet::calendar::{HOUR, SECOND};
use fleet::security::{AGGREGATE_TYPE, event};
use serde_json::{Value, json};
use storage::{Clock, ExpectedVersion, Log, NewEvent, StreamName, Timestamp, Transaction};

use crate::envelope::{USER_PREFIX, tag};
use crate::rfc3339;

/// Different refusals that are counted at a time.
const KEYS_MAX: usize = 256;
/// Events written in an hour, the summary not counted.
const EVENTS_PER_HOUR_MAX: u32 = 600;
/// How often what repeats itself is told, in microseconds.
const REPEAT_AFTER: i64 = 60 * SECOND;

/// A request to change something that was refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusedWrite<'a> {
    /// `POST`, `PATCH` …
    pub method: &'a str,
    /// The path as it is registered: `/api/v1/vehicles/{vehicle_id}`.
    pub path: &'a str,
    /// The answer's status.
    pub status: u16,
    /// The problem's name.
    pub problem: &'static str,
    /// Who asked, where that is known.
    pub user: Option<&'a str>,
    /// Where it came from, where that is known.
    pub address: Option<IpAddr>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum What {
    Login {
        reason: &'static str,
    },
    Write {
        method: Box<str>,
        path: Box<str>,
        status: u16,
        problem: &'static str,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    what: What,
    user: Option<Box<str>>,
    address: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    /// Not yet told.
    count: u64,
    first: Timestamp,
    last: Timestamp,
    /// When it was last told.
    told: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Held {
    refusals: HashMap<Key, Counted>,
    /// What found no place, or no event was left for.
    others: Option<Counted>,
    others_told: Option<Timestamp>,
    /// When the present hour began, and how many events were written in it.
    hour: Option<Timestamp>,
    written: u32,
}

/// Counts refusals and tells the log of them.
#[derive(Debug)]
pub struct SecurityLog {
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

impl SecurityLog {
    /// Tells `log`.
    pub fn new(log: Arc<Log>, clock: Arc<dyn Clock>) -> Self {
        SecurityLog {
            log,
            clock,
            held: Mutex::default(),
        }
    }

    /// A write was refused.
    pub fn refused_write(&self, refused: RefusedWrite<'_>) {
        self.count(Key {
            what: What::Write {
                method: refused.method.into(),
                path: refused.path.into(),
                status: refused.status,
                problem: refused.problem,
            },
            user: refused.user.map(Into::into),
            address: refused.address,
        });
    }

    /// A login was refused; `reason` is a stable word: `unknown_account`, `throttled`.
    pub fn refused_login(&self, reason: &'static str, user: Option<&str>, address: IpAddr) {
        self.count(Key {
            what: What::Login { reason },
            user: user.map(Into::into),
            address: Some(address),
        });
    }

    fn count(&self, key: Key) {
        let now = self.clock.now();
        let mut held = self.held();
        let fresh = Counted {
            count: 0,
            first: now,
            last: now,
            told: None,
        };
        let has_room = held.refusals.len() < KEYS_MAX || held.refusals.contains_key(&key);
        let counted = if has_room {
            held.refusals.entry(key).or_insert(fresh)
        } else {
            held.others.get_or_insert(fresh)
        };
        if counted.count == 0 {
            counted.first = now;
        }
        counted.count += 1;
        counted.last = now;
    }

    /// Tells the log what is due: what is new, and what has repeated itself for a minute. `all`: also what is not due yet.
    /// The answer does not wait for the disk.
    pub fn flush(&self, all: bool) {
        let now = self.clock.now();
        let mut events = Vec::new();
        {
            let mut held = self.held();
            if held.hour.is_none_or(|hour| apart(hour, now) >= HOUR) {
                held.hour = Some(now);
                held.written = 0;
            }
            let Held {
                refusals,
                others,
                others_told,
                written,
                ..
            } = &mut *held;
            let is_due = |told: Option<Timestamp>| {
                all || told.is_none_or(|told| apart(told, now) >= REPEAT_AFTER)
            };
            refusals.retain(|key, counted| {
                if counted.count == 0 {
                    // Quiet since it was told: forgotten once it would be told at once again anyway.
                    return counted
                        .told
                        .is_some_and(|told| apart(told, now) < REPEAT_AFTER);
                }
                if !is_due(counted.told) {
                    return true;
                }
                if *written < EVENTS_PER_HOUR_MAX {
                    *written += 1;
                    events.push(event_of(key, counted));
                } else {
                    add(others, counted);
                }
                counted.count = 0;
                counted.told = Some(now);
                true
            });
            if is_due(*others_told)
                && let Some(counted) = others.take()
            {
                *others_told = Some(now);
                let data = times(&counted, json!({}));
                events.push(NewEvent::new(event::REFUSALS_SUMMED_UP, data.to_string()));
            }
        }
        if events.is_empty() {
            return;
        }
        let day = rfc3339::to_string(now)[..10].to_owned();
        let stream = StreamName::new(AGGREGATE_TYPE, day);
        let transaction = Transaction::stream(stream, ExpectedVersion::Any, events);
        self.log.submit(transaction, |_, result| {
            if let Err(error) = result {
                tracing::error!(%error, "security events were not recorded");
            }
        });
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(others: &mut Option<Counted>, counted: &Counted) {
    match others {
        Some(others) => {
            others.count += counted.count;
            others.last = others.last.max(counted.last);
            others.first = others.first.min(counted.first);
        }
        None => *others = Some(*counted),
    }
}

fn apart(from: Timestamp, to: Timestamp) -> i64 {
    to.micros().saturating_sub(from.micros())
}

fn event_of(key: &Key, counted: &Counted) -> NewEvent {
    let (event_type, mut data) = match &key.what {
        What::Login { reason } => (event::LOGIN_REFUSED, json!({ "reason": reason })),
        What::Write {
            method,
            path,
            status,
            problem,
        } => (
            event::WRITE_REFUSED,
            json!({ "method": method, "path": path, "status": status, "problem": problem }),
        ),
    };
    if let Some(address) = key.address {
        data["ip_address"] = json!(address.to_string());
    }
    let mut event = NewEvent::new(event_type, times(counted, data).to_string());
    event
        .tags
        .extend(key.user.as_deref().map(|user| tag(USER_PREFIX, user)));
    event
}

fn times(counted: &Counted, mut data: Value) -> Value {
    data["count"] = json!(counted.count);
    data["first_at"] = json!(rfc3339::to_string(counted.first));
    data["last_at"] = json!(rfc3339::to_string(counted.last));
    data
}

#[cfg(test)]
mod tests;
