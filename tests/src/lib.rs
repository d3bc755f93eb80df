//! Harness shared by the end-to-end and fault tests.
