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
