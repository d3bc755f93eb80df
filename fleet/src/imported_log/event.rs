//! The events of an imported log: names. The fields are in [`super::schema`].

/// A row as the old database held it.
pub const LOG_ROW_IMPORTED: &str = "LogRowImported";
