//! Depots that take part, with a real broker between them.

mod accounts;
mod faults;
mod pace;
mod trust;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fleet::{EventView, Origin, order};
use futures_util::StreamExt;
use harness::nats::NatsServer;
use storage::{
    ExpectedVersion, Limits, LogOptions, NewEvent, OpenError, ReadRequest, StreamName, SystemClock,
    Timestamp, Transaction,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::broker::Session;
use crate::sheet::Key;

/// How long anything may take here, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// A depot: a log in a folder, and its loops.
struct Depot {
    name: &'static str,
    folder: TempDir,
    log: Option<Arc<Log>>,
    running: Option<Running>,
    kept_for: Duration,
    key: Key,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

struct Running {
    member: Member,
    stopping: watch::Sender<bool>,
    loops: Vec<JoinHandle<()>>,
}

static SENT: AtomicU64 = AtomicU64::new(0);

impl Depot {
    fn new(name: &'static str) -> Depot {
        Depot::with_clock(name, Arc::new(SystemClock))
    }

    fn with_clock(name: &'static str, clock: Arc<dyn Clock>) -> Depot {
        let folder = tempfile::tempdir().unwrap();
        let mut depot = Depot {
            name,
            folder,
            log: None,
            running: None,
            kept_for: Duration::ZERO,
            key: Key::new(&[u8::try_from(name.len()).unwrap_or(1); 32]),
            limits: Limits::default(),
            clock,
        };
        depot.open();
        depot
    }

    fn open(&mut self) {
        let folder = self.folder.path().join("log");
        // A process that another test is starting holds the lock with us until it runs its program.
        let mut opened = None;
        wait_until("opening the log", || {
            let options = LogOptions {
                limits: self.limits,
                clock: self.clock.clone(),
                ..LogOptions::default()
            };
            opened = match Log::open(&folder, options) {
                Err(OpenError::Locked { .. }) => None,
                other => Some(other.unwrap()),
            };
            opened.is_some()
        });
        self.log = opened.map(Arc::new);
    }

    fn log(&self) -> &Arc<Log> {
        self.log.as_ref().unwrap()
    }

    fn join(&mut self, runtime: &Runtime, address: &str) {
        self.join_for(runtime, address, &[]);
    }

    fn join_for(&mut self, runtime: &Runtime, address: &str, types: &[&str]) {
        self.join_with(runtime, broker(address, self.kept_for), types);
    }

    fn join_with(&mut self, runtime: &Runtime, broker: Broker, types: &[&str]) {
        let settings = Settings {
            name: self.name.to_owned(),
            broker,
            aggregate_types: types.iter().map(|one| (*one).to_owned()).collect(),
            folder: self.folder.path().join("federation"),
            key: self.key.clone(),
            quarantined: Vec::new(),
        };
        let log = self.log().clone();
        let (publish, durable) = watch::channel(log.durable_position());
        log.on_durable(move |position| {
            publish.send_replace(position);
        });
        let member = Member::new(log, self.clock.clone(), settings).unwrap();
        let stopping = watch::Sender::new(false);
        let (publisher, receiver) = (member.clone(), member.clone());
        let (stop, stop_too) = (stopping.subscribe(), stopping.subscribe());
        let loops = vec![
            runtime.spawn(async move { publisher.publish(durable, stop).await }),
            runtime.spawn(async move { receiver.receive(stop_too).await }),
        ];
        self.running = Some(Running {
            member,
            stopping,
            loops,
        });
    }

    fn leave(&mut self, runtime: &Runtime) {
        let running = self.running.take().unwrap();
        running.stopping.send_replace(true);
        for task in running.loops {
            runtime.block_on(task).unwrap();
        }
    }

    /// Ends and begins again, as a server does.
    fn restart(&mut self, runtime: &Runtime, address: &str) {
        self.leave(runtime);
        let log = self.log.take().unwrap();
        // What was being read or appended when the loops ended goes on to its end.
        wait_until("letting go of the log", || Arc::strong_count(&log) == 1);
        drop(log);
        self.open();
        self.join(runtime, address);
    }

    fn standing(&self) -> Standing {
        self.running.as_ref().unwrap().member.standing()
    }

    /// Something that happened to a vehicle, at a microsecond that others use, too.
    fn happen(&self, vehicle: &str, field: &str) {
        let number = SENT.fetch_add(1, Ordering::Relaxed);
        let data = format!("{{\"{field}\":\"{} {number}\"}}", self.name);
        let mut event = NewEvent::new("VehicleNoteTaken", data);
        event.id = Some(Uuid::from_u128(
            u128::from(number) << 64 | u128::from(number),
        ));
        event.occurred_at = Some(Timestamp::from_micros(1_000_000 + number as i64 / 8));
        let stream = StreamName::new("Vehicle", vehicle);
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        self.log().append(transaction).unwrap();
    }

    /// The ids in the log, each with how often it is there.
    fn ids(&self) -> BTreeMap<Uuid, usize> {
        let mut ids = BTreeMap::new();
        let mut reader = self.log().read(&ReadRequest::default()).unwrap();
        while let Some(event) = reader.next() {
            *ids.entry(event.unwrap().id()).or_default() += 1;
        }
        ids
    }

    /// The states of all streams, as folds make them.
    fn states(&self) -> BTreeMap<String, String> {
        let mut states: BTreeMap<String, fleet::fold::State> = BTreeMap::new();
        let mut reader = self.log().read(&ReadRequest::default()).unwrap();
        while let Some(event) = reader.next() {
            let event = event.unwrap();
            let data = serde_json::from_slice(event.data()).unwrap();
            let stream = event.stream();
            let view = EventView {
                aggregate_type: stream.aggregate_type,
                aggregate_id: stream.aggregate_id,
                event_type: event.event_type(),
                schema: event.schema(),
                version: event.version().get(),
                position: event.position().get(),
                occurred_at: event.occurred_at().micros(),
                recorded_at: event.recorded_at().micros(),
                order: order(
                    event.recorded_at().micros(),
                    event.id().as_u128(),
                    Origin::of(event.tags()),
                ),
                data: &data,
            };
            let state = states.remove(&stream.to_string()).unwrap_or_default();
            states.insert(stream.to_string(), fleet::fold::fold(state, &view));
        }
        let shown = |state: fleet::fold::State| serde_json::to_string(&state.to_object()).unwrap();
        states
            .into_iter()
            .map(|(name, state)| (name, shown(state)))
            .collect()
    }
}

fn broker(address: &str, kept_for: Duration) -> Broker {
    Broker {
        servers: vec![address.to_owned()],
        stream: "RAILFLEET".to_owned(),
        credentials: None,
        ca: None,
        replicas: 1,
        kept_for,
    }
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All depots have every event once, and the same states.
#[track_caller]
fn assert_agree(depots: &[&Depot], events: usize) {
    let began = Instant::now();
    while depots.iter().any(|depot| depot.ids().len() < events) {
        let standings: Vec<_> = depots.iter().map(|depot| depot.standing()).collect();
        assert!(began.elapsed() < PATIENCE, "no agreement: {standings:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (ids, states) = (depots[0].ids(), depots[0].states());
    assert_eq!(ids.len(), events);
    for depot in depots {
        assert_eq!(depot.ids(), ids, "{}", depot.name);
        assert!(ids.values().all(|count| *count == 1));
        assert_eq!(depot.states(), states, "{}", depot.name);
    }
}

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

fn nats() -> Option<NatsServer> {
    NatsServer::start("federation")
}

/// Two depots that take part.
fn joined(runtime: &Runtime, nats: &NatsServer) -> [Depot; 2] {
    ["Nord", "Süd"].map(|name| {
        let mut depot = Depot::new(name);
        depot.join(runtime, &nats.address());
        depot
    })
}

/// What the broker gives to somebody who is no depot.
fn session(runtime: &Runtime, nats: &NatsServer) -> Session {
    let broker = broker(&nats.address(), Duration::ZERO);
    runtime.block_on(broker.connect("nobody")).unwrap()
}

#[test]
fn depots_agree_whatever_the_order() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = ["Nord", "Süd", "West"].map(Depot::new);
    // Before they know of each other, with ties, then while they do.
    for round in 0..20 {
        for depot in &depots {
            depot.happen("1", "note");
            depot.happen(&format!("{round}"), depot.name);
        }
    }
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
    }
    for _ in 0..20 {
        for depot in &depots {
            depot.happen("1", "note");
        }
    }
    let [nord, south, west] = &depots;
    assert_agree(&[nord, south, west], 180);
    let foreign = |depot: &Depot| {
        let mut reader = depot.log().read(&ReadRequest::default()).unwrap();
        let mut count = 0;
        while let Some(event) = reader.next() {
            count += usize::from(Origin::of(event.unwrap().tags()).is_some());
        }
        count
    };
    assert_eq!(depots.each_ref().map(foreign), [120, 120, 120]);
    wait_until("hearing of each other", || {
        let standing = depots[0].standing();
        standing.depots.len() == 2
            && standing
                .depots
                .iter()
                .all(|other| other.received == other.published)
    });
    let mut names: Vec<_> = depots[0]
        .standing()
        .depots
        .into_iter()
        .map(|other| other.depot)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["Süd", "West"]);
}

#[test]
fn a_broker_that_is_killed_costs_nothing() {
    let Some(mut nats) = nats() else { return };
    let runtime = runtime();
    let depots = joined(&runtime, &nats);
    for round in 0..6 {
        for _ in 0..10 {
            depots[0].happen("1", "note");
            depots[1].happen("1", "note");
        }
        if round % 2 == 0 {
            nats.kill();
            depots[0].happen("2", "alone");
            nats.restart();
        }
    }
    let [nord, south] = &depots;
    assert_agree(&[nord, south], 123);
}

#[test]
fn a_broker_that_forgot_is_told_anew() {
    let Some(mut nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
        depot.happen("1", "note");
    }
    assert_agree(&[&depots[0], &depots[1]], 2);
    nats.wipe();
    depots[0].happen("1", "note");
    nats.restart();
    // A third one, which comes later, hears what the broker had lost.
    let mut third = Depot::new("West");
    third.join(&runtime, &nats.address());
    assert_agree(&[&depots[0], &depots[1], &third], 3);
}

#[test]
fn depots_that_end_and_begin_again_go_on_where_they_were() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = joined(&runtime, &nats);
    for _ in 0..5 {
        for _ in 0..10 {
            depots[0].happen("1", "note");
            depots[1].happen("2", "note");
        }
        depots[1].restart(&runtime, &nats.address());
        depots[0].restart(&runtime, &nats.address());
    }
    assert_agree(&[&depots[0], &depots[1]], 100);
    // What was acknowledged is not sent again, and what was published is not published again.
    depots[1].restart(&runtime, &nats.address());
    depots[0].happen("3", "last");
    assert_agree(&[&depots[0], &depots[1]], 101);
    let again: u64 = depots[1]
        .standing()
        .depots
        .iter()
        .map(|other| other.repeated)
        .sum();
    assert_eq!(again, 0, "events came again");
}

#[test]
fn a_copied_log_is_refused_and_explained() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut one = Depot::new("Nord");
    one.happen("1", "note");
    one.log = None;
    let mut copy = Depot::new("Nord, copied");
    copy.log = None;
    copy_folder(
        &one.folder.path().join("log"),
        &copy.folder.path().join("log"),
    );
    one.open();
    copy.open();
    one.join(&runtime, &nats.address());
    one.happen("1", "note");
    wait_until("publishing", || one.standing().published.get() == 2);
    copy.happen("1", "something else");
    copy.join(&runtime, &nats.address());
    wait_until("being refused", || {
        copy.standing()
            .publish_error
            .is_some_and(|error| error.contains("another server publishes as log"))
    });
    assert!(!copy.standing().publishes);
}

#[test]
fn what_is_not_wanted_is_not_taken() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut nord = Depot::new("Nord");
    let mut south = Depot::new("Süd");
    nord.join(&runtime, &nats.address());
    south.join_for(&runtime, &nats.address(), &["Vehicle"]);
    let stream = StreamName::new("Part ü.>*", "P-1");
    let event = NewEvent::new("PartSeen", "{}");
    let part = Transaction::single(stream, ExpectedVersion::Any, event);
    nord.log().append(part).unwrap();
    nord.happen("1", "note");
    wait_until("hearing", || south.ids().len() == 1);
    let standing = south.standing();
    assert_eq!((standing.depots[0].received, standing.receives), (2, true));
    assert_eq!(
        (standing.depots[0].appended, standing.depots[0].repeated),
        (1, 0)
    );
}

#[test]
fn a_broker_that_is_not_there_is_said_so() {
    let runtime = runtime();
    let mut depot = Depot::new("Nord");
    // Port 9 is nobody's.
    depot.join(&runtime, "nats://127.0.0.1:9");
    wait_until("an error", || {
        let standing = depot.standing();
        let said =
            |error: Option<String>| error.is_some_and(|error| error.contains("cannot be reached"));
        said(standing.publish_error) && said(standing.receive_error)
    });
    depot.happen("1", "note");
    assert_eq!(depot.ids().len(), 1, "the log goes on");
    depot.leave(&runtime);
}

fn copy_folder(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// What the broker lets go of before everybody has it is asked for.
#[test]
fn what_the_broker_let_go_of_comes_from_its_depot() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut nord = Depot::new("Nord");
    let mut south = Depot::new("Süd");
    // Whoever comes first makes the stream.
    for depot in [&mut nord, &mut south] {
        depot.kept_for = Duration::from_secs(1);
    }
    nord.join(&runtime, &nats.address());
    south.join(&runtime, &nats.address());
    nord.happen("1", "note");
    assert_agree(&[&nord, &south], 1);
    south.leave(&runtime);
    for _ in 0..3 {
        nord.happen("1", "note");
    }
    wait_until("publishing", || nord.standing().published.get() == 4);
    let broker = broker(&nats.address(), nord.kept_for);
    let session = runtime.block_on(broker.connect("nobody")).unwrap();
    wait_until("letting go", || {
        let info = runtime.block_on(session.stream.get_info()).unwrap();
        info.state.messages == 0
    });
    // The broker remembers ids for as long as events, and a little longer: what it thinks a repetition is asked for again.
    std::thread::sleep(Duration::from_secs(3));
    south.join(&runtime, &nats.address());
    wait_until("receiving", || south.standing().receives);
    assert_eq!(south.ids().len(), 1, "the broker had let go of them");
    nord.happen("1", "note");
    assert_agree(&[&nord, &south], 5);
}

/// That somebody was erased is told to all, whatever they want to hear of; what a server notes about itself is not.
#[test]
fn who_was_erased_is_told() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let (mut nord, mut south) = (Depot::new("Nord"), Depot::new("Süd"));
    nord.join(&runtime, &nats.address());
    south.join_for(&runtime, &nats.address(), &["Vehicle"]);
    let told = [
        ("Erasure", "Staff:7", "ErasureRequested"),
        ("Erasure", "Staff:7", "SubjectErased"),
        ("Erasure", "Contact:1f", "SubjectErased"),
        ("User", "anna", "UserCreated"),
        ("Vehicle", "1", "VehicleNoteTaken"),
    ];
    for (aggregate_type, id, event_type) in told {
        let event = NewEvent::new(event_type, "{}");
        let stream = StreamName::new(aggregate_type, id);
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        nord.log().append(transaction).unwrap();
    }
    wait_until("hearing", || south.ids().len() == 2);
    let mut reader = south.log().read(&ReadRequest::default()).unwrap();
    let first = reader.next().unwrap().unwrap();
    assert_eq!(
        (first.event_type(), first.stream().aggregate_id),
        ("SubjectErased", "Staff:7")
    );
}

/// A new depot begins with what another's backup holds, and hears the rest; nothing comes twice.
#[test]
fn a_new_depot_goes_on_from_anothers_log() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let [nord, south] = joined(&runtime, &nats);
    for _ in 0..10 {
        nord.happen("1", "note");
        south.happen("1", "note");
    }
    let account = Transaction::single(
        StreamName::new("User", "anna"),
        ExpectedVersion::Any,
        NewEvent::new("UserCreated", "{}"),
    );
    nord.log().append(account).unwrap();
    wait_until("agreeing", || {
        nord.ids().len() == 21 && south.ids().len() == 20
    });
    let mut west = Depot::new("West one");
    let folder = west.folder.path().join("federation");
    let adopted = adopt(nord.log(), west.log(), &folder).unwrap();
    let expected = Adopted {
        events: 20,
        left: 1,
        logs: 2,
    };
    assert_eq!(adopted, expected);
    assert!(matches!(
        adopt(nord.log(), west.log(), &folder),
        Err(AdoptError::NotEmpty { events: 20 })
    ));
    assert_eq!(west.states(), south.states());
    assert_ne!(west.log().log_id(), nord.log().log_id());
    west.join(&runtime, &nats.address());
    nord.happen("1", "note");
    west.happen("2", "note");
    wait_until("hearing", || south.ids().len() == 22);
    assert_agree(&[&south, &west], 22);
    let depots = west.standing().depots;
    let appended: u64 = depots.iter().map(|other| other.appended).sum();
    assert_eq!(appended, 1);
}
