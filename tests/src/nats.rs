//! A real broker: Debian's `nats-server`, on a port of its own choosing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::server::free_port;
use crate::skip;

const PROGRAM: &str = "nats-server";

/// Keeps streams in memory of its own and on the disk.
const JETSTREAM: &str = "--jetstream";
/// How long it may take to begin on a machine that is busy.
const START_LIMIT: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub struct NatsServer {
    process: Option<Child>,
    folder: TempDir,
    port: Option<u16>,
    flags: Vec<String>,
    settings: String,
}

impl NatsServer {
    /// Starts one that has kept nothing; `None`, and says so, where the program is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(test: &str) -> Option<NatsServer> {
        NatsServer::start_with(test, &[JETSTREAM], "")
    }

    /// The same with these flags, and with settings as they stand in its configuration file.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_with(test: &str, flags: &[&str], settings: &str) -> Option<NatsServer> {
        let mut server = NatsServer::prepare(test, flags)?;
        server.set(settings);
        server.restart();
        Some(server)
    }

    /// Starts three that are one cluster.
    ///
    /// # Panics
    /// When they do not start.
    pub fn start_cluster(test: &str) -> Option<[NatsServer; 3]> {
        let ports = [free_port(), free_port(), free_port()];
        let routes = ports
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .join(", ");
        let member = |port: u16| {
            let settings = format!(
                "server_name: member-{port}\ncluster {{ name: depots, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n"
            );
            NatsServer::start_with(test, &[JETSTREAM], &settings)
        };
        let [one, two, three] = ports.map(member);
        Some([one?, two?, three?])
    }

    fn prepare(test: &str, flags: &[&str]) -> Option<NatsServer> {
        skip::programs(test, &[PROGRAM]).then(|| NatsServer {
            process: None,
            folder: tempfile::tempdir().expect("a folder"),
            port: None,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            settings: String::new(),
        })
    }

    /// From its next start on it has these settings.
    pub fn set(&mut self, settings: &str) {
        settings.clone_into(&mut self.settings);
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends it a signal, where it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            let _ = kill_process(Pid::from_child(process), signal);
        }
    }

    /// Begins it again, with what it had kept, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let ports = self.folder.path().join("ports");
        let _ = fs::remove_dir_all(&ports);
        fs::create_dir(&ports).expect("a folder");
        let settings = self.folder.path().join("settings");
        fs::write(&settings, &self.settings).expect("a file");
        let port = self.port.map_or("-1".to_owned(), |port| port.to_string());
        let process = Command::new(PROGRAM)
            .args(["--addr", "127.0.0.1", "--port", &port])
            .args(&self.flags)
            .arg("--store_dir")
            .arg(self.folder.path().join("store"))
            .arg("--ports_file_dir")
            .arg(&ports)
            .arg("--config")
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is installed");
        self.process = Some(process);
        let began = Instant::now();
        while self.port_of(&ports).is_none() {
            assert!(began.elapsed() < START_LIMIT, "nats-server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.port = self.port_of(&ports);
    }

    /// Ends it, and has it forget everything.
    pub fn wipe(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(self.folder.path().join("store"));
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port())
    }

    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or_default()
    }

    /// The port, once it says so in its file.
    fn port_of(&self, ports: &Path) -> Option<u16> {
        let file = fs::read_dir(ports).ok()?.next()?.ok()?;
        let text = fs::read_to_string(file.path()).ok()?;
        let (_, behind) = text.split_once("://127.0.0.1:")?;
        let digits = behind.split(|character: char| !character.is_ascii_digit());
        digits.into_iter().next()?.parse().ok()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
