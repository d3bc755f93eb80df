//! The real `railfleet` on a folder and a port of its own, as an operator would run it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::client::Client;
use crate::port::free_port;
use crate::process::{Process, must, run, run_with_input, wait_for};
use crate::skip::workspace;

/// How long a server may take to be ready. One that ends instead is told of at once; only one that hangs is waited for this
/// long, and a machine that builds beside the tests has made servers without much history take more than a minute.
pub const START_LIMIT: Duration = Duration::from_secs(300);
/// How long a command of the program may take: verifying what was written in an hour is minutes of such a machine.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(600);
/// How long a server may take to end in good order: as long as the service's unit gives it (`TimeoutStopSec`).
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// The account that the tests use.
const USER: &str = "fault-tester";
const PASSWORD: &str = "Correct-Horse7-Battery-Staple";

/// The `railfleet` program: the one that `RAILFLEET_BIN` names, else built now, as the tests were.
///
/// # Panics
/// When it cannot be built.
pub fn railfleet() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("RAILFLEET_BIN") {
        Some(path) => must("finding RAILFLEET_BIN", PathBuf::from(path).canonicalize()),
        None => build(),
    })
}

fn build() -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace())
        .args(["build", "-p", "railfleet-server", "--bin", "railfleet"]);
    let (status, output) = run(&mut cargo, Duration::from_secs(1_200));
    assert!(status.success(), "railfleet does not build: {output}");
    let test = must("finding this program", std::env::current_exe());
    let profile = test.ancestors().nth(2).expect("tests lie in PROFILE/deps");
    profile.join("railfleet")
}

/// A data folder with an account in it, removed in the end.
#[derive(Debug)]
pub struct DataFolder {
    /// Where the folder and what belongs to the test beside it lie.
    home: TempDir,
    data: PathBuf,
}

impl DataFolder {
    /// A folder on the disk that holds the temporary files.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        let home = must("making a folder", tempfile::tempdir());
        let data = home.path().join("data");
        DataFolder::with(home, data)
    }

    /// A folder in `parent`, which may be a small or a faulty disk. Logs of processes still go to the ordinary one.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn within(parent: &Path) -> Self {
        let home = must("making a folder", tempfile::tempdir());
        DataFolder::with(home, parent.join("data"))
    }

    /// A data folder that was made elsewhere and has the test's account in it already.
    ///
    /// # Panics
    /// When the folder beside it cannot be made.
    pub fn adopt(data: &Path) -> Self {
        DataFolder {
            home: must("making a folder", tempfile::tempdir()),
            data: data.to_owned(),
        }
    }

    /// A data folder that was made elsewhere; the test's account is added to it.
    ///
    /// # Panics
    /// When the account cannot be added.
    pub fn adopt_new(data: &Path) -> Self {
        let home = must("making a folder", tempfile::tempdir());
        DataFolder::with(home, data.to_owned())
    }

    /// The same place for the test's own files, around another data folder, which lies among them.
    #[must_use]
    pub fn with_data(self, data: &Path) -> Self {
        DataFolder {
            data: data.to_owned(),
            ..self
        }
    }

    fn with(home: TempDir, data: PathBuf) -> Self {
        let folder = DataFolder { home, data };
        let mut add = folder.command(&["user", "add", USER, "--role", "SUPER_ADMIN"]);
        add.args(["--password-stdin", "--data"]).arg(&folder.data);
        let (status, output) = run_with_input(&mut add, &format!("{PASSWORD}\n"), COMMAND_LIMIT);
        assert!(
            status.success(),
            "adding the account ended with {status}: {output}"
        );
        folder
    }

    /// The data folder: what `--data` names.
    pub fn path(&self) -> &Path {
        &self.data
    }

    /// The log's folder in it.
    pub fn log(&self) -> PathBuf {
        self.data.join("log")
    }

    /// A place for the test's own files, not in the data folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The program, told these arguments, and kept from the settings of whoever runs the tests.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(railfleet());
        without_settings(&mut command);
        command.args(arguments);
        command
    }

    /// Starts the server here and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready in time.
    #[track_caller]
    pub fn serve(&self) -> Server {
        self.serve_with(&[], &[])
    }

    /// Starts the server here, with more arguments and environment.
    ///
    /// # Panics
    /// When it is not ready in time.
    #[track_caller]
    pub fn serve_with(&self, arguments: &[&str], environment: &[(&str, OsString)]) -> Server {
        let server = self.launch(arguments, environment);
        server.wait_ready()
    }

    /// Starts the server here, called by another program that becomes it, such as `prlimit`, and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready in time.
    #[track_caller]
    pub fn serve_under(&self, caller: &[&str]) -> Server {
        let mut command = Command::new(caller[0]);
        command.args(&caller[1..]).arg(railfleet());
        self.start(command, &[], &[]).wait_ready()
    }

    /// Starts the server here without waiting for it.
    #[track_caller]
    pub fn launch(&self, arguments: &[&str], environment: &[(&str, OsString)]) -> Server {
        self.start(Command::new(railfleet()), arguments, environment)
    }

    #[track_caller]
    fn start(
        &self,
        mut command: Command,
        arguments: &[&str],
        environment: &[(&str, OsString)],
    ) -> Server {
        let port = free_port();
        without_settings(&mut command);
        command
            .args(["serve", "--data"])
            .arg(&self.data)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)));
        Server {
            process: Process::start(&mut command, &self.beside("server.log")),
            port,
            started: Instant::now(),
        }
    }

    /// What `railfleet verify` says of the folder, with these ids acknowledged: its exit code and its output.
    pub fn verify(&self, acknowledged: &[String]) -> (Option<i32>, String) {
        let acks = self.beside("acks");
        must(
            "writing ids",
            std::fs::write(&acks, acknowledged.join("\n") + "\n"),
        );
        let mut verify = self.command(&["verify"]);
        verify.arg(&self.data).arg("--acks").arg(&acks);
        let (status, output) = run(&mut verify, COMMAND_LIMIT);
        (status.code(), output)
    }
}

impl Default for DataFolder {
    fn default() -> Self {
        DataFolder::new()
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    started: Instant,
}

impl Server {
    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The same server, ready.
    #[track_caller]
    fn wait_ready(mut self) -> Self {
        let port = self.port;
        wait_for("the server is ready", START_LIMIT, || {
            if let Some(status) = self.process.ended() {
                panic!(
                    "the server ended with {status}: {}",
                    self.process.last_words()
                );
            }
            ready(port).then_some(())
        });
        self
    }

    /// Whether `/ready` answers 2xx.
    pub fn is_ready(&self) -> bool {
        ready(self.port)
    }

    /// How long it has run.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// A client without an account.
    pub fn stranger(&self) -> Client {
        Client::new(self.port)
    }

    /// A client that has logged in.
    ///
    /// # Panics
    /// When the login is refused.
    #[track_caller]
    pub fn client(&self) -> Client {
        let token = self.token();
        Client::new(self.port).with_token(token)
    }

    /// An access token of the test's account.
    ///
    /// # Panics
    /// When the login is refused.
    #[track_caller]
    pub fn token(&self) -> String {
        let body = format!(r#"{{"username":"{USER}","password":"{PASSWORD}"}}"#);
        let answer = self.stranger().post("/api/v1/auth/login", &body);
        let tokens = must("logging in", answer).expect(200).json();
        tokens["access_token"]
            .as_str()
            .expect("a login answers with a token")
            .to_owned()
    }

    /// Asks it to end, and waits at most `limit`. `None` when it is still there.
    pub fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.signal(Signal::TERM);
        self.process.wait(limit)
    }

    /// Ends it in good order.
    ///
    /// # Panics
    /// When it does not end with 0 within a minute.
    #[track_caller]
    pub fn stop(self) {
        self.stop_within(STOP_LIMIT);
    }

    /// The same of one that has more to save, or less of the machine.
    ///
    /// # Panics
    /// When it does not end with 0 within `limit`.
    #[track_caller]
    pub fn stop_within(mut self, limit: Duration) {
        let status = self.terminate(limit);
        assert!(
            status.is_some_and(|status| status.success()),
            "the server ended with {status:?}: {}",
            self.process.last_words()
        );
    }

    /// Kills it at once.
    pub fn kill(mut self) {
        self.process.kill();
    }
}

fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RAILFLEET_") {
            command.env_remove(name);
        }
    }
}

fn ready(port: u16) -> bool {
    let mut client = Client::new(port).with_patience(Duration::from_secs(10));
    client
        .get("/ready")
        .is_ok_and(|answer| (200..300).contains(&answer.status))
}
