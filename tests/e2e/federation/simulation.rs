//! Three depots and a broker, each a process of its own, cut off from each other again and again while people work at all
//! three. In the end all agree: the same events, each once, the same states, nothing lost that anybody was told is kept.
//!
//! Two minutes; with `RAILFLEET_FAULTS=all` an hour. `RAILFLEET_FEDERATION_SECONDS` says how long instead,
//! `RAILFLEET_FEDERATION_SEED` what is done and what breaks when: the seed is printed. The depots and the broker write into the
//! folder for temporary files (`TMPDIR`), up to a megabyte a second.
//!
//! Nothing here is a promise about time: on a machine that has more to do all limits are long, and they are there so that what
//! hangs is told of. What is promised is held without mercy: no event twice, none lost, the same states, whole logs, no answer
//! that is a failure of the server's, no depot that ends by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::load::Seeded;
use harness::nats::NatsServer;
use harness::skip;
use rustix::process::Signal;

use super::depot::Depot;
use super::parrot::Parrot;
use super::work::{Done, Worker};

const NAMES: [&str; 3] = ["Nord", "Süd", "West"];
const EVERY_DAY_S: u64 = 120;
const LONG_S: u64 = 3_600;
/// How long the depots may come no nearer to agreeing once nothing breaks any more: a log that asks for what it misses is
/// answered in a while. And how long they may take in all.
const STANDSTILL_MAX: Duration = Duration::from_secs(400);
const AGREEMENT_MAX: Duration = Duration::from_secs(3_600);
/// Room that a second of the simulation may take.
const BYTES_A_SECOND: u64 = 1 << 20;

#[test]
fn depots_that_are_cut_off_again_and_again_agree_in_the_end() {
    const TEST: &str = "depots_that_are_cut_off_again_and_again_agree_in_the_end";
    let Some(nats) = NatsServer::start(TEST) else {
        return;
    };
    let usual = if skip::everything() {
        LONG_S
    } else {
        EVERY_DAY_S
    };
    let seconds = skip::how_many("RAILFLEET_FEDERATION_SECONDS", usual);
    let seed = skip::how_many("RAILFLEET_FEDERATION_SEED", 1);
    say(&format!(
        "the simulation of federation begins: {seconds} s, seed {seed}"
    ));
    warn_of_little_room(seconds);

    let mut world = World {
        parrot: Parrot::new(&nats.address()),
        depots: NAMES.map(|name| Depot::new(name, nats.port())),
        nats,
        chance: Seeded::new(seed),
        broken: BTreeMap::new(),
        repeated: 0,
    };
    let stop = AtomicBool::new(false);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let done: Vec<Done> = std::thread::scope(|scope| {
        // Whatever fails here must not leave the workers waiting.
        let _stopping = StopAtEnd(&stop);
        let mut workers = Vec::new();
        for (place, depot) in (1..).zip(&world.depots) {
            let (token, door) = (depot.token.clone(), depot.door.clone());
            let worker = Worker::new(depot.name, token, door, seed.wrapping_mul(1_000) + place);
            let stop = &stop;
            workers.push(scope.spawn(move || worker.work(stop)));
        }
        while Instant::now() < deadline && !workers.iter().any(|worker| worker.is_finished()) {
            world.break_something();
        }
        stop.store(true, Ordering::Relaxed);
        let ended = workers.into_iter().map(|worker| worker.join());
        ended.map(|done| done.expect("no worker failed")).collect()
    });
    let began = Instant::now();
    world.await_agreement();
    let agreed_after = began.elapsed();
    world.check(&done);
    say(&world.report(&done, agreed_after));
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct World {
    nats: NatsServer,
    parrot: Parrot,
    depots: [Depot; 3],
    chance: Seeded,
    /// What broke, and how often.
    broken: BTreeMap<&'static str, u64>,
    repeated: u64,
}

impl World {
    /// Breaks something, mends it after a while, and lets all be well for a while. All is whole on return.
    fn break_something(&mut self) {
        let long = Duration::from_millis(100 + self.chance.below(4_000));
        let at = self.chance.place(3);
        let other = (at + 1 + self.chance.place(2)) % 3;
        let what = match self.chance.below(12) {
            0 | 1 => {
                self.depots[at].cable.cut();
                std::thread::sleep(long);
                self.depots[at].cable.mend();
                "network of a depot cut"
            }
            2 => {
                self.depots[at].cable.silence();
                std::thread::sleep(long);
                self.depots[at].cable.mend();
                "network of a depot silent"
            }
            3 => {
                for place in [at, other] {
                    self.depots[place].cable.cut();
                }
                std::thread::sleep(long);
                for place in [at, other] {
                    self.depots[place].cable.mend();
                }
                "network of two depots cut"
            }
            4 | 5 => {
                self.nats.kill();
                std::thread::sleep(long);
                self.nats.restart();
                "broker killed"
            }
            6 => {
                self.nats.wipe();
                std::thread::sleep(long);
                self.nats.restart();
                "broker wiped"
            }
            7 => {
                self.nats.signal(Signal::STOP);
                std::thread::sleep(long);
                self.nats.signal(Signal::CONT);
                "broker paused"
            }
            8 | 9 => {
                self.depots[at].kill();
                std::thread::sleep(long / 2);
                self.depots[at].start();
                "depot killed"
            }
            10 => {
                self.depots[at].signal(Signal::STOP);
                std::thread::sleep(long);
                self.depots[at].signal(Signal::CONT);
                "depot paused"
            }
            _ if self.chance.below(4) == 0 => {
                if self.depots[at].resync() {
                    "all asked to publish anew"
                } else {
                    "all to be asked to publish anew, without a broker"
                }
            }
            _ => {
                self.repeated += self
                    .parrot
                    .repeat(1 + long.subsec_millis() as u64 % 50, &mut self.chance);
                "messages repeated in another order"
            }
        };
        *self.broken.entry(what).or_default() += 1;
        std::thread::sleep(Duration::from_millis(self.chance.below(2_500)));
        self.depots.iter_mut().for_each(Depot::must_run);
    }

    /// Waits until all depots have the same events.
    fn await_agreement(&mut self) {
        let began = Instant::now();
        let (mut counts, mut changed) = ([0; 3], began);
        loop {
            self.depots.iter_mut().for_each(Depot::must_run);
            let [one, two, three] = self.depots.each_mut().map(|depot| depot.ids());
            if one == two && two == three {
                return;
            }
            let now = self.depots.each_ref().map(Depot::count);
            if now != counts {
                (counts, changed) = (now, Instant::now());
            }
            if changed.elapsed() > STANDSTILL_MAX || began.elapsed() > AGREEMENT_MAX {
                let text = self.disagreement();
                let (all, still) = (began.elapsed(), changed.elapsed());
                panic!("they do not agree after {all:.0?}, {still:.0?} of it a standstill: {text}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn disagreement(&mut self) -> String {
        let mut text = String::new();
        let mut all = BTreeSet::new();
        for depot in &mut self.depots {
            all.extend(depot.ids().iter().copied());
        }
        for depot in &mut self.depots {
            let missing = all.difference(depot.ids()).count();
            let (name, standing, said) = (depot.name, depot.standing(), depot.last_words());
            let _ = writeln!(text, "{name} misses {missing}: {standing}\n{said}");
        }
        text
    }

    /// The same states everywhere, nothing lost, and every log whole.
    fn check(&mut self, done: &[Done]) {
        let first = &self.depots[0];
        let states = first.states();
        for other in &self.depots[1..] {
            let others = other.states();
            for (stream, state) in &states {
                if others.get(stream) != Some(state) {
                    let (here, there) = (first.state(stream), other.state(stream));
                    panic!(
                        "{stream:?} is {here} at {}, and {there} at {}",
                        first.name, other.name
                    );
                }
            }
            let more = others.len().saturating_sub(states.len());
            assert_eq!(more, 0, "{} has more streams", other.name);
        }
        let mut acknowledged = Vec::new();
        for (depot, done) in self.depots.iter().zip(done) {
            let last = done.positions.iter().copied().max().unwrap_or(0);
            let length = depot.length();
            assert!(
                last <= length,
                "{} ends at {length}, {last} was acknowledged",
                depot.name
            );
            acknowledged.extend(done.ids.iter().map(|id| id.to_string()));
        }
        assert!(!acknowledged.is_empty(), "nothing was acknowledged");
        for depot in &mut self.depots {
            depot.stop();
            depot.verify(&acknowledged);
        }
    }

    fn report(&mut self, done: &[Done], agreed_after: Duration) -> String {
        let events = self.depots[0].length();
        let ids: usize = done.iter().map(|done| done.ids.len()).sum();
        let commands: usize = done.iter().map(|done| done.positions.len()).sum();
        let unanswered: u64 = done.iter().map(|done| done.unanswered).sum();
        let mut refused = BTreeMap::new();
        for (status, count) in done.iter().flat_map(|done| &done.refused) {
            *refused.entry(*status).or_insert(0) += count;
        }
        let rounds: u64 = self.broken.values().sum();
        let mut text = format!(
            "the simulation of federation: {rounds} things broke, all agree on {events} events {agreed_after:.1?} after the \
             last; {ids} events and {commands} commands acknowledged, refused {refused:?}, {unanswered} requests sent again, \
             {} messages repeated",
            self.repeated
        );
        for (what, count) in &self.broken {
            let _ = write!(text, "\n  {count:5} × {what}");
        }
        text
    }
}

/// Says so where the folder for temporary files may become full before the end.
fn warn_of_little_room(seconds: u64) {
    let Ok(disk) = rustix::fs::statvfs(std::env::temp_dir()) else {
        return;
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let wanted = seconds.saturating_mul(BYTES_A_SECOND);
    if free < wanted {
        let (free, wanted) = (free >> 20, wanted >> 20);
        say(&format!(
            "the folder for temporary files has {free} MiB left, and up to {wanted} may be needed: name another by TMPDIR"
        ));
    }
}

/// Says it past the runner's capture: a seed is of use only where it is seen.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
