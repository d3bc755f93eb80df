//! A depot as bytes: a checkpoint from which a server goes on without folding its log from the beginning.
//!
//! ```text
//! depot   = 05 head floor time_ms devices former* store
//! devices = n (seen, chain 8 B, heard, registered_ms, expired 1 B, n (number gap, chain 8 B, verdict)*,
//!           n (number gap, handle)*)*
//! former* = n (device, number there, chain 8 B, verdict)*
//! store   = n (flags 1 B, table, created, changed - created, entity at rest)* n (marker gap, handle)*
//! ```
//!
//! What devices have asked from is not part of it, as it is not in the log: like a fold from the beginning, a depot that
//! was read back holds up compaction until each of them has asked again.

use super::chain::Chain;
use super::depot::Depot;
use super::device::{Device, Unheard};
use super::operation::Former;
use super::verdict::Verdict;
use crate::clock::LogPosition;
use crate::collapsed::{EntityStore, Handle};
use crate::entity::EntityTable;
use crate::replica::DeviceId;
use crate::wire::{DecodeError, Reader, Wire as _, Writer};

const FORMAT: u8 = 5;

impl Depot {
    /// The depot as bytes. Costs a copy of every packed entity; nothing changes.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.byte(FORMAT);
        self.head.encode(&mut writer);
        self.floor.encode(&mut writer);
        writer.varint(self.last_time_ms);
        writer.count(self.devices.values().count());
        for device in self.devices.values() {
            save_device(device, &mut writer);
        }
        writer.count(self.renumbered.len());
        for (former, first) in &self.renumbered {
            former.device.encode(&mut writer);
            writer.varint(former.seq);
            writer.raw(&former.chain.to_be_bytes());
            first.encode(&mut writer);
        }
        self.store.save(&mut writer);
        writer.into_bytes()
    }

    /// Reads what [`Depot::save`] wrote, of a depot with these tables. `decoded_max`: see [`EntityStore::new`].
    ///
    /// # Errors
    /// Bytes that are none, of another format, or of other tables. Entities are not decoded before they are asked for:
    /// keep a checksum beside the bytes.
    pub fn restore(
        tables: &'static [&'static EntityTable],
        decoded_max: usize,
        bytes: &[u8],
    ) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let format = reader.byte()?;
        if format != FORMAT {
            return Err(DecodeError::UnknownTag {
                what: "checkpoint format",
                found: format.into(),
            });
        }
        let mut depot = Depot::new(tables, decoded_max);
        depot.head = LogPosition::decode(&mut reader)?;
        depot.floor = LogPosition::decode(&mut reader)?;
        depot.last_time_ms = reader.varint()?;
        for _ in 0..reader.count(14)? {
            let device = restore_device(depot.devices.next(), &mut reader)?;
            depot.devices.push(device);
        }
        for _ in 0..reader.count(11)? {
            let former = Former {
                device: DeviceId::decode(&mut reader)?,
                seq: reader.varint()?,
                chain: eight_bytes(&mut reader)?,
            };
            let first = Verdict::decode(&mut reader)?;
            depot.renumbered.insert(former, first);
        }
        depot.store = EntityStore::restore(tables, decoded_max, &mut reader)?;
        reader.finish()?;
        Ok(depot)
    }
}

fn save_device(device: &Device, writer: &mut Writer) {
    writer.varint(device.seen);
    writer.raw(&device.chain.0.to_be_bytes());
    writer.varint(device.acknowledged_verdicts);
    writer.varint(device.registered_ms);
    writer.byte(device.expired.into());
    let mut before = 0;
    writer.count(device.all_unheard().len());
    for waiting in device.all_unheard() {
        writer.varint(waiting.seq.wrapping_sub(before));
        writer.raw(&waiting.chain.0.to_be_bytes());
        waiting.verdict.encode(writer);
        before = waiting.seq;
    }
    before = 0;
    writer.count(device.created.len());
    for (seq, handle) in &device.created {
        writer.varint(seq.wrapping_sub(before));
        writer.varint(handle.0.into());
        before = *seq;
    }
}

fn restore_device(number: DeviceId, reader: &mut Reader<'_>) -> Result<Device, DecodeError> {
    let seen = reader.varint()?;
    let chain = Chain(eight_bytes(reader)?);
    let acknowledged_verdicts = reader.varint()?;
    let mut device = Device::new(number, reader.varint()?);
    device.seen = seen;
    device.chain = chain;
    device.acknowledged_verdicts = acknowledged_verdicts;
    device.expired = match reader.byte()? {
        0 => false,
        1 => true,
        found => {
            let (what, found) = ("expired", found.into());
            return Err(DecodeError::UnknownTag { what, found });
        }
    };
    let mut before = 0_u64;
    for _ in 0..reader.count(10)? {
        before = next(before, reader.varint()?)?;
        device.keep(Unheard {
            seq: before,
            chain: Chain(eight_bytes(reader)?),
            verdict: Verdict::decode(reader)?,
        });
    }
    before = 0;
    for _ in 0..reader.count(2)? {
        before = next(before, reader.varint()?)?;
        let handle = Handle(reader.varint_u32("handle")?);
        device.created.insert(before, handle);
    }
    Ok(device)
}

fn next(before: u64, gap: u64) -> Result<u64, DecodeError> {
    let what = "operation number";
    before
        .checked_add(gap)
        .ok_or(DecodeError::OutOfRange { what })
}

fn eight_bytes(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let bytes = reader.raw(8)?;
    let bytes = bytes.try_into().map_err(|_| DecodeError::UnexpectedEnd)?;
    Ok(u64::from_be_bytes(bytes))
}
