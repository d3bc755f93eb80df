//! automerge: one document, a map an entity. Pull by heads, as its own sync protocol ends up doing between two that know
//! each other's heads.

use super::Peer;
use crate::seed::{Edit, FIELDS, field_name, first_value, id_of};
use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, ChangeHash, ObjId, ObjType, ROOT, ReadDoc};

/// See the module.
#[derive(Debug)]
pub struct Automerge;

/// The saved document.
#[derive(Debug)]
pub struct Start(Vec<u8>);

/// A device's document, and the heads it began with.
#[derive(Debug)]
pub struct Device {
    document: AutoCommit,
    began: Vec<ChangeHash>,
}

fn load(bytes: &[u8]) -> AutoCommit {
    AutoCommit::load(bytes).expect("it was saved here")
}

fn entity_in(document: &AutoCommit, entity: usize) -> ObjId {
    let found = document.get(ROOT, id_of(entity)).expect("a map");
    found.expect("every entity is there from the start").1
}

fn value_in(document: &AutoCommit, entity: usize, field: usize) -> String {
    let entity = entity_in(document, entity);
    let found = document.get(entity, field_name(field)).expect("a map");
    let (value, _) = found.expect("every field has a value");
    value.into_string().expect("it is text")
}

impl Peer for Automerge {
    const NAME: &'static str = "automerge";
    type Start = Start;
    type Server = AutoCommit;
    type Device = Device;
    type Answer = ();

    fn start(entities: usize) -> Start {
        let mut document = AutoCommit::new().with_actor(ActorId::from([0_u8; 16]));
        for entity in 0..entities {
            let map = document
                .put_object(ROOT, id_of(entity), ObjType::Map)
                .expect("a new key");
            for field in 0..FIELDS {
                document
                    .put(&map, field_name(field), first_value(entity, field))
                    .expect("a new key");
            }
        }
        document.commit();
        Start(document.save())
    }

    fn server(start: &Start) -> AutoCommit {
        load(&start.0)
    }

    fn device(start: &Start, number: usize) -> Device {
        let mut actor = [0x5a_u8; 16];
        actor[..8].copy_from_slice(
            &crate::seed::Random::new(number as u64)
                .next_u64()
                .to_be_bytes(),
        );
        let mut document = load(&start.0).with_actor(ActorId::from(actor));
        let began = document.get_heads();
        Device { document, began }
    }

    fn edit(device: &mut Device, edit: &Edit) -> Vec<u8> {
        let before = device.document.get_heads();
        let entity = entity_in(&device.document, edit.entity);
        device
            .document
            .put(&entity, field_name(edit.field), edit.value.as_str())
            .expect("a map");
        device.document.commit();
        device.document.save_after(&before)
    }

    fn push(device: &mut Device) -> Vec<u8> {
        let began = device.began.clone();
        device.document.save_after(&began)
    }

    fn merge(server: &mut AutoCommit, _: usize, bytes: &[u8]) {
        server.load_incremental(bytes).expect("changes of a device");
    }

    fn hear(_: &mut Device, (): ()) {}

    fn state(server: &mut AutoCommit) -> Vec<u8> {
        server.save()
    }

    fn request(device: &mut Device) -> Vec<u8> {
        let heads = device.document.get_heads();
        heads.iter().flat_map(|head| head.0).collect()
    }

    fn answer(server: &mut AutoCommit, _: usize, request: &[u8]) -> Vec<u8> {
        let heads: Vec<ChangeHash> = request
            .chunks_exact(32)
            .map(|head| ChangeHash(head.try_into().expect("32 bytes")))
            .collect();
        server.save_after(&heads)
    }

    fn apply(device: &mut Device, answer: &[u8]) {
        device
            .document
            .load_incremental(answer)
            .expect("changes of the server");
    }

    fn on_server(server: &AutoCommit, entity: usize, field: usize) -> String {
        value_in(server, entity, field)
    }

    fn on_device(device: &Device, entity: usize, field: usize) -> String {
        value_in(&device.document, entity, field)
    }
}
