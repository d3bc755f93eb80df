//! Tablets: who they are, what they push, what they are given.
//!
//! A person registers a device and gets a *device token* for it ([`devices`]): it opens the routes of sync and nothing
//! else, acts for that person, within a [`scope`], until it ends or is revoked. Everything here is folded from the log:
//! a restart forgets nothing.

pub mod budget;
mod carrier;
pub(crate) mod checkpoint;
mod conflict;
pub mod contact;
pub mod cursor;
pub mod devices;
pub mod engine;
mod heard;
pub mod items;
mod judge;
pub mod leases;
mod note;
pub mod parts;
mod planned;
mod policy;
pub mod pull;
pub mod push;
pub mod scope;
mod stock;
pub mod token;
pub mod upkeep;
mod visible;
mod wire;

pub(crate) use carrier::{DEVICE_PREFIX, is_of_log};

use std::path::Path;
use std::sync::Arc;

use storage::{Clock, Log, ReadError};

use crate::auth::Accounts;
use contact::{Contacts, Refusals};
use cursor::Cursors;
use devices::Devices;
use engine::Engine;

/// The service.
#[derive(Debug)]
pub struct Sync {
    /// Who may sync.
    pub devices: Devices,
    /// The protocol's state.
    pub engine: Arc<Engine>,
    /// Makes and reads cursors.
    pub cursors: Cursors,
    /// When devices were last heard of.
    pub contacts: Arc<Contacts>,
    /// What was refused that no honest device sends.
    pub refusals: Refusals,
    /// What devices may still push.
    pub budgets: budget::Budgets,
}

impl Sync {
    /// Opens the service over this log: reads the devices' events, and the state that was saved in `folder`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(
        log: Arc<Log>,
        clock: Arc<dyn Clock>,
        accounts: Arc<Accounts>,
        key: &[u8],
        folder: &Path,
    ) -> Result<Self, ReadError> {
        // HMAC takes a key of any length.
        let cursors = Cursors::new(key).unwrap_or_else(|| unreachable!("any key is a key"));
        let engine = Arc::new(Engine::open(log.clone(), folder));
        let contacts = engine.contacts().clone();
        Engine::keep_up(&engine);
        Ok(Sync {
            devices: Devices::open(log, clock, accounts)?,
            engine,
            cursors,
            contacts,
            refusals: Refusals::default(),
            budgets: budget::Budgets::default(),
        })
    }
}

/// The code of the place where the parts that were given to a device lie.
pub fn lease_code(device_id: &str) -> String {
    let plain = format!("DEVICE-{device_id}");
    if plain.chars().count() <= 50 {
        return plain;
    }
    let hash = token::hash_text(&token::hash_of(device_id));
    format!("DEVICE-#{}", &hash[..32])
}
