//! Cursors against logs that share a beginning and then go other ways, as after a backup was put back.

use std::sync::Arc;

use storage::{ExpectedVersion, Log, LogOptions, NewEvent, StreamName, Transaction};
use uuid::Uuid;

use super::*;

const DEVICE: u32 = 7;

struct Server {
    engine: Engine,
    _folder: tempfile::TempDir,
}

/// A server whose log has events of these ids.
fn server(ids: &[u128]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
    for id in ids {
        let event = NewEvent::new("VehicleUpdated", "{}").with_id(Uuid::from_u128(*id));
        let stream = StreamName::new("Vehicle", "1");
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        log.append(transaction).unwrap();
    }
    Server {
        engine: Engine::open(Arc::new(log), folder.path()),
        _folder: folder,
    }
}

fn cursor(complete: u64, reached: u64) -> Cursor {
    Cursor {
        complete: LogPosition::new(complete),
        reached: LogPosition::new(reached),
    }
}

/// As versions before this one wrote it: with the event at `complete`.
fn written_before(cursors: &Cursors, engine: &Engine, cursor: Cursor) -> String {
    let mut writer = Writer::new();
    cursor.encode(&mut writer);
    writer.raw(&check(engine, cursor.complete).flatten().unwrap());
    let mac = cursors.mac(DEVICE, writer.as_bytes());
    writer.raw(&mac);
    URL_SAFE_NO_PAD.encode(writer.as_bytes())
}

/// Regression: what a download had reached was not held against the log, so a tablet that was in the midst of one when a
/// backup was put back went on from a place of the other history and never got what this one has before it.
#[test]
fn a_cursor_is_of_the_history_that_it_reached() {
    let cursors = Cursors::new(b"a key").unwrap();
    let here = server(&[11, 12, 13]);
    let restored = server(&[11, 12, 99, 98]);
    let shorter = server(&[11, 12]);
    let read = |server: &Server, text: &str| cursors.read(&server.engine, DEVICE, text);
    for complete in 0..=3 {
        for reached in complete..=3 {
            let given = cursor(complete, reached);
            let text = cursors.write(&here.engine, DEVICE, given);
            let wanted = match reached {
                3 => Err(CursorError::OtherHistory),
                _ => Ok(given),
            };
            assert_eq!(read(&here, &text), Ok(given));
            assert_eq!(read(&restored, &text), wanted, "{given:?}");
            assert_eq!(read(&shorter, &text), wanted, "{given:?}");
            let stranger = cursors.read(&here.engine, DEVICE + 1, &text);
            assert_eq!(stranger, Err(CursorError::Forged));
        }
    }
}

#[test]
fn a_cursor_of_a_download_that_began_before_an_update_goes_on() {
    let cursors = Cursors::new(b"a key").unwrap();
    let here = server(&[11, 12, 13]);
    let shorter = server(&[11, 12]);
    for complete in 0..=2 {
        let given = cursor(complete, 3);
        let text = written_before(&cursors, &here.engine, given);
        let read = |server: &Server| cursors.read(&server.engine, DEVICE, &text);
        assert_eq!(read(&here), Ok(given));
        assert_eq!(read(&shorter), Err(CursorError::OtherHistory));
    }
}

#[test]
fn a_cursor_is_short() {
    let cursors = Cursors::new(b"a key").unwrap();
    let here = server(&[11]);
    let text = cursors.write(&here.engine, DEVICE, cursor(10_000_000, 10_100_000));
    assert!(text.len() <= 40 && text.len() <= CURSOR_CHARS_MAX, "{text}");
}
