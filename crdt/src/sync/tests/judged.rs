//! What a push is said to come to before it is folded is what it comes to.

use super::*;
use crate::collapsed::After;

/// A host that asks everything that may be asked of each operation.
#[derive(Default)]
struct Asking(std::cell::RefCell<Vec<Asked>>);

/// What it heard: the entity's id and state, whether a write won, and the value that disagrees with it.
type Asked = Option<(Vec<u8>, CollapsedEntity, bool, Option<Value>)>;

impl Judge for Asking {
    fn judge(&self, request: &Request<'_>) -> Judgement {
        Open.judge(request)
    }

    fn judge_creation(
        &self,
        device: DeviceId,
        operation: &Operation,
        table: &'static EntityTable,
    ) -> Judgement {
        Open.judge_creation(device, operation, table)
    }
}

impl Host for Asking {
    fn time_of(&self, position: LogPosition) -> u64 {
        Open.time_of(position)
    }

    fn chain_at(&self, device: DeviceId, seq: u64) -> Option<Chain> {
        Open.chain_at(device, seq)
    }

    fn admitted(&self, _: &RecordBody, after: Option<&After<'_>>) {
        let asked = after.map(|after| {
            let (id, entity) = (after.id().to_vec(), after.entity().into_owned());
            (id, entity, after.wins(), after.disagreeing().cloned())
        });
        self.0.borrow_mut().push(asked);
    }
}

/// Several tablets that seldom pull, and their frames of few operations, one after the other.
fn check_judged(seed: u64) {
    let mut random = Random::new(seed);
    let (mut depot, first) = depot_and_tablet();
    let mut tablets = vec![first];
    for _ in 0..random.below(11) {
        let (device, _) = depot.register(NOW_MS).expect("a new device");
        tablets.push(Tablet::new(device, &TABLES));
    }
    for tablet in &mut tablets {
        pull(&mut depot, tablet);
    }
    for step in 0..80 {
        let index = random.below(tablets.len() as u64);
        let tablet = &mut tablets[usize::try_from(index).expect("few")];
        if random.chance(10) {
            pull(&mut depot, tablet);
        }
        for _ in 0..1 + random.below(3) {
            let (handle, table) = if random.chance(50) {
                (0, &VEHICLE)
            } else {
                (1, &WORK_ORDER)
            };
            let row = random.pick(&table.fields[..table.fields.len().min(6)]);
            let change = random_change(&mut random, row, 1);
            let now_ms = NOW_MS + random.below(9) * 1_000;
            tablet
                .change(known(handle), row.number, change, 0, now_ms)
                .expect("the change fits");
        }
        let frame = tablet.frame(1000).expect("something waits");
        let bytes = frame.encode(&tablet.basis(), tablet);
        let request = PushRequest {
            device: tablet.device(),
            served: tablet.cursor().complete,
            now_ms: NOW_MS + 9_000 + step,
        };
        let (before, after) = (Asking::default(), Asking::default());
        let judged = depot.judge_push(&bytes, &request, &before);
        let pushed = depot.push(&bytes, &request, &after);
        assert_eq!(judged, pushed);
        assert_eq!(before.0, after.0);
        tablet.answer(&pushed.expect("an honest frame").1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_of_an_operation_before_it_is_folded_is_what_it_comes_to(seed in any::<u64>()) {
        check_judged(seed);
    }
}
