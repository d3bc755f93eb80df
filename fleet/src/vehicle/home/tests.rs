//! Homes agree in every log, whatever the order; and only one decides.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const LOGS: usize = 3;

fn log(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

/// An event as it travels.
#[derive(Clone, Debug)]
struct Told {
    recorded: Recorded,
    draft: EventDraft,
}

fn claims<'a>(told: impl IntoIterator<Item = &'a Told>) -> Claims {
    let mut claims = Claims::default();
    for told in told {
        let data = told.draft.data.as_object().unwrap();
        let said = super::Told::read(told.draft.event_type, data).unwrap();
        claims.take_in(told.recorded, said);
    }
    claims
}

/// Three logs, each with its own events and how many it has heard of each other's.
#[derive(Default)]
struct World {
    own: [Vec<Told>; LOGS],
    heard: [[usize; LOGS]; LOGS],
    recorded: u128,
    /// How far the logs' clocks are apart.
    skew: [i64; LOGS],
}

impl World {
    fn home(&self, at: usize) -> Option<Home> {
        let heard = (0..LOGS).flat_map(|of| {
            let known = if of == at {
                self.own[of].len()
            } else {
                self.heard[at][of]
            };
            &self.own[of][..known]
        });
        claims(heard).home()
    }

    fn record(&mut self, at: usize, draft: EventDraft) {
        self.recorded += 1;
        let recorded = Recorded {
            at: i64::try_from(self.recorded).unwrap_or(i64::MAX) + self.skew[at],
            id: Uuid::from_u128(1_000 + self.recorded),
            log: log(at),
        };
        self.own[at].push(Told { recorded, draft });
    }

    /// What the log `at` does when it is asked; refused where it does not decide. Creations are refused where it knows of one.
    fn ask(&mut self, at: usize, what: &What) {
        let home = self.home(at);
        match what {
            What::Create if home.is_none() => self.record(at, event::created(Map::new())),
            What::Create => {}
            What::HandOver(to) => {
                if let Ok(draft) = hand_over(home.as_ref(), log(at), log(*to), None) {
                    self.record(at, draft);
                }
            }
            What::TakeOver => {
                if let Ok(draft) = take_over(home.as_ref(), log(at), |_| false) {
                    self.record(at, draft);
                }
            }
            What::TakeFromGone(gone) => {
                if let Ok(draft) = take_over(home.as_ref(), log(at), |other| other == log(*gone)) {
                    self.record(at, draft);
                }
            }
            What::Hear(of, events) => {
                let known = &mut self.heard[at][*of];
                *known = (*known + events).min(self.own[*of].len());
            }
        }
    }

    fn all(&self) -> Vec<Told> {
        self.own.iter().flatten().cloned().collect()
    }
}

#[derive(Clone, Debug)]
enum What {
    Create,
    HandOver(usize),
    /// Of what was handed to it, or back.
    TakeOver,
    /// What belongs to that log, which it thinks is gone.
    TakeFromGone(usize),
    Hear(usize, usize),
}

fn what() -> impl Strategy<Value = (usize, What)> {
    let what = prop_oneof![
        1 => Just(What::Create),
        3 => (0..LOGS).prop_map(What::HandOver),
        3 => Just(What::TakeOver),
        1 => (0..LOGS).prop_map(What::TakeFromGone),
        4 => (0..LOGS, 1..4_usize).prop_map(|(of, events)| What::Hear(of, events)),
    ];
    (0..LOGS, what)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever three logs do, each by what it has heard, with clocks that differ and claims that cross: those that
    /// have the same events name the same home, the same way, and the same losers.
    #[test]
    fn logs_with_the_same_events_name_the_same_home(
        steps in vec(what(), 1..60),
        skew in prop::array::uniform3(-20..20_i64),
        seed in any::<u64>(),
    ) {
        let mut world = World { skew, ..World::default() };
        for (at, what) in &steps {
            world.ask(*at, what);
        }
        let mut told = world.all();
        let home = claims(&told).home();
        // Another order, made of the seed.
        let mut random = seed;
        for index in (1..told.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            told.swap(index, (random >> 33) as usize % (index + 1));
        }
        prop_assert_eq!(&claims(&told).home(), &home);
        told.reverse();
        let known = claims(&told);
        prop_assert_eq!(&known.home(), &home);
        // And what is kept of it says the same.
        let mut kept = Claims::default();
        for (recorded, said) in known.told() {
            kept.take_in(recorded, said);
        }
        prop_assert_eq!(&kept, &known);
        let deciders = (0..LOGS).filter(|at| home.as_ref().is_some_and(|home| home.is_decided_by(log(*at))));
        prop_assert!(deciders.count() <= 1);
    }

    /// Where one log creates the vehicle, and nobody takes back, at most one decides at any moment, whatever each of them
    /// has heard, and no claim is passed over.
    #[test]
    fn only_one_decides_at_a_time(steps in vec(what(), 1..80)) {
        let mut world = World::default();
        world.record(0, event::created(Map::new()));
        for (at, what) in &steps {
            let home = world.home(*at);
            let takes_back = matches!(what, What::TakeOver)
                && home.as_ref().is_some_and(|home| home.claim.log == log(*at));
            if takes_back || matches!(what, What::Create | What::TakeFromGone(_)) {
                continue;
            }
            world.ask(*at, what);
            let deciders: Vec<usize> = (0..LOGS)
                .filter(|at| world.home(*at).is_some_and(|home| home.is_decided_by(log(*at))))
                .collect();
            prop_assert!(deciders.len() <= 1, "{deciders:?}");
        }
        let home = claims(&world.all()).home().unwrap();
        prop_assert_eq!(home.passed_over, vec![]);
    }
}

#[test]
fn a_vehicle_goes_from_hand_to_hand_and_back() {
    let mut world = World::default();
    world.ask(0, &What::Create);
    assert!(world.home(0).unwrap().is_decided_by(log(0)));
    world.ask(0, &What::HandOver(1));
    let given = world.home(0).unwrap();
    assert_eq!(
        (given.is_decided_by(log(0)), given.decides()),
        (false, log(1))
    );
    // It has not heard of it.
    world.ask(1, &What::TakeOver);
    assert!(world.own[1].is_empty());
    world.ask(1, &What::Hear(0, 9));
    assert!(
        !world.home(1).unwrap().is_decided_by(log(1)),
        "it was not taken over yet"
    );
    world.ask(1, &What::TakeOver);
    assert!(world.home(1).unwrap().is_decided_by(log(1)));
    world.ask(1, &What::HandOver(0));
    world.ask(0, &What::Hear(1, 9));
    world.ask(0, &What::TakeOver);
    let home = claims(&world.all()).home().unwrap();
    assert!(home.is_decided_by(log(0)));
    assert_eq!(home.passed_over, vec![]);
}

#[test]
fn a_vehicle_that_two_depots_created_belongs_to_the_first_and_the_other_is_told() {
    let mut world = World::default();
    world.ask(1, &What::Create);
    world.ask(0, &What::Create);
    let home = claims(&world.all()).home().unwrap();
    assert_eq!(home.claim.log, log(1));
    assert_eq!(home.passed_over, vec![world.own[0][0].recorded]);
    // Handing it over settles it.
    world.ask(1, &What::Hear(0, 1));
    world.ask(1, &What::HandOver(0));
    world.ask(0, &What::Hear(1, 2));
    world.ask(0, &What::TakeOver);
    let home = claims(&world.all()).home().unwrap();
    assert_eq!((home.claim.log, home.passed_over), (log(0), vec![]));
}

#[test]
fn who_takes_back_what_was_just_taken_over_meets_a_claim() {
    let mut world = World::default();
    world.ask(0, &What::Create);
    world.ask(0, &What::HandOver(1));
    world.ask(1, &What::Hear(0, 9));
    world.ask(1, &What::TakeOver);
    world.ask(0, &What::TakeOver);
    let home = claims(&world.all()).home().unwrap();
    assert_eq!(home.claim.log, log(1));
    assert_eq!(home.passed_over, vec![world.own[0][2].recorded]);
}

#[test]
fn nobody_takes_what_was_not_given_to_him() {
    let mut world = World::default();
    world.ask(0, &What::Create);
    world.ask(0, &What::HandOver(1));
    let given = world.own[0][1].recorded.id;
    // The third one says so all the same, and one who has it not hands it over.
    world.record(2, event::taken_over(given, log(0)));
    world.record(
        2,
        event::handed_over(world.own[0][0].recorded.id, log(0), log(2), None),
    );
    let last = world.own[2][1].recorded.id;
    world.record(2, event::taken_over(last, log(0)));
    let home = claims(&world.all()).home().unwrap();
    assert_eq!((home.claim.log, home.decides()), (log(0), log(1)));
}

#[test]
fn what_befalls_a_vehicle_may_be_told_anywhere() {
    for (event_type, decided) in [
        (event::VEHICLE_CREATED, true),
        (event::VEHICLE_DELETED, true),
        (event::VEHICLE_HANDED_OVER, true),
        (event::VEHICLE_MILEAGE_CORRECTED, true),
        (event::VEHICLE_MILEAGE_UPDATED, false),
        (event::VEHICLE_INCIDENT_REPORTED, false),
        (event::VEHICLE_STATUS_CHANGED, false),
        ("VehicleNoteTaken", false),
    ] {
        assert_eq!(is_decided_at_home(event_type), decided, "{event_type}");
    }
    let broken = json!({ "hand_over_id": "x", "claim_id": 7 });
    let read = |event_type| super::Told::read(event_type, broken.as_object().unwrap());
    let created = super::Told::Claimed(Ground::Created);
    assert_eq!(HOME_EVENTS.map(read), [Some(created), None, None]);
}

#[test]
fn what_a_depot_that_is_gone_had_goes_to_who_takes_it_first() {
    let mut world = World::default();
    world.ask(0, &What::Create);
    for at in [1, 2] {
        world.ask(at, &What::Hear(0, 9));
        world.ask(at, &What::TakeOver);
        assert!(world.own[at].is_empty(), "nobody said that it is gone");
        world.ask(at, &What::TakeFromGone(0));
    }
    let home = claims(&world.all()).home().unwrap();
    assert!(home.is_decided_by(log(1)));
    assert_eq!(home.passed_over, vec![world.own[2][0].recorded]);
    assert_eq!(home.was_of_gone, Some(world.own[0][0].recorded));
    // The one that was gone comes back, and decides no longer once it has heard.
    assert!(world.home(0).unwrap().is_decided_by(log(0)));
    world.ask(0, &What::Hear(1, 9));
    assert!(!world.home(0).unwrap().is_decided_by(log(0)));
    // Handing it over settles it.
    world.ask(1, &What::HandOver(0));
    world.ask(0, &What::Hear(1, 9));
    world.ask(0, &What::TakeOver);
    let home = claims(&world.all()).home().unwrap();
    assert!(home.is_decided_by(log(0)));
    assert_eq!((home.passed_over, home.was_of_gone), (vec![], None));
}

#[test]
fn what_was_handed_on_before_its_depot_was_said_to_be_gone_stays_handed_on() {
    let mut world = World::default();
    world.ask(0, &What::Create);
    world.ask(0, &What::HandOver(1));
    world.ask(2, &What::Hear(0, 9));
    world.ask(2, &What::TakeFromGone(0));
    assert!(world.own[2].is_empty(), "the other one has to take it over");
    // One that has not heard of the hand-over, and comes behind who took it over.
    world.ask(1, &What::Hear(0, 9));
    world.ask(1, &What::TakeOver);
    world.heard[2][0] = 1;
    world.ask(2, &What::TakeFromGone(0));
    let home = claims(&world.all()).home().unwrap();
    assert!(home.is_decided_by(log(1)));
    assert_eq!(home.passed_over, vec![world.own[2][0].recorded]);
}
