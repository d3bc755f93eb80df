//! The importer that brings a Phase 2 PostgreSQL database over once: not built yet.
//!
//! It exists so that the workspace's map is whole; it offers nothing, and nothing depends on it.
