//! The service of accounts: registering, changing, closing them. Logging in and tokens are in [`super::sessions`].

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use fleet::policy::Role;
use fleet::user::{self, UserCommand, UserState, key};
use fleet::{EventDraft, Refusal};
use storage::{
    AppendError, Clock, ExpectedVersion, Log, NewEvent, Position, Query, QueryItem, ReadError,
    StreamName, Timestamp, Transaction, Version,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::directory::{Account, Directory};
use super::password::{HashError, Hasher, PasswordRefusal};
use super::sessions::{Caller, Verified};
use super::throttle::Throttle;
use super::token::Tokens;
use crate::append::append;
use crate::config::AuthConfig;
use crate::envelope::{USER_PREFIX, tag};

/// Password hashes made or checked at a time: each takes a core and 19 MiB for tens of milliseconds.
const HASHING_MAX: usize = 2;
/// How often a change is decided again after somebody else wrote to the account in between.
const RETRIES_MAX: usize = 5;
/// How many accounts' free tries an address has.
const ADDRESS_FACTOR: u32 = 4;
/// Before the key of a username, in tags.
const USERNAME_PREFIX: &str = "username:";
/// Before the key of an e-mail address, in tags.
const EMAIL_PREFIX: &str = "email:";

/// An account to register.
#[derive(Clone)]
pub struct NewAccount {
    /// The name to log in with.
    pub username: String,
    /// The address to log in with.
    pub email: String,
    /// The password.
    pub password: String,
    /// What the account may do.
    pub role: Role,
}

/// The password stays out of whatever prints an account.
impl std::fmt::Debug for NewAccount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewAccount")
            .field("username", &self.username)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// What to change of an account; what is absent stays.
#[derive(Default)]
pub struct AccountChange {
    /// Another role.
    pub role: Option<Role>,
    /// Another password.
    pub password: Option<String>,
    /// Whether it may log in.
    pub active: Option<bool>,
}

/// The password stays out of whatever prints a change.
impl std::fmt::Debug for AccountChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AccountChange")
            .field("role", &self.role)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// Why something about an account was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The domain refuses: a field out of its limits, a role that may not be granted, no such account.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The new password is not good enough.
    #[error(transparent)]
    Password(#[from] PasswordRefusal),
    /// Another account has this username.
    #[error("Username already registered")]
    UsernameTaken,
    /// Another account has this e-mail address.
    #[error("Email already registered")]
    EmailTaken,
    /// Nobody may register but through somebody who may grant roles.
    #[error("registration is closed: ask a FLEET_MANAGER or SUPER_ADMIN for an account")]
    RegistrationClosed,
    /// Name or password is wrong.
    #[error("Incorrect username or password")]
    WrongPassword,
    /// The account is closed.
    #[error("User account is inactive")]
    Inactive,
    /// So many wrong passwords in a row that somebody must be guessing.
    #[error(
        "the account is locked after {failures} wrong passwords in a row: whoever may change it sets a new password"
    )]
    Locked {
        /// How many.
        failures: u32,
    },
    /// The list of breached passwords cannot be read, so no password is taken.
    #[error("the list of breached passwords (auth.breached_passwords) cannot be read")]
    BreachedList(#[source] io::Error),
    /// Too many wrong passwords.
    #[error("too many failed attempts; try again in {seconds} s")]
    Throttled {
        /// When to try again.
        seconds: u64,
    },
    /// No token, or one that is not good.
    #[error("Could not validate credentials")]
    Unauthenticated,
    /// The refresh token is not good (any more).
    #[error("Invalid refresh token")]
    RefreshInvalid,
    /// The refresh token's account is gone or closed.
    #[error("User not found or inactive")]
    RefreshInactive,
    /// The log did not take the change.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A thread ended before its work was done: the server is stopping.
    #[error("the work was cancelled")]
    Cancelled,
}

/// The service of accounts.
#[derive(Debug)]
pub struct Accounts {
    pub(super) log: Arc<Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: AuthConfig,
    pub(super) tokens: Tokens,
    /// Tokens that were found good, so that they need not be verified for each request.
    pub(super) verified: RwLock<Verified>,
    pub(super) hasher: Arc<Hasher>,
    pub(super) hashing: Semaphore,
    directory: RwLock<Directory>,
    brakes: Mutex<Brakes>,
}

/// The brakes on guessing: many people may share an address, so it has more free tries.
#[derive(Debug)]
pub(super) struct Brakes {
    pub(super) accounts: Throttle,
    pub(super) addresses: Throttle,
}

impl Accounts {
    /// The accounts in `log`, folded up to now. `key` signs tokens.
    ///
    /// # Errors
    /// `Hash` when the settings for hashing are out of range, `Read` when the log cannot be read.
    pub fn open(
        log: Arc<Log>,
        clock: Arc<dyn Clock>,
        config: AuthConfig,
        key: &[u8],
    ) -> Result<Self, AccountError> {
        let mut directory = Directory::default();
        directory.catch_up(&log)?;
        Ok(Accounts {
            tokens: Tokens::new(key, &config.issuer),
            verified: RwLock::default(),
            hasher: Arc::new(Hasher::new(&config)?),
            hashing: Semaphore::new(HASHING_MAX),
            directory: RwLock::new(directory),
            brakes: Mutex::new(Brakes {
                accounts: Throttle::new(config.login_attempts_free),
                addresses: Throttle::new(config.login_attempts_free * ADDRESS_FACTOR),
            }),
            log,
            clock,
            config,
        })
    }

    /// The accounts as of the last that was read of the log. Held briefly, never across an await.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the log has got since. Blocks on the disk for a moment.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn catch_up(&self) -> Result<(), ReadError> {
        self.directory
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .catch_up(&self.log)
    }

    /// Folds all accounts anew: none holds what its events held until now. Blocks on the disk.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn refold(&self) -> Result<(), ReadError> {
        let mut anew = Directory::default();
        anew.catch_up(&self.log)?;
        // What was appended meanwhile is caught up with under the lock.
        let mut directory = self
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        anew.catch_up(&self.log)?;
        *directory = anew;
        Ok(())
    }

    /// Registers an account. `by` asks for it; nobody in particular may, for a VIEWER, if registration is open.
    ///
    /// # Errors
    /// `RegistrationClosed`, `Refused` for the role or a field, `Password`, `UsernameTaken`, `EmailTaken`, `Append`.
    pub async fn register(
        &self,
        new: NewAccount,
        by: Option<&Caller>,
    ) -> Result<Arc<Account>, AccountError> {
        match by {
            None if !self.config.open_registration => return Err(AccountError::RegistrationClosed),
            None if new.role > Role::Viewer => {
                return Err(Refusal::forbidden(
                    "role",
                    "role_not_grantable",
                    "nobody picks their own role",
                )
                .into());
            }
            Some(caller) if !caller.role().may_grant(new.role) => {
                let message = format!("{} may not give the role {}", caller.role(), new.role);
                return Err(Refusal::forbidden("role", "role_not_grantable", message).into());
            }
            _ => {}
        }
        self.register_unchecked(new, by.map(Caller::id_text)).await
    }

    /// Registers an account for whoever sits at the machine itself.
    ///
    /// # Errors
    /// As [`Accounts::register`], less those about the caller.
    pub async fn register_locally(&self, new: NewAccount) -> Result<Arc<Account>, AccountError> {
        self.register_unchecked(new, None).await
    }

    async fn register_unchecked(
        &self,
        new: NewAccount,
        actor: Option<&str>,
    ) -> Result<Arc<Account>, AccountError> {
        let command = |password_hash: String| UserCommand::Register {
            username: new.username.clone(),
            email: new.email.clone(),
            role: new.role,
            password_hash,
        };
        // Decided once without a hash, so that nothing is hashed for names that are refused anyway.
        user::decide(None, &command(String::new()))?;
        self.check_new(&new.password, &new.username).await?;
        self.check_free(&new)?;
        let password_hash = self.hash(new.password.clone()).await?;
        let drafts = user::decide(None, &command(password_hash))?;
        let tags = [
            tag(USERNAME_PREFIX, &key(&new.username)),
            tag(EMAIL_PREFIX, &key(&new.email)),
        ];
        let items = tags
            .iter()
            .map(|tag| QueryItem {
                tags: vec![tag.clone()],
                ..QueryItem::default()
            })
            .collect();
        let id = Uuid::new_v4();
        let transaction = transaction(id, ExpectedVersion::NoStream, drafts, &tags, actor)
            .on_condition(Query { items }, Position::START);
        let appended = append(&self.log, transaction).await;
        self.catch_up()?;
        match appended {
            Ok(_) => self.account(id),
            Err(error @ AppendError::ConditionFailed { .. }) => {
                // Somebody was quicker; by now the directory knows with which of the two.
                self.check_free(&new)?;
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn check_free(&self, new: &NewAccount) -> Result<(), AccountError> {
        let directory = self.directory();
        if directory.find(&new.username).is_some() {
            return Err(AccountError::UsernameTaken);
        }
        if directory.find(&new.email).is_some() {
            return Err(AccountError::EmailTaken);
        }
        Ok(())
    }

    /// Changes an account on behalf of somebody else, all of it or nothing. Another password ends its tokens, and so does closing
    /// it.
    ///
    /// # Errors
    /// `Refused` when there is no such account or `by` may not; `Password`; `Append`.
    pub async fn change(
        &self,
        id: Uuid,
        change: AccountChange,
        by: &Caller,
    ) -> Result<Arc<Account>, AccountError> {
        let account = self.account(id)?;
        check_rank(by, Some(&account.state))?;
        let by_role = by.role();
        let role = change.role;
        let mut commands = Vec::new();
        commands.extend(role.map(|role| UserCommand::ChangeRole { by: by_role, role }));
        commands.extend(change.active.map(activation));
        // Decided once without the password, so that nothing is hashed for what is refused anyway.
        for command in &commands {
            user::decide(Some(&account.state), command)?;
        }
        if let Some(password) = change.password {
            self.check_new(&password, &account.state.username).await?;
            commands.push(UserCommand::ChangePassword {
                password_hash: self.hash(password).await?,
                ends_sessions: true,
            });
        }
        self.command(id, Some(by.id_text()), |state| {
            check_rank(by, state)?;
            let mut drafts = Vec::new();
            for command in &commands {
                drafts.extend(user::decide(state, command)?);
            }
            Ok(drafts)
        })
        .await
    }

    /// Closes an account, or opens it again. Closing ends its tokens.
    ///
    /// # Errors
    /// As [`Accounts::change`].
    pub async fn set_active(
        &self,
        id: Uuid,
        active: bool,
        by: &Caller,
    ) -> Result<Arc<Account>, AccountError> {
        let command = activation(active);
        self.command(id, Some(by.id_text()), |state| {
            check_rank(by, state)?;
            Ok(user::decide(state, &command)?)
        })
        .await
    }

    /// Decides on the account as it is, and writes; decides again if somebody wrote in between.
    pub(super) async fn command(
        &self,
        id: Uuid,
        actor: Option<&str>,
        decide: impl Fn(Option<&UserState>) -> Result<Vec<EventDraft>, AccountError>,
    ) -> Result<Arc<Account>, AccountError> {
        for _ in 0..RETRIES_MAX {
            let account = self.directory().get(id).cloned();
            let drafts = decide(account.as_deref().map(|account| &account.state))?;
            let Some(account) = account else {
                return self.account(id);
            };
            if drafts.is_empty() {
                return Ok(account);
            }
            let expected = ExpectedVersion::Exact(Version::new(account.state.version));
            let appended = append(&self.log, transaction(id, expected, drafts, &[], actor)).await;
            self.catch_up()?;
            match appended {
                Ok(_) => return self.account(id),
                Err(AppendError::WrongVersion { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppendError::Busy.into())
    }

    /// The account with this id.
    ///
    /// # Errors
    /// `Refused` when there is none.
    pub fn account(&self, id: Uuid) -> Result<Arc<Account>, AccountError> {
        let missing = || Refusal::missing("user_not_found", "User not found").into();
        self.directory().get(id).cloned().ok_or_else(missing)
    }

    /// Appends an event to an account without waiting for it: what is only for the record.
    pub(super) fn note(&self, id: Uuid, draft: EventDraft) {
        let transaction = transaction(id, ExpectedVersion::Exists, vec![draft], &[], None);
        self.log.submit(transaction, |_, result| {
            if let Err(error) = result {
                tracing::warn!(%error, "an account's note was not recorded");
            }
        });
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn brakes(&self) -> MutexGuard<'_, Brakes> {
        self.brakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn activation(active: bool) -> UserCommand {
    match active {
        true => UserCommand::Reactivate,
        false => UserCommand::Deactivate {
            reason: "by_admin".to_owned(),
        },
    }
}

/// Nobody closes or opens the account of somebody whose role they could not give.
pub(super) fn check_rank(by: &Caller, state: Option<&UserState>) -> Result<(), AccountError> {
    match state {
        Some(state) if !by.role().may_grant(state.role) => {
            let message = format!(
                "{} may not change an account of role {}",
                by.role(),
                state.role
            );
            Err(Refusal::forbidden("", "role_too_high", message).into())
        }
        _ => Ok(()),
    }
}

/// Events of one account, by `actor`, with these tags on the first of them.
fn transaction(
    id: Uuid,
    expected: ExpectedVersion,
    drafts: Vec<EventDraft>,
    tags: &[Box<str>],
    actor: Option<&str>,
) -> Transaction {
    let mut events = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut event = NewEvent::new(draft.event_type, draft.data.to_string());
        event.schema = draft.schema;
        event
            .tags
            .extend(actor.map(|actor| tag(USER_PREFIX, actor)));
        if events.is_empty() {
            event.tags.extend(tags.iter().cloned());
        }
        events.push(event);
    }
    Transaction::stream(
        StreamName::new(user::AGGREGATE_TYPE, id.to_string()),
        expected,
        events,
    )
}
