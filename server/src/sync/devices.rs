//! All devices, folded from the log and kept in memory: every request of a tablet asks whether its token still opens.
//!
//! The directory reads the log on demand; whoever writes a device's events lets it catch up before answering, so the
//! next request sees what this one did.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use fleet::device::{self, event};
use fleet::policy::Role;
use serde_json::{Map, Value};
use storage::{Clock, EventRef, Log, Position, Query, ReadError, ReadRequest, Timestamp};
use uuid::Uuid;

use super::scope::Scope;
use super::token::{self, TokenHash};
use crate::auth::{Accounts, Caller};
use crate::rfc3339;

/// Tokens of the past that are remembered, so that one that comes back is noticed.
const VOID_TOKENS_MAX: usize = 100_000;

/// A device as of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What it calls itself.
    pub id: Box<str>,
    /// Its number in the protocol: the count of stores that were begun before and with it. A device that registers again
    /// begins a new store, and gets a new number.
    pub number: u32,
    /// Whether it may sync.
    pub is_active: bool,
    /// What its token lets it do.
    pub grant: Option<Arc<Grant>>,
    /// When its present store was begun.
    pub began: Option<Timestamp>,
    /// When it was revoked, if it is.
    pub revoked_at: Option<Timestamp>,
    /// The token before a renewal: good until the new one is used, since the answer that brought that may be lost.
    previous: Option<TokenHash>,
}

/// What a token lets a device do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// For whom it acts.
    pub user: Uuid,
    /// The most that it may do.
    pub role: Role,
    /// What it is shown.
    pub scope: Scope,
    /// When it ends.
    pub expires_at: Timestamp,
    hash: TokenHash,
}

/// A device that is asking for something now.
#[derive(Clone, Debug)]
pub struct DeviceCaller {
    /// Which device.
    pub device: Arc<Device>,
    /// What its token lets it do.
    pub grant: Arc<Grant>,
    /// The account it acts for, open as of now.
    pub caller: Caller,
}

impl DeviceCaller {
    /// What it may do: no more than its token says, and no more than its user may today.
    pub fn role(&self) -> Role {
        self.grant.role.min(self.caller.role())
    }

    /// The same device, which may do no more than this for now.
    #[must_use]
    pub fn limited_to(&self, role: Role) -> Self {
        let mut grant = (*self.grant).clone();
        grant.role = grant.role.min(role);
        DeviceCaller {
            grant: Arc::new(grant),
            ..self.clone()
        }
    }
}

/// Why a device's token does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenRefusal {
    /// Nobody was given this token.
    #[error("Could not validate credentials")]
    Unknown,
    /// The device has a newer one. Whoever shows this one copied it, or is a restored copy of the device.
    #[error("This device token was replaced; register the device again")]
    Replaced,
    /// Its time is over.
    #[error("This device token has expired; register the device again")]
    Expired,
    /// The device was revoked.
    #[error("This device was revoked")]
    Revoked,
    /// The account it acts for is closed.
    #[error("The account of this device is closed")]
    AccountClosed,
}

impl TokenRefusal {
    /// A stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            TokenRefusal::Unknown => "token_unknown",
            TokenRefusal::Replaced => "token_replaced",
            TokenRefusal::Expired => "token_expired",
            TokenRefusal::Revoked => "device_revoked",
            TokenRefusal::AccountClosed => "account_closed",
        }
    }
}

#[derive(Debug, Default)]
struct Directory {
    devices: HashMap<Box<str>, Arc<Device>>,
    by_hash: HashMap<TokenHash, Box<str>>,
    void: HashMap<TokenHash, Box<str>>,
    by_number: Vec<Box<str>>,
    position: Position,
}

/// All devices. See the module.
#[derive(Debug)]
pub struct Devices {
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
    directory: RwLock<Directory>,
}

impl Devices {
    /// Reads the devices' events.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(
        log: Arc<Log>,
        clock: Arc<dyn Clock>,
        accounts: Arc<Accounts>,
    ) -> Result<Self, ReadError> {
        let devices = Devices {
            log,
            clock,
            accounts,
            directory: RwLock::default(),
        };
        devices.catch_up()?;
        Ok(devices)
    }

    /// Reads what the log has since.
    ///
    /// # Errors
    /// When the log cannot be read at all. Single events that cannot are passed over and told to the operator.
    pub fn catch_up(&self) -> Result<(), ReadError> {
        let mut directory = self
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        directory.catch_up(&self.log)
    }

    /// The device of this name.
    pub fn get(&self, device_id: &str) -> Option<Arc<Device>> {
        self.read().devices.get(device_id).cloned()
    }

    /// The name of the device with this number.
    pub fn named(&self, number: u32) -> Option<Box<str>> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.read().by_number.get(index).cloned()
    }

    /// The numbers that a device had, the latest first.
    pub fn numbers_of(&self, device_id: &str) -> Vec<u32> {
        let directory = self.read();
        let numbers = directory.by_number.iter().zip(1_u32..);
        let its = numbers.filter(|(id, _)| ***id == *device_id);
        let mut its: Vec<u32> = its.map(|(_, number)| number).collect();
        its.reverse();
        its
    }

    /// The device of this name, for its own user, also when its token has ended: to be given another one.
    ///
    /// # Errors
    /// As [`Devices::of_user`], but `Expired`.
    pub fn to_renew(&self, device_id: &str, user: &Caller) -> Result<DeviceCaller, TokenRefusal> {
        match self.of_user(device_id, user) {
            Err(TokenRefusal::Expired) => {}
            other => return other,
        }
        let device = self.get(device_id).ok_or(TokenRefusal::Unknown)?;
        let grant = device.grant.clone().ok_or(TokenRefusal::Unknown)?;
        if grant.user != user.account().id {
            return Err(TokenRefusal::Unknown);
        }
        Ok(DeviceCaller {
            device,
            grant,
            caller: user.clone(),
        })
    }

    /// All devices, in no order.
    pub fn all(&self) -> Vec<Arc<Device>> {
        self.read().devices.values().cloned().collect()
    }

    /// Who holds this token, if it opens.
    ///
    /// # Errors
    /// See [`TokenRefusal`].
    pub fn authenticate(&self, token: &str) -> Result<DeviceCaller, TokenRefusal> {
        let hash = token::hash_of(token);
        let device = {
            let directory = self.read();
            match directory.by_hash.get(&hash) {
                Some(id) => directory.devices.get(id).cloned(),
                None if directory.void.contains_key(&hash) => return Err(TokenRefusal::Replaced),
                None => None,
            }
        };
        let device = device.ok_or(TokenRefusal::Unknown)?;
        let is_new = device
            .grant
            .as_ref()
            .is_some_and(|grant| grant.hash == hash);
        if is_new && device.previous.is_some() {
            self.end_previous(&device.id);
        }
        self.opened(device)
    }

    /// The renewed token was used: the one before is void.
    fn end_previous(&self, id: &str) {
        let mut directory = self
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(mut device) = directory.devices.get(id).map(|device| (**device).clone()) else {
            return;
        };
        directory.make_void(device.previous.take(), id);
        directory.devices.insert(id.into(), Arc::new(device));
    }

    /// The device, asking through its user's own token rather than its own.
    ///
    /// # Errors
    /// `Unknown` where there is none or it is somebody else's; see [`TokenRefusal`].
    pub fn of_user(&self, device_id: &str, user: &Caller) -> Result<DeviceCaller, TokenRefusal> {
        let device = self.get(device_id).ok_or(TokenRefusal::Unknown)?;
        let found = self.opened(device)?;
        if found.grant.user == user.account().id {
            Ok(found)
        } else {
            Err(TokenRefusal::Unknown)
        }
    }

    /// The device that was given this token, whether it is good or not.
    pub fn of_token(&self, token: &str) -> Option<Box<str>> {
        let hash = token::hash_of(token);
        let directory = self.read();
        let held = directory.by_hash.get(&hash);
        held.or_else(|| directory.void.get(&hash)).cloned()
    }

    fn opened(&self, device: Arc<Device>) -> Result<DeviceCaller, TokenRefusal> {
        if !device.is_active {
            return Err(TokenRefusal::Revoked);
        }
        let grant = device.grant.clone().ok_or(TokenRefusal::Unknown)?;
        if self.clock.now() >= grant.expires_at {
            return Err(TokenRefusal::Expired);
        }
        let caller = self.accounts.open_account(grant.user);
        let caller = caller.map_err(|_| TokenRefusal::AccountClosed)?;
        Ok(DeviceCaller {
            device,
            grant,
            caller,
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    fn catch_up(&mut self, log: &Log) -> Result<(), ReadError> {
        let durable = log.durable_position();
        let from = self.position.next();
        if from > durable {
            return Ok(());
        }
        let mut reader = log.read(&ReadRequest {
            query: Query::aggregate_types([device::AGGREGATE_TYPE]),
            from,
            to: durable,
            ..ReadRequest::default()
        })?;
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => {
                    self.fold(&event);
                    self.position = event.position();
                }
                Err(error @ ReadError::Archived { .. }) => return Err(error),
                Err(error) => tracing::error!(%error, "an event of a device cannot be read"),
            }
        }
        self.position = durable;
        Ok(())
    }

    fn make_void(&mut self, hash: Option<TokenHash>, device: &str) {
        let Some(hash) = hash else { return };
        self.by_hash.remove(&hash);
        if self.void.len() < VOID_TOKENS_MAX {
            self.void.insert(hash, device.into());
        }
    }

    fn fold(&mut self, event: &EventRef<'_>) {
        let id: Box<str> = event.stream().aggregate_id.into();
        let Ok(data) = serde_json::from_slice::<Map<String, Value>>(event.data()) else {
            return;
        };
        let known = self.devices.get(&id);
        let mut device = known.map_or_else(|| Device::unknown(&id), |device| (**device).clone());
        match fleet::alias::canonical(event.event_type()) {
            event::DEVICE_REGISTERED => {
                device.is_active = true;
                device.revoked_at = None;
            }
            event::DEVICE_DEACTIVATED => {
                device.is_active = false;
                device.revoked_at = Some(event.recorded_at());
            }
            event::DEVICE_TOKEN_ISSUED => {
                let grant = Grant::read(&data);
                if grant.is_none() {
                    tracing::error!(device = %id, position = event.position().get(), "a device's token cannot be read");
                }
                let renews = !begins_store(event::DEVICE_TOKEN_ISSUED, &data, device.number > 0);
                if !renews {
                    self.by_number.push(id.clone());
                    device.number = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
                    device.began = Some(event.recorded_at());
                }
                let before = device.grant.take().map(|grant| grant.hash);
                for hash in [device.previous.take(), before.filter(|_| !renews)] {
                    self.make_void(hash, &id);
                }
                device.previous = before.filter(|_| renews);
                if let Some(grant) = grant {
                    self.by_hash.insert(grant.hash, id.clone());
                    device.grant = Some(Arc::new(grant));
                }
            }
            _ => return,
        }
        self.devices.insert(id, Arc::new(device));
    }
}

/// Whether this event of a device begins a new store, so that the device gets the next number.
pub(super) fn begins_store(event_type: &str, data: &Map<String, Value>, has_number: bool) -> bool {
    let renews = data.get("renews") == Some(&Value::Bool(true)) && has_number;
    event_type == event::DEVICE_TOKEN_ISSUED && !renews
}

impl Device {
    fn unknown(id: &str) -> Self {
        Device {
            id: id.into(),
            number: 0,
            is_active: false,
            grant: None,
            began: None,
            revoked_at: None,
            previous: None,
        }
    }
}

impl Grant {
    fn read(data: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        Some(Grant {
            user: Uuid::try_parse(text("user_id")?).ok()?,
            role: text("role")?.parse().ok()?,
            scope: Scope::parse(data.get("scope").unwrap_or(&Value::Null)).ok()?,
            expires_at: rfc3339::parse(text("token_expires_at")?).ok()?,
            hash: token::hash_from_text(text("token_hash")?)?,
        })
    }
}
