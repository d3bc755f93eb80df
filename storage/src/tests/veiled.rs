//! A veil: what it covers lies covered in the files, and leaves uncovered through every read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::support::*;
use crate::repo::Repo;
use crate::*;

/// Turns the bytes of payloads that begin with `secret` over, until its key is lost.
#[derive(Debug, Default)]
struct Turned {
    lost: AtomicBool,
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

impl Veil for Turned {
    fn cover(&self, transaction: &Transaction) -> Result<Option<Transaction>, AppendError> {
        let mut covered = transaction.clone();
        let mut any = false;
        for event in covered
            .writes
            .iter_mut()
            .flat_map(|write| &mut write.events)
        {
            if event.data == b"secret refused" {
                return Err(AppendError::DiskFull);
            }
            if event.data.starts_with(b"secret") {
                event.data = if self.lost.load(Ordering::Relaxed) {
                    b"erased".to_vec()
                } else {
                    turned(&event.data)
                };
                event.tags.push("covered:ada".into());
                any = true;
            }
        }
        Ok(any.then_some(covered))
    }

    fn uncover(&self, event: &EventRef<'_>) -> Option<Uncovered> {
        let data = if self.lost.load(Ordering::Relaxed) {
            b"erased".to_vec()
        } else {
            turned(event.data())
        };
        Some(Uncovered {
            data,
            metadata: event.metadata().to_vec(),
        })
    }

    fn says_the_same(&self, _: &StreamName, stored: &Payload<'_>, given: &Payload<'_>) -> bool {
        assert!(stored.tags.contains(&"covered:ada") || given.tags.contains(&"covered:ada"));
        self.lost.load(Ordering::Relaxed)
            || turned(stored.data) == given.data
            || stored.data == turned(given.data)
    }
}

fn event(id: u128, data: &str) -> Transaction {
    let stream = StreamName::new("Staff", "ada");
    let event = NewEvent::new("StaffCreated", data).with_id(Uuid::from_u128(id));
    Transaction::single(stream, ExpectedVersion::Any, event)
}

fn read_all(log: &Log) -> Vec<Vec<u8>> {
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let mut found = Vec::new();
    while let Some(event) = reader.next() {
        found.push(event.unwrap().data().to_vec());
    }
    let mut stream = log.read_stream(&StreamName::new("Staff", "ada"), &StreamRange::default());
    let mut by_stream = Vec::new();
    while let Some(event) = stream.next() {
        by_stream.push(event.unwrap().to_owned().data);
    }
    assert_eq!(found, by_stream);
    found
}

fn holds(repo: &Arc<dyn Repo>, text: &[u8]) -> bool {
    repo.list().unwrap().iter().any(|name| {
        let file = repo.open(name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        bytes.windows(text.len()).any(|window| window == text)
    })
}

#[test]
fn what_is_covered_is_in_no_file_and_in_every_answer() {
    let veil = Arc::new(Turned::default());
    let options = LogOptions {
        veil: Some(veil.clone()),
        ..small()
    };
    let repo = memory();
    let log = open(&repo, &options);
    log.append(event(1, "secret name")).unwrap();
    log.append(event(2, "plain fact")).unwrap();
    assert_eq!(
        read_all(&log),
        [b"secret name".to_vec(), b"plain fact".to_vec()]
    );
    assert!(!holds(&repo, b"secret name") && holds(&repo, b"plain fact"));

    let (sender, receiver) = std::sync::mpsc::channel();
    log.submit(event(3, "secret phone"), move |transaction, result| {
        sender.send((transaction, result)).unwrap();
    });
    let (transaction, result) = receiver.recv().unwrap();
    assert_eq!(
        transaction.writes[0].events[0].data, b"secret phone",
        "it comes back as it was handed in"
    );
    assert_eq!(result.unwrap().last_position(), Position::new(3));

    assert!(log.append(event(1, "secret name")).unwrap().duplicate);
    assert!(matches!(
        log.append(event(1, "secret game")),
        Err(AppendError::IdReused { .. })
    ));
    assert!(matches!(
        log.append(event(9, "secret refused")),
        Err(AppendError::DiskFull)
    ));

    veil.lost.store(true, Ordering::Relaxed);
    assert_eq!(
        read_all(&log),
        [
            b"erased".to_vec(),
            b"plain fact".to_vec(),
            b"erased".to_vec()
        ]
    );
    assert!(
        log.append(event(1, "secret name")).unwrap().duplicate,
        "known by its id, though its key is gone"
    );
    log.close();
    let without = open(&repo, &small());
    assert_eq!(
        read_all(&without)[0],
        turned(b"secret name"),
        "without a veil it stays covered"
    );
}

#[test]
fn what_was_appended_before_there_was_a_veil_is_the_same_event() {
    let repo = memory();
    open(&repo, &small())
        .append(event(1, "secret name"))
        .unwrap();
    let options = LogOptions {
        veil: Some(Arc::new(Turned::default())),
        ..small()
    };
    let log = open(&repo, &options);
    assert_eq!(read_all(&log), [b"secret name".to_vec()]);
    assert!(log.append(event(1, "secret name")).unwrap().duplicate);
}
