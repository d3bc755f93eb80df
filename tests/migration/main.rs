//! The importer against real PostgreSQL servers: every shape of a Phase 2 database, every fault on the way.

mod importing;
mod interruptions;
mod program;
mod reading;
mod refusals;
mod served;
