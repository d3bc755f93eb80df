//! How the file of keys is written: a line added, or the whole file put in the place of the old one, always on the disk on return.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Adds a line and syncs it. Where that fails nothing of it is left, so that a full disk does not spoil the next line.
pub(super) fn append_line(file: &mut File, line: &str) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    if end > 0 {
        // What an earlier line left half-written, and could not be taken away, must not swallow this one.
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    let written = file
        .write_all(line.as_bytes())
        .and_then(|()| file.sync_data());
    if written.is_err() {
        // The first failure is the one to tell.
        let _ = file.set_len(end);
    }
    written
}

/// Writes a file under another name, for its owner alone, and puts it in the place of the one that was there.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Overwrites a file that has no name any more. What the disk itself keeps of it is out of our hands.
pub(super) fn overwrite(mut file: File) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}
