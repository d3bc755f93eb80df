#![no_main]

fuzz::target!(server::fuzzing::event);
