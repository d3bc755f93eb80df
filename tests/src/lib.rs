//! The harness of the end-to-end and fault tests: starts the real programs, breaks what surrounds them, and looks.

pub mod client;
pub mod load;
