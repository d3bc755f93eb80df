//! Who is measured: each as its own documentation sets it up, behind one face.

mod automerge;
mod crdts_lww;
mod crdts_map;
mod loro;
mod ours;
mod yrs_each;
mod yrs_one;

pub use automerge::Automerge;
pub use crdts_lww::CrdtsLww;
pub use crdts_map::CrdtsMap;
pub use loro::Loro;
pub use ours::{Ours, OursLast, depot as ours_depot};
pub use yrs_each::YrsEach;
pub use yrs_one::YrsOne;

use crate::seed::Edit;

/// A way to keep entities of 20 fields on a server and on devices.
///
/// Whatever goes from one to the other goes as bytes, so that encoding and decoding are part of what is measured.
pub trait Peer {
    /// In tables and files.
    const NAME: &'static str;
    /// Everything that all servers and devices of a run begin with.
    type Start;
    /// The server.
    type Server;
    /// A device.
    type Device;
    /// What the server says to a push; `()` where it says nothing.
    type Answer;

    /// The beginning: so many entities, every field with its first value, known to the server and all devices.
    fn start(entities: usize) -> Self::Start;
    /// A server as of the start.
    fn server(start: &Self::Start) -> Self::Server;
    /// A device as of the start.
    fn device(start: &Self::Start, number: usize) -> Self::Device;
    /// The device makes an edit; the bytes of this edit alone.
    fn edit(device: &mut Self::Device, edit: &Edit) -> Vec<u8>;
    /// Everything that the device did since the start, as one body.
    fn push(device: &mut Self::Device) -> Vec<u8>;
    /// The server takes bytes of an edit or a push.
    fn merge(server: &mut Self::Server, number: usize, bytes: &[u8]) -> Self::Answer;
    /// The device hears what became of its push.
    fn hear(device: &mut Self::Device, answer: Self::Answer);
    /// The bytes in which the server's whole state rests.
    fn state(server: &mut Self::Server) -> Vec<u8>;
    /// What the device asks with.
    fn request(device: &mut Self::Device) -> Vec<u8>;
    /// What it is answered.
    fn answer(server: &mut Self::Server, number: usize, request: &[u8]) -> Vec<u8>;
    /// The device takes an answer.
    fn apply(device: &mut Self::Device, answer: &[u8]);
    /// Everything, for a device that has nothing.
    fn download(server: &mut Self::Server) -> Vec<u8> {
        Self::state(server)
    }
    /// How many bytes a request of so many is, as the server hands it out.
    fn handed_out(request_bytes: f64) -> f64 {
        request_bytes
    }
    /// The value that the server shows.
    fn on_server(server: &Self::Server, entity: usize, field: usize) -> String;
    /// The value that the device shows.
    fn on_device(device: &Self::Device, entity: usize, field: usize) -> String;
}
