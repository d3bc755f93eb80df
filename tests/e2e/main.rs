//! One binary for all end-to-end and fault tests.
