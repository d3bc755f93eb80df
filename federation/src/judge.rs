//! Which of the messages that came are taken, and what is to be done about the others. Pure: no broker, no log, no clock.
//!
//! A message counts when its own depot's key signed it ([`crate::sheet`]). The key is the first one that was seen of the
//! depot, until an administrator says that there is another. What is not genuine, or what this log can never take, holds up
//! what follows from that depot, and nothing from others: so nothing is folded whose reason is missing. Such a depot is asked
//! to publish anew behind what was taken; a message that was only spoilt on its way comes whole then.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::message::Message;
use crate::sheet::{KnownSheets, PublicKey, Signed};

/// A message that came.
#[derive(Debug)]
pub(crate) struct Delivered<'a> {
    /// By its subject.
    pub(crate) log: u128,
    /// Its place in the stream.
    pub(crate) sequence: u64,
    /// By whom it is signed, and what it says.
    pub(crate) read: Result<(PublicKey, Message<'a>), String>,
}

/// Reads a message of the log `log`, as its subject says, and verifies its signature. `known` is what is known of each log's
/// sheets.
pub(crate) fn read<'a>(
    log: u128,
    sequence: u64,
    bytes: &'a [u8],
    known: &mut BTreeMap<u128, KnownSheets>,
) -> Delivered<'a> {
    let mut read = || {
        let unreadable = |reason| {
            format!("it cannot be read: {reason}. Update this server, or the one that sent it")
        };
        let signed = Signed::decode(bytes).map_err(unreadable)?;
        let known = known.entry(log).or_default();
        if !signed.is_genuine(Uuid::from_u128(log), known) {
            return Err("its signature is not one of what it says: it was changed on its way, or is not that depot's".to_owned());
        }
        let message = Message::decode(signed.message).map_err(unreadable)?;
        if message.log != log {
            return Err("it stands under the subject of another log than its own".to_owned());
        }
        Ok((signed.key, message))
    };
    Delivered {
        log,
        sequence,
        read: read(),
    }
}

/// How far a log's events were taken, and what holds them up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Taken {
    /// All up to here is here, or is not wanted.
    pub(crate) position: u64,
    /// By what its messages are verified; none before the first came.
    pub(crate) key: Option<PublicKey>,
    pub(crate) refused: Option<Refused>,
    /// Messages that are passed by, by their positions.
    pub(crate) quarantined: BTreeSet<u64>,
}

impl Taken {
    /// Goes on to what judging came to. What an administrator did meanwhile stays.
    pub(crate) fn go_on(&mut self, judged: &Taken) {
        self.position = judged.position;
        self.refused.clone_from(&judged.refused);
        self.key = self.key.or(judged.key);
        self.settle();
    }

    /// Takes back what is refused, where an administrator has decided about it.
    pub(crate) fn settle(&mut self) {
        let (key, quarantined) = (self.key, &self.quarantined);
        self.refused.take_if(|refused| match refused.other_key {
            Some(other) => key == Some(other),
            None => refused
                .position
                .is_some_and(|position| quarantined.contains(&position)),
        });
    }
}

/// A message that is not taken, and holds up what follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Its place in the stream.
    pub sequence: u64,
    /// Its event's place in its own log, where it is known.
    pub position: Option<u64>,
    /// Its event.
    pub event_id: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// The key by which it is signed, where that is another than the depot's.
    pub other_key: Option<PublicKey>,
}

/// Whom to ask about what.
pub(crate) trait Known {
    /// The log that recorded this event first, if it is here.
    fn recorded_by(&self, id: u128) -> Option<u128>;
    /// Whether such an event is taken.
    fn wants(&self, message: &Message<'_>) -> bool;
}

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Messages to append, by their places among those that came.
    pub(crate) new: Vec<usize>,
    /// Messages whose events are in the log already.
    pub(crate) repeated: Vec<usize>,
    /// Messages whose ids are in the log already, as another log's events.
    pub(crate) twice_recorded: Vec<usize>,
    /// How far each log is once that is done.
    pub(crate) taken: BTreeMap<u128, Taken>,
    /// Of which logs something is missing, from which position on.
    pub(crate) missing: BTreeMap<u128, u64>,
}

impl Judged {
    /// Notes that what follows is missing. What stands in the way by itself is not asked for again.
    fn miss(&mut self, log: u128, taken: &Taken) {
        let is_spoilt = |refused: &Refused| refused.position.is_none();
        if taken.refused.as_ref().is_none_or(is_spoilt) {
            self.missing.entry(log).or_insert(taken.position + 1);
        }
    }
}

/// Judges messages in the order in which they came. `refused` are those that the log was found never to take, by their places.
pub(crate) fn judge(
    delivered: &[Delivered<'_>],
    mut taken: BTreeMap<u128, Taken>,
    refused: &BTreeMap<usize, String>,
    known: &impl Known,
) -> Judged {
    let mut judged = Judged::default();
    let mut seen = HashMap::with_capacity(delivered.len());
    for (place, one) in delivered.iter().enumerate() {
        let log = taken.entry(one.log).or_default();
        let message = match verified(one, log) {
            Ok(message) => message,
            Err(refused) => {
                if log.refused.is_none() {
                    log.refused = Some(refused);
                }
                judged.miss(one.log, log);
                continue;
            }
        };
        let follows = message.before <= log.position;
        let is_new = message.position > log.position;
        if log.refused.is_some() && !follows {
            judged.miss(one.log, log);
            continue;
        }
        let is_passed_by = log.quarantined.contains(&message.position);
        if let Some(reason) = refused.get(&place).filter(|_| !is_passed_by) {
            log.refused = Some(Refused::of(one, message, reason.clone()));
            continue;
        }
        if known.wants(message) && !is_passed_by {
            let first = known
                .recorded_by(message.id)
                .or_else(|| seen.get(&message.id).copied());
            match first {
                None => {
                    seen.insert(message.id, message.log);
                    judged.new.push(place);
                }
                Some(first) if first == message.log => judged.repeated.push(place),
                Some(_) => judged.twice_recorded.push(place),
            }
        }
        if !follows {
            judged.miss(one.log, log);
        } else if is_new {
            log.position = message.position;
            log.refused = None;
        }
    }
    judged.taken = taken;
    judged
}

/// The message, if the log's key signed it. The first key that is seen of a log is its key.
fn verified<'a>(one: &'a Delivered<'_>, log: &mut Taken) -> Result<&'a Message<'a>, Refused> {
    let (key, message) = one.read.as_ref().map_err(|reason| Refused {
        sequence: one.sequence,
        position: None,
        event_id: None,
        reason: reason.clone(),
        other_key: None,
    })?;
    let pinned = *log.key.get_or_insert(*key);
    if pinned != *key {
        let reason = "it is signed by another key than the depot's messages before. Where the depot was given new keys, \
                      trust the new one; else somebody pretends to be it";
        let mut refused = Refused::of(one, message, reason.to_owned());
        refused.other_key = Some(*key);
        return Err(refused);
    }
    Ok(message)
}

impl Refused {
    fn of(one: &Delivered<'_>, message: &Message<'_>, reason: String) -> Self {
        Refused {
            sequence: one.sequence,
            position: Some(message.position),
            event_id: Some(Uuid::from_u128(message.id)),
            reason,
            other_key: None,
        }
    }
}

#[cfg(test)]
mod tests;
