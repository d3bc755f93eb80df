//! `crdt-parity-memory`: counts what an entity takes in memory, and says it as JSON. `crdt-parity` runs it.

use crdt_parity::workload::memory;
use peak_alloc::PeakAlloc;
use std::io::Write;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn main() -> std::io::Result<()> {
    let found = memory::measure(&|| ALLOCATOR.current_usage());
    let found: serde_json::Map<String, serde_json::Value> = found
        .into_iter()
        .map(|(peer, bytes)| (peer.to_owned(), bytes.into()))
        .collect();
    writeln!(std::io::stdout(), "{}", serde_json::Value::Object(found))
}
