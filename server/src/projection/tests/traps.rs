//! Folds that panic.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use serde_json::json;
use storage::{EventRef, Position};

use super::harness::{Depot, PATIENCE};
use crate::projection::ProjectionState;
use crate::projection::checkpoint::{Anchor, History};
use crate::projection::keeper::{Keeper, KeeperOptions};
use crate::projection::projector::{Patience, Projector};
use crate::projection::read_model::{FoldError, Published, ReadModel};
use crate::projection::rows::Rows;
use crate::projection::status::{Board, Order};
use crate::projection::store::StoreError;
use crate::projection::worker::{self, Surroundings};

/// Writes down the positions that it folds. Panics over a `Boom`; panics while publishing as often as it is told.
#[derive(Default, Debug)]
struct Trap {
    rows: Option<Rows<u64>>,
}

static PUBLISH_PANICS: AtomicU32 = AtomicU32::new(0);

impl ReadModel for Trap {
    const NAME: &'static str = "trap";
    const ALIASES: &'static [&'static str] = &[];
    const FORMAT: u16 = 1;
    const ROWS_PER_PAGE: usize = 2;
    type Row = u64;
    type Draft = Vec<u64>;
    type Patch = Vec<u64>;

    fn handled_event_types() -> Vec<String> {
        Vec::new()
    }

    fn fold(&self, draft: &mut Vec<u64>, event: &EventRef<'_>) -> Result<bool, FoldError> {
        // What is done before a panic must not be seen.
        draft.push(event.position().get());
        assert_ne!(event.event_type(), "Boom");
        Ok(true)
    }

    fn changed(draft: &Vec<u64>) -> usize {
        draft.len()
    }

    fn seal(draft: &mut Vec<u64>) -> Vec<u64> {
        std::mem::take(draft)
    }

    fn publish(&mut self, patch: Vec<u64>) {
        let left = PUBLISH_PANICS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        assert!(left.is_err(), "told to");
        for position in patch {
            self.rows_mut().push(position);
        }
    }

    fn rows(&self) -> &Rows<u64> {
        self.rows.as_ref().unwrap()
    }

    fn rows_mut(&mut self) -> &mut Rows<u64> {
        self.rows.get_or_insert_with(|| Rows::new(2))
    }

    fn from_rows(rows: Rows<u64>) -> Self {
        Trap { rows: Some(rows) }
    }

    fn is_sound(_: &u64) -> bool {
        true
    }
}

fn folded(place: &RwLock<Published<Trap>>) -> Vec<u64> {
    match place.read() {
        Ok(published) => published
            .model
            .rows
            .iter()
            .flat_map(|rows| rows.iter().copied())
            .collect(),
        Err(poisoned) => poisoned
            .into_inner()
            .model
            .rows
            .iter()
            .flat_map(|rows| rows.iter().copied())
            .collect(),
    }
}

#[test]
fn an_event_whose_fold_panics_is_left_out() {
    let depot = Depot::new();
    for event_type in ["Fine", "Boom", "Fine", "Boom", "Boom", "Fine"] {
        depot.append(("Depot", "d"), event_type, &json!({}));
    }
    let place = Arc::<RwLock<Published<Trap>>>::default();
    let mut projector = Projector::<Trap>::default();
    projector.settle_in(&place);
    while projector.position() < depot.log().durable_position() {
        projector
            .advance(
                depot.log(),
                depot.log().durable_position(),
                Patience::Insist,
            )
            .unwrap();
    }
    assert_eq!(folded(&place), [1, 3, 6]);
    assert_eq!(projector.tally().skipped, [2, 4, 5].map(Position::new));
    assert_eq!(projector.tally().handled_events, 3);
}

struct NoHistory;

impl History for NoHistory {
    fn log_id(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }

    fn durable_position(&self) -> Position {
        Position::START
    }

    fn anchor_at(&self, _: Position) -> Option<Anchor> {
        None
    }
}

#[test]
fn a_worker_that_panics_says_so_and_a_rebuild_mends_it() {
    let depot = Depot::new();
    for _ in 0..4 {
        depot.append(("Depot", "d"), "Fine", &json!({}));
    }
    let keeper = Arc::new(Keeper::start(KeeperOptions {
        folder: depot.store_folder(),
        open_limit: PATIENCE,
        opener: Arc::new(|_: &std::path::Path| Err(StoreError::new("none here"))),
        history: Arc::new(NoHistory),
        projections: Vec::new(),
    }));
    let board = Arc::new(Board::new("trap", &[], 1, Vec::new()));
    let place = Arc::<RwLock<Published<Trap>>>::default();
    PUBLISH_PANICS.store(1, Ordering::SeqCst);
    let surroundings = Surroundings {
        log: Arc::clone(depot.log()),
        keeper: Arc::clone(&keeper),
        board: Arc::clone(&board),
        settings: depot.settings(),
    };
    let worker = worker::start(surroundings, Arc::clone(&place)).unwrap();
    assert!(
        !board.wait_for(Position::new(4), PATIENCE),
        "it fails before it gets there"
    );
    let ProjectionState::Failed { reason } = board.status(Position::new(4)).state else {
        panic!("{:?}", board.status(Position::new(4)));
    };
    assert!(reason.contains("told to"), "{reason}");

    board.ask_rebuild().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while board.position() < Position::new(4) && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(folded(&place), [1, 2, 3, 4]);
    assert_eq!(board.status(Position::new(4)).state, ProjectionState::Live);
    board.end(Order::Stop);
    worker.join().unwrap();
    keeper.stop(PATIENCE);
}
