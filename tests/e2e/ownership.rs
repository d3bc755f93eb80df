//! One process owns a data folder, and lets go of it in good order.

use std::time::Duration;

use harness::process::{must, wait_for};
use harness::server::DataFolder;

use super::event;
use super::kill::{acknowledged, lasting_token, start_load};

#[test]
fn a_second_server_is_refused_by_name_and_the_first_serves_on() {
    let folder = DataFolder::new();
    let mut first = folder.serve();
    let mut second = folder.launch(&[], &[]);
    let status = second.process().wait(Duration::from_secs(20));
    let said = second.process().output();
    assert!(
        status.is_some_and(|status| !status.success()),
        "ended with {status:?}: {said}"
    );
    let owner = format!("process {}", first.process().id());
    assert!(
        said.contains(&owner),
        "the owner, {owner}, is not named: {said}"
    );
    let mut client = first.client();
    must(
        "appending",
        client.post("/api/v1/events", &event("Vehicle", "owned", 1)),
    )
    .expect(201);
    first.stop();
}

#[test]
fn a_command_that_needs_the_log_names_the_server_that_has_it() {
    let folder = DataFolder::new();
    let mut server = folder.serve();
    let (code, said) = folder.verify(&[]);
    let owner = format!("process {}", server.process().id());
    assert!(
        code.is_some_and(|code| code != 0),
        "verified a log in use: {said}"
    );
    assert!(
        said.contains(&owner),
        "the owner, {owner}, is not named: {said}"
    );
    server.stop();
}

#[test]
fn asked_to_end_under_load_it_ends_soon_with_everything_there() {
    let folder = DataFolder::new();
    let token = lasting_token(&folder);
    let mut server = folder.serve();
    let mut client = start_load(&folder, server.port(), &token, 8);
    wait_for("something is acknowledged", Duration::from_secs(60), || {
        (!acknowledged(&client.output()).is_empty()).then_some(())
    });
    // Half of what the server gives its connections before it cuts them, and says so.
    let status = server.terminate(Duration::from_secs(10));
    let said = server.process().output();
    assert!(
        status.is_some_and(|status| status.success())
            && !said.contains("connections were still open"),
        "ended with {status:?}: {}",
        server.process().last_words()
    );
    assert!(
        client.wait(Duration::from_secs(10)).is_some(),
        "the client does not end"
    );
    let ids = acknowledged(&client.output());
    assert!(
        !ids.is_empty(),
        "nothing was acknowledged: {}",
        client.last_words()
    );
    let (code, said) = folder.verify(&ids);
    assert_eq!(code, Some(0), "{} acknowledged: {said}", ids.len());
}
