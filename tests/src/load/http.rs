//! The load over HTTP: writers that each keep one connection open and post one event after another.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{AGGREGATE_TYPE, EVENT_TYPE, Herald, Seeded, data_of, stream_of};
use crate::client::Client;

/// What is posted where.
#[derive(Clone, Debug)]
pub struct HttpLoad {
    /// The server's port on the loopback.
    pub port: u16,
    /// The access token to show.
    pub token: Option<String>,
    /// How many writers at once.
    pub writers: u64,
    /// How many events in all; `None` until the server is gone.
    pub events: Option<u64>,
    /// Bytes of data on each.
    pub bytes: usize,
    /// Over how many streams.
    pub streams: u64,
    /// Where the ids come from.
    pub seed: u64,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Posted {
    /// How many events were answered with 2xx.
    pub acknowledged: AtomicU64,
    /// The first other answer, if any. A connection that broke is none.
    pub refused: Mutex<Option<String>>,
}

/// Posts, and has the herald say what was acknowledged. Each writer ends with the first refusal or broken connection: what
/// was not answered counts as not acknowledged, and is not sent again.
pub fn run(load: &HttpLoad, herald: &Mutex<Herald<impl Write + Send>>) -> Posted {
    let posted = Posted::default();
    let begun = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..load.writers {
            let (posted, begun) = (&posted, &begun);
            scope.spawn(move || write(load, writer, begun, posted, herald));
        }
    });
    posted
}

fn write(
    load: &HttpLoad,
    writer: u64,
    begun: &AtomicU64,
    posted: &Posted,
    herald: &Mutex<Herald<impl Write + Send>>,
) {
    let mut client = Client::new(load.port);
    if let Some(token) = &load.token {
        client = client.with_token(token);
    }
    let mut ids = Seeded::new(load.seed ^ (writer << 48));
    while load
        .events
        .is_none_or(|most| begun.fetch_add(1, Ordering::Relaxed) < most)
    {
        let id = ids.id();
        let stream = stream_of(id, load.streams);
        let data = String::from_utf8(data_of(id, load.bytes)).expect("letters are UTF-8");
        let body = format!(
            r#"{{"id":"{id}","aggregate_type":"{AGGREGATE_TYPE}","aggregate_id":"{stream}","event_type":"{EVENT_TYPE}","data":{data}}}"#
        );
        match client.post("/api/v1/events", &body) {
            Ok(answer) if (200..300).contains(&answer.status) => {
                posted.acknowledged.fetch_add(1, Ordering::Relaxed);
                let mut herald = herald.lock().expect("no writer panics while it speaks");
                if herald.acknowledge(&[id]).is_err() {
                    return;
                }
            }
            Ok(answer) => {
                let mut refused = posted
                    .refused
                    .lock()
                    .expect("no writer panics while it speaks");
                refused.get_or_insert(format!("{}: {}", answer.status, answer.text()));
                return;
            }
            Err(_) => return,
        }
    }
}
