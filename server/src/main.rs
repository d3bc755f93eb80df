//! The `railfleet` command.

use std::process::ExitCode;

/// A request's memory is taken on one thread and given back on another, all day long: glibc's allocator locks for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::cli::run(std::env::args_os())
}
