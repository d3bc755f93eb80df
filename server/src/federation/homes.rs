//! To which depot each vehicle belongs, as far as this log has heard: [`fleet::vehicle::home`] for all vehicles, kept up to
//! the log's end by whoever asks; and which depots an administrator here has said are gone.

mod saved;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fleet::Origin;
use fleet::depot;
use fleet::depot::event::{DEPOT_CAME_BACK, DEPOT_DECLARED_GONE};
use fleet::vehicle::AGGREGATE_TYPE;
use fleet::vehicle::home::{Claims, HOME_EVENTS, Home, Recorded, Told};
use hashbrown::HashMap;
use serde_json::{Map, Value};
use storage::{EventRef, Log, Position, Query, QueryItem, ReadError, ReadRequest, Timestamp};
use uuid::Uuid;

/// See the module.
#[derive(Debug, Default)]
pub struct Homes {
    known: Mutex<Known>,
    /// Where it is saved; `None`: nowhere.
    folder: Option<PathBuf>,
    /// Up to where it was last saved.
    saved: Mutex<Position>,
}

#[derive(Debug, Default)]
struct Known {
    /// The events up to here are taken in.
    up_to: Position,
    vehicles: HashMap<Box<str>, Claims>,
    gone: BTreeMap<Uuid, Gone>,
}

/// A depot that an administrator here has said is gone for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// When, in microseconds since 1970.
    pub since: i64,
    /// Why.
    pub reason: String,
}

impl Homes {
    /// Goes on from what was saved in this folder, as far as that is of this log.
    pub fn open(folder: &Path, log: &Log) -> Homes {
        let known = saved::load(folder, log).unwrap_or_else(|error| {
            tracing::warn!(%error, "the saved table of vehicles' homes is passed over, the log is read for it");
            None
        });
        let known = known.unwrap_or_default();
        Homes {
            saved: Mutex::new(known.up_to),
            known: Mutex::new(known),
            folder: Some(folder.to_owned()),
        }
    }

    /// Takes in what the log has, and saves what came of it. Blocks. What cannot be read or saved is tried again.
    pub fn keep(&self, log: &Log) {
        let Some(folder) = &self.folder else { return };
        let mut known = self.lock();
        if let Err(error) = known.follow(log) {
            tracing::warn!(%error, "the homes of vehicles cannot follow the log");
        }
        let mut saved_up_to = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if known.up_to <= *saved_up_to {
            return;
        }
        match saved::save(folder, log, &known) {
            Ok(()) => *saved_up_to = known.up_to,
            Err(error) => tracing::warn!(%error, "the homes of vehicles were not saved"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The depots that an administrator has said are gone, by their logs. Touches the disk.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn gone(&self, log: &Log) -> Result<BTreeMap<Uuid, Gone>, ReadError> {
        let mut known = self.lock();
        known.follow(log)?;
        Ok(known.gone.clone())
    }

    /// To whom a vehicle belongs; `None` where nobody recorded that it exists. Touches the disk.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn home(&self, log: &Log, asset_id: &str) -> Result<Option<Home>, ReadError> {
        let mut known = self.lock();
        known.follow(log)?;
        Ok(known.vehicles.get(asset_id).and_then(Claims::home))
    }

    /// The vehicles that more than one depot claims, and those that wait for this one to take them over, by their asset
    /// ids. `present` tells when a depot last said that it is there. Touches the disk.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn unsettled(
        &self,
        log: &Log,
        present: impl Fn(Uuid) -> Option<Timestamp>,
    ) -> Result<Unsettled, ReadError> {
        let mut known = self.lock();
        known.follow(log)?;
        let mut unsettled = Unsettled::default();
        for (asset_id, claims) in &known.vehicles {
            let Some(home) = claims.home() else { continue };
            // One that was gone and is back may go on deciding until it has heard, and people there do not know at all.
            let has_come_back = home.was_of_gone.is_some_and(|former| {
                former.log == log.log_id()
                    || present(former.log).is_some_and(|at| at.micros() > home.claim.at)
            });
            if has_come_back || !home.passed_over.is_empty() {
                unsettled.contested.push(asset_id.to_string());
            }
            if home.on_its_way.is_some_and(|(to, _)| to == log.log_id()) {
                unsettled.awaited.push(asset_id.to_string());
            }
        }
        unsettled.contested.sort_unstable();
        unsettled.awaited.sort_unstable();
        Ok(unsettled)
    }
}

/// Vehicles about which somebody has to do something.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// More than one depot claims these, or one that was said to be gone is back.
    pub contested: Vec<String>,
    /// These were handed over to this depot, which has not taken them over.
    pub awaited: Vec<String>,
}

impl Known {
    fn follow(&mut self, log: &Log) -> Result<(), ReadError> {
        let to = log.durable_position();
        if self.up_to >= to {
            return Ok(());
        }
        let item = QueryItem {
            aggregate_types: vec![AGGREGATE_TYPE.into()],
            event_types: HOME_EVENTS
                .into_iter()
                .flat_map(fleet::alias::spellings)
                .map(Into::into)
                .collect(),
            ..QueryItem::default()
        };
        let decided = QueryItem {
            aggregate_types: vec![depot::AGGREGATE_TYPE.into()],
            event_types: [DEPOT_DECLARED_GONE, DEPOT_CAME_BACK]
                .map(Into::into)
                .into(),
            ..QueryItem::default()
        };
        let mut reader = log.read(&ReadRequest {
            query: Query {
                items: vec![item, decided],
            },
            from: self.up_to.next(),
            to,
            ..ReadRequest::default()
        })?;
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => self.take_in(log.log_id(), &event),
                // What is damaged says nothing; `verify` and /health name it.
                Err(ReadError::Damaged { last, .. }) => self.up_to = last,
                Err(error) => return Err(error),
            }
        }
        self.up_to = to;
        Ok(())
    }

    fn take_in(&mut self, own: Uuid, event: &EventRef<'_>) {
        let origin = Origin::of(event.tags());
        let recorded = Recorded {
            at: origin.map_or(event.recorded_at().micros(), |origin| origin.recorded_at),
            id: event.id(),
            log: origin.map_or(own, |origin| Uuid::from_u128(origin.log)),
        };
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        let stream = event.stream();
        if stream.aggregate_type == depot::AGGREGATE_TYPE {
            self.take_in_decision(event, &data);
        } else if let Some(told) = Told::read(event.event_type(), &data) {
            let vehicle = self.vehicles.entry(stream.aggregate_id.into());
            vehicle.or_default().take_in(recorded, told);
        }
        // A read that breaks off takes in nothing twice.
        self.up_to = event.position();
    }

    fn take_in_decision(&mut self, event: &EventRef<'_>, data: &Map<String, Value>) {
        let Ok(other) = event.stream().aggregate_id.parse() else {
            return;
        };
        if event.event_type() == DEPOT_CAME_BACK {
            self.gone.remove(&other);
            return;
        }
        let reason = data.get("reason").and_then(Value::as_str);
        let gone = Gone {
            since: event.recorded_at().micros(),
            reason: reason.unwrap_or_default().to_owned(),
        };
        self.gone.insert(other, gone);
    }
}
