//! A program started to be measured, and stopped when it is no longer needed.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::BenchError;
use crate::error::doing;

/// How long a program may take to accept connections, and to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A loopback address with a port that nobody listens on now.
///
/// # Errors
/// What the operating system says.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A running program. Dropping it ends the program.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    ended_by: Signal,
    output: PathBuf,
}

impl Service {
    /// Starts `command`, its output going to the file `output`. It is ended by `ended_by`.
    ///
    /// # Errors
    /// [`BenchError::Io`] when it cannot be started.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        ended_by: Signal,
        output: PathBuf,
    ) -> Result<Self, BenchError> {
        let file = File::create(&output).map_err(doing("making a file for the output"))?;
        let errors = file
            .try_clone()
            .map_err(doing("making a file for the output"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(doing(format!("starting {name}")))?;
        Ok(Service {
            name,
            child,
            ended_by,
            output,
        })
    }

    /// The process's number.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Waits until the program accepts connections at `address`.
    ///
    /// # Errors
    /// [`BenchError::Peer`], with the end of its output, when it ends first or takes too long.
    pub fn wait_for(&mut self, address: SocketAddr) -> Result<(), BenchError> {
        let began = Instant::now();
        loop {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(doing("waiting"))?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                return Err(self.failed("does not accept connections"));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Says what the program does wrong, with the end of its output.
    pub fn failed(&self, what: &str) -> BenchError {
        let output = std::fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = output.lines().collect();
        let last = lines[lines.len().saturating_sub(12)..].join("\n");
        BenchError::Peer(format!("{} {what}; it said:\n{last}", self.name))
    }

    fn end(&mut self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && self.child.try_wait()?.is_none()
        {
            kill_process(pid, self.ended_by)?;
        }
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                self.child.kill()?;
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What cannot be ended here ends with this process's terminal.
        let _ = self.end();
    }
}
