//! `railfleet-load`: puts load on a server or on a log, says what was acknowledged, and looks afterwards.
//!
//! This is the client that the fault tools need: it prints `ACK <event id>` on a line of its own once an event is
//! acknowledged, and nothing before that.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::{Args, Parser, Subcommand};
use harness::load::embedded::{self, EmbeddedLoad, Ended};
use harness::load::http::{self, HttpLoad};
use harness::load::{Herald, reopen};
use uuid::Uuid;

/// Posts events, and prints `ACK <event id>` for each one that was acknowledged.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Posts to a server until it is gone, or for so many events, with the access token that stands in the environment
    /// as RAILFLEET_TOKEN. Exit 0; 1 when the server refused an event.
    Http {
        /// The server's port on the loopback.
        port: u16,
        /// How many writers at once.
        #[arg(long, default_value_t = 4)]
        writers: u64,
        /// How many events; without it, until the server is gone.
        #[arg(long)]
        events: Option<u64>,
        #[command(flatten)]
        shape: Shape,
    },
    /// Appends to a log in this process. Exit 0; 1 when the log refused to go on.
    Embedded {
        /// The log's folder.
        folder: PathBuf,
        /// How many events.
        events: u64,
        /// Events in a transaction.
        #[arg(long, default_value_t = 1)]
        batch: u64,
        /// Bytes of a segment at most.
        #[arg(long, default_value_t = 32 << 10)]
        segment_bytes: u64,
        #[command(flatten)]
        shape: Shape,
    },
    /// Opens a log for good, reads all of it, holds it against what was acknowledged, and appends to it.
    /// Exit 0; 10 when an acknowledged event is missing; 20 on damage.
    Reopen {
        /// The log's folder.
        folder: PathBuf,
        /// A file with the ids of the acknowledged events, one a line.
        #[arg(long)]
        acks: Option<PathBuf>,
        /// Bytes of a segment at most.
        #[arg(long, default_value_t = 32 << 10)]
        segment_bytes: u64,
    },
}

#[derive(Args)]
struct Shape {
    /// Bytes of data on an event.
    #[arg(long, default_value_t = 300)]
    size: usize,
    /// Over how many streams.
    #[arg(long, default_value_t = 50)]
    streams: u64,
    /// Where the ids come from; 0: from the system, new on every run.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A file that gets the id of each acknowledged event too.
    #[arg(long)]
    mark: Option<PathBuf>,
}

impl Shape {
    fn seed(&self) -> u64 {
        match self.seed {
            0 => Uuid::new_v4().as_u64_pair().1,
            seed => seed,
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Http {
            port,
            writers,
            events,
            shape,
        } => {
            let load = HttpLoad {
                port,
                token: std::env::var("RAILFLEET_TOKEN").ok(),
                writers,
                events,
                bytes: shape.size,
                streams: shape.streams,
                seed: shape.seed(),
            };
            ended(post(&load, shape.mark.as_deref()))
        }
        Command::Embedded {
            folder,
            events,
            batch,
            segment_bytes,
            shape,
        } => {
            let load = EmbeddedLoad {
                folder,
                events,
                batch,
                bytes: shape.size,
                streams: shape.streams,
                segment_bytes,
                seed: shape.seed(),
            };
            ended(append(&load, shape.mark.as_deref()))
        }
        Command::Reopen {
            folder,
            acks,
            segment_bytes,
        } => look(&folder, acks, segment_bytes),
    }
}

/// Whether everything was acknowledged; an error is one of saying so.
fn ended(all: io::Result<bool>) -> ExitCode {
    match all {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn post(load: &HttpLoad, mark: Option<&Path>) -> io::Result<bool> {
    let posted = http::run(load, &Mutex::new(Herald::new(io::stdout(), mark)?));
    let refused = posted.refused.into_inner().expect("every writer has ended");
    if let Some(refused) = &refused {
        complain(&format!("refused: {refused}"));
    }
    Ok(refused.is_none())
}

fn append(load: &EmbeddedLoad, mark: Option<&Path>) -> io::Result<bool> {
    let mut herald = Herald::new(io::stdout().lock(), mark)?;
    Ok(embedded::run(load, &mut herald)? == Ended::Complete)
}

fn look(folder: &Path, acks: Option<PathBuf>, segment_bytes: u64) -> ExitCode {
    let acknowledged = match acks.map(std::fs::read_to_string).transpose() {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => {
            complain(&format!("the acknowledged ids cannot be read: {error}"));
            return ExitCode::from(2);
        }
    };
    let ids: Result<Vec<Uuid>, _> = acknowledged.lines().map(Uuid::parse_str).collect();
    let Ok(ids) = ids else {
        complain("the acknowledged ids are no UUIDs");
        return ExitCode::from(2);
    };
    let found = reopen::reopen(folder, &ids, segment_bytes);
    let mut report = format!("COUNT {}\nDIGEST ", found.events);
    for byte in found.digest {
        report.push_str(&format!("{byte:02x}"));
    }
    for id in &found.missing {
        report.push_str(&format!("\nMISSING {id}"));
    }
    for problem in &found.problems {
        report.push_str(&format!("\nPROBLEM {problem}"));
    }
    report.push('\n');
    // Nobody to tell is no reason to fail: the exit code says it too.
    let _ = io::stdout().write_all(report.as_bytes());
    ExitCode::from(found.exit_code())
}

#[expect(clippy::print_stderr, reason = "a program's own errors")]
fn complain(what: &str) {
    eprintln!("railfleet-load: {what}");
}
