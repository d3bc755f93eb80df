//! Which commands on a policy become events. Hashes and signatures are checked before, by who has the keys.

use serde_json::{Map, Value, json};

use super::TEXT_BYTES_MAX;
use super::schema::{self, SCHEMA};
use super::view::InForce;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::schema::draft::members;

/// Most characters of a name.
const NAME_CHARS_MAX: usize = 100;
/// Words that have a meaning of their own where a name could stand in a path.
const RESERVED: &[&str] = &["active", "generate-keypair", "list", "upload"];

/// A command on a policy.
#[derive(Clone, PartialEq, Debug)]
pub enum PolicyCommand {
    /// Have this document from here on. Signatures of the one before are void.
    Upload {
        /// The document, as it is to be signed.
        text: String,
        /// Of the document without its hash, hexadecimal.
        sha256: String,
    },
    /// Be signed. The caller has verified it.
    Sign {
        /// Hexadecimal.
        signature: String,
        /// Hexadecimal.
        public_key: String,
    },
    /// Be in force, as it is now.
    Activate,
    /// Be in force no more.
    Deactivate,
    /// Be kept no more.
    Delete,
}

/// Refuses what cannot be a policy's name: a file of that name must be safe wherever somebody saves it.
///
/// # Errors
/// `Invalid`.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let refused = |text: String| Err(Refusal::invalid("policy_name", "value_error", text));
    let is_known = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return refused(format!("must have 1 to {NAME_CHARS_MAX} characters"));
    }
    if !name.chars().all(is_known) || name.starts_with(['.', '-']) || name.contains("..") {
        return refused(
            "must be made of letters, digits, _ and -, with single dots between them".to_owned(),
        );
    }
    if RESERVED.contains(&name) {
        return refused(format!("must not be one of {}", RESERVED.join(", ")));
    }
    Ok(())
}

/// The events that `command` causes on a policy, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Invalid` for a document that is too long, `Rule` for putting into force what
/// is not signed, `Conflict` for deleting what is in force.
pub fn decide(
    policy: &Folded,
    command: &PolicyCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if !policy.exists() && !matches!(command, PolicyCommand::Upload { .. }) {
        return Err(Refusal::missing("policy_not_found", "Policy not found"));
    }
    let text_of = |key: &str| policy.text(key).map(str::to_owned);
    let drafts = match command {
        PolicyCommand::Upload { text, .. } if text.len() > TEXT_BYTES_MAX => {
            let text = format!("has more than {TEXT_BYTES_MAX} bytes");
            return Err(Refusal::invalid("policy_data", "too_long", text));
        }
        PolicyCommand::Upload { text, .. } if text_of("text").as_ref() == Some(text) => Vec::new(),
        PolicyCommand::Upload { text, sha256 } => {
            let data = json!({
                "text": text, "sha256": sha256, "uploaded_by": asked.by, "uploaded_at": asked.time(),
                "signature": null, "public_key": null, "signed_by": null, "signed_at": null,
            });
            vec![draft(schema::UPLOADED, data)]
        }
        PolicyCommand::Sign {
            signature,
            public_key,
        } => {
            let has_it = text_of("signature").as_ref() == Some(signature)
                && text_of("public_key").as_ref() == Some(public_key);
            let data = json!({
                "signature": signature, "public_key": public_key,
                "signed_by": asked.by, "signed_at": asked.time(),
            });
            if has_it {
                Vec::new()
            } else {
                vec![draft(schema::SIGNED, data)]
            }
        }
        PolicyCommand::Activate => {
            let (Some(text), Some(sha256), Some(signature), Some(public_key)) = (
                text_of("text"),
                text_of("sha256"),
                text_of("signature"),
                text_of("public_key"),
            ) else {
                let text = "The policy is not signed; sign it before it comes into force";
                return Err(Refusal::rule("policy_name", "not_signed", text));
            };
            let new = InForce {
                text,
                sha256,
                signature,
                public_key,
            };
            if in_force(policy).as_ref() == Some(&new) {
                return Ok(Vec::new());
            }
            let data = json!({
                "text": new.text, "sha256": new.sha256, "signature": new.signature,
                "public_key": new.public_key, "activated_by": asked.by, "activated_at": asked.time(),
            });
            vec![draft(schema::ACTIVATED, data)]
        }
        PolicyCommand::Deactivate if !is_active(policy) => Vec::new(),
        PolicyCommand::Deactivate => vec![draft(schema::DEACTIVATED, json!({}))],
        PolicyCommand::Delete if is_active(policy) => {
            let text = "The policy is in force; put another into force first, or deactivate it";
            return Err(Refusal::conflict("policy_name", "policy_in_force", text));
        }
        PolicyCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}

/// Whether it is in force.
pub fn is_active(policy: &Folded) -> bool {
    policy.exists() && policy.is_true("is_active")
}

/// What of it is in force, if it is: not what was uploaded since.
pub fn in_force(policy: &Folded) -> Option<InForce> {
    let text_of = |key: &str| policy.text(key).map(str::to_owned);
    if !is_active(policy) {
        return None;
    }
    Some(InForce {
        text: text_of("active_text")?,
        sha256: text_of("active_sha256")?,
        signature: text_of("active_signature")?,
        public_key: text_of("active_public_key")?,
    })
}

/// Nulls are kept: they void what was before.
fn draft(event_type: &'static str, data: Value) -> EventDraft {
    SCHEMA.draft(event_type, members(data))
}
