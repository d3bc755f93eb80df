//! How often one account, tablet or address may ask: a bucket for each and each class of requests.
//!
//! A bucket is one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371): a
//! request takes one out, which puts that time off by its share of the window; a request that would put it beyond a whole
//! window is refused. What is full is forgotten, so memory holds who asked lately, and of those a bounded number.
//!
//! The headers are those of the IETF's draft-ietf-httpapi-ratelimit-headers (10): `RateLimit-Policy` says what is allowed,
//! `RateLimit` what is left of it. They stand on every answer of a class that has a rate.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use fleet::calendar::SECOND;
use storage::Timestamp;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use crate::auth::throttle::network;
use crate::config::rates::{Class, Rate};

#[cfg(test)]
mod tests;

/// What is allowed.
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left.
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Buckets that are remembered at a time, of accounts and of addresses each: neither drives the other out.
const BUCKETS_MAX: usize = 20_000;

/// The class of a route, by the path as it is registered. `None`: pages, health and figures, which nothing waits for.
pub(crate) fn class_of(method: &Method, path: &str) -> Option<Class> {
    let path = path.strip_prefix("/api/v1/")?;
    let (area, rest) = path.split_once('/').unwrap_or((path, ""));
    let reads = *method == Method::GET;
    let by_method = match (reads, path.ends_with('}')) {
        (true, true) => Class::Read,
        (true, false) => Class::List,
        (false, _) => Class::Write,
    };
    let class = match area {
        "health" | "ready" | "metrics" => return None,
        "auth" if rest == "me" => Class::Read,
        "auth" => Class::Login,
        "events" => Class::Events,
        "sync" | "crdt" => Class::Sync,
        "analytics" | "reports" => Class::Analytics,
        "compliance" if reads || rest.ends_with("-report") => Class::Analytics,
        // Comparisons and reports that are asked for with a body change nothing.
        "time-travel" | "audit" | "changes" if rest != "restore" => Class::List,
        "ml" if !reads && matches!(rest, "train" | "models/train") => Class::Training,
        "ml" if ["predict", "forecast", "detect", "fleet", "features"]
            .iter()
            .any(|first| {
                rest.strip_prefix(first)
                    .is_some_and(|behind| behind.is_empty() || behind.starts_with('/'))
            }) =>
        {
            Class::Prediction
        }
        _ => by_method,
    };
    Some(class)
}

/// A class that has a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) class: Class,
    pub(crate) rate: Rate,
}

/// Whose bucket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Asker<'a> {
    Account(Uuid),
    Device(&'a str),
    Address(IpAddr),
}

/// What is left after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    class: Class,
    rate: Rate,
    /// Requests that may come now.
    remaining: u32,
    /// Seconds until the bucket is full again.
    full_seconds: u64,
    /// Seconds until the next request may come; `None`: this one may.
    wait_seconds: Option<u64>,
}

/// All buckets.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    known: Mutex<HashMap<(Class, Known), Timestamp>>,
    addresses: Mutex<HashMap<(Class, IpAddr), Timestamp>>,
}

/// Who has an account, or acts for one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Known {
    Account(Uuid),
    Device(Box<str>),
}

impl Buckets {
    /// Takes one request out of the asker's bucket, if one is left.
    pub(crate) fn take(&self, policy: Policy, asker: &Asker<'_>, now: Timestamp) -> Standing {
        let known = match asker {
            Asker::Address(address) => {
                let mut addresses = self
                    .addresses
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                return take(
                    &mut addresses,
                    (policy.class, network(*address)),
                    policy,
                    now,
                );
            }
            Asker::Account(account) => Known::Account(*account),
            Asker::Device(device) => Known::Device((*device).into()),
        };
        let mut buckets = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut buckets, (policy.class, known), policy, now)
    }
}

fn take<K: Hash + Eq>(
    buckets: &mut HashMap<K, Timestamp>,
    key: K,
    Policy { class, rate }: Policy,
    now: Timestamp,
) -> Standing {
    let window = i64::try_from(rate.window.as_micros()).unwrap_or(i64::MAX);
    let share = (window / i64::from(rate.requests)).max(1);
    let full_at = buckets.get(&key).map_or(now.micros(), |full_at| {
        match full_at.micros() - now.micros() {
            // No request puts it off so far: the clock was put back, and nothing is known of who asked.
            ahead if ahead > window + SECOND => now.micros(),
            ahead => now.micros() + ahead.clamp(0, window),
        }
    });
    let taken = full_at + share;
    let wait = taken - window - now.micros();
    let (full_at, wait_seconds) = if wait > 0 {
        (full_at, Some(seconds(wait)))
    } else {
        make_room(buckets, &key, now);
        buckets.insert(key, Timestamp::from_micros(taken));
        (taken, None)
    };
    let left = (now.micros() + window - full_at) / share;
    Standing {
        class,
        rate,
        remaining: u32::try_from(left).unwrap_or(0),
        full_seconds: seconds(full_at - now.micros()),
        wait_seconds,
    }
}

/// Whole seconds, rounded up.
fn seconds(micros: i64) -> u64 {
    u64::try_from(micros)
        .unwrap_or(0)
        .div_ceil(SECOND.unsigned_abs())
}

/// Forgets buckets that are full, and of the rest the fuller half, when there is no room for another.
fn make_room<K: Hash + Eq>(buckets: &mut HashMap<K, Timestamp>, key: &K, now: Timestamp) {
    if buckets.len() < BUCKETS_MAX || buckets.contains_key(key) {
        return;
    }
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() < BUCKETS_MAX / 2 {
        return;
    }
    let mut times: Vec<Timestamp> = buckets.values().copied().collect();
    times.sort_unstable();
    let Some(&middle) = times.get(times.len() / 2) else {
        return;
    };
    buckets.retain(|_, full_at| *full_at > middle);
}

impl Standing {
    /// The refusal, if this request is one too many.
    pub(crate) fn refusal(&self) -> Option<Problem> {
        let wait = self.wait_seconds?;
        let class = self.class.name();
        let detail = format!(
            "more than {} requests of the class {class}; try again later",
            self.rate
        );
        let problem = Problem::new(Kind::RateLimited, detail).retry_after(wait);
        Some(
            problem
                .with("class", class)
                .with("limit", self.rate.to_string()),
        )
    }

    /// Whether this request is one too many.
    pub(crate) fn is_refused(&self) -> bool {
        self.wait_seconds.is_some()
    }

    /// Says in an answer's head what is allowed and what is left.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let (class, Rate { requests, window }) = (self.class.name(), self.rate);
        let policy = format!("\"{class}\";q={requests};w={}", window.as_secs());
        let left = format!("\"{class}\";r={};t={}", self.remaining, self.full_seconds);
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}
