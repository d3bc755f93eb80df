//! Policies' bodies, as the description shows them.
#![expect(dead_code, reason = "only their schemas are used")]

use serde_json::Value;
use utoipa::ToSchema;

/// A policy to upload.
#[derive(ToSchema)]
pub(crate) struct PolicyUpload {
    /// 1 to 100 letters, digits, `_`, `-` and single dots.
    #[schema(example = "scheduler_conflict_policy")]
    policy_name: String,
    /// `rules` names for each field `workshop_authoritative`, `dispatcher_authoritative` or `last_write_wins`;
    /// `permissions` names for `workshop`, `dispatcher` and `fleet_manager` the fields that each may change.
    #[schema(value_type = Object)]
    policy_data: Value,
    /// Of one that was signed elsewhere: the key, 64 hexadecimal digits.
    public_key_hex: Option<String>,
    /// Of one that was signed elsewhere: the signature, 128 hexadecimal digits.
    signature: Option<String>,
}

/// A policy.
#[derive(ToSchema)]
pub(crate) struct Policy {
    policy_name: String,
    /// The document, with its hash under `_hash`.
    #[schema(value_type = Object)]
    policy_data: Value,
    /// Of the document without `_hash`, keys sorted, without blanks.
    sha256_hash: String,
    /// Whether it carries a good signature by the key that was asked for, or by one that is trusted.
    signature_verified: bool,
    signature: Option<String>,
    /// The key that signed it.
    public_key_hex: Option<String>,
    /// Whether it is in force; perhaps as it was before this upload.
    is_active: bool,
    /// What is signed, byte for byte.
    signed_text: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: u64,
}

/// A policy in a list.
#[derive(ToSchema)]
pub(crate) struct PolicyListed {
    name: String,
    /// The name of its file, where somebody saves it.
    path: String,
    has_signature: bool,
    sha256_hash: String,
    public_key_hex: Option<String>,
    is_active: bool,
}

/// A page of policies.
#[derive(ToSchema)]
pub(crate) struct PolicyList {
    policies: Vec<PolicyListed>,
    /// How many there are in all pages.
    total: u64,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}

/// How to sign: with a key, or by a signature that was made elsewhere.
#[derive(ToSchema)]
pub(crate) struct PolicySign {
    /// 64 hexadecimal digits.
    private_key_hex: Option<String>,
    /// 128 hexadecimal digits, over `signed_text`.
    signature: Option<String>,
    /// The key that made the signature.
    public_key_hex: Option<String>,
}

/// A policy that was signed.
#[derive(ToSchema)]
pub(crate) struct PolicySigned {
    policy_name: String,
    /// The name of the signature's file, where somebody saves it.
    signature_file: String,
    signature: String,
    public_key_hex: String,
    message: String,
    /// What `If-Match` may ask for.
    version: u32,
    position: u64,
}

/// A key to sign policies with.
#[derive(ToSchema)]
pub(crate) struct PolicyKeypair {
    private_key_hex: String,
    public_key_hex: String,
    warning: String,
}

/// A policy's record, without the document.
#[derive(ToSchema)]
pub(crate) struct PolicyRow {
    id: String,
    policy_name: String,
    is_active: bool,
    sha256: String,
    signature: Option<String>,
    public_key: Option<String>,
    uploaded_by: Option<String>,
    uploaded_at: Option<String>,
    signed_by: Option<String>,
    signed_at: Option<String>,
    activated_by: Option<String>,
    activated_at: Option<String>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    position: u64,
}

/// The field policy in force.
#[derive(ToSchema)]
pub(crate) struct ActivePolicy {
    /// Null for the built-in one.
    policy_name: Option<String>,
    #[schema(value_type = Object)]
    policy_data: Value,
    sha256_hash: Option<String>,
    signature: Option<String>,
    public_key_hex: Option<String>,
    signature_verified: bool,
    signed_text: Option<String>,
    /// The position of the log that this reflects.
    position: u64,
}
