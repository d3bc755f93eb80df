//! The log as Parquet, for query engines: what the crate `lake` needs to know of this server, and the loop that exports
//! while it serves.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::lake::{Export, LakeError, Report, SPAN_EVENTS, Target, export};
use storage::{Log, Timestamp};
use tokio::sync::watch;

use crate::app::AppState;
use crate::config::Config;
use crate::privacy::Privacy;

/// After how long an export that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Brings a place up to where the log is durable.
///
/// # Errors
/// See [`LakeError`]; the place then holds what it held before.
pub fn bring_up(
    log: &Log,
    privacy: &Privacy,
    target: &Target,
    now: Timestamp,
    threads: usize,
    stop: &AtomicBool,
) -> Result<Report, LakeError> {
    // As of now: of whoever is erased while this runs something may have been read before, and lies in a file then. Noted as
    // readable, they are taken out by the next export.
    let erased = privacy.store().erased().into_iter();
    let erased: HashSet<String> = erased.map(|(person, _)| person.to_string()).collect();
    let is_erased = |person: &str| erased.contains(person);
    export(&Export {
        log,
        target,
        is_erased: &is_erased,
        now,
        threads,
        span_events: SPAN_EVENTS,
        stop,
    })
}

/// Whether `lake.to` is an address of a place, if it is set: else every export would fail, and the log alone would say so. The
/// place itself may be out of reach, for it may come back.
///
/// # Errors
/// `Address`.
pub(crate) fn check(config: &Config) -> Result<(), LakeError> {
    match &config.lake.to {
        Some(to) => Target::check(to),
        None => Ok(()),
    }
}

/// Exports now and then, until the server stops.
pub(crate) async fn follow(state: AppState, url: String) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut stopping = state.stopping.subscribe();
    let mut place: Option<Arc<Target>> = None;
    loop {
        let task = state.clone();
        let (flag, kept, address) = (stop.clone(), place.clone(), url.clone());
        let exporting = tokio::task::spawn_blocking(move || {
            let target = match kept {
                Some(target) => target,
                None => Arc::new(Target::open(&address)?),
            };
            // One thread: the other cores are the clients'.
            let report = bring_up(
                &task.log,
                &task.privacy,
                &target,
                task.clock.now(),
                1,
                &flag,
            )?;
            Ok::<_, LakeError>((target, report))
        });
        tokio::pin!(exporting);
        let ended = tokio::select! {
            outcome = &mut exporting => Some(outcome),
            () = stopped(&mut stopping) => None,
        };
        let outcome = match ended {
            Some(outcome) => outcome,
            None => {
                stop.store(true, Ordering::Relaxed);
                exporting.await
            }
        };
        let mut next = state.config.lake.interval;
        match outcome {
            Ok(Ok((target, report))) => {
                place = Some(target);
                if report.files > 0 {
                    tracing::info!(
                        position = report.position,
                        events = report.events,
                        files = report.files,
                        bytes = report.bytes,
                        "the lake was brought up to the log"
                    );
                }
                if report.unreadable > 0 {
                    tracing::error!(
                        events = report.unreadable,
                        "the lake lacks events that cannot be read: restore them from a backup"
                    );
                }
            }
            Ok(Err(LakeError::Stopped)) => return,
            Ok(Err(error)) => {
                next = next.min(RETRY_PAUSE);
                tracing::error!(
                    error = crate::cli::chain(&error),
                    "the lake was not brought up to the log"
                );
            }
            Err(error) => tracing::error!(%error, "an export was cut short"),
        }
        if tokio::time::timeout(next, stopped(&mut stopping))
            .await
            .is_ok()
        {
            return;
        }
    }
}

/// Waits until the server stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Nobody is left to say so: that is a stop as well.
    drop(stopping.wait_for(|stopping| *stopping).await);
}

#[cfg(test)]
mod tests;
