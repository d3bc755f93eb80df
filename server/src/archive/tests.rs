//! What a command left that was killed.

use super::*;

/// No process has a number as high.
const GONE: u32 = u32::MAX;

#[test]
fn what_a_killed_command_left_goes_with_the_next_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path());
    let (backups, fetched) = (config.backups_folder(), config.fetched_folder());
    // This process runs, and so does the one that started it.
    let parent = std::os::unix::process::parent_id();
    let left = [
        backups.join(format!(".drill-{GONE}")),
        fetched.join(format!("verify-{GONE}")),
        fetched.join(format!("restore-{GONE}")),
    ];
    let kept = [
        backups.join(format!(".drill-{parent}")),
        fetched.join(format!("verify-{parent}")),
        backups.join(format!("verify-{GONE}")),
        backups.join("auto-2026-01-01T000000Z"),
        backups.join(".drill-old"),
        fetched.join("backup"),
    ];
    for path in left.iter().chain(&kept) {
        fs::create_dir_all(path.join("log")).unwrap();
        fs::write(path.join("log/000000000001.log"), "events").unwrap();
    }
    let scratch = Scratch::of_verify(&config);
    assert_eq!(
        scratch.path(),
        fetched.join(format!("verify-{}", std::process::id()))
    );
    for path in &left {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in &kept {
        assert!(path.join("log").exists(), "{}", path.display());
    }
}
