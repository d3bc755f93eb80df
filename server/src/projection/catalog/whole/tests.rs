//! A catalog made at once is, byte by byte, the one that is made batch by batch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use fleet::registry;
use fleet::schema::{Field, Kind};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use storage::{Log, NewEvent, Position, StreamName, Timestamp, Transaction};

use super::{Halt, Whole, fold_in_shares};
use crate::projection::catalog::{Ask, Catalog, CatalogModel};
use crate::projection::projector::{Patience, Projector, read};
use crate::projection::read_model::{Published, ReadModel};
use crate::projection::tests::harness::{BEGINNING, Depot, HOUR};
use crate::projection::whole::Reach;

/// Numbers by chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

fn value(kind: Kind, chance: &mut Chance) -> Value {
    let number = i64::try_from(chance.below(40)).unwrap();
    match kind {
        _ if chance.one_in(12) => {
            let odd = [
                json!(null),
                json!(-3.25),
                json!({"a": [1]}),
                json!("x"),
                json!([]),
            ];
            odd[chance.below(odd.len())].clone()
        }
        Kind::Text { .. } | Kind::Key { .. } => json!(format!("Wört {}-{number}", number % 3)),
        Kind::Uuid => json!(uuid::Uuid::from_u128(1 << 90 | u128::from(number as u64)).to_string()),
        Kind::Integer { min, max } => json!(number.clamp(min, max)),
        Kind::Number { min, max } => json!((number as f64 / 3.0).clamp(min, max)),
        Kind::Boolean => json!(number % 2 == 0),
        Kind::OneOf(words) => json!(words[chance.below(words.len())]),
        Kind::Time => json!(fleet::calendar::format_time(BEGINNING + number * HOUR)),
        Kind::Object => json!({"a": number}),
        Kind::List(kind) => (0..number % 3).map(|_| value(*kind, chance)).collect(),
        Kind::Money | Kind::Amount { .. } => json!(format!("{number}.50")),
        Kind::Email => json!("depot@example.org"),
        Kind::Hex { digits } => json!("0a".repeat(digits / 2)),
        Kind::Record(fields) => Value::Object(body(fields, chance)),
        Kind::Any => json!(number),
    }
}

fn body(fields: &[Field], chance: &mut Chance) -> Map<String, Value> {
    let mut body = Map::new();
    for field in fields {
        if field.required || chance.one_in(2) {
            body.insert(field.name.to_owned(), value(field.kind, chance));
        }
    }
    body
}

/// Appends events of every aggregate, known and unknown, on time and late, of which some cannot be folded.
fn live(log: &Log, events: usize, chance: &mut Chance) {
    let tables = registry().aggregates();
    for _ in 0..events {
        let table = tables[chance.below(tables.len())];
        let known = &table.events[chance.below(table.events.len())];
        let id = [
            "185 1",
            "185 2",
            "Ö/3",
            "00000000-0000-4000-8000-000000000001",
        ][chance.below(4)];
        let (event_type, data) = match chance.below(12) {
            0 => (
                "SomethingMeasured".to_owned(),
                json!({"speed": chance.below(9), "status": "x"}).to_string(),
            ),
            1 => (
                "SomethingChanged".to_owned(),
                json!({"old_status": "a", "new_status": "b"}).to_string(),
            ),
            2 => (format!("{}Deleted", table.aggregate_type), "{}".to_owned()),
            3 => (
                format!("{}CreatedEvent", table.aggregate_type),
                Value::Object(body(known.fields, chance)).to_string(),
            ),
            4 => (
                "Nonsense".to_owned(),
                ["", "[1]", "{\"a\":1e999}", "{\"open\":"][chance.below(4)].to_owned(),
            ),
            _ => (
                known.event_type.to_owned(),
                Value::Object(body(known.fields, chance)).to_string(),
            ),
        };
        let hours = i64::try_from(chance.below(160)).unwrap() - 80;
        let mut event =
            NewEvent::new(event_type, data).at(Timestamp::from_micros(BEGINNING + hours * HOUR));
        event.schema = u16::try_from(1 + chance.below(2)).unwrap();
        let aggregate_type = if chance.one_in(15) {
            "Ünit"
        } else {
            table.aggregate_type
        };
        let stream = StreamName::new(aggregate_type, id);
        let transaction = Transaction::single(stream, storage::ExpectedVersion::Any, event);
        log.append(transaction).unwrap();
    }
}

/// The catalog as it is made batch by batch, and what was told of it.
fn batch_by_batch(log: &Log) -> Whole<CatalogModel> {
    let mut projector = Projector::<CatalogModel>::default();
    let durable = log.durable_position();
    while projector.position() < durable {
        projector.advance(log, durable, Patience::Insist).unwrap();
    }
    let place = Arc::new(RwLock::new(Published::default()));
    let reach = projector.reach();
    projector.settle_in(&place);
    drop(projector);
    let published = Arc::into_inner(place).unwrap().into_inner().unwrap();
    Whole {
        model: published.model,
        reach,
    }
}

fn pages(model: &mut CatalogModel) -> Vec<(u32, Vec<u8>)> {
    model.rows_mut().mark_all_changed();
    model.rows().encode_changed(CatalogModel::FORMAT)
}

/// Every list of every type, in each order, narrowed and searched for, two rows at a time.
fn lists(model: CatalogModel) -> Vec<String> {
    let catalog = Catalog {
        shared: Arc::new(RwLock::new(Published {
            model,
            position: Position::FIRST,
        })),
    };
    let mut answers = Vec::new();
    let all_of = |answers: &mut Vec<String>, ask: Ask| {
        let mut cursor = None;
        loop {
            let page = catalog
                .page(&Ask {
                    cursor,
                    limit: 2,
                    ..ask.clone()
                })
                .unwrap()
                .value;
            answers.push(format!("{ask:?}: {page:?}"));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    };
    for table in registry().aggregates() {
        let listing = &table.listing;
        for order in 0..listing.orders.len().max(1) {
            let ask = Ask {
                aggregate_type: table.aggregate_type,
                order,
                ..Ask::default()
            };
            all_of(&mut answers, ask.clone());
            for filter in listing.filters {
                for value in ["x", "true", "Wört 1-7", "available", "draft", "active"] {
                    all_of(
                        &mut answers,
                        Ask {
                            filters: vec![(filter.name, value.to_owned())],
                            ..ask.clone()
                        },
                    );
                }
            }
            for search in listing.searches {
                for text in ["WÖRT 1", "185", "-1", "zzz"] {
                    all_of(
                        &mut answers,
                        Ask {
                            searches: vec![(search.name, text.to_owned())],
                            ..ask.clone()
                        },
                    );
                }
            }
        }
        for key in listing.keys {
            let highest = catalog
                .highest_number(table.aggregate_type, key, "Wört 1-")
                .value;
            answers.push(format!("{} {key} {highest}", table.aggregate_type));
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn at_once_and_batch_by_batch_are_the_same(
        seed: u64,
        events in 0_usize..700,
        shares in 1_usize..5,
        parsed_bytes_max in prop_oneof![Just(0_usize), 2_000_usize..20_000, Just(1 << 20)],
    ) {
        let depot = Depot::new();
        live(depot.log(), events, &mut Chance(seed));
        let durable = depot.log().durable_position();
        let mut at_once =
            fold_in_shares(depot.log(), durable, &|_| true, shares, parsed_bytes_max).unwrap();
        let mut by_batch = batch_by_batch(depot.log());
        prop_assert_eq!(format!("{:?}", at_once.reach), format!("{:?}", by_batch.reach));
        let (at_once_pages, by_batch_pages) = (pages(&mut at_once.model), pages(&mut by_batch.model));
        prop_assert!(at_once_pages == by_batch_pages, "rows differ");
        let row_count = at_once.model.rows().len();
        let saved: Vec<Vec<u8>> = at_once_pages.into_iter().map(|(_, page)| page).collect();
        let rows = crate::projection::rows::Rows::decode(
            &saved, CatalogModel::ROWS_PER_PAGE, CatalogModel::FORMAT, row_count,
        ).unwrap();
        let from_rows = lists(CatalogModel::from_rows(rows));
        let (at_once, by_batch) = (lists(at_once.model), lists(by_batch.model));
        for (at_once, from_rows) in at_once.iter().zip(&from_rows) {
            prop_assert_eq!(at_once, from_rows);
        }
        for (at_once, by_batch) in at_once.iter().zip(&by_batch) {
            // A number that a row had for a while counts where each batch was seen.
            if !at_once.contains("Wört 1-") || at_once.contains("Ask") {
                prop_assert_eq!(at_once, by_batch);
            }
        }
        prop_assert_eq!(at_once.len(), by_batch.len());
    }
}

#[test]
fn numbers_of_deleted_rows_are_not_given_again() {
    let depot = Depot::new();
    for (id, number) in [("a", 7), ("b", 9)] {
        let data = json!({"order_number": format!("WO-2026-{number:07}")});
        depot.append(("WorkOrder", id), "WorkOrderCreated", &data);
    }
    depot.append(("WorkOrder", "b"), "WorkOrderDeleted", &json!({}));
    let durable = depot.log().durable_position();
    let whole = fold_in_shares(depot.log(), durable, &|_| true, 2, 1 << 20).unwrap();
    let catalog = Catalog {
        shared: Arc::new(RwLock::new(Published {
            model: whole.model,
            position: durable,
        })),
    };
    let highest = catalog.highest_number("WorkOrder", "order_number", "WO-2026-");
    assert_eq!(highest.value, 9);
}

#[test]
fn it_ends_when_told_to_and_tells_how_far_it_is() {
    let depot = Depot::new();
    let events = vec![NewEvent::new("Seen", "{}"); 9_000];
    let stream = StreamName::new("Unit", "1");
    for events in events.chunks(3_000) {
        let write = storage::StreamWrite {
            stream: stream.clone(),
            expected: storage::ExpectedVersion::Any,
            events: events.to_vec(),
        };
        let transaction = Transaction {
            writes: vec![write],
            condition: None,
        };
        depot.log().append(transaction).unwrap();
    }
    let durable = depot.log().durable_position();
    let told = AtomicU64::new(0);
    let watch = |position: Position| {
        told.store(position.get(), Ordering::SeqCst);
        position.get() < 8_000
    };
    let ended = fold_in_shares(depot.log(), durable, &watch, 3, 1 << 20);
    assert!(matches!(ended, Err(Halt::Ended)), "{ended:?}");
    assert_eq!(told.load(Ordering::SeqCst), 8_192);
}

#[test]
fn an_empty_log_has_an_empty_catalog() {
    let depot = Depot::new();
    let whole = fold_in_shares(depot.log(), Position::START, &|_| true, 2, 1 << 20).unwrap();
    assert_eq!(whole.model.rows().len(), 0);
    assert_eq!(
        format!("{:?}", whole.reach),
        format!("{:?}", Reach::default())
    );
    assert!(read(&Catalog::default().shared).model.rows().len() == 0);
}
