//! The `railfleet` command.

use std::process::ExitCode;

/// A request's memory is taken on one thread and given back on another, all day long: glibc's allocator locks for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Each thread's heap begins with little of many pages. Two megabytes of zeros for each of them double the server's memory,
    // and a crowd that comes at once waits seconds for them. Where the system does not know this, it goes on as it was.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    server::cli::run(std::env::args_os())
}
