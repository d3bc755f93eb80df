//! `railfleet verify`: whether a log is what it was, byte by byte. Nothing is changed.
//!
//! Ends with 0 when every record, index and snapshot agrees and every acknowledged event is there; 10 when an
//! acknowledged event is missing; 20 when there is damage, which is told by file and place; 1 when it could not look,
//! for example because a server has the log open.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use storage::{OpenError, VerifyError, VerifyOptions, VerifyReport};
use uuid::Uuid;

use super::{CliError, chain, log_folder, print};

/// An acknowledged event is missing.
const MISSING: u8 = 10;
/// Something does not agree.
const DAMAGED: u8 = 20;
/// Missing events that are listed by id.
const LISTED_MAX: usize = 20;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The data folder, or the log's own folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A file of acknowledged event ids, one a line, that must all be there.
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// Where archived segments lie, if not in the log's folder.
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
}

pub(super) fn run(args: VerifyArgs) -> Result<ExitCode, CliError> {
    let acknowledged = match &args.acks {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(CliError::io(format!("cannot read {}", path.display())))?;
            acknowledged_ids(&text)?
        }
        None => Vec::new(),
    };
    let asked = !acknowledged.is_empty();
    let options = VerifyOptions {
        acknowledged,
        archive: args.archive,
    };
    match storage::verify(&log_folder(&args.folder), &options) {
        Ok(report) => Ok(judge(&report)),
        Err(error) => refusal(error, asked),
    }
}

/// What cannot be opened is either not ours to look at now, or damage of its own.
fn refusal(error: VerifyError, asked: bool) -> Result<ExitCode, CliError> {
    let damaged = match &error {
        VerifyError::NoLog => asked,
        VerifyError::Open(OpenError::SegmentsMissing { .. } | OpenError::Format { .. }) => true,
        VerifyError::Open(OpenError::Locked { .. } | OpenError::Io { .. }) | VerifyError::Io(_) => {
            false
        }
    };
    if !damaged {
        return Err(CliError::Other(chain(&error)));
    }
    print("COUNT 0");
    print(&format!("DAMAGE {}", chain(&error)));
    Ok(ExitCode::from(DAMAGED))
}

fn judge(report: &VerifyReport) -> ExitCode {
    let mut digest = String::with_capacity(64);
    for byte in report.digest {
        let _ = write!(digest, "{byte:02x}");
    }
    print(&format!("COUNT {}", report.events));
    print(&format!("DIGEST {digest}"));
    print(&format!(
        "LOG {} up to position {} in {} segments",
        report.log_id, report.head, report.segments
    ));
    if report.torn_bytes > 0 {
        print(&format!(
            "TORN {} bytes of an append that was never acknowledged",
            report.torn_bytes
        ));
    }
    for problem in &report.problems {
        print(&format!("DAMAGE {}: {}", problem.file, problem.what));
    }
    for id in report.missing.iter().take(LISTED_MAX) {
        print(&format!("MISSING {id}"));
    }
    if report.missing.len() > LISTED_MAX {
        print(&format!(
            "MISSING {} more",
            report.missing.len() - LISTED_MAX
        ));
    }
    if !report.problems.is_empty() {
        return ExitCode::from(DAMAGED);
    }
    if report.missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(MISSING)
    }
}

/// One id a line; `ACK ` in front of it is passed over, and so are empty lines.
fn acknowledged_ids(text: &str) -> Result<Vec<Uuid>, CliError> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            let id = line.strip_prefix("ACK ").unwrap_or(line);
            Uuid::try_parse(id).map_err(|_| {
                CliError::Other(format!(
                    "line {number} of the acknowledged ids is no id: {id}"
                ))
            })
        })
        .collect()
}
