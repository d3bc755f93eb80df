//! The log against a list of events: whatever is appended, refused, reopened and asked, both say the same.

use proptest::prelude::*;
use std::sync::Arc;
use uuid::Uuid;

use super::support::*;
use crate::repo::Repo;
use crate::*;

#[derive(Clone, Debug)]
enum Action {
    Append(Vec<Write>, Option<Condition>),
    /// The transaction with this number, modulo how many there were, once more.
    Repeat(usize),
    Reopen,
    DropDerived,
}

#[derive(Clone, Debug)]
struct Write {
    stream: u8,
    expected: u8,
    events: Vec<(u8, i64, Option<u8>, u8)>,
}

#[derive(Clone, Debug)]
struct Condition {
    query: u8,
    back: u8,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let event = (
        0..4_u8,
        -50..50_i64,
        proptest::option::of(0..3_u8),
        0..200_u8,
    );
    let write = (0..5_u8, 0..8_u8, proptest::collection::vec(event, 1..4)).prop_map(
        |(stream, expected, events)| Write {
            stream,
            expected,
            events,
        },
    );
    let condition = (0..6_u8, 0..6_u8).prop_map(|(query, back)| Condition { query, back });
    let append = (
        proptest::collection::vec(write, 1..3),
        proptest::option::weighted(0.3, condition),
    )
        .prop_map(|(writes, condition)| Action::Append(writes, condition));
    let action = prop_oneof![
        20 => append,
        3 => any::<usize>().prop_map(Action::Repeat),
        1 => Just(Action::Reopen),
        1 => Just(Action::DropDerived),
    ];
    proptest::collection::vec(action, 1..60)
}

fn stream(number: u8) -> StreamName {
    let of = if number.is_multiple_of(2) {
        "Vehicle"
    } else {
        "Part"
    };
    StreamName::new(of, format!("s{}", number / 2))
}

fn tag(number: u8) -> String {
    format!("tag:{number}")
}

fn query(number: u8) -> Query {
    match number {
        0 => Query::event_types(["T0"]),
        1 => Query::stream(stream(1)),
        2 => Query::tags([tag(0)]),
        3 => Query::aggregate_types(["Part"]),
        4 => Query {
            items: vec![
                QueryItem {
                    event_types: vec!["T1".into()],
                    tags: vec![tag(1).into()],
                    ..QueryItem::default()
                },
                QueryItem {
                    streams: vec![stream(0), stream(2)],
                    event_types: vec!["T2".into()],
                    ..QueryItem::default()
                },
            ],
        },
        5 => Query::event_types(["never"]),
        _ => Query::all(),
    }
}

fn matches(query: &Query, event: &Event) -> bool {
    query.is_all()
        || query.items.iter().any(|item| {
            (item.streams.is_empty() || item.streams.contains(&event.stream))
                && (item.aggregate_types.is_empty()
                    || item.aggregate_types.contains(&event.stream.aggregate_type))
                && (item.event_types.is_empty() || item.event_types.contains(&event.event_type))
                && item.tags.iter().all(|tag| event.tags.contains(tag))
        })
}

#[derive(Default)]
struct Model {
    events: Vec<Event>,
    transactions: Vec<(Transaction, Result<Receipt, AppendError>)>,
    ids: u128,
}

impl Model {
    fn version(&self, stream: &StreamName) -> Version {
        let count = self
            .events
            .iter()
            .filter(|event| &event.stream == stream)
            .count();
        Version::new(u32::try_from(count).unwrap())
    }

    fn transaction(&mut self, writes: &[Write], condition: Option<&Condition>) -> Transaction {
        let writes = writes.iter().map(|write| {
            let stream = stream(write.stream);
            let expected = match write.expected {
                0 => ExpectedVersion::NoStream,
                1 => ExpectedVersion::Exists,
                2 | 3 => ExpectedVersion::Exact(self.version(&stream)),
                4 => ExpectedVersion::Exact(Version::new(3)),
                _ => ExpectedVersion::Any,
            };
            let events = write
                .events
                .iter()
                .map(|&(event_type, occurred_at, tagged, size)| {
                    self.ids += 1;
                    let event =
                        NewEvent::new(format!("T{event_type}"), vec![b'x'; usize::from(size)])
                            .with_id(Uuid::from_u128(
                                self.ids
                                    .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
                            ))
                            .at(Timestamp::from_micros(occurred_at));
                    tagged.map_or(event.clone(), |tagged| event.with_tag(tag(tagged)))
                });
            StreamWrite {
                stream,
                expected,
                events: events.collect(),
            }
        });
        let transaction = Transaction {
            writes: writes.collect(),
            condition: None,
        };
        match condition {
            None => transaction,
            Some(condition) => {
                let head = self.events.len() as u64;
                transaction.on_condition(
                    query(condition.query),
                    Position::new(head.saturating_sub(condition.back.into())),
                )
            }
        }
    }

    /// What the log must answer; on acceptance the model takes the events in.
    fn append(&mut self, transaction: &Transaction, answer: &Result<Receipt, AppendError>) {
        let mut versions: Vec<(StreamName, Version)> = Vec::new();
        for write in &transaction.writes {
            let known = versions
                .iter()
                .rev()
                .find(|(stream, _)| stream == &write.stream)
                .map(|&(_, version)| version);
            let actual = known.unwrap_or_else(|| self.version(&write.stream));
            let holds = match write.expected {
                ExpectedVersion::Any => true,
                ExpectedVersion::NoStream => actual == Version::NONE,
                ExpectedVersion::Exists => actual != Version::NONE,
                ExpectedVersion::Exact(version) => actual == version,
            };
            if !holds {
                let expected = write.expected;
                assert_eq!(
                    answer,
                    &Err(AppendError::WrongVersion {
                        stream: write.stream.clone(),
                        expected,
                        actual
                    })
                );
                return;
            }
            versions.push((
                write.stream.clone(),
                Version::new(actual.get() + u32::try_from(write.events.len()).unwrap()),
            ));
        }
        if let Some(condition) = &transaction.condition {
            let newest =
                self.events.iter().rev().find(|event| {
                    event.position > condition.after && matches(&condition.query, event)
                });
            if let Some(newest) = newest {
                let error = AppendError::ConditionFailed {
                    position: newest.position,
                    after: condition.after,
                };
                assert_eq!(answer, &Err(error));
                return;
            }
        }
        let receipt = answer.as_ref().unwrap();
        assert!(!receipt.duplicate);
        let count = transaction.event_count();
        let mut receipts = receipt.events.iter();
        for write in &transaction.writes {
            for event in &write.events {
                let receipt = receipts.next().unwrap();
                let position = Position::new(self.events.len() as u64 + 1);
                let version = self.version(&write.stream).next().unwrap();
                assert_eq!(
                    (receipt.position, receipt.version, Some(receipt.id)),
                    (position, version, event.id)
                );
                self.events.push(Event {
                    id: receipt.id,
                    position,
                    version,
                    stream: write.stream.clone(),
                    event_type: event.event_type.clone(),
                    schema: event.schema,
                    occurred_at: event.occurred_at.unwrap(),
                    recorded_at: receipt.recorded_at,
                    ends_transaction: receipts.as_slice().is_empty(),
                    data: event.data.clone(),
                    metadata: Vec::new(),
                    tags: event.tags.clone(),
                });
            }
        }
        assert_eq!(receipt.events.len(), count);
    }

    fn check(&self, log: &Log) {
        assert_eq!(all(log), self.events);
        for pair in self.events.windows(2) {
            assert!(pair[0].recorded_at < pair[1].recorded_at);
        }
        for number in 0..=6 {
            let query = query(number);
            let expected: Vec<_> = self
                .events
                .iter()
                .filter(|event| matches(&query, event))
                .cloned()
                .collect();
            let mut request = ReadRequest {
                query,
                ..ReadRequest::default()
            };
            assert_eq!(collect(log, &request), expected, "query {number}");
            request.direction = Direction::Backward;
            let reversed: Vec<_> = expected.iter().rev().cloned().collect();
            assert_eq!(collect(log, &request), reversed, "query {number} backwards");
            let range = TimeRange {
                from: Timestamp::from_micros(-20),
                to: Timestamp::from_micros(10),
            };
            request.occurred = Some(range);
            let in_range: Vec<_> = reversed
                .iter()
                .filter(|event| range.contains(event.occurred_at))
                .cloned()
                .collect();
            assert_eq!(collect(log, &request), in_range, "query {number} in time");
            request.order = Order::Occurred;
            let mut by_time = in_range;
            by_time.sort_by_key(|event| std::cmp::Reverse((event.occurred_at, event.position)));
            assert_eq!(collect(log, &request), by_time, "query {number} by time");
            request.direction = Direction::Forward;
            by_time.reverse();
            assert_eq!(
                collect(log, &request),
                by_time,
                "query {number} by time, forwards"
            );
        }
        let (third, half) = (self.events.len() / 3, self.events.len() / 2);
        if let (Some(first), Some(last)) = (self.events.get(third), self.events.get(half)) {
            let recorded = Some(TimeRange {
                from: first.recorded_at,
                to: last.recorded_at,
            });
            let request = ReadRequest {
                recorded,
                ..ReadRequest::default()
            };
            assert_eq!(collect(log, &request), &self.events[third..=half]);
            let request = ReadRequest {
                from: first.position,
                to: last.position,
                limit: Some(2),
                ..ReadRequest::default()
            };
            assert_eq!(
                collect(log, &request),
                &self.events[third..=half.min(third + 1)]
            );
            assert_eq!(log.position_of(first.id).unwrap(), Some(first.position));
        }
        assert_eq!(log.position_of(Uuid::from_u128(1)).unwrap(), None);
        for number in 0..5 {
            self.check_stream(log, &stream(number));
        }
    }

    fn check_stream(&self, log: &Log, name: &StreamName) {
        let expected: Vec<_> = self
            .events
            .iter()
            .filter(|event| &event.stream == name)
            .cloned()
            .collect();
        assert_eq!(
            log.stream(name).map(|tip| tip.position),
            expected.last().map(|event| event.position)
        );
        let range = StreamRange {
            from: Version::new(2),
            to: Version::new(5),
            direction: Direction::Backward,
            limit: Some(3),
        };
        let mut reader = log.read_stream(name, &range);
        let mut events = Vec::new();
        while let Some(event) = reader.next() {
            events.push(event.unwrap().to_owned());
        }
        let in_range = expected
            .iter()
            .rev()
            .filter(|event| (2..=5).contains(&event.version.get()))
            .take(3);
        assert_eq!(events, in_range.cloned().collect::<Vec<_>>());
    }
}

fn remove_derived(repo: &Arc<dyn Repo>) {
    for name in repo.list().unwrap() {
        if name.ends_with(".idx") || name.ends_with(".state") {
            repo.remove(&name).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn the_log_is_a_list(actions in actions()) {
        let repo = memory();
        let options = small();
        let mut model = Model::default();
        let mut log = open(&repo, &options);
        for action in actions {
            match action {
                Action::Append(writes, condition) => {
                    let transaction = model.transaction(&writes, condition.as_ref());
                    let answer = log.append(transaction.clone());
                    model.append(&transaction, &answer);
                    model.transactions.push((transaction, answer));
                }
                Action::Repeat(which) if !model.transactions.is_empty() => {
                    let (transaction, first) = model.transactions[which % model.transactions.len()].clone();
                    if let Ok(receipt) = first {
                        let again = log.append(transaction.clone()).unwrap();
                        prop_assert_eq!(again, Receipt { duplicate: true, ..receipt });
                        let mut other = transaction;
                        other.writes[0].events[0].data.push(b'!');
                        let reused = matches!(log.append(other), Err(AppendError::IdReused { .. }));
                        prop_assert!(reused);
                    }
                }
                Action::Repeat(_) => {}
                Action::Reopen => {
                    log.close();
                    log = open(&repo, &options);
                    prop_assert_eq!(&log.opened().damage, &vec![]);
                }
                Action::DropDerived => {
                    log.close();
                    remove_derived(&repo);
                    log = open(&repo, &options);
                }
            }
        }
        model.check(&log);
        log.close();
        let report = verify::verify_in(&repo, None, &VerifyOptions::default()).unwrap();
        prop_assert_eq!(report.problems, vec![]);
        prop_assert_eq!(report.events, model.events.len() as u64);
    }
}
