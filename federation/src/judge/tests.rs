//! What is taken, what is refused, and what is asked for.

use proptest::prelude::*;
use storage::Position;

use super::*;
use crate::few::Few;
use crate::publish::Anew;
use crate::saved::Published;
use crate::sheet::{self, Key};

const NORD: u128 = 0x1f;
const WEST: u128 = 0x2f;

/// A log that hears Nord, and wants everything.
#[derive(Default)]
struct Receiver {
    standing: BTreeMap<u128, Taken>,
    /// The ids that it has, each with the log that recorded it first.
    has: HashMap<u128, u128>,
    /// The positions that it took, in that order.
    new: Vec<u64>,
}

struct Has<'a>(&'a HashMap<u128, u128>);

impl Known for Has<'_> {
    fn recorded_by(&self, id: u128) -> Option<u128> {
        self.0.get(&id).copied()
    }

    fn wants(&self, _: &Message<'_>) -> bool {
        true
    }
}

impl Receiver {
    /// Takes what comes together; `never` are positions that it can never take.
    fn hear(&mut self, batch: &[&[u8]], never: &[u64]) -> Judged {
        let mut known = BTreeMap::new();
        let mut delivered = Vec::new();
        for (sequence, bytes) in batch.iter().enumerate() {
            delivered.push(super::read(NORD, sequence as u64, bytes, &mut known));
        }
        let position = |place: &usize| delivered[*place].read.as_ref().unwrap().1.position;
        let mut refused = BTreeMap::new();
        let judged = loop {
            let judged = judge(&delivered, self.standing.clone(), &refused, &Has(&self.has));
            let at_fault = judged
                .new
                .iter()
                .find(|place| never.contains(&position(place)));
            match at_fault {
                Some(place) => refused.insert(*place, "it is too large".to_owned()),
                None => break judged,
            };
        };
        for position in judged.new.iter().map(position) {
            self.has.insert(id(position), NORD);
            self.new.push(position);
        }
        self.standing.clone_from(&judged.taken);
        judged
    }

    /// All of Nord up to here is here, as it says.
    fn position(&self) -> u64 {
        self.standing.get(&NORD).map_or(0, |nord| nord.position)
    }

    fn refused(&self) -> Option<&Refused> {
        self.standing.get(&NORD)?.refused.as_ref()
    }

    /// Whether it took nothing twice, nothing that is not there, and all that it says.
    fn is_right(&self, count: u64) -> bool {
        let once: BTreeSet<u64> = self.new.iter().copied().collect();
        once.len() == self.new.len()
            && once.iter().all(|position| (1..=count).contains(position))
            && (1..=self.position()).all(|position| once.contains(&position))
    }
}

/// A depot that has published its events 1 to `count`, of which the stream holds nothing any more.
struct Publisher {
    count: u64,
    anew: Anew,
    at: Published,
}

impl Publisher {
    fn new(count: u64) -> Publisher {
        let at = Published {
            up_to: Position::new(count),
            last: Position::new(count),
            ..Published::default()
        };
        Publisher {
            count,
            anew: Anew::default(),
            at,
        }
    }

    /// What it publishes when somebody asks for all from `from` on.
    fn answer(&mut self, from: u64) -> Vec<Vec<u8>> {
        self.anew.ask(Position::new(from).previous(), &mut self.at);
        let positions: Vec<u64> = (self.at.up_to.get() + 1..=self.count).collect();
        let messages = published_behind(self.at.last.get(), NORD, &key(), &positions);
        (self.at.up_to, self.at.last) = (Position::new(self.count), Position::new(self.count));
        messages
    }
}

fn key() -> Key {
    Key::new(&[7; 32])
}

/// What the log publishes at these positions, in order.
fn published(log: u128, key: &Key, positions: &[u64]) -> Vec<Vec<u8>> {
    published_behind(0, log, key, positions)
}

/// The same, behind an event that it published before.
fn published_behind(mut before: u64, log: u128, key: &Key, positions: &[u64]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for position in positions {
        messages.push(message(log, *position, before).encode());
        before = *position;
    }
    sheet::sign(key, Uuid::from_u128(log), &messages)
}

/// The id of the event at this position, of whichever log.
fn id(position: u64) -> u128 {
    NORD << 64 | u128::from(position)
}

fn message(log: u128, position: u64, before: u64) -> Message<'static> {
    Message {
        log,
        depot: "Nord",
        position,
        before,
        recorded_at: 3,
        occurred_at: 2,
        id: id(position),
        aggregate_type: "Vehicle",
        aggregate_id: "1",
        event_type: "Seen",
        schema: 1,
        tags: Few(Vec::new()),
        metadata: b"{}",
        data: b"{}",
    }
}

/// What becomes of messages that come so, one batch after the other: the positions that are taken, and how the log stands.
fn taken(batches: &[Vec<&[u8]>], never: &[u64], quarantined: &[u64]) -> (Vec<u64>, Judged) {
    let mut receiver = Receiver::default();
    let nord = receiver.standing.entry(NORD).or_default();
    nord.quarantined.extend(quarantined);
    let mut last = Judged::default();
    for batch in batches {
        last = receiver.hear(batch, never);
    }
    (receiver.new, last)
}

fn all(messages: &[Vec<u8>]) -> Vec<&[u8]> {
    messages.iter().map(Vec::as_slice).collect()
}

#[test]
fn what_is_whole_is_taken_in_order() {
    let messages = published(NORD, &key(), &[2, 3, 9]);
    let (new, judged) = taken(&[all(&messages)], &[], &[]);
    assert_eq!(new, [2, 3, 9]);
    let nord = &judged.taken[&NORD];
    assert_eq!((nord.position, nord.key), (9, Some(key().public())));
    assert!(judged.missing.is_empty() && nord.refused.is_none());
}

#[test]
fn a_changed_message_is_refused_and_asked_for_and_comes_whole() {
    let messages = published(NORD, &key(), &[1, 2, 3]);
    let mut changed = messages[1].clone();
    *changed.last_mut().unwrap() ^= 1;
    let (new, judged) = taken(&[vec![&messages[0], &changed, &messages[2]]], &[], &[]);
    assert_eq!(new, [1], "nothing behind it");
    assert_eq!(judged.missing, BTreeMap::from([(NORD, 2)]));
    let refused = judged.taken[&NORD].refused.as_ref().unwrap();
    assert_eq!((refused.sequence, refused.position), (1, None));
    assert!(refused.reason.contains("signature"), "{}", refused.reason);

    let anew = published_behind(1, NORD, &key(), &[2, 3]);
    let batches = [vec![&messages[0][..], &changed, &messages[2]], all(&anew)];
    let (new, judged) = taken(&batches, &[], &[]);
    assert_eq!((new, judged.taken[&NORD].position), (vec![1, 2, 3], 3));
    assert_eq!(judged.taken[&NORD].refused, None);
}

#[test]
fn a_dropped_message_is_missed_by_the_next() {
    let messages = published(NORD, &key(), &[1, 2, 3]);
    let (new, judged) = taken(&[vec![&messages[0], &messages[2]]], &[], &[]);
    assert_eq!(new, [1, 3]);
    assert_eq!(judged.missing, BTreeMap::from([(NORD, 2)]));
    assert_eq!(judged.taken[&NORD].position, 1);
}

#[test]
fn an_inserted_message_is_refused_and_what_follows_taken() {
    let messages = published(NORD, &key(), &[1, 2]);
    let forged = published(NORD, &Key::new(&[8; 32]), &[2]);
    let mut other = BTreeMap::new();
    let under_another = super::read(NORD + 1, 0, &messages[0], &mut other);
    assert!(under_another.read.is_err(), "another log's subject");
    let (new, judged) = taken(&[vec![&messages[0], &forged[0], &messages[1]]], &[], &[]);
    assert_eq!((new, judged.taken[&NORD].position), (vec![1, 2], 2));
}

#[test]
fn another_key_is_refused_and_explained_until_it_is_trusted() {
    let messages = published(NORD, &key(), &[1]);
    let other = Key::new(&[8; 32]);
    let later = sheet::sign(
        &other,
        Uuid::from_u128(NORD),
        &[message(NORD, 2, 1).encode()],
    );
    let (new, judged) = taken(&[all(&messages), all(&later)], &[], &[]);
    assert_eq!(new, [1]);
    let mut nord = judged.taken[&NORD].clone();
    let refused = nord.refused.clone().unwrap();
    assert_eq!(
        (refused.position, refused.other_key),
        (Some(2), Some(other.public()))
    );
    assert!(refused.reason.contains("another key"), "{}", refused.reason);
    assert!(judged.missing.is_empty(), "it would only come again");
    // Trusted meanwhile, by an administrator, while the same was judged once more.
    nord.key = Some(other.public());
    nord.go_on(&judged.taken[&NORD]);
    assert_eq!((nord.key, nord.refused), (Some(other.public()), None));
}

#[test]
fn what_the_log_can_never_take_holds_up_its_depot_until_it_is_passed_by() {
    let messages = published(NORD, &key(), &[1, 2, 3]);
    let (new, judged) = taken(&[all(&messages)], &[2], &[]);
    assert_eq!(new, [1]);
    let refused = judged.taken[&NORD].refused.as_ref().unwrap();
    assert_eq!(refused.position, Some(2));
    assert!(
        judged.missing.is_empty(),
        "it is not asked for again and again"
    );
    let (new, judged) = taken(&[all(&messages)], &[2], &[2]);
    assert_eq!((new, judged.taken[&NORD].position), (vec![1, 3], 3));
    assert_eq!(judged.taken[&NORD].refused, None);
}

/// South has 1 to 4 and asks for the rest; nothing is left in the stream, so the answer is the first that West hears of Nord.
#[test]
fn an_answer_to_one_depot_is_a_gap_to_another_that_is_further_back() {
    let mut nord = Publisher::new(10);
    let (mut south, mut west) = (Receiver::default(), Receiver::default());
    south.hear(&all(&published(NORD, &key(), &[1, 2, 3, 4])), &[]);
    let answer = nord.answer(5);
    let judged = south.hear(&all(&answer), &[]);
    assert_eq!((south.position(), judged.missing.len()), (10, 0));
    let judged = west.hear(&all(&answer), &[]);
    assert_eq!(west.position(), 0, "1 to 4 are not here");
    assert_eq!(judged.missing, BTreeMap::from([(NORD, 1)]));
    let answer = nord.answer(1);
    for depot in [&mut south, &mut west] {
        let judged = depot.hear(&all(&answer), &[]);
        assert_eq!((depot.position(), judged.missing.len()), (10, 0));
        assert!(depot.is_right(10), "{:?}", depot.new);
    }
}

#[test]
fn what_one_depot_asks_for_takes_back_no_refusal_of_another() {
    let mut nord = Publisher::new(60);
    let mut south = Receiver::default();
    south.hear(&all(&published(NORD, &key(), &[1, 2, 3])), &[2]);
    assert_eq!(south.refused().unwrap().position, Some(2));
    // West has all up to 50.
    south.hear(&all(&nord.answer(51)), &[2]);
    assert_eq!((south.position(), &south.new[..]), (1, &[1][..]));
    assert_eq!(south.refused().unwrap().position, Some(2));
}

#[test]
fn an_event_that_two_logs_recorded_first_is_told_apart_from_a_repetition() {
    let messages = published(NORD, &key(), &[1, 2, 3]);
    let mut south = Receiver::default();
    south.has.extend([(id(1), NORD), (id(2), WEST)]);
    let judged = south.hear(&all(&messages), &[]);
    assert_eq!((judged.repeated, judged.twice_recorded), (vec![0], vec![1]));
    assert_eq!(south.new, [3]);
    assert_eq!(south.position(), 3, "it holds nothing up");
}

#[test]
fn of_two_that_come_together_under_one_id_the_first_is_taken() {
    let nord = published(NORD, &key(), &[1]);
    let west = published(WEST, &key(), &[1]);
    let mut sheets = BTreeMap::new();
    let delivered = [
        super::read(NORD, 1, &nord[0], &mut sheets),
        super::read(WEST, 2, &west[0], &mut sheets),
        super::read(NORD, 3, &nord[0], &mut sheets),
    ];
    let nothing = HashMap::new();
    let judged = judge(
        &delivered,
        BTreeMap::new(),
        &BTreeMap::new(),
        &Has(&nothing),
    );
    assert_eq!(judged.new, [0]);
    assert_eq!((judged.repeated, judged.twice_recorded), (vec![2], vec![1]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the broker does to the messages of a depot (drops, repeats, exchanges, changes bits), and wherever others
    /// begin to hear them, what is taken was published, once, and all that a log says is there; and once each has asked for
    /// what it lacks, and all have heard what each was answered, everything is there everywhere.
    #[test]
    fn nothing_is_invented_and_nothing_stays_lost(
        count in 1..12_u64,
        order in proptest::collection::vec((0..12_usize, prop::option::weighted(0.2, (any::<prop::sample::Index>(), 0..8_u8))), 0..30),
        begins in proptest::collection::vec(0..30_usize, 3),
    ) {
        let positions: Vec<u64> = (1..=count).collect();
        let messages = published(NORD, &key(), &positions);
        let mut stream: Vec<Vec<u8>> = Vec::new();
        for (place, change) in &order {
            let Some(bytes) = messages.get(*place) else { continue };
            let mut bytes = bytes.clone();
            if let Some((at, bit)) = change {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            stream.push(bytes);
        }
        let mut receivers = [(); 3].map(|()| Receiver::default());
        for (receiver, begin) in receivers.iter_mut().zip(&begins) {
            let stream = all(&stream);
            receiver.hear(stream.get(*begin..).unwrap_or_default(), &[]);
            prop_assert!(receiver.is_right(count), "{:?} of {}", receiver.new, receiver.position());
        }
        let mut nord = Publisher::new(count);
        for asking in 0..receivers.len() {
            let from = receivers[asking].position() + 1;
            let answer = nord.answer(from);
            for receiver in &mut receivers {
                receiver.hear(&all(&answer), &[]);
                prop_assert!(receiver.is_right(count), "{:?} of {}", receiver.new, receiver.position());
            }
            let receiver = &receivers[asking];
            prop_assert_eq!(receiver.position(), count);
            // What was spoilt and has nothing behind it stays told.
            prop_assert!(receiver.refused().is_none() || from > count);
        }
    }
}
