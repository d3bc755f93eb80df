//! What may be the name of a file in a repo: the one rule that keeps a name from becoming a path.

use std::io;

/// Bytes in a file's name: what every common file system allows.
const NAME_BYTES_MAX: usize = 255;

/// Checks that `name` is one component of a path and stays inside the folder.
///
/// # Errors
/// `InvalidInput` for an empty name, `.` and `..`, a separator or NUL, or more than 255 bytes.
pub(super) fn check_name(name: &str) -> io::Result<()> {
    let leaves_the_folder = matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']);
    if leaves_the_folder || name.len() > NAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} is no name for a file of the log"),
        ));
    }
    Ok(())
}
