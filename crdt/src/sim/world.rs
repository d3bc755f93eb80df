//! The world of one run: what can happen, and what everyone really knows.

mod happens;

use super::check::Truth;
use super::host::LogHost;
use super::{Random, random_change};
use crate::clock::LogPosition;
use crate::collapsed::Handle;
use crate::entity::EntityTable;
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use crate::sync::{
    Cursor, Depot, EntityRef, Frame, Host as _, Page, PullRequest, PushAnswer, PushError,
    PushRequest, Record, Tablet, Verdict,
};
use crate::wire::{from_bytes, to_bytes};
use std::collections::BTreeMap;

use super::tests::crdt_tables::TABLES;

/// What a run failed with.
pub(super) type Failure = String;

/// Up to which head each entity was received; an absent one never.
type Received = BTreeMap<Handle, LogPosition>;

/// A tablet with its store and its circumstances.
#[derive(Clone)]
pub(super) struct Device {
    pub(super) tablet: Tablet,
    /// What survives a crash.
    disk: Tablet,
    /// An older copy of the store, and what that one had received.
    backup: (Tablet, Received),
    /// Device time minus true time, in milliseconds.
    skew_ms: i64,
    /// Grows with every crash: an answer to an earlier life finds nobody.
    life: u32,
    /// The verdicts it heard: by operation identity.
    pub(super) heard: BTreeMap<u32, Verdict>,
    /// What the store really received.
    pub(super) received: Received,
    online: bool,
}

/// A message on its way. Answers go to the life of the tablet that asked.
#[derive(Clone)]
enum Message {
    Push {
        device: DeviceId,
        life: u32,
        bytes: Vec<u8>,
        served: LogPosition,
    },
    Answer {
        device: DeviceId,
        life: u32,
        answer: Result<Vec<u8>, PushError>,
    },
    Pull {
        device: DeviceId,
        life: u32,
        cursor: Cursor,
        entities_max: usize,
    },
    Page {
        life: u32,
        bytes: Vec<u8>,
    },
}

/// Everything there is.
pub(super) struct World {
    random: Random,
    pub(super) log: Vec<Record>,
    pub(super) depot: Depot,
    pub(super) devices: Vec<Device>,
    network: Vec<(usize, Message)>,
    pub(super) now_ms: u64,
    pub(super) truth: Truth,
    /// Whether devices also register anew of their own accord: a token ended, or somebody set up a copied store.
    registers_anew: bool,
}

impl World {
    pub(super) fn new(seed: u64, registers_anew: bool) -> Self {
        let mut random = Random::new(seed);
        let mut world = Self {
            depot: Depot::new(&TABLES, 1 + random.index(8)),
            log: Vec::new(),
            devices: Vec::new(),
            network: Vec::new(),
            now_ms: 1_790_000_000_000,
            truth: Truth::default(),
            random,
            registers_anew,
        };
        for number in 0..2 + world.random.below(3) {
            let table = TABLES[world.random.index(TABLES.len())].number;
            let record = world
                .depot
                .create(table, format!("E{number}").as_bytes(), world.now_ms);
            world.append(record.ok());
        }
        for _ in 0..2 + world.random.below(3) {
            world.add_device();
        }
        world
    }

    fn add_device(&mut self) {
        let tablet = Tablet::new(self.register(), &TABLES);
        let skew_ms = match self.random.below(4) {
            0 => 0,
            1 => 3_600_000,
            2 => -86_400_000 * 3,
            _ => 400_000_000_000,
        };
        self.devices.push(Device {
            disk: tablet.clone(),
            backup: (tablet.clone(), Received::new()),
            tablet,
            skew_ms,
            life: 0,
            heard: BTreeMap::new(),
            received: Received::new(),
            online: true,
        });
    }

    fn register(&mut self) -> DeviceId {
        let (device, record) = self
            .depot
            .register(self.now_ms)
            .expect("registration touches no entity");
        self.append(Some(record));
        device
    }

    fn append(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.log.push(record);
            let position = LogPosition::new(self.log.len() as u64);
            self.truth
                .note(position, self.log.last().expect("just pushed"), &self.depot);
        }
    }

    /// One thing happens.
    pub(super) fn step(&mut self) -> Result<(), Failure> {
        self.now_ms += self.random.below(4000);
        let device = self.random.index(self.devices.len());
        match self.random.below(100) {
            0..30 => self.edit(device)?,
            30..45 => self.send_push(device),
            45..60 => self.send_pull(device),
            60..82 => self.deliver()?,
            82..85 => self.crash(device),
            85..87 => self.restart_server()?,
            87..90 => self.compact()?,
            90..92 => self.expire(device)?,
            92..94 => self.server_write()?,
            94 => self.delete()?,
            95 => {
                self.devices[device].skew_ms += if self.random.chance(50) {
                    7_200_000
                } else {
                    -7_200_000
                }
            }
            96 => self.devices[device].online = !self.devices[device].online,
            97 => self.copy_store(device),
            98 => {
                let device = &mut self.devices[device];
                device.backup = (device.disk.clone(), device.received.clone());
            }
            _ if self.registers_anew && self.random.chance(70) => self.register_anew(device),
            _ => self.measure_offset(device),
        }
        Ok(())
    }

    fn edit(&mut self, index: usize) -> Result<(), Failure> {
        let identity = self.truth.next_identity();
        let device = &mut self.devices[index];
        let now_ms = self.now_ms.saturating_add_signed(device.skew_ms);
        if self.random.chance(4) {
            let id = format!("N{}", self.random.below(4));
            let table = TABLES[self.random.index(TABLES.len())].number;
            device
                .tablet
                .create(table, id.as_bytes(), identity, now_ms)
                .map_err(|error| error.to_string())?;
            self.truth.made(identity, self.now_ms);
        } else {
            let Some((entity, table)) = pick_entity(&mut self.random, &device.tablet) else {
                return Ok(());
            };
            // A few fields of few entities get most of the writes, so that writers meet.
            let few = if self.random.chance(50) {
                2
            } else {
                table.fields.len()
            };
            let row = &table.fields[self.random.index(few)];
            let epoch = device.tablet.epoch(entity, row.number);
            let change = random_change(&mut self.random, row, epoch);
            if let EntityRef::Known(handle) = entity {
                self.truth.check_claim(device, handle, &self.log)?;
            }
            device
                .tablet
                .change(entity, row.number, change, identity, now_ms)
                .map_err(|error| error.to_string())?;
            self.truth.made(identity, self.now_ms);
        }
        if self.random.chance(3) {
            // The device dies before its store has the operation: it was never made.
            self.crash(index);
            self.truth.unmade(identity);
        } else {
            self.devices[index].disk = self.devices[index].tablet.clone();
        }
        Ok(())
    }

    fn send_push(&mut self, index: usize) {
        let device = &self.devices[index];
        let size = 1 + self.random.index(6);
        let first = device.tablet.frame(size);
        // Half of the time the rest follows at once, in a frame of its own that may arrive first.
        let second = if self.random.chance(50) {
            device.tablet.frame_after(size, size)
        } else {
            None
        };
        let frames = first.into_iter().chain(second);
        let messages: Vec<_> = frames.map(|frame| push_message(device, &frame)).collect();
        for message in messages {
            self.send(index, message);
        }
    }

    fn send_pull(&mut self, index: usize) {
        let entities_max = 1 + self.random.index(4);
        let message = pull_message(&self.devices[index], entities_max);
        self.send(index, message);
    }

    fn send(&mut self, index: usize, message: Message) {
        if !self.devices[index].online || self.random.chance(12) {
            return;
        }
        if self.random.chance(12) {
            self.network.push((index, message.clone()));
        }
        self.network.push((index, message));
    }

    /// One message of those on their way arrives, any of them.
    fn deliver(&mut self) -> Result<(), Failure> {
        if self.network.is_empty() {
            return Ok(());
        }
        let at = self.random.index(self.network.len());
        let (index, message) = self.network.swap_remove(at);
        if let Some(reply) = self.arrive(index, message)? {
            self.send(index, reply);
        }
        Ok(())
    }

    fn arrive(&mut self, index: usize, message: Message) -> Result<Option<Message>, Failure> {
        let life = self.devices[index].life;
        match message {
            Message::Push {
                device,
                life,
                bytes,
                served,
            } => {
                let request = PushRequest {
                    device,
                    served,
                    now_ms: self.now_ms,
                };
                // As a server does it that appends before it folds: judged, taken back, judged again.
                let judged = self
                    .log
                    .len()
                    .is_multiple_of(3)
                    .then(|| self.depot.judge_push(&bytes, &request, &LogHost(&self.log)));
                let pushed = self.depot.push(&bytes, &request, &LogHost(&self.log));
                if judged.is_some_and(|judged| judged != pushed) {
                    return Err("a push that was judged and taken back left a trace".to_owned());
                }
                if self.random.chance(4) {
                    // The server dies before the records are durable, and before it answers.
                    self.restart_server()?;
                    return Ok(None);
                }
                let answer = match pushed {
                    Ok((records, answer)) => {
                        self.append(records);
                        Ok(to_bytes(&answer))
                    }
                    Err(error) => Err(error),
                };
                Ok(Some(Message::Answer {
                    device,
                    life,
                    answer,
                }))
            }
            Message::Answer {
                device,
                life: of_life,
                answer,
            } => {
                if of_life == life && device == self.devices[index].tablet.device() {
                    self.hear(index, answer)?;
                }
                Ok(None)
            }
            Message::Pull {
                device,
                life,
                cursor,
                entities_max,
            } => {
                let request = PullRequest {
                    device,
                    cursor,
                    head_ms: LogHost(&self.log).time_of(self.depot.head()),
                    entities_max,
                    with_digest: true,
                };
                let page = self
                    .depot
                    .pull(&request, &|_| true)
                    .map_err(|error| error.to_string())?;
                let bytes = page.encode(&self.depot);
                Ok(Some(Message::Page { life, bytes }))
            }
            Message::Page {
                life: of_life,
                bytes,
            } => {
                if of_life == life {
                    self.take_page(index, &bytes)?;
                }
                Ok(None)
            }
        }
    }

    fn hear(&mut self, index: usize, answer: Result<Vec<u8>, PushError>) -> Result<(), Failure> {
        match answer {
            Ok(bytes) => {
                let answer: PushAnswer = from_bytes(&bytes).map_err(|error| error.to_string())?;
                let device = &mut self.devices[index];
                for (operation, verdict) in device.tablet.answer(&answer) {
                    device.heard.entry(operation.user).or_insert(verdict);
                }
            }
            Err(PushError::Gap { .. }) => {}
            Err(PushError::Cloned { agreed, created }) => {
                let device = self.register();
                self.truth.excuse(&self.devices[index].tablet, agreed);
                let refused = self.devices[index].tablet.reborn(device, agreed, &created);
                self.truth.refused(&refused);
            }
            Err(error) => return Err(format!("an honest frame was refused: {error:?}")),
        }
        self.devices[index].disk = self.devices[index].tablet.clone();
        Ok(())
    }

    fn take_page(&mut self, index: usize, bytes: &[u8]) -> Result<(), Failure> {
        let device = &mut self.devices[index];
        // A page may name an entity that only a page before it, lost since, would have introduced.
        let Ok(page) = Page::decode(bytes, &device.tablet) else {
            return Ok(());
        };
        if page.from != device.tablet.cursor() {
            return Ok(());
        }
        if !holds(Rule::CursorWithPage) && self.random.chance(10) {
            device.tablet.advance(page.upto, page.head, page.head_ms);
            device.disk = device.tablet.clone();
            self.crash(index);
            return Ok(());
        }
        device.tablet.page(&page);
        let sent = page
            .entities
            .iter()
            .map(|(handle, _)| *handle)
            .chain(page.created.iter().map(|(handle, _, _)| *handle));
        for handle in sent {
            device.received.insert(handle, page.head);
        }
        if let Some(digest) = page.digest
            && digest != device.tablet.digest()
        {
            return Err(format!(
                "C7 digest of device {index} differs at head {}",
                page.head
            ));
        }
        device.disk = device.tablet.clone();
        Ok(())
    }

    /// The network heals: everyone pushes and pulls until nothing waits. Liveness is that this ends.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        self.network.clear();
        for _ in 0..40 {
            let mut quiet = true;
            for index in 0..self.devices.len() {
                self.devices[index].life += 1;
                self.now_ms += 10;
                if let Some(frame) = self.devices[index].tablet.frame(100) {
                    quiet = false;
                    let message = push_message(&self.devices[index], &frame);
                    self.exchange(index, message)?;
                }
                let tablet = &self.devices[index].tablet;
                if tablet.cursor() != Cursor::at(self.depot.head()) {
                    quiet = false;
                    let message = pull_message(&self.devices[index], 3);
                    self.exchange(index, message)?;
                }
            }
            if quiet {
                return Ok(());
            }
        }
        let waiting: Vec<_> = self
            .devices
            .iter()
            .map(|device| device.tablet.unjudged())
            .collect();
        Err(format!(
            "P-liveness: still waiting after 40 rounds: {waiting:?}"
        ))
    }

    fn exchange(&mut self, index: usize, message: Message) -> Result<(), Failure> {
        if let Some(reply) = self.arrive(index, message)? {
            self.arrive(index, reply)?;
        }
        Ok(())
    }

    /// A depot folded from the log alone.
    pub(super) fn rebuilt(&self) -> Result<Depot, Failure> {
        let mut rebuilt = Depot::new(&TABLES, 2);
        for record in &self.log {
            rebuilt
                .replay(record)
                .map_err(|error| format!("C6 {error}"))?;
        }
        Ok(rebuilt)
    }
}

fn push_message(device: &Device, frame: &Frame) -> Message {
    let tablet = &device.tablet;
    Message::Push {
        device: tablet.device(),
        life: device.life,
        bytes: frame.encode(&tablet.basis(), tablet),
        served: tablet.cursor().complete,
    }
}

fn pull_message(device: &Device, entities_max: usize) -> Message {
    let tablet = &device.tablet;
    Message::Pull {
        device: tablet.device(),
        life: device.life,
        cursor: tablet.cursor(),
        entities_max,
    }
}

fn pick_entity(random: &mut Random, tablet: &Tablet) -> Option<(EntityRef, &'static EntityTable)> {
    let known: Vec<_> = tablet
        .entities()
        .map(|(handle, table, _)| (EntityRef::Known(handle), table))
        .collect();
    let fresh: Vec<_> = tablet.unresolved().collect();
    let all: Vec<_> = known.into_iter().chain(fresh).collect();
    let few = if random.chance(50) { 1 } else { all.len() };
    all.get(random.index(few)).copied()
}
