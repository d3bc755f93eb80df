//! The server itself, as its operator would start it: with an account, behind a token, on a folder of its own.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Service, free_address};
use crate::BenchError;
use crate::error::doing;
use crate::http::connection::{Answer, Connection};
use crate::http::request;
use crate::process;
use crate::scratch::Scratch;
use crate::setting::Setting;

/// The path that takes an event.
pub const EVENTS_PATH: &str = "/api/v1/events";
/// The path that takes a batch.
pub const BATCH_PATH: &str = "/api/v1/events/batch";

const USER: &str = "bench";
const PASSWORD: &str = "measured-Twice-0nce";
const READY_AFTER_MAX: Duration = Duration::from_secs(30);
/// How long read models may take for a log that they do not know.
const CAUGHT_UP_AFTER_MAX: Duration = Duration::from_secs(600);

/// The running server.
#[derive(Debug)]
pub struct RailFleet {
    /// Where it listens.
    pub address: SocketAddr,
    /// What requests show.
    pub token: String,
    // Ended before its folder is removed.
    service: Service,
    _scratch: Scratch,
}

impl RailFleet {
    /// Makes an account and starts the server.
    ///
    /// # Errors
    /// [`BenchError::Missing`] where it has not been built.
    pub fn start(setting: &Setting) -> Result<Self, BenchError> {
        RailFleet::start_on(setting, |_| Ok(()))
    }

    /// Makes an account, has `fill` fill the log in the folder that it is given, and starts the server on it.
    ///
    /// # Errors
    /// As [`start`](RailFleet::start); those of `fill`.
    pub fn start_on(
        setting: &Setting,
        fill: impl FnOnce(&Path) -> Result<(), BenchError>,
    ) -> Result<Self, BenchError> {
        RailFleet::start_as(setting, &[], fill)
    }

    /// The same, with these settings in its environment.
    ///
    /// # Errors
    /// As [`start_on`](RailFleet::start_on).
    pub fn start_as(
        setting: &Setting,
        environment: &[(&str, &str)],
        fill: impl FnOnce(&Path) -> Result<(), BenchError>,
    ) -> Result<Self, BenchError> {
        let program = program(setting)?;
        let scratch = setting.scratch()?;
        let data = scratch.join("data");
        add_user(&program, &data)?;
        fill(&data.join("log"))?;
        RailFleet::serve(&program, environment, scratch, &data)
    }

    /// Makes an account in a data folder that holds a log already, and starts the server on it.
    ///
    /// # Errors
    /// As [`start`](RailFleet::start).
    pub fn start_at(setting: &Setting, data: &Path) -> Result<Self, BenchError> {
        let program = program(setting)?;
        add_user(&program, data)?;
        RailFleet::serve(&program, &[], setting.scratch()?, data)
    }

    fn serve(
        program: &Path,
        environment: &[(&str, &str)],
        scratch: Scratch,
        data: &Path,
    ) -> Result<Self, BenchError> {
        let address = free_address().map_err(doing("looking for a free port"))?;
        let mut command = Command::new(program);
        command
            .envs(environment.iter().copied())
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--listen", &address.to_string()]);
        let output = scratch.join("railfleet.output");
        let mut service = Service::start("the server", &mut command, Signal::TERM, output)?;
        service.wait_for(address)?;
        let mut connection = Connection::open(address).map_err(doing("connecting"))?;
        wait_until_ready(&mut connection, &service)?;
        let token = log_in(&mut connection, &service)?;
        Ok(RailFleet {
            address,
            token,
            service,
            _scratch: scratch,
        })
    }

    /// Waits until a read model has all that the log has.
    ///
    /// # Errors
    /// [`BenchError::Peer`] when that takes too long; what goes wrong while asking.
    pub fn wait_for_projection(
        &self,
        connection: &mut Connection,
        name: &str,
    ) -> Result<(), BenchError> {
        let began = Instant::now();
        while began.elapsed() < CAUGHT_UP_AFTER_MAX {
            if self.projection_word(connection, name)? == "up_to_date" {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(self.service.failed("does not catch up"))
    }

    /// Whether a read model is being made anew.
    ///
    /// # Errors
    /// What goes wrong while asking.
    pub fn is_rebuilding(
        &self,
        connection: &mut Connection,
        name: &str,
    ) -> Result<bool, BenchError> {
        Ok(self.projection_word(connection, name)? == "rebuilding")
    }

    fn projection_word(
        &self,
        connection: &mut Connection,
        name: &str,
    ) -> Result<String, BenchError> {
        let path = format!("/api/v1/projections/{name}");
        let request = request::build("GET", &path, Some(&self.token), b"");
        let answer = connection
            .exchange(&request)
            .map_err(doing("asking for a read model"))?;
        expect_status(200, &answer).map_err(doing("asking for a read model"))?;
        let said: Value = serde_json::from_slice(&answer.body())?;
        Ok(said["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Processor time that the server has used so far, in microseconds.
    ///
    /// # Errors
    /// [`BenchError::Io`] when the kernel does not say.
    pub fn cpu_micros(&self) -> Result<u64, BenchError> {
        process::cpu_micros(&self.service.pid()).map_err(doing("asking for processor time"))
    }

    /// What memory the server holds.
    ///
    /// # Errors
    /// [`BenchError::Io`] when the kernel does not say.
    pub fn memory(&self) -> Result<process::Memory, BenchError> {
        process::memory(&self.service.pid()).map_err(doing("asking for memory"))
    }

    /// A connection to it.
    ///
    /// # Errors
    /// [`BenchError::Io`] when there is none to be had.
    pub fn connect(&self) -> Result<Connection, BenchError> {
        Connection::open(self.address).map_err(doing("connecting"))
    }
}

/// The server's program: the one that `RAILFLEET_BIN` names, else the one that lies beside this one.
///
/// # Errors
/// [`BenchError::Missing`] where it has not been built.
pub fn program(setting: &Setting) -> Result<PathBuf, BenchError> {
    let program = std::env::var_os("RAILFLEET_BIN")
        .map_or_else(|| setting.beside("railfleet"), PathBuf::from);
    if program.is_file() {
        return Ok(program);
    }
    Err(BenchError::Missing {
        what: format!("the server {}", program.display()),
        remedy: "benches/setup.sh builds it".to_owned(),
    })
}

fn add_user(program: &Path, data: &Path) -> Result<(), BenchError> {
    let mut child = Command::new(program)
        .args([
            "user",
            "add",
            USER,
            "--role",
            "SUPER_ADMIN",
            "--password-stdin",
            "--data",
        ])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(doing("starting the server to add an account"))?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{PASSWORD}").map_err(doing("handing over the password"))?;
    }
    let output = child
        .wait_with_output()
        .map_err(doing("adding an account"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::Peer(format!(
        "no account could be added: {}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

fn wait_until_ready(connection: &mut Connection, service: &Service) -> Result<(), BenchError> {
    let request = request::build("GET", "/ready", None, b"");
    let began = Instant::now();
    while began.elapsed() < READY_AFTER_MAX {
        let answer = connection
            .exchange(&request)
            .map_err(doing("asking whether the server is ready"))?;
        if answer.status == 200 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(service.failed("is not ready"))
}

fn log_in(connection: &mut Connection, service: &Service) -> Result<String, BenchError> {
    let body = json!({ "username": USER, "password": PASSWORD }).to_string();
    let request = request::build("POST", "/api/v1/auth/login", None, body.as_bytes());
    let answer = connection.exchange(&request).map_err(doing("logging in"))?;
    let said: Value = serde_json::from_slice(&answer.body())?;
    said["access_token"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| service.failed(&format!("refuses the login: {said}")))
}

/// Sees that an answer is the one that was asked for.
///
/// # Errors
/// `InvalidData` for any other status, with the beginning of what it says.
pub fn expect_status(expected: u16, answer: &Answer<'_>) -> io::Result<()> {
    if answer.status == expected {
        return Ok(());
    }
    let body = answer.body();
    let said = String::from_utf8_lossy(&body[..body.len().min(500)]);
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!("status {} in place of {expected}: {said}", answer.status),
    ))
}
