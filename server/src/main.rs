//! The `railfleet` command.
fn main() {}
