//! What `join` and `leave` do to a settings' file, and what `status` says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::*;
use crate::config::Sources;

fn nord() -> Settings {
    Settings {
        servers: vec!["nats://a:4222".to_owned(), "nats://b:4222".to_owned()],
        name: "Süd \"West\"".to_owned(),
        credentials: Some("/keys/nord.creds".into()),
        ca: None,
    }
}

#[test]
fn settings_come_and_go_and_leave_the_rest_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("railfleet.toml");
    let before = "# ours\nlisten = \"0.0.0.0:80\" # all\n\n[federation]\nkept_days = 7\nca = \"old.pem\"\n\n[http]\npage_limit_max = 200\n";
    fs::write(&file, before).unwrap();
    let load = || {
        let sources = Sources {
            data: folder.path().to_owned(),
            ..Sources::default()
        };
        sources.load().unwrap()
    };
    nord().write(&file).unwrap();
    let config = load();
    assert_eq!(config.federation.servers, nord().servers);
    assert_eq!(config.federation.name, nord().name);
    assert_eq!(config.federation.credentials, nord().credentials);
    assert_eq!(config.federation.ca, None, "what is not given is not kept");
    assert_eq!(config.federation.kept_for.as_secs(), 7 * 86_400);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# ours\nlisten = \"0.0.0.0:80\" # all\n"),
        "{text}"
    );

    Settings::remove(&file).unwrap();
    let after = before.replace("ca = \"old.pem\"\n", "");
    assert_eq!(fs::read_to_string(&file).unwrap(), after);
    assert!(load().federation.servers.is_empty());
}

#[test]
fn a_file_that_is_not_there_is_made_and_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("railfleet.toml");
    // What a crash left of an earlier try is not what comes of this one.
    fs::write(folder.path().join("railfleet.toml.new"), "half").unwrap();
    nord().write(&file).unwrap();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the address may hold a password");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    Settings::remove(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "as the administrator had it");
}

#[test]
fn a_file_that_is_no_toml_is_told_by_its_place_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("railfleet.toml");
    fs::write(&file, "[privacy]\nmaster_key = correct-horse-battery\n").unwrap();
    let refused = nord().write(&file).unwrap_err().to_string();
    assert!(refused.contains("line 2, column "), "{refused}");
    assert!(!refused.contains("horse"), "{refused}");
}

#[test]
fn a_file_that_cannot_be_changed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("railfleet.toml");
    for text in [
        "[federation",
        "federation = 1\n",
        "federation = { name = \"a\" }\n",
    ] {
        fs::write(&file, text).unwrap();
        nord().write(&file).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn how_it_stands_is_told_in_lines() {
    let standing = json!({
        "enabled": true, "name": "Süd", "log_id": "l1", "publishes": true, "receives": false, "published_position": 12,
        "publish_error": "was", "receive_error": "the broker cannot be reached: refused",
        "depots": [{ "name": "Nord", "log_id": "l2", "received_position": 3, "published_position": 5, "last_contact": null }],
    });
    let expected = [
        "Süd (log l1)",
        "  publishes: yes; up to position 12",
        "  receives: no, the broker cannot be reached: refused",
        "  Nord: 3 of 5 received, not heard of since the start (log l2)",
    ];
    assert_eq!(tell(&standing), expected);
    let alone = tell(&json!({ "enabled": false, "log_id": "l1" }));
    assert_eq!(alone, ["This depot (log l1) takes part in no federation."]);
}
