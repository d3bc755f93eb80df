//! What only a real folder has: permissions, links, parents that are missing.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_folder_and_its_files_belong_to_their_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("depot").join("log");
    let repo = FsRepo::open(&dir).unwrap();
    repo.create("a").unwrap();
    assert_eq!(repo.dir(), dir);
    assert_eq!(repo.path("a").unwrap(), dir.join("a"));
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(dir.parent().unwrap()), 0o700);
    assert_eq!(mode(&dir.join("a")), 0o600);
}

#[test]
fn an_existing_folder_is_opened_with_what_is_in_it() {
    let parent = tempfile::tempdir().unwrap();
    fs::write(parent.path().join("a"), b"rail").unwrap();
    fs::create_dir(parent.path().join("snapshots")).unwrap();
    let repo = FsRepo::open(parent.path()).unwrap();
    assert_eq!(repo.list().unwrap(), ["a"], "a subfolder is no file");
    assert_eq!(repo.open("a").unwrap().len().unwrap(), 4);
}

#[test]
fn a_file_is_no_folder() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a");
    fs::write(&path, b"").unwrap();
    assert_eq!(
        FsRepo::open(&path).unwrap_err().kind(),
        io::ErrorKind::NotADirectory
    );
    assert_eq!(
        FsRepo::open(&path.join("log")).unwrap_err().kind(),
        io::ErrorKind::NotADirectory
    );
}

#[test]
fn a_created_file_does_not_empty_the_one_that_a_backup_links_to() {
    let parent = tempfile::tempdir().unwrap();
    let repo = FsRepo::open(&parent.path().join("log")).unwrap();
    repo.create("a").unwrap().write_at(b"rail", 0).unwrap();
    let backup = parent.path().join("backup");
    fs::hard_link(repo.path("a").unwrap(), &backup).unwrap();
    repo.create("a").unwrap();
    assert_eq!(fs::read(backup).unwrap(), b"rail");
}

#[test]
fn a_created_file_does_not_follow_a_link() {
    let parent = tempfile::tempdir().unwrap();
    let repo = FsRepo::open(&parent.path().join("log")).unwrap();
    let target = parent.path().join("target");
    fs::write(&target, b"rail").unwrap();
    std::os::unix::fs::symlink(&target, repo.path("a").unwrap()).unwrap();
    repo.create("a").unwrap().write_at(b"x", 0).unwrap();
    assert_eq!(fs::read(target).unwrap(), b"rail");
}

#[test]
fn a_file_that_may_only_be_read_is_read() {
    let parent = tempfile::tempdir().unwrap();
    let repo = FsRepo::open(parent.path()).unwrap();
    repo.create("a").unwrap().write_at(b"rail", 0).unwrap();
    fs::set_permissions(repo.path("a").unwrap(), fs::Permissions::from_mode(0o400)).unwrap();
    let file = repo.open("a").unwrap();
    assert_eq!(file.view(4, 0).unwrap().bytes(), b"rail");
    // Root may write where nobody may, so only for others is there a refusal to see.
    let root = fs::metadata(parent.path()).unwrap().uid() == 0;
    assert_eq!(file.write_at(b"x", 0).is_ok(), root);
}

#[test]
fn a_view_taken_after_each_append_is_of_one_map() {
    let parent = tempfile::tempdir().unwrap();
    let repo = FsRepo::open(parent.path()).unwrap();
    let file = repo.create("a").unwrap();
    let first = {
        file.write_at(&[1; 100], 0).unwrap();
        file.view(100, 1 << 20).unwrap()
    };
    for length in 2..200_u64 {
        file.write_at(&[1; 100], (length - 1) * 100).unwrap();
        let view = file.view(length * 100, 1 << 20).unwrap();
        assert_eq!(view.bytes().len() as u64, length * 100);
        assert_eq!(view.bytes().as_ptr(), first.bytes().as_ptr());
    }
}
