//! What is said of each fault, in sentences that name it and say what to do.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use storage::{ExpectedVersion, NewEvent, StreamName, Timestamp, Transaction};

use super::*;
use crate::app::open_log;

/// A folder whose log holds fields of two people.
fn depot(folder: &Path) -> Config {
    let config = DataArgs {
        data: folder.to_owned(),
        config: None,
        set: Vec::new(),
    };
    let config = config.load().unwrap();
    let log = open_log(&config, Arc::new(SystemClock)).unwrap();
    for id in ["s1", "s2"] {
        let event = NewEvent::new("StaffCreated", r#"{"first_name":"Ada"}"#);
        let name = StreamName::new("Staff", id);
        log.append(Transaction::single(name, ExpectedVersion::Any, event))
            .unwrap();
    }
    log.close();
    config
}

fn bad(findings: Vec<Finding>) -> Vec<String> {
    let bad = findings.into_iter().filter_map(|finding| match finding {
        Finding::Bad(text) => Some(text),
        Finding::Fine(_) | Finding::Look(_) => None,
    });
    bad.collect()
}

#[track_caller]
fn says(config: &Config, words: &[&str]) {
    let said = bad(log(config));
    for word in words {
        assert!(
            said.iter().any(|line| line.contains(word)),
            "{word}: {said:?}"
        );
    }
}

#[test]
fn lost_keys_are_told_with_whose_they_are_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = depot(folder.path());
    assert_eq!(bad(log(&config)), Vec::<String>::new());
    let (keys, master) = (
        config.keys_folder().join("people.keys"),
        config.keys_folder().join("master.key"),
    );
    let text = fs::read_to_string(&keys).unwrap();

    fs::remove_file(&keys).unwrap();
    says(
        &config,
        &[
            "of 2 people cannot be read",
            "Staff:s1, Staff:s2",
            "put the copy of `keys/people.keys` back",
        ],
    );
    assert!(!keys.exists(), "nothing was made");

    // One of them lost a line, the other is whole.
    let without: String = text
        .lines()
        .filter(|line| !line.contains("Staff:s1"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&keys, without).unwrap();
    says(
        &config,
        &["of 1 people cannot be read, their keys are lost: Staff:s1;"],
    );
    fs::write(&keys, text.replacen("Staff:s1", "Staff:sX", 1)).unwrap();
    says(&config, &["1 lines of", "are damaged", "lost: Staff:s1;"]);
    fs::write(&keys, &text).unwrap();
    assert_eq!(bad(log(&config)), Vec::<String>::new());

    fs::write(&keys, text.replacen('{', "(", 1)).unwrap();
    says(
        &config,
        &["the master key is the right one, and the first line of"],
    );
    fs::write(&keys, &text).unwrap();

    let right = fs::read(&master).unwrap();
    fs::write(&master, [7; 32]).unwrap();
    says(
        &config,
        &[
            "the master key does not open the keys of people",
            "Staff:s1, Staff:s2",
        ],
    );
    fs::remove_file(&master).unwrap();
    says(&config, &["the master key is gone"]);
    assert!(!master.exists(), "nothing was made");
    fs::write(&master, right).unwrap();
    assert_eq!(bad(log(&config)), Vec::<String>::new());
}

/// A store that was begun anew has a key for somebody who comes again, and not the one that sealed what came before.
#[test]
fn a_key_made_later_is_not_the_one_that_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let config = depot(folder.path());
    fs::remove_file(config.keys_folder().join("people.keys")).unwrap();
    let log_again = open_log(&config, Arc::new(SystemClock)).unwrap();
    let event = NewEvent::new("StaffUpdated", r#"{"first_name":"Ada"}"#);
    let name = StreamName::new("Staff", "s1");
    log_again
        .append(Transaction::single(name, ExpectedVersion::Any, event))
        .unwrap();
    log_again.close();
    says(
        &config,
        &["of 2 people cannot be read", "Staff:s1, Staff:s2"],
    );
}

/// A release of before set files aside by itself; the depot's own may be among them.
#[test]
fn a_file_that_was_set_aside_and_that_the_master_key_opens_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = depot(folder.path());
    let people = config.keys_folder().join("people.keys");
    let kept = config.keys_folder().join("people.keys.unopened");
    let told = |verdict: &str, words: &str| {
        let said = keys::files(&config);
        check(said.last().unwrap(), verdict, words);
    };
    fs::rename(&people, &kept).unwrap();
    told("bad", "there is no");
    let other = b"another master key of thirty-two bytes and more";
    drop(crate::privacy::KeyStore::open(&config.keys_folder(), other).unwrap());
    told("bad", "people.keys.unopened to people.keys, while");
    fs::copy(&kept, &people).unwrap();
    told("look", "people.keys.unopened >> ");
}

/// `ok`, `look` or `bad`, and what is said.
fn told(finding: &Finding) -> (&'static str, &str) {
    match finding {
        Finding::Fine(text) => ("ok", text),
        Finding::Look(text) => ("look", text),
        Finding::Bad(text) => ("bad", text),
    }
}

#[track_caller]
fn check(finding: &Finding, verdict: &str, words: &str) {
    let (found, text) = told(finding);
    assert_eq!(found, verdict, "{text}");
    assert!(text.contains(words), "{words:?} is not in {text:?}");
}

fn days(count: i64) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + count * 86_400 * 1_000_000)
}

#[test]
fn a_certificate_is_told_of_a_month_before_it_ends() {
    let ends = days(100);
    let judge = |today| connections::judge_certificate(ends, days(today));
    check(&judge(0), "ok", "good until 2027");
    check(&judge(70), "ok", "good until 2027");
    check(&judge(71), "look", "in 29 days: renew it");
    check(&judge(93), "look", "in 7 days");
    check(&judge(94), "bad", "in 6 days");
    check(&judge(101), "bad", "ended at 2027");
}

#[test]
fn the_certificate_in_the_settings_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    assert!(connections::certificate(&config).is_none(), "TLS is off");
    config.tls.enabled = true;
    check(
        &connections::certificate(&config).unwrap(),
        "ok",
        "made at the first start",
    );
    crate::tls::Tls::open(&config).unwrap();
    check(
        &connections::certificate(&config).unwrap(),
        "ok",
        "good until",
    );
    fs::write(config.keys_folder().join("tls.crt"), "no certificate").unwrap();
    check(
        &connections::certificate(&config).unwrap(),
        "bad",
        "holds no certificate",
    );
}

#[test]
fn a_clock_that_is_wrong_or_behind_the_log_is_told() {
    check(
        &clock::judge_now(Timestamp::from_micros(0)),
        "bad",
        "set it",
    );
    check(&clock::judge_now(days(0)), "ok", "the clock says 2027");
    assert!(clock::behind(None, days(0)).is_none());
    assert!(clock::behind(Some(days(0)), days(1)).is_none());
    assert!(clock::behind(Some(days(0).plus_micros(59_000_000)), days(0)).is_none());
    let behind = clock::behind(Some(days(1)), days(0)).unwrap();
    check(&behind, "bad", "86400 s after what the clock says now");
    check(&clock::kept(Some("yes")), "ok", "kept by NTP");
    check(&clock::kept(Some("no")), "look", "set-ntp true");
    check(&clock::kept(None), "look", "cannot be told");
}

/// The log's own last event is what the clock is held against.
#[test]
fn an_event_from_the_future_is_seen_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let config = depot(folder.path());
    let report = storage::verify(&config.log_folder(), &VerifyOptions::default()).unwrap();
    let last = report.last_recorded.expect("there are events");
    assert!(last <= SystemClock.now() && last > SystemClock.now().plus_micros(-600_000_000));
}

#[test]
fn a_full_disk_and_a_strange_one_are_told() {
    check(&disk::judge_space(50, 100), "ok", "50 %");
    check(&disk::judge_space(14, 100), "look", "see how fast it goes");
    check(
        &disk::judge_space(4, 100),
        "bad",
        "appends are refused when it is full",
    );
    let judge = disk::judge_space_for_backups;
    check(&judge(50, 100), "ok", "backups' disk");
    check(&judge(14, 100), "look", "backups.keep");
    check(&judge(4, 100), "bad", "no backup is taken");
    check(&disk::judge_syncs(29), "look", "faster than disks are");
    check(&disk::judge_syncs(2_000), "ok", "2000 µs");
    check(
        &disk::judge_syncs(20_001),
        "look",
        "each write waits this long",
    );
    let folder = tempfile::tempdir().unwrap();
    assert!(!matches!(disk::syncs(folder.path()), Finding::Bad(_)));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left"
    );
}

#[test]
fn an_old_backup_a_missing_one_and_one_beside_the_log_are_told() {
    let hour = Duration::from_secs(3_600);
    let judge = |taken, now| backups::judge_age(days(taken), days(now), hour * 24);
    check(&judge(0, 2), "ok", "48 hours ago");
    check(&judge(0, 3), "bad", "one is due every 24 hours");
    // A clock that was set back makes none old.
    check(&judge(3, 0), "ok", "newest verified backup");

    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    assert!(
        backups::backups(&config).is_empty(),
        "without a log there is nothing to back up"
    );
    config = depot(folder.path());
    let said = backups::backups(&config);
    check(&said[0], "look", "there is no backup");
    check(&said[1], "look", "on the same disk as the log");
    let old = config.backups_folder().join("auto-2020-01-01T000000Z");
    fs::create_dir_all(&old).unwrap();
    check(&backups::backups(&config)[0], "bad", "2020-01-01");
    // What the server does not take for the newest, this does not either.
    fs::create_dir_all(config.backups_folder().join("auto-2999-01-01T000000Z")).unwrap();
    let said = backups::backups(&config);
    check(&said[0], "bad", "2020-01-01");
    check(&said[1], "look", "auto-2999-01-01T000000Z");
    config.backups.interval = Duration::ZERO;
    check(
        &backups::backups(&config)[0],
        "look",
        "see that somebody else does",
    );
}

#[cfg(unix)]
#[test]
fn whatever_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    fs::create_dir(&path).unwrap();
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&path, 0o700);
    let config = depot(&path);
    check(&folder(&path)[0], "ok", "belongs to its owner alone");
    set(&path, 0o755);
    check(&folder(&path)[0], "look", "chmod 700");
    assert_eq!(
        keys::files(&config).len(),
        1,
        "all is well, and no other key is named"
    );
    for name in ["master.key", "people.keys"] {
        let file = config.keys_folder().join(name);
        set(&file, 0o644);
        let said = keys::files(&config);
        check(&said[1], "bad", name);
        set(&file, 0o600);
    }
    let aside = config.keys_folder().join("people.keys.unopened-2");
    fs::write(&aside, "").unwrap();
    set(&aside, 0o644);
    let said = keys::files(&config);
    check(&said[1], "bad", "people.keys.unopened-2");
    check(&said[2], "look", "named people.keys again");
    fs::remove_file(&aside).unwrap();
    fs::write(config.keys_folder().join("jwt.key"), [1; 32]).unwrap();
    set(&config.keys_folder().join("jwt.key"), 0o640);
    check(&keys::files(&config)[0], "bad", "mode 640");
    check(
        &folder(&home.path().join("nowhere"))[0],
        "look",
        "does not exist yet",
    );
    fs::write(home.path().join("file"), "").unwrap();
    check(&folder(&home.path().join("file"))[0], "bad", "is no folder");
}

#[test]
fn too_few_open_files_and_an_open_address_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.http.connections_max = 1_000;
    check(
        &connections::judge_descriptors(1_511, &config),
        "look",
        "need 1512",
    );
    check(
        &connections::judge_descriptors(1_512, &config),
        "ok",
        "1512 files",
    );
    check(
        &connections::address(&config),
        "ok",
        "only this machine reaches",
    );
    config.listen = "0.0.0.0:8443".to_owned();
    check(&connections::address(&config), "look", "unencrypted");
    config.tls.enabled = true;
    check(&connections::address(&config), "ok", "encrypted");
}

/// Whoever looks as root would make folders that the server cannot write to.
#[test]
fn a_look_at_the_archive_makes_no_folder() {
    let home = tempfile::tempdir().unwrap();
    let mut config = depot(&home.path().join("data"));
    let place = home.path().join("archive");
    config.archive.to = Some(format!("file://{}", place.display()));
    check(&archive(&config).unwrap(), "look", "is not there");
    assert!(!place.exists() && !config.fetched_folder().exists());
    fs::create_dir(&place).unwrap();
    check(&archive(&config).unwrap(), "ok", "answers");
    assert!(!config.fetched_folder().exists());
    // What was sent there is gone with the disk.
    fs::remove_dir(&place).unwrap();
    fs::write(config.log_folder().join("000000000009.stub"), "").unwrap();
    check(&archive(&config).unwrap(), "bad", "cannot be reached");
}

#[test]
fn a_damaged_log_is_told_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = depot(folder.path());
    let segment = config.log_folder().join("000000000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[300] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let said = bad(log(&config));
    assert!(
        said.iter()
            .any(|line| line.contains("restore a backup beside it")),
        "{said:?}"
    );
}

#[test]
fn a_place_for_exports_that_is_no_address_is_told_and_how_one_looks() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    assert!(lake(&config).is_none());
    config.lake.to = Some("/mnt/lake".to_owned());
    check(&lake(&config).unwrap(), "bad", "give file:///folder");
    let place = folder.path().join("lake");
    config.lake.to = Some(format!("file://{}", place.display()));
    assert!(lake(&config).is_none());
    assert!(!place.exists(), "nothing is changed");
}
