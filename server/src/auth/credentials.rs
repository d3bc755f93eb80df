//! Passwords of accounts: setting them, checking them, and the brakes on guessing them.

use std::net::IpAddr;
use std::sync::Arc;

use fleet::user::{self, UserCommand, UserState};
use uuid::Uuid;

use super::accounts::{AccountError, Accounts};
use super::breached;
use super::directory::Account;
use super::password::{PasswordRefusal, Verdict, check_strength};
use super::sessions::{CHECKS_MAX, Caller};
use super::throttle::network;

/// A try at a password, counted as failed until it has succeeded.
#[derive(Debug)]
pub(super) struct Attempt {
    account: String,
    address: Option<IpAddr>,
}

impl Accounts {
    /// Sets a password for whoever sits at the machine itself. Ends the account's tokens, and its lock.
    ///
    /// # Errors
    /// As [`Accounts::change`], less those about the caller.
    pub async fn set_password_locally(
        &self,
        id: Uuid,
        password: String,
    ) -> Result<Arc<Account>, AccountError> {
        let account = self.account(id)?;
        self.replace_password(&account, password, None, |_| Ok(()))
            .await
    }

    /// Changes the caller's own password, which they give once more. Ends all of their tokens.
    ///
    /// # Errors
    /// `WrongPassword`, `Throttled`, `Password`, `Append`.
    pub async fn change_own_password(
        &self,
        by: &Caller,
        old: String,
        new: String,
    ) -> Result<Arc<Account>, AccountError> {
        let id = by.account().id;
        let attempt = self.begin_attempt(by.id_text().to_owned(), None)?;
        for _ in 0..CHECKS_MAX {
            let account = self.account(id)?;
            let checked = &account.state.password_hash;
            if self.check(old.clone(), Some(checked.clone())).await? == Verdict::Wrong {
                return Err(AccountError::WrongPassword);
            }
            // Another hash may have been stored since: then the old password is checked again.
            let still_so = |state: &UserState| match state.password_hash == *checked {
                true => Ok(()),
                false => Err(AccountError::WrongPassword),
            };
            let replaced =
                self.replace_password(&account, new.clone(), Some(by.id_text()), still_so);
            match replaced.await {
                Err(AccountError::WrongPassword) => {}
                done => {
                    self.end_attempt(&attempt);
                    return done;
                }
            }
        }
        Err(AccountError::WrongPassword)
    }

    async fn replace_password(
        &self,
        account: &Account,
        password: String,
        actor: Option<&str>,
        may: impl Fn(&UserState) -> Result<(), AccountError>,
    ) -> Result<Arc<Account>, AccountError> {
        self.check_new(&password, &account.state.username).await?;
        let command = UserCommand::ChangePassword {
            password_hash: self.hash(password).await?,
            ends_sessions: true,
        };
        self.command(account.id, actor, |state| {
            state.map_or(Ok(()), &may)?;
            Ok(user::decide(state, &command)?)
        })
        .await
    }

    /// Counts a try at the password of `account`, and says no where there were too many.
    pub(super) fn begin_attempt(
        &self,
        account: String,
        address: Option<IpAddr>,
    ) -> Result<Attempt, AccountError> {
        let now = self.now();
        let mut brakes = self.brakes();
        let address_key = address.map(address_key);
        brakes
            .accounts
            .check(&account, now)
            .map_err(|seconds| AccountError::Throttled { seconds })?;
        if let Some(key) = &address_key {
            brakes
                .addresses
                .check(key, now)
                .map_err(|seconds| AccountError::Throttled { seconds })?;
            brakes.addresses.failed(key, now);
        }
        brakes.accounts.failed(&account, now);
        Ok(Attempt { account, address })
    }

    /// The password was right.
    pub(super) fn end_attempt(&self, attempt: &Attempt) {
        let mut brakes = self.brakes();
        brakes.accounts.succeeded(&attempt.account);
        if let Some(address) = attempt.address {
            brakes.addresses.forgive_one(&address_key(address));
        }
    }

    /// Whether `password` is good enough for a new one of the account `username`.
    pub(super) async fn check_new(
        &self,
        password: &str,
        username: &str,
    ) -> Result<(), AccountError> {
        check_strength(password, username, self.config.password_chars_min)?;
        let Some(list) = self.config.breached_passwords.clone() else {
            return Ok(());
        };
        let digest = breached::digest(password);
        let found = tokio::task::spawn_blocking(move || breached::holds(&list, &digest)).await;
        match found.map_err(|_| AccountError::Cancelled)? {
            Ok(false) => Ok(()),
            Ok(true) => Err(PasswordRefusal::Breached.into()),
            Err(error) => Err(AccountError::BreachedList(error)),
        }
    }

    /// Hashes on a blocking thread, a few at a time.
    pub(super) async fn hash(&self, password: String) -> Result<String, AccountError> {
        let _permit = self
            .hashing
            .acquire()
            .await
            .map_err(|_| AccountError::Cancelled)?;
        let hasher = self.hasher.clone();
        let hash = tokio::task::spawn_blocking(move || hasher.hash(&password)).await;
        Ok(hash.map_err(|_| AccountError::Cancelled)??)
    }

    /// Checks on a blocking thread, a few at a time; without a stored hash as long as with one.
    pub(super) async fn check(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<Verdict, AccountError> {
        let _permit = self
            .hashing
            .acquire()
            .await
            .map_err(|_| AccountError::Cancelled)?;
        let hasher = self.hasher.clone();
        let old = self.directory().old_hash().map(str::to_owned);
        let check = move || hasher.check(&password, stored.as_deref(), old.as_deref());
        let verdict = tokio::task::spawn_blocking(check).await;
        verdict.map_err(|_| AccountError::Cancelled)
    }
}

/// What an address is counted under.
fn address_key(address: IpAddr) -> String {
    network(address).to_string()
}
