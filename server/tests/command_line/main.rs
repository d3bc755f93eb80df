//! The `railfleet` program as its operator and its clients meet it: processes, exit codes, sockets, signals.

mod demo;
mod folders;
mod harness;
mod serving;
