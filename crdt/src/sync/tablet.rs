//! The device's side: operations that wait, the server's state, and the view of both.
//!
//! What must reach the device's store in one transaction: an operation with the next number and the clock; a page with
//! its cursor and base. [`Tablet`] changes both in one call each, so whoever stores it after a call has that.
//!
//! The client's loop is driven by state, never by an event: while [`Tablet::frame`] has something and there is a
//! network, push; while the last page was not the last, pull.

use super::answer::PushAnswer;
use super::chain::Chain;
use super::cursor::Cursor;
use super::digest::{Digest, digest_of_view};
use super::frame::{Basis, Frame, OPERATIONS_MAX, Tables};
use super::operation::{EntityRef, Former, Operation, OperationBody};
use super::page::Page;
use super::verdict::Verdict;
use crate::clock::{HybridClock, LogPosition};
use crate::collapsed::{EntityView, FieldView, Handle, Update};
use crate::entity::{Change, ChangeError, EntityTable};
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use crate::wire::Writer;
use std::collections::{BTreeMap, VecDeque};
use thiserror::Error;

/// Why the tablet cannot make a change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TabletError {
    /// It knows no such entity.
    #[error("unknown entity")]
    UnknownEntity,
    /// The change does not fit the entity's table.
    #[error("the change does not fit")]
    Change(#[from] ChangeError),
}

#[derive(Clone, Debug, PartialEq)]
struct Pending {
    operation: Operation,
    chain: Chain,
    /// Set once the server has judged it: it stays on top of the view until a page brings its effect.
    admitted: Option<LogPosition>,
}

#[derive(Clone, Debug, PartialEq)]
struct Known {
    table: &'static EntityTable,
    id: Box<[u8]>,
    view: EntityView,
}

/// One tablet's store and logic.
#[derive(Clone, Debug, PartialEq)]
pub struct Tablet {
    device: DeviceId,
    tables: &'static [&'static EntityTable],
    clock: HybridClock,
    next_seq: u64,
    /// The chain after the last operation made, and after the last one judged.
    chain: Chain,
    judged_chain: Chain,
    judged_upto: u64,
    cursor: Cursor,
    /// The server's time at the cursor's complete point.
    complete_ms: u64,
    base: LogPosition,
    pending: VecDeque<Pending>,
    entities: BTreeMap<Handle, Known>,
    /// Tables of entities that went while operations on them still wait.
    gone: BTreeMap<Handle, &'static EntityTable>,
    /// Handles of what this device created.
    created: BTreeMap<u64, Handle>,
    /// The head that the first page of the present download announced (only a broken rule uses it).
    announced: Option<LogPosition>,
}

impl Tablet {
    /// A tablet that was just registered as `device`.
    pub fn new(device: DeviceId, tables: &'static [&'static EntityTable]) -> Self {
        Self {
            device,
            tables,
            clock: HybridClock::default(),
            next_seq: 1,
            chain: Chain::of(device),
            judged_chain: Chain::of(device),
            judged_upto: 0,
            cursor: Cursor::default(),
            complete_ms: 0,
            base: LogPosition::START,
            pending: VecDeque::new(),
            entities: BTreeMap::new(),
            gone: BTreeMap::new(),
            created: BTreeMap::new(),
            announced: None,
        }
    }

    /// Its device number.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Where its downloads are.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// What its frames are written against: they go together with its cursor.
    pub fn basis(&self) -> Basis {
        Basis::new(self.cursor.complete, self.complete_ms)
    }

    /// The log head at which its view was last whole.
    pub fn base(&self) -> LogPosition {
        self.base
    }

    /// Its clock, for measured offsets.
    pub fn clock_mut(&mut self) -> &mut HybridClock {
        &mut self.clock
    }

    /// How many operations the server has not judged.
    pub fn unjudged(&self) -> usize {
        self.pending
            .iter()
            .filter(|pending| pending.admitted.is_none())
            .count()
    }

    /// The entities it knows.
    pub fn entities(&self) -> impl Iterator<Item = (Handle, &'static EntityTable, &[u8])> {
        self.entities
            .iter()
            .map(|(handle, known)| (*handle, known.table, &*known.id))
    }

    /// What it created and has not heard of since: it can be changed at once under these names.
    pub fn unresolved(&self) -> impl Iterator<Item = (EntityRef, &'static EntityTable)> {
        self.waiting().filter_map(|operation| match operation.body {
            OperationBody::Create { table, .. } => Some((
                EntityRef::Created {
                    seq: operation.seq,
                    table,
                },
                self.table_numbered(table)?,
            )),
            OperationBody::Change { .. } => None,
        })
    }

    /// The operations the server has not judged, as far as this device knows.
    pub fn waiting(&self) -> impl Iterator<Item = &Operation> {
        self.pending
            .iter()
            .filter(|pending| pending.admitted.is_none())
            .map(|pending| &pending.operation)
    }

    /// The handle of what its operation `seq` created, once the server has told it.
    pub fn created(&self, seq: u64) -> Option<Handle> {
        self.created.get(&seq).copied()
    }

    /// The server's state of an entity, without what waits here.
    pub fn confirmed(&self, handle: Handle) -> Option<&EntityView> {
        self.entities.get(&handle).map(|known| &known.view)
    }

    /// What the user sees: the server's state with everything that waits on top.
    pub fn view(&self, entity: EntityRef) -> Option<EntityView> {
        let table = self.table_of(entity)?;
        let handle = self.resolve(entity);
        let mut view = handle
            .and_then(|handle| self.confirmed(handle))
            .cloned()
            .unwrap_or_default();
        for Pending { operation, .. } in &self.pending {
            if let OperationBody::Change {
                entity: of,
                field,
                change,
            } = &operation.body
                && (*of == entity || (handle.is_some() && self.resolve(*of) == handle))
                && let Some(row) = table.field(*field)
            {
                view.overlay(&row.kind, *field, self.device, operation.stamp, change);
            }
        }
        Some(view)
    }

    /// The correction epoch the user sees in a max register; a report goes to it, a correction to the one after.
    pub fn epoch(&self, entity: EntityRef, field: u16) -> u32 {
        match self
            .view(entity)
            .and_then(|mut view| view.fields.remove(&field))
        {
            Some(FieldView::Max(reading)) => reading.epoch(),
            _ => 0,
        }
    }

    /// Creates an entity and returns the name under which it can be changed at once.
    ///
    /// # Errors
    /// [`TabletError::UnknownEntity`] when no table has this number.
    pub fn create(
        &mut self,
        table: u16,
        id: &[u8],
        user: u32,
        now_ms: u64,
    ) -> Result<EntityRef, TabletError> {
        self.table_numbered(table)
            .ok_or(TabletError::UnknownEntity)?;
        let seq = self.next_seq;
        self.push(
            OperationBody::Create {
                table,
                id: id.into(),
            },
            user,
            now_ms,
        );
        Ok(EntityRef::Created { seq, table })
    }

    /// Makes a change and returns its number.
    ///
    /// # Errors
    /// [`TabletError`]; nothing is kept then.
    pub fn change(
        &mut self,
        entity: EntityRef,
        field: u16,
        change: Change,
        user: u32,
        now_ms: u64,
    ) -> Result<u64, TabletError> {
        let table = self.table_of(entity).ok_or(TabletError::UnknownEntity)?;
        let row = table
            .field(field)
            .ok_or(ChangeError::UnknownField { number: field })?;
        change.check(row)?;
        let seq = self.next_seq;
        self.push(
            OperationBody::Change {
                entity,
                field,
                change,
            },
            user,
            now_ms,
        );
        Ok(seq)
    }

    fn push(&mut self, body: OperationBody, user: u32, now_ms: u64) {
        let stamp = self.clock.tick(now_ms);
        let operation = Operation {
            seq: self.next_seq,
            base: self.base,
            stamp,
            user,
            former: None,
            body,
        };
        self.next_seq += 1;
        self.enqueue(operation);
    }

    fn enqueue(&mut self, operation: Operation) {
        self.chain = self.chain_after(&operation, self.chain);
        self.pending.push_back(Pending {
            operation,
            chain: self.chain,
            admitted: None,
        });
    }

    fn chain_after(&self, operation: &Operation, before: Chain) -> Chain {
        let table = match &operation.body {
            OperationBody::Create { .. } => None,
            OperationBody::Change { entity, .. } => self.table_of(*entity),
        };
        operation.chained(before, operation.row(table), &mut Writer::new())
    }

    /// What to push next: the first unjudged operations, at most `operations_max`. `None` when nothing waits.
    pub fn frame(&self, operations_max: usize) -> Option<Frame> {
        self.frame_after(0, operations_max)
    }

    /// As [`Tablet::frame`], behind the first `skipped` unjudged operations, which another frame on its way carries.
    pub fn frame_after(&self, skipped: usize, operations_max: usize) -> Option<Frame> {
        let mut waiting = self
            .pending
            .iter()
            .filter(|pending| pending.admitted.is_none());
        let mut chain = self.judged_chain;
        if skipped > 0 {
            chain = waiting.nth(skipped - 1)?.chain;
        }
        let operations: Vec<_> = waiting
            .take(operations_max.min(OPERATIONS_MAX))
            .map(|pending| pending.operation.clone())
            .collect();
        (!operations.is_empty()).then_some(Frame {
            acknowledged: self.judged_upto,
            chain: chain.check(&self.basis()),
            operations,
        })
    }

    /// Takes the verdicts of a push. Returns those it had not heard; an answer that comes late or twice adds nothing.
    pub fn answer(&mut self, answer: &PushAnswer) -> Vec<(Operation, Verdict)> {
        for (seq, handle) in &answer.created {
            self.created.insert(*seq, *handle);
        }
        let mut news = Vec::new();
        for (seq, verdict) in &answer.verdicts {
            if *seq != self.judged_upto + 1 {
                continue;
            }
            let Some(pending) = self
                .pending
                .iter_mut()
                .find(|pending| pending.operation.seq == *seq)
            else {
                continue;
            };
            self.judged_upto = *seq;
            self.judged_chain = pending.chain;
            // A refused operation leaves the view at once; the caller shows why and keeps the content.
            pending.admitted = Some(
                verdict
                    .position()
                    .filter(|_| verdict.is_folded())
                    .unwrap_or_default(),
            );
            news.push((pending.operation.clone(), *verdict));
        }
        self.drop_confirmed();
        news
    }

    /// As [`Tablet::take`], for a page that somebody needs afterwards.
    pub fn page(&mut self, page: &Page) -> bool {
        page.from == self.cursor && self.take(page.clone())
    }

    /// Takes a page. Answers whether it was the one this tablet waits for; any other is dropped.
    pub fn take(&mut self, page: Page) -> bool {
        if page.from != self.cursor {
            return false;
        }
        let (upto, head, head_ms) = (page.upto, page.head, page.head_ms);
        self.apply_content(page);
        self.advance(upto, head, head_ms);
        true
    }

    /// The content of a page without its cursor. Only a broken rule calls the two apart.
    pub(crate) fn apply_content(&mut self, page: Page) {
        self.observe_page(&page);
        for (handle, table, id) in page.created {
            if let Some(table) = self.table_numbered(table) {
                let fresh = || Known {
                    table,
                    id,
                    view: EntityView::default(),
                };
                self.entities.entry(handle).or_insert_with(fresh);
            }
        }
        for (handle, slots) in page.entities {
            let Some(known) = self.entities.get_mut(&handle) else {
                continue;
            };
            for slot in slots {
                known.view.update(slot.field, slot.update);
            }
        }
        let gone = page
            .deleted
            .iter()
            .copied()
            .filter(|handle| self.entities.contains_key(handle));
        let unlisted = page.manifest.iter().flat_map(|manifest| {
            self.entities
                .keys()
                .copied()
                .filter(|handle| manifest.binary_search(handle).is_err())
        });
        for handle in gone.chain(unlisted).collect::<Vec<_>>() {
            self.forget(handle);
        }
    }

    /// Drops an entity; its table stays while operations on it wait, since they still have to be written and judged.
    fn forget(&mut self, handle: Handle) {
        let Some(known) = self.entities.remove(&handle) else {
            return;
        };
        let waits = self.pending.iter().any(|pending| {
            matches!(pending.operation.body, OperationBody::Change { entity, .. } if self.resolve(entity) == Some(handle))
        });
        if waits {
            self.gone.insert(handle, known.table);
        }
    }

    /// The next write here is later than every write the page shows.
    fn observe_page(&mut self, page: &Page) {
        for slot in page.entities.iter().flat_map(|(_, slots)| slots) {
            if let Update::Whole(FieldView::Register(register)) = &slot.update {
                self.clock.observe(register.winner.stamp);
            }
        }
    }

    /// The cursor of a page without its content.
    pub(crate) fn advance(&mut self, upto: LogPosition, head: LogPosition, head_ms: u64) {
        let announced = *self.announced.get_or_insert(head);
        if upto == head {
            self.cursor = Cursor::at(head);
            self.complete_ms = head_ms;
            self.base = if holds(Rule::BaseToLastHead) {
                head
            } else {
                announced.max(head)
            };
            self.announced = None;
        } else {
            self.cursor.reached = upto;
            if !holds(Rule::BaseWithLastPage) {
                self.base = upto;
            } else if !holds(Rule::BaseToLastHead) {
                self.base = announced;
            }
        }
        self.drop_confirmed();
    }

    /// Operations whose effect a complete download has brought are part of the confirmed state.
    fn drop_confirmed(&mut self) {
        let complete = self.cursor.complete;
        self.pending
            .retain(|pending| pending.admitted.is_none_or(|position| position > complete));
        if self.pending.is_empty() {
            self.gone.clear();
        }
    }

    /// This store was copied or restored: goes on as `device`, keeps what is agreed as sent and renumbers the rest.
    ///
    /// Returns the operations that cannot go on: changes of an entity whose creation the server has refused. The caller
    /// shows them like refused ones.
    pub fn reborn(
        &mut self,
        device: DeviceId,
        agreed: u64,
        created: &[(u64, Handle)],
    ) -> Vec<Operation> {
        self.created.extend(created.iter().copied());
        let old: Vec<_> = self
            .pending
            .drain(..)
            .filter(|pending| pending.operation.seq > agreed)
            .collect();
        let mut renumbered = BTreeMap::new();
        let mut refused = Vec::new();
        let copied = std::mem::replace(&mut self.device, device);
        (self.next_seq, self.judged_upto) = (1, 0);
        (self.chain, self.judged_chain) = (Chain::of(device), Chain::of(device));
        let known = std::mem::take(&mut self.created);
        for Pending {
            mut operation,
            chain,
            ..
        } in old.into_iter().filter(|pending| pending.admitted.is_none())
        {
            operation.former.get_or_insert(Former {
                device: copied,
                seq: operation.seq,
                chain: chain.0,
            });
            match &mut operation.body {
                OperationBody::Create { .. } => {
                    renumbered.insert(operation.seq, self.next_seq);
                }
                OperationBody::Change { entity, .. } => {
                    if let Some(renamed) = self.renamed(*entity, &renumbered, &known) {
                        *entity = renamed;
                    } else {
                        refused.push(operation);
                        continue;
                    }
                }
            }
            operation.seq = self.next_seq;
            self.next_seq += 1;
            self.enqueue(operation);
        }
        refused
    }

    /// An entity's name after a renumbering; `None` when its creation is neither waiting nor known to the server.
    fn renamed(
        &mut self,
        entity: EntityRef,
        renumbered: &BTreeMap<u64, u64>,
        known: &BTreeMap<u64, Handle>,
    ) -> Option<EntityRef> {
        let EntityRef::Created { seq, table } = entity else {
            return Some(entity);
        };
        if let Some(seq) = renumbered.get(&seq) {
            return Some(EntityRef::Created { seq: *seq, table });
        }
        let handle = *known.get(&seq)?;
        if !self.entities.contains_key(&handle) {
            self.gone.insert(handle, self.table_numbered(table)?);
        }
        Some(EntityRef::Known(handle))
    }

    /// The digest of what is confirmed, to compare with a last page's.
    pub fn digest(&self) -> Digest {
        let entities = self.entities.iter();
        entities.fold(Digest::default(), |digest, (handle, known)| {
            digest.with(digest_of_view(known.table, *handle, &known.view))
        })
    }

    fn resolve(&self, entity: EntityRef) -> Option<Handle> {
        match entity {
            EntityRef::Known(handle) => Some(handle),
            EntityRef::Created { seq, .. } => self.created(seq),
        }
    }
}

impl Tables for Tablet {
    fn table_of_handle(&self, handle: Handle) -> Option<&'static EntityTable> {
        self.entities
            .get(&handle)
            .map(|known| known.table)
            .or_else(|| self.gone.get(&handle).copied())
    }

    fn table_numbered(&self, number: u16) -> Option<&'static EntityTable> {
        self.tables
            .iter()
            .find(|table| table.number == number)
            .copied()
    }
}
