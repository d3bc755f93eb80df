//! What the server does beside answering: following the accounts and the figures, looking for rot, moving old segments away, hashing the
//! log into its tree and signing checkpoints of it.
//!
//! Each is a loop that ends when the server stops, and that logs what it cannot do and goes on.

use std::time::Duration;

use fleet::calendar::DAY;
use storage::{Position, ScrubCursor, TILE_LEAVES, TreeError};
use tokio::sync::watch;

use crate::app::AppState;
use crate::privacy::{self, lost};

/// How often at most the accounts are caught up with the log.
const ACCOUNTS_PAUSE: Duration = Duration::from_millis(200);
/// How often at most the figures are caught up with the log while nobody asks.
const FIGURES_PAUSE: Duration = Duration::from_millis(200);
/// While the log grows, following it takes one part in this many of a core.
const FIGURES_SHARE: u32 = 8;
/// How often old segments are looked for.
const RETENTION_PAUSE: Duration = Duration::from_secs(3_600);
/// How often the log's tree is caught up with.
const TREE_PAUSE: Duration = Duration::from_millis(500);
/// Tiles hashed at once: a few milliseconds.
const TREE_TILES: usize = 16;
/// While the log grows, hashing takes one part in this many of a core, so that it costs the writers next to nothing.
const TREE_SHARE: u32 = 8;
/// How often leases of tablets that are gone are looked for.
const LEASES_PAUSE: Duration = Duration::from_secs(3_600);
/// How often the homes of vehicles are saved: old segments move to an archive after days, never within this.
const HOMES_PAUSE: Duration = Duration::from_secs(300);
/// How often what was refused is told to the log.
const SECURITY_PAUSE: Duration = Duration::from_secs(1);

/// Begins all of it.
pub fn start(state: &AppState) {
    tokio::spawn(follow_accounts(state.clone()));
    tokio::spawn(follow_figures(state.clone()));
    tokio::spawn(hash_tree(state.clone()));
    tokio::spawn(tell_refusals(state.clone()));
    tokio::spawn(search_lost_keys(state.clone()));
    if state.config.sync.enabled {
        tokio::spawn(return_leases(state.clone()));
    }
    if !state.config.events.checkpoint_interval.is_zero() {
        tokio::spawn(sign_checkpoints(state.clone()));
    }
    tokio::spawn(crate::learn::watch(state.clone()));
    if state.config.events.scrub_bytes_per_minute > 0 {
        tokio::spawn(scrub(state.clone()));
    }
    if !state.config.backups.interval.is_zero() {
        tokio::spawn(crate::backups::follow(state.clone()));
    }
    if state.config.events.retention_days > 0 {
        tokio::spawn(retain(state.clone()));
    }
    if state.config.archive.to.is_some() {
        tokio::spawn(crate::archive::follow(state.clone()));
    }
    if let Some(member) = &state.federation {
        crate::federation::follow(state, member);
        tokio::spawn(erase_told(state.clone()));
        tokio::spawn(keep_homes(state.clone()));
    }
    if let Some(place) = state.config.lake.to.clone() {
        tokio::spawn(crate::lake::follow(state.clone(), place));
    }
}

/// The homes of vehicles are known to the next start.
async fn keep_homes(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    while pause(&mut stopping, HOMES_PAUSE).await {
        let task = state.clone();
        let keeping = tokio::task::spawn_blocking(move || task.homes.keep(&task.log));
        if let Err(error) = keeping.await {
            tracing::error!(%error, "keeping the homes of vehicles was cut short");
        }
    }
}

/// Who was erased at another depot is erased here. What the log told before this start was seen to already.
async fn erase_told(state: AppState) {
    let mut durable = state.durable.clone();
    let mut stopping = state.stopping.subscribe();
    let mut from = Position::FIRST;
    while pause(&mut stopping, ACCOUNTS_PAUSE).await {
        let task = state.clone();
        let erasing = tokio::task::spawn_blocking(move || privacy::erase::erase_told(&task, from));
        match erasing.await {
            Ok(Ok(up_to)) => {
                from = up_to.next();
                let changed = tokio::select! {
                    changed = durable.wait_for(|durable| *durable >= from) => changed.is_ok(),
                    _ = stopping.wait_for(|stopping| *stopping) => false,
                };
                if !changed {
                    return;
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "who was erased at another depot is not erased here yet")
            }
            Err(error) => tracing::error!(%error, "erasing was cut short"),
        }
    }
}

/// Accounts that something else than the account service wrote (an import) are known soon, too.
async fn follow_accounts(state: AppState) {
    let mut durable = state.durable.clone();
    let mut stopping = state.stopping.subscribe();
    while pause(&mut stopping, ACCOUNTS_PAUSE).await {
        let changed = tokio::select! {
            changed = durable.changed() => changed.is_ok(),
            _ = stopping.wait_for(|stopping| *stopping) => false,
        };
        if !changed {
            return;
        }
        let task = state.clone();
        match tokio::task::spawn_blocking(move || task.accounts.catch_up()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the accounts cannot be read"),
            Err(error) => tracing::error!(%error, "reading the accounts was cut short"),
        }
    }
}

/// What key figures are taken from is there before somebody asks, from the start on. While the log grows this gives way
/// to the writers; a question takes in the rest itself.
async fn follow_figures(state: AppState) {
    let mut durable = state.durable.clone();
    let mut stopping = state.stopping.subscribe();
    loop {
        let before = state.log.durable_position();
        let task = state.clone();
        let step = tokio::task::spawn_blocking(move || {
            let began = std::time::Instant::now();
            let has_more = task.figures.follow(&task.log)?;
            Ok::<_, storage::ReadError>((has_more, began.elapsed()))
        });
        let (has_more, took) = match step.await {
            Ok(Ok(step)) => step,
            Ok(Err(error)) => {
                tracing::error!(%error, "the figures cannot follow the log");
                (false, FIGURES_PAUSE)
            }
            Err(error) => {
                tracing::error!(%error, "following the log was cut short");
                (false, FIGURES_PAUSE)
            }
        };
        let rest = match state.log.durable_position() > before {
            true => took * (FIGURES_SHARE - 1),
            false => Duration::ZERO,
        };
        if has_more {
            if !pause(&mut stopping, rest).await {
                return;
            }
            continue;
        }
        let changed = tokio::select! {
            changed = durable.changed() => changed.is_ok(),
            _ = stopping.wait_for(|stopping| *stopping) => false,
        };
        if !changed || !pause(&mut stopping, FIGURES_PAUSE.max(rest)).await {
            return;
        }
    }
}

/// Parts that were given to tablets which do not come back are returned after their grace.
async fn return_leases(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    while pause(&mut stopping, LEASES_PAUSE).await {
        let task = state.clone();
        let step = move || crate::sync::leases::return_overdue(&task, "server");
        match tokio::task::spawn_blocking(step).await {
            Ok(Ok(returned)) => {
                for lease in returned {
                    let (device, part, quantity) = (lease.device_id, lease.part_no, lease.quantity);
                    match lease.location_id {
                        Some(place) => {
                            tracing::info!(%device, %part, quantity, %place, "a lease of a tablet that is gone was returned");
                        }
                        None => {
                            tracing::warn!(%device, %part, quantity, "a tablet that is gone has parts that came from no known place; return them by hand");
                        }
                    }
                }
            }
            Ok(Err(problem)) => {
                tracing::error!(detail = problem.detail(), "leases cannot be returned");
            }
            Err(error) => tracing::error!(%error, "returning leases was cut short"),
        }
    }
}

/// Finds out whose keys are lost, where some may be.
async fn search_lost_keys(state: AppState) {
    let task = state.clone();
    let search = move || lost::search(&task.log, task.privacy.store());
    match tokio::task::spawn_blocking(search).await {
        Ok(Ok(0)) => {}
        Ok(Ok(people)) => tracing::error!(people, "keys are lost: {}", lost::WHAT_TO_DO),
        Ok(Err(error)) => tracing::error!(%error, "the log cannot be searched for lost keys"),
        Err(error) => tracing::error!(%error, "the search for lost keys was cut short"),
    }
}

/// Has what was refused kept in the log.
async fn tell_refusals(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    while pause(&mut stopping, SECURITY_PAUSE).await {
        state.security.flush(false);
    }
}

/// Reads the whole log again and again, slowly: what rots is found while a backup still has it.
async fn scrub(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    let mut cursor = if state.config.archive.scrub_reads {
        ScrubCursor::reading_the_archive()
    } else {
        ScrubCursor::default()
    };
    let mut next = Duration::from_secs(60);
    while pause(&mut stopping, next).await {
        let task = state.clone();
        let step = tokio::task::spawn_blocking(move || {
            let progress = task.log.scrub(&mut cursor);
            (cursor, progress)
        });
        let Ok((moved, progress)) = step.await else {
            return;
        };
        cursor = moved;
        match progress {
            Ok(progress) => {
                for range in &progress.damage {
                    tracing::error!(%range, "the log is damaged: restore these events from a backup");
                }
                let minutes =
                    progress.bytes as f64 / state.config.events.scrub_bytes_per_minute as f64;
                next = Duration::from_secs_f64((minutes * 60.0).clamp(1.0, 86_400.0));
            }
            Err(error) => tracing::error!(%error, "a segment cannot be scrubbed"),
        }
    }
}

/// Hashes what has become durable into the log's tree, so that a proof need not.
async fn hash_tree(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    let mut next = TREE_PAUSE;
    while pause(&mut stopping, next).await {
        next = TREE_PAUSE;
        let task = state.clone();
        let began = std::time::Instant::now();
        let step = tokio::task::spawn_blocking(move || {
            let hashed = task.log.tree_catch_up(TREE_TILES)?;
            Ok::<u64, TreeError>(hashed.distance_to(task.log.durable_position()))
        });
        match step.await {
            Ok(Ok(behind)) if behind >= TILE_LEAVES => next = began.elapsed() * (TREE_SHARE - 1),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the log cannot be hashed");
                next = RETENTION_PAUSE;
            }
            Err(error) => tracing::error!(%error, "hashing the log was cut short"),
        }
    }
}

/// Signs what the log is, now and then, and keeps the note.
async fn sign_checkpoints(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    while pause(&mut stopping, state.config.events.checkpoint_interval).await {
        let task = state.clone();
        match tokio::task::spawn_blocking(move || task.checkpoints.keep(&task.log)).await {
            Ok(Ok(signed)) => {
                tracing::info!(events = signed.checkpoint.size, "a checkpoint was signed");
            }
            Ok(Err(error)) => tracing::error!(%error, "no checkpoint was signed"),
            Err(error) => tracing::error!(%error, "signing a checkpoint was cut short"),
        }
    }
}

/// Moves segments whose last event is older than the retention to the archive.
async fn retain(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    let age = i64::from(state.config.events.retention_days) * DAY;
    let mut next = Duration::from_secs(10);
    while pause(&mut stopping, next).await {
        next = RETENTION_PAUSE;
        let task = state.clone();
        let before = state.clock.now().plus_micros(-age);
        match tokio::task::spawn_blocking(move || task.log.archive(before)).await {
            Ok(Ok(report)) if report.segments > 0 => {
                tracing::info!(
                    segments = report.segments,
                    bytes = report.bytes,
                    "old segments were moved to the archive"
                );
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "old segments cannot be moved to the archive")
            }
            Err(error) => tracing::error!(%error, "moving old segments was cut short"),
        }
    }
}

/// Waits; says false when the server stops.
async fn pause(stopping: &mut watch::Receiver<bool>, time: Duration) -> bool {
    let stopped = stopping.wait_for(|stopping| *stopping);
    tokio::time::timeout(time, stopped).await.is_err()
}
