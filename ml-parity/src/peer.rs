//! Talks to the peers: writes tables and a task, runs `peers/peer.py`, reads its answer.

use crate::error::BenchError;
use ndarray::Array2;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the peers live and where tables are exchanged.
#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) python: PathBuf,
    pub(crate) exchange: PathBuf,
    /// Whether an answer of an earlier run to the very same task is taken instead of asking again.
    pub(crate) reuse: bool,
}

impl Peers {
    /// Installs the peers beside `out` and makes the folder for exchanged tables.
    pub(crate) fn install(out: &Path, reuse: bool) -> Result<Self, BenchError> {
        let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup.sh");
        std::fs::create_dir_all(out).map_err(BenchError::file(out))?;
        let out = out.canonicalize().map_err(BenchError::file(out))?;
        let run = Command::new(&setup)
            .arg(out.join("peers"))
            .output()
            .map_err(BenchError::file(&setup))?;
        if !run.status.success() {
            return Err(BenchError::Peer(
                String::from_utf8_lossy(&run.stderr).into_owned(),
            ));
        }
        Ok(Self {
            python: PathBuf::from(String::from_utf8_lossy(&run.stdout).trim()),
            exchange: out.join("exchange"),
            reuse,
        })
    }

    /// The compiled caller of LightGBM's fast single-row function.
    pub(crate) fn single_row(&self) -> PathBuf {
        self.python.with_file_name("..").join("single_row")
    }

    /// A folder for one table.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, BenchError> {
        let folder = self.exchange.join(name);
        std::fs::create_dir_all(&folder).map_err(BenchError::file(&folder))?;
        Ok(folder)
    }

    /// Runs one task and returns what the peer says.
    pub(crate) fn run(&self, folder: &Path, task: &Value) -> Result<Value, BenchError> {
        let path = folder.join("task.json");
        let kept = folder.join("answer.json");
        let told = task.to_string();
        if self.reuse
            && std::fs::read_to_string(&path).is_ok_and(|known| known == told)
            && let Ok(answer) = std::fs::read(&kept)
        {
            return serde_json::from_slice(&answer)
                .map_err(|error| BenchError::Peer(error.to_string()));
        }
        let _ = std::fs::remove_file(&kept);
        std::fs::write(&path, told).map_err(BenchError::file(&path))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/peer.py");
        let run = Command::new(&self.python)
            .arg(&script)
            .arg(&path)
            .output()
            .map_err(BenchError::file(&self.python))?;
        if !run.status.success() {
            return Err(BenchError::Peer(
                String::from_utf8_lossy(&run.stderr).into_owned(),
            ));
        }
        std::fs::write(&kept, &run.stdout).map_err(BenchError::file(&kept))?;
        serde_json::from_slice(&run.stdout).map_err(|error| BenchError::Peer(error.to_string()))
    }
}

/// Writes one part of a table: values row by row and labels, little-endian `f32`.
pub(crate) fn write_part(
    folder: &Path,
    part: &str,
    rows: &Array2<f32>,
    labels: &[f32],
) -> Result<(), BenchError> {
    let bytes = |values: &mut dyn Iterator<Item = f32>| {
        values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()
    };
    for (end, values) in [
        ("x", bytes(&mut rows.iter().copied())),
        ("y", bytes(&mut labels.iter().copied())),
    ] {
        let path = folder.join(format!("{part}.{end}"));
        std::fs::write(&path, values).map_err(BenchError::file(&path))?;
    }
    Ok(())
}

/// Reads predictions, little-endian `f64`.
pub(crate) fn read_predictions(path: &Path) -> Result<Vec<f64>, BenchError> {
    let bytes = std::fs::read(path).map_err(BenchError::file(path))?;
    let (numbers, _) = bytes.as_chunks::<8>();
    Ok(numbers.iter().copied().map(f64::from_le_bytes).collect())
}
