//! When a checkpoint is taken.

use super::*;

const INTERVAL: Duration = Duration::from_secs(3_600);

fn saves(base: Option<Generation>) -> Saves {
    Saves {
        base,
        pending: None,
        position: Position::new(5),
        at: Instant::now(),
    }
}

fn settings(checkpoint_interval: Duration) -> ProjectionSettings {
    ProjectionSettings {
        checkpoint_events: 10,
        checkpoint_interval,
        ..ProjectionSettings::default()
    }
}

#[test]
fn a_checkpoint_is_due_after_so_many_events_or_so_long() {
    let is_due = |position, interval| {
        let saves = saves(Some(Generation::default()));
        saves.are_due(Position::new(position), &settings(interval), false)
    };
    assert!(is_due(15, INTERVAL));
    assert!(!is_due(14, INTERVAL));
    assert!(is_due(6, Duration::ZERO));
    assert!(!is_due(5, Duration::ZERO), "nothing came since");
}

/// To save all of a large read model takes as long as a good part of its rebuild, on the same cores.
#[test]
fn what_a_rebuild_is_about_to_replace_is_not_saved_whole() {
    let is_due = |base, is_replaced| {
        let settings = settings(INTERVAL);
        saves(base).are_due(Position::new(15), &settings, is_replaced)
    };
    assert!(is_due(None, false));
    assert!(!is_due(None, true));
    assert!(is_due(Some(Generation::default()), true));
}
