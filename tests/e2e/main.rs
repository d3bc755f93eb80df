//! End-to-end and fault tests: one binary, the real programs, every wait with a limit.
//!
//! What needs more than the toolchain (the fault tools beside the workspace, Python, FUSE, the right to mount, a browser)
//! says `SKIPPED` on standard error where that is missing. `RAILFLEET_FAULTS=all` runs the long forms.

mod power_cut;
mod system_calls;

/// The load client, as cargo built it for these tests.
fn load() -> &'static str {
    env!("CARGO_BIN_EXE_railfleet-load")
}
