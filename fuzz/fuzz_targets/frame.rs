#![no_main]

fuzz::target!(crdt::fuzzing::frame);
