//! Old segments in another folder: read across, missed when it is gone, whole when it is back.

use std::fs;
use std::path::Path;

use super::support::*;
use crate::*;

fn in_folder(folder: &Path, archive: Option<&Path>) -> Log {
    let options = LogOptions {
        archive: archive.map(Path::to_owned),
        ..small()
    };
    Log::open(folder, options).unwrap()
}

fn hundred(log: &Log) -> Vec<Event> {
    for number in 0..100 {
        let stream = ["a", "b", "c"][number % 3];
        log.append(one(stream, "T", &format!("{number}"))).unwrap();
    }
    assert!(log.stats().segments > 5);
    all(log)
}

fn names(folder: &Path, suffix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(suffix))
        .collect();
    names.sort();
    names
}

#[test]
fn archived_segments_are_moved_and_read_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(folder.path(), None);
    let events = hundred(&log);
    let archive = folder.path().join("archive");
    let segments = log.stats().segments;

    let nothing = log.archive(events[0].recorded_at).unwrap();
    assert_eq!(nothing, ArchiveReport::default());
    let report = log.archive(events[50].recorded_at).unwrap();
    assert!(report.segments > 0 && report.segments < segments);
    assert!(report.last_position < events[50].position && report.bytes > 0);
    assert_eq!(names(&archive, ".log").len() as u64, report.segments);
    assert_eq!(names(&archive, ".idx").len() as u64, report.segments);
    assert_eq!(
        names(folder.path(), ".log").len() as u64,
        segments - report.segments
    );
    assert_eq!(all(&log), events);

    // All but the segment being written; those moved before are left where they are.
    let more = log.archive(Timestamp::MAX).unwrap();
    assert_eq!(report.segments + more.segments, segments - 1);
    assert_eq!(log.archive(Timestamp::MAX).unwrap().segments, 0);
    assert_eq!(all(&log), events);
    assert_eq!(log.health().damage, []);
    log.append(one("a", "T", "on")).unwrap();
    log.close();

    let log = in_folder(folder.path(), None);
    assert_eq!(log.opened().damage, []);
    assert_eq!(all(&log)[..100], events);
    let by_id = log.position_of(events[3].id).unwrap();
    assert_eq!(by_id, Some(events[3].position));
    log.close();
    let report = verify(folder.path(), &VerifyOptions::default()).unwrap();
    assert_eq!((report.problems, report.events), (vec![], 101));
}

#[test]
fn a_log_without_its_archive_says_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let archive = elsewhere.path().join("cold");
    let log = in_folder(folder.path(), Some(&archive));
    let events = hundred(&log);
    let moved = log.archive(events[50].recorded_at).unwrap();
    let away = elsewhere.path().join("away");
    fs::rename(&archive, &away).unwrap();
    let error = log.archive(Timestamp::MAX).unwrap_err();
    assert!(matches!(error, ArchiveError::Missing { .. }), "{error}");
    log.close();
    // A disk that was not mounted leaves an empty folder, or none; and another log's disk may be there.
    for leaves in ["nothing", "an empty folder", "another log's"] {
        match leaves {
            "nothing" => {}
            "an empty folder" => fs::create_dir(&archive).unwrap(),
            _ => fs::write(archive.join("archive-is-here"), "another").unwrap(),
        }
        let options = LogOptions {
            archive: Some(archive.clone()),
            ..small()
        };
        let error = Log::open(folder.path(), options).unwrap_err();
        assert!(
            matches!(&error, OpenError::ArchiveMissing { folder } if *folder == archive),
            "{error}"
        );
    }
    fs::remove_dir_all(&archive).unwrap();
    let used = folder.path().join("archive-is-used");
    fs::remove_file(&used).unwrap();

    let log = in_folder(folder.path(), Some(&archive));
    assert_eq!(log.opened().damage.len() as u64, moved.segments);
    assert_eq!(log.opened().events, 100, "their positions are kept");
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let (mut lost, mut read) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => read.push(event.to_owned()),
            Err(ReadError::Damaged { first, last, .. }) => lost.extend(first.get()..=last.get()),
            Err(other) => panic!("{other}"),
        }
    }
    let kept = usize::try_from(moved.last_position.get()).unwrap();
    assert_eq!(read, events[kept..]);
    assert_eq!(lost, (1..=moved.last_position.get()).collect::<Vec<_>>());
    let receipt = log.append(one("a", "T", "on")).unwrap();
    assert_eq!(
        receipt.events[0].version,
        Version::new(35),
        "the stream goes on"
    );
    log.close();
    let options = VerifyOptions {
        archive: Some(archive.clone()),
        ..VerifyOptions::default()
    };
    assert!(!verify(folder.path(), &options).unwrap().problems.is_empty());

    fs::rename(&away, &archive).unwrap();
    fs::remove_file(archive.join("archive-is-here")).unwrap();
    let log = in_folder(folder.path(), Some(&archive));
    assert!(used.exists(), "what an earlier program moved is marked");
    assert_eq!(log.opened().damage, []);
    assert_eq!(all(&log)[..100], events);
    log.close();
    assert_eq!(verify(folder.path(), &options).unwrap().problems, []);
}

#[test]
fn reading_goes_on_while_segments_are_moved() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(folder.path(), None);
    let events = hundred(&log);
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let mut read = Vec::new();
    let step = events.len() / 5;
    while let Some(event) = reader.next() {
        read.push(event.unwrap().to_owned());
        if read.len() % step == 0 {
            log.archive(events[read.len() - 1].recorded_at).unwrap();
        }
    }
    assert_eq!(read, events);
}

/// A crash between copying and removing leaves a segment in both folders, which is the same log.
#[test]
fn a_segment_in_both_folders_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(folder.path(), None);
    let events = hundred(&log);
    log.archive(events[50].recorded_at).unwrap();
    log.close();
    let archive = folder.path().join("archive");
    let twice = &names(&archive, ".log")[1];
    fs::copy(archive.join(twice), folder.path().join(twice)).unwrap();
    let log = in_folder(folder.path(), None);
    assert_eq!((log.opened().damage.len(), all(&log)), (0, events));
}

/// An archive that is the log's own folder by another path: moving a segment onto itself would remove it.
#[test]
fn an_archive_in_the_logs_own_folder_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log_folder = folder.path().join("log");
    let other_path = folder.path().join("link");
    std::os::unix::fs::symlink(&log_folder, &other_path).unwrap();
    let log = in_folder(&log_folder, Some(&other_path));
    let events = hundred(&log);
    assert_eq!(log.archive(Timestamp::MAX).unwrap().segments, 0);
    assert_eq!(all(&log), events);
    log.close();
    assert_eq!(all(&in_folder(&log_folder, Some(&other_path))), events);
}
