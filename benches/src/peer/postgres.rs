//! PostgreSQL with a plain table of events, started on the same disk: what the log replaces.
//!
//! Every commit is synced (`fsync` and `synchronous_commit` on); memory is generous, statements are prepared, and the
//! writers connect directly.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getuid};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

use super::{Service, free_address};
use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::sample::{Sample, per_second};
use crate::scratch::Scratch;
use crate::setting::Setting;

/// Where Debian puts each version's programs.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";
const USER: &str = "bench";
const DATABASE: &str = "postgres";
const READY_AFTER_MAX: Duration = Duration::from_secs(60);

const TABLE: &str = "\
create table events (
    position bigint generated always as identity primary key,
    id uuid not null unique default gen_random_uuid(),
    aggregate_type text not null,
    aggregate_id text not null,
    version integer not null,
    event_type text not null,
    occurred_at timestamptz not null default now(),
    data jsonb not null,
    metadata jsonb not null default '{}',
    unique (aggregate_type, aggregate_id, version)
)";
const INSERT: &str = "\
insert into events (aggregate_type, aggregate_id, version, event_type, data)
values ($1, $2, $3, $4, $5::text::jsonb) returning position";

/// A running PostgreSQL with an empty table of events.
#[derive(Debug)]
pub struct Postgres {
    address: SocketAddr,
    /// What it says of its version.
    pub version: String,
    runtime: Runtime,
    // Ended before its folder is removed.
    _service: Service,
    _scratch: Scratch,
}

impl Postgres {
    /// Makes a database and starts it.
    ///
    /// # Errors
    /// [`BenchError::Missing`] where it is not installed.
    pub fn start(setting: &Setting) -> Result<Self, BenchError> {
        let programs = programs().ok_or_else(|| BenchError::Missing {
            what: "PostgreSQL".to_owned(),
            remedy: "benches/setup.sh installs it from Debian's packages".to_owned(),
        })?;
        let scratch = setting.scratch()?;
        let owner = Owner::choose(scratch.path())?;
        let folder = scratch.join("postgres");
        initialise(&programs, &folder, &owner)?;
        let address = free_address().map_err(doing("looking for a free port"))?;
        let mut command = Command::new(programs.join("postgres"));
        command.arg("-D").arg(&folder).args(settings(address));
        owner.take_over(&mut command);
        let output = scratch.join("postgres.output");
        // SIGINT asks for a fast shutdown: no waiting for clients.
        let mut service = Service::start("PostgreSQL", &mut command, Signal::INT, output)?;
        service.wait_for(address)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(doing("starting a runtime"))?;
        let postgres = Postgres {
            address,
            version: version(&programs),
            runtime,
            _service: service,
            _scratch: scratch,
        };
        postgres.runtime.block_on(postgres.create_table())?;
        Ok(postgres)
    }

    /// How a client in another language names it.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{USER}@{}/{DATABASE}", self.address)
    }

    /// Has `writers` writers insert, each into a stream of its own, one event a commit, for `lasting`. Returns events a
    /// second and how long each took.
    ///
    /// # Errors
    /// [`BenchError::Peer`] when a statement fails.
    pub fn append_from_many(
        &self,
        writers: u64,
        lasting: Duration,
        round: i32,
    ) -> Result<(f64, Sample), BenchError> {
        self.runtime.block_on(async {
            let mut ready = Vec::new();
            for writer in 0..writers {
                ready.push((writer, self.connect().await?));
            }
            let began = Instant::now();
            let end = began + lasting;
            let tasks: Vec<_> = ready
                .into_iter()
                .map(|(writer, client)| tokio::spawn(insert_until(client, writer, round, end)))
                .collect();
            let (mut all, mut in_time) = (Sample::default(), 0);
            for task in tasks {
                let (sample, count) = task
                    .await
                    .map_err(|_| BenchError::Peer("a writer panicked".to_owned()))??;
                all.absorb(sample);
                in_time += count;
            }
            Ok((per_second(in_time, lasting), all))
        })
    }

    async fn create_table(&self) -> Result<(), BenchError> {
        let client = self.connect().await?;
        client.batch_execute(TABLE).await.map_err(refused)
    }

    /// Connects; a server that has just been started refuses for a while.
    async fn connect(&self) -> Result<Client, BenchError> {
        let mut config = Config::new();
        config
            .host(self.address.ip().to_string())
            .port(self.address.port())
            .user(USER)
            .dbname(DATABASE);
        let began = Instant::now();
        loop {
            match config.connect(NoTls).await {
                Ok((client, connection)) => {
                    // It ends when the client is dropped.
                    tokio::spawn(connection);
                    return Ok(client);
                }
                Err(error) if began.elapsed() > READY_AFTER_MAX => return Err(refused(error)),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Inserts until `end`; also says how many were answered by then.
async fn insert_until(
    client: Client,
    writer: u64,
    round: i32,
    end: Instant,
) -> Result<(Sample, u64), BenchError> {
    let insert = client.prepare(INSERT).await.map_err(refused)?;
    let maker = EventMaker::new();
    let name = event::stream(writer);
    // A stream of its own in each round, so that versions begin at 1.
    let id = format!("{}-{round}", name.aggregate_id);
    let (mut sample, mut in_time) = (Sample::default(), 0);
    let mut version = 0;
    while Instant::now() < end {
        version += 1;
        let data = String::from_utf8_lossy(&maker.data(in_time)).into_owned();
        let began = Instant::now();
        client
            .query_one(
                &insert,
                &[
                    &&*name.aggregate_type,
                    &id,
                    &version,
                    &event::EVENT_TYPE,
                    &data,
                ],
            )
            .await
            .map_err(refused)?;
        sample.push(began.elapsed());
        if Instant::now() < end {
            in_time += 1;
        }
    }
    Ok((sample, in_time))
}

fn refused(error: tokio_postgres::Error) -> BenchError {
    BenchError::Peer(format!("PostgreSQL refused: {error}"))
}

fn settings(address: SocketAddr) -> Vec<String> {
    let port = format!("port={}", address.port());
    let settings = [
        &port,
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        "shared_buffers=1GB",
        "max_wal_size=4GB",
        "fsync=on",
        "synchronous_commit=on",
    ];
    settings
        .iter()
        .flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()])
        .collect()
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN_FOLDER)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((number, programs))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, programs)| programs)
}

fn version(programs: &Path) -> String {
    Command::new(programs.join("postgres"))
        .arg("--version")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

fn initialise(programs: &Path, folder: &Path, owner: &Owner) -> Result<(), BenchError> {
    fs::create_dir_all(folder).map_err(doing("making PostgreSQL's folder"))?;
    owner
        .give(folder)
        .map_err(doing("giving PostgreSQL its folder"))?;
    let mut command = Command::new(programs.join("initdb"));
    command.arg("-D").arg(folder).args([
        "-A",
        "trust",
        "-U",
        USER,
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C",
    ]);
    owner.take_over(&mut command);
    let output = command.output().map_err(doing("starting initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(BenchError::Peer(format!(
        "initdb ended with {}: {said}",
        output.status
    )))
}

/// Who PostgreSQL runs as: it refuses to be root.
#[derive(Debug)]
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn choose(folder: &Path) -> Result<Self, BenchError> {
        if !getuid().is_root() {
            return Ok(Owner(None));
        }
        let accounts =
            fs::read_to_string("/etc/passwd").map_err(doing("reading the list of accounts"))?;
        let found = ["postgres", "nobody"]
            .iter()
            .find_map(|name| account(&accounts, name));
        found.map(|ids| Owner(Some(ids))).ok_or_else(|| {
            BenchError::Peer(format!(
                "no account to run PostgreSQL as in {}",
                folder.display()
            ))
        })
    }

    fn give(&self, folder: &Path) -> io::Result<()> {
        match self.0 {
            Some((user, group)) => chown(folder, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    fn take_over(&self, command: &mut Command) {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
    }
}

/// The numbers of an account and its group in the text of `/etc/passwd`.
fn account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    })
}
