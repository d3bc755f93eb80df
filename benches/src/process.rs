//! What the kernel says about a process and a disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Memory of a process, in kilobytes of 1,024 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now, mapped files included.
    pub resident_kb: u64,
    /// The most that was resident at once.
    pub resident_peak_kb: u64,
    /// The part of what is resident that is no file.
    pub anonymous_kb: u64,
}

/// The memory of the process `pid`, or of this one for `self`.
///
/// # Errors
/// What the kernel says, as when there is no such process.
pub fn memory(pid: &str) -> io::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(parse_memory(&status))
}

fn parse_memory(status: &str) -> Memory {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    Memory {
        resident_kb: field("VmRSS"),
        resident_peak_kb: field("VmHWM"),
        anonymous_kb: field("RssAnon"),
    }
}

/// Processor time that the process `pid` has used, in microseconds; counted in ticks of 10 ms.
///
/// # Errors
/// What the kernel says.
pub fn cpu_micros(pid: &str) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_cpu_ticks(&stat)
        .map(|ticks| ticks * 10_000)
        .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not as expected")))
}

/// User and system time; the name before them may hold spaces and parentheses.
fn parse_cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    // Behind the name: the state is field 3, user time 14, system time 15.
    let mut fields = rest.split_whitespace().skip(14 - 3);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Flush requests that the disk holding `path` has completed since the machine was started; `None` where the kernel
/// does not count them.
///
/// # Errors
/// What the kernel says.
pub fn device_flushes(path: &Path) -> io::Result<Option<u64>> {
    let device = fs::metadata(path)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stats = fs::read_to_string("/proc/diskstats")?;
    Ok(parse_flushes(&stats, major, minor))
}

fn parse_flushes(stats: &str, major: u32, minor: u32) -> Option<u64> {
    stats.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let same = fields.next()?.parse() == Ok(major) && fields.next()?.parse() == Ok(minor);
        // Behind major, minor and name come 17 counters; the 16th is completed flushes.
        same.then(|| fields.nth(16)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests;
