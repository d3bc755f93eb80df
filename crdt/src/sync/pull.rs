//! Answering a pull: what changed since a cursor, folded per entity.

use super::cursor::Cursor;
use super::depot::Depot;
use super::digest::{Digest, digest_of_view};
use super::page::{Page, Slot};
use crate::clock::LogPosition;
use crate::collapsed::{EntityView, Handle, StoreError, updates_since};
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};

/// What a device asks for.
#[derive(Clone, Copy, Debug)]
pub struct PullRequest {
    /// The device of the authenticated session.
    pub device: DeviceId,
    /// Where it is.
    pub cursor: Cursor,
    /// Most entities in the answer, at least 1.
    pub entities_max: usize,
    /// Whether the last page carries a digest of the whole view; costs a hash of every entity in scope.
    pub with_digest: bool,
}

impl Depot {
    /// One page from the cursor. Asking acknowledges everything at or below `cursor.complete`.
    ///
    /// `in_scope` says which entities the device may see. A scope must only change together with a record that touches
    /// the entity, or the device keeps what it had.
    ///
    /// # Errors
    /// [`StoreError`] when an entity is damaged in memory.
    pub fn pull(
        &mut self,
        request: &PullRequest,
        in_scope: &dyn Fn(Handle) -> bool,
    ) -> Result<Page, StoreError> {
        if let Some(device) = self.devices.get_mut(&request.device) {
            device.acknowledged = device
                .acknowledged
                .max(request.cursor.complete.min(self.head));
        }
        let from = request.cursor;
        let slots_from = if holds(Rule::SlotsFromCompletePoint) {
            from.complete
        } else {
            from.reached
        };
        let mut page = Page {
            from,
            upto: self.head.max(from.reached),
            head: self.head.max(from.reached),
            created: Vec::new(),
            entities: Vec::new(),
            deleted: Vec::new(),
            manifest: None,
            digest: None,
        };
        let mut taken = 0;
        let mut changed = self
            .store
            .changed_since(from.reached)
            .filter(|(_, handle)| in_scope(*handle))
            .peekable();
        while let Some((position, handle)) = changed.next() {
            self.add_entity(handle, slots_from, &mut page)?;
            taken += 1;
            if taken >= request.entities_max.max(1) && changed.peek().is_some() {
                page.upto = position;
                break;
            }
        }
        drop(changed);
        page.created.sort_unstable_by_key(|(handle, _, _)| *handle);
        page.entities.sort_unstable_by_key(|(handle, _)| *handle);
        page.deleted.sort_unstable();
        if page.is_last() {
            self.complete(request, in_scope, &mut page)?;
        }
        Ok(page)
    }

    fn add_entity(
        &self,
        handle: Handle,
        from: LogPosition,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        if !self.store.is_live(handle) {
            page.deleted.push(handle);
            return Ok(());
        }
        if self
            .store
            .created(handle)
            .is_some_and(|created| created > from)
            && let Some((table, id)) = self.store.name(handle)
        {
            page.created.push((handle, table.number, id.into()));
        }
        let entity = self.store.get(handle)?;
        let mut slots = Vec::new();
        for (number, field) in entity.fields() {
            updates_since(field, from, &mut |update| {
                slots.push(Slot {
                    field: number,
                    update,
                })
            });
        }
        if !slots.is_empty() {
            page.entities.push((handle, slots));
        }
        Ok(())
    }

    /// What only the last page carries: the list of what lives for a device behind the floor, and the digest.
    fn complete(
        &self,
        request: &PullRequest,
        in_scope: &dyn Fn(Handle) -> bool,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        let live = || self.store.live().filter(|handle| in_scope(*handle));
        if request.cursor.complete < self.floor && holds(Rule::ManifestBelowFloor) {
            page.manifest = Some(live().collect());
        }
        if request.with_digest {
            let mut digest = Digest::default();
            for handle in live() {
                let entity = self.store.get(handle)?;
                digest = digest.with(digest_of_view(
                    entity.table(),
                    handle,
                    &EntityView::of(&entity),
                ));
            }
            page.digest = Some(digest);
        }
        Ok(())
    }
}
