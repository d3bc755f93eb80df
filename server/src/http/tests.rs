//! Tests of the whole service without a socket: a real log in a folder of its own, real accounts, one request at a time.

mod accounts;
mod analytics;
mod appending;
mod bad_input;
mod contract;
mod damaged;
mod described;
mod documents;
mod edge;
mod finance;
pub(in crate::http) mod harness;
mod hr;
mod lanes;
mod live;
mod maintenance;
mod operations;
mod order_items;
mod policies;
mod procurement;
mod raw_events;
mod reading;
mod reports;
mod socket;
mod stock;
mod vehicles;
