//! Inputs of all kinds, taken into real logs: once, in order, and again.

mod bad_lines;
mod cloud_events;
mod csv_rows;
mod harness;
mod json_lines;
mod resume;
mod subway;
