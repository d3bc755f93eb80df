//! Which depot a vehicle belongs to: the one log that decides about it.
//!
//! A vehicle belongs to the log that first recorded that it exists. Handing it over is a pair of events: the log that has it
//! gives it to another ([`VEHICLE_HANDED_OVER`]), and that one takes it over ([`VEHICLE_TAKEN_OVER`]) once it has heard. In
//! between nobody decides about it; the giver may take it back. What belongs to a log that is gone for good another one
//! takes over without a hand-over, once an administrator there has said that it is gone.
//!
//! Each creation and each take-over is a *claim*; a take-over names the hand-over that it answers, or the claim of a log
//! that is gone, and a hand-over names the claim that it gives away. So claims form a tree, and the home is where the path from its root ends that takes, of
//! several claims to the same thing, the one recorded first (by the clock of the log that recorded it, then by the event's
//! id). This depends on which events are known and not on the order in which they came, so logs that have the same events
//! name the same home. What depots without a broker cannot exclude, that two claim the same, is told: [`Home::passed_over`].

use serde_json::{Map, Value};
use uuid::Uuid;

use super::event::{self, VEHICLE_CREATED, VEHICLE_HANDED_OVER, VEHICLE_TAKEN_OVER};
use crate::alias;
use crate::event::EventDraft;
use crate::refusal::Refusal;
use crate::schema::check::{FieldError, check_fields};
use crate::schema::{Field, Kind};

#[cfg(test)]
mod tests;

/// The events that say to whom a vehicle belongs.
pub const HOME_EVENTS: [&str; 3] = [VEHICLE_CREATED, VEHICLE_HANDED_OVER, VEHICLE_TAKEN_OVER];

/// The events that only a vehicle's home may record: what begins and ends it, and what voids what others told of it.
/// Everything else (its status, where it stands, how far it ran, what befell it, what a workshop plans) is seen where the
/// vehicle is.
const DECIDED_AT_HOME: [&str; 5] = [
    VEHICLE_CREATED,
    event::VEHICLE_DELETED,
    event::VEHICLE_MILEAGE_CORRECTED,
    VEHICLE_HANDED_OVER,
    VEHICLE_TAKEN_OVER,
];

/// Whether this event is for the vehicle's home alone to record.
pub fn is_decided_at_home(event_type: &str) -> bool {
    DECIDED_AT_HOME.contains(&alias::canonical(event_type))
}

/// Where an event was recorded first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Recorded {
    /// When, in microseconds since 1970, by that log's clock.
    pub at: i64,
    /// The event's id.
    pub id: Uuid,
    /// The log.
    pub log: Uuid,
}

/// What an event says of a vehicle's belonging.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// The log that recorded it has the vehicle from here on, for this reason.
    Claimed(Ground),
    /// It gives the vehicle away.
    HandedOver {
        /// The claim by which it had it.
        of: Uuid,
        /// The log that may take it over.
        to: Uuid,
    },
}

/// On what a log says that a vehicle is its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ground {
    /// It recorded that the vehicle exists.
    Created,
    /// This hand-over gave it the vehicle.
    HandOver(Uuid),
    /// This claim is one of a log that is gone.
    Gone(Uuid),
}

impl Told {
    /// What the event says; `None` for those that say nothing of a vehicle's belonging, or are no such event at all.
    pub fn read(event_type: &str, data: &Map<String, Value>) -> Option<Told> {
        let id = |field: &str| data.get(field)?.as_str()?.parse().ok();
        match alias::canonical(event_type) {
            VEHICLE_CREATED => Some(Told::Claimed(Ground::Created)),
            VEHICLE_TAKEN_OVER => {
                let by_hand_over = id("hand_over_id").map(Ground::HandOver);
                let ground = by_hand_over.or_else(|| id("claim_id").map(Ground::Gone));
                ground.map(Told::Claimed)
            }
            VEHICLE_HANDED_OVER => Some(Told::HandedOver {
                of: id("claim_id")?,
                to: id("to_log")?,
            }),
            _ => None,
        }
    }
}

/// What is known of a vehicle's belonging, in whatever order it was learnt.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claims {
    claims: Vec<Claim>,
    hand_overs: Vec<HandOver>,
}

/// A log says that the vehicle is its own.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Claim {
    recorded: Recorded,
    ground: Ground,
}

/// A log gives the vehicle away.
#[derive(Clone, PartialEq, Eq, Debug)]
struct HandOver {
    recorded: Recorded,
    /// The claim that it gives away.
    of: Uuid,
    to: Uuid,
}

/// To whom a vehicle belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Home {
    /// The claim that counts.
    pub claim: Recorded,
    /// To which log it was handed over and which has not taken it over, and the event that says so. Until then nobody
    /// decides.
    pub on_its_way: Option<(Uuid, Recorded)>,
    /// Claims that do not count because another one to the same was recorded earlier; in the order of their recording. A
    /// take-over that everybody agrees about settles those before it.
    pub passed_over: Vec<Recorded>,
    /// The claim of a log that was said to be gone, where the one that counts took its place. Should that log come back, it
    /// may think that the vehicle is its own still, until it has heard.
    pub was_of_gone: Option<Recorded>,
}

impl Home {
    /// Whether this log decides about the vehicle.
    pub fn is_decided_by(&self, log: Uuid) -> bool {
        self.on_its_way.is_none() && self.claim.log == log
    }

    /// The log that has to act before anything can be decided: the home, or whoever has to take the vehicle over.
    pub fn decides(&self) -> Uuid {
        self.on_its_way.map_or(self.claim.log, |(to, _)| to)
    }
}

impl Claims {
    /// Takes in what an event of the vehicle says. Each must be taken in once; in which order does not matter.
    pub fn take_in(&mut self, recorded: Recorded, told: Told) {
        match told {
            Told::Claimed(ground) => self.claims.push(Claim { recorded, ground }),
            Told::HandedOver { of, to } => self.hand_overs.push(HandOver { recorded, of, to }),
        }
    }

    /// All that was taken in, in some order: taken in anew it comes to the same.
    pub fn told(&self) -> impl Iterator<Item = (Recorded, Told)> {
        let claims = self.claims.iter();
        let claims = claims.map(|claim| (claim.recorded, Told::Claimed(claim.ground)));
        let hand_overs = self.hand_overs.iter().map(|given| {
            let (of, to) = (given.of, given.to);
            (given.recorded, Told::HandedOver { of, to })
        });
        claims.chain(hand_overs)
    }

    /// To whom it belongs; `None` where nobody recorded that it exists.
    pub fn home(&self) -> Option<Home> {
        let is_root = |claim: &&Claim| claim.ground == Ground::Created;
        let (mut claim, mut beside) = first(self.claims.iter().filter(is_root))?;
        let mut was_of_gone = None;
        // Each step takes another claim; ids that somebody made up cannot lead round and round.
        for _ in 0..self.claims.len() {
            let answering = self.claims.iter().filter(|next| self.follows(next, claim));
            let Some(next) = first(answering) else { break };
            was_of_gone = matches!(next.0.ground, Ground::Gone(_)).then_some(claim.recorded);
            (claim, beside) = next;
        }
        let given = self.given_away(claim);
        let given = given.min_by_key(|given| given.recorded);
        let mut passed_over: Vec<Recorded> = beside.iter().map(|claim| claim.recorded).collect();
        passed_over.sort_unstable();
        Some(Home {
            claim: claim.recorded,
            on_its_way: given.map(|given| (given.to, given.recorded)),
            passed_over,
            was_of_gone,
        })
    }

    /// The hand-overs of this claim by the log that made it.
    fn given_away<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = &'a HandOver> {
        let by_holder = |given: &&HandOver| {
            given.of == claim.recorded.id && given.recorded.log == claim.recorded.log
        };
        self.hand_overs.iter().filter(by_holder)
    }

    /// Whether `next` answers a hand-over of `claim`, and is by whom it was given to, or by the giver who takes it back; or
    /// takes the place of it because its log is gone.
    fn follows(&self, next: &Claim, claim: &Claim) -> bool {
        let by = next.recorded.log;
        match next.ground {
            Ground::Created => false,
            Ground::HandOver(id) => self.given_away(claim).any(|given| {
                given.recorded.id == id && (by == given.to || by == claim.recorded.log)
            }),
            Ground::Gone(of) => of == claim.recorded.id && by != claim.recorded.log,
        }
    }
}

/// The claim that was recorded first, and the others.
fn first<'a>(claims: impl Iterator<Item = &'a Claim>) -> Option<(&'a Claim, Vec<&'a Claim>)> {
    let mut claims: Vec<_> = claims.collect();
    let first = claims.iter().copied().min_by_key(|claim| claim.recorded)?;
    claims.retain(|claim| claim.recorded != first.recorded);
    Some((first, claims))
}

/// The body of a request to hand a vehicle over.
const HAND_OVER_FIELDS: &[Field] = &[
    Field::required("to", Kind::name(200)),
    Field::optional("reason", Kind::text(1_000)),
];

/// What a request to hand a vehicle over says: the depot, by its name or its log's id, and why.
///
/// # Errors
/// All faults; never an empty list.
pub fn parse_hand_over(
    body: &Map<String, Value>,
) -> Result<(String, Option<String>), Vec<FieldError>> {
    check_fields(HAND_OVER_FIELDS, body, &str::to_owned)?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).map(str::to_owned);
    Ok((text("to").unwrap_or_default(), text("reason")))
}

/// The event by which the log `own` gives the vehicle to the log `to`, for a reason.
///
/// # Errors
/// `Missing` for a vehicle that nobody recorded; `Conflict` when another log decides about it, or it is on its way; `Rule` when it is given to its home.
pub fn hand_over(
    home: Option<&Home>,
    own: Uuid,
    to: Uuid,
    reason: Option<&str>,
) -> Result<EventDraft, Refusal> {
    let home = home.ok_or_else(missing)?;
    if !home.is_decided_by(own) {
        return Err(Refusal::conflict(
            "to",
            "not_home",
            "only the depot that the vehicle belongs to hands it over",
        ));
    }
    if to == own {
        let message = "the vehicle belongs to this depot already";
        return Err(Refusal::rule("to", "is_home", message));
    }
    Ok(event::handed_over(home.claim.id, own, to, reason))
}

/// The event by which the log `own` takes over what was handed to it, takes back what it handed over, or takes over what
/// belongs to a log of which `is_gone` holds.
///
/// # Errors
/// `Missing` for a vehicle that nobody recorded; `Conflict` when it was not handed to this log, and its home is not gone.
pub fn take_over(
    home: Option<&Home>,
    own: Uuid,
    is_gone: impl Fn(Uuid) -> bool,
) -> Result<EventDraft, Refusal> {
    let home = home.ok_or_else(missing)?;
    let holder = home.claim.log;
    match home.on_its_way {
        Some((to, given)) if to == own || holder == own => Ok(event::taken_over(given.id, holder)),
        // Whoever it was handed to may take it over, unless that one is gone, too.
        way if holder != own && is_gone(holder) && way.is_none_or(|(to, _)| is_gone(to)) => {
            Ok(event::taken_from_gone(home.claim.id, holder))
        }
        _ => Err(Refusal::conflict(
            "vehicle_id",
            "not_handed_over",
            "the vehicle was not handed over to this depot, as far as this depot has heard; its home hands it over. What belongs to \
             a depot that is gone for good may be taken over once an administrator has said so here",
        )),
    }
}

fn missing() -> Refusal {
    Refusal::missing("vehicle_not_found", "Vehicle not found")
}
