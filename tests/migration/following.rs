//! A database that goes on changing while it is brought over, followed until it is cut over.

use std::time::Duration;

use harness::phase2::{self, Contents, Shape};
use harness::postgres::Cluster;
use harness::process::{Process, wait_for};
use rustix::process::Signal;

use super::program::{Depot, LIMIT};

/// What people do at the old system while it runs: `{n}` is another number each time.
const WORK: &str = "UPDATE vehicles SET current_mileage_km = current_mileage_km + {n} WHERE asset_id = '18500{n}';
     UPDATE work_orders SET notes = 'Runde {n}' WHERE status = 'DRAFT';
     UPDATE purchase_order_lines SET quantity_received = quantity_received + 1 WHERE line_number < 3;
     INSERT INTO stock_moves SELECT gen_random_uuid(), part_no, 'INCOMING', {n}, NULL, NULL, NULL, NULL, NULL, NULL, now(), NULL
       FROM part_inventory ORDER BY part_no LIMIT 2;
     UPDATE part_inventory SET current_stock = current_stock + {n};
     UPDATE users SET username = 'user2-{n}' WHERE email = 'user2@example.org';
     INSERT INTO cost_centers SELECT gen_random_uuid(), 'NEU-{n}', 'neu', NULL, true, NULL, now(), now();";

fn wait_for_line(process: &mut Process, count: usize, line: &str) {
    wait_for(line, LIMIT, || {
        if let Some(status) = process.ended() {
            panic!("it ended with {status}: {}", process.last_words());
        }
        (process.output().matches(line).count() >= count).then_some(())
    });
}

#[test]
fn a_running_database_is_followed_until_it_is_cut_over() {
    let Some(mut cluster) = Cluster::start() else {
        harness::skip::skipped("following", "PostgreSQL is not installed");
        return;
    };
    let contents = Contents::new(31, 800).without_traps();
    let database = phase2::create(&cluster, Shape::Models, &contents);
    let url = cluster.url(&database);
    let depot = Depot::new();
    let mut process = depot.start(&url, &["--follow", "--every", "1"]);
    wait_for_line(&mut process, 1, "following: ");
    for round in 1..=3 {
        cluster.psql(&database, &WORK.replace("{n}", &round.to_string()));
        wait_for_line(&mut process, round, "followed: ");
    }
    // A transaction that began before a look and ends behind it is not missed.
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            cluster.psql(
                &database,
                "BEGIN; UPDATE suppliers SET notes = 'langsam'; SELECT pg_sleep(3); COMMIT;",
            )
        });
        std::thread::sleep(Duration::from_millis(500));
        cluster.psql(&database, "UPDATE workshops SET notes = 'schnell';");
        wait_for_line(&mut process, 4, "followed: ");
        slow.join().expect("it is committed");
    });
    wait_for_line(&mut process, 5, "followed: ");
    // The server may go away for a while.
    cluster.stop();
    wait_for_line(&mut process, 1, "it is asked again");
    cluster.launch();
    cluster.psql(
        &database,
        "UPDATE staff SET phone = '0800'; DELETE FROM budgets;",
    );
    wait_for_line(&mut process, 6, "followed: ");
    // Nobody else gets the folder meanwhile, but a request does.
    let (code, said) = depot.import(&url, &[]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = depot.import(&url, &["--cut-over"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("cut over: the old database is followed no more"),
        "{said}"
    );
    let status = process.wait(LIMIT).expect("it ends");
    let said = process.output();
    assert_eq!(status.code(), Some(0), "{said}");
    // What following cannot see, the last look does.
    assert!(
        said.contains("budgets: 3 rows are in the log and no more in the database"),
        "{said}"
    );
    let events: u64 = said
        .lines()
        .find_map(|line| {
            line.split(" events, ")
                .nth(1)?
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .expect("the summary");
    assert_eq!(events, 0, "all had been followed already: {said}");
    let (code, said) = depot.import(&url, &["--verify-only"]);
    assert_eq!(code, Some(0), "{said}");
}

/// Two vehicles with the same number are two vehicles, also where only one of them is read again.
#[test]
fn rows_that_share_a_number_stay_apart_while_they_are_followed() {
    let Some(cluster) = Cluster::shared("following rows that share a number") else {
        return;
    };
    let contents = Contents::new(37, 300).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let of_two = |column: &str| {
        let statement = format!("SELECT {column} FROM vehicles ORDER BY id LIMIT 2;");
        let answer = cluster.psql(&database, &statement);
        let (first, second) = answer.split_once('\n').expect("two vehicles");
        (first.to_owned(), second.to_owned())
    };
    let ((first, second), (number, _)) = (of_two("id"), of_two("asset_id"));
    cluster.psql(
        &database,
        &format!(
            "DROP INDEX ix_vehicles_asset_id; UPDATE vehicles SET asset_id = '{number}' WHERE id = '{second}';"
        ),
    );
    let url = cluster.url(&database);
    let depot = Depot::new();
    let mut process = depot.start(&url, &["--follow", "--every", "1"]);
    wait_for_line(&mut process, 1, "following: ");
    cluster.psql(
        &database,
        &format!("UPDATE vehicles SET notes = 'nur der zweite' WHERE id = '{second}';"),
    );
    wait_for_line(&mut process, 1, "followed: ");
    process.signal(Signal::INT);
    let status = process.wait(LIMIT).expect("it ends");
    assert_eq!(status.code(), Some(130), "{}", process.output());
    let log = super::importing::open(&depot.folder.log());
    for (stream, row, other) in [(&number, &first, &second), (&second, &second, &first)] {
        let name = storage::StreamName::new("Vehicle", stream.as_str());
        let mut reader = log.read_stream(&name, &storage::StreamRange::default());
        let mut count = 0;
        while let Some(event) = reader.next() {
            let event = event.expect("an event");
            let source: serde_json::Value = serde_json::from_slice(event.metadata()).expect("JSON");
            let source = &source["source"];
            assert_ne!(source["key"], other.as_str(), "Vehicle/{stream}");
            count += usize::from(source["key"] == row.as_str());
        }
        assert!(count > 0, "Vehicle/{stream} is that of {row}");
    }
    log.close();
    depot.must_import(&url);
}

/// A note that a killed follower left is no promise that somebody will answer.
#[test]
fn a_note_that_is_left_over_is_not_waited_for() {
    let Some(cluster) = Cluster::shared("a follower that was killed") else {
        return;
    };
    let contents = Contents::new(36, 300).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let url = cluster.url(&database);
    let depot = Depot::new();
    let mut process = depot.start(&url, &["--follow"]);
    wait_for_line(&mut process, 1, "following: ");
    process.signal(Signal::KILL);
    process.wait(LIMIT).expect("it ends");
    assert!(depot.folder.path().join("import/following").exists());
    let server = depot.folder.serve();
    let (code, said) = depot.import(&url, &["--cut-over"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("left over from a --follow that was killed") && said.contains("ask again"),
        "{said}"
    );
    server.stop();
    let (code, said) = depot.import(&url, &["--cut-over"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("cut over: "), "{said}");
}

#[test]
fn a_signal_cuts_over_and_without_a_follower_the_command_does() {
    let Some(cluster) = Cluster::shared("cutting over") else {
        return;
    };
    let contents = Contents::new(32, 300).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let url = cluster.url(&database);
    let depot = Depot::new();
    let mut process = depot.start(&url, &["--follow"]);
    wait_for_line(&mut process, 1, "following: ");
    process.signal(Signal::USR1);
    let status = process.wait(LIMIT).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", process.output());
    assert!(
        process.output().contains("cut over: "),
        "{}",
        process.output()
    );
    let other = Depot::new();
    let (code, said) = other.import(&url, &["--cut-over"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("cut over: "), "{said}");
    assert_eq!(other.digest(), depot.digest());
    let mut process = other.start(&url, &["--follow"]);
    wait_for_line(&mut process, 1, "following: ");
    process.signal(Signal::INT);
    let status = process.wait(LIMIT).expect("it ends");
    assert_eq!(status.code(), Some(130), "{}", process.output());
}
