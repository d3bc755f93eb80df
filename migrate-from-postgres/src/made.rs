//! What is made of rows: events, stream by stream, and what the rows say, to be held against the log.
//!
//! The functions of [`crate::mapping`] hand their events to a [`Made`]; it sorts those of an aggregate by time, settles
//! what times that go back would leave wrong, and cuts the whole into [`Batch`]es.

mod event;

use std::borrow::Cow;

use storage::{NewEvent, StreamName};
use uuid::Uuid;

pub(crate) use event::{IMPORTER, Making, SOURCE, UNREADABLE, metadata};

use crate::accounts::Accounts;
use crate::checks::SharedKeys;
use crate::finding::{Findings, Sample, Treatment};
use crate::ids;
use crate::mapping::{Mapping, Seen};
use crate::places::Places;
use crate::row::Row;
use crate::tables::Table;

/// Events or rows in a batch, above which it is closed. What a transaction does not take is cut where it is appended.
const BATCH_ITEMS_MAX: usize = 1_000;
/// Bytes of events in a batch, above which it is closed.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Events of one new aggregate that are held back to be sorted; one with more is told in pieces.
const HELD_EVENTS_MAX: usize = 4_000;

/// What to make of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Events, and for aggregates that are in the log already also what the rows say.
    Import,
    /// What the rows say.
    Verify,
    /// Both, of everything.
    Try,
}

/// Things made of rows, of a size that is appended or compared at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) portions: Vec<Portion>,
    /// Rows that it was made of, by table.
    pub(crate) rows: Vec<(&'static str, u64)>,
    /// Events that were made of them, by table.
    pub(crate) events: Vec<(&'static str, u64)>,
    items: usize,
    bytes: usize,
}

/// What was made for one stream.
#[derive(Debug)]
pub(crate) struct Portion {
    pub(crate) stream: StreamName,
    pub(crate) standing: Standing,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) expected: Vec<Expected>,
    /// Whether all rows of the aggregate are in this portion: none is in another, and no table of theirs is left out.
    pub(crate) is_whole: bool,
}

impl Portion {
    /// The event that put the item of a row into this stream, of those that were made.
    pub(crate) fn told(&self, expected: &Expected) -> Option<&NewEvent> {
        let id = expected.event_id();
        let moved = ids::moved_id(id, &self.stream);
        let is_it = |event: &&NewEvent| event.id == Some(id) || event.id == Some(moved);
        self.events.iter().find(is_it)
    }
}

/// What is known about a stream before its events are appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It is not in the log.
    New,
    /// It begins in a portion before this one.
    Continued,
    /// It is in the log: each event may be, and the rows may have changed since.
    Known,
    /// Every event stands for itself, and may be in the log.
    Log,
}

/// What a row says.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) table: &'static Table,
    pub(crate) key: String,
    pub(crate) seen: Seen,
    /// Its columns in their order, as a reader of the folded state sees them: a JSON object without what is null.
    pub(crate) row: Vec<u8>,
}

impl Expected {
    /// The id of the event that the row is seen in.
    pub(crate) fn event_id(&self) -> Uuid {
        ids::event_id(self.table.name, &self.key, self.kind())
    }

    /// The id of the event that an import of an earlier version told the row anew in, once it had changed to what it says here.
    pub(crate) fn restated_id(&self) -> Uuid {
        ids::restated_id(self.table.name, &self.key, self.kind(), &self.row)
    }

    fn kind(&self) -> &'static str {
        match self.seen {
            Seen::Event(kind) | Seen::Item(_, kind) => kind,
            Seen::LogRow => "kept",
            Seen::State | Seen::Line(_) | Seen::Account => "created",
        }
    }
}

/// See the module.
pub(crate) struct Made<'a> {
    purpose: Purpose,
    /// Whether the first finding is the last.
    strict: bool,
    /// Whether the log has a stream.
    is_known: &'a dyn Fn(&StreamName) -> bool,
    pub(crate) findings: Findings,
    pub(crate) shared_keys: SharedKeys,
    /// Rows that do not go by their business key.
    pub(crate) places: Places,
    /// Who has which name to log in with.
    pub(crate) accounts: Accounts<'a>,
    /// Whether all tables are read whose rows belong to the aggregates that are.
    pub(crate) has_all_tables: bool,
    batch: Batch,
    aggregate: Option<Aggregate>,
    /// Portions of other streams, to stand behind those of the present aggregate.
    behind: Vec<Portion>,
}

/// The aggregate whose rows are being read.
struct Aggregate {
    mapping: Mapping,
    key: String,
    stream: StreamName,
    standing: Standing,
    events: Vec<NewEvent>,
    expected: Vec<Expected>,
    claims: Vec<Claim>,
    wanted: Vec<(&'static str, Cow<'static, str>)>,
    /// When the latest of its events happened.
    latest: i64,
    /// How many events were made of it.
    made: u32,
    level: Option<Level>,
    /// Rows that lie within its first event: objects with commas between them.
    lines: Vec<u8>,
    /// Whether some of its rows were put down already.
    was_cut: bool,
}

/// A level that the row states, and that its events only move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Level {
    pub(crate) stated: i64,
    pub(crate) moved: i64,
    /// Whether anything moved it.
    pub(crate) has_moves: bool,
    /// When the row was last changed.
    pub(crate) changed_at: Option<i64>,
}

/// An event sets a key of the state that others set too.
struct Claim {
    key: &'static str,
    /// By what the fold decides who is the last: when it happened, and the order in the stream, where the first event
    /// comes before those of its own time.
    at: (i64, bool, u32),
    /// JSON.
    value: Cow<'static, str>,
}

impl<'a> Made<'a> {
    pub(crate) fn new(
        purpose: Purpose,
        is_known: &'a dyn Fn(&StreamName) -> bool,
        accounts: Accounts<'a>,
    ) -> Self {
        Made {
            purpose,
            strict: false,
            is_known,
            findings: Findings::default(),
            shared_keys: SharedKeys::new(),
            places: Places::new(),
            accounts,
            has_all_tables: true,
            batch: Batch::default(),
            aggregate: None,
            behind: Vec::new(),
        }
    }

    /// Whether the first finding ends it all, and nothing of its batch is handed on.
    #[must_use]
    pub(crate) fn strictly(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Whether something was found that may not be passed over.
    pub(crate) fn is_refused(&self) -> bool {
        self.strict && self.findings.first().is_some()
    }

    /// Begins an aggregate: what follows belongs to its stream, until [`Made::end`].
    pub(crate) fn begin(&mut self, mapping: &Mapping, row: &Row<'_>, id: &str) {
        let stream = StreamName::new(mapping.aggregate, id);
        let standing = match self.purpose {
            Purpose::Import if (self.is_known)(&stream) => Standing::Known,
            _ => Standing::New,
        };
        self.aggregate = Some(Aggregate::new(*mapping, row.key(), stream, standing));
        self.expect(mapping, row);
    }

    /// Ends the aggregate, if a row began one: lets `end` tell what is left, sorts its events, and settles what they
    /// would leave otherwise than its row says.
    pub(crate) fn end_with(&mut self, end: fn(&mut Made<'_>)) {
        if self.aggregate.is_none() {
            return;
        }
        end(self);
        self.settle();
        self.put_down();
        self.aggregate = None;
        self.flush_behind();
    }

    /// Makes events of another aggregate, to stand behind those of the present one.
    pub(crate) fn apart(
        &mut self,
        mapping: &Mapping,
        row: &Row<'_>,
        id: &str,
        make: impl FnOnce(&mut Self),
    ) {
        let outer = self.aggregate.take();
        self.begin(mapping, row, id);
        make(self);
        self.settle();
        self.put_behind(outer);
    }

    /// Keeps a row as it is, in the imported log of its table.
    pub(crate) fn keep(&mut self, mapping: &Mapping, row: &Row<'_>, at: Option<i64>) {
        let outer = self.begin_kept(mapping, row);
        let mut said = Vec::with_capacity(512);
        row.put_seen(true, &mut said);
        self.expect_as(Seen::LogRow, row, said);
        if self.wants_events() {
            event::log_row(self, row, at, None).done();
        }
        self.put_behind(outer);
    }

    /// Keeps a row but for one column, of which nothing is looked for again.
    pub(crate) fn keep_without(
        &mut self,
        mapping: &Mapping,
        row: &Row<'_>,
        but: &str,
        at: Option<i64>,
    ) {
        let outer = self.begin_kept(mapping, row);
        if self.wants_events() {
            event::log_row(self, row, at, Some(but)).done();
        }
        self.put_behind(outer);
    }

    fn begin_kept(&mut self, mapping: &Mapping, row: &Row<'_>) -> Option<Aggregate> {
        let stream = StreamName::new(fleet::imported_log::AGGREGATE_TYPE, mapping.table.name);
        let kept = Aggregate::new(*mapping, row.key(), stream, Standing::Log);
        self.aggregate.replace(kept)
    }

    /// Puts the present aggregate behind `outer`, which is the present one again.
    fn put_behind(&mut self, outer: Option<Aggregate>) {
        if let Some(inner) = self.aggregate.take() {
            self.behind.push(inner.into_portion());
        }
        self.aggregate = outer;
        if self.aggregate.is_none() {
            self.flush_behind();
        }
    }

    fn flush_behind(&mut self) {
        let behind = std::mem::take(&mut self.behind);
        behind
            .into_iter()
            .for_each(|portion| self.batch.take(portion));
    }

    /// Adds a row that lies within the aggregate's first event.
    pub(crate) fn add_line(&mut self, row: &Row<'_>) {
        let line = event::line(self, row);
        let lines = &mut self.present().lines;
        if !lines.is_empty() {
            lines.push(b',');
        }
        lines.extend_from_slice(&line);
    }

    /// Puts the rows that were added into the first event, as the list `name`.
    pub(crate) fn put_lines(&mut self, name: &str) {
        let present = self.present();
        if let (Some(first), false) = (present.events.first_mut(), present.lines.is_empty()) {
            first.data.pop();
            first
                .data
                .extend_from_slice(format!(",\"{name}\":[").as_bytes());
            first.data.append(&mut present.lines);
            first.data.extend_from_slice(b"]}");
        }
    }

    /// Whether events are wanted at all.
    pub(crate) fn wants_events(&self) -> bool {
        self.purpose != Purpose::Verify
    }

    /// Notes what a row says, to be found again as `mapping` tells.
    pub(crate) fn expect(&mut self, mapping: &Mapping, row: &Row<'_>) {
        if self.wants_rows() {
            let mut seen = Vec::with_capacity(512);
            row.put_seen(false, &mut seen);
            self.expect_as(mapping.seen, row, seen);
        }
    }

    fn expect_as(&mut self, seen: Seen, row: &Row<'_>, said: Vec<u8>) {
        let expected = Expected {
            table: row.layout.table,
            key: row.key(),
            seen,
            row: said,
        };
        self.present().expected.push(expected);
    }

    /// Whether it is wanted what the rows of the present aggregate say.
    fn wants_rows(&mut self) -> bool {
        match self.purpose {
            Purpose::Verify | Purpose::Try => true,
            Purpose::Import => self.present().standing == Standing::Known,
        }
    }

    /// Counts a row of a table.
    pub(crate) fn count(&mut self, table: &'static str) {
        count(&mut self.batch.rows, table);
    }

    /// Notes something about a row.
    pub(crate) fn note(&mut self, row: &Row<'_>, treatment: Treatment, value: &str) {
        let table = row.layout.table.name;
        self.findings
            .note(table, treatment, || Sample::of_row(row.key(), value));
    }

    /// Notes something about a row that has been read.
    pub(crate) fn note_key(
        &mut self,
        table: &'static str,
        key: &str,
        treatment: Treatment,
        value: &str,
    ) {
        self.findings
            .note(table, treatment, || Sample::of_row(key, value));
    }

    /// Says what `key` shall be once all events are folded: JSON.
    pub(crate) fn want(&mut self, key: &'static str, value: impl Into<Cow<'static, str>>) {
        let value = value.into();
        self.present().wanted.push((key, value));
    }

    /// Says that the row states this level, which events only move.
    pub(crate) fn state_level(&mut self, stated: i64, changed_at: Option<i64>) {
        self.present().level = Some(Level {
            stated,
            moved: 0,
            has_moves: false,
            changed_at,
        });
    }

    /// Counts what an event moves the level by.
    pub(crate) fn move_level(&mut self, by: i64) {
        if let Some(level) = &mut self.present().level {
            level.moved = level.moved.saturating_add(by);
            level.has_moves = true;
        }
    }

    /// Whether the present aggregate is in the log already.
    pub(crate) fn is_known(&mut self) -> bool {
        self.present().standing == Standing::Known
    }

    /// The level of the present aggregate, where it states one.
    pub(crate) fn level(&mut self) -> Option<Level> {
        self.present().level
    }

    /// The key of the present aggregate's row.
    pub(crate) fn key(&mut self) -> String {
        self.present().key.clone()
    }

    /// The batch, once it is of a size to be closed; the rest at the end.
    pub(crate) fn take_batch(&mut self, at_end: bool) -> Option<Batch> {
        self.put_down_early();
        let batch = &self.batch;
        let is_full = batch.items >= BATCH_ITEMS_MAX || batch.bytes >= BATCH_BYTES_MAX;
        let is_empty = batch.portions.is_empty() && batch.rows.is_empty();
        (is_full || (at_end && !is_empty)).then(|| std::mem::take(&mut self.batch))
    }

    fn present(&mut self) -> &mut Aggregate {
        self.aggregate
            .as_mut()
            .expect("functions are called within an aggregate")
    }

    /// Puts the events of a large aggregate down before its end. One that is in the log already is compared as a whole.
    fn put_down_early(&mut self) {
        let verifies = self.purpose == Purpose::Verify;
        let Some(aggregate) = &mut self.aggregate else {
            return;
        };
        let held = aggregate.events.len() + aggregate.expected.len() + self.behind.len();
        let may = match self.purpose {
            Purpose::Import => aggregate.standing != Standing::Known,
            Purpose::Verify => true,
            Purpose::Try => false,
        };
        if held < HELD_EVENTS_MAX || !may {
            return;
        }
        if let Some(aggregate) = &mut self.aggregate {
            aggregate.was_cut = true;
        }
        self.put_down();
        self.flush_behind();
        if let Some(aggregate) = &mut self.aggregate
            && !verifies
        {
            aggregate.standing = Standing::Continued;
        }
    }

    /// Puts down what the present aggregate has so far.
    fn put_down(&mut self) {
        let Some(aggregate) = &mut self.aggregate else {
            return;
        };
        if aggregate.is_told() {
            return;
        }
        let portion = Portion {
            stream: aggregate.stream.clone(),
            standing: aggregate.standing,
            events: aggregate.sorted_events(),
            expected: std::mem::take(&mut aggregate.expected),
            is_whole: self.has_all_tables && !aggregate.was_cut,
        };
        self.batch.take(portion);
    }

    /// States what the row says where the events, merged by their times, would leave something else.
    fn settle(&mut self) {
        // Of an aggregate that is in the log, what differs is found by comparing.
        if !self.wants_events() || self.present().standing == Standing::Known {
            return;
        }
        let unsettled = self.present().unsettled();
        if unsettled.is_empty() {
            return;
        }
        let (mapping, key, latest) = {
            let present = self.present();
            (present.mapping, present.key.clone(), present.latest)
        };
        let table = mapping.table.name;
        for (field, _) in &unsettled {
            self.findings.note(table, Treatment::TimesGoBack, || {
                Sample::of(key.as_str(), field, "")
            });
        }
        let event_type = format!("{}Updated", mapping.aggregate);
        let mut making = Making::new(self, table, &key, "settled", &event_type, Some(latest));
        for (field, value) in &unsettled {
            making = making.raw(field, value);
        }
        making.done();
    }
}

impl Aggregate {
    fn new(mapping: Mapping, key: String, stream: StreamName, standing: Standing) -> Self {
        Aggregate {
            mapping,
            key,
            stream,
            standing,
            events: Vec::new(),
            expected: Vec::new(),
            claims: Vec::new(),
            wanted: Vec::new(),
            latest: i64::MIN,
            made: 0,
            level: None,
            lines: Vec::new(),
            was_cut: false,
        }
    }

    fn is_told(&self) -> bool {
        self.events.is_empty() && self.expected.is_empty()
    }

    fn into_portion(mut self) -> Portion {
        Portion {
            events: self.sorted_events(),
            stream: self.stream,
            standing: self.standing,
            expected: self.expected,
            is_whole: true,
        }
    }

    /// The events by their times; the one that began the aggregate stays the first.
    fn sorted_events(&mut self) -> Vec<NewEvent> {
        let mut events = std::mem::take(&mut self.events);
        let first = usize::from(self.standing != Standing::Continued).min(events.len());
        events[first..].sort_by_key(|event| event.occurred_at);
        events
    }

    /// Keys whose last claim, in the fold's order, is not what is wanted, and what is.
    fn unsettled(&self) -> Vec<(&'static str, Cow<'static, str>)> {
        let last = |key| {
            self.claims
                .iter()
                .filter(|claim| claim.key == key)
                .max_by_key(|claim| claim.at)
        };
        let wrong = self
            .wanted
            .iter()
            .filter(|(key, wanted)| last(*key).is_some_and(|claim| claim.value != *wanted));
        wrong.cloned().collect()
    }
}

fn count(counts: &mut Vec<(&'static str, u64)>, table: &'static str) {
    match counts.iter_mut().find(|(counted, _)| *counted == table) {
        Some((_, count)) => *count += 1,
        None => counts.push((table, 1)),
    }
}

impl Batch {
    fn take(&mut self, portion: Portion) {
        self.items += portion.events.len().max(portion.expected.len());
        let events = portion.events.iter();
        self.bytes += events
            .map(|event| event.data.len() + event.metadata.len())
            .sum::<usize>();
        self.bytes += portion
            .expected
            .iter()
            .map(|expected| expected.row.len())
            .sum::<usize>();
        self.portions.push(portion);
    }
}

#[cfg(test)]
mod tests;
