//! `railfleet doctor`: looks at a data folder and its machine without changing anything, and says in sentences what
//! should be done.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use storage::{Clock as _, OpenError, SystemClock, VerifyError, VerifyOptions, VerifyReport};

use super::{CliError, DataArgs, chain, environment, holds_log, print};
use crate::config::{Config, unknown_variables};
use crate::privacy::{self, KeyStore, MASTER_FILE_NAME, lost};

/// Syncs that are timed.
const SYNCS: usize = 25;
/// Below this share of the disk, space is short.
const FREE_PERCENT_MIN: u64 = 5;
/// Syncs faster than this reach no disk.
const SYNC_MICROS_BELIEVABLE: u128 = 30;
/// Syncs slower than this are felt.
const SYNC_MICROS_SLOW: u128 = 20_000;
/// A clock before this is wrong: 2024-01-01.
const CLOCK_MICROS_MIN: i64 = 1_704_067_200_000_000;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    data: DataArgs,
}

/// What was found, and how bad it is.
#[derive(Debug)]
pub(super) enum Finding {
    /// As it should be.
    Fine(String),
    /// Works, but should be looked at.
    Look(String),
    /// Does not work, or will not for long.
    Bad(String),
}

pub(super) fn run(args: DoctorArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    let mut findings = settings(&args.data)?;
    findings.extend(folder(&config.data));
    findings.push(key(&config));
    findings.push(space(&config.data));
    findings.push(syncs(&config.data));
    findings.push(clock());
    findings.push(descriptors(&config));
    findings.push(address(&config));
    findings.extend(archive(&config));
    findings.extend(log(&config));
    Ok(report(&findings))
}

fn report(findings: &[Finding]) -> ExitCode {
    let mut bad = 0;
    let mut look = 0;
    for finding in findings {
        match finding {
            Finding::Fine(text) => print(&format!("ok    {text}")),
            Finding::Look(text) => {
                look += 1;
                print(&format!("look  {text}"));
            }
            Finding::Bad(text) => {
                bad += 1;
                print(&format!("bad   {text}"));
            }
        }
    }
    print(&match (bad, look) {
        (0, 0) => "everything is as it should be".to_owned(),
        (0, look) => format!("{look} to look at"),
        (bad, look) => format!("{bad} bad, {look} to look at"),
    });
    if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The settings load, or this would not be reached; what was set, and from where, is worth seeing.
fn settings(data: &DataArgs) -> Result<Vec<Finding>, CliError> {
    let made = data.sources().settings()?;
    let mut findings = Vec::new();
    if made.is_empty() {
        findings.push(Finding::Fine("every setting has its default".to_owned()));
    }
    for (option, text, origin) in made {
        let shown = if ["auth.signing_key", "privacy.master_key"].contains(&option.key) {
            "(a secret)"
        } else {
            text.as_str()
        };
        findings.push(Finding::Fine(format!(
            "{} = {shown}, from {origin}",
            option.key
        )));
    }
    for name in unknown_variables(&environment()) {
        findings.push(Finding::Look(format!("the environment variable {name} looks like a setting and is none: remove it or mend its name")));
    }
    Ok(findings)
}

fn folder(data: &Path) -> Vec<Finding> {
    let shown = data.display();
    let Ok(metadata) = fs::metadata(data) else {
        return vec![Finding::Look(format!(
            "{shown} does not exist yet: the first start will make it"
        ))];
    };
    if !metadata.is_dir() {
        return vec![Finding::Bad(format!(
            "{shown} is no folder: name another with --data"
        ))];
    }
    let mut findings = Vec::new();
    match mode(&metadata) {
        Some(mode) if mode & 0o077 != 0 => findings.push(Finding::Look(format!(
            "{shown} can be read by others (mode {mode:03o}): `chmod 700` keeps the accounts' hashes to yourself"
        ))),
        _ => findings.push(Finding::Fine(format!("{shown} belongs to its owner alone"))),
    }
    if let Err(error) = tempfile_in(data).and_then(|(file, path)| {
        drop(file);
        fs::remove_file(path)
    }) {
        findings.push(Finding::Bad(format!(
            "nothing can be written in {shown}: {error}"
        )));
    }
    findings
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> Option<u32> {
    None
}

/// A file of our own, which nothing else has.
fn tempfile_in(folder: &Path) -> std::io::Result<(File, std::path::PathBuf)> {
    let path = folder.join(format!("doctor-{}", std::process::id()));
    Ok((File::create_new(&path)?, path))
}

fn key(config: &Config) -> Finding {
    if config.auth.signing_key.is_some() {
        return Finding::Fine("tokens are signed with the key from the settings".to_owned());
    }
    let path = config.keys_folder().join(crate::auth::keys::FILE_NAME);
    match fs::metadata(&path) {
        Err(_) => Finding::Fine("the signing key will be made at the first start".to_owned()),
        Ok(metadata) => match mode(&metadata) {
            Some(mode) if mode & 0o077 != 0 => Finding::Bad(format!(
                "{} can be read by others (mode {mode:03o}): `chmod 600` it, and remove it if they may have (everybody logs in again)",
                path.display()
            )),
            _ => Finding::Fine("the signing key belongs to its owner alone".to_owned()),
        },
    }
}

fn space(data: &Path) -> Finding {
    let existing = data
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("."));
    let Ok(disk) = rustix::fs::statvfs(existing) else {
        return Finding::Look("how much space the disk has cannot be told".to_owned());
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let percent = free.saturating_mul(100) / disk.f_blocks.saturating_mul(disk.f_frsize).max(1);
    let text = format!("{} MiB of the disk are free, {percent} %", free >> 20);
    if percent >= FREE_PERCENT_MIN {
        return Finding::Fine(text);
    }
    Finding::Bad(format!(
        "{text}: appends are refused when it is full; make space, or set events.retention_days and move the archive"
    ))
}

/// How long a small write takes to reach the disk: every acknowledged event waits for one of these.
fn syncs(data: &Path) -> Finding {
    let existing = data
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("."));
    let timed = tempfile_in(existing).and_then(|(mut file, path)| {
        let times = time_syncs(&mut file);
        fs::remove_file(path)?;
        times
    });
    let Ok(mut times) = timed else {
        return Finding::Look("how fast the disk syncs cannot be measured".to_owned());
    };
    times.sort_unstable();
    let median = times[times.len() / 2].as_micros();
    let text = format!("a sync takes {median} µs (median of {SYNCS})");
    match median {
        micros if micros < SYNC_MICROS_BELIEVABLE => Finding::Look(format!(
            "{text}: faster than disks are, so it may not survive a power cut; see whether this is memory or a cache without a battery"
        )),
        micros if micros > SYNC_MICROS_SLOW => Finding::Look(format!(
            "{text}: each write waits this long; a disk that is nearer would be felt"
        )),
        _ => Finding::Fine(text),
    }
}

fn time_syncs(file: &mut File) -> std::io::Result<Vec<Duration>> {
    (0..SYNCS)
        .map(|_| {
            file.write_all(&[0; 4_096])?;
            let began = Instant::now();
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect()
}

fn clock() -> Finding {
    let now = SystemClock.now();
    let text = format!("the clock says {}", crate::rfc3339::to_string(now));
    if now.micros() >= CLOCK_MICROS_MIN {
        return Finding::Fine(text);
    }
    Finding::Bad(format!(
        "{text}: set it, or every event will be recorded at a wrong time"
    ))
}

fn descriptors(config: &Config) -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX);
    let wanted = config.http.connections_max as u64 + 512;
    if limit >= wanted {
        return Finding::Fine(format!("{limit} files may be open at a time"));
    }
    Finding::Look(format!(
        "only {limit} files may be open at a time, {} connections need {wanted}: raise `ulimit -n`, or lower http.connections_max",
        config.http.connections_max
    ))
}

fn address(config: &Config) -> Finding {
    let loopback = ["127.", "localhost:", "[::1]:"]
        .iter()
        .any(|prefix| config.listen.starts_with(prefix));
    if loopback {
        return Finding::Fine(format!(
            "it listens on {}, which only this machine reaches",
            config.listen
        ));
    }
    Finding::Look(format!(
        "it listens on {}: passwords and tokens travel unencrypted there; put a TLS proxy in front",
        config.listen
    ))
}

/// Segments of the log that lie in the archive.
fn archived(config: &Config) -> usize {
    let entries = fs::read_dir(config.log_folder());
    let names = entries.into_iter().flatten().flatten();
    let is_stub = |entry: &fs::DirEntry| {
        let path = entry.path();
        path.extension().is_some_and(|suffix| suffix == "stub")
    };
    names.filter(is_stub).count()
}

fn archive(config: &Config) -> Option<Finding> {
    let away = archived(config);
    let Some(to) = &config.archive.to else {
        let text = format!(
            "{away} segments of the log lie in an archive, and archive.to does not say where: set it, or their history cannot be read"
        );
        return (away > 0).then_some(Finding::Bad(text));
    };
    let options = crate::archive::options(config).map_err(|error| chain(&error));
    let asked = options.and_then(|options| match options {
        Some(options) => {
            let answer = options.tier.length("doctor");
            answer.map_err(|error| chain(&error)).map(|_| ())
        }
        None => Ok(()),
    });
    Some(match asked {
        Ok(()) => Finding::Fine(format!(
            "the archive {to} answers; {away} segments of the log lie there"
        )),
        Err(said) => Finding::Bad(format!(
            "the archive {to} cannot be reached: {said}; {away} segments of the log lie there, whose history cannot be read"
        )),
    })
}

fn log(config: &Config) -> Vec<Finding> {
    let folder = config.log_folder();
    if !holds_log(&folder) {
        return vec![Finding::Fine("there is no log yet".to_owned())];
    }
    if archived(config) > 0 {
        return vec![Finding::Look(
            "the log was not read through, for that fetches the archive: `railfleet verify` does"
                .to_owned(),
        )];
    }
    let report = match storage::verify(&folder, &VerifyOptions::default()) {
        Ok(report) => report,
        Err(VerifyError::NoLog) => return vec![Finding::Fine("there is no log yet".to_owned())],
        Err(VerifyError::Open(OpenError::Locked { by })) => {
            return vec![Finding::Fine(format!(
                "the log is in use by {by}; ask its /health"
            ))];
        }
        Err(error) => {
            return vec![Finding::Bad(format!(
                "the log cannot be looked at: {}",
                chain(&error)
            ))];
        }
    };
    let mut findings: Vec<Finding> = report
        .problems
        .iter()
        .map(|problem| {
            Finding::Bad(format!(
                "{}: {}; restore a backup beside it and compare",
                problem.file, problem.what
            ))
        })
        .collect();
    let remarks = report.remarks.iter().map(|remark| {
        let (file, what) = (&remark.file, &remark.what);
        Finding::Look(format!(
            "{file}: {what}; no event hangs on it, and the next start sees to it"
        ))
    });
    findings.extend(remarks);
    if findings.is_empty() {
        findings.push(Finding::Fine(format!(
            "the log's {} events in {} segments all agree",
            report.events, report.segments
        )));
    }
    findings.extend(people(config, &report));
    findings
}

/// Whether everybody whose fields lie in the log can be read.
fn people(config: &Config, report: &VerifyReport) -> Vec<Finding> {
    let folder = config.keys_folder();
    let master_file = folder.join(MASTER_FILE_NAME);
    let master = match &config.privacy.master_key {
        Some(key) => Some(key.clone().into_bytes()),
        None => fs::read(&master_file).ok(),
    };
    let looked = match KeyStore::look(&folder, master.as_deref()) {
        Ok(looked) => looked,
        Err(error) => return vec![Finding::Bad(chain(&error))],
    };
    let mut findings = Vec::new();
    match &looked {
        Some(_) if master.is_none() => findings.push(Finding::Bad(format!(
            "the master key is gone: {} cannot be read and privacy.master_key is not set; put it back before the next start, which would make another and set the keys of people aside",
            master_file.display()
        ))),
        Some(looked) if !looked.opens => findings.push(Finding::Bad(
            "the master key does not open the keys of people: give the one that they were made under before the next start, which would set them aside"
                .to_owned(),
        )),
        Some(looked) if looked.bad > 0 => findings.push(Finding::Bad(format!(
            "{} lines of {} are damaged: restore the file from its backup",
            looked.bad,
            folder.join(privacy::store::FILE_NAME).display()
        ))),
        _ => {}
    }
    let lost = looked.unwrap_or_default().lost(&report.covered);
    if !lost.is_empty() {
        findings.push(Finding::Bad(format!(
            "the fields of {} people cannot be read, their keys are lost: {}; {}",
            lost.len(),
            lost::named(&lost),
            lost::WHAT_TO_DO
        )));
    }
    if findings.is_empty() {
        findings.push(Finding::Fine(format!(
            "the fields of all {} people in the log can be read, but for who was erased",
            report.covered.len()
        )));
    }
    findings
}

#[cfg(test)]
mod tests;
