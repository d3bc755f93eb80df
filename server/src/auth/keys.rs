//! Secret keys, of tokens, checkpoints, people and TLS: made once, kept in the data folder, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// The file's name in the folder of keys.
pub const FILE_NAME: &str = "jwt.key";
/// Bytes of a key: as many as HMAC-SHA-256's output (RFC 7518 §3.2 asks for no fewer).
pub const KEY_BYTES: usize = 32;
/// Bytes that a key file may have at most.
const FILE_BYTES_MAX: u64 = 4_096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refuses.
    #[error("cannot {doing} the key {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is too short to be a key, or too long.
    #[error(
        "{path} is no key: {bytes} bytes, at least {KEY_BYTES} are needed; remove it to have one made"
    )]
    Length {
        /// The file.
        path: String,
        /// Its length.
        bytes: u64,
    },
    /// Everybody on the machine could read it.
    #[error(
        "{path} can be read by everybody (mode {mode:03o}): `chmod 600` it, and replace it if somebody may have"
    )]
    Open {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// The machine has no randomness to give.
    #[error("no random bytes for a key: {0}")]
    Random(getrandom::Error),
}

/// The key in `folder` that signs tokens; one is made there if there is none. On return a new key is on the disk.
///
/// # Errors
/// See [`KeyError`].
pub fn load_or_create(folder: &Path) -> Result<Vec<u8>, KeyError> {
    load_or_create_named(folder, FILE_NAME)
}

/// The key of this name in `folder`, as [`load_or_create`].
///
/// # Errors
/// See [`KeyError`].
pub fn load_or_create_named(folder: &Path, name: &str) -> Result<Vec<u8>, KeyError> {
    let path = folder.join(name);
    let failed = |doing| {
        let path = path.display().to_string();
        move |source| KeyError::Io {
            doing,
            path,
            source,
        }
    };
    match File::open(&path) {
        Ok(file) => {
            refuse_open(&path)?;
            let mut key = Vec::new();
            file.take(FILE_BYTES_MAX + 1)
                .read_to_end(&mut key)
                .map_err(failed("read"))?;
            let bytes = u64::try_from(key.len()).unwrap_or(u64::MAX);
            if key.len() < KEY_BYTES || bytes > FILE_BYTES_MAX {
                return Err(KeyError::Length {
                    path: path.display().to_string(),
                    bytes,
                });
            }
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = vec![0_u8; KEY_BYTES];
            getrandom::fill(&mut key).map_err(KeyError::Random)?;
            keep(&path, &key)?;
            Ok(key)
        }
        Err(error) => Err(failed("open")(error)),
    }
}

/// Refuses a key that everybody may read: it is no secret any more.
///
/// # Errors
/// [`KeyError::Open`], or that the file cannot be looked at.
pub fn refuse_open(path: &Path) -> Result<(), KeyError> {
    let shown = || path.display().to_string();
    let metadata = fs::metadata(path).map_err(|source| KeyError::Io {
        doing: "look at",
        path: shown(),
        source,
    })?;
    match mode(&metadata) {
        mode if mode & 0o007 == 0 => Ok(()),
        mode => Err(KeyError::Open {
            path: shown(),
            mode,
        }),
    }
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

/// Puts a key on the disk, for its owner alone, in place of any other.
///
/// # Errors
/// [`KeyError::Io`]; what lay there before lies there still.
pub fn keep(path: &Path, key: &[u8]) -> Result<(), KeyError> {
    create(path, key).map_err(|source| KeyError::Io {
        doing: "write",
        path: path.display().to_string(),
        source,
    })
}

/// Writes under another name first: a crash in between leaves no half key behind the name.
fn create(path: &Path, key: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private_folder(folder)?;
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(key)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

/// Creates the folder, and those above it, for its owner alone.
///
/// # Errors
/// What the file system says.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
