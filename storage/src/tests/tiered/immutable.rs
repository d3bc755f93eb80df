//! A place that lets nothing be replaced: whatever an attempt left there, segments go on being sent, and are found again.

use super::*;

/// A log whose place keeps all that it has.
fn filled() -> (Depot, Log, Vec<Event>) {
    let depot = Depot::new(1 << 20);
    depot.tier.keep_all();
    let log = depot.open();
    let events = fill(&log);
    (depot, log, events)
}

#[track_caller]
fn refused(log: &Log, events: &[Event]) -> ArchivedError {
    match log.send_away(events[85].recorded_at, &|| false) {
        Err(ArchiveError::Tier(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// It once was in the way for ever, and every segment behind it stayed here.
#[test]
fn an_object_that_was_not_read_back_is_what_the_next_run_finds() {
    let (depot, log, events) = filled();
    depot.tier.be(Mood::BreaksOff);
    let error = refused(&log, &events);
    assert!(
        matches!(error, ArchivedError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(depot.tier.objects().len(), 1);
    depot.tier.be(Mood::Well);
    let report = send(&log);
    assert_eq!(report.renamed, 0);
    assert_eq!(depot.tier.objects().len() as u64, report.segments);
    assert_eq!(all(&log), events);
}

#[test]
fn something_else_under_its_name_costs_the_name_and_not_the_segment() {
    let (depot, log, events) = filled();
    depot.tier.be(Mood::KeepsOther);
    let error = refused(&log, &events);
    assert!(matches!(error, ArchivedError::Altered { .. }), "{error:?}");
    let spoiled = depot.tier.objects()[0].clone();
    depot.tier.be(Mood::Well);
    let report = send(&log);
    assert_eq!(report.renamed, 1, "it is said");
    let second = spoiled.replace(".log", "-2.log");
    let objects = depot.tier.objects();
    assert!(objects.contains(&spoiled) && objects.contains(&second));
    assert_eq!(objects.len() as u64, report.segments + 1);

    assert_eq!(all(&log), events, "it is read under the name that holds it");
    let mut cursor = ScrubCursor::reading_the_archive();
    assert_eq!(log.scrub(&mut cursor).unwrap().damage, []);
    log.close();
    assert_eq!(depot.verify().unwrap().problems, []);
    depot.tier.remove(&spoiled);
    let log = depot.open();
    assert_eq!(log.scrub(&mut ScrubCursor::default()).unwrap().damage, []);

    depot.tier.remove(&second);
    let gone = log.scrub(&mut ScrubCursor::default()).unwrap();
    assert_eq!(gone.damage.len(), 1, "under none of its names");
}

#[test]
fn a_place_that_spoils_what_it_takes_is_not_given_it_for_ever() {
    let (depot, log, events) = filled();
    depot.tier.be(Mood::KeepsOther);
    for taken in [1, 2, 3, 4, 4] {
        let error = refused(&log, &events);
        assert!(matches!(error, ArchivedError::Altered { .. }), "{error:?}");
        assert_eq!(depot.tier.objects().len(), taken);
    }
    assert_eq!(depot.files(".stub"), 0);
    assert_eq!(all(&log), events, "all of it is here");
}

#[test]
fn a_place_that_takes_nothing_is_not_taken_for_one_that_keeps_all() {
    let (depot, log, events) = filled();
    depot.tier.be(Mood::Refuses);
    let error = refused(&log, &events);
    let ArchivedError::Unreachable { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(depot.tier.objects(), [""; 0]);
}
