#![no_main]

fuzz::target!(crdt::fuzzing::page);
