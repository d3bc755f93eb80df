//! The importer against real PostgreSQL servers: every shape of a Phase 2 database, every fault on the way.

mod changing;
mod exporting;
mod following;
mod guide;
mod hand;
mod importing;
mod interruptions;
mod program;
mod properties;
mod reading;
mod refusals;
mod served;
