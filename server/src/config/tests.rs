use super::*;

fn sources() -> Sources {
    Sources {
        data: PathBuf::from("/nonexistent/depot"),
        ..Sources::default()
    }
}

fn with_file(text: &str) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
    let sources = Sources {
        data: folder.path().to_owned(),
        ..Sources::default()
    };
    (folder, sources)
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn every_default_is_accepted_by_its_own_check() {
    let mut config = Config::unset(Path::new("x"));
    for option in OPTIONS {
        assert_eq!(
            (option.set)(&mut config, option.default),
            Ok(()),
            "{}",
            option.key
        );
    }
    assert_eq!(config.http.body_bytes_max, 2 << 20);
    assert_eq!(config.auth.access_lifetime, Duration::from_secs(1_800));
    assert_eq!(config.analytics.cache_ttl, Duration::from_secs(900));
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let (_folder, mut sources) = with_file(
        "listen = \"h:1\"\n[http]\npage_limit_max = 200\nreads_max = 2\n[sync]\nbatch_size = 7\n",
    );
    sources.environment = variables(&[
        ("RAILFLEET_HTTP_PAGE_LIMIT_MAX", "300"),
        ("RAILFLEET_HTTP_READS_MAX", "3"),
    ]);
    sources.flags = vec!["http.page_limit_max=400".to_owned()];
    let config = sources.load().unwrap();
    assert_eq!(
        (
            config.http.page_limit_max,
            config.http.reads_max,
            config.sync.batch_size,
            config.http.subscribers_max
        ),
        (400, 3, 7, 512)
    );
    assert_eq!(config.listen, "h:1");
}

#[test]
fn the_old_guides_variables_work_and_yield_to_the_new_ones() {
    let mut sources = sources();
    sources.environment = variables(&[
        ("EVENT_STORE_ENABLED", "true"),
        ("EVENT_RETENTION_DAYS", "365"),
        ("SYNC_ENABLED", "false"),
        ("SYNC_BATCH_SIZE", "50"),
        ("ML_MODELS_PATH", "/models"),
        ("ML_ENABLE_PREDICTIONS", "False"),
        ("ANALYTICS_CACHE_TTL", "60"),
        (
            "CORS_ORIGINS",
            r#"["http://localhost:3000", "https://depot.example"]"#,
        ),
        ("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("RAILFLEET_SYNC_BATCH_SIZE", "51"),
    ]);
    let config = sources.load().unwrap();
    assert_eq!(config.events.retention_days, 365);
    assert!(!config.sync.enabled && !config.ml.predictions_enabled);
    assert_eq!(config.sync.batch_size, 51);
    assert_eq!(config.ml.models_path, Some(PathBuf::from("/models")));
    assert_eq!(config.analytics.cache_ttl, Duration::from_secs(60));
    assert_eq!(
        config.http.cors_origins,
        ["http://localhost:3000", "https://depot.example"]
    );
    assert!(config.auth.signing_key.is_some());
    assert!(
        !format!("{config:?}").contains("0123456789abcdef"),
        "the key is not printed"
    );
}

#[track_caller]
fn check_refused(sources: &Sources, parts: &[&str]) {
    let error = sources.load().unwrap_err();
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        text.push_str(&source.to_string());
    }
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

#[test]
fn unknown_keys_are_refused_by_name() {
    let (_folder, sources_of_file) = with_file("[http]\npage_limit_maximum = 3\n");
    check_refused(&sources_of_file, &["http.page_limit_maximum", FILE_NAME]);
    let (_folder, sources_of_file) = with_file("[http]\npage_limt_max = 3\n");
    check_refused(&sources_of_file, &["did you mean \"http.page_limit_max\"?"]);
    let mut flags = sources();
    flags.flags = vec!["port=3".to_owned()];
    check_refused(&flags, &["\"port\"", "command line"]);
    flags.flags = vec!["listen".to_owned()];
    check_refused(&flags, &["KEY=VALUE"]);
}

#[test]
fn bad_values_are_refused_with_what_is_allowed() {
    for (flag, part) in [
        ("listen=8000", "HOST:PORT"),
        ("listen=host:99999", "HOST:PORT"),
        ("http.connections_max=0", "1 to 100000"),
        ("http.connections_max=many", "1 to 100000"),
        ("http.page_limit_max=-1", "100 to 100000"),
        ("http.compression=perhaps", "true or false"),
        ("http.cors_origins=*", "origin"),
        ("auth.signing_key=short", "32 bytes"),
        ("auth.issuer=", "1 to 100"),
        ("auth.policy_keys=00ff", "64 hexadecimal digits"),
        ("logs.format=xml", "text or json"),
        ("logs.level=a=b=c", "filter"),
        ("events.enabled=false", "cannot be false"),
    ] {
        let mut sources = sources();
        sources.flags = vec![flag.to_owned()];
        check_refused(&sources, &[part]);
    }
    let (_folder, broken) = with_file("[http\n");
    check_refused(&broken, &["no valid TOML", "1"]);
    let missing = Sources {
        file: Some(PathBuf::from("/nonexistent/x.toml")),
        ..sources()
    };
    check_refused(&missing, &["cannot read /nonexistent/x.toml"]);
}

/// Whatever is told of the file goes to the journal, where many read it.
#[test]
fn a_broken_file_is_told_by_its_place_and_not_by_what_stands_there() {
    const SECRET: &str = "correct-horse-battery-staple-0123456789";
    const NUMBER: &str = "31415926535897932384626433832795";
    for (text, place) in [
        (
            format!("[privacy]\nmaster_key = {SECRET}\n"),
            "line 2, column ",
        ),
        (format!("[privacy]\nmaster_key = \"{SECRET}\n"), "line 2"),
        (format!("[privacy]\nmaster_key \"{SECRET}\"\n"), "line 2"),
        (
            format!("[privacy]\nmaster_key = \"{SECRET}\"\"\n"),
            "line 2",
        ),
        (
            format!("[privacy]\nmaster_key = {NUMBER}\n"),
            "no valid TOML",
        ),
        (
            format!("[a]\n\n[federation]\nservers = [\"nats://u:{SECRET}@h\"\n"),
            "no valid TOML",
        ),
    ] {
        let (_folder, broken) = with_file(&text);
        check_refused(&broken, &[place, FILE_NAME]);
        let error = broken.load().unwrap_err();
        let told = format!("{} {error:?}", crate::cli::chain(&error));
        for secret in [SECRET, NUMBER] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}

#[test]
fn a_place_is_counted_as_editors_do() {
    let text = "a = 1\nü = ?\n";
    let at = text.find('?').unwrap();
    assert_eq!(fault(text, "m", Some(at..at + 1)), "line 2, column 5: m");
    assert_eq!(fault(text, "m", Some(0..0)), "line 1, column 1: m");
    let end = text.len();
    assert_eq!(fault(text, "m", Some(end..end)), "line 3, column 1: m");
    assert_eq!(fault(text, "m", Some(end + 1..end + 1)), "m");
    assert_eq!(fault(text, "m", None), "m");
}

#[test]
fn strange_variables_are_reported() {
    let environment = variables(&[
        ("RAILFLEET_DATA", "x"),
        ("RAILFLEET_LISTEN", "h:1"),
        ("RAILFLEET_LISTNE", "h:1"),
        ("PATH", ""),
    ]);
    assert_eq!(unknown_variables(&environment), ["RAILFLEET_LISTNE"]);
}

/// The page is written by hand around a table that is made from the code.
#[test]
fn the_documented_table_is_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page.contains(&markdown()),
        "docs/configuration.md lacks this table:\n{}",
        markdown()
    );
}
