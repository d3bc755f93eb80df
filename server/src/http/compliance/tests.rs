//! Persons are erased, reports say what is so.

mod erasure;
mod reports;
