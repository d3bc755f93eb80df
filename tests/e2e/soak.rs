//! A server under a steady mixed load for long: memory, open files and threads, drawn over time, and flat in the end.
//!
//! `RAILFLEET_SOAK_SECONDS` says for how long; `make soak` is an hour of it. `out/soak.svg` has the picture, `out/soak.csv`
//! what it is drawn from.

use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::client::Client;
use harness::load::Seeded;
use harness::process::must;
use harness::server::{DataFolder, Server};
use harness::skip;

use super::{batch, event};

const SEED: u64 = 11;
const WORKERS: u64 = 6;
const STREAMS: u64 = 50;
/// Between two requests of a worker: a steady load, far below what the machine can do.
const PAUSE: Duration = Duration::from_millis(40);
/// How often the process is looked at, in a short run and in a long one.
const LOOKS: u32 = 240;
/// The log grows all the while, and with it what is kept of each event in memory.
const EVENT_BYTES_MAX: u64 = 512;
/// What may come and go on top: caches that fill, the allocator's slack.
const SLACK_BYTES: u64 = 32 << 20;
const FILES_SLACK: u64 = 12;
const THREADS_SLACK: u64 = 4;

/// The process at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    seconds: f64,
    events: u64,
    memory: u64,
    files: u64,
    threads: u64,
}

#[test]
fn under_a_steady_load_nothing_grows_but_the_log() {
    let seconds = skip::how_many("RAILFLEET_SOAK_SECONDS", 30);
    let folder = DataFolder::new();
    // One token for all of it.
    let lasting = [("RAILFLEET_AUTH_ACCESS_MINUTES", "1440".into())];
    let mut server = folder.serve_with(&[], &lasting);
    let mut client = server.client();
    must(
        "appending",
        client.post("/api/v1/events/batch", &batch(0, 2_000)),
    )
    .expect(201);
    let looks = under_load(&mut server, Duration::from_secs(seconds));
    must("asking", server.client().get("/health")).expect(200);
    server.stop();
    draw(&looks);
    judge(&looks);
    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(0), "{said}");
}

fn under_load(server: &mut Server, time: Duration) -> Vec<Look> {
    let (over, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    let mut looks = Vec::new();
    let (port, token) = (server.port(), server.token());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (over, requests, port, token) = (&over, &requests, port, token.clone());
            scope.spawn(move || work(worker, port, token, over, requests));
        }
        while began.elapsed() < time {
            std::thread::sleep(time / LOOKS);
            // A connection that says nothing for as long is closed.
            let (mut look, lived) = look(&mut server.stranger());
            look.seconds = began.elapsed().as_secs_f64();
            if !lived {
                over.store(true, Ordering::Relaxed);
                panic!(
                    "the server answers no more: {}",
                    server.process().last_words()
                );
            }
            looks.push(look);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(requests.load(Ordering::Relaxed) > 0, "nothing was asked");
    looks
}

/// Reads, lists, writes and figures, as users mix them. Everything has to be answered, whatever with but a failure.
fn work(worker: u64, port: u16, token: String, over: &AtomicBool, requests: &AtomicU64) {
    let mut chance = Seeded::new(SEED + worker);
    let mut client = Client::new(port).with_token(token);
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        let unit = chance.below(23);
        let answer = match chance.below(100) {
            0..60 => client.get(&format!("/api/v1/events/Vehicle/unit%20{unit}?limit=20")),
            60..80 => client.get("/api/v1/events?aggregate_type=Vehicle&limit=50"),
            80..90 => {
                number += 1;
                let stream = format!("soak-{}", chance.below(STREAMS));
                client.post("/api/v1/events", &event("Probe", &stream, number))
            }
            90..94 => client.get("/api/v1/analytics/dashboard/executive"),
            94..97 => client.get(&format!(
                "/api/v1/time-travel/state-at?aggregate_type=Vehicle&aggregate_id=unit%20{unit}&at=2024-01-01"
            )),
            _ => client.get("/api/v1/sync/devices"),
        };
        let answer = must("asking", answer);
        assert!(
            answer.status < 400,
            "answered {}: {}",
            answer.status,
            answer.text()
        );
        requests.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(PAUSE);
    }
}

/// What the server says of itself, and whether it said it.
fn look(client: &mut Client) -> (Look, bool) {
    let Ok(answer) = client.get("/metrics") else {
        return (Look::default(), false);
    };
    let text = answer.text();
    let value = |name: &str| -> u64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or_default()
    };
    let look = Look {
        seconds: 0.0,
        events: value("railfleet_log_events"),
        memory: value("railfleet_process_resident_memory_bytes"),
        files: value("railfleet_process_open_files"),
        threads: value("railfleet_process_threads"),
    };
    (look, answer.status == 200 && look.memory > 0)
}

/// The last third against the second: the first one warms up.
fn judge(looks: &[Look]) {
    let third = looks.len() / 3;
    let (middle, end) = (&looks[third..2 * third], &looks[2 * third..]);
    let most = |looks: &[Look], of: fn(&Look) -> u64| looks.iter().map(of).max().unwrap_or(0);
    let events = end.last().map_or(0, |look| look.events) - middle[0].events;
    for (what, of, slack) in [
        (
            "memory",
            (|look| look.memory) as fn(&Look) -> u64,
            SLACK_BYTES + events * EVENT_BYTES_MAX,
        ),
        ("open files", |look| look.files, FILES_SLACK),
        ("threads", |look| look.threads, THREADS_SLACK),
    ] {
        let (before, after) = (most(middle, of), most(end, of));
        assert!(
            after <= before + slack,
            "{what} went from {before} to {after}: out/soak.svg"
        );
    }
}

#[test]
fn growth_is_seen() {
    let steady = |count: u64| Look {
        memory: 100 << 20,
        files: 40,
        threads: 20,
        events: count,
        seconds: 0.0,
    };
    let flat: Vec<Look> = (0..90).map(steady).collect();
    judge(&flat);
    for grow in [
        (|look: &mut Look, at: u64| look.memory += at << 22) as fn(&mut Look, u64),
        |look, at| look.files += at,
        |look, at| look.threads += at,
    ] {
        let mut growing = flat.clone();
        growing
            .iter_mut()
            .zip(0..)
            .for_each(|(look, at)| grow(look, at));
        assert!(
            std::panic::catch_unwind(|| judge(&growing)).is_err(),
            "a leak went unseen"
        );
    }
}

/// Three strips, each from zero to its highest.
fn draw(looks: &[Look]) {
    let out = skip::workspace().join("out");
    must("making out/", fs::create_dir_all(&out));
    let mut table = "seconds,events,memory_bytes,open_files,threads\n".to_owned();
    for look in looks {
        let _ = writeln!(
            table,
            "{:.1},{},{},{},{}",
            look.seconds, look.events, look.memory, look.files, look.threads
        );
    }
    must("writing", fs::write(out.join("soak.csv"), table));
    let length = looks.last().map_or(1.0, |look| look.seconds);
    let mut picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 480\" font-family=\"sans-serif\" font-size=\"13\">\n".to_owned();
    type Of = fn(&Look) -> f64;
    let strips: [(&str, Of); 3] = [
        ("memory, MiB", |look| {
            look.memory as f64 / f64::from(1 << 20)
        }),
        ("open files", |look| look.files as f64),
        ("threads", |look| look.threads as f64),
    ];
    for ((name, of), top) in strips.into_iter().zip([30.0, 180.0, 330.0]) {
        let highest = looks.iter().map(of).fold(1.0, f64::max);
        let points: Vec<String> = looks
            .iter()
            .map(|look| {
                let (x, y) = (look.seconds / length * 800.0, of(look) / highest * 100.0);
                format!("{:.1},{:.1}", 10.0 + x, top + 110.0 - y)
            })
            .collect();
        let _ = writeln!(
            picture,
            "<text x=\"10\" y=\"{top}\">{name}: at most {highest:.0}</text>"
        );
        let _ = writeln!(
            picture,
            "<line x1=\"10\" x2=\"810\" y1=\"{0}\" y2=\"{0}\" stroke=\"#ccc\"/>",
            top + 110.0
        );
        let _ = writeln!(
            picture,
            "<polyline fill=\"none\" stroke=\"#1f5fa8\" points=\"{}\"/>",
            points.join(" ")
        );
    }
    let _ = writeln!(
        picture,
        "<text x=\"10\" y=\"470\">{length:.0} s of {WORKERS} users at once</text>\n</svg>"
    );
    must("writing", fs::write(out.join("soak.svg"), picture));
}
