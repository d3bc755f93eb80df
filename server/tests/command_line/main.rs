//! The `railfleet` program as its operator and its clients meet it: processes, exit codes, sockets, signals.

#![expect(clippy::unwrap_used, reason = "a test panics where its set-up fails")]

mod demo;
mod folders;
mod harness;
mod serving;
