//! What goes wrong on the way to the archive, there, and with what stays here.

use std::time::{Duration, Instant};

use super::*;
use crate::repo::{Crash, Fault, FaultKind, FaultyRepo, NameModel};

#[test]
fn a_segment_leaves_only_when_it_was_read_back() {
    for mood in [
        Mood::Away,
        Mood::TakesHalf,
        Mood::KeepsOther,
        Mood::GivesHalf,
        Mood::GivesOther,
        Mood::GivesMore,
        Mood::BreaksOff,
        Mood::Refuses,
    ] {
        let depot = Depot::new(1 << 20);
        let log = depot.open();
        let events = fill(&log);
        let segments = depot.files(".log");
        depot.tier.be(mood);
        let error = log
            .send_away(events[85].recorded_at, &|| false)
            .unwrap_err();
        assert!(
            matches!(error, ArchiveError::Tier(_)),
            "{mood:?}: {error:?}"
        );
        assert_eq!(
            (depot.files(".log"), depot.files(".stub")),
            (segments, 0),
            "{mood:?}"
        );
        assert_eq!(all(&log), events);
        depot.tier.be(Mood::Well);
        send(&log);
        assert_eq!(all(&log), events, "{mood:?}");
        log.close();
        assert_eq!(all(&depot.open()), events, "{mood:?}");
    }
}

#[test]
fn one_that_was_altered_or_lost_there_is_named() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    send(&log);
    let object = depot.tier.objects()[1].clone();
    depot.tier.change(&object, |bytes| bytes[300] ^= 8);
    let first_lost = {
        let mut reader = log.read(&ReadRequest::default()).unwrap();
        let mut read = 0;
        while let Some(event) = reader.next() {
            match event {
                Ok(_) => read += 1,
                Err(ReadError::Archived {
                    source: ArchivedError::Altered { object: named, .. },
                    ..
                }) => {
                    assert_eq!(named, object);
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        read
    };
    assert!(first_lost > 0 && first_lost < 50);
    assert!(
        matches!(depot.verify(), Err(VerifyError::Archived { segment, .. }) if segment == SegmentId::new(2))
    );

    depot.tier.remove(&object);
    let mut cursor = ScrubCursor::default();
    let whole = log.scrub(&mut cursor).unwrap();
    assert_eq!(
        (whole.damage.len(), whole.next.get()),
        (0, first_lost as u64 + 1)
    );
    let gone = log.scrub(&mut cursor).unwrap();
    assert_eq!(
        gone.damage[0].positions.unwrap().0,
        events[first_lost].position
    );
    assert_eq!(log.health().damage, gone.damage);
}

#[test]
fn an_index_or_a_stub_that_is_gone() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    send(&log);
    log.close();
    let names = depot.repo.list().unwrap();
    for name in names.iter().filter(|name| name.ends_with(".idx")) {
        depot.repo.remove(name).unwrap();
    }
    depot.tier.fetches();
    let log = depot.open();
    log.settle();
    assert_eq!(depot.tier.fetches(), 0);
    assert_eq!(all(&log), events, "indexes are made again by who reads");
    let part = ReadRequest {
        query: Query::aggregate_types(["Part"]),
        ..ReadRequest::default()
    };
    assert_eq!(collect(&log, &part).len(), EVENTS / 4);
    log.close();
    assert_eq!(depot.verify().unwrap().problems, []);

    let stub = depot.repo.bytes("000000000002.stub");
    let mut damaged = stub.clone();
    damaged[40] ^= 1;
    depot.repo.put("000000000002.stub", damaged);
    let log = depot.open();
    assert_eq!(log.opened().damage[0].segment, SegmentId::new(2));
    assert_eq!(log.opened().events, EVENTS as u64);
    log.close();
    assert!(!depot.verify().unwrap().problems.is_empty());

    let mut damaged = stub.clone();
    let at = damaged.len() - 3;
    damaged[at] ^= 1;
    depot.repo.put("000000000002.stub", damaged);
    let problems = depot.verify().unwrap().problems;
    assert_eq!(
        (problems.len(), &*problems[0].file),
        (1, "000000000002.stub")
    );
    let log = depot.open();
    assert_eq!(all(&log), events, "what is kept in it is not used then");
    let kept = ReadRequest {
        query: Query::aggregate_types(["Kept"]),
        ..ReadRequest::default()
    };
    assert_eq!(collect(&log, &kept).len(), EVENTS / 4);
}

/// Without saved tables a start needs the indexes. One that was damaged inside once ended every start, for nothing was fetched.
#[test]
fn an_index_that_is_damaged_is_made_again_by_a_start_that_needs_it() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    send(&log);
    log.close();
    let index = "000000000002.idx";
    let whole = depot.repo.bytes(index);
    let damage = |at: usize| {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        depot.repo.put(index, damaged);
        for name in depot.repo.list().unwrap() {
            if name.ends_with(".state") {
                depot.repo.remove(&name).unwrap();
            }
        }
    };
    // Its header: nothing of it answers.
    damage(20);
    depot.tier.be(Mood::Away);
    let error = depot.try_open().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("put the index back from a backup"),
        "{error}"
    );
    depot.tier.be(Mood::Well);
    for at in (300..whole.len()).step_by(24) {
        damage(at);
        let log = depot.open();
        assert_eq!(all(&log), events, "byte {at}");
        log.settle();
        log.close();
        assert_eq!(depot.repo.bytes(index), whole, "byte {at}");
    }
}

#[test]
fn a_power_cut_on_the_way_loses_nothing() {
    let before = MemoryRepo::new();
    let options = small();
    let log = open(&(Arc::new(before.clone()) as Arc<dyn Repo>), &options);
    let events = fill(&log);
    log.close();
    let run = |faulty: &FaultyRepo, tier: &FakeTier| {
        let options = LogOptions {
            tier: Some(tier.options(1 << 20)),
            ..small()
        };
        let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
        let Ok(log) = try_open(&repo, &options) else {
            return;
        };
        let _ = log.send_away(events[60].recorded_at, &|| false);
        log.close();
    };
    let faulty = FaultyRepo::over(&before.copy());
    run(&faulty, &FakeTier::default());
    let count = faulty.operations();
    assert!(count > 40, "{count}");
    for model in [NameModel::Posix, NameModel::Journal] {
        for at in 1..=count {
            for kind in [FaultKind::CrashBefore, FaultKind::CrashAfter, FaultKind::Io] {
                let (faulty, tier) = (FaultyRepo::over(&before.copy()), FakeTier::default());
                faulty.set_name_model(model);
                faulty.inject(Fault {
                    at,
                    only: None,
                    kind,
                });
                run(&faulty, &tier);
                for crash in [
                    Crash::DropUnsynced,
                    Crash::KeepAll,
                    Crash::Subset { seed: at },
                ] {
                    let what = format!("{model:?}, operation {at}, {kind:?}, {crash:?}");
                    let options = LogOptions {
                        tier: Some(tier.options(1 << 20)),
                        ..small()
                    };
                    let repo: Arc<dyn Repo> = Arc::new(faulty.crash(crash));
                    let log =
                        try_open(&repo, &options).unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(log.opened().damage, [], "{what}");
                    assert_eq!(all(&log), events, "{what}");
                    let sent = log.send_away(events[60].recorded_at, &|| false);
                    sent.unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(all(&log), events, "{what}");
                    log.close();
                    let left = repo.list().unwrap();
                    let both = left.iter().filter_map(|name| name.strip_suffix(".stub"));
                    let both = both.filter(|name| left.contains(&format!("{name}.log")));
                    assert_eq!(both.count(), 0, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_damaged_segment_stays_here() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    let (file, offset) = event_place(&log, 30);
    log.close();
    let mut bytes = depot.repo.bytes(&file);
    bytes[offset + 60] ^= 1;
    depot.repo.put(&file, bytes);
    let log = depot.open();
    let error = log
        .send_away(events[85].recorded_at, &|| false)
        .unwrap_err();
    assert!(matches!(error, ArchiveError::Damaged { .. }), "{error:?}");
    assert!(depot.repo.list().unwrap().contains(&file));
    assert!(depot.files(".stub") > 0, "those before it went");
}

/// The thread that fetches for the writer goes down: another one does, when the append is tried again.
#[test]
fn a_fetch_that_panics_is_tried_again() {
    let depot = Depot::new(1 << 20);
    let log = depot.open();
    let events = fill(&log);
    send(&log);
    depot.tier.fetches();
    depot.tier.be(Mood::Panics);
    let again = || log.append(event(2));
    assert!(matches!(again(), Err(AppendError::Archived { .. })));
    while depot.tier.fetches() == 0 {
        std::thread::yield_now();
    }
    depot.tier.be(Mood::Well);
    let until = Instant::now() + Duration::from_secs(60);
    let receipt = loop {
        match again() {
            Err(AppendError::Archived { .. }) if Instant::now() < until => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    assert!(receipt.duplicate);
    assert_eq!(receipt.last_position(), events[2].position);
}

/// What keeps its length and is something else is found by a scrub that reads it, and by none that asks for the length.
#[test]
fn a_scrub_that_reads_the_archive_finds_what_was_altered_there() {
    let depot = Depot::new(4_500);
    let log = depot.open();
    fill(&log);
    let sent = send(&log);
    let round = |mut cursor: ScrubCursor| {
        let (begin, mut damage, mut bytes) = (cursor, Vec::new(), 0);
        loop {
            let step = log.scrub(&mut cursor).unwrap();
            damage.extend(step.damage);
            bytes += step.bytes;
            if step.left == 0 {
                assert_eq!(
                    cursor, begin,
                    "the next round begins, and reads as this one"
                );
                return (damage, bytes);
            }
        }
    };
    log.read(&ReadRequest::at(Position::new(5))).unwrap().next();
    let before = log.tier_stats().unwrap();
    let (damage, bytes) = round(ScrubCursor::reading_the_archive());
    assert_eq!(damage, []);
    let after = log.tier_stats().unwrap();
    assert_eq!(after.bytes_fetched - before.bytes_fetched, sent.bytes);
    assert!(bytes > sent.bytes, "its pace is measured by what it read");
    assert_eq!(
        (after.bytes_held, after.evictions, after.misses),
        (before.bytes_held, before.evictions, before.misses),
        "the folder is left to who reads"
    );

    let object = depot.tier.objects()[1].clone();
    depot.tier.change(&object, |bytes| bytes[300] ^= 8);
    assert_eq!(round(ScrubCursor::default()).0, []);
    let (damage, _) = round(ScrubCursor::reading_the_archive());
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert_eq!(damage[0].segment, SegmentId::new(2));
    assert!(damage[0].positions.is_some());
    assert_eq!(log.health().damage, damage);
}
