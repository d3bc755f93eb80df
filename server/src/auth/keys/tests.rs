use super::*;

#[test]
fn a_key_is_made_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let first = load_or_create(&keys).unwrap();
    assert_eq!(first.len(), KEY_BYTES);
    assert_eq!(load_or_create(&keys).unwrap(), first);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(load_or_create(other.path()).unwrap(), first);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    load_or_create(&keys).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&keys), mode(&keys.join(FILE_NAME))), (0o700, 0o600));
}

#[test]
fn a_file_that_is_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for length in [0, KEY_BYTES - 1, 5_000] {
        keep(&folder.path().join(FILE_NAME), &vec![b'x'; length]).unwrap();
        assert!(
            matches!(load_or_create(folder.path()), Err(KeyError::Length { .. })),
            "{length}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_everybody_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let key = load_or_create(folder.path()).unwrap();
    let path = folder.path().join(FILE_NAME);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = load_or_create(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("(mode 644): `chmod 600` it"),
        "{error}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        load_or_create(folder.path()).unwrap(),
        key,
        "a group may be given it"
    );
}
