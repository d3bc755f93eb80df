//! crdts: bare `LWWReg`s in a map. No identity of what is sent, no history, no conflicts: the floor of what a join costs.

use super::Peer;
use crate::seed::{Edit, FIELDS, first_value};
use crdts::{CvRDT, LWWReg};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub struct CrdtsLww;

/// Time and device: greater wins.
type Marker = (u64, u32);
type Register = LWWReg<String, Marker>;
type Fields = BTreeMap<(u32, u8), Register>;
type Write = ((u32, u8), Register);

/// The fields as they begin.
#[derive(Debug)]
pub struct Start(Fields);

/// A device's fields and what it did.
#[derive(Debug)]
pub struct Device {
    number: u32,
    fields: Fields,
    done: Vec<Write>,
}

fn key(entity: usize, field: usize) -> (u32, u8) {
    let entity = u32::try_from(entity).expect("few entities");
    (entity, u8::try_from(field).expect("few fields"))
}

fn join(fields: &mut Fields, (key, register): Write) {
    match fields.get_mut(&key) {
        Some(held) => {
            held.validate_merge(&register).expect("markers are unique");
            held.merge(register);
        }
        None => {
            fields.insert(key, register);
        }
    }
}

fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    bincode::serialize(value).expect("plain data")
}

impl Peer for CrdtsLww {
    const NAME: &'static str = "crdts LWWReg";
    type Start = Start;
    type Server = Fields;
    type Device = Device;
    type Answer = ();

    fn start(entities: usize) -> Start {
        let mut fields = Fields::new();
        for entity in 0..entities {
            for field in 0..FIELDS {
                let val = first_value(entity, field);
                fields.insert(
                    key(entity, field),
                    LWWReg {
                        val,
                        marker: (0, 0),
                    },
                );
            }
        }
        Start(fields)
    }

    fn server(start: &Start) -> Fields {
        start.0.clone()
    }

    fn device(start: &Start, number: usize) -> Device {
        Device {
            number: u32::try_from(number + 1).expect("few devices"),
            fields: start.0.clone(),
            done: Vec::new(),
        }
    }

    fn edit(device: &mut Device, edit: &Edit) -> Vec<u8> {
        let register = LWWReg {
            val: edit.value.clone(),
            marker: (device.done.len() as u64 + 1, device.number),
        };
        let write = (key(edit.entity, edit.field), register);
        join(&mut device.fields, write.clone());
        let bytes = encode(&write);
        device.done.push(write);
        bytes
    }

    fn push(device: &mut Device) -> Vec<u8> {
        device.done.iter().flat_map(encode).collect()
    }

    fn merge(server: &mut Fields, _: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let write: Write = bincode::deserialize_from(&mut bytes).expect("a device's write");
            join(server, write);
        }
    }

    fn hear(_: &mut Device, (): ()) {}

    fn state(server: &mut Fields) -> Vec<u8> {
        encode(server)
    }

    fn request(_: &mut Device) -> Vec<u8> {
        Vec::new()
    }

    fn answer(server: &mut Fields, _: usize, _: &[u8]) -> Vec<u8> {
        encode(server)
    }

    fn apply(device: &mut Device, answer: &[u8]) {
        let fields: Fields = bincode::deserialize(answer).expect("the server's state");
        for write in fields {
            join(&mut device.fields, write);
        }
    }

    fn on_server(server: &Fields, entity: usize, field: usize) -> String {
        server[&key(entity, field)].val.clone()
    }

    fn on_device(device: &Device, entity: usize, field: usize) -> String {
        device.fields[&key(entity, field)].val.clone()
    }
}
