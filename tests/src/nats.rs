//! A real broker: Debian's `nats-server`, on a port of its own choosing. Its version 2.9.10 seldom ends by itself, with status 2
//! right behind its start; as a unit of systemd would, a thread then says so and begins it again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::port::free_port;
use crate::process::last_words;
use crate::skip;

const PROGRAM: &str = "nats-server";

/// Keeps streams in memory of its own and on the disk.
const JETSTREAM: &str = "--jetstream";
/// How long it may take to begin, and a cluster to be whole, on a machine that is busy.
const START_LIMIT: Duration = Duration::from_secs(300);
/// How often it is looked after.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How often it is begun again where it ends by itself, until somebody else begins it: more would tell the same.
const STARTS_MAX: u32 = 20;

/// See the module.
#[derive(Debug)]
pub struct NatsServer {
    /// `None` where it is to be down.
    process: Arc<Mutex<Option<Child>>>,
    folder: TempDir,
    port: u16,
    /// What a member of a cluster is called.
    name: String,
    /// Where it tells how it stands.
    monitor: Option<u16>,
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

    /// Starts three that are one cluster, which is whole on return.
    ///
    /// # Panics
    /// When they do not start, or do not find each other.
    pub fn start_cluster(test: &str) -> Option<[NatsServer; 3]> {
        let ports = [(); 3].map(|()| free_port());
        let routes = ports
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .join(", ");
        let member = |port: u16| {
            let (name, monitor) = (format!("member-{port}"), free_port());
            let settings = format!(
                "server_name: {name}\nhttp: \"127.0.0.1:{monitor}\"\n\
                 cluster {{ name: depots, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n"
            );
            let mut server = NatsServer::start_with(test, &[JETSTREAM], &settings)?;
            (server.name, server.monitor) = (name, Some(monitor));
            Some(server)
        };
        let [one, two, three] = ports.map(member);
        let members = [one?, two?, three?];
        NatsServer::wait_for_cluster(&members);
        Some(members)
    }

    /// Waits until these members have a leader that says that all the others are there and up to date. Before, a stream of
    /// three replicas is refused for want of peers.
    ///
    /// # Panics
    /// When it takes too long.
    #[track_caller]
    pub fn wait_for_cluster(members: &[NatsServer]) {
        let began = Instant::now();
        let mut told = Vec::new();
        let is_whole = |told: &Value| {
            let others = told["replicas"].as_array();
            others.is_some_and(|others| {
                others.len() + 1 == members.len()
                    && others
                        .iter()
                        .all(|other| other["current"] == true && other["offline"] != true)
            })
        };
        while !told.iter().any(is_whole) {
            assert!(
                began.elapsed() < START_LIMIT,
                "the members of the cluster do not find each other: {told:?}"
            );
            std::thread::sleep(Duration::from_millis(100));
            told = members.iter().filter_map(NatsServer::cluster).collect();
        }
    }

    /// What this member knows of the cluster; its leader alone names the others.
    fn cluster(&self) -> Option<Value> {
        let mut client = Client::new(self.monitor?).with_patience(Duration::from_secs(5));
        let answer = client
            .get("/jsz")
            .ok()
            .filter(|answer| answer.status == 200)?;
        Some(answer.json()["meta_cluster"].clone())
    }

    fn prepare(test: &str, flags: &[&str]) -> Option<NatsServer> {
        skip::programs(test, &[PROGRAM]).then(|| NatsServer {
            process: Arc::default(),
            folder: tempfile::tempdir().expect("a folder"),
            port: free_port(),
            name: String::new(),
            monitor: None,
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
        if let Some(mut process) = locked(&self.process).take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends it a signal, where it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &*locked(&self.process) {
            let _ = kill_process(Pid::from_child(process), signal);
        }
    }

    /// Begins it again, with what it had kept, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        fs::write(self.folder.path().join("settings"), &self.settings).expect("a file");
        let (folder, port) = (self.folder.path().to_owned(), self.port);
        let flags = self.flags.clone();
        let launch = move || launch(&folder, port, &flags);
        *locked(&self.process) = Some(launch().expect("it is installed"));
        let (began, mut starts) = (Instant::now(), 1);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(
                starts < STARTS_MAX && began.elapsed() < START_LIMIT,
                "nats-server does not start: {}",
                words_of(self.folder.path())
            );
            thread::sleep(Duration::from_millis(20));
            // Right behind its start is where it ends by itself, seldom before it listens.
            let mut process = locked(&self.process);
            let ended = process.as_mut().map(Child::try_wait);
            if let Some(Ok(Some(status))) = ended {
                tell_end(status, self.folder.path());
                *process = Some(launch().expect("it is installed"));
                starts += 1;
            }
        }
        let (process, folder) = (Arc::clone(&self.process), self.folder.path().to_owned());
        thread::spawn(move || look_after(&process, &folder, launch));
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

    /// What it is called, where it is a member of a cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn locked(process: &Mutex<Option<Child>>) -> MutexGuard<'_, Option<Child>> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

fn launch(folder: &Path, port: u16, flags: &[String]) -> io::Result<Child> {
    Command::new(PROGRAM)
        .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
        .args(flags)
        .arg("--store_dir")
        .arg(folder.join("store"))
        .arg("--config")
        .arg(folder.join("settings"))
        .arg("--log")
        .arg(folder.join("said"))
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("panic"))?)
        .spawn()
}

/// The end of what it wrote, and what it panicked with.
fn words_of(folder: &Path) -> String {
    let read = |name| last_words(&fs::read_to_string(folder.join(name)).unwrap_or_default());
    read("said") + &read("panic")
}

/// Past the test runner's capture: it is worth to be known also where the test goes well.
fn tell_end(status: ExitStatus, folder: &Path) {
    let words = words_of(folder);
    let _ = writeln!(
        io::stderr(),
        "nats-server ended by itself with {status}, it is begun again: {words}"
    );
}

/// Begins it again when it ends by itself, until somebody else ends it or has begun another one.
fn look_after(
    process: &Mutex<Option<Child>>,
    folder: &Path,
    launch: impl Fn() -> io::Result<Child>,
) {
    let mut looked_after = locked(process).as_ref().map(Child::id);
    let mut starts = 1;
    while starts < STARTS_MAX {
        thread::sleep(LOOK_PAUSE);
        let mut process = locked(process);
        let Some(child) = process.as_mut() else {
            return;
        };
        if Some(child.id()) != looked_after {
            return;
        }
        let Ok(Some(status)) = child.try_wait() else {
            continue;
        };
        tell_end(status, folder);
        let Ok(next) = launch() else {
            return;
        };
        looked_after = Some(next.id());
        *process = Some(next);
        starts += 1;
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn one_that_ends_by_itself_is_begun_again() {
    let Some(nats) = NatsServer::start("nats") else {
        return;
    };
    let id = || locked(&nats.process).as_ref().map(Child::id);
    let first = id();
    nats.signal(Signal::KILL);
    let began = Instant::now();
    while id() == first || TcpStream::connect((Ipv4Addr::LOCALHOST, nats.port)).is_err() {
        assert!(began.elapsed() < START_LIMIT, "it is not begun again");
        thread::sleep(LOOK_PAUSE);
    }
}

#[test]
fn one_that_ends_before_it_listens_is_begun_again() {
    let Some(mut nats) = NatsServer::start("nats") else {
        return;
    };
    nats.kill();
    let process = Arc::clone(&nats.process);
    let killer = thread::spawn(move || {
        loop {
            if let Some(child) = &*locked(&process) {
                let _ = kill_process(Pid::from_child(child), Signal::KILL);
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    nats.restart();
    killer.join().expect("killing does not panic");
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, nats.port)).is_err() {
        assert!(began.elapsed() < START_LIMIT, "it is not begun again");
        thread::sleep(LOOK_PAUSE);
    }
}
