use super::*;

#[test]
fn only_marked_blocks_are_run_and_know_their_line() {
    let text = "# A\n```sh\nrm -rf /\n```\n\n```sh runnable\ncurl $ADDRESS\necho two\n```\n```json\n{}\n```\n```sh runnable\ntrue\n```\n";
    let found = in_document(Path::new("a.md"), text);
    let seen: Vec<(usize, &str)> = found
        .iter()
        .map(|one| (one.line, one.commands.as_str()))
        .collect();
    assert_eq!(seen, [(7, "curl $ADDRESS\necho two\n"), (14, "true\n")]);
}

#[test]
fn a_block_that_is_never_closed_is_none() {
    assert_eq!(in_document(Path::new("a.md"), "```sh runnable\ntrue\n"), []);
}

#[test]
fn commands_are_told_from_what_they_print() {
    let text = "Say\n\n    railfleet doctor --data DIR   # and see\n    ok    nothing\n\n```text\nrailfleet verify DIR\nCOUNT 5\n```\n\
                ```sh\ncurl -X POST \\\n  -d '{}' \"$ADDRESS\"\n```\n```sh runnable\ncurl a\n```\n```toml\nmake = 1\n```\n";
    let found: Vec<(usize, String)> = typed::commands(Path::new("a.md"), text)
        .into_iter()
        .map(|one| (one.line, one.command))
        .collect();
    let expected = [
        (3, "railfleet doctor --data DIR"),
        (7, "railfleet verify DIR"),
        (11, "curl -X POST -d '{}' \"$ADDRESS\" "),
    ];
    assert_eq!(
        found,
        expected.map(|(line, command)| (line, command.to_owned()))
    );
}
