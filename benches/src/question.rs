//! The questions, one file each.

mod analytics;
mod batches;
mod disk;
mod federation;
mod flushes;
mod http_batches;
mod http_history;
mod http_lists;
mod http_many_writers;
mod http_one_writer;
mod http_stream;
mod import;
mod lake;
mod limits;
mod many_writers;
mod one_writer;
mod open;
mod plan;
mod predict;
mod proofs;
mod rebuild;
mod scan;
mod stream;
mod sync;

use crate::BenchError;
use crate::row::Row;
use crate::setting::Setting;

/// A question and how it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// Answers it.
    pub ask: fn(&Setting) -> Result<Vec<Row>, BenchError>,
}

/// All questions, in the order of the table.
pub const ALL: &[Question] = &[
    Question {
        name: "limits",
        asks: "what do this disk and this processor allow?",
        ask: limits::ask,
    },
    Question {
        name: "one-writer",
        asks: "how long does one writer wait for a durable event?",
        ask: one_writer::ask,
    },
    Question {
        name: "many-writers",
        asks: "how many durable events a second do 64 writers get?",
        ask: many_writers::ask,
    },
    Question {
        name: "batches",
        asks: "how many events a second, in transactions of 1,000 with all checks?",
        ask: batches::ask,
    },
    Question {
        name: "scan",
        asks: "how fast is the whole log read, every checksum checked?",
        ask: scan::ask,
    },
    Question {
        name: "stream",
        asks: "how long does reading one stream of 10,000 events take?",
        ask: stream::ask,
    },
    Question {
        name: "open",
        asks: "how long does opening 10 million events take, and how much memory?",
        ask: open::ask,
    },
    Question {
        name: "flushes",
        asks: "how often is the device flushed for each group?",
        ask: flushes::ask,
    },
    Question {
        name: "disk",
        asks: "how many bytes on disk for each byte of payload?",
        ask: disk::ask,
    },
    Question {
        name: "http-one-writer",
        asks: "how long does one writer over HTTP wait for a durable event?",
        ask: http_one_writer::ask,
    },
    Question {
        name: "http-many-writers",
        asks: "how many durable events a second do 64 writers get over HTTP, and from what it replaces?",
        ask: http_many_writers::ask,
    },
    Question {
        name: "http-batches",
        asks: "how many events a second over HTTP, in batches of 1,000 with all checks?",
        ask: http_batches::ask,
    },
    Question {
        name: "http-stream",
        asks: "how long does reading one stream of 10,000 events as JSON take?",
        ask: http_stream::ask,
    },
    Question {
        name: "http-lists",
        asks: "how long does a list of 100 rows take, at 100,000 vehicles and a million work orders?",
        ask: http_lists::ask,
    },
    Question {
        name: "rebuild",
        asks: "how many events a second is a read model rebuilt from?",
        ask: rebuild::ask,
    },
    Question {
        name: "import",
        asks: "how fast does a Phase 2 database of a million rows come over, and in how much memory?",
        ask: import::ask,
    },
    Question {
        name: "http-history",
        asks: "how long do states of the past, trails and the fleet at a time take, at 10 million events?",
        ask: http_history::ask,
    },
    Question {
        name: "proofs",
        asks: "what do an inclusion proof, a full verify, and the tree beside appends cost?",
        ask: proofs::ask,
    },
    Question {
        name: "sync-push",
        asks: "how long does a tablet's push of 1,000 operations take until it is durable?",
        ask: sync::ask_push,
    },
    Question {
        name: "sync-pull",
        asks: "how long does a pull of 1,000 changed entities take?",
        ask: sync::ask_pull,
    },
    Question {
        name: "sync-many",
        asks: "how long does each of 1,000 tablets wait for a sync?",
        ask: sync::ask_many,
    },
    Question {
        name: "analytics",
        asks: "how long do figures take at 3.65 million events, and how does that compare with DuckDB?",
        ask: analytics::ask,
    },
    Question {
        name: "http-predict",
        asks: "how long does a prediction take over HTTP, with its features from the log?",
        ask: predict::ask,
    },
    Question {
        name: "beside-training",
        asks: "how long does a writer wait while a training runs?",
        ask: predict::ask_beside,
    },
    Question {
        name: "federation",
        asks: "how soon does one depot see what happened at another, and how fast does it catch up?",
        ask: federation::ask,
    },
    Question {
        name: "lake",
        asks: "how many events a second are exported as Parquet, and into how many bytes each?",
        ask: lake::ask,
    },
    Question {
        name: "plan",
        asks: "are the plan's targets met on a depot with a past, 1,000 users at once among them?",
        ask: plan::ask,
    },
];
