//! Numbers that are given out once: `WO-2026-0001`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The highest number given out behind each prefix since the server started.
///
/// The read model knows the highest in the log; this knows those that were given to writes on their way there, so that
/// concurrent writes do not collide. A write that fails leaves a gap. Should a number be taken all the same (an event
/// that another path appended), the append's condition refuses it and the next is tried.
#[derive(Debug, Default)]
pub struct Numbers(Mutex<HashMap<String, u64>>);

impl Numbers {
    /// The next number behind `prefix`, higher than `used` and than all that were given out.
    pub fn next(&self, prefix: &str, used: u64) -> u64 {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = given.entry(prefix.to_owned()).or_default();
        // The read model counts nine digits at most, so nobody lives to see the last number.
        *highest = (*highest).max(used).saturating_add(1);
        *highest
    }
}
