//! Files that no manifest names: what an export that was cut off left, and what is somebody else's.
//!
//! Whoever gives the root of a shared bucket as the place must not lose anything there. So only files go whose names are such as
//! exports give, and a first export refuses a place where others lie.

use std::ops::RangeInclusive;

use hashbrown::HashSet;

use crate::error::LakeError;
use crate::manifest::Manifest;
use crate::target::{Target, is_number};

/// What exports write into.
const FOLDERS: [&str; 2] = ["events", "states"];
/// Digits that a position has in a name at least.
const POSITION_DIGITS: usize = 12;

/// Takes away what an export that was cut off left, so that nothing readable of somebody erased lies there for good.
///
/// # Errors
/// `Foreign` where nothing was exported yet and others keep their files; nothing was taken away then. `Store`, `Folder`.
pub(crate) fn remove(target: &Target, manifest: &Manifest) -> Result<(), LakeError> {
    let named: HashSet<&str> = manifest.paths().collect();
    let is_first = manifest.generation == 0;
    let mut strays = Vec::new();
    for folder in FOLDERS {
        for path in target.list(folder)? {
            if named.contains(path.as_str()) {
                continue;
            }
            if is_ours(&path) {
                strays.push(path);
            } else if is_first {
                return Err(LakeError::Foreign {
                    place: target.url().to_owned(),
                    path,
                });
            }
        }
    }
    for path in strays {
        target.delete(&path)?;
    }
    for folder in FOLDERS {
        target.remove_half_written(folder, is_ours)?;
    }
    Ok(())
}

/// Whether a path is such as an export gives:
/// `events/aggregate_type=T/month=YYYY-MM/FROM-TO-PART.EXPORT.parquet`, `states/aggregate_type=T/POSITION-PART-NUMBER.EXPORT.parquet`,
/// and from older versions without the part.
pub(crate) fn is_ours(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["events", of_type, month, file] => {
            is_type(of_type) && is_month(month) && is_file(file, 3..=3)
        }
        ["states", of_type, file] => is_type(of_type) && is_file(file, 2..=3),
        _ => false,
    }
}

fn is_type(folder: &str) -> bool {
    folder.starts_with("aggregate_type=")
}

fn is_month(folder: &str) -> bool {
    // A year before our era has a sign.
    let month = folder
        .strip_prefix("month=")
        .and_then(|of| of.rsplit_once('-'));
    month.is_some_and(|(year, month)| {
        is_number(year.strip_prefix('-').unwrap_or(year)) && is_number(month)
    })
}

/// `NNNNNNNNNNNN-….G.parquet`, with so many numbers before the export's.
fn is_file(name: &str, numbers: RangeInclusive<usize>) -> bool {
    let Some((name, generation)) = name
        .strip_suffix(".parquet")
        .and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    let parts: Vec<&str> = name.split('-').collect();
    is_number(generation)
        && numbers.contains(&parts.len())
        && parts[0].len() >= POSITION_DIGITS
        && parts.into_iter().all(is_number)
}
