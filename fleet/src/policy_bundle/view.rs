//! The row of a policy in the read model.

use serde_json::{Map, Value};

use super::decide::is_active;
use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "sha256",
    "signature",
    "public_key",
    "uploaded_by",
    "uploaded_at",
    "signed_by",
    "signed_at",
    "activated_by",
    "activated_at",
];

/// A document that is in force, with what proves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// The document, as it was signed.
    pub text: String,
    /// Of the document without its hash, hexadecimal.
    pub sha256: String,
    /// Hexadecimal.
    pub signature: String,
    /// Hexadecimal.
    pub public_key: String,
}

/// The row; `None` when there is none. The document itself is not part of it.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(id, FIELDS, state)?;
    row.insert("policy_name".to_owned(), id.into());
    row.insert("is_active".to_owned(), is_active(state).into());
    Some(row)
}
