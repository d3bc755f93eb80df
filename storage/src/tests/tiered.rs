//! Segments that lie in an archive: sent away whatever happens on the way, found again, and never taken for lost.

mod faults;
mod here;
mod immutable;

use std::sync::Arc;

use super::support::*;
use crate::log::Beside;
use crate::repo::{MemoryRepo, Repo};
use crate::tier::tests::{FakeTier, Mood};
use crate::verify::verify_in;
use crate::*;

/// Events of a log: more than a tile of the tree, for what is not hashed is not sent away.
const EVENTS: usize = 400;

/// A log of events in streams of three types, of which `Kept` stays.
struct Depot {
    repo: MemoryRepo,
    tree: MemoryRepo,
    tier: FakeTier,
    options: LogOptions,
}

impl Depot {
    fn new(fetched_bytes_max: u64) -> Self {
        let tier = FakeTier::default();
        Depot {
            repo: MemoryRepo::new(),
            tree: MemoryRepo::new(),
            options: LogOptions {
                tier: Some(tier.options(fetched_bytes_max)),
                ..small()
            },
            tier,
        }
    }

    #[track_caller]
    fn open(&self) -> Log {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Log, OpenError> {
        let beside = Beside {
            tree: Arc::new(self.tree.clone()),
            ..beside(memory())
        };
        let repo: Arc<dyn Repo> = Arc::new(self.repo.clone());
        Log::open_in(repo, None, beside, self.options.clone(), None)
    }

    fn files(&self, suffix: &str) -> usize {
        let names = self.repo.list().unwrap();
        names.iter().filter(|name| name.ends_with(suffix)).count()
    }

    fn verify(&self) -> Result<VerifyReport, VerifyError> {
        let repo: Arc<dyn Repo> = Arc::new(self.repo.clone());
        let options = VerifyOptions {
            tier: self.options.tier.clone(),
            ..VerifyOptions::default()
        };
        verify_in(&repo, None, &options)
    }
}

fn event(number: usize) -> Transaction {
    let of = ["Vehicle", "Vehicle", "Part", "Kept"][number % 4];
    let stream = StreamName::new(of, format!("{}", number % 7));
    let mut event = NewEvent::new(
        ["T", "U"][number % 2],
        format!("{number} {}", "x".repeat(40)),
    );
    event.id = Some(uuid::Uuid::from_u128(1_000 + number as u128));
    Transaction::single(stream, ExpectedVersion::Any, event)
}

fn fill(log: &Log) -> Vec<Event> {
    for number in 0..EVENTS {
        log.append(event(number)).unwrap();
    }
    log.settle();
    all(log)
}

/// Sends away all but the segment that is written, and the last before it.
#[track_caller]
fn send(log: &Log) -> ArchiveReport {
    let events = all(log);
    let report = log.send_away(events[85].recorded_at, &|| false).unwrap();
    assert!(report.segments >= 4, "{report:?}");
    report
}

#[track_caller]
fn archived<T: std::fmt::Debug>(outcome: Result<T, ReadError>) {
    assert!(
        matches!(outcome, Err(ReadError::Archived { .. })),
        "{outcome:?}"
    );
}

#[test]
fn history_is_read_as_before_through_a_folder_smaller_than_it() {
    let depot = Depot::new(4_500);
    let log = depot.open();
    let events = fill(&log);
    let (root, segments) = (
        log.tree_root(Position::new(EVENTS as u64)).unwrap(),
        log.stats().segments,
    );
    let report = send(&log);
    assert_eq!(depot.files(".stub") as u64, report.segments);
    assert_eq!(depot.files(".log") as u64, segments - report.segments);
    assert_eq!(depot.tier.objects().len() as u64, report.segments);
    assert!(
        log.send_away(events[85].recorded_at, &|| false)
            .unwrap()
            .segments
            == 0
    );

    for log in [log, depot.open()] {
        depot.tier.fetches();
        assert_eq!(log.opened().damage, []);
        assert_eq!(all(&log), events);
        let stats = log.tier_stats().unwrap();
        assert_eq!(
            (stats.segments, stats.bytes),
            (report.segments, report.bytes)
        );
        assert!(
            stats.evictions > 0 && stats.bytes_held <= 4_500,
            "{stats:?}"
        );
        let backward = ReadRequest {
            direction: Direction::Backward,
            ..ReadRequest::default()
        };
        let mut turned = collect(&log, &backward);
        turned.reverse();
        assert_eq!(turned, events);
        let by_time = ReadRequest {
            order: Order::Occurred,
            ..ReadRequest::default()
        };
        assert_eq!(collect(&log, &by_time), events, "no clock was set back");
        for kind in ["Vehicle", "Part", "Kept"] {
            let request = ReadRequest {
                query: Query::aggregate_types([kind]),
                ..ReadRequest::default()
            };
            let of_kind = events
                .iter()
                .filter(|event| &*event.stream.aggregate_type == kind);
            assert_eq!(
                collect(&log, &request),
                of_kind.cloned().collect::<Vec<_>>()
            );
        }
        for event in &events {
            assert_eq!(log.position_of(event.id).unwrap(), Some(event.position));
            assert_eq!(log.position_at(event.recorded_at).unwrap(), event.position);
        }
        assert_eq!(log.tree_root(Position::new(EVENTS as u64)).unwrap(), root);
        let proof = log
            .inclusion_proof(Position::new(3), Position::new(EVENTS as u64))
            .unwrap();
        assert!(proof.holds(&root), "a proof across both");
        log.close();
    }
    let report = depot.verify().unwrap();
    assert_eq!(
        (report.problems, report.events, report.digest),
        (vec![], EVENTS as u64, root)
    );
}

#[test]
fn only_what_holds_it_is_fetched() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    send(&log);
    log.close();
    depot.tier.fetches();
    let log = depot.open();
    assert_eq!(depot.tier.fetches(), 0, "opening fetches nothing");
    assert_eq!(
        collect(&log, &ReadRequest::at(Position::new(30))),
        events[29..30]
    );
    assert_eq!(depot.tier.fetches(), 1, "one event");
    assert_eq!(
        collect(&log, &ReadRequest::at(Position::new(31))),
        events[30..31]
    );
    assert_eq!(depot.tier.fetches(), 0, "its neighbour");
    log.position_at(events[1].recorded_at).unwrap();
    assert_eq!(depot.tier.fetches(), 1, "a moment");
    log.position_at(events[EVENTS - 1].recorded_at).unwrap();
    log.position_at(Timestamp::MIN).unwrap();
    log.position_of(events[50].id).unwrap();
    assert_eq!(depot.tier.fetches(), 0, "what is here, and what ids tell");
    let late = StreamRange {
        from: Version::new(12),
        ..StreamRange::default()
    };
    let name = StreamName::new("Vehicle", "0");
    let tail: Vec<_> = std::iter::from_fn({
        let mut reader = log.read_stream(&name, &late);
        move || reader.next().map(|event| event.unwrap().position())
    })
    .collect();
    let expected = events.iter().filter(|event| event.stream == name);
    let expected = expected
        .filter(|event| event.version >= late.from)
        .map(|event| event.position);
    assert_eq!(tail, expected.collect::<Vec<_>>());
    assert!(depot.tier.fetches() <= 1, "the end of a stream");
}

#[test]
fn without_the_archive_all_that_is_here_works_and_nothing_is_lost() {
    for forgets in [false, true] {
        let depot = Depot::new(1 << 20);
        let log = depot.open();
        let events = fill(&log);
        let sent = send(&log);
        log.close();
        if forgets {
            for name in depot.repo.list().unwrap() {
                if name.ends_with(".state") {
                    depot.repo.remove(&name).unwrap();
                }
            }
        }
        depot.tier.be(Mood::Away);
        let log = depot.open();
        log.settle();
        assert_eq!(
            (log.opened().events, &*log.opened().damage),
            (EVENTS as u64, &[][..])
        );
        let recent = ReadRequest {
            from: sent.last_position.next(),
            ..ReadRequest::default()
        };
        let here = usize::try_from(sent.last_position.get()).unwrap();
        assert_eq!(collect(&log, &recent), events[here..]);
        let kept = ReadRequest {
            query: Query::aggregate_types(["Kept"]),
            ..ReadRequest::default()
        };
        let of_kept = events
            .iter()
            .filter(|event| &*event.stream.aggregate_type == "Kept");
        assert_eq!(collect(&log, &kept), of_kept.cloned().collect::<Vec<_>>());
        let user = StreamName::new("Kept", "3");
        let mut reader = log.read_stream(&user, &StreamRange::default());
        let mut versions = 0;
        while let Some(event) = reader.next() {
            event.unwrap();
            versions += 1;
        }
        assert_eq!(
            Some(Version::new(versions)),
            log.stream(&user).map(|tip| tip.version)
        );

        // New events of old streams, with ids that are new: nothing has to be fetched for them.
        for number in EVENTS..EVENTS + 50 {
            let receipt = log.append(event(number)).unwrap();
            assert_eq!(receipt.last_position().get(), number as u64 + 1);
            let stream = &event(number).writes[0].stream;
            let before = events
                .iter()
                .filter(|event| event.stream == *stream)
                .count();
            let since = (EVENTS..=number).filter(|&other| event(other).writes[0].stream == *stream);
            let version = u32::try_from(before + since.count()).unwrap();
            assert_eq!(receipt.events[0].version, Version::new(version));
        }
        let mut reader = log.read(&ReadRequest::default()).unwrap();
        let mut kinds = (0, 0);
        while let Some(event) = reader.next() {
            match event {
                Ok(_) => kinds.0 += 1,
                Err(ReadError::Archived { source, .. }) => {
                    assert!(source.to_string().contains("fake://place"), "{source}");
                    kinds.1 += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(kinds, (EVENTS + 50 - here, sent.segments));
        archived(log.position_at(events[1].recorded_at));
        let proof = log.inclusion_proof(Position::new(3), Position::new(EVENTS as u64));
        assert!(matches!(
            proof,
            Err(TreeError::Read(ReadError::Archived { .. }))
        ));
        archived(log.scrub(&mut ScrubCursor::default()));
        assert_eq!(log.health().damage, [], "what is away is not damaged");
        assert!(matches!(depot.verify(), Err(VerifyError::Archived { .. })));

        depot.tier.be(Mood::Well);
        assert_eq!(all(&log)[..EVENTS], events);
        log.close();
        assert_eq!(depot.verify().unwrap().problems, []);
    }
}

#[test]
fn a_log_opened_without_an_archive_says_what_it_needs() {
    let mut depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    send(&log);
    log.close();
    let tier = depot.options.tier.take();
    let log = depot.open();
    assert!(matches!(
        log.send_away(Timestamp::MAX, &|| false),
        Err(ArchiveError::NotConfigured)
    ));
    let first = log
        .read(&ReadRequest::default())
        .unwrap()
        .next()
        .unwrap()
        .map(|_| ());
    let Err(ReadError::Archived { source, .. }) = first else {
        panic!("{first:?}")
    };
    assert!(matches!(source, ArchivedError::NotConfigured), "{source}");
    log.close();
    depot.options.tier = tier;
    assert_eq!(all(&depot.open()), events);
}

#[test]
fn a_repeated_id_is_known_once_its_segment_is_here() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    send(&log);
    let again = || log.append(event(2));
    assert!(
        matches!(again(), Err(AppendError::Archived { .. })),
        "the writer does not wait"
    );
    let receipt = loop {
        match again() {
            Err(AppendError::Archived { .. }) => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    assert!(receipt.duplicate);
    assert_eq!(receipt.last_position(), events[2].position);
    assert_eq!(log.durable_position().get(), EVENTS as u64);
}

#[test]
fn a_condition_that_reaches_into_the_archive_is_never_guessed() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    fill(&log);
    let sent = send(&log);
    depot.tier.be(Mood::Away);
    let conditional = |query: Query, after| {
        let mut transaction = event(2_000);
        transaction.condition = Some(Condition { query, after });
        log.append(transaction)
    };
    let parts = Query::stream(StreamName::new("Part", "2"));
    let newest = all_here(&log, sent.last_position)
        .into_iter()
        .rfind(|event| event.stream == StreamName::new("Part", "2"));
    let outcome = conditional(parts.clone(), Position::START);
    match newest {
        Some(event) => assert!(
            matches!(outcome, Err(AppendError::ConditionFailed { position, .. }) if position == event.position)
        ),
        None => assert!(
            matches!(outcome, Err(AppendError::Archived { .. })),
            "{outcome:?}"
        ),
    }
    let nobody = Query::event_types(["Never"]);
    conditional(nobody, Position::START).unwrap();
}

fn all_here(log: &Log, above: Position) -> Vec<Event> {
    collect(
        log,
        &ReadRequest {
            from: above.next(),
            ..ReadRequest::default()
        },
    )
}

/// At every operation of the log's folder, before and after it, and with whatever a power cut leaves of what was not synced.

#[test]
fn a_backup_has_stubs_and_what_is_restored_needs_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tier = FakeTier::default();
    let options = LogOptions {
        tier: Some(tier.options(5_000)),
        ..small()
    };
    let log = Log::open(&path("log"), options.clone()).unwrap();
    let events = fill(&log);
    let sent = log.send_away(events[85].recorded_at, &|| false).unwrap();
    let report = log.backup(&path("backup")).unwrap();
    assert_eq!(report.archived, sent.segments);
    log.append(event(2_001)).unwrap();
    log.close();

    let restored = restore(&path("backup"), &path("whole"), None).unwrap();
    assert_eq!(
        (restored.position.get(), restored.archived),
        (EVENTS as u64, sent.segments)
    );
    tier.be(Mood::Away);
    let log = Log::open(&path("whole"), options.clone()).unwrap();
    assert_eq!(log.opened().damage, []);
    tier.be(Mood::Well);
    assert_eq!(all(&log), events);
    log.close();
    let verified = VerifyOptions {
        tier: options.tier.clone(),
        ..VerifyOptions::default()
    };
    assert_eq!(verify(&path("whole"), &verified).unwrap().problems, []);

    // To a moment that lies in the archive: that segment is needed here, for it is written to next.
    let earlier = Position::new(30);
    let error = restore(&path("backup"), &path("earlier"), Some(earlier)).unwrap_err();
    assert!(format!("{error:?}").contains("NotConfigured"), "{error:?}");
    let tiered = options.tier.as_ref();
    let restored =
        restore_tiered(&path("backup"), &path("earlier"), Some(earlier), tiered).unwrap();
    assert_eq!(restored.position, earlier);
    let log = Log::open(&path("earlier"), options.clone()).unwrap();
    assert_eq!(all(&log), events[..30]);
    // It goes on otherwise, and what it sends away never takes the place of what the first log sent.
    for number in 3_000..3_400 {
        log.append(event(number)).unwrap();
    }
    let objects = tier.objects();
    log.settle();
    log.send_away(Timestamp::MAX, &|| false).unwrap();
    assert!(objects.iter().all(|object| tier.objects().contains(object)));
    assert_eq!(all(&log).len(), 430);
    log.close();
    assert_eq!(verify(&path("earlier"), &verified).unwrap().problems, []);
    let log = Log::open(&path("log"), options).unwrap();
    assert_eq!(
        all(&log)[..EVENTS],
        events,
        "the first log has all of its own"
    );
}

/// The folder of an older archive on another disk: what lies there goes on to the place, index and all.

#[test]
fn segments_of_the_archive_folder_are_sent_too() {
    let folder = tempfile::tempdir().unwrap();
    let tier = FakeTier::default();
    let options = LogOptions {
        tier: Some(tier.options(1 << 20)),
        ..small()
    };
    let log = Log::open(folder.path(), options.clone()).unwrap();
    let events = fill(&log);
    let moved = log.archive(events[50].recorded_at).unwrap();
    let sent = log.send_away(events[85].recorded_at, &|| false).unwrap();
    assert!(sent.segments > moved.segments && moved.segments > 0);
    let archive = std::fs::read_dir(folder.path().join("archive")).unwrap();
    let left: Vec<_> = archive.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["archive-is-here"]);
    assert_eq!(all(&log), events);
    log.close();
    tier.be(Mood::Away);
    let log = Log::open(folder.path(), options).unwrap();
    assert_eq!(
        (log.opened().indexes_missing, &*log.opened().damage),
        (0, &[][..])
    );
    tier.be(Mood::Well);
    assert_eq!(all(&log), events);
}
