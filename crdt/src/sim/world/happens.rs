//! What happens to devices and to the server beside what people type: crashes, copies, restarts, and the depot's own writes.

use super::{Failure, World};
use crate::sim::random_change;
use crate::sim::tests::crdt_tables::TABLES;
use crate::sync::{Depot, Record};

impl World {
    pub(super) fn crash(&mut self, index: usize) {
        let device = &mut self.devices[index];
        device.tablet = device.disk.clone();
        device.life += 1;
    }

    /// Folds the log again and compares with the live depot: nothing may depend on having been there.
    pub(super) fn restart_server(&mut self) -> Result<(), Failure> {
        let decoded_max = 1 + self.random.index(8);
        let (saved, rest) = self.log.split_at(self.log.len() * 5 / 7);
        let fold = |depot: &mut Depot, records: &[Record]| {
            let mut folded = records.iter().map(|record| depot.replay(record));
            folded
                .try_for_each(|folded| folded)
                .map_err(|error| format!("C6 {error}"))
        };
        let mut rebuilt = Depot::new(&TABLES, decoded_max);
        fold(&mut rebuilt, saved)?;
        // From a checkpoint and the rest it is what the whole log makes of it.
        let mut from_checkpoint = Depot::restore(&TABLES, decoded_max, &rebuilt.save())
            .map_err(|error| format!("C6 a checkpoint: {error}"))?;
        fold(&mut rebuilt, rest)?;
        fold(&mut from_checkpoint, rest)?;
        if from_checkpoint.save() != rebuilt.save() {
            return Err("C6 a checkpoint and the rest differ from the whole log".to_owned());
        }
        self.depot = from_checkpoint;
        Ok(())
    }

    pub(super) fn compact(&mut self) -> Result<(), Failure> {
        let record = self
            .depot
            .compact(self.now_ms)
            .map_err(|error| error.to_string())?;
        self.append(record);
        Ok(())
    }

    pub(super) fn expire(&mut self, index: usize) -> Result<(), Failure> {
        let device = self.devices[index].tablet.device();
        let record = self
            .depot
            .expire(device, self.now_ms)
            .map_err(|error| error.to_string())?;
        self.append(Some(record));
        Ok(())
    }

    pub(super) fn server_write(&mut self) -> Result<(), Failure> {
        let live: Vec<_> = self.depot.store().live().collect();
        let Some(handle) = live.get(self.random.index(live.len())).copied() else {
            return Ok(());
        };
        let Some((table, _)) = self.depot.store().name(handle) else {
            return Ok(());
        };
        let row = self.random.pick(table.fields);
        let change = random_change(&mut self.random, row, 0);
        let head = self.depot.head();
        let record = self
            .depot
            .write(handle, row.number, change, head, 0, self.now_ms)
            .map_err(|error| error.to_string())?;
        self.append(Some(record));
        Ok(())
    }

    pub(super) fn delete(&mut self) -> Result<(), Failure> {
        let live: Vec<_> = self.depot.store().live().collect();
        if live.len() < 2 {
            return Ok(());
        }
        let record = self
            .depot
            .delete(*self.random.pick(&live), self.now_ms)
            .map_err(|error| error.to_string())?;
        self.append(Some(record));
        Ok(())
    }

    /// The store is copied to another tablet, or replaced by its own backup.
    pub(super) fn copy_store(&mut self, index: usize) {
        if self.devices.len() < 6 && self.random.chance(50) {
            let mut copy = self.devices[index].clone();
            copy.tablet = copy.disk.clone();
            copy.life += 1;
            // What the copy holds and has not sent, both will send: the log must have it once.
            self.devices.push(copy);
        } else {
            let device = &mut self.devices[index];
            let (store, received) = device.backup.clone();
            self.truth.lose(&device.tablet, &store);
            device.disk = store.clone();
            device.tablet = store;
            // Not up to the store's base: a download that had begun may have brought more of some entities.
            device.received = received;
            device.life += 1;
        }
    }

    /// The store goes on under a new number, and nobody has told it what of its operations the log has.
    pub(super) fn register_anew(&mut self, index: usize) {
        let number = self.register();
        let device = &mut self.devices[index];
        let refused = device.tablet.reborn(number, 0, &[]);
        self.truth.refused(&refused);
        device.disk = device.tablet.clone();
        device.life += 1;
    }

    pub(super) fn measure_offset(&mut self, index: usize) {
        let device = &mut self.devices[index];
        if device.online {
            device.tablet.clock_mut().set_offset_ms(-device.skew_ms);
        }
    }
}
