//! The events of security: names. The fields are in [`super::schema`].

/// A login was refused without an account to tell it of, or before a password was looked at.
pub const LOGIN_REFUSED: &str = "LoginRefused";
/// A request to change something was refused.
pub const WRITE_REFUSED: &str = "WriteRefused";
/// More was refused than is told one by one.
pub const REFUSALS_SUMMED_UP: &str = "RefusalsSummedUp";
/// Somebody went through the accounts and what they may do.
pub const ACCESS_REVIEWED: &str = "AccessReviewed";
