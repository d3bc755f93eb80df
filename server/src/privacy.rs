//! Personal data, so that it can be erased from a log that never changes.
//!
//! On the data path this is the log's veil ([`storage::Veil`]): what event schemas mark personal, and the e-mail address, IP
//! address and user agent in metadata, are encrypted under a key of the person's own before an event enters the log, and
//! decrypted where one leaves it. [`subject`] says whose a field is, [`field`] is the cipher, [`splice`] puts values into JSON
//! text without touching the rest, [`store`] keeps the keys apart from the log. To erase a person is to destroy their key:
//! nothing in the log changes, every proof holds, and nobody reads the fields again.

/// The master key's file in the folder of keys, where the configuration names none.
pub const MASTER_FILE_NAME: &str = "master.key";

pub mod aside;
pub mod erase;
mod field;
mod file;
mod lines;
pub mod lost;
mod master;
mod splice;
pub mod store;
pub mod subject;
#[cfg(test)]
mod tests;
mod veil;

pub use field::{ERASED, KEY_LOST};
pub use store::{Erased, KeyStore, StoreError, SubjectStatus};
pub use subject::Subject;
pub use veil::Privacy;
