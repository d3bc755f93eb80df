//! A real broker: Debian's `nats-server`, on a port of its own choosing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::skip;

const PROGRAM: &str = "nats-server";

/// See the module.
#[derive(Debug)]
pub struct NatsServer {
    process: Option<Child>,
    folder: TempDir,
    port: Option<u16>,
}

impl NatsServer {
    /// Starts one that has kept nothing; `None`, and says so, where the program is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(test: &str) -> Option<NatsServer> {
        if !skip::programs(test, &[PROGRAM]) {
            return None;
        }
        let mut server = NatsServer {
            process: None,
            folder: tempfile::tempdir().expect("a folder"),
            port: None,
        };
        server.restart();
        Some(server)
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
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
        let port = self.port.map_or("-1".to_owned(), |port| port.to_string());
        let process = Command::new(PROGRAM)
            .args([
                "--addr",
                "127.0.0.1",
                "--port",
                &port,
                "--jetstream",
                "--store_dir",
            ])
            .arg(self.folder.path().join("store"))
            .arg("--ports_file_dir")
            .arg(&ports)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is installed");
        self.process = Some(process);
        let began = Instant::now();
        while self.port_of(&ports).is_none() {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "nats-server does not start"
            );
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
        format!("nats://127.0.0.1:{}", self.port.unwrap_or_default())
    }

    /// The port, once it says so in its file.
    fn port_of(&self, ports: &Path) -> Option<u16> {
        let file = fs::read_dir(ports).ok()?.next()?.ok()?;
        let text = fs::read_to_string(file.path()).ok()?;
        let (_, behind) = text.split_once("nats://127.0.0.1:")?;
        let digits = behind.split(|character: char| !character.is_ascii_digit());
        digits.into_iter().next()?.parse().ok()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
