#![no_main]

fuzz::target!(crdt::fuzzing::checkpoint);
