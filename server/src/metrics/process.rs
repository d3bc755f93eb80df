//! What the kernel says of this process and of the disk that it writes to. Nothing where there is no `/proc`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

use super::gauge;
use crate::descriptors;

/// Ticks of processor time in a second, the same on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// See the module.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    /// The data folder.
    pub(super) data: PathBuf,
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            let field = |name: &str| -> Option<i64> {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.split_whitespace().next()?.parse().ok()
            };
            if let Some(kilobytes) = field("VmRSS:") {
                gauge(
                    &mut encoder,
                    "process_resident_memory_bytes",
                    "Memory that is resident, mapped files included",
                    kilobytes * 1_024,
                )?;
            }
            if let Some(threads) = field("Threads:") {
                gauge(&mut encoder, "process_threads", "Threads", threads)?;
            }
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            let count = i64::try_from(files.count()).unwrap_or(i64::MAX);
            gauge(&mut encoder, "process_open_files", "Open files", count)?;
        }
        let limit = i64::try_from(descriptors::limit()).unwrap_or(i64::MAX);
        let (name, help) = ("process_open_files_max", "Files that may be open at a time");
        gauge(&mut encoder, name, help, limit)?;
        if let Ok(disk) = rustix::fs::statvfs(&self.data) {
            for (name, help, blocks) in [
                (
                    "disk_free_bytes",
                    "Free bytes of the disk with the data folder",
                    disk.f_bavail,
                ),
                ("disk_bytes", "All bytes of that disk", disk.f_blocks),
            ] {
                let bytes = blocks.saturating_mul(disk.f_frsize);
                gauge(
                    &mut encoder,
                    name,
                    help,
                    i64::try_from(bytes).unwrap_or(i64::MAX),
                )?;
            }
        }
        if let Some(seconds) = cpu_seconds() {
            let metric = ConstCounter::new(seconds);
            let (name, help) = ("process_cpu", "Processor time used");
            let unit = Some(&Unit::Seconds);
            metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)?;
        }
        Ok(())
    }
}

/// User and system time; the name before them may hold spaces and parentheses.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    // Behind the name: the state is field 3, user time 14, system time 15.
    let mut fields = rest.split_whitespace().skip(14 - 3);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}
