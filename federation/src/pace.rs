//! How much federation works beside the depot's own clients: all it can while they append nothing, and little at a time, at a
//! moderate rate, while they do, so that they do not notice that it catches up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::Log;
use tokio::time::Instant;

/// Who appended something counts as appending for so long.
const APPENDING_FOR: Duration = Duration::from_millis(250);
/// Events taken together beside clients: what they append waits for one such transaction at most.
const TOGETHER: usize = 200;
/// Events a second beside clients. More than what forty busy depots do together.
const A_SECOND: u32 = 2_500;

/// The pace of one depot's federation.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    log: Arc<Log>,
    seen: Arc<Mutex<Seen>>,
}

/// What is in the log, and whose it is.
#[derive(Debug, Default)]
struct Seen {
    /// Events that federation appended, or is about to.
    foreign: u64,
    /// The most that others had appended, and when that last grew.
    own: u64,
    grew: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(log: Arc<Log>) -> Self {
        let own = log.durable_position().get();
        let seen = Seen {
            own,
            ..Seen::default()
        };
        Pace {
            log,
            seen: Arc::new(Mutex::new(seen)),
        }
    }

    /// How many events may go together now, where `most` may go at all.
    pub(crate) fn batch(&self, most: usize) -> usize {
        match self.is_beside_clients() {
            true => most.min(TOGETHER),
            false => most,
        }
    }

    /// How long to rest after work on so many events: longer if clients append.
    pub(crate) fn rest(&self, events: usize, worked: Duration) -> Duration {
        match self.is_beside_clients() {
            true => of_events(events).saturating_sub(worked),
            false => Duration::ZERO,
        }
    }

    /// Federation is about to append so many events. Said before, so that they are never taken for a client's.
    pub(crate) fn will_append(&self, events: usize) {
        self.lock().foreign += events as u64;
    }

    /// It did not append so many of them.
    pub(crate) fn did_not_append(&self, events: usize) {
        self.lock().foreign -= events as u64;
    }

    fn is_beside_clients(&self) -> bool {
        let durable = self.log.durable_position().get();
        self.lock().look(durable, Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What so many events take beside clients.
fn of_events(events: usize) -> Duration {
    Duration::from_secs(1) / A_SECOND * u32::try_from(events).unwrap_or(u32::MAX)
}

impl Seen {
    /// Whether clients append, now that so much is durable.
    fn look(&mut self, durable: u64, now: Instant) -> bool {
        let own = durable.saturating_sub(self.foreign);
        if own > self.own {
            self.own = own;
            self.grew = Some(now);
        }
        self.grew
            .is_some_and(|grew| now.duration_since(grew) < APPENDING_FOR)
    }
}

#[cfg(test)]
mod tests;
