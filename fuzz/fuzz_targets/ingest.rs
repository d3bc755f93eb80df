#![no_main]

fuzz::target!(server::fuzzing::ingested);
