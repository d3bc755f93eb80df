//! yrs: a document an entity. A device makes the documents that it edits or hears of; of the others it knows the vector.

use super::Peer;
use super::yrs_one::client_of;
use crate::seed::{Edit, FIELDS, field_name, first_value};
use std::collections::BTreeMap;
use std::sync::Arc;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Any, Doc, Map, Out, ReadTxn, StateVector, Transact, Update};

/// See the module.
#[derive(Debug)]
pub struct YrsEach;

/// Every document as an update.
#[derive(Debug)]
pub struct Start {
    updates: Arc<Vec<Vec<u8>>>,
    vector: Vec<u8>,
}

/// A device: documents by entity, as far as they are made.
#[derive(Debug)]
pub struct Device {
    client: u64,
    updates: Arc<Vec<Vec<u8>>>,
    vector: Vec<u8>,
    documents: BTreeMap<usize, Doc>,
}

impl Device {
    fn document(&mut self, entity: usize) -> &Doc {
        let (client, updates) = (self.client, &self.updates);
        self.documents
            .entry(entity)
            .or_insert_with(|| load(&updates[entity], client))
    }
}

fn load(bytes: &[u8], client: u64) -> Doc {
    let document = Doc::with_client_id(client);
    document.get_or_insert_map("e");
    apply_to(&document, bytes);
    document
}

fn apply_to(document: &Doc, bytes: &[u8]) {
    let update = Update::decode_v1(bytes).expect("an update made here");
    let mut transaction = document.transact_mut();
    transaction.apply_update(update).expect("it fits the start");
}

fn value_in(document: &Doc, field: usize) -> String {
    let map = document.get_or_insert_map("e");
    match map.get(&document.transact(), field_name(field)) {
        Some(Out::Any(Any::String(text))) => text.to_string(),
        _ => panic!("every field has text"),
    }
}

/// Entity, length and bytes, one after the other: what a protocol over many documents has to say.
fn put(entity: usize, bytes: &[u8], into: &mut Vec<u8>) {
    let entity = u16::try_from(entity).expect("few entities");
    let length = u16::try_from(bytes.len()).expect("short bytes");
    into.extend_from_slice(&entity.to_be_bytes());
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(bytes);
}

fn parts(mut bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_at_checked(4)?;
        let entity = usize::from(u16::from_be_bytes([head[0], head[1]]));
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (part, rest) = rest.split_at(length);
        bytes = rest;
        Some((entity, part))
    })
}

impl Peer for YrsEach {
    const NAME: &'static str = "yrs, a document an entity";
    type Start = Start;
    type Server = Vec<Doc>;
    type Device = Device;
    type Answer = ();

    fn start(entities: usize) -> Start {
        let mut vector = Vec::new();
        let update = |entity| {
            let document = Doc::with_client_id(1);
            let map = document.get_or_insert_map("e");
            let mut transaction = document.transact_mut();
            for field in 0..FIELDS {
                map.insert(
                    &mut transaction,
                    field_name(field),
                    first_value(entity, field),
                );
            }
            vector = transaction.state_vector().encode_v1();
            transaction.encode_state_as_update_v1(&StateVector::default())
        };
        Start {
            updates: Arc::new((0..entities).map(update).collect()),
            vector,
        }
    }

    fn server(start: &Start) -> Vec<Doc> {
        start.updates.iter().map(|bytes| load(bytes, 2)).collect()
    }

    fn device(start: &Start, number: usize) -> Device {
        Device {
            client: client_of(number),
            updates: Arc::clone(&start.updates),
            vector: start.vector.clone(),
            documents: BTreeMap::new(),
        }
    }

    fn edit(device: &mut Device, edit: &Edit) -> Vec<u8> {
        let document = device.document(edit.entity);
        let map = document.get_or_insert_map("e");
        let mut transaction = document.transact_mut();
        map.insert(
            &mut transaction,
            field_name(edit.field),
            edit.value.as_str(),
        );
        let mut bytes = Vec::new();
        put(edit.entity, &transaction.encode_update_v1(), &mut bytes);
        bytes
    }

    fn push(device: &mut Device) -> Vec<u8> {
        let began = StateVector::decode_v1(&device.vector).expect("its own");
        let mut bytes = Vec::new();
        for (entity, document) in &device.documents {
            put(
                *entity,
                &document.transact().encode_diff_v1(&began),
                &mut bytes,
            );
        }
        bytes
    }

    fn merge(server: &mut Vec<Doc>, _: usize, bytes: &[u8]) {
        for (entity, update) in parts(bytes) {
            apply_to(&server[entity], update);
        }
    }

    fn hear(_: &mut Device, (): ()) {}

    fn state(server: &mut Vec<Doc>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (entity, document) in server.iter().enumerate() {
            let transaction = document.transact();
            put(
                entity,
                &transaction.encode_state_as_update_v1(&StateVector::default()),
                &mut bytes,
            );
        }
        bytes
    }

    fn request(device: &mut Device) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entity in 0..device.updates.len() {
            match device.documents.get(&entity) {
                Some(document) => {
                    let vector = document.transact().state_vector().encode_v1();
                    put(entity, &vector, &mut bytes);
                }
                None => put(entity, &device.vector, &mut bytes),
            }
        }
        bytes
    }

    fn answer(server: &mut Vec<Doc>, _: usize, request: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (entity, vector) in parts(request) {
            let from = StateVector::decode_v1(vector).expect("a device's vector");
            let transaction = server[entity].transact();
            if transaction.state_vector() != from {
                put(entity, &transaction.encode_diff_v1(&from), &mut bytes);
            }
        }
        bytes
    }

    fn apply(device: &mut Device, answer: &[u8]) {
        for (entity, update) in parts(answer) {
            apply_to(device.document(entity), update);
        }
    }

    fn on_server(server: &Vec<Doc>, entity: usize, field: usize) -> String {
        value_in(&server[entity], field)
    }

    fn on_device(device: &Device, entity: usize, field: usize) -> String {
        match device.documents.get(&entity) {
            Some(document) => value_in(document, field),
            None => first_value(entity, field),
        }
    }
}
