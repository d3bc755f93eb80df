//! The events of an import: names. The fields are in [`super::schema`].

/// Rows are being read.
pub const IMPORT_STARTED: &str = "ImportStarted";
/// All rows of a table are in the log.
pub const IMPORT_TABLE_FINISHED: &str = "ImportTableFinished";
/// It ended before its end; it can go on.
pub const IMPORT_INTERRUPTED: &str = "ImportInterrupted";
/// All rows are in the log.
pub const IMPORT_FINISHED: &str = "ImportFinished";
/// Every row was held against what its events fold to.
pub const IMPORT_RECONCILED: &str = "ImportReconciled";
/// The old database is followed no more.
pub const IMPORT_CUT_OVER: &str = "ImportCutOver";
