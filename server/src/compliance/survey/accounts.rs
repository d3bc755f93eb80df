//! Accounts, their logins, and what may not be done.

use fleet::{security, user};
use serde_json::{Map, Value};
use storage::{EventRef, QueryItem, ReadError, Timestamp};

use super::{Survey, days_between, each, line_of};
use crate::app::AppState;

/// An account that is open.
#[derive(Clone, Debug)]
pub struct OpenAccount {
    /// Its id.
    pub id: String,
    /// What it may do.
    pub role: &'static str,
    /// Days since its last login, or since it was registered.
    pub quiet_days: i64,
}

impl Survey {
    pub(super) fn see_account(&mut self, event: &EventRef<'_>, by: Option<&str>) {
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        let count = data.get("count").and_then(Value::as_u64).unwrap_or(1);
        let id = event.stream().aggregate_id;
        match event.event_type() {
            user::events::USER_LOGGED_IN => self.logins += 1,
            user::events::USER_LOGIN_REFUSED => {
                self.refused_logins += 1;
                *self.refused_by_account.entry(id.to_owned()).or_default() += 1;
            }
            security::event::LOGIN_REFUSED => {
                self.refused_logins += count;
                let who = by.unwrap_or("unknown names");
                *self.refused_by_account.entry(who.to_owned()).or_default() += count;
            }
            security::event::WRITE_REFUSED | security::event::REFUSALS_SUMMED_UP => {
                self.refused_writes += count;
            }
            user::events::USER_ROLE_CHANGED => {
                self.role_changes += 1;
                if by == Some(id) {
                    self.own_role_changes.add(|| line_of(event));
                }
            }
            _ => {}
        }
    }

    pub(super) fn look_at_accounts(&mut self, state: &AppState) -> Result<(), ReadError> {
        let now = state.clock.now();
        for account in state.accounts.directory().list() {
            let of = &account.state;
            if !of.is_active {
                continue;
            }
            let last = of.last_login.unwrap_or(of.created_at);
            self.accounts.push(OpenAccount {
                id: account.id_text.to_string(),
                role: of.role.name(),
                quiet_days: days_between(Timestamp::from_micros(last), now),
            });
        }
        let query = QueryItem {
            aggregate_types: vec![security::AGGREGATE_TYPE.into()],
            event_types: vec![security::event::ACCESS_REVIEWED.into()],
            ..QueryItem::default()
        };
        each(state, query.into(), |event| {
            self.reviewed_days_ago = Some(days_between(event.recorded_at(), now));
            true
        })
    }
}
