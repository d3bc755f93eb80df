//! Runs the program, and speaks HTTP to it with nothing but a socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PASSWORD: &str = "Correct-Horse7-Battery-Staple";

/// The program, told these arguments, and kept from the settings of whoever runs the tests.
pub(crate) fn railfleet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_railfleet"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("RAILFLEET_") || name == "SECRET_KEY" || name == "LOG_LEVEL" {
            command.env_remove(&*name);
        }
    }
    command.args(arguments);
    command
}

/// How it ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    railfleet(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

/// Runs a command to its end, and wants it to succeed.
#[track_caller]
pub(crate) fn succeed(arguments: &[&str]) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.out
}

/// Runs a command to its end, handing it `input`.
pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Ended {
    let mut child = railfleet(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses before it reads closes its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap().into()
}

/// Adds an account to the folder.
#[track_caller]
pub(crate) fn add_user(data: &Path, name: &str, role: &str) {
    let data = data.to_str().unwrap();
    let arguments = [
        "user",
        "add",
        name,
        "--role",
        role,
        "--password-stdin",
        "--data",
        data,
    ];
    let ended = run_with_input(&arguments, &format!("{PASSWORD}\n"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// What it said up to the line with its address, and that line.
    pub(crate) said: Vec<String>,
    rest: BufReader<std::process::ChildStdout>,
}

impl Server {
    /// `railfleet serve` on a free port.
    #[track_caller]
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--data", data.to_str().unwrap(), "--port", "0"];
        all.extend(arguments);
        Server::launch(&all)
    }

    /// A command that serves, up to the moment when it takes connections.
    #[track_caller]
    pub(crate) fn launch(arguments: &[&str]) -> Self {
        let mut child = railfleet(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let rest = BufReader::new(child.stdout.take().unwrap());
        // Whole before anything can fail, so that the process is killed then.
        let mut server = Server {
            child,
            address: String::new(),
            said: Vec::new(),
            rest,
        };
        while server.address.is_empty() {
            let mut line = String::new();
            let read = server.rest.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before it listened: {:?}", server.said);
            let line = line.trim_end();
            if let Some(address) = line.strip_prefix("railfleet listens on http://") {
                server.address = address.to_owned();
            }
            server.said.push(line.to_owned());
        }
        server
    }

    /// The next lines that it says.
    pub(crate) fn more_lines(&mut self, count: usize) -> Vec<String> {
        let lines = (&mut self.rest).lines().take(count);
        lines.map(|line| line.unwrap()).collect()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        read_answer(&mut stream)
    }

    /// Asks it to end.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it in good order.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "it ended with {status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer, its body whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Reads one answer, by its `content-length` or up to the connection's end.
#[track_caller]
pub(crate) fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let read = stream.read(&mut byte).unwrap();
        assert_eq!(read, 1, "it broke off: {}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    let status = head[9..12].parse().unwrap();
    let mut body = Vec::new();
    let length = head.lines().find_map(|line| {
        let length = line.strip_prefix("content-length: ")?;
        Some(length.parse::<usize>().unwrap())
    });
    match length {
        Some(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body).unwrap();
        }
        None => drop(stream.read_to_end(&mut body).unwrap()),
    }
    Answer { status, head, body }
}
