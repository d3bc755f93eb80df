//! `railfleet doctor`: looks at a data folder and its machine without changing anything, and says in sentences what
//! should be done.

mod backups;
mod clock;
mod connections;
mod disk;
mod keys;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use ::lake::LakeError;
use clap::Args;
use storage::{Clock as _, OpenError, SystemClock, VerifyError, VerifyOptions};

use super::{CliError, DataArgs, chain, environment, holds_log, print};
use crate::config::{Config, unknown_variables};

/// Settings that are or may hold a secret: the broker's address may have a password in it.
const SECRET: [&str; 3] = [
    "auth.signing_key",
    "privacy.master_key",
    "federation.servers",
];

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
    findings.extend(keys::files(&config));
    findings.push(disk::space(&config.data));
    findings.push(disk::syncs(&config.data));
    findings.extend(clock::clock());
    findings.push(connections::descriptors(&config));
    findings.push(connections::address(&config));
    findings.extend(connections::certificate(&config));
    findings.extend(backups::backups(&config));
    findings.extend(archive(&config));
    findings.extend(lake(&config));
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
        let shown = if SECRET.contains(&option.key) {
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
    Some(match crate::archive::ask(to) {
        Ok(()) => Finding::Fine(format!(
            "the archive {to} answers; {away} segments of the log lie there"
        )),
        Err(LakeError::Folder { source, .. })
            if away == 0 && source.kind() == io::ErrorKind::NotFound =>
        {
            Finding::Look(format!(
                "the archive {to} is not there: the first segment that is sent makes the folder; where that is to be another disk, see that it is mounted"
            ))
        }
        Err(error) => Finding::Bad(format!(
            "the archive {to} cannot be reached: {}; {away} segments of the log lie there, whose history cannot be read",
            chain(&error)
        )),
    })
}

/// A place for exports that can be none: the server does not start with it.
fn lake(config: &Config) -> Option<Finding> {
    let error = crate::lake::check(config).err()?;
    Some(Finding::Bad(format!("lake.to: {}", chain(&error))))
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
    findings.extend(clock::behind(report.last_recorded, SystemClock.now()));
    findings.extend(keys::people(config, &report));
    findings
}

#[cfg(test)]
mod tests;
