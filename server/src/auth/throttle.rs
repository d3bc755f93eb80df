//! The brake on guessing passwords: per account and per address, some tries are free, then each failure doubles a delay.
//!
//! It is asked before a password is hashed, so that guessing costs the guesser time and not the server. It lives in
//! memory and is bounded: what is forgotten first is what has been quiet longest.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use fleet::calendar::SECOND;
use storage::Timestamp;

#[cfg(test)]
mod tests;

/// The longest delay.
const DELAY_SECONDS_MAX: i64 = 900;
/// After this long without a failure, failures are forgotten.
const MEMORY_SECONDS: i64 = 3_600;
/// Accounts and addresses that are remembered at a time.
const ENTRIES_MAX: usize = 20_000;

/// Who failed, and how often.
#[derive(Debug)]
pub struct Throttle {
    free: u32,
    failures: HashMap<Box<str>, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    /// When the next try may be made.
    fn open_at(self, free: u32) -> Timestamp {
        if self.count < free {
            return self.last;
        }
        let doublings = (self.count - free).min(20);
        let seconds = (1_i64 << doublings).min(DELAY_SECONDS_MAX);
        self.last.plus_micros(seconds * SECOND)
    }

    /// Long ago; or so far in the future that the clock was put back since, and nobody is to wait until it has caught up.
    fn forgotten(self, now: Timestamp) -> bool {
        let apart = now.micros().abs_diff(self.last.micros());
        apart > (MEMORY_SECONDS * SECOND).unsigned_abs()
    }
}

impl Throttle {
    /// A brake that leaves `free` failures without delay.
    pub fn new(free: u32) -> Self {
        Throttle {
            free,
            failures: HashMap::new(),
        }
    }

    /// Whether `key` may try now.
    ///
    /// # Errors
    /// The seconds until it may, at least 1.
    pub fn check(&self, key: &str, now: Timestamp) -> Result<(), u64> {
        let Some(failures) = self
            .failures
            .get(key)
            .filter(|failures| !failures.forgotten(now))
        else {
            return Ok(());
        };
        let wait = failures.open_at(self.free).micros() - now.micros();
        if failures.count < self.free || wait <= 0 {
            return Ok(());
        }
        Err(u64::try_from(wait.div_euclid(SECOND) + 1).unwrap_or(1))
    }

    /// Remembers a failure. Called before the password is checked, so that tries at the same moment all count;
    /// [`Throttle::succeeded`] takes it back.
    pub fn failed(&mut self, key: &str, now: Timestamp) {
        if self.failures.len() >= ENTRIES_MAX && !self.failures.contains_key(key) {
            self.forget(now);
        }
        let failures = self.failures.entry(key.into()).or_insert(Failures {
            count: 0,
            last: now,
        });
        if failures.forgotten(now) {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets the failures of `key`.
    pub fn succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }

    /// Takes back one failure of `key`: what was counted in advance was none. Earlier ones stay, so that somebody with
    /// one good password does not buy free guesses at others with it.
    pub fn forgive_one(&mut self, key: &str) {
        if let Some(failures) = self.failures.get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    /// Drops what is old, and of the rest the quieter half.
    fn forget(&mut self, now: Timestamp) {
        self.failures.retain(|_, failures| !failures.forgotten(now));
        if self.failures.len() < ENTRIES_MAX {
            return;
        }
        let mut times: Vec<Timestamp> = self
            .failures
            .values()
            .map(|failures| failures.last)
            .collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        self.failures.retain(|_, failures| failures.last > middle);
    }
}

/// Whoever has an IPv6 address has all of its network's, 2^64 of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}
