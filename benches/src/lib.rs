//! What the benches share: machine, timing, table.
