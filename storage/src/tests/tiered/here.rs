//! What a running server holds each of its backups against: all that is here, and whether the archive has the rest.

use std::fs;
use std::path::Path;

use super::*;

/// A backup of a log some of which lies in an archive.
struct Backup {
    home: tempfile::TempDir,
    tier: FakeTier,
    options: LogOptions,
}

impl Backup {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let tier = FakeTier::default();
        let options = LogOptions {
            tier: Some(tier.options(1 << 20)),
            ..small()
        };
        let log = Log::open(&home.path().join("log"), options.clone()).unwrap();
        fill(&log);
        send(&log);
        log.backup(&home.path().join("backup")).unwrap();
        log.close();
        tier.fetches();
        Backup {
            home,
            tier,
            options,
        }
    }

    fn verify(&self) -> Result<Vec<Problem>, VerifyError> {
        verify_here(&self.home.path().join("backup"), self.options.tier.as_ref())
    }

    /// The archive has this to say against the backup.
    #[track_caller]
    fn check_refused(&self) -> ArchivedError {
        match self.verify() {
            Err(VerifyError::Archived { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    }

    /// Changes a file of the backup, not the log's own, of which it may be a link, and says what is told of it.
    #[track_caller]
    fn told_of(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Problem> {
        let path = self.home.path().join("backup").join(name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        change(&mut bytes);
        replace(&path, &bytes);
        let told = self.verify().unwrap();
        replace(&path, &whole);
        told
    }
}

fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn flip(at: usize) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes[at] ^= 1
}

#[test]
fn nothing_is_fetched_but_where_an_index_is_gone() {
    let backup = Backup::new();
    assert_eq!(backup.verify().unwrap(), []);
    assert_eq!(backup.tier.fetches(), 0);
    fs::remove_file(backup.home.path().join("backup/000000000002.idx")).unwrap();
    assert_eq!(backup.verify().unwrap(), []);
    assert_eq!(backup.tier.fetches(), 1, "what follows has to be held too");
}

#[test]
fn what_is_here_and_not_as_it_was_is_named() {
    let backup = Backup::new();
    let names = fs::read_dir(backup.home.path().join("backup")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let segment = names.filter(|name| name.ends_with(".log")).min().unwrap();
    for (name, at, what) in [
        (
            "000000000003.stub",
            20,
            "is damaged, or the file is missing",
        ),
        ("000000000003.stub", 280, "is not what was written"),
        ("000000000003.idx", 300, "does not agree with its segment"),
        (&*segment, 300, ""),
    ] {
        let told = backup.told_of(name, flip(at));
        let is_told = told.iter().any(|problem| problem.what.contains(what));
        assert!(is_told, "{name}, byte {at}: {told:?}");
    }
    assert_eq!(backup.verify().unwrap(), []);
}

#[test]
fn an_archive_that_does_not_have_the_rest_is_told() {
    let mut backup = Backup::new();
    let object = backup.tier.objects()[0].clone();
    backup.tier.change(&object, |bytes| bytes[300] ^= 1);
    assert_eq!(
        backup.verify().unwrap(),
        [],
        "only whoever fetches it can tell"
    );
    backup.tier.be(Mood::Away);
    let said = backup.check_refused();
    assert!(matches!(said, ArchivedError::Unreachable { .. }), "{said}");
    backup.tier.be(Mood::Well);
    backup.tier.change(&object, |bytes| bytes.truncate(300));
    let said = backup.check_refused();
    assert!(matches!(said, ArchivedError::Altered { .. }), "{said}");
    backup.tier.remove(&object);
    let said = backup.check_refused();
    assert!(matches!(said, ArchivedError::Missing { .. }), "{said}");
    backup.options.tier = None;
    let said = backup.check_refused();
    assert!(matches!(said, ArchivedError::NotConfigured), "{said}");
}
