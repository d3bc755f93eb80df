//! To which depot each vehicle belongs, as far as this log has heard: [`fleet::vehicle::home`] for all vehicles, kept up to
//! the log's end by whoever asks.

use std::sync::{Mutex, PoisonError};

use fleet::Origin;
use fleet::vehicle::AGGREGATE_TYPE;
use fleet::vehicle::home::{Claims, HOME_EVENTS, Home, Recorded};
use hashbrown::HashMap;
use storage::{EventRef, Log, Position, Query, QueryItem, ReadError, ReadRequest};
use uuid::Uuid;

/// See the module.
#[derive(Debug, Default)]
pub struct Homes(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The events up to here are taken in.
    up_to: Position,
    vehicles: HashMap<Box<str>, Claims>,
}

impl Homes {
    /// To whom a vehicle belongs; `None` where nobody recorded that it exists. Touches the disk.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn home(&self, log: &Log, asset_id: &str) -> Result<Option<Home>, ReadError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.follow(log)?;
        Ok(known.vehicles.get(asset_id).and_then(Claims::home))
    }

    /// The vehicles that more than one depot claims, and those that wait for this one to take them over, by their asset
    /// ids. Touches the disk.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn unsettled(&self, log: &Log) -> Result<Unsettled, ReadError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.follow(log)?;
        let mut unsettled = Unsettled::default();
        for (asset_id, claims) in &known.vehicles {
            let Some(home) = claims.home() else { continue };
            if !home.passed_over.is_empty() {
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
    /// More than one depot claims these.
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
        let mut reader = log.read(&ReadRequest {
            query: Query::from(item),
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
        let data = serde_json::from_slice(event.data()).unwrap_or_default();
        let vehicle = self
            .vehicles
            .entry(event.stream().aggregate_id.into())
            .or_default();
        vehicle.take_in(recorded, event.event_type(), &data);
        // A read that breaks off takes in nothing twice.
        self.up_to = event.position();
    }
}
