//! Operations in JSON: every one counts once, is judged by itself, and is in the log as an ordinary event; what tablets hold
//! is what the read models show.

use serde_json::{Value, json};
use storage::{ExpectedVersion, NewEvent, Position, StreamName, Timestamp, Transaction};

use super::sync_depot::{Depot, PUSH, at, set, state, statuses};
use crate::projection::CATALOG;
use crate::sync::engine::Engine;

#[tokio::test]
async fn an_operation_counts_once_however_often_it_comes() {
    let depot = Depot::start().await;
    let (first, second) = (depot.device("t1").await, depot.device("t2").await);
    let page = depot.pull(&second, "").await;
    assert_eq!(
        state(&page, "Vehicle")["fields"]["status"]["value"],
        "available"
    );
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();

    let operations = json!([
        set("a", "notes", json!("Squeaks")),
        set("b", "current_mileage_km", json!(1200)),
        set("c", "location", json!("Hall 2"))
    ]);
    let answer = depot.push(&first, operations.clone()).await;
    assert_eq!(
        statuses(&answer),
        ["applied", "applied", "applied"],
        "{answer}"
    );
    assert_eq!(answer["results"][1]["state"]["value"], 1200);
    let head = depot.server.state.log.durable_position();
    // The answer was lost; it comes again, whole, in pieces, and in another order.
    assert_eq!(
        statuses(&depot.push(&first, operations).await),
        ["duplicate"; 3]
    );
    let again = depot
        .push(
            &first,
            json!([
                set("c", "location", json!("Hall 2")),
                set("a", "notes", json!("Squeaks"))
            ]),
        )
        .await;
    assert_eq!(statuses(&again), ["duplicate"; 2]);
    assert_eq!(again["results"][0]["reason"], "applied");
    assert_eq!(depot.server.state.log.durable_position(), head);

    let vehicle = depot.vehicle().await;
    assert_eq!(
        (
            &vehicle["notes"],
            &vehicle["current_mileage_km"],
            &vehicle["current_location"]
        ),
        (&json!("Squeaks"), &json!(1200), &json!("Hall 2"))
    );
    let page = depot.pull(&second, &cursor).await;
    let fields = &state(&page, "Vehicle")["fields"];
    assert_eq!(fields["notes"]["value"], "Squeaks");
    assert_eq!(fields["notes"]["device_id"], "t1");
    assert!(fields.get("model").is_none(), "only what changed: {fields}");
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(depot.pull(&second, next).await["states"], json!([]));

    let events = depot
        .server
        .get("/api/v1/events/Vehicle/185123", &depot.technician)
        .await
        .expect(200);
    let event = events
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["event_type"] == "VehicleMileageUpdated")
        .unwrap();
    assert_eq!(
        (
            &event["metadata"]["device_id"],
            &event["metadata"]["crdt"]["operation"]
        ),
        (&json!("t1"), &json!("b"))
    );
    assert_eq!(
        event["data"],
        json!({"old_mileage": 1000, "new_mileage": 1200})
    );
}

#[tokio::test]
async fn what_was_not_seen_is_concurrent_and_stays_visible() {
    let depot = Depot::start().await;
    let (first, second) = (depot.device("t1").await, depot.device("t2").await);
    depot.server.clock.advance_seconds(60);
    // Both were offline. The later one by its own clock stands; the other stays to be seen.
    let late = at(set("x", "notes", json!("from one")), "2023-11-14T22:13:50Z");
    let early = at(set("x", "notes", json!("from two")), "2023-11-14T22:13:40Z");
    assert_eq!(
        statuses(&depot.push(&first, json!([late])).await),
        ["applied"]
    );
    let answer = depot.push(&second, json!([early])).await;
    assert_eq!(statuses(&answer), ["merged"], "{answer}");
    let shown = &answer["results"][0]["state"];
    assert_eq!(
        (&shown["value"], &shown["siblings"][0]["value"]),
        (&json!("from one"), &json!("from two"))
    );
    assert_eq!(answer["conflict_count"], 1);
    assert_eq!(depot.vehicle().await["notes"], "from one");

    // Who has seen both and writes settles it, whatever its clock says.
    let page = depot.pull(&second, "").await;
    let body = json!({
        "cursor": page["next_cursor"],
        "operations": [at(set("y", "notes", json!("settled")), "2001-01-01T00:00:00Z")],
    });
    let answer = depot.server.post(PUSH, &second, body).await.expect(200);
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    assert!(answer["results"][0]["state"].get("siblings").is_none());
    assert_eq!(depot.vehicle().await["notes"], "settled");
}

#[tokio::test]
async fn requests_are_decided_and_facts_are_held_or_compensated() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let order = depot.order().await;
    let step = |id: &str, status: &str| json!({"id": id, "entity_type": "WorkOrder", "entity_id": order, "field": "status", "value": status});
    let answer = depot.push(&token, json!([step("1", "completed")])).await;
    let refused = &answer["results"][0];
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&json!("rejected"), &json!("illegal_transition"))
    );
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("cannot become completed"),
        "{refused}"
    );
    assert_eq!(refused["state"]["value"], "draft");
    let check = |id: &str, field: &str, value: Value| json!({"id": id, "entity_type": "work_order", "entity_id": order, "field": "checklist", "op": "put", "key": "c1", "item_field": field, "value": value});
    let answer = depot
        .push(
            &token,
            json!([
                check("2", "text", json!("Pads")),
                step("3", "in_progress"),
                step("4", "completed"),
                check("5", "done", json!(true)),
                step("6", "completed")
            ]),
        )
        .await;
    assert_eq!(
        statuses(&answer),
        ["applied", "applied", "rejected", "applied", "applied"],
        "{answer}"
    );
    assert!(
        answer["results"][2]["detail"]
            .as_str()
            .unwrap()
            .contains("checklist"),
        "{answer}"
    );
    let shown = depot
        .server
        .get(&format!("/api/v1/maintenance/orders/{order}"), &token)
        .await;
    shown.expect_problem(403, "forbidden");
    let shown = depot.shown(&order).await;
    assert_eq!(shown["status"], "completed");
    assert_eq!(shown["checklist"][0]["done"], true);

    let answer = depot
        .push(
            &token,
            json!([
                set("7", "current_mileage_km", json!(99_000)),
                set("8", "model", json!("V200"))
            ]),
        )
        .await;
    let (held, foreign) = (&answer["results"][0], &answer["results"][1]);
    assert_eq!(
        (&held["status"], &held["reason"]),
        (&json!("merged"), &json!("held_implausible"))
    );
    assert_eq!(
        (&foreign["status"], &foreign["reason"]),
        (&json!("rejected"), &json!("not_authorised"))
    );
    assert_eq!(depot.vehicle().await["current_mileage_km"], 1000);

    let part = json!({"part_no": "P-1", "name": "Pad", "current_stock": 1});
    depot
        .server
        .post("/api/v1/parts", &depot.dispatcher, part)
        .await
        .expect(201);
    let second = depot.order().await;
    let used = |id: &str, field: &str, value: Value| json!({"id": id, "entity_type": "WorkOrder", "entity_id": second, "field": "used_parts", "key": "u1", "item_field": field, "value": value});
    let answer = depot
        .push(
            &token,
            json!([
                used("9", "part_no", json!("P-1")),
                used("10", "quantity", json!(3))
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["applied", "applied"], "{answer}");
    let part = depot
        .server
        .get("/api/v1/parts/P-1", &depot.technician)
        .await
        .expect(200);
    assert_eq!(part["current_stock"], -2, "a fact below zero: {part}");
    let moves = depot
        .server
        .get("/api/v1/stock/moves?part_no=P-1", &depot.technician)
        .await
        .expect(200);
    assert_eq!(moves["total"], 1);
    let answer = depot
        .push(&token, json!([used("11", "quantity", json!(4))]))
        .await;
    assert_eq!(answer["results"][0]["reason"], "illegal_transition");

    let id = uuid::Uuid::new_v4().to_string();
    let of_move = |name: &str, field: &str, value: Value| json!({"id": format!("m-{name}"), "entity_type": "StockMove", "entity_id": id, "field": field, "value": value});
    let answer = depot
        .push(
            &token,
            json!([
                of_move("1", "part_no", json!("P-1")),
                of_move("2", "move_type", json!("USAGE")),
                of_move("3", "quantity", json!(2))
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["applied"; 3], "{answer}");
    let part = depot
        .server
        .get("/api/v1/parts/P-1", &depot.technician)
        .await
        .expect(200);
    assert_eq!(part["current_stock"], -4, "{part}");
}

/// What a tablet told of a finding had no consequences, so that nothing let the vehicle go again.
#[tokio::test]
async fn what_a_tablet_completes_with_a_grave_finding_waits_for_a_release() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let order = depot.order().await;
    let step = |id: &str, status: &str| json!({"id": id, "entity_type": "WorkOrder", "entity_id": order, "field": "status", "value": status});
    let found = |id: &str, field: &str, value: &str| json!({"id": id, "entity_type": "WorkOrder", "entity_id": order, "field": "finding_items", "op": "put", "key": "f1", "item_field": field, "value": value});
    let answer = depot
        .push(
            &token,
            json!([
                step("1", "in_progress"),
                found("2", "text", "Crack"),
                found("3", "severity", "critical"),
                step("4", "completed")
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["applied"; 4], "{answer}");
    let shown = depot.shown(&order).await;
    assert_eq!(
        (&shown["status"], &shown["requires_release"]),
        (&json!("completed"), &json!(true))
    );
    assert_eq!(depot.vehicle().await["status"], "in_workshop");
    let mended = depot
        .push(&token, json!([found("5", "resolution", "Welded")]))
        .await;
    assert_eq!(statuses(&mended), ["applied"], "{mended}");
    assert_eq!(depot.vehicle().await["status"], "in_workshop");
    let release = format!("/api/v1/maintenance/orders/{order}/release");
    let released = depot.server.post(&release, &depot.manager, json!({})).await;
    released.expect(200);
    assert_eq!(depot.vehicle().await["status"], "available");
}

/// It was taken in as a report, and the order in progress had not begun.
#[tokio::test]
async fn no_tablet_takes_the_beginning_of_work_away() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let order = depot.order().await;
    let set = |id: &str, field: &str, value: Value| json!({"id": id, "entity_type": "WorkOrder", "entity_id": order, "field": field, "value": value});
    let begun = set("1", "status", json!("in_progress"));
    let emptied = set("2", "actual_start", Value::Null);
    let answer = depot.push(&token, json!([begun, emptied])).await;
    assert_eq!(statuses(&answer), ["applied", "rejected"], "{answer}");
    let refused = &answer["results"][1];
    assert_eq!(refused["reason"], "illegal_transition");
    let detail = "The work order is in progress: actual_start may be set right, not taken away";
    assert_eq!(refused["detail"], detail);
    assert!(depot.shown(&order).await["actual_start"].is_string());
    // What was refused is kept.
    let kept = "/api/v1/sync/devices/t1/refused";
    let kept = depot.server.get(kept, &depot.manager).await.expect(200);
    let kept = &kept["operations"][0];
    assert_eq!(
        (&kept["field"], &kept["detail"]),
        (&json!("actual_start"), &json!(detail))
    );

    // Nor does who settles what two of them disagree about.
    let desk = depot.device_of("t2", &depot.dispatcher, json!({})).await;
    let told = set("3", "actual_start", json!("2023-11-14T21:00:00Z"));
    let answer = depot.push(&desk, json!([told])).await;
    assert_eq!(answer["results"][0]["reason"], "not_authorised");
    let conflicts = "/api/v1/sync/conflicts";
    let listed = depot.server.get(conflicts, &depot.manager).await;
    let id = listed.expect(200)[0]["conflict_id"].clone();
    let path = format!("{conflicts}/{}/resolve", id.as_str().unwrap());
    let choice = json!({"resolution": "custom", "custom_value": null});
    let refused = depot.server.post(&path, &depot.manager, choice).await;
    assert_eq!(
        refused.expect_problem(409, "conflict")["field"],
        "actual_start"
    );
}

#[tokio::test]
async fn a_scope_shows_what_is_in_it_and_takes_back_what_left() {
    let depot = Depot::start().await;
    depot.patch_vehicle(json!({"home_depot": "South"})).await;
    let scope = json!({"depot": "North"});
    let token = depot.device_of("t1", &depot.technician, scope).await;
    let page = depot.pull(&token, "").await;
    assert_eq!(page["states"], json!([]));
    depot.patch_vehicle(json!({"home_depot": "North"})).await;
    let page = depot
        .pull(&token, page["next_cursor"].as_str().unwrap())
        .await;
    assert_eq!(
        state(&page, "Vehicle")["fields"]["model"]["value"],
        "V180",
        "sent whole: {page}"
    );
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    depot.patch_vehicle(json!({"home_depot": "South"})).await;
    let page = depot.pull(&token, &cursor).await;
    assert_eq!(
        page["deleted"],
        json!([{"entity_type": "Vehicle", "entity_id": "185123"}])
    );
    // What it did before it heard of that still counts; what it does after does not.
    let body = json!({"cursor": cursor, "operations": [set("a", "notes", json!("before"))]});
    assert_eq!(
        statuses(&depot.server.post(PUSH, &token, body).await.expect(200)),
        ["applied"]
    );
    let body =
        json!({"cursor": page["next_cursor"], "operations": [set("b", "notes", json!("after"))]});
    let answer = depot.server.post(PUSH, &token, body).await.expect(200);
    assert_eq!(answer["results"][0]["reason"], "out_of_scope");
}

#[tokio::test]
async fn late_and_wrong_clocks_do_not_part_tablets_from_read_models() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    depot.server.clock.advance_seconds(1_200);
    // The dispatcher wrote long after the technician, who was offline and comes late, with a clock in 2038.
    depot
        .patch_vehicle(json!({"notes": "by HTTP", "current_location": "Yard"}))
        .await;
    let answer = depot
        .push(
            &token,
            json!([
                at(set("a", "notes", json!("offline")), "2023-11-14T22:13:30Z"),
                at(
                    set("b", "current_location", json!("Pit")),
                    "2038-01-01T00:00:00Z"
                )
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["merged", "applied"], "{answer}");
    assert_eq!(answer["results"][1]["reason"], "adjusted_clock");
    let vehicle = depot.vehicle().await;
    assert_eq!(
        (&vehicle["notes"], &vehicle["current_location"]),
        (&json!("by HTTP"), &json!("Pit"))
    );
    let page = depot.pull(&token, "").await;
    let fields = &state(&page, "Vehicle")["fields"];
    assert_eq!(
        (
            &fields["notes"]["value"],
            &fields["current_location"]["value"]
        ),
        (&json!("by HTTP"), &json!("Pit"))
    );
}

/// What tablets and the read models show of these vehicles' mileages, which is the same, in order.
async fn mileages(depot: &Depot, token: &str, vehicles: &[String]) -> Vec<i64> {
    let page = depot.pull(token, "").await;
    let states = page["states"].as_array().unwrap();
    let mut shown = Vec::new();
    for vehicle in vehicles {
        let state = states.iter().find(|state| state["entity_id"] == **vehicle);
        let mileage = &state.unwrap()["fields"]["current_mileage_km"]["value"];
        let path = format!("/api/v1/vehicles/{vehicle}");
        let row = depot.server.get(&path, &depot.technician).await.expect(200);
        assert_eq!(&row["current_mileage_km"], mileage, "{vehicle}");
        shown.push(mileage.as_i64().unwrap());
    }
    shown
}

#[tokio::test]
async fn a_mileage_that_was_corrected_is_the_same_on_tablets_in_whatever_order_it_is_told() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    // A typo, the correction of it, and what was read after that.
    let told = [
        ("VehicleMileageUpdated", 1, 9_999),
        ("VehicleMileageCorrected", 5, 1_000),
        ("VehicleMileageUpdated", 10, 1_200),
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let vehicles: Vec<String> = (1..=orders.len())
        .map(|number| format!("V{number}"))
        .collect();
    let log = &depot.server.state.log;
    let mut last = Position::START;
    for (vehicle, order) in vehicles.iter().zip(orders) {
        let created = json!({"asset_id": vehicle, "model": "V180", "type": "diesel"});
        let path = "/api/v1/vehicles";
        let created = depot.server.post(path, &depot.dispatcher, created).await;
        created.expect(201);
        for (event_type, second, mileage) in order.map(|place| told[place]) {
            let data = json!({"new_mileage": mileage, "reason": "typo"});
            let occurred_at = Timestamp::from_micros(1_690_000_000_000_000 + second * 1_000_000);
            let event = NewEvent::new(event_type, data.to_string()).at(occurred_at);
            let stream = StreamName::new("Vehicle", vehicle.as_str());
            let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
            last = log.append(transaction).unwrap().last_position();
        }
    }
    let patience = std::time::Duration::from_secs(60);
    let projections = &depot.server.state.projections;
    assert!(projections.reach(CATALOG, last, patience).await);
    assert_eq!(mileages(&depot, &token, &vehicles).await, [1_200; 6]);

    // A tablet reads it, another corrects it once more.
    depot.server.clock.advance_seconds(60);
    let second = depot.device("t2").await;
    let of_first = |id: &str, op: &str, mileage: i64| json!([{"id": id, "entity_type": "Vehicle", "entity_id": vehicles[0], "field": "current_mileage_km", "op": op, "value": mileage}]);
    for (token, operation, expected) in [
        (&token, of_first("a", "raise", 1_500), 1_500),
        (&second, of_first("b", "correct", 1_100), 1_100),
        (&token, of_first("c", "raise", 1_150), 1_150),
    ] {
        depot.server.clock.advance_seconds(60);
        let answer = depot.push(token, operation).await;
        assert_eq!(statuses(&answer), ["applied"], "{answer}");
        let shown = mileages(&depot, token, &vehicles[..1]).await;
        assert_eq!(shown, [expected]);
    }
    let nowhere = tempfile::tempdir().unwrap();
    let anew = Engine::open(log.clone(), nowhere.path());
    assert_eq!(
        anew.state_bytes(),
        depot.server.state.sync.engine.state_bytes()
    );
}

#[tokio::test]
async fn pushes_of_one_device_at_a_time_are_each_told_what_became_of_theirs() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    // Each push says that the verdicts of those before were heard, so the later ones take away what the earlier ones ask for.
    let push = |number: u32| {
        let id = |part: &str| format!("{number}-{part}");
        let note = set(&id("note"), "notes", json!(format!("note {number}")));
        let place = set(&id("place"), "location", json!(format!("Hall {number}")));
        depot.push(&token, json!([note, place]))
    };
    let told = tokio::join!(push(1), push(2), push(3), push(4), push(5), push(6));
    for answer in [told.0, told.1, told.2, told.3, told.4, told.5] {
        assert_eq!(statuses(&answer), ["applied", "applied"], "{answer}");
    }
}
