//! Devices that ask for the same page.

use super::*;

/// A scope by name that sees some handles.
struct Named(&'static str, fn(Handle) -> bool);

impl Scope for Named {
    fn sees(&self, handle: Handle, _: &CollapsedEntity) -> bool {
        (self.1)(handle)
    }

    fn decided_at(&self, _: Handle, _: &CollapsedEntity) -> LogPosition {
        LogPosition::START
    }

    fn shared_as(&self) -> Option<Box<[u8]>> {
        (!self.0.is_empty()).then(|| self.0.as_bytes().into())
    }
}

#[test]
fn devices_that_ask_for_the_same_share_its_bytes_until_something_changes() {
    let (mut depot, tablet) = depot_and_tablet();
    let (second, _) = depot.register(NOW_MS).expect("a new device");
    let ask = |depot: &mut Depot, device: DeviceId, scope: &Named| {
        let request = PullRequest {
            device,
            cursor: Cursor::default(),
            head_ms: NOW_MS,
            entities_max: 9,
            with_digest: true,
        };
        let expected = depot.pull_within(&request, scope).expect("sound memory");
        let page = depot.pull_encoded(&request, scope).expect("sound memory");
        assert_eq!(*page.bytes, *expected.encode(depot));
        assert_eq!(page.next, expected.next());
        assert!(page.is_last());
        page
    };
    let (all, vehicles): (Named, Named) = (
        Named("all", |_| true),
        Named("vehicles", |handle| handle.0 == 0),
    );
    let first = ask(&mut depot, tablet.device(), &all);
    let same = |one: &std::sync::Arc<EncodedPage>, other| std::sync::Arc::ptr_eq(one, &other);
    assert!(same(&first, ask(&mut depot, second, &all)));
    assert!(!same(&first, ask(&mut depot, second, &vehicles)));
    let unshared = Named("", |_| true);
    let alone = ask(&mut depot, second, &unshared);
    assert!(!same(&alone, ask(&mut depot, second, &unshared)));
    // Whoever is answered from there has asked all the same.
    let later = PullRequest {
        device: second,
        cursor: Cursor::at(depot.head()),
        head_ms: NOW_MS,
        entities_max: 9,
        with_digest: false,
    };
    let of_first = PullRequest {
        device: tablet.device(),
        ..later
    };
    for request in [&of_first, &later] {
        depot.pull_encoded(request, &all).expect("sound memory");
    }
    let asked_from = depot.device(second).expect("known").acknowledged;
    assert_eq!(asked_from, depot.head());

    let head = depot.head();
    depot
        .write(
            Handle(0),
            5,
            Change::Set(Value::from("Hagen")),
            head,
            0,
            NOW_MS,
        )
        .expect("fits");
    let changed = ask(&mut depot, second, &all);
    assert!(!same(&first, changed.clone()) && changed.bytes != first.bytes);
    depot.advance_to(depot.head().next());
    assert!(
        !same(&changed, ask(&mut depot, second, &all)),
        "another head"
    );
}
