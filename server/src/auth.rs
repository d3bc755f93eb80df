//! Accounts: who may come in, as what, and how they prove it.
//!
//! Accounts are streams of aggregate type `User` in the log like everything else; what may happen to them is decided in
//! [`fleet::user`]. Here they are folded into a [`directory`] at start and kept live, and joined to what needs secrets
//! and time: [`password`]s, [`token`]s, the [`throttle`] on guessing. [`Accounts`] is the service that HTTP and the
//! command line use. No password and no token is ever logged or stored; of a password the log holds the hash.

mod accounts;
pub(crate) mod breached;
mod credentials;
pub mod directory;
pub mod keys;
pub mod password;
mod sessions;
pub mod throttle;
pub mod token;

pub use accounts::{AccountChange, AccountError, Accounts, NewAccount};
pub use directory::{Account, Directory};
pub use sessions::{Caller, TokenPair};
