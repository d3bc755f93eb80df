//! crdts: a `Map` of `MVReg` an entity, by operations. It has no encoding and no pull of its own: serde and bincode write
//! it, and a device is sent the entities whole whose clock it does not cover.

use super::Peer;
use crate::seed::{Edit, FIELDS, field_name, first_value};
use crdts::map::Op;
use crdts::{CmRDT, CvRDT, MVReg, Map, VClock, mvreg};

/// See the module.
#[derive(Debug)]
pub struct CrdtsMap;

type Register = MVReg<String, u32>;
type Entity = Map<String, Register, u32>;
type Operation = (u32, Op<String, Register, u32>);

/// The entities as they begin.
#[derive(Debug)]
pub struct Start(Vec<Entity>);

/// A device's entities and what it did.
#[derive(Debug)]
pub struct Device {
    actor: u32,
    entities: Vec<Entity>,
    done: Vec<Operation>,
}

fn write(entity: &Entity, actor: u32, field: usize, value: &str) -> Op<String, Register, u32> {
    let context = entity.read_ctx().derive_add_ctx(actor);
    entity.update(field_name(field), context, |register, context| {
        let mvreg::Op::Put { clock, val } = register.write(value.to_owned(), context);
        mvreg::Op::Put { clock, val }
    })
}

/// The greatest of what stands side by side.
fn value_in(entity: &Entity, field: usize) -> String {
    let register = entity.get(&field_name(field).to_owned()).val;
    let values = register.expect("every field has a value").read().val;
    values.into_iter().max().expect("at least one")
}

fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    bincode::serialize(value).expect("plain data")
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    bincode::deserialize(bytes).expect("it was serialized here")
}

impl Peer for CrdtsMap {
    const NAME: &'static str = "crdts Map";
    type Start = Start;
    type Server = Vec<Entity>;
    type Device = Device;
    type Answer = ();

    fn start(entities: usize) -> Start {
        let entity = |number| {
            let mut entity = Entity::new();
            for field in 0..FIELDS {
                let operation = write(&entity, 0, field, &first_value(number, field));
                entity.apply(operation);
            }
            entity
        };
        Start((0..entities).map(entity).collect())
    }

    fn server(start: &Start) -> Vec<Entity> {
        start.0.clone()
    }

    fn device(start: &Start, number: usize) -> Device {
        Device {
            actor: u32::try_from(number + 1).expect("few devices"),
            entities: start.0.clone(),
            done: Vec::new(),
        }
    }

    fn edit(device: &mut Device, edit: &Edit) -> Vec<u8> {
        let entity = &mut device.entities[edit.entity];
        let operation = write(entity, device.actor, edit.field, &edit.value);
        entity.apply(operation.clone());
        let number = u32::try_from(edit.entity).expect("few entities");
        let operation = (number, operation);
        let bytes = encode(&operation);
        device.done.push(operation);
        bytes
    }

    fn push(device: &mut Device) -> Vec<u8> {
        device.done.iter().flat_map(encode).collect()
    }

    fn merge(server: &mut Vec<Entity>, _: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let read = bincode::deserialize_from(&mut bytes);
            let (entity, operation): Operation = read.expect("a device's operation");
            server[entity as usize].apply(operation);
        }
    }

    fn hear(_: &mut Device, (): ()) {}

    fn state(server: &mut Vec<Entity>) -> Vec<u8> {
        encode(server)
    }

    fn request(device: &mut Device) -> Vec<u8> {
        let clock = |entity: &Entity| entity.read_ctx().add_clock;
        encode(&device.entities.iter().map(clock).collect::<Vec<_>>())
    }

    fn answer(server: &mut Vec<Entity>, _: usize, request: &[u8]) -> Vec<u8> {
        let clocks: Vec<VClock<u32>> = decode(request);
        let behind = |(number, (entity, known)): (usize, (&Entity, VClock<u32>))| {
            let clock = entity.read_ctx().add_clock;
            (clock != known).then(|| (number as u32, entity.clone()))
        };
        let changed = server.iter().zip(clocks).enumerate();
        encode(&changed.filter_map(behind).collect::<Vec<_>>())
    }

    fn apply(device: &mut Device, answer: &[u8]) {
        for (number, entity) in decode::<Vec<(u32, Entity)>>(answer) {
            device.entities[number as usize].merge(entity);
        }
    }

    fn on_server(server: &Vec<Entity>, entity: usize, field: usize) -> String {
        value_in(&server[entity], field)
    }

    fn on_device(device: &Device, entity: usize, field: usize) -> String {
        value_in(&device.entities[entity], field)
    }
}
