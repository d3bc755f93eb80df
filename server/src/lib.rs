//! The `railfleet` server: the only crate that answers HTTP, and the one that joins all others.
//!
//! ```text
//!               ┌──────────────────── lane ─────────────────────┐
//!               │                                               ▼
//! socket ─▶ listener ─▶ http::edge ─▶ router ─▶ http::guard ─▶ handler ─▶ envelope ─▶ append ─▶ storage
//!                                                    │            ▲                              │
//!                                                    ▼            │ reads                        ▼ durable position
//!                                                   auth          └──────────── projection ◀─────┘
//! ```
//!
//! - [`app`] opens everything and makes the service that answers requests; tests speak to it without a socket.
//! - A write: [`http::events`] reads the body, [`envelope`] (with [`json`] and [`rfc3339`]) makes an event of it,
//!   [`append`](mod@append) hands it to the log and waits without a thread.
//! - A read: [`reads`] runs it on a blocking thread and makes long answers chunk by chunk; [`projection`] has the read models.
//! - [`past`] folds any stream to any moment; [`audit`] signs what the log's tree is.
//! - [`auth`] knows who calls; [`http::access`] who may; [`http::problem`] how to say no.
//! - [`sync`] knows the tablets; [`lake`](mod@lake) exports the log as Parquet.
//! - [`ingest`] and [`demo`] bring events in bulk. [`cli`] is the command line, [`config`] what can be set, [`listener`] the
//!   socket, `lane` its short way for writes, [`background`] what runs beside requests, [`metrics`] and [`telemetry`] what is told to operators.
//!
//! Not this crate's business: how events lie on the disk (`storage`), what they mean (`fleet`).

pub mod app;
pub mod append;
pub mod archive;
pub mod audit;
pub mod auth;
pub mod background;
pub mod backups;
pub mod cli;
pub mod command;
pub mod compliance;
pub mod config;
pub mod demo;
mod descriptors;
pub mod envelope;
mod federation;
pub mod field_error;
pub mod figures;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod ingest;
pub mod json;
pub mod lake;
pub(crate) mod lane;
pub mod learn;
pub mod listener;
pub mod metrics;
pub mod past;
pub mod policy;
pub mod privacy;
pub mod projection;
pub mod reads;
pub mod rfc3339;
pub mod sync;
mod systemd;
pub mod telemetry;
pub mod tls;
