//! What the bytes of a segment mean, whatever interrupted or damaged them. Pure: bytes in, a verdict out.
//!
//! A group counts when every one of its records verifies and it ends in a valid commit marker. A group is written only
//! after the one before it was durable, so at most the last group can be torn by a crash. `known` is the position up
//! to which events are known to have been acknowledged: from the watermark beside the log, from the `durable` field of
//! every marker, and from the next segment's header.
//!
//! | what lies at the end of the valid groups | how it comes about | decision |
//! |---|---|---|
//! | zeros, nothing missing up to `known` | the prepared space | append here |
//! | zeros or nothing, but `known` is further | file cut or zeroed | damage: the positions are lost |
//! | bytes without any valid marker behind, nothing known missing | power cut while writing the last group | torn: cut |
//! | its own marker valid, a record not, nothing known behind | the same, pages reordered by the disk | torn: cut |
//! | its own marker valid, a record not, known or followed by a group | rot | damage: only the bad records are lost |
//! | no own marker, a later group is valid | rot | damage: what verifies between is kept, the rest is lost |
//! | no own marker, none later, but `known` reaches into it | rot in the last group | damage: what verifies is kept |
//!
//! A segment in which there is damage is closed when the log is opened, and the next one begun: see [`crate::open`].
//! Nothing is ever cut that was known to be acknowledged, and damage never hides the groups behind it.

use crate::position::Position;
use crate::record::{self, Chain, Commit, EventRecord, Fault, Record, Seed, TypeNameOf};

#[cfg(test)]
mod tests;

/// Where a segment's bytes belong: what its header says, or its neighbours where the header is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) seed: Seed,
    pub(crate) first_position: Position,
    pub(crate) chain: Chain,
}

/// One thing found, in the order of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    StreamName {
        number: u32,
        aggregate_type: u16,
        aggregate_id: &'a str,
    },
    TypeName {
        of: TypeNameOf,
        number: u16,
        name: &'a str,
    },
    Event {
        position: Position,
        offset: usize,
        event: EventRecord<'a>,
    },
    /// A whole valid group has been given; its bytes are `start..end`, its marker included.
    Group {
        start: usize,
        end: usize,
        commit: Commit,
    },
    /// Bytes that should have been records are not.
    Damage(Damage),
}

/// A run of bytes that do not verify although they were acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The first event lost, and how many are; 0 when only a name or a marker is.
    pub(crate) first_lost: Position,
    pub(crate) lost: u64,
}

/// The verdict on a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// The offset behind the last valid or damaged byte.
    pub(crate) end: usize,
    /// The position after the last event, lost ones included.
    pub(crate) next: Position,
    /// The chain at the last valid marker.
    pub(crate) chain: Chain,
    /// Bytes of a group behind the end that was never acknowledged, to be zeroed; 0 where there is none.
    pub(crate) torn_bytes: usize,
    /// Whether any damage was given: such a segment is closed, and the next one written.
    pub(crate) damaged: bool,
}

/// Reads all of a segment's records, from `from` (the header's end) to the end of `bytes`, and gives `visit` each thing found.
pub(crate) fn scan<'a>(
    bytes: &'a [u8],
    from: usize,
    place: Place,
    known: Position,
    visit: &mut dyn FnMut(&Found<'a>),
) -> Scan {
    let mut known = known;
    let mut group = Vec::new();
    let mut scan = Scan {
        end: from,
        next: place.first_position,
        chain: place.chain,
        torn_bytes: 0,
        damaged: false,
    };
    loop {
        let start = scan.end;
        if let Ok((end, commit)) = read_group(bytes, start, place.seed, scan.next, &mut group) {
            group.iter().for_each(&mut *visit);
            visit(&Found::Group { start, end, commit });
            known = known.max(commit.durable);
            scan.end = end;
            scan.next = scan.next.advanced_by(u64::from(commit.event_count));
            scan.chain = commit.chain;
            continue;
        }
        let used = used_bytes(bytes.get(start..).unwrap_or(&[]));
        // Markers are looked for where something was written. The last one may end in zeros.
        let written = start + used + record::COMMIT_BYTES;
        let written = bytes.get(..written).unwrap_or(bytes);
        let marker = next_commit(written, start, place.seed, scan.next);
        if let Some((_, commit)) = marker {
            known = known.max(commit.durable);
        }
        match judge(written, start, place.seed, scan.next, known, marker) {
            Verdict::End => {
                return Scan {
                    torn_bytes: used,
                    ..scan
                };
            }
            Verdict::DamagedTo { end, next, chain } => {
                salvage(bytes, start..end, place.seed, scan.next, next, visit);
                scan = Scan {
                    end,
                    next,
                    chain: chain.unwrap_or(scan.chain),
                    damaged: true,
                    ..scan
                };
            }
            Verdict::DamagedToEnd { next } => {
                let end = start + used;
                salvage(bytes, start..end, place.seed, scan.next, next, visit);
                return Scan {
                    end,
                    next,
                    damaged: true,
                    ..scan
                };
            }
        }
    }
}

/// How many bytes there are up to the last that is not zero. Behind the last group are megabytes of zeros, which every open
/// looks at: they are compared many at a time.
fn used_bytes(bytes: &[u8]) -> usize {
    const AT_ONCE: usize = 64;
    let (_, pieces) = bytes.as_rchunks::<AT_ONCE>();
    let zeros = pieces.iter().rev();
    let zeros = zeros.take_while(|piece| **piece == [0; AT_ONCE]).count();
    let rest = &bytes[..bytes.len() - zeros * AT_ONCE];
    let last = rest.iter().rposition(|&byte| byte != 0);
    last.map_or(0, |last| last + 1)
}

enum Verdict {
    /// Nothing acknowledged is missing.
    End,
    /// Damage up to `end`, where the event `next` would begin; valid groups may follow.
    DamagedTo {
        end: usize,
        next: Position,
        chain: Option<Chain>,
    },
    /// Damage, and nothing valid behind it.
    DamagedToEnd { next: Position },
}

/// Decides on bytes at `start` that are not a valid group, given the nearest valid marker behind them.
fn judge(
    bytes: &[u8],
    start: usize,
    seed: Seed,
    next: Position,
    known: Position,
    marker: Option<(usize, Commit)>,
) -> Verdict {
    let Some((offset, commit)) = marker else {
        return if next <= known {
            Verdict::DamagedToEnd { next: known.next() }
        } else {
            Verdict::End
        };
    };
    let group_start = offset - commit.group_bytes as usize;
    if group_start != start || commit.first_position != next {
        // A group behind this place is proof that everything before it had been acknowledged.
        return Verdict::DamagedTo {
            end: group_start,
            next: commit.first_position,
            chain: None,
        };
    }
    let end = offset + record::COMMIT_BYTES;
    let behind = next.advanced_by(u64::from(commit.event_count));
    // Groups are durable whole; a watermark that ends within one speaks for damage, too.
    let acknowledged = next <= known || next_commit(bytes, end, seed, behind).is_some();
    if acknowledged {
        Verdict::DamagedTo {
            end,
            next: behind,
            chain: Some(commit.chain),
        }
    } else {
        Verdict::End
    }
}

/// Reads a group whose records all verify. `group` receives them and is only filled on success.
fn read_group<'a>(
    bytes: &'a [u8],
    start: usize,
    seed: Seed,
    first: Position,
    group: &mut Vec<Found<'a>>,
) -> Result<(usize, Commit), Fault> {
    group.clear();
    let mut offset = start;
    let mut position = first;
    let result = loop {
        match bytes
            .get(offset..)
            .ok_or(Fault::Short)
            .and_then(|rest| record::read(rest, seed, position))
        {
            Err(fault) => break Err(fault),
            Ok((Record::Event(event), length)) => {
                group.push(Found::Event {
                    position,
                    offset,
                    event,
                });
                position = position.next();
                offset += length;
            }
            Ok((
                Record::StreamName {
                    number,
                    aggregate_type,
                    aggregate_id,
                },
                length,
            )) => {
                group.push(Found::StreamName {
                    number,
                    aggregate_type,
                    aggregate_id,
                });
                offset += length;
            }
            Ok((Record::TypeName { of, number, name }, length)) => {
                group.push(Found::TypeName { of, number, name });
                offset += length;
            }
            Ok((Record::Commit(commit), length)) => {
                let fits = commit.first_position == first
                    && first.distance_to(position) == u64::from(commit.event_count)
                    && offset - start == commit.group_bytes as usize;
                break if fits {
                    Ok((offset + length, commit))
                } else {
                    Err(Fault::Checksum)
                };
            }
        }
    };
    if result.is_err() {
        group.clear();
    }
    result
}

/// The nearest valid commit marker whose group begins at or behind `from` and at or after position `next`.
fn next_commit(bytes: &[u8], from: usize, seed: Seed, next: Position) -> Option<(usize, Commit)> {
    let mut search = from + record::COMMIT_MAGIC_OFFSET;
    while let Some(found) = find(bytes.get(search..)?, record::COMMIT_MAGIC) {
        let offset = search + found - record::COMMIT_MAGIC_OFFSET;
        if let Ok((Record::Commit(commit), _)) = record::read(&bytes[offset..], seed, next) {
            let group_fits = offset
                .checked_sub(commit.group_bytes as usize)
                .is_some_and(|start| start >= from);
            if group_fits && commit.first_position >= next {
                return Some((offset, commit));
            }
        }
        search += found + 1;
    }
    None
}

fn find(bytes: &[u8], wanted: &[u8; 8]) -> Option<usize> {
    let mut from = 0;
    loop {
        from += bytes
            .get(from..)?
            .iter()
            .position(|&byte| byte == wanted[0])?;
        if bytes.get(from..from + 8)? == wanted {
            return Some(from);
        }
        from += 1;
    }
}

/// Gives the records in `range` that verify, as events `first..next`, and the damage between them.
///
/// Records are followed from the front until one fails, and from the back (by the lengths at their ends) until one fails:
/// a single damaged record costs itself alone.
fn salvage<'a>(
    bytes: &'a [u8],
    range: std::ops::Range<usize>,
    seed: Seed,
    first: Position,
    next: Position,
    visit: &mut dyn FnMut(&Found<'a>),
) {
    let bytes = bytes.get(..range.end).unwrap_or(bytes);
    let mut offset = range.start;
    let mut position = first;
    while let Some(rest) = bytes.get(offset..)
        && let Ok((record, length)) = record::read(rest, seed, position)
    {
        match record {
            Record::Event(_) if position >= next => break,
            Record::Event(event) => {
                visit(&Found::Event {
                    position,
                    offset,
                    event,
                });
                position = position.next();
            }
            Record::StreamName {
                number,
                aggregate_type,
                aggregate_id,
            } => {
                visit(&Found::StreamName {
                    number,
                    aggregate_type,
                    aggregate_id,
                });
            }
            Record::TypeName { of, number, name } => visit(&Found::TypeName { of, number, name }),
            Record::Commit(_) => {}
        }
        offset += length;
    }

    let mut behind = Vec::new();
    let mut end = bytes.len();
    let mut after = next;
    while end > offset
        && let Some(before) = bytes.get(offset..end)
        && let Ok(length) = record::length_before(before)
    {
        let start = end - length;
        let is_event = record::claims_event(&bytes[start..]);
        if is_event && after <= position {
            break;
        }
        let at = if is_event { after.previous() } else { after };
        let Ok((record, _)) = record::read(&bytes[start..end], seed, at) else {
            break;
        };
        match record {
            Record::Event(event) => {
                behind.push(Found::Event {
                    position: at,
                    offset: start,
                    event,
                });
                after = at;
            }
            Record::StreamName {
                number,
                aggregate_type,
                aggregate_id,
            } => {
                behind.push(Found::StreamName {
                    number,
                    aggregate_type,
                    aggregate_id,
                });
            }
            Record::TypeName { of, number, name } => {
                behind.push(Found::TypeName { of, number, name })
            }
            Record::Commit(_) => {}
        }
        end = start;
    }
    visit(&Found::Damage(Damage {
        start: offset,
        end,
        first_lost: position,
        lost: position.distance_to(after),
    }));
    behind.iter().rev().for_each(visit);
}

/// The valid marker that ends right before `end`, if one does.
pub(crate) fn marker_before(bytes: &[u8], end: usize, place: Place) -> Option<Commit> {
    let start = end.checked_sub(record::COMMIT_BYTES)?;
    match record::read(bytes.get(start..end)?, place.seed, place.first_position) {
        Ok((Record::Commit(commit), _)) => Some(commit),
        _ => None,
    }
}
