//! What docs/PHASE3_MIGRATION.md tells an operator to type, typed: every block, one after the other.

use std::process::Command;

use harness::examples::{self, GUIDED};
use harness::phase2::{self, Contents, Shape};
use harness::port::free_port;
use harness::postgres::Cluster;
use harness::process::run;
use harness::server::railfleet;
use harness::skip;

use super::program::LIMIT;

#[test]
fn every_command_of_the_migration_guide_works() {
    let test = "the migration guide";
    let Some(cluster) = Cluster::start() else {
        skip::skipped(test, "PostgreSQL is not installed");
        return;
    };
    if !skip::programs(test, &["bash", "curl"]) {
        return;
    }
    let path = skip::workspace().join("docs/PHASE3_MIGRATION.md");
    let text = std::fs::read_to_string(&path).expect("the guide");
    let blocks = examples::fenced(&path, &text, GUIDED);
    assert!(blocks.len() >= 9, "only {} blocks", blocks.len());
    let contents = Contents::new(41, 400).without_traps();
    let database = phase2::create(&cluster, Shape::Scripts, &contents);
    let home = tempfile::tempdir().expect("a folder");
    // One shell for all, as one terminal: what was started in the background is there for the next block.
    let mut script = String::new();
    for block in &blocks {
        script.push_str(&format!(
            "echo \"== line {}\"\n{}",
            block.line, block.commands
        ));
    }
    let old = std::env::var("PATH").unwrap_or_default();
    let program = railfleet().parent().expect("a program lies in a folder");
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(home.path())
        .env(
            "PATH",
            format!(
                "{}:{}:{old}",
                program.display(),
                cluster.programs().display()
            ),
        )
        .env("OLD", cluster.url(&database))
        .env("BACK", cluster.url("railfleet_back"))
        .env("DATA", home.path().join("data"))
        .env("BACKUP", home.path().join("backup"))
        .env("PORT", free_port().to_string());
    let (status, said) = run(&mut shell, LIMIT);
    assert!(status.success(), "ended with {status}: {said}");
    for sentence in [
        "this was a dry run: nothing was written",
        "every row is in the log as the database says it",
        "cut over: the old database is followed no more",
        "every row is in the database as the log says it",
    ] {
        assert!(said.contains(sentence), "{sentence:?} is not in {said}");
    }
    let count = |database: &str| cluster.psql(database, "SELECT count(*) FROM work_orders;");
    assert_eq!(count("railfleet_back"), count(&database));
    assert_eq!(count("railfleet_restored"), count(&database));
}
