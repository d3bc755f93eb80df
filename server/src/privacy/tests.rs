//! Fields are sealed where events enter, opened where they leave, and gone once their key is.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use storage::{
    AppendError, EventRef, ExpectedVersion, Log, LogOptions, NewEvent, ReadRequest, StreamName,
    SystemClock, Transaction,
};
use uuid::Uuid;

use super::*;
use crate::envelope::write_event_json;

mod full_disk;
mod set_aside;

const SECRET: &[u8] = b"a master key of at least thirty-two bytes";

struct Depot {
    log: Log,
    privacy: Arc<Privacy>,
}

impl Depot {
    fn open(folder: &Path, secret: &[u8]) -> Self {
        let store = KeyStore::open(&folder.join("keys"), secret).unwrap();
        let privacy = Arc::new(Privacy::new(store, Arc::new(SystemClock)));
        let options = LogOptions {
            veil: Some(privacy.clone()),
            ..LogOptions::default()
        };
        let log = Log::open(&folder.join("log"), options).unwrap();
        Depot { log, privacy }
    }

    fn erase(&self, subject: &str) -> Erased {
        let erased = Erased {
            erased_at: "2026-11-28T12:00:00Z".to_owned(),
            by: None,
            reason: None,
        };
        let subject = Subject::parse(subject).unwrap();
        self.privacy.store().erase(&subject, erased).unwrap()
    }

    fn all(&self) -> Vec<Value> {
        let mut reader = self.log.read(&ReadRequest::default()).unwrap();
        let mut all = Vec::new();
        while let Some(event) = reader.next() {
            let mut text = Vec::new();
            write_event_json(&event.unwrap(), &mut text);
            all.push(serde_json::from_slice(&text).unwrap());
        }
        all
    }

    fn each(&self, mut each: impl FnMut(&EventRef<'_>)) {
        let mut reader = self.log.read(&ReadRequest::default()).unwrap();
        while let Some(event) = reader.next() {
            each(&event.unwrap());
        }
    }
}

fn staff(id: u128, data: &str) -> Transaction {
    let mut event = NewEvent::new("StaffCreated", data).with_id(Uuid::from_u128(id));
    event.metadata = br#"{"user_email":"boss@depot.example","note":1.50}"#.to_vec();
    event.tags.push("user:u1".into());
    Transaction::single(StreamName::new("Staff", "s1"), ExpectedVersion::Any, event)
}

const ADA: &str = r#"{"staff_id":"S-1","first_name":"Ada","last_name":"Löwe","skills_json":[1.50,2e3],"certifications_json":{"welder":"Klasse 7"},"phone":null,"email":""}"#;

/// Every file below a folder that holds one of these texts.
fn holding(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for text in texts {
            if memchr::memmem::find(&bytes, text.as_bytes()).is_some() {
                found.push(format!("{text} in {}", path.display()));
            }
        }
    }
    found
}

#[test]
fn what_is_personal_is_in_no_file_and_comes_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    depot.log.append(staff(1, ADA)).unwrap();
    let texts = ["Ada", "Löwe", "Klasse 7", "boss@depot"];
    assert_eq!(holding(folder.path(), &texts), Vec::<String>::new());
    depot.each(|event| {
        assert_eq!(event.data(), ADA.as_bytes());
        assert_eq!(
            event.metadata(),
            br#"{"user_email":"boss@depot.example","note":1.50}"#
        );
        let tags: Vec<&str> = event.tags().collect();
        assert_eq!(tags, ["user:u1", "covered:Staff:s1", "covered:User:u1"]);
        let lies = String::from_utf8_lossy(event.record_bytes());
        assert!(
            lies.contains(r#""staff_id":"S-1""#) && lies.contains(r#""phone":null,"email":"""#),
            "{lies}"
        );
    });
    let shown = depot.all();
    assert_eq!(
        shown[0]["metadata"],
        json!({"user_id": "u1", "user_email": "boss@depot.example", "note": 1.50})
    );
    assert!(
        shown[0].get("tags").is_none(),
        "whose fields it holds is the log's own matter"
    );
}

#[test]
fn an_event_sent_again_is_known_sealed_open_or_erased() {
    let folder = tempfile::tempdir().unwrap();
    {
        let plain = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
        plain.append(staff(7, ADA)).unwrap();
    }
    let depot = Depot::open(folder.path(), SECRET);
    assert!(
        depot.log.append(staff(7, ADA)).unwrap().duplicate,
        "from before anything was sealed"
    );
    assert!(!depot.log.append(staff(8, ADA)).unwrap().duplicate);
    assert!(depot.log.append(staff(8, ADA)).unwrap().duplicate);
    let other = ADA.replace("Ada", "Eva");
    assert!(matches!(
        depot.log.append(staff(8, &other)),
        Err(AppendError::IdReused { .. })
    ));
    depot.erase("Staff:s1");
    assert!(depot.log.append(staff(8, ADA)).unwrap().duplicate);
    let moved = ADA.replace("S-1", "S-2");
    assert!(matches!(
        depot.log.append(staff(8, &moved)),
        Err(AppendError::IdReused { .. })
    ));
}

#[test]
fn an_erased_person_is_gone_for_good_and_nobody_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    depot.log.append(staff(1, ADA)).unwrap();
    let before: Vec<Vec<u8>> = records(&depot);
    let erased = depot.erase("Staff:s1");
    assert_eq!(depot.erase("Staff:s1"), erased, "once is enough");
    assert_eq!(records(&depot), before, "the log did not change");
    let shown = &depot.all()[0];
    for field in ["first_name", "last_name", "certifications_json"] {
        assert_eq!(shown["data"][field], "[erased]", "{field}");
    }
    assert_eq!(
        (&shown["data"]["staff_id"], &shown["data"]["phone"]),
        (&json!("S-1"), &Value::Null)
    );
    assert_eq!(
        shown["metadata"]["user_email"], "boss@depot.example",
        "somebody else's"
    );
    depot.log.append(staff(2, ADA)).unwrap();
    assert_eq!(
        holding(folder.path(), &["Ada", "Klasse 7"]),
        Vec::<String>::new()
    );
    assert_eq!(depot.all()[1]["data"]["first_name"], "[erased]");
    drop(depot);
    let again = Depot::open(folder.path(), SECRET);
    assert_eq!(again.all()[0]["data"]["first_name"], "[erased]");
    assert!(again.privacy.store().needs_purge());
    let due = again.privacy.store().purge_due().unwrap();
    again.erase("Staff:s2");
    again.privacy.store().purged(&due).unwrap();
    assert!(
        again.privacy.store().needs_purge(),
        "somebody else was erased since"
    );
    let due = again.privacy.store().purge_due().unwrap();
    again.privacy.store().purged(&due).unwrap();
    assert!(!again.privacy.store().needs_purge());
}

fn records(depot: &Depot) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    depot.each(|event| records.push(event.record_bytes().to_vec()));
    records
}

#[test]
fn a_lost_store_or_master_key_tells_whom_and_serves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    {
        let depot = Depot::open(folder.path(), SECRET);
        depot.log.append(staff(1, ADA)).unwrap();
        let other = NewEvent::new("CraneMoved", r#"{"load":1}"#);
        let crane = StreamName::new("Crane", "1");
        depot
            .log
            .append(Transaction::single(crane, ExpectedVersion::Any, other))
            .unwrap();
        depot.erase("Staff:s9");
    }
    let keys = folder.path().join("keys");
    let kept = std::fs::read(keys.join("people.keys")).unwrap();
    let wrong = b"another master key of at least 32 bytes";
    let before = contents(&keys);
    let refused = KeyStore::open(&keys, wrong).unwrap_err();
    assert_eq!(contents(&keys), before, "nothing was changed");
    let aside = keys.join("people.keys.unopened");
    let said = refused.to_string();
    assert!(
        said.contains("does not open") && said.contains(&*aside.display().to_string()),
        "{said}"
    );
    std::fs::rename(keys.join("people.keys"), &aside).unwrap();
    {
        let depot = Depot::open(folder.path(), wrong);
        let all = depot.all();
        assert_eq!(all[0]["data"]["first_name"], "[key lost]");
        assert_eq!(
            (&all[0]["data"]["staff_id"], &all[1]["data"]["load"]),
            (&json!("S-1"), &json!(1))
        );
        let lost: Vec<String> = depot
            .privacy
            .store()
            .lost()
            .iter()
            .map(|(subject, _)| subject.to_string())
            .collect();
        assert_eq!(lost, ["Staff:s1", "User:u1"]);
        let nine = Subject::parse("Staff:s9").unwrap();
        assert!(
            matches!(
                depot.privacy.store().status(&nine),
                Some(SubjectStatus::Erased(_))
            ),
            "who is erased stays so"
        );
        depot.log.append(staff(2, ADA)).unwrap();
        assert_eq!(
            depot.all()[2]["data"]["first_name"],
            "Ada",
            "what comes now has a key again"
        );
        assert_eq!(std::fs::read(&aside).unwrap(), kept, "as it was");
    }
    std::fs::remove_file(folder.path().join("keys/people.keys")).unwrap();
    {
        let depot = Depot::open(folder.path(), SECRET);
        assert!(depot.privacy.store().begun_anew);
        assert_eq!(depot.all()[0]["data"]["first_name"], "[key lost]");
    }
    std::fs::write(folder.path().join("keys/people.keys"), kept).unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    assert_eq!(depot.all()[0]["data"]["first_name"], "Ada", "found again");
}

#[test]
fn a_torn_line_is_cut_and_a_damaged_one_costs_one_person() {
    let folder = tempfile::tempdir().unwrap();
    {
        let depot = Depot::open(folder.path(), SECRET);
        depot.log.append(staff(1, ADA)).unwrap();
    }
    let path = folder.path().join("keys/people.keys");
    let mut text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 3);
    text.push_str(r#"{"record":"key","subject":"Staff:s"#);
    std::fs::write(&path, &text).unwrap();
    {
        let depot = Depot::open(folder.path(), SECRET);
        assert_eq!(depot.all()[0]["data"]["first_name"], "Ada");
        let mut event = NewEvent::new("StaffCreated", r#"{"first_name":"Bo"}"#);
        event.id = None;
        depot
            .log
            .append(Transaction::single(
                StreamName::new("Staff", "s2"),
                ExpectedVersion::Any,
                event,
            ))
            .unwrap();
    }
    let damaged = std::fs::read_to_string(&path)
        .unwrap()
        .replacen("Staff:s1", "Staff:sX", 1);
    std::fs::write(&path, damaged).unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    let all = depot.all();
    assert_eq!(all[0]["data"]["first_name"], "[key lost]");
    assert_eq!(all[0]["metadata"]["user_email"], "boss@depot.example");
    assert_eq!(all[1]["data"]["first_name"], "Bo");
}

#[cfg(unix)]
#[test]
fn keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    depot.log.append(staff(1, ADA)).unwrap();
    depot.erase("Staff:s1");
    let mode = std::fs::metadata(folder.path().join("keys/people.keys"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_only_looks_sealed_stays_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    depot.log.append(staff(1, ADA)).unwrap();
    let mut lies = String::new();
    depot.each(|event| lies = String::from_utf8_lossy(event.record_bytes()).into_owned());
    let start = lies.find("\"sealed:1:0:").unwrap();
    let end = lies[start + 1..].find('"').unwrap() + start + 2;
    let stolen = &lies[start..end];
    // In an open field, in another field, and in a personal one.
    let data =
        format!(r#"{{"staff_id":{stolen},"home_depot":"sealed:1:9:x:y","last_name":{stolen}}}"#);
    depot.log.append(staff(2, &data)).unwrap();
    let shown = depot.all();
    assert_eq!(
        shown[1]["data"],
        serde_json::from_str::<Value>(&data).unwrap()
    );
}

#[test]
fn names_in_tags_are_hashed_and_conditions_find_them() {
    let folder = tempfile::tempdir().unwrap();
    let tagged = |tag: &str| {
        let event = NewEvent::new("CraneMoved", "{}").with_tag(tag);
        Transaction::single(StreamName::new("Crane", "1"), ExpectedVersion::Any, event)
    };
    {
        let plain = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
        plain.append(tagged("username:old")).unwrap();
    }
    let depot = Depot::open(folder.path(), SECRET);
    depot.log.append(tagged("email:ada@depot.example")).unwrap();
    let mut tags = Vec::new();
    depot.each(|event| tags.extend(event.tags().map(str::to_owned)));
    assert!(
        tags[1].starts_with("email:#") && !tags[1].contains("ada"),
        "{tags:?}"
    );
    for taken in ["username:old", "email:ada@depot.example"] {
        let query = storage::Query::from(storage::QueryItem {
            tags: vec![taken.into()],
            ..storage::QueryItem::default()
        });
        let refused = tagged("x").on_condition(query, storage::Position::START);
        assert!(
            matches!(
                depot.log.append(refused),
                Err(AppendError::ConditionFailed { .. })
            ),
            "{taken}"
        );
    }
}

#[test]
fn somebody_of_whom_only_an_address_is_known_is_found_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    let mut event = NewEvent::new("CraneMoved", "{}");
    event.metadata = br#"{"user_email":"Eve@Elsewhere.example"}"#.to_vec();
    depot
        .log
        .append(Transaction::single(
            StreamName::new("Crane", "1"),
            ExpectedVersion::Any,
            event,
        ))
        .unwrap();
    let contact = depot.privacy.contact("eve@elsewhere.example");
    depot.erase(&contact.to_string());
    assert_eq!(depot.all()[0]["metadata"]["user_email"], "[erased]");
}

#[test]
fn every_personal_field_of_every_schema_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    let mut count = 0;
    for aggregate in fleet::registry::AGGREGATES {
        for event in aggregate.events {
            let Some(fields) = subject::personal_fields(aggregate.aggregate_type, event.event_type)
            else {
                continue;
            };
            let data: serde_json::Map<String, Value> = fields
                .iter()
                .map(|field| ((*field).to_owned(), json!("Plainly Readable")))
                .collect();
            let new = NewEvent::new(event.event_type, Value::Object(data.clone()).to_string());
            let stream = StreamName::new(aggregate.aggregate_type, "1");
            depot
                .log
                .append(Transaction::single(stream, ExpectedVersion::Any, new))
                .unwrap();
            assert_eq!(depot.all().last().unwrap()["data"], Value::Object(data));
            count += fields.len();
        }
    }
    assert!(count >= 25, "{count}");
    assert_eq!(
        holding(&folder.path().join("log"), &["Plainly Readable"]),
        Vec::<String>::new()
    );
}

/// Every file in a folder, with what it holds.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A name is proposed that is free: what was set aside first may hold the keys.
#[test]
fn what_was_set_aside_is_not_to_be_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    drop(KeyStore::open(&keys, SECRET).unwrap());
    let other = b"another master key of thirty-two bytes and more";
    let proposed = |secret: &[u8]| match KeyStore::open(&keys, secret) {
        Err(StoreError::Unopened { aside, .. } | StoreError::OpensAside { aside, .. }) => aside,
        opened => panic!("{opened:?}"),
    };
    let first = proposed(other);
    assert!(first.ends_with("people.keys.unopened"), "{first}");
    std::fs::rename(keys.join("people.keys"), &first).unwrap();
    drop(KeyStore::open(&keys, other).unwrap());
    let second = proposed(SECRET);
    assert!(second.ends_with("people.keys.unopened-2"), "{second}");
}

/// The master key that opens it may turn up long after the erasure.
#[test]
fn whoever_is_erased_loses_the_keys_in_every_file_that_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let people = keys.join("people.keys");
    let asides = ["people.keys.unopened", "people.keys.unopened-2"].map(|name| keys.join(name));
    {
        let depot = Depot::open(folder.path(), SECRET);
        depot.log.append(staff(1, ADA)).unwrap();
    }
    for aside in &asides {
        std::fs::copy(&people, aside).unwrap();
    }
    std::fs::remove_file(&people).unwrap();
    let other = b"another master key of thirty-two bytes and more";
    {
        let depot = Depot::open(folder.path(), other);
        let before = asides.each_ref().map(|path| std::fs::read(path).unwrap());
        depot.erase("Staff:s2");
        let after = asides.each_ref().map(|path| std::fs::read(path).unwrap());
        assert_eq!(before, after, "nothing of theirs is there");
        depot.erase("Staff:s1");
    }
    let gone = ["\"Staff:s1\",\"key\""];
    assert_eq!(holding(&keys, &gone), Vec::<String>::new());
    for aside in &asides {
        let text = std::fs::read_to_string(aside).unwrap();
        assert!(text.contains("User:u1"), "everybody else is: {text}");
    }
    // The right key is found, and its file put back.
    std::fs::rename(&asides[0], &people).unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    let shown = &depot.all()[0];
    assert_eq!(shown["data"]["first_name"], "[key lost]");
    assert_eq!(shown["metadata"]["user_email"], "boss@depot.example");
}

/// A release of before left them there, or a crash.
#[test]
fn keys_of_the_erased_in_a_file_that_was_set_aside_go_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let (people, aside) = (keys.join("people.keys"), keys.join("people.keys.unopened"));
    let early = {
        let depot = Depot::open(folder.path(), SECRET);
        depot.log.append(staff(1, ADA)).unwrap();
        let early = std::fs::read(&people).unwrap();
        depot.erase("Staff:s1");
        early
    };
    std::fs::write(&aside, early).unwrap();
    let held = ["\"Staff:s1\",\"key\""];
    assert_eq!(holding(&keys, &held).len(), 1);
    drop(Depot::open(folder.path(), SECRET));
    assert_eq!(holding(&keys, &held), Vec::<String>::new());
}
