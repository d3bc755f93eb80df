//! A service in Python with FastAPI and SQLAlchemy over the same PostgreSQL: how the old system was built.
//!
//! Its source lies in `peers/fastapi`; `setup.sh` installs what it needs beside the build.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::postgres::Postgres;
use super::{Service, free_address};
use crate::BenchError;
use crate::error::doing;
use crate::setting::Setting;

/// The path that takes an event.
pub const EVENTS_PATH: &str = "/api/v1/events";

/// The running service.
#[derive(Debug)]
pub struct FastApi {
    /// Where it listens.
    pub address: SocketAddr,
    _service: Service,
}

impl FastApi {
    /// Starts the service, one worker process, on `postgres`.
    ///
    /// # Errors
    /// [`BenchError::Missing`] where `setup.sh` has not been run.
    pub fn start(setting: &Setting, postgres: &Postgres) -> Result<Self, BenchError> {
        let python = environment(setting).join("bin/python");
        if !python.is_file() {
            return Err(BenchError::Missing {
                what: "the Python environment of the FastAPI service".to_owned(),
                remedy: "benches/setup.sh makes it".to_owned(),
            });
        }
        let address = free_address().map_err(doing("looking for a free port"))?;
        let mut command = Command::new(python);
        command
            .args(["-m", "uvicorn", "service:app", "--host", "127.0.0.1"])
            .args(["--log-level", "warning", "--port"])
            .arg(address.port().to_string())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/fastapi"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DATABASE_URL", postgres.url("postgresql+asyncpg"));
        let output = setting.folder.join("fastapi.output");
        let mut service = Service::start("the FastAPI service", &mut command, Signal::INT, output)?;
        service.wait_for(address)?;
        Ok(FastApi {
            address,
            _service: service,
        })
    }
}

/// Where `setup.sh` installs the Python packages: beside the folder for bench data.
fn environment(setting: &Setting) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let beside = setting.folder.with_file_name("bench-venv");
    if beside.is_dir() {
        beside
    } else {
        target.join("bench-venv")
    }
}
