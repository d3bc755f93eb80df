//! A real PostgreSQL from Debian's packages, in a folder of its own, run as an account that is nobody in particular.
//!
//! It answers on a loopback port and ends with the process that started it, however that ends: a shell beside it waits for
//! its standard input to close. Durability is off, since a test's database need not survive anything.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::getuid;

use crate::port::free_port;

/// The account that owns everything in the cluster, who needs no password.
pub const OWNER: &str = "railfleet";
/// An account that needs a password, and may read nothing unless it is told.
pub const READER: &str = "reader";
/// The password of [`READER`].
pub const READER_PASSWORD: &str = "let-me-read";

/// Where Debian puts the programs, by major version.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server until standard input has a line or closes, then ends it at once; its folder goes too unless the line
/// says otherwise.
const KEEPER: &str = r#"
exec 3<&0
"$1/postgres" -D "$2" -c port="$3" </dev/null >>"$2/output" 2>&1 &
server=$!
read -r word <&3
kill -QUIT $server 2>/dev/null
wait $server
[ "$word" = keep ] || rm -rf "$4"
"#;

/// A server of its own. Ended when dropped.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    folder: tempfile::TempDir,
    owner: Option<(u32, u32)>,
    port: u16,
    keeper: Option<(Child, Option<ChildStdin>)>,
    databases: AtomicU32,
}

impl Cluster {
    /// The one that tests share which leave it alone; says so and gives `None` where PostgreSQL is not installed.
    pub fn shared(test: &str) -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        let cluster = SHARED.get_or_init(Cluster::start).as_ref();
        if cluster.is_none() {
            crate::skip::skipped(test, "PostgreSQL is not installed");
        }
        cluster
    }

    /// Makes a cluster and starts it; `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Option<Self> {
        Cluster::start_with(&[])
    }

    /// As [`Cluster::start`], with these lines in its settings.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new()
            .prefix("railfleet-postgres-")
            .tempdir()
            .expect("a folder for PostgreSQL");
        let owner = unprivileged();
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).expect("PostgreSQL gets its folder");
        }
        let mut cluster = Cluster {
            programs,
            folder,
            owner,
            port: 0,
            keeper: None,
            databases: AtomicU32::new(0),
        };
        cluster.initialise(settings);
        cluster.launch();
        cluster.psql(
            "postgres",
            &format!("CREATE ROLE {READER} LOGIN PASSWORD '{READER_PASSWORD}';"),
        );
        Some(cluster)
    }

    /// The address of one of its databases, for its owner.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of one of its databases, for [`READER`] with this password.
    pub fn url_of_reader(&self, database: &str, password: &str) -> String {
        format!(
            "postgres://{READER}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The port that it answers on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that it shows, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.data().join("server.crt")
    }

    /// A new, empty database; its name.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn create_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("depot_{number}");
        self.psql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0;"),
        );
        name
    }

    /// A copy of a database that nobody is connected to; its name.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn copy_database(&self, template: &str) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("copy_{number}");
        self.psql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE {template};"),
        );
        name
    }

    /// Bytes that `COPY table TO STDOUT | wc -c` counts of these tables, one after the other.
    ///
    /// # Panics
    /// When a table cannot be read.
    pub fn copy_out(&self, database: &str, tables: &[&str]) -> u64 {
        let mut bytes = 0;
        for table in tables {
            let mut command = Command::new("sh");
            command.args([
                "-c",
                r#""$1" -X -q -d "$2" -c "COPY $3 TO STDOUT" | wc -c"#,
                "sh",
            ]);
            command.arg(self.programs.join("psql"));
            command.arg(self.url(database)).arg(table);
            let output = command.output().expect("sh starts");
            let text = String::from_utf8_lossy(&output.stdout);
            bytes += text.trim().parse::<u64>().expect("a number");
        }
        bytes
    }

    /// Where its programs are.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Removes a database that nobody is connected to.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub fn drop_database(&self, database: &str) {
        self.psql(
            "postgres",
            &format!("DROP DATABASE {database} WITH (FORCE);"),
        );
    }

    /// Has a script run in a database; what it answers, unaligned.
    ///
    /// # Panics
    /// When the script fails.
    pub fn psql(&self, database: &str, script: &str) -> String {
        self.psql_with(database, |input| input.write_all(script.as_bytes()))
    }

    /// As [`Cluster::psql`], with a script that is written as it runs.
    ///
    /// # Panics
    /// When the script fails.
    pub fn psql_with(
        &self,
        database: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> String {
        let output = self.try_psql(database, write);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql in {database}: {errors}");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    fn try_psql(
        &self,
        database: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Output {
        let mut child = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url(database))
            .env(
                "PGOPTIONS",
                "-c client_min_messages=warning -c timezone=UTC",
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql starts");
        let mut input = io::BufWriter::with_capacity(1 << 16, child.stdin.take().expect("a pipe"));
        // A script that failed closes its end; its message says more than the pipe's.
        let _ = write(&mut input).and_then(|()| input.flush());
        drop(input);
        child.wait_with_output().expect("psql ends")
    }

    /// Ends the server at once, as when the machine loses power.
    pub fn stop(&mut self) {
        if let Some((mut child, mut input)) = self.keeper.take() {
            if let Some(input) = &mut input {
                let _ = input.write_all(b"keep\n");
            }
            drop(input);
            let _ = child.wait();
        }
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn launch(&mut self) {
        if self.port == 0 {
            self.port = free_port();
        }
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]);
        command
            .arg(&self.programs)
            .arg(self.data())
            .arg(self.port.to_string());
        command.arg(self.folder.path());
        self.as_owner(&mut command);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("sh starts");
        let input = child.stdin.take();
        self.keeper = Some((child, input));
        let deadline = Instant::now() + PATIENCE;
        while !self.try_psql("postgres", |_| Ok(())).status.success() {
            let output = fs::read_to_string(self.data().join("output")).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not start: {output}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn initialise(&self, settings: &[&str]) {
        let mut command = Command::new(self.programs.join("initdb"));
        command.arg("-D").arg(self.data());
        command.args([
            "-A",
            "trust",
            "-U",
            OWNER,
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]);
        self.run(&mut command);
        let certificate = self.certificate();
        let key = self.data().join("server.key");
        let mut command = Command::new("openssl");
        command.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
        ]);
        command.args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ]);
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        self.run(&mut command);
        let mut text = String::from(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 60\nssl = on\n\
             fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\nmax_wal_size = '4GB'\n\
             shared_buffers = '256MB'\n",
        );
        for line in settings {
            text.push_str(line);
            text.push('\n');
        }
        let rules = format!(
            "host all {READER} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
        );
        fs::write(self.data().join("postgresql.auto.conf"), text).expect("settings");
        fs::write(self.data().join("pg_hba.conf"), rules).expect("rules");
    }

    fn run(&self, command: &mut Command) {
        self.as_owner(command);
        let output = command.output().expect("a program of PostgreSQL starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {errors}");
    }

    fn as_owner(&self, command: &mut Command) {
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path());
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(PROGRAMS)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((number, programs))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, programs)| programs)
}

/// PostgreSQL refuses to run as root.
fn unprivileged() -> Option<(u32, u32)> {
    if !getuid().is_root() {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").expect("the list of accounts");
    let found = ["postgres", "nobody"]
        .iter()
        .find_map(|name| account(&accounts, name));
    Some(found.expect("an account that is not root"))
}

/// The numbers of an account and its group in the text of `/etc/passwd`.
fn account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    })
}
