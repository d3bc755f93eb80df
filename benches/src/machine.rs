//! The machine that the numbers stand beside.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What of a machine shapes the numbers. Fields that the kernel does not tell are `unknown`.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Processor cores that this process may use.
    pub cores: usize,
    /// The processor's name.
    pub processor: String,
    /// Whether it computes SHA-256 in hardware; the log's chain depends on it.
    pub sha_instructions: bool,
    /// Memory in gigabytes of 2^30 bytes.
    pub memory_gb: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The file system and device of the scratch folder, and how the device caches writes.
    pub disk: String,
    /// How much of the last ten seconds some process waited for a core when the run began, in percent: how busy others
    /// kept the machine.
    pub pressure: String,
    /// Whether the bench runs in a real-time class, where the work of others no longer counts.
    pub real_time: bool,
}

impl Machine {
    /// The machine, and the disk that holds `folder`.
    pub fn here(folder: &Path) -> Self {
        let processors = text("/proc/cpuinfo");
        let field = |name: &str| {
            processors
                .lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map_or("unknown", |(_, value)| value.trim())
        };
        let memory_kb: u64 = text("/proc/meminfo")
            .split_whitespace()
            .nth(1)
            .and_then(|kb| kb.parse().ok())
            .unwrap_or(0);
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: field("model name").to_owned(),
            sha_instructions: field("flags").split(' ').any(|flag| flag == "sha_ni"),
            memory_gb: memory_kb.div_ceil(1 << 20),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk: disk_of(folder),
            pressure: text("/proc/pressure/cpu")
                .split_once("avg10=")
                .and_then(|(_, rest)| rest.split(' ').next())
                .unwrap_or("unknown")
                .to_owned(),
            real_time: is_real_time(&text("/proc/self/stat")),
        }
    }

    /// One line.
    pub fn line(&self) -> String {
        format!(
            "{} cores, {}, SHA instructions: {}, {} GB, Linux {}, {}, CPU pressure at start {} %, {} class",
            self.cores,
            self.processor,
            if self.sha_instructions { "yes" } else { "no" },
            self.memory_gb,
            self.kernel,
            self.disk,
            self.pressure,
            if self.real_time {
                "real-time"
            } else {
                "normal"
            }
        )
    }
}

fn disk_of(folder: &Path) -> String {
    let Ok(metadata) = fs::metadata(folder) else {
        return "unknown disk".to_owned();
    };
    let device = metadata.dev();
    let number = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let mounts = text("/proc/self/mountinfo");
    let (file_system, source) = mounts
        .lines()
        .filter(|line| line.split(' ').nth(2) == Some(&number))
        .find_map(|line| {
            let (_, behind) = line.split_once(" - ")?;
            let mut fields = behind.split(' ');
            Some((fields.next()?, fields.next()?))
        })
        .unwrap_or(("unknown", "unknown"));
    let cache = text(&format!("/sys/dev/block/{number}/queue/write_cache"));
    format!(
        "{file_system} on {source} ({} cache)",
        if cache.is_empty() {
            "unknown"
        } else {
            cache.trim()
        }
    )
}

/// The scheduling policy is field 41; 1 and 2 are the real-time ones.
fn is_real_time(stat: &str) -> bool {
    stat.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(41 - 3))
        .is_some_and(|policy| matches!(policy, "1" | "2"))
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
