//! All accounts, folded from the log and kept in memory: every request asks whether its account is still open.
//!
//! The directory is behind the log by what it has not read yet; [`Directory::catch_up`] reads it. Whoever writes an
//! account's events catches up before answering, so that the next request sees what this one did.

use std::collections::HashMap;
use std::sync::Arc;

use fleet::user::{self, UserState, key};
use serde_json::{Map, Value};
use storage::{EventRef, Log, Position, Query, ReadError, ReadRequest};
use uuid::Uuid;

use super::password::is_old;
use crate::projection::view;

/// An account as of the directory's position.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Its id as text.
    pub id_text: Box<str>,
    /// Of its last event.
    pub position: Position,
    /// Everything else.
    pub state: UserState,
}

/// All accounts.
#[derive(Debug)]
pub struct Directory {
    accounts: HashMap<Uuid, Arc<Account>>,
    by_username: HashMap<String, Uuid>,
    by_email: HashMap<String, Uuid>,
    position: Position,
    events: u64,
}

impl Default for Directory {
    fn default() -> Self {
        Directory {
            accounts: HashMap::new(),
            by_username: HashMap::new(),
            by_email: HashMap::new(),
            position: Position::START,
            events: 0,
        }
    }
}

impl Directory {
    /// Up to where the log has been read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How many events of accounts there are up to [`Directory::position`].
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The account with this id.
    pub fn get(&self, id: Uuid) -> Option<&Arc<Account>> {
        self.accounts.get(&id)
    }

    /// The account with this username, or, if there is an `@` in it, this e-mail address; case does not matter.
    pub fn find(&self, name: &str) -> Option<&Arc<Account>> {
        let names = if name.contains('@') {
            &self.by_email
        } else {
            &self.by_username
        };
        names
            .get(&key(name.trim()))
            .and_then(|id| self.accounts.get(id))
    }

    /// The costliest of the hashes that are still the old system's; `None` once all were replaced.
    pub fn old_hash(&self) -> Option<&str> {
        let hashes = self.accounts.values();
        let hashes = hashes.map(|account| account.state.password_hash.as_str());
        // `$2b$12$…`: the version's letter counts less than the cost, which has two digits.
        hashes
            .filter(|hash| is_old(hash))
            .max_by_key(|hash| hash.split('$').nth(2))
    }

    /// All accounts, by username.
    pub fn list(&self) -> Vec<Arc<Account>> {
        let mut accounts: Vec<_> = self.accounts.values().cloned().collect();
        accounts.sort_by(|left, right| left.state.username.cmp(&right.state.username));
        accounts
    }

    /// Reads what the log has beyond [`Directory::position`]. Events that cannot be read are passed over and logged.
    ///
    /// # Errors
    /// When the log cannot be read at all.
    pub fn catch_up(&mut self, log: &Log) -> Result<(), ReadError> {
        let durable = log.durable_position();
        let from = self.position.next();
        if from > durable {
            return Ok(());
        }
        let query = Query::aggregate_types([user::AGGREGATE_TYPE]);
        let mut reader = log.read(&ReadRequest {
            query,
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
                Err(error) => tracing::error!(%error, "an event of an account cannot be read"),
            }
        }
        self.position = durable;
        Ok(())
    }

    fn fold(&mut self, event: &EventRef<'_>) {
        self.events += 1;
        let stream = event.stream();
        let Ok(id) = Uuid::try_parse(stream.aggregate_id) else {
            return;
        };
        let Ok(data) = serde_json::from_slice::<Map<String, Value>>(event.data()) else {
            return;
        };
        let view = view(event, &data);
        let before = self.accounts.get(&id).map(|account| account.state.clone());
        let Some(state) = user::fold(before, &view) else {
            return;
        };
        if let Some(account) = self.accounts.get(&id) {
            let before = &account.state;
            leave(&mut self.by_username, &before.username, &state.username, id);
            leave(&mut self.by_email, &before.email, &state.email, id);
        }
        self.by_username.entry(key(&state.username)).or_insert(id);
        self.by_email.entry(key(&state.email)).or_insert(id);
        self.accounts.insert(
            id,
            Arc::new(Account {
                id,
                id_text: stream.aggregate_id.into(),
                position: event.position(),
                state,
            }),
        );
    }
}

/// Gives up a name that the account has no more.
fn leave(names: &mut HashMap<String, Uuid>, before: &str, now: &str, id: Uuid) {
    let before = key(before);
    if before != key(now) && names.get(&before) == Some(&id) {
        names.remove(&before);
    }
}
