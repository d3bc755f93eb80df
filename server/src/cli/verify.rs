//! `railfleet verify`: whether a log is what it was, byte by byte. Nothing is changed, and nothing is made; what such a command
//! fetched that was killed is removed.
//!
//! Standard output says the same of the same events, whatever stands around them: `COUNT`, `DIGEST` and `HEAD`, then
//! a line for each problem and each missing event. What is only for people goes to standard error.
//!
//! What is not as it was written though no event hangs on it (derived files, an append that was never acknowledged) is told
//! there, and in JSON as `remarks`; so is whose keys are missing in a data folder. Neither changes how it ends.
//!
//! A data folder's own checkpoints are held against its log. With `--checkpoint`, the log is also held against notes that were signed earlier and kept elsewhere: a change since then
//! is told even where checksums and chain were made anew.
//!
//! Ends with 0 when every record, index and saved table agrees and every acknowledged event is there; 10 when an
//! acknowledged event is missing; 20 when there is damage, which is told by file and place (also when events are
//! missing: the damage is why); 1 when it could not look: no log there, or a server has it open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use storage::{
    ArchivedError, OpenError, Position, Problem, Timestamp, TreeHash, VerifyError, VerifyOptions,
    VerifyReport,
};
use uuid::Uuid;

use super::{CliError, chain, environment, holds_log, log_folder, print, say};
use crate::archive::{self, Scratch};
use crate::audit::checkpoints::{NOTES_FILE, PUBLIC_KEY_FILE, opened};
use crate::audit::note::{NoteError, Verifier, split_notes};
use crate::config::{Config, Sources};
use crate::privacy::{KeyStore, StoreError, Subject, lost};

/// An acknowledged event is missing.
const MISSING: u8 = 10;
/// Something does not agree.
const DAMAGED: u8 = 20;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The data folder, or the log's own folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A file of acknowledged event ids, one a line, that must all be there.
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// The folder that events.retention_days moved segments to, if that is not `archive` in the log's folder. Object storage is
    /// something else: the setting archive.to says where that is.
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// The settings' file, instead of `railfleet.toml` in DIR.
    #[arg(long, value_name = "FILE", env = "RAILFLEET_CONFIG")]
    config: Option<PathBuf>,
    /// A file of checkpoints, signed notes one behind the other, which the log must continue.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The public key that must have signed them, NAME+ID+KEY, or a file with it; the data folder's own if not given,
    /// which is only as good as the folder.
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    /// Answer with one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

/// What is told of a log.
#[derive(Debug, Default)]
struct Told {
    events: u64,
    digest: String,
    head: u64,
    /// File and what is wrong there.
    problems: Vec<(String, String)>,
    /// The same of what no event hangs on.
    remarks: Vec<(String, String)>,
    missing: Vec<Uuid>,
}

pub(super) fn run(args: VerifyArgs) -> Result<ExitCode, CliError> {
    let acknowledged = match &args.acks {
        Some(path) => {
            let doing = format!("cannot read {}", path.display());
            let text = std::fs::read_to_string(path).map_err(CliError::io(doing))?;
            acknowledged_ids(&text)?
        }
        None => Vec::new(),
    };
    let folder = log_folder(&args.folder);
    let settings = settings(&args.folder, args.config)?;
    // All of it is fetched anew, for it is the archive that is verified; and a server may run beside, when this is a backup.
    let place = settings.fetched_folder();
    let fetched = Scratch::of_verify(&settings).map_err(CliError::io(format!(
        "cannot make a folder in {}",
        place.display()
    )))?;
    let tier = archive::options_in(&settings, fetched.path())
        .map_err(|error| CliError::Other(chain(&error)))?;
    let mut roots = match &args.checkpoint {
        Some(file) => promised_roots(file, args.public_key.as_deref(), &args.folder)?,
        None => Vec::new(),
    };
    let own = own_checkpoints(&args.folder);
    roots.extend(&own.roots);
    roots.sort_unstable();
    roots.dedup();
    let options = VerifyOptions {
        acknowledged: acknowledged.clone(),
        archive: args.archive,
        tier,
        roots,
    };
    // Asked first, because locking leaves a file, which a folder that was named by mistake should not get.
    let verified = if holds_log(&folder) {
        storage::verify(&folder, &options)
    } else {
        Err(VerifyError::NoLog)
    };
    let mut told = match verified {
        Ok(report) => {
            tell_lost_keys(&args.folder, &report);
            tell(report)
        }
        Err(error) => refusal(error, acknowledged, &args.folder.display().to_string())?,
    };
    let of_notes = |what| (NOTES_FILE.to_owned(), what);
    told.problems.extend(own.unusable.into_iter().map(of_notes));
    if let Some(what) = own.cut {
        say(&format!("{NOTES_FILE}: {what}"));
        told.remarks.push(of_notes(what));
    }
    if args.json {
        print(&as_json(&told));
    } else {
        as_lines(&told).iter().for_each(|line| print(line));
    }
    Ok(ExitCode::from(code(&told)))
}

/// The settings that say where the archive is. A log's own folder and a backup have none: the file that is named and the
/// environment count.
fn settings(data: &Path, file: Option<PathBuf>) -> Result<Config, CliError> {
    let sources = Sources {
        data: data.to_owned(),
        file,
        environment: environment(),
        flags: Vec::new(),
    };
    Ok(sources.load()?)
}

fn tell(report: VerifyReport) -> Told {
    say(&format!(
        "log {} in {} segments",
        report.log_id, report.segments
    ));
    for remark in &report.remarks {
        say(&format!("{}: {}", remark.file, remark.what));
    }
    let pair = |problem: Problem| (problem.file, problem.what);
    Told {
        events: report.events,
        digest: report.digest.to_string(),
        head: report.head.get(),
        problems: report.problems.into_iter().map(pair).collect(),
        remarks: report.remarks.into_iter().map(pair).collect(),
        missing: report.missing,
    }
}

/// Says whose fields cannot be read in a data folder, where keys of people ought to be.
fn tell_lost_keys(data: &Path, report: &VerifyReport) {
    let keys = data.join("keys");
    if !keys.is_dir() {
        return;
    }
    match lost_people(&keys, &report.covered) {
        Ok(people) if people.is_empty() => {}
        Ok(people) => say(&format!(
            "the log agrees, but the keys of {} people are lost: {}; {}",
            people.len(),
            lost::named(&people),
            lost::WHAT_TO_DO
        )),
        Err(error) => say(&chain(&error)),
    }
}

/// Those of the people covered in a log whose keys are not in this folder, which need not be there.
pub(super) fn lost_people(
    keys: &Path,
    covered: &BTreeMap<Box<str>, Timestamp>,
) -> Result<Vec<Subject>, StoreError> {
    let looked = KeyStore::look(keys, None)?;
    Ok(looked.unwrap_or_default().lost(covered))
}

/// What a data folder holds of its own checkpoints.
#[derive(Debug, Default)]
struct OwnCheckpoints {
    roots: Vec<(Position, TreeHash)>,
    /// What cannot be used, in words.
    unusable: Vec<String>,
    /// The same of the last one: a crash may have cut it.
    cut: Option<String>,
}

/// The checkpoints that the folder's server has signed and kept. They are only as good as the folder; but what changed in the
/// log alone, they tell.
fn own_checkpoints(data: &Path) -> OwnCheckpoints {
    let mut own = OwnCheckpoints::default();
    let Ok(text) = std::fs::read(data.join(NOTES_FILE)) else {
        return own;
    };
    let key = std::fs::read_to_string(data.join("keys").join(PUBLIC_KEY_FILE)).ok();
    let verifier = match key.as_deref().map(Verifier::parse) {
        Some(Ok(verifier)) => verifier,
        Some(Err(error)) => {
            let what = format!("keys/{PUBLIC_KEY_FILE} is no public key: {error}");
            own.unusable.push(what);
            return own;
        }
        None => return own,
    };
    let text = String::from_utf8_lossy(&text);
    let notes = split_notes(&text);
    let count = notes.len();
    for (note, number) in notes.into_iter().zip(1..) {
        match opened(note, &verifier) {
            Ok(signed) => {
                let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
                own.roots.push((Position::new(size), root));
            }
            Err(error) => {
                let what = format!("checkpoint {number} cannot be used: {error}");
                match number == count {
                    true => own.cut = Some(what),
                    false => own.unusable.push(what),
                }
            }
        }
    }
    own
}

/// The roots in a file of checkpoints, each signature checked.
fn promised_roots(
    file: &Path,
    public_key: Option<&str>,
    data: &Path,
) -> Result<Vec<(Position, TreeHash)>, CliError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(CliError::io(format!("cannot read {}", path.display())))
    };
    let own = data.join("keys").join(PUBLIC_KEY_FILE);
    let key = match public_key {
        Some(text) if text.contains('+') => text.to_owned(),
        Some(path) => read(Path::new(path))?,
        None if own.is_file() => read(&own)?,
        None => {
            let why =
                "there is no public key in the folder: give the one that signed with --public-key";
            return Err(CliError::Other(why.to_owned()));
        }
    };
    let refused = |error: NoteError| {
        CliError::Other(format!(
            "cannot use the checkpoint {}: {error}",
            file.display()
        ))
    };
    let verifier = Verifier::parse(&key).map_err(refused)?;
    let text = read(file)?;
    let mut roots = Vec::new();
    for note in split_notes(&text) {
        let checkpoint = opened(note, &verifier).map_err(refused)?.checkpoint;
        roots.push((Position::new(checkpoint.size), checkpoint.root));
    }
    if roots.is_empty() {
        return Err(refused(NoteError::Form("it is empty")));
    }
    say(&format!(
        "{} checkpoints signed by {}",
        roots.len(),
        verifier.name()
    ));
    Ok(roots)
}

/// What cannot be opened is damaged, or not ours to look at now, or no log: then what was acknowledged is missing.
fn refusal(error: VerifyError, acknowledged: Vec<Uuid>, folder: &str) -> Result<Told, CliError> {
    match &error {
        VerifyError::Open(
            OpenError::SegmentsMissing { .. }
            | OpenError::Format { .. }
            | OpenError::FileFormat { .. },
        ) => Ok(Told {
            problems: vec![(folder.to_owned(), chain(&error))],
            missing: acknowledged,
            ..Told::default()
        }),
        VerifyError::Archived {
            source: ArchivedError::Missing { object, .. } | ArchivedError::Altered { object, .. },
            ..
        } => Ok(Told {
            problems: vec![(object.clone(), chain(&error))],
            ..Told::default()
        }),
        VerifyError::NoLog if !acknowledged.is_empty() => Ok(Told {
            missing: acknowledged,
            ..Told::default()
        }),
        VerifyError::NoLog => Err(CliError::Other(format!("there is no log in {folder}"))),
        VerifyError::Open(
            OpenError::Locked { .. } | OpenError::Io { .. } | OpenError::ArchiveMissing { .. },
        )
        | VerifyError::Archived { .. }
        | VerifyError::Io(_) => Err(CliError::Other(format!(
            "cannot verify {folder}: {}",
            chain(&error)
        ))),
    }
}

fn code(told: &Told) -> u8 {
    if !told.problems.is_empty() {
        DAMAGED
    } else if !told.missing.is_empty() {
        MISSING
    } else {
        0
    }
}

fn as_lines(told: &Told) -> Vec<String> {
    let mut lines = vec![
        format!("COUNT {}", told.events),
        format!("DIGEST {}", told.digest),
        format!("HEAD {}", told.head),
    ];
    let problems = told.problems.iter();
    lines.extend(problems.map(|(file, what)| format!("PROBLEM {file}: {what}")));
    lines.extend(told.missing.iter().map(|id| format!("MISSING {id}")));
    lines
}

fn as_json(told: &Told) -> String {
    let listed = |found: &[(String, String)]| -> Vec<_> {
        let found = found.iter();
        found
            .map(|(file, what)| json!({ "file": file, "what": what }))
            .collect()
    };
    json!({
        "events": told.events,
        "digest": told.digest,
        "head": told.head,
        "problems": listed(&told.problems),
        "remarks": listed(&told.remarks),
        "missing": told.missing,
    })
    .to_string()
}

/// One id a line; `ACK ` in front of it is passed over, and so are empty lines.
fn acknowledged_ids(text: &str) -> Result<Vec<Uuid>, CliError> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(before, line)| {
            let id = line.strip_prefix("ACK ").unwrap_or(line);
            Uuid::try_parse(id).map_err(|_| {
                let number = before + 1;
                CliError::Other(format!(
                    "line {number} of the acknowledged ids is no id: {id}"
                ))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
