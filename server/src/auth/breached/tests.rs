use super::*;

fn list(passwords: &[&str], count: &str) -> tempfile::NamedTempFile {
    let mut lines: Vec<String> = passwords.iter().map(|password| digest(password)).collect();
    lines.sort();
    let text: String = lines
        .iter()
        .map(|line| format!("{line}{count}\r\n"))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn what_is_on_the_list_is_found_and_nothing_else() {
    let many: Vec<String> = (0..300)
        .map(|number| format!("password {number}"))
        .collect();
    for length in [0, 1, 2, 3, 300] {
        let known: Vec<&str> = many[..length].iter().map(String::as_str).collect();
        for count in ["", ":7", ":1234567"] {
            let file = list(&known, count);
            for (at, password) in many.iter().enumerate() {
                let found = holds(file.path(), &digest(password)).unwrap();
                assert_eq!(found, at < length, "{password} of {length}");
            }
        }
    }
}

#[test]
fn the_digest_is_that_of_the_published_lists() {
    assert_eq!(
        digest("password"),
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8"
    );
}

#[test]
fn a_file_that_is_no_list_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "letmein\npassword\n").unwrap();
    let error = holds(file.path(), &digest("password")).unwrap_err();
    assert!(error.to_string().contains("SHA-1"), "{error}");
    assert!(holds(Path::new("/none/there"), &digest("password")).is_err());
}
