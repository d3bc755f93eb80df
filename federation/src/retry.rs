//! When something that failed is tried again.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Between tries, at first and at most.
const FIRST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(15);

/// Longer and longer pauses.
pub(crate) struct Retry {
    next: Duration,
}

impl Retry {
    pub(crate) fn new() -> Self {
        Retry { next: FIRST }
    }

    /// Waits; says false when the server stops. What had gone well for a while is tried again soon.
    pub(crate) async fn pause(
        &mut self,
        had_gone_well: bool,
        stopping: &mut watch::Receiver<bool>,
    ) -> bool {
        let pause = if had_gone_well { FIRST } else { self.next };
        self.next = (pause * 2).min(MOST);
        timeout(pause, stopped(stopping)).await.is_err()
    }
}

/// Waits until the server stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Nobody is left to say so: that is a stop as well.
    drop(stopping.wait_for(|stopping| *stopping).await);
}
