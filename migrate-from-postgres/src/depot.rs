//! The depot that is brought over to: its log, and how its server appends and opens events.
//!
//! The server may seal what is personal before it is stored. So it is its way of appending that is used here, and its way of
//! opening what was stored; a plain [`Log`] does neither.

use std::collections::BTreeMap;

use fleet::user;
use serde_json::{Map, Value};
use storage::{AppendError, EventRef, Log, Query, ReadError, ReadRequest, Receipt, Transaction};

use crate::accounts::KnownAccount;

/// Hears of what became of a transaction.
pub type Done = Box<dyn FnOnce(Transaction, Result<Receipt, AppendError>) + Send>;

/// What an import writes to and reads back from.
pub trait Depot: Sync {
    /// The log.
    fn log(&self) -> &Log;

    /// Appends as the server does.
    ///
    /// # Errors
    /// Those of the log.
    fn append(&self, transaction: Transaction) -> Result<Receipt, AppendError>;

    /// The same without waiting: `done` is called with the transaction and the answer once it is durable or refused. What is
    /// submitted later stands behind it.
    fn submit(&self, transaction: Transaction, done: Done);

    /// The payload of an event as its writer meant it.
    fn opened(&self, event: &EventRef<'_>, data: Map<String, Value>) -> Map<String, Value> {
        let _ = event;
        data
    }

    /// The tags that claim a username and an e-mail address.
    fn account_tags(&self, username: &str, email: &str) -> [Box<str>; 2] {
        [
            format!("username:{}", user::key(username)).into(),
            format!("email:{}", user::key(email)).into(),
        ]
    }
}

impl Depot for Log {
    fn log(&self) -> &Log {
        self
    }

    fn append(&self, transaction: Transaction) -> Result<Receipt, AppendError> {
        Log::append(self, transaction)
    }

    fn submit(&self, transaction: Transaction, done: Done) {
        Log::submit(self, transaction, done);
    }
}

/// The accounts that are in the depot.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn known_accounts(depot: &dyn Depot) -> Result<Vec<KnownAccount>, ReadError> {
    let mut accounts: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut reader = depot.log().read(&ReadRequest {
        query: Query::event_types([user::events::USER_REGISTERED, user::events::USER_UPDATED]),
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        let event = event?;
        let Ok(data) = serde_json::from_slice(event.data()) else {
            continue;
        };
        let data = depot.opened(&event, data);
        let names = accounts
            .entry(event.stream().aggregate_id.to_string())
            .or_default();
        for (name, place) in [("username", &mut names.0), ("email", &mut names.1)] {
            if let Some(text) = data.get(name).and_then(Value::as_str) {
                text.clone_into(place);
            }
        }
    }
    let known = accounts.into_iter();
    Ok(known
        .map(|(id, (username, email))| (id, username, email))
        .collect())
}
