//! A client that costs little: it shares the processor with the server that it measures.
//!
//! Requests are built once and only a number in them changes; answers are looked at just far enough to find their end.

pub mod answer;
pub mod connection;
pub mod load;
pub mod request;
