//! How far federation came, kept beside the log. Lost or old, it costs messages that are sent anew, and no event.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use storage::Position;

use crate::standing::Received;
use crate::{FederationError, sheet};

const PUBLISHED: &str = "published";
const RECEIVED: &str = "received";
/// In place of a key that is not known yet.
const NO_KEY: &str = "-";

/// What this log published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// When the stream that holds it was made.
    pub(crate) stream_made_at: i128,
    /// All up to here is published, as far as it is to be.
    pub(crate) up_to: Position,
    /// The last one that was, or where it was gone back to: nothing that is for others lies between here and `up_to`.
    pub(crate) last: Position,
}

/// What was published, as it was last saved.
pub(crate) fn read_published(folder: &Path) -> Published {
    let read = || {
        let text = fs::read_to_string(folder.join(PUBLISHED)).ok()?;
        let mut words = text.split_whitespace();
        Some(Published {
            stream_made_at: words.next()?.parse().ok()?,
            up_to: Position::new(words.next()?.parse().ok()?),
            last: Position::new(words.next()?.parse().ok()?),
        })
    };
    read().unwrap_or_default()
}

pub(crate) fn write_published(folder: &Path, published: Published) -> Result<(), FederationError> {
    let Published {
        stream_made_at,
        up_to,
        last,
    } = published;
    let text = format!("{stream_made_at} {} {}\n", up_to.get(), last.get());
    write(folder, PUBLISHED, &text)
}

/// What was received of each log, as it was last saved. Makes the folder.
///
/// # Errors
/// [`FederationError::Saved`].
pub(crate) fn read_received(folder: &Path) -> Result<BTreeMap<u128, Received>, FederationError> {
    let cannot = |source| FederationError::Saved {
        path: folder.display().to_string(),
        source,
    };
    fs::create_dir_all(folder).map_err(cannot)?;
    let text = match fs::read_to_string(folder.join(RECEIVED)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(cannot(error)),
    };
    Ok(text.lines().filter_map(parse_received).collect())
}

fn parse_received(line: &str) -> Option<(u128, Received)> {
    let mut words = line.splitn(4, ' ');
    let log = u128::from_str_radix(words.next()?, 16).ok()?;
    let position = words.next()?.parse().ok()?;
    let key = match words.next()? {
        NO_KEY => None,
        text => Some(sheet::key_of_text(text)?),
    };
    let depot = words.next()?.into();
    let received = Received {
        depot,
        position,
        key,
    };
    Some((log, received))
}

pub(crate) fn write_received(
    folder: &Path,
    received: &BTreeMap<u128, Received>,
) -> Result<(), FederationError> {
    let lines = received.iter().map(|(log, received)| {
        let depot = received.depot.replace(['\n', '\r'], " ");
        let key = received.key.map_or(NO_KEY.to_owned(), sheet::key_text);
        format!("{log:032x} {} {key} {depot}\n", received.position)
    });
    write(folder, RECEIVED, &lines.collect::<String>())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), FederationError> {
    let path = folder.join(name);
    let new = folder.join(format!("{name}.new"));
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
    written.map_err(|source| FederationError::Saved {
        path: path.display().to_string(),
        source,
    })
}
