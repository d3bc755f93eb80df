//! DuckDB with one thread over the same table, in a Python process of its own that answers one query at a time.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::BenchError;
use crate::error::doing;
use crate::setting::{Setting, Size};

/// What is installed where it is not there yet.
const PACKAGE: &str = "duckdb";

/// A query, and how its rows come to the one number that is compared.
#[derive(Clone, Debug)]
pub struct Asked {
    sql: String,
    /// A Python expression over `rows`.
    sum: &'static str,
}

impl Asked {
    /// A query with its sum.
    pub fn new(sql: String, sum: &'static str) -> Self {
        Asked { sql, sum }
    }
}

/// The running process.
#[derive(Debug)]
pub struct DuckDb {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl DuckDb {
    /// Installs DuckDB's Python package where it is missing, and has it read the table.
    ///
    /// # Errors
    /// [`BenchError::Missing`] where there is no Python, or the package cannot be installed.
    pub fn start(
        setting: &Setting,
        table: &Path,
        csv: &str,
        asked: &[Asked],
    ) -> Result<Self, BenchError> {
        let python = environment(setting)?;
        fs::write(table, csv).map_err(doing("writing the table for DuckDB"))?;
        let mut script = String::from(
            "import duckdb, sys, time\n\
             con = duckdb.connect()\n\
             con.execute('set threads = 1')\n\
             con.execute(\"create table t as select day::usmallint as day, vehicle::usmallint as vehicle, \
             depot::utinyint as depot, kind::utinyint as kind, cost::bigint as cost from read_csv('\" + sys.argv[1] + \"')\")\n\
             queries = []\n",
        );
        for one in asked {
            let _ = writeln!(
                script,
                "queries.append(({:?}, lambda rows: {}))",
                one.sql, one.sum
            );
        }
        script.push_str(
            "for line in sys.stdin:\n    \
             sql, total = queries[int(line)]\n    \
             began = time.perf_counter()\n    \
             rows = con.execute(sql).fetchall()\n    \
             took = time.perf_counter() - began\n    \
             print(took * 1e3, int(total(rows)), flush=True)\n",
        );
        let mut child = Command::new(python)
            .args(["-c", &script])
            .arg(table)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(doing("starting Python for DuckDB"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BenchError::Peer("DuckDB has no pipes".to_owned()));
        };
        Ok(DuckDb {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Runs the query of this number. Returns the milliseconds that it took, rows fetched, and its sum.
    ///
    /// # Errors
    /// [`BenchError::Peer`] when it does not answer.
    pub fn ask(&mut self, number: usize) -> Result<(f64, i64), BenchError> {
        writeln!(self.input, "{number}").map_err(doing("asking DuckDB"))?;
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(doing("reading DuckDB's answer"))?;
        let mut words = line.split_whitespace();
        let took = words.next().and_then(|word| word.parse().ok());
        let sum = words.next().and_then(|word| word.parse().ok());
        took.zip(sum)
            .ok_or_else(|| BenchError::Peer(format!("DuckDB answers {line:?}")))
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python of an environment that has DuckDB. The tests install nothing: they use one that is there.
fn environment(setting: &Setting) -> Result<PathBuf, BenchError> {
    let venv = setting.folder.join("duckdb-venv");
    let python = venv.join("bin/python");
    let has = |python: &Path| {
        let asked = Command::new(python)
            .args(["-c", "import duckdb"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    };
    if has(&python) {
        return Ok(python);
    }
    let run = |program: &Path, arguments: &[&str]| {
        let ran = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ran.is_ok_and(|status| status.success())
    };
    let path = venv.to_string_lossy().into_owned();
    let made = setting.size == Size::Real
        && run(Path::new("python3"), &["-m", "venv", &path])
        && run(&python, &["-m", "pip", "install", "--quiet", PACKAGE]);
    if made && has(&python) {
        return Ok(python);
    }
    Err(BenchError::Missing {
        what: "DuckDB".to_owned(),
        remedy: format!("a real run installs it: python3 -m venv, pip install {PACKAGE}"),
    })
}
