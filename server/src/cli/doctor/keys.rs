//! The files in the folder of keys: that nobody else reads them, and that they open what lies in the log.

use std::fs;
use std::path::Path;

use storage::VerifyReport;

use super::{Finding, mode};
use crate::auth::keys::FILE_NAME;
use crate::cli::chain;
use crate::config::Config;
use crate::privacy::{self, KeyStore, MASTER_FILE_NAME, aside, lost};

/// Whether the secrets belong to their owner alone.
pub(super) fn files(config: &Config) -> Vec<Finding> {
    let folder = config.keys_folder();
    let mut findings = vec![signing(config, &folder)];
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut secrets: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.is_file()
                && path
                    .extension()
                    .is_some_and(|end| end == "key" || end == "keys")
        })
        .filter(|path| path.file_name().is_some_and(|name| name != FILE_NAME))
        .collect();
    let set_aside = aside::files(&folder).unwrap_or_default();
    secrets.extend_from_slice(&set_aside);
    secrets.sort();
    findings.extend(secrets.iter().filter_map(|path| open_to_others(path)));
    let master = master(config);
    let kept = set_aside
        .iter()
        .map(|path| kept_aside(path, &folder, master.as_deref()));
    findings.extend(kept);
    findings
}

/// The master key that a start would take; nothing is made.
fn master(config: &Config) -> Option<Vec<u8>> {
    match &config.privacy.master_key {
        Some(key) => Some(key.clone().into_bytes()),
        None => fs::read(config.keys_folder().join(MASTER_FILE_NAME)).ok(),
    }
}

/// That keys lie there which nothing opens now; or that the master key opens them, as where a release of before set them aside.
fn kept_aside(path: &Path, folder: &Path, master: Option<&[u8]>) -> Finding {
    let name = privacy::store::FILE_NAME;
    let (kept, in_use) = (path.display(), folder.join(name));
    let is_opened = master.is_some_and(|master| aside::is_opened_by(path, master));
    if !is_opened {
        return Finding::Look(format!(
            "{kept} holds keys of people that were set aside: under the master key that they were made by it is to be named {name} again, while no server runs; remove it once nobody looks for that key any more"
        ));
    }
    let is_in_use_opened = match KeyStore::look(folder, master) {
        Ok(looked) => looked.map(|looked| looked.opens),
        Err(_) => Some(false),
    };
    let in_use = in_use.display();
    match is_in_use_opened {
        Some(true) => Finding::Look(format!(
            "the master key opens {kept} as well as {in_use}: keys that are missed may lie there. While no server runs, put both together by `cat {kept} >> {in_use}` and take {kept} away"
        )),
        Some(false) => Finding::Bad(format!(
            "{kept} is the file that the master key opens, and {in_use} is not: if it is the right key, rename {in_use} to {}, and {kept} to {name}, while no server runs",
            aside::free_name(folder).display()
        )),
        None => Finding::Bad(format!(
            "{kept} is the file that the master key opens, and there is no {in_use}: rename it to {name} before the next start, which would begin new keys"
        )),
    }
}

fn signing(config: &Config, folder: &Path) -> Finding {
    if config.auth.signing_key.is_some() {
        return Finding::Fine("tokens are signed with the key from the settings".to_owned());
    }
    let path = folder.join(FILE_NAME);
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

fn open_to_others(path: &Path) -> Option<Finding> {
    let mode = mode(&fs::metadata(path).ok()?)?;
    (mode & 0o077 != 0).then(|| {
        Finding::Bad(format!(
            "{} can be read by others (mode {mode:03o}): `chmod 600` it",
            path.display()
        ))
    })
}

/// Whether everybody whose fields lie in the log can be read.
pub(super) fn people(config: &Config, report: &VerifyReport) -> Vec<Finding> {
    let folder = config.keys_folder();
    let master_file = folder.join(MASTER_FILE_NAME);
    let master = master(config);
    let looked = match KeyStore::look(&folder, master.as_deref()) {
        Ok(looked) => looked,
        Err(error) => return vec![Finding::Bad(chain(&error))],
    };
    let mut findings = Vec::new();
    match &looked {
        Some(_) if master.is_none() => findings.push(Finding::Bad(format!(
            "the master key is gone: {} cannot be read and privacy.master_key is not set; put it back, for without it no start and no command opens the keys of people",
            master_file.display()
        ))),
        Some(looked) if looked.lacks_first_line() => findings.push(Finding::Bad(format!(
            "the master key is the right one, and the first line of {} is damaged, without which no start and no command opens it: put the first line of a copy of the file in its place, for that of any copy will do",
            folder.join(privacy::store::FILE_NAME).display()
        ))),
        Some(looked) if !looked.opens => findings.push(Finding::Bad(
            "the master key does not open the keys of people: give the one that they were made under (or do as is said above where it opens a file that was set aside), for with this one no start and no command does"
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
