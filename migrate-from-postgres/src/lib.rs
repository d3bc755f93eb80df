//! The Phase 2 importer.
