//! Logging in, staying in, going out.
//!
//! A login opens a *family* of refresh tokens, of which only the newest is good. A refresh token that comes twice was
//! copied by somebody: the whole family ends (RFC 9700 §4.14.2). Only within a short grace, and while its successor was
//! not exchanged itself, may it come again for that same successor: answers are lost on bad lines, and two pages ask at
//! once. An access token carries its family's name and ends with it, so logging out works at once and not only when the
//! token's half hour is over.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use fleet::calendar::SECOND;
use fleet::policy::Role;
use fleet::user::{self, EMAIL_BYTES_MAX, RefreshRefusal, events, key};
use hashbrown::HashMap;
use storage::Timestamp;
use uuid::Uuid;

use super::accounts::{AccountError, Accounts};
use super::directory::Account;
use super::password::Verdict;
use super::token::{ACCESS, Claims, REFRESH};

/// Tokens that are remembered as good at a time.
const VERIFIED_MAX: usize = 4_096;
/// How often a password is checked in one request: again where another one was stored meanwhile.
pub(super) const CHECKS_MAX: usize = 3;

/// Tokens that were found good, and what they said.
pub(super) type Verified = HashMap<Box<str>, Known>;

/// What a token that was found good said.
#[derive(Clone, Debug)]
pub(super) struct Known {
    account: Uuid,
    family: Option<Arc<str>>,
    ends: Timestamp,
}

/// Who makes a request: an open account, as of now.
#[derive(Clone, Debug)]
pub struct Caller {
    account: Arc<Account>,
    family: Option<Arc<str>>,
    /// When the token ends; a device that acts for the account has one of its own.
    ends: Option<Timestamp>,
}

impl Caller {
    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The account's id as text.
    pub fn id_text(&self) -> &str {
        &self.account.id_text
    }

    /// What the account may do.
    pub fn role(&self) -> Role {
        self.account.state.role
    }

    /// Whether `name` is this account, by id, username or e-mail address.
    pub fn is(&self, name: &str) -> bool {
        let state = &self.account.state;
        name == &*self.account.id_text
            || key(name) == key(&state.username)
            || key(name) == key(&state.email)
    }
}

/// What a login or a refresh gives.
#[derive(Clone)]
pub struct TokenPair {
    /// Opens routes.
    pub access: String,
    /// Is exchanged for the next pair.
    pub refresh: String,
    /// Seconds that the access token lasts.
    pub expires_in: u64,
}

impl std::fmt::Debug for TokenPair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TokenPair")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Logs in with a username or an e-mail address. An old hash is replaced on the way.
    ///
    /// # Errors
    /// `Throttled`, `Locked`, `WrongPassword`, `Inactive`, `Append`.
    pub async fn login(
        &self,
        name: &str,
        password: String,
        address: IpAddr,
    ) -> Result<TokenPair, AccountError> {
        let account = self.directory().find(name).cloned();
        // A name that is no account has a brake of its own, or the brake would tell which names are.
        let who = account.as_ref().map_or_else(
            || key(name).chars().take(EMAIL_BYTES_MAX).collect(),
            |account| account.id_text.to_string(),
        );
        let from = address.to_string();
        // Said without a look at the password: a locked account must not tell whether a guess was right.
        if let Some(failures) = account.as_ref().map(|account| account.state.refused_logins)
            && failures >= self.config.lockout_failures
        {
            return Err(AccountError::Locked { failures });
        }
        let attempt = self.begin_attempt(who, Some(address))?;
        for _ in 0..CHECKS_MAX {
            let account = self.directory().find(name).cloned();
            let stored = account
                .as_ref()
                .map(|account| account.state.password_hash.clone());
            let verdict = self.check(password.clone(), stored).await?;
            let Some(account) = account.filter(|_| verdict != Verdict::Wrong) else {
                if let Some(account) = self.directory().find(name) {
                    self.note(account.id, events::login_refused("wrong_password", &from));
                }
                return Err(AccountError::WrongPassword);
            };
            let new_hash = match verdict {
                Verdict::RightButOld if account.state.is_active => {
                    Some(self.hash(password.clone()).await?)
                }
                _ => None,
            };
            match self.open_session(&account, new_hash, &from).await {
                // Another hash is stored by now: what was right may be so no more.
                Err(AccountError::WrongPassword) => {}
                Err(AccountError::Inactive) => {
                    self.end_attempt(&attempt);
                    self.note(account.id, events::login_refused("inactive", &from));
                    return Err(AccountError::Inactive);
                }
                opened => {
                    self.end_attempt(&attempt);
                    return opened;
                }
            }
        }
        Err(AccountError::WrongPassword)
    }

    /// Opens a session of an account whose password was right.
    ///
    /// # Errors
    /// `WrongPassword` when another one was set since, `Inactive`, `Append`.
    async fn open_session(
        &self,
        checked: &Account,
        new_hash: Option<String>,
        from: &str,
    ) -> Result<TokenPair, AccountError> {
        let (family, token_id) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let now = self.now();
        let expires_at = self.refresh_ends(now);
        let account = self
            .command(checked.id, None, |state| {
                let state = state.ok_or(AccountError::WrongPassword)?;
                if state.password_hash != checked.state.password_hash {
                    return Err(AccountError::WrongPassword);
                }
                if !state.is_active {
                    return Err(AccountError::Inactive);
                }
                let mut drafts = vec![
                    events::logged_in(from),
                    events::refresh_issued(&family, &token_id, expires_at.micros()),
                ];
                drafts.extend(new_hash.as_deref().map(events::password_changed));
                Ok(drafts)
            })
            .await?;
        self.pair(&account, &family, token_id, now, expires_at)
    }

    /// Exchanges a refresh token for the next pair; one that was exchanged within the grace, for the same successor.
    ///
    /// # Errors
    /// `RefreshInvalid`, also when it was used before that, which ends its family; `RefreshInactive`; `Append`.
    pub async fn refresh(&self, token: &str) -> Result<TokenPair, AccountError> {
        let now = self.now();
        let claims = self
            .tokens
            .verify(token, REFRESH, now)
            .map_err(|_| AccountError::RefreshInvalid)?;
        let (Ok(id), Some(family)) = (Uuid::try_parse(&claims.sub), claims.family) else {
            return Err(AccountError::RefreshInvalid);
        };
        if !self
            .directory()
            .get(id)
            .is_some_and(|account| account.state.is_active)
        {
            return Err(AccountError::RefreshInactive);
        }
        let new_token_id = Uuid::new_v4().to_string();
        let expires_at = self.refresh_ends(now);
        let grace = micros(self.config.refresh_grace);
        let account = self
            .command(id, None, |state| {
                let state = state.ok_or(AccountError::RefreshInactive)?;
                let times = (now.micros(), expires_at.micros());
                match user::decide_refresh(
                    state,
                    &family,
                    &claims.jti,
                    &new_token_id,
                    times.0,
                    times.1,
                    grace,
                ) {
                    Ok(draft) => Ok(draft.into_iter().collect()),
                    Err(RefreshRefusal::Reused { revoke }) => Ok(vec![*revoke]),
                    Err(RefreshRefusal::Inactive) => Err(AccountError::RefreshInactive),
                    Err(RefreshRefusal::Unknown | RefreshRefusal::Expired) => {
                        Err(AccountError::RefreshInvalid)
                    }
                }
            })
            .await?;
        // A family that is still open was not ended by this token: its newest one is the answer, be it made now or the
        // successor that this token was exchanged for a moment ago.
        let Some(open) = account.state.families.get(&family) else {
            tracing::warn!(account = %account.id_text, "a refresh token came twice; its family was ended");
            return Err(AccountError::RefreshInvalid);
        };
        if open.token_id != new_token_id {
            tracing::info!(account = %account.id_text, "a refresh token came again within its grace; its successor is the answer");
        }
        let ends = Timestamp::from_micros(open.expires_at);
        self.pair(&account, &family, open.token_id.clone(), now, ends)
    }

    /// Ends the caller's family of tokens; with a refresh token, that token's.
    ///
    /// # Errors
    /// `Append`.
    pub async fn logout(
        &self,
        caller: &Caller,
        refresh_token: Option<&str>,
    ) -> Result<(), AccountError> {
        let given =
            refresh_token.and_then(|token| self.tokens.verify(token, REFRESH, self.now()).ok());
        let own = given
            .filter(|claims| claims.sub == caller.id_text())
            .and_then(|claims| claims.family);
        let Some(family) = own.or_else(|| caller.family.as_deref().map(str::to_owned)) else {
            return Ok(());
        };
        self.command(caller.account.id, Some(caller.id_text()), |state| {
            let open = state.is_some_and(|state| state.families.contains_key(&family));
            Ok(open
                .then(|| events::refresh_revoked(&family, "logout"))
                .into_iter()
                .collect())
        })
        .await?;
        Ok(())
    }

    /// Who holds this access token, if it is good and its account is open.
    ///
    /// A token that was good before is not verified again until it ends, but its account is asked for each time.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub fn authenticate(&self, token: &str) -> Result<Caller, AccountError> {
        let now = self.now();
        let known = self
            .verified
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .cloned();
        let known = match known {
            Some(known) if now < known.ends => known,
            _ => self.verify(token, now)?,
        };
        let account = self
            .directory()
            .get(known.account)
            .cloned()
            .ok_or(AccountError::Unauthenticated)?;
        let family_open = known
            .family
            .as_deref()
            .is_none_or(|family| account.state.families.contains_key(family));
        if !account.state.is_active || !family_open {
            return Err(AccountError::Unauthenticated);
        }
        Ok(Caller {
            account,
            family: known.family,
            ends: Some(known.ends),
        })
    }

    /// The same caller as of now, for what goes on after its request was let in.
    ///
    /// # Errors
    /// `Unauthenticated` once the token has ended, the session was closed, or the account was.
    pub fn still(&self, caller: &Caller) -> Result<Caller, AccountError> {
        if caller.ends.is_some_and(|ends| self.now() >= ends) {
            return Err(AccountError::Unauthenticated);
        }
        let account = self.directory().get(caller.account.id).cloned();
        let account = account.filter(|account| account.state.is_active);
        let account = account.ok_or(AccountError::Unauthenticated)?;
        let family = caller.family.as_deref();
        if family.is_some_and(|family| !account.state.families.contains_key(family)) {
            return Err(AccountError::Unauthenticated);
        }
        Ok(Caller {
            account,
            ..caller.clone()
        })
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<Known, AccountError> {
        let claims = self
            .tokens
            .verify(token, ACCESS, now)
            .map_err(|_| AccountError::Unauthenticated)?;
        let known = Known {
            account: Uuid::try_parse(&claims.sub).map_err(|_| AccountError::Unauthenticated)?,
            family: claims.family.map(Arc::from),
            ends: Timestamp::from_micros(claims.exp.saturating_mul(SECOND)),
        };
        let mut verified = self
            .verified
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= VERIFIED_MAX {
            verified.retain(|_, known| now < known.ends);
            if verified.len() >= VERIFIED_MAX {
                verified.clear();
            }
        }
        verified.insert(token.into(), known.clone());
        Ok(known)
    }

    /// This account as somebody who asks, if it is open: a device acts for it.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub fn open_account(&self, id: Uuid) -> Result<Caller, AccountError> {
        let account = self.directory().get(id).cloned();
        let account = account.filter(|account| account.state.is_active);
        Ok(Caller {
            account: account.ok_or(AccountError::Unauthenticated)?,
            family: None,
            ends: None,
        })
    }

    /// An access token for an account without a login, for whoever sits at the machine itself.
    ///
    /// # Errors
    /// `Inactive`.
    pub fn local_token(&self, account: &Account) -> Result<String, AccountError> {
        if !account.state.is_active {
            return Err(AccountError::Inactive);
        }
        let now = self.now();
        let ends = now.plus_micros(micros(self.config.access_lifetime));
        self.sign(account, ACCESS, None, Uuid::new_v4().to_string(), now, ends)
    }

    fn refresh_ends(&self, now: Timestamp) -> Timestamp {
        now.plus_micros(micros(self.config.refresh_lifetime))
    }

    fn pair(
        &self,
        account: &Account,
        family: &str,
        token_id: String,
        now: Timestamp,
        refresh_ends: Timestamp,
    ) -> Result<TokenPair, AccountError> {
        let ends = now.plus_micros(micros(self.config.access_lifetime));
        Ok(TokenPair {
            access: self.sign(
                account,
                ACCESS,
                Some(family),
                Uuid::new_v4().to_string(),
                now,
                ends,
            )?,
            refresh: self.sign(account, REFRESH, Some(family), token_id, now, refresh_ends)?,
            expires_in: self.config.access_lifetime.as_secs(),
        })
    }

    fn sign(
        &self,
        account: &Account,
        kind: &str,
        family: Option<&str>,
        token_id: String,
        now: Timestamp,
        ends: Timestamp,
    ) -> Result<String, AccountError> {
        let seconds = |time: Timestamp| time.micros().div_euclid(SECOND);
        let claims = Claims {
            sub: account.id_text.to_string(),
            role: account.state.role.name().to_owned(),
            kind: kind.to_owned(),
            exp: seconds(ends),
            iat: seconds(now),
            nbf: seconds(now),
            jti: token_id,
            iss: self.tokens.issuer().to_owned(),
            aud: self.tokens.issuer().to_owned(),
            family: family.map(str::to_owned),
        };
        self.tokens
            .sign(&claims)
            .map_err(|_| AccountError::Unauthenticated)
    }
}

fn micros(lifetime: std::time::Duration) -> i64 {
    i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX)
}
