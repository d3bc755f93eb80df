//! What is asked of every peer: workload S ([`single`]), workload C ([`many`]), and the small ones beside them.

pub mod counters;
pub mod many;
pub mod memory;
pub mod offline;
pub mod sets;
pub mod single;

use crate::figures::Figures;
use crate::peer::Peer;
use crate::seed::FIELDS;

/// A peer at a workload: takes its turn in every round.
pub trait Turn {
    /// Measures once what takes time.
    fn round(&mut self, figures: &mut Figures);
}

/// The level of zstd that answers are compressed with.
const ZSTD_LEVEL: i32 = 3;

/// How long the bytes are after zstd.
pub fn zstd_bytes(bytes: &[u8]) -> f64 {
    let packed = zstd::bulk::compress(bytes, ZSTD_LEVEL).expect("memory to memory");
    packed.len() as f64
}

/// Every field shows the same on both sides, or the peer is not used rightly here.
fn check_equal<P: Peer>(server: &P::Server, device: &P::Device, entities: usize) {
    for entity in 0..entities {
        for field in 0..FIELDS {
            let (here, there) = (
                P::on_server(server, entity, field),
                P::on_device(device, entity, field),
            );
            assert_eq!(here, there, "{}: entity {entity}, field {field}", P::NAME);
        }
    }
}
