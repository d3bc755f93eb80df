//! Starting, following, waiting, rebuilding, stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use storage::Position;

use super::harness::{BEGINNING, Depot, HOUR, PATIENCE, answers, expected};
use crate::projection::{ProjectionSettings, ProjectionState, RebuildError};

#[test]
fn an_empty_log_is_met_at_once() {
    let depot = Depot::new();
    let projections = depot.start();
    assert!(projections.wait_for("vehicles", Position::START, PATIENCE));
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    let status = &projections.status()[0];
    assert_eq!(
        (status.name, status.position, status.lag_events),
        ("current_state", Position::START, 0)
    );
    assert_eq!(status.lag_seconds, 0.0);
    assert_eq!(status.last_updated, None);
}

#[test]
fn a_restart_continues_from_the_checkpoint() {
    let depot = Depot::new();
    depot.live_on(200, 1);
    let projections = depot.start();
    let before = answers(&depot, &projections);
    projections.stop();
    drop(projections);
    assert!(
        depot
            .store_folder()
            .join(crate::projection::store::FILE)
            .exists()
    );

    let projections = depot.start();
    assert_eq!(answers(&depot, &projections), before);
    depot.live_on(50, 2);
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    let status = projections.status_of("current_state").unwrap();
    assert_eq!(status.handled_events, 250, "counted on from the checkpoint");
}

/// The first start over a large log, and one behind an import: answers are those of folding event by event.
#[test]
fn a_log_of_which_most_is_not_folded_is_folded_at_once() {
    let depot = Depot::new();
    depot.live_on(100, 1);
    for round in 0..9 {
        let data =
            json!({ "new_status": if round % 2 == 0 { "in_service" } else { "in_workshop" } });
        depot.append_many(("Vehicle", "unit-1"), "VehicleStatusChanged", 8_000, &data);
    }
    let projections = depot.start();
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    let board = projections.board("current_state").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while board.rebuilds().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(board.rebuilds(), Some(1));
    depot.live_on(30, 2);
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
}

#[test]
fn checkpoints_are_saved_while_it_runs() {
    let depot = Depot::new();
    let settings = ProjectionSettings {
        checkpoint_events: 10,
        ..depot.settings()
    };
    let projections = depot.start_with(settings.clone());
    for seed in 0..5 {
        depot.live_on(25, seed);
        answers(&depot, &projections);
    }
    drop(projections);
    let projections = depot.start_with(settings);
    depot.live_on(3, 9);
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    drop(projections);
    assert!(!depot.aside_folder().exists(), "what was saved was taken");
}

#[test]
fn a_rebuild_runs_beside_appends_and_is_swapped_in() {
    let depot = Depot::new();
    depot.live_on(400, 1);
    let projections = depot.start();
    answers(&depot, &projections);
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seed = 2;
            while !enough.load(Ordering::SeqCst) {
                depot.live_on(20, seed);
                seed += 1;
            }
        });
        for _ in 0..3 {
            projections.rebuild_all();
            for name in ["current_state", "event_counts"] {
                let mut last = Position::START;
                let deadline = Instant::now() + PATIENCE;
                loop {
                    let status = projections.status_of(name).unwrap();
                    assert!(status.position >= last, "answers never go back");
                    last = status.position;
                    match status.state {
                        ProjectionState::Rebuilding { position, of } => {
                            assert!(position <= of.max(position))
                        }
                        ProjectionState::Live => break,
                        other => panic!("{other:?}"),
                    }
                    assert!(Instant::now() < deadline, "the rebuild ends");
                    std::thread::yield_now();
                }
            }
        }
        enough.store(true, Ordering::SeqCst);
    });
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    projections.stop();
    drop(projections);
    let projections = depot.start();
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
}

#[test]
fn a_rebuild_is_asked_by_name() {
    let depot = Depot::new();
    let projections = depot.start();
    let unknown = RebuildError::Unknown {
        name: "MaintenanceProjektion".to_owned(),
    };
    assert_eq!(projections.rebuild("MaintenanceProjektion"), Err(unknown));
    assert_eq!(projections.rebuild("VehicleProjection"), Ok(()));
    assert!(projections.status_of("vehicle_projection").is_some());
    assert!(projections.status_of("vehicle").is_none());
    assert!(!projections.wait_for("vehicle", Position::START, Duration::ZERO));
}

#[test]
fn a_reader_waits_for_its_write() {
    let depot = Depot::new();
    // A worker that collects for ten minutes, unless somebody waits.
    let settings = ProjectionSettings {
        linger: Duration::from_secs(600),
        ..depot.settings()
    };
    let projections = depot.start_with(settings);
    for number in 0..5 {
        let position = depot.append(
            ("Vehicle", "1"),
            "VehicleUpdated",
            &json!({"notes": number.to_string()}),
        );
        assert!(projections.wait_for("vehicles", position, PATIENCE));
        assert_eq!(projections.position("vehicles"), position);
        assert!(projections.catalog().find("Vehicle", "1").position >= position);
    }
    let beyond = depot.log().durable_position().next();
    assert!(!projections.wait_for("vehicles", beyond, Duration::from_millis(20)));
}

#[test]
fn an_async_reader_waits_for_its_write() {
    let depot = Depot::new();
    let settings = ProjectionSettings {
        linger: Duration::from_secs(600),
        ..depot.settings()
    };
    let projections = depot.start_with(settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        for number in 0..5 {
            let position = depot.append(("Depot", "1"), "TrackClosed", &json!({"track": number}));
            assert!(projections.reach("event_counts", position, PATIENCE).await);
        }
        let mut positions = projections.subscribe("event_counts").unwrap();
        assert_eq!(
            *positions.borrow_and_update(),
            depot.log().durable_position()
        );
        let beyond = depot.log().durable_position().next();
        assert!(
            !projections
                .reach("event_counts", beyond, Duration::from_millis(20))
                .await
        );
        assert!(
            !projections
                .reach("no such", Position::START, PATIENCE)
                .await
        );
    });
}

#[test]
fn the_lag_is_the_age_of_the_oldest_event_not_folded() {
    let depot = Depot::new();
    // A store that does not open keeps the projections at the start.
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let mut settings = depot.settings();
    settings.opener = Some(Arc::new(move |_| {
        let _ = blocked.lock().unwrap().recv();
        Err(crate::projection::store::StoreError::new("closed"))
    }));
    let projections = depot.start_with(settings);
    depot.live_on(3, 1);
    depot.clock.set(BEGINNING + 2 * HOUR);
    let status = projections.status_of("event_counts").unwrap();
    assert_eq!(status.state, ProjectionState::CatchingUp);
    assert_eq!(status.lag_events, 3);
    assert!(
        (7_199.0..=7_200.0).contains(&status.lag_seconds),
        "{}",
        status.lag_seconds
    );
    drop(release);
    answers(&depot, &projections);
    let status = projections.status_of("event_counts").unwrap();
    assert_eq!((status.lag_events, status.lag_seconds), (0, 0.0));
    assert_eq!(status.state, ProjectionState::Live);
}

#[test]
fn the_log_can_be_closed_after_the_end() {
    let mut depot = Depot::new();
    depot.live_on(10, 1);
    let projections = depot.start();
    projections.stop();
    drop(projections);
    depot.close_log();
    depot.open_log();
    let projections = depot.start();
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
}
