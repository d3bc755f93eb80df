//! loro: one document, a map an entity.

use super::Peer;
use crate::seed::{Edit, FIELDS, Random, field_name, first_value, id_of};
use loro::{ExportMode, LoroDoc, LoroMap, VersionVector};

/// See the module.
#[derive(Debug)]
pub struct Loro;

/// A snapshot.
#[derive(Debug)]
pub struct Start(Vec<u8>);

/// A device's document, and what it began with.
#[derive(Debug)]
pub struct Device {
    document: LoroDoc,
    began: VersionVector,
}

fn load(bytes: &[u8]) -> LoroDoc {
    LoroDoc::from_snapshot(bytes).expect("it was exported here")
}

fn entity_in(document: &LoroDoc, entity: usize) -> LoroMap {
    let found = document.get_map("entities").get(&id_of(entity));
    let container = found.and_then(|found| found.into_container().ok());
    container
        .and_then(|container| container.into_map().ok())
        .expect("every entity is there from the start")
}

fn value_in(document: &LoroDoc, entity: usize, field: usize) -> String {
    let found = entity_in(document, entity).get(field_name(field));
    let value = found.and_then(|found| found.into_value().ok());
    let text = value.and_then(|value| value.into_string().ok());
    text.expect("every field has text").to_string()
}

fn updates(document: &LoroDoc, from: &VersionVector) -> Vec<u8> {
    document
        .export(ExportMode::updates(from))
        .expect("its own updates")
}

impl Peer for Loro {
    const NAME: &'static str = "loro";
    type Start = Start;
    type Server = LoroDoc;
    type Device = Device;
    type Answer = ();

    fn start(entities: usize) -> Start {
        let document = LoroDoc::new();
        document.set_peer_id(1).expect("a new document");
        let all = document.get_map("entities");
        for entity in 0..entities {
            let map = all
                .insert_container(&id_of(entity), LoroMap::new())
                .expect("a new key");
            for field in 0..FIELDS {
                map.insert(field_name(field), first_value(entity, field))
                    .expect("a new key");
            }
        }
        document.commit();
        Start(document.export(ExportMode::Snapshot).expect("a snapshot"))
    }

    fn server(start: &Start) -> LoroDoc {
        load(&start.0)
    }

    fn device(start: &Start, number: usize) -> Device {
        let document = load(&start.0);
        let peer = Random::new(number as u64).next_u64() >> 1;
        document.set_peer_id(peer).expect("nothing is pending");
        let began = document.oplog_vv();
        Device { document, began }
    }

    fn edit(device: &mut Device, edit: &Edit) -> Vec<u8> {
        let before = device.document.oplog_vv();
        entity_in(&device.document, edit.entity)
            .insert(field_name(edit.field), edit.value.as_str())
            .expect("a map");
        device.document.commit();
        updates(&device.document, &before)
    }

    fn push(device: &mut Device) -> Vec<u8> {
        updates(&device.document, &device.began)
    }

    fn merge(server: &mut LoroDoc, _: usize, bytes: &[u8]) {
        server.import(bytes).expect("updates of a device");
    }

    fn hear(_: &mut Device, (): ()) {}

    fn state(server: &mut LoroDoc) -> Vec<u8> {
        server.export(ExportMode::Snapshot).expect("a snapshot")
    }

    fn request(device: &mut Device) -> Vec<u8> {
        device.document.oplog_vv().encode()
    }

    fn answer(server: &mut LoroDoc, _: usize, request: &[u8]) -> Vec<u8> {
        let from = VersionVector::decode(request).expect("a device's vector");
        updates(server, &from)
    }

    fn apply(device: &mut Device, answer: &[u8]) {
        device
            .document
            .import(answer)
            .expect("updates of the server");
    }

    fn on_server(server: &LoroDoc, entity: usize, field: usize) -> String {
        value_in(server, entity, field)
    }

    fn on_device(device: &Device, entity: usize, field: usize) -> String {
        value_in(&device.document, entity, field)
    }
}
