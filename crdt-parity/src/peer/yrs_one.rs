//! yrs: one document, a map an entity.
//!
//! Devices have random ids of 32 bits, as Yjs gives them and as yrs does with `small-client`; its ids of 53 bits, the
//! default since 0.28, would make every figure of bytes greater.

use super::Peer;
use crate::seed::{Edit, FIELDS, Random, field_name, first_value, id_of};
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Any, Doc, Map, MapPrelim, MapRef, Out, ReadTxn, StateVector, Transact, Update};

/// See the module.
#[derive(Debug)]
pub struct YrsOne;

/// The whole document as an update.
#[derive(Debug)]
pub struct Start(Vec<u8>);

/// A document, its map of entities, and what it began with.
#[derive(Debug)]
pub struct Replica {
    document: Doc,
    entities: MapRef,
    began: StateVector,
}

pub(super) fn client_of(number: usize) -> u64 {
    Random::new(number as u64 ^ 0xc11e).next_u64() >> 32
}

fn load(bytes: &[u8], client: u64) -> Replica {
    let document = Doc::with_client_id(client);
    let entities = document.get_or_insert_map("entities");
    let mut transaction = document.transact_mut();
    let update = Update::decode_v1(bytes).expect("it was encoded here");
    transaction.apply_update(update).expect("a whole document");
    drop(transaction);
    let began = document.transact().state_vector();
    Replica {
        document,
        entities,
        began,
    }
}

fn entity_in(replica: &Replica, transaction: &impl ReadTxn, entity: usize) -> MapRef {
    match replica.entities.get(transaction, &id_of(entity)) {
        Some(Out::YMap(map)) => map,
        _ => panic!("every entity is there from the start"),
    }
}

fn value_in(replica: &Replica, entity: usize, field: usize) -> String {
    let transaction = replica.document.transact();
    let entity = entity_in(replica, &transaction, entity);
    match entity.get(&transaction, field_name(field)) {
        Some(Out::Any(Any::String(text))) => text.to_string(),
        _ => panic!("every field has text"),
    }
}

impl Peer for YrsOne {
    const NAME: &'static str = "yrs";
    type Start = Start;
    type Server = Replica;
    type Device = Replica;
    type Answer = ();

    fn start(entities: usize) -> Start {
        let document = Doc::with_client_id(1);
        let all = document.get_or_insert_map("entities");
        let mut transaction = document.transact_mut();
        for entity in 0..entities {
            let map = all.insert(&mut transaction, id_of(entity), MapPrelim::default());
            for field in 0..FIELDS {
                map.insert(
                    &mut transaction,
                    field_name(field),
                    first_value(entity, field),
                );
            }
        }
        Start(transaction.encode_state_as_update_v1(&StateVector::default()))
    }

    fn server(start: &Start) -> Replica {
        load(&start.0, 2)
    }

    fn device(start: &Start, number: usize) -> Replica {
        load(&start.0, client_of(number))
    }

    fn edit(device: &mut Replica, edit: &Edit) -> Vec<u8> {
        let mut transaction = device.document.transact_mut();
        let entity = entity_in(device, &transaction, edit.entity);
        entity.insert(
            &mut transaction,
            field_name(edit.field),
            edit.value.as_str(),
        );
        transaction.encode_update_v1()
    }

    fn push(device: &mut Replica) -> Vec<u8> {
        let transaction = device.document.transact();
        transaction.encode_diff_v1(&device.began)
    }

    fn merge(server: &mut Replica, _: usize, bytes: &[u8]) {
        let update = Update::decode_v1(bytes).expect("an update of a device");
        let mut transaction = server.document.transact_mut();
        transaction.apply_update(update).expect("it fits the start");
    }

    fn hear(_: &mut Replica, (): ()) {}

    fn state(server: &mut Replica) -> Vec<u8> {
        let transaction = server.document.transact();
        transaction.encode_state_as_update_v1(&StateVector::default())
    }

    fn request(device: &mut Replica) -> Vec<u8> {
        device.document.transact().state_vector().encode_v1()
    }

    fn answer(server: &mut Replica, _: usize, request: &[u8]) -> Vec<u8> {
        let from = StateVector::decode_v1(request).expect("a device's vector");
        server.document.transact().encode_diff_v1(&from)
    }

    fn apply(device: &mut Replica, answer: &[u8]) {
        let update = Update::decode_v1(answer).expect("an update of the server");
        let mut transaction = device.document.transact_mut();
        transaction.apply_update(update).expect("it fits the start");
    }

    fn on_server(server: &Replica, entity: usize, field: usize) -> String {
        value_in(server, entity, field)
    }

    fn on_device(device: &Replica, entity: usize, field: usize) -> String {
        value_in(device, entity, field)
    }
}
