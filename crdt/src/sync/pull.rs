//! Answering a pull: what changed since a cursor, folded per entity.

use super::cursor::Cursor;
use super::depot::Depot;
use super::digest::{Digest, digest_of_view};
use super::frame::Basis;
use super::page::{Page, Slot};
use super::shared::{EncodedPage, PageKey};
use crate::clock::LogPosition;
use crate::collapsed::{CollapsedEntity, EntityView, Handle, StoreError, updates_since};
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a device asks for.
#[derive(Clone, Copy, Debug)]
pub struct PullRequest {
    /// The device of the authenticated session.
    pub device: DeviceId,
    /// Where it is.
    pub cursor: Cursor,
    /// When the log took the record at the depot's head, in milliseconds since 1970: frames of the device will be told
    /// against it.
    pub head_ms: u64,
    /// Most entities in the answer, at least 1. Those that one record brought go together, so it may be a few more.
    pub entities_max: usize,
    /// Whether the last page carries a digest of the whole view; costs a hash of every entity in scope.
    pub with_digest: bool,
}

/// What a device may see, where that depends on what entities say.
///
/// An entity that leaves the scope is told to be dropped, one that enters is sent whole.
pub trait Scope {
    /// Whether the device may see the entity.
    fn sees(&self, handle: Handle, entity: &CollapsedEntity) -> bool;

    /// Where what decides this last changed. An entity that has been in the scope all along since a cursor is sent from
    /// there, any other whole.
    fn decided_at(&self, handle: Handle, entity: &CollapsedEntity) -> LogPosition;

    /// The entities that entered or left after `from` by what another entity says, each with where it last did, rising.
    /// The default: entities are in the scope by what they say themselves.
    fn moved_since(&self, from: LogPosition) -> Vec<(LogPosition, Handle)> {
        let _ = from;
        Vec::new()
    }

    /// A name that another scope has only if it sees the same of every entity: devices of one name share their pages.
    /// `None`, the default: nobody does.
    fn shared_as(&self) -> Option<Box<[u8]>> {
        None
    }
}

/// The scope that a test of handles makes: nothing ever enters or leaves it.
struct Fixed<'a>(&'a dyn Fn(Handle) -> bool);

impl Scope for Fixed<'_> {
    fn sees(&self, handle: Handle, _: &CollapsedEntity) -> bool {
        (self.0)(handle)
    }

    fn decided_at(&self, _: Handle, _: &CollapsedEntity) -> LogPosition {
        LogPosition::START
    }
}

impl Depot {
    /// One page from the cursor. Asking acknowledges everything at or below `cursor.complete`.
    ///
    /// `in_scope` says which entities the device may see. It must only change together with a record that touches the
    /// entity, or the device keeps what it had.
    ///
    /// # Errors
    /// [`StoreError`] when an entity is damaged in memory.
    pub fn pull(
        &mut self,
        request: &PullRequest,
        in_scope: &dyn Fn(Handle) -> bool,
    ) -> Result<Page, StoreError> {
        self.pull_within(request, &Fixed(in_scope))
    }

    /// As [`Depot::pull`], within a scope that entities enter and leave.
    ///
    /// # Errors
    /// As [`Depot::pull`].
    pub fn pull_within(
        &mut self,
        request: &PullRequest,
        scope: &dyn Scope,
    ) -> Result<Page, StoreError> {
        self.acknowledge(request);
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
            head_ms: 0,
            created: Vec::new(),
            entities: Vec::new(),
            deleted: Vec::new(),
            manifest: None,
            digest: None,
        };
        let mut taken = 0;
        let mut changed = self.changed_within(from.reached, scope).peekable();
        while let Some((position, handle)) = changed.next() {
            taken += usize::from(self.add_entity(handle, slots_from, scope, &mut page)?);
            // The next page begins behind a position, so what moved with the entity that changed there is of this page.
            if taken >= request.entities_max.max(1)
                && changed.peek().is_some_and(|(next, _)| *next > position)
            {
                page.upto = position;
                break;
            }
        }
        drop(changed);
        page.created.sort_unstable_by_key(|(handle, _, _)| *handle);
        page.entities.sort_unstable_by_key(|(handle, _)| *handle);
        page.deleted.sort_unstable();
        if page.is_last() {
            page.head_ms = Basis::new(page.head, request.head_ms).time_ms();
            self.complete(request, scope, &mut page)?;
        }
        Ok(page)
    }

    /// The entities that changed or moved within the scope after `from`, each once, where it last did either, rising.
    pub fn changed_within(
        &self,
        from: LogPosition,
        scope: &dyn Scope,
    ) -> impl Iterator<Item = (LogPosition, Handle)> {
        let mut moved = scope.moved_since(from);
        moved.retain(|(position, handle)| self.store.changed(*handle) < Some(*position));
        let elsewhere: BTreeSet<Handle> = moved.iter().map(|(_, handle)| *handle).collect();
        let changed = self.store.changed_since(from);
        let mut changed = changed
            .filter(move |(_, handle)| !elsewhere.contains(handle))
            .peekable();
        let mut moved = moved.into_iter().peekable();
        std::iter::from_fn(move || match (changed.peek(), moved.peek()) {
            (Some((own, _)), Some((foreign, _))) if own > foreign => moved.next(),
            (None, _) => moved.next(),
            _ => changed.next(),
        })
    }

    /// As [`Depot::pull_within`], as bytes, which devices that ask for the same share until the state changes.
    ///
    /// # Errors
    /// As [`Depot::pull`].
    pub fn pull_encoded(
        &mut self,
        request: &PullRequest,
        scope: &dyn Scope,
    ) -> Result<Arc<EncodedPage>, StoreError> {
        let key = scope.shared_as().map(|scope| PageKey {
            complete: request.cursor.complete,
            reached: request.cursor.reached,
            entities_max: request.entities_max,
            with_digest: request.with_digest,
            head_ms: request.head_ms,
            scope,
        });
        if let Some(shared) = key.as_ref().and_then(|key| self.pages.get(key)) {
            self.acknowledge(request);
            return Ok(shared);
        }
        let page = self.pull_within(request, scope)?;
        let page = Arc::new(EncodedPage {
            bytes: page.encode(self).into(),
            next: page.next(),
        });
        if let Some(key) = key {
            self.pages.keep(key, &page);
        }
        Ok(page)
    }

    /// Takes up what a device is known to have asked from before this depot was folded: no record tells it.
    pub fn take_up(&mut self, device: DeviceId, acknowledged: LogPosition) {
        if let Some(device) = self.devices.get_mut(&device) {
            device.acknowledged = device.acknowledged.max(acknowledged);
        }
    }

    fn acknowledge(&mut self, request: &PullRequest) {
        if let Some(device) = self.devices.get_mut(&request.device) {
            let complete = request.cursor.complete.min(self.head);
            device.acknowledged = device.acknowledged.max(complete);
        }
    }

    /// Adds what changed of an entity. Answers whether the page says anything of it.
    fn add_entity(
        &self,
        handle: Handle,
        complete: LogPosition,
        scope: &dyn Scope,
        page: &mut Page,
    ) -> Result<bool, StoreError> {
        if !self.store.is_live(handle) {
            page.deleted.push(handle);
            return Ok(true);
        }
        let entity = self.store.get(handle)?;
        let moved = scope.decided_at(handle, &entity) > complete;
        if !scope.sees(handle, &entity) {
            // Only who may have had it is told that it went: from an earlier download, or from a page of this one.
            let known = moved && self.store.created(handle) <= Some(page.from.reached);
            if known {
                page.deleted.push(handle);
            }
            return Ok(known);
        }
        let from = if moved { LogPosition::START } else { complete };
        if self
            .store
            .created(handle)
            .is_some_and(|created| created > from)
            && let Some((table, id)) = self.store.name(handle)
        {
            page.created.push((handle, table.number, id.into()));
        }
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
        Ok(true)
    }

    /// What only the last page carries: the list of what lives for a device behind the floor, and the digest.
    fn complete(
        &self,
        request: &PullRequest,
        scope: &dyn Scope,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        let behind = request.cursor.complete < self.floor && holds(Rule::ManifestBelowFloor);
        let mut manifest = Vec::new();
        let mut digest = Digest::default();
        if !behind && !request.with_digest {
            return Ok(());
        }
        for handle in self.store.live() {
            let entity = self.store.get(handle)?;
            if !scope.sees(handle, &entity) {
                continue;
            }
            if behind {
                manifest.push(handle);
            }
            if request.with_digest {
                digest = digest.with(digest_of_view(
                    entity.table(),
                    handle,
                    &EntityView::of(&entity),
                ));
            }
        }
        page.manifest = behind.then_some(manifest);
        page.digest = request.with_digest.then_some(digest);
        Ok(())
    }
}
