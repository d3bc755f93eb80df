//! What the command line understands, and how failures are told.

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::*;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(["railfleet"].into_iter().chain(line.split_whitespace()))
}

#[track_caller]
fn check_accepted(line: &str) {
    if let Err(error) = parse(line) {
        panic!("{line}: {error}");
    }
}

#[track_caller]
fn check_refused(line: &str, kind: ErrorKind) {
    match parse(line) {
        Ok(understood) => panic!("{line}: understood as {understood:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{line}: {error}"),
    }
}

#[test]
fn commands_are_understood() {
    for line in [
        "serve --data d",
        "serve --data d --listen 0.0.0.0:80",
        "serve --data d --port 0 --config c.toml --set a=1 --set b=2",
        "user add anna --role SUPER_ADMIN --password-stdin --data d",
        "user add anna --role VIEWER --password-stdin --email a@b.c --data d",
        "user list --data d",
        "token anna --data d --minutes 60",
        "verify d",
        "verify d --acks f --json --archive a",
        "archive --data d",
        "archive --to file:///a --after-days 30 --data d",
        "backup --data d to",
        "restore from --data d",
        "restore from --data d --position 158319",
        "ingest - --data d",
        "ingest f.csv.gz --map ttc-subway --skip-bad --source s --data d",
        "ingest f --strict --data d",
        "demo",
        "demo --data d --listen 127.0.0.1:1 --history f --seed 7 --no-serve",
        "doctor --data d",
        "lake features --data d",
        "lake features --model failure --to s3://b/p --as-of 2026-01-01T00:00:00Z --every-days 7 --data d",
        "train --from file:///a --from b --folds 1 --data d",
        "federation status --data d --json",
        "federation status --data d --user anna --password-stdin",
        "federation join --data d --server nats://a:1 --server nats://b:1 --name n --ca c --credentials c",
        "federation leave --data d --without-broker",
        "federation resync --data d --token t",
        "completions bash",
    ] {
        check_accepted(line);
    }
}

/// Lines of these documents that a reader would type.
#[test]
fn commands_of_the_documents_are_understood() {
    for text in [
        include_str!("../../../docs/LAKE.md"),
        include_str!("../../../docs/ML_MODELS.md"),
    ] {
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("    railfleet "));
        let lines: Vec<&str> = lines.collect();
        assert!(lines.len() >= 2, "{lines:?}");
        lines.into_iter().for_each(check_accepted);
    }
}

#[test]
fn mistakes_are_refused() {
    for (line, kind) in [
        (
            "serve --data d --listen a:1 --port 1",
            ErrorKind::ArgumentConflict,
        ),
        ("serve --data d --port 65536", ErrorKind::ValueValidation),
        ("serve --data d extra", ErrorKind::UnknownArgument),
        (
            "user add anna --role SUPER_ADMIN --data d",
            ErrorKind::MissingRequiredArgument,
        ),
        (
            "user add anna --password-stdin --data d",
            ErrorKind::MissingRequiredArgument,
        ),
        (
            "user add anna --role KING --password-stdin --data d",
            ErrorKind::ValueValidation,
        ),
        (
            "token anna --data d --minutes 0",
            ErrorKind::ValueValidation,
        ),
        ("verify", ErrorKind::MissingRequiredArgument),
        (
            "restore from --data d --position -1",
            ErrorKind::UnknownArgument,
        ),
        (
            "ingest f --strict --skip-bad --data d",
            ErrorKind::ArgumentConflict,
        ),
        (
            "federation join --data d --name n",
            ErrorKind::MissingRequiredArgument,
        ),
        (
            "federation status --data d --user anna",
            ErrorKind::MissingRequiredArgument,
        ),
        (
            "federation resync --data d --token t --user anna --password-stdin",
            ErrorKind::ArgumentConflict,
        ),
        ("demo --vehicles 0", ErrorKind::ValueValidation),
        ("completions tcsh", ErrorKind::InvalidValue),
        ("serv --data d", ErrorKind::InvalidSubcommand),
    ] {
        check_refused(line, kind);
    }
}

#[test]
fn a_port_replaces_that_of_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let data = |listen: &str| DataArgs {
        data: folder.path().to_owned(),
        config: None,
        set: vec![format!("listen={listen}")],
    };
    let load = |listen: ListenArgs, set: &str| listen.load(&data(set)).unwrap().listen;
    let port = ListenArgs {
        listen: None,
        port: Some(9000),
    };
    assert_eq!(load(port.clone(), "0.0.0.0:8000"), "0.0.0.0:9000");
    assert_eq!(load(port, "[::1]:8000"), "[::1]:9000");
    let listen = ListenArgs {
        listen: Some("10.0.0.1:7".to_owned()),
        port: None,
    };
    assert_eq!(load(listen, "0.0.0.0:8000"), "10.0.0.1:7");
    assert_eq!(load(ListenArgs::default(), "0.0.0.0:8000"), "0.0.0.0:8000");
}

#[test]
fn a_failure_is_told_with_its_causes() {
    let source = io::Error::other("the disk is gone");
    let error = CliError::io("cannot read the key")(source);
    assert_eq!(chain(&error), "cannot read the key: the disk is gone");
    assert_eq!(chain(&CliError::Other("no".to_owned())), "no");
}

#[test]
fn a_folder_holds_a_log_if_it_has_a_segment_or_a_watermark() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(!holds_log(path));
    assert!(!holds_log(&path.join("nowhere")));
    for name in ["syslog", "messages.log", "lock", ".log"] {
        std::fs::write(path.join(name), "").unwrap();
    }
    assert!(!holds_log(path), "these are not ours");
    std::fs::write(path.join("watermark"), "").unwrap();
    assert!(holds_log(path));
    std::fs::remove_file(path.join("watermark")).unwrap();
    std::fs::write(path.join("000000000002.log"), "").unwrap();
    assert!(holds_log(path));
}

/// Every file in the folder of keys, with what it holds.
fn keys_of(config: &Config) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(config.keys_folder()).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The master key stands in the service's environment, and whoever types a command lacks it or has another.
#[test]
fn a_command_that_is_refused_leaves_every_key_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    let right = Some("the master key that the service has".to_owned());
    config.privacy.master_key = right.clone();
    let log = open_log(&config, Arc::new(SystemClock)).unwrap();
    let append = |log: &Log, id: &str| {
        let event = storage::NewEvent::new("StaffCreated", r#"{"first_name":"Ada"}"#);
        let name = storage::StreamName::new("Staff", id);
        let any = storage::ExpectedVersion::Any;
        log.append(storage::Transaction::single(name, any, event))
            .unwrap();
    };
    append(&log, "s1");
    let before = keys_of(&config);
    let wrong = Some("another master key of enough bytes".to_owned());
    for master in [&right, &wrong, &None] {
        config.privacy.master_key = master.clone();
        let refused = open_log(&config, Arc::new(SystemClock)).unwrap_err();
        assert!(refused.is_locked(), "{refused:?}");
        assert_eq!(keys_of(&config), before, "{master:?}");
    }
    // What the server goes on writing is what the next start finds.
    append(&log, "s2");
    log.close();
    let before = keys_of(&config);
    for (master, said) in [(&wrong, "does not open"), (&None, "there is no master key")] {
        config.privacy.master_key = master.clone();
        let refused = chain(&open_log(&config, Arc::new(SystemClock)).unwrap_err());
        assert!(
            refused.contains(said) && refused.contains("people.keys.unopened"),
            "{refused}"
        );
        assert_eq!(keys_of(&config), before, "{master:?}");
    }
    config.privacy.master_key = right;
    let (log, privacy) = crate::app::open_log_and_keys(&config, Arc::new(SystemClock)).unwrap();
    assert_eq!(privacy.store().people_count(), 2);
    log.close();
}
