//! The harness of the end-to-end and fault tests: starts the real programs, breaks what surrounds them, and looks.
//!
//! - [`client`] says exactly what goes over the wire; [`server`] runs the real `railfleet` on a folder of its own.
//! - [`process`] sees to it that nothing outlives its test; every wait has a limit.
//! - [`load`] is what `railfleet-load` does: events that can be told from forged ones, handed in and looked for again.
//! - [`aim`] says when to kill what works, and counts what was hit while it worked.
//! - [`fault_tools`] builds and calls the tools beside the workspace, [`crash_disk`] and [`small_disk`] are disks that
//!   remember or run full; [`skip`] says loudly what cannot run here.
//! - [`nats`] is a real broker between depots, [`cable`] a network that can be cut.
//! - [`postgres`] is a real PostgreSQL in a folder of its own, [`phase2`] the databases that the importer meets.
//! - [`port`] gives each of them a port; [`contents`] looks for what may not be in a folder's files; [`examples`] finds what
//!   the documents tell a reader to type.
//!
//! The tests themselves are in `e2e/`, one binary. `docs/reliability.md` says which fault each of them covers.

pub mod aim;
pub mod cable;
pub mod client;
pub mod contents;
pub mod crash_disk;
pub mod examples;
pub mod fault_tools;
pub mod load;
pub mod nats;
pub mod phase2;
pub mod port;
pub mod postgres;
pub mod process;
pub mod server;
pub mod skip;
pub mod small_disk;
