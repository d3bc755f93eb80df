//! The way of a part through a depot, as its clients walk it: from the first record of it, over its purchase, into stock,
//! onto a budget and into the month's reports. Stock and money agree in the end, and whoever may not, cannot.

use harness::client::Client;
use harness::process::must;
use harness::server::{DataFolder, Server};
use serde_json::{Value, json};

const PASSWORD: &str = "Depot-77x! and some more";
const PO: &str = "/api/v1/purchase_orders/PO-1";
const INVOICE: &str = "/api/v1/invoices/R-1";

/// Somebody with an account.
struct Person(Client);

impl Person {
    /// Makes an account of this role and logs it in.
    #[track_caller]
    fn new(server: &Server, admin: &mut Person, name: &str, role: &str) -> Self {
        let account = json!({ "username": name, "email": format!("{name}@depot.example"), "password": PASSWORD, "role": role });
        admin.post("/api/v1/users", &account, 201);
        Person::known(server, name)
    }

    /// Logs in an account that is there.
    #[track_caller]
    fn known(server: &Server, name: &str) -> Self {
        let login = json!({ "username": name, "password": PASSWORD }).to_string();
        let answer = server.stranger().post("/api/v1/auth/login", &login);
        let tokens = must("logging in", answer).expect(200).json();
        let token = tokens["access_token"].as_str().expect("a token").to_owned();
        Person(server.stranger().with_token(token))
    }

    #[track_caller]
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
        status: u16,
    ) -> Value {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        let text = body.to_string();
        let answer = must(
            "asking",
            self.0.request(method, path, &all, text.as_bytes()),
        );
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        answer.json()
    }

    #[track_caller]
    fn post(&mut self, path: &str, body: &Value, status: u16) -> Value {
        self.ask("POST", path, &[], body, status)
    }

    #[track_caller]
    fn patch(&mut self, path: &str, body: &Value) -> Value {
        self.ask("PATCH", path, &[], body, 200)
    }

    #[track_caller]
    fn get(&mut self, path: &str) -> Value {
        must("asking", self.0.get(path)).expect(200).json()
    }
}

/// Everybody that the way needs.
struct Depot {
    dispatcher: Person,
    workshop: Person,
    manager: Person,
    technician: Person,
    viewer: Person,
}

impl Depot {
    fn new(server: &Server) -> Self {
        let mut admin = Person(server.client());
        let mut person = |name: &str, role: &str| Person::new(server, &mut admin, name, role);
        Depot {
            dispatcher: person("dora", "DISPATCHER"),
            workshop: person("willi", "WORKSHOP_MANAGER"),
            manager: person("frida", "FLEET_MANAGER"),
            technician: person("theo", "TECHNICIAN"),
            viewer: person("vera", "VIEWER"),
        }
    }

    /// 1 to 3: a part, a place for it, and who sells it.
    fn records(&mut self) {
        let part = json!({ "part_no": "BRK/1", "name": "Brake pad", "railway_class": "WEAR_PART", "min_stock": 4, "unit_price": "12.50" });
        self.viewer.post("/api/v1/parts", &part, 403);
        let made = self.dispatcher.post("/api/v1/parts", &part, 201);
        assert_eq!(made["current_stock"], 0);
        let place =
            json!({ "location_code": "NORTH", "name": "North store", "location_type": "WORKSHOP" });
        self.dispatcher.post("/api/v1/stock/locations", &place, 201);
        let seller = json!({ "supplier_code": "SUP-1", "name": "Spares" });
        self.dispatcher.post("/api/v1/suppliers", &seller, 201);
    }

    /// 4 to 7: an order, approved by another, sent, and received in two deliveries.
    fn purchase(&mut self) {
        let body = json!({ "po_number": "PO-1", "supplier_id": "SUP-1", "delivery_location_id": "NORTH",
            "lines": [{ "line_number": 1, "part_no": "BRK/1", "quantity_ordered": 10, "unit_price": "12.50" }] });
        self.viewer.post("/api/v1/purchase_orders", &body, 403);
        let order = self.dispatcher.post("/api/v1/purchase_orders", &body, 201);
        assert_eq!(
            (&order["status"], &order["total_amount"]),
            (&json!("DRAFT"), &json!("125.00"))
        );
        let nothing = json!({});
        let early = self.dispatcher.post(&format!("{PO}/order"), &nothing, 400);
        assert_eq!(
            early["detail"],
            "Cannot order purchase order with status 'DRAFT'. Must be APPROVED."
        );
        // Who drafted it has neither the role nor, with the role, the right to approve their own.
        self.dispatcher
            .post(&format!("{PO}/approve"), &nothing, 403);
        let mut own = body.clone();
        own["po_number"] = json!("PO-2");
        self.workshop.post("/api/v1/purchase_orders", &own, 201);
        let refused = self
            .workshop
            .post("/api/v1/purchase_orders/PO-2/approve", &nothing, 403);
        let why =
            "Who created a purchase order may not approve it; somebody else with the role has to";
        assert_eq!(refused["detail"], why);
        self.manager
            .post("/api/v1/purchase_orders/PO-2/approve", &nothing, 200);

        let approved = self.workshop.post(&format!("{PO}/approve"), &nothing, 200);
        assert_ne!(approved["approved_by"], order["created_by"]);
        self.dispatcher.post(&format!("{PO}/order"), &nothing, 200);
        let line = order["lines"][0]["id"].clone();
        let delivery = |quantity: i64| json!({ "delivery_location_id": "NORTH", "lines_received": [{ "line_id": line, "quantity_received": quantity }] });
        let receive = format!("{PO}/receive");
        let part_of_it = self.technician.post(&receive, &delivery(7), 200);
        assert_eq!(
            (&part_of_it["status"], &part_of_it["stock_moves_created"]),
            (&json!("ORDERED"), &json!(1))
        );
        self.technician.post(&receive, &delivery(4), 409);
        let rest = self.technician.post(&receive, &delivery(3), 200);
        assert_eq!(rest["status"], "RECEIVED");
    }

    /// 8: what came lies where it was put. Gives the month in which it came.
    fn stock(&mut self) -> String {
        let overview = self.viewer.get("/api/v1/stock/overview?part_no=BRK/1");
        assert_eq!(
            overview["items"],
            json!([{ "part_no": "BRK/1", "part_name": "Brake pad", "location_code": "NORTH",
            "location_name": "North store", "quantity": 10, "unit": "pc", "railway_class": "WEAR_PART" }])
        );
        assert_eq!(
            self.viewer.get("/api/v1/parts/BRK%2F1")["current_stock"],
            10
        );
        let moves = self
            .viewer
            .get("/api/v1/stock/moves?part_no=BRK/1&move_type=INCOMING");
        let moves = moves["moves"].as_array().expect("moves").clone();
        let came: i64 = moves
            .iter()
            .filter_map(|one| one["quantity"].as_i64())
            .sum();
        assert_eq!((moves.len(), came), (2, 10));
        assert!(moves.iter().all(|one| one["reference_doc"] == "PO-PO-1"));
        let when = moves[0]["performed_at"].as_str().expect("a time");
        when[..7].to_owned()
    }

    /// 9: money for parts.
    fn budget(&mut self, month: &str) {
        let body = json!({ "period": month, "cost_center": "WS-MAINT", "category": "PARTS", "planned_amount": "200.00" });
        self.dispatcher.post("/api/v1/budget", &body, 403);
        self.workshop.post("/api/v1/budget", &body, 201);
        self.workshop.post("/api/v1/budget", &body, 400);
    }

    /// 10 to 12: an invoice, held against its order, and approved by somebody else than who took it in.
    fn invoice(&mut self, month: &str) {
        let body = json!({ "invoice_number": "R-1", "supplier_id": "SUP-1", "invoice_date": format!("{month}-15"),
            "lines": [{ "line_number": 1, "description": "pads", "part_no": "BRK/1", "quantity": 10,
                "unit_price": "13.00", "tax_amount": "24.70", "cost_center": "WS-MAINT" }] });
        let draft = self.dispatcher.post("/api/v1/invoices/inbox", &body, 201);
        assert_eq!(
            (
                &draft["status"],
                &draft["total_amount"],
                &draft["tax_amount"]
            ),
            (&json!("DRAFT"), &json!("130.00"), &json!("24.70"))
        );
        let approve = format!("{INVOICE}/approve");
        self.manager.post(&approve, &json!({}), 400);
        let order = json!({ "purchase_order_id": "PO-1" });
        let matched = self
            .dispatcher
            .post(&format!("{INVOICE}/match"), &order, 200);
        assert_eq!(
            (&matched["matched_lines"], &matched["total_variance"]),
            (&json!(1), &json!("5.00"))
        );
        self.dispatcher.post(&approve, &json!({}), 403);
        self.workshop.post(&approve, &json!({}), 403);
        self.own_invoice(month);

        // A button pressed twice books once and answers the same.
        let key = [("Idempotency-Key", "approve R-1")];
        let nothing = json!({});
        let first = self.manager.ask("POST", &approve, &key, &nothing, 200);
        let again = self.manager.ask("POST", &approve, &key, &nothing, 200);
        assert_eq!(first["status"], "APPROVED");
        for name in ["id", "status", "approved_by", "approved_at", "version"] {
            assert_eq!(first[name], again[name], "{name}");
        }
        self.manager.post(&approve, &nothing, 400);
    }

    /// One that the manager took in is for somebody else to approve; it books nothing here.
    fn own_invoice(&mut self, month: &str) {
        let body = json!({ "invoice_number": "R-2", "supplier_id": "SUP-1", "invoice_date": format!("{month}-15"),
            "lines": [{ "line_number": 1, "description": "pads", "part_no": "BRK/1", "quantity": 1, "unit_price": "13.00" }] });
        self.manager.post("/api/v1/invoices/inbox", &body, 201);
        let order = json!({ "purchase_order_id": "PO-2" });
        self.manager.post("/api/v1/invoices/R-2/match", &order, 200);
        let refused = self
            .manager
            .post("/api/v1/invoices/R-2/approve", &json!({}), 403);
        assert_eq!(
            refused["detail"],
            "Who created an invoice may not approve it; somebody else with the role has to"
        );
    }

    /// Two of the pads go into a vehicle, on an order that is done on time.
    fn work(&mut self) {
        let vehicle = json!({ "asset_id": "185123", "model": "BR 185", "type": "electric" });
        self.dispatcher.post("/api/v1/vehicles", &vehicle, 201);
        let body = json!({ "vehicle_id": "185123", "maintenance_type": "REPAIR", "scheduled_start": "2001-01-01T00:00:00Z",
            "scheduled_end": "2999-01-01T00:00:00Z" });
        let order = self
            .dispatcher
            .post("/api/v1/maintenance/orders", &body, 201);
        let path = format!(
            "/api/v1/maintenance/orders/{}",
            order["order_number"].as_str().expect("a number")
        );
        let usage = json!({ "part_no": "BRK/1", "quantity": 2, "from_location_id": "NORTH" });
        let used = self.technician.post(&format!("{path}/parts"), &usage, 201);
        assert_eq!(used["used_parts"][0]["unit_price"], "12.50");
        let too_many = json!({ "part_no": "BRK/1", "quantity": 9, "from_location_id": "NORTH" });
        self.technician
            .post(&format!("{path}/parts"), &too_many, 409);
        for status in ["in_progress", "completed"] {
            self.technician.patch(&path, &json!({ "status": status }));
        }
    }

    /// 13 and 14: the overview and the reports say the same of stock and money.
    fn agrees(&mut self, month: &str) {
        let overview = self
            .viewer
            .get(&format!("/api/v1/budget/overview?period={month}"));
        assert_eq!(
            (&overview["total_planned"], &overview["total_actual"]),
            (&json!("200.00"), &json!("130.00"))
        );
        assert_eq!(overview["items"][0]["utilization_pct"], 65.0);
        let costs = self
            .viewer
            .get(&format!("/api/v1/reports/costs?period={month}"));
        assert_eq!(
            costs["metrics"],
            json!([{ "cost_center": "WS-MAINT", "category": "PARTS", "currency": "EUR", "planned_budget": "200.00",
                "actual_cost": "130.00", "variance": "-70.00", "variance_pct": -35.0, "status": "UNDER" }])
        );
        assert_eq!(costs["total_actual"], overview["total_actual"]);

        let usage = self
            .viewer
            .get(&format!("/api/v1/reports/parts_usage?period={month}"));
        assert_eq!(
            (&usage["total_quantity"], &usage["total_parts_cost"]),
            (&json!(2), &json!("25.00"))
        );
        let part = self.viewer.get("/api/v1/parts/BRK%2F1");
        let stock = self.viewer.get("/api/v1/stock/overview?part_no=BRK/1");
        let came = 10;
        let left = came - usage["total_quantity"].as_i64().expect("a quantity");
        assert_eq!(part["current_stock"], left);
        assert_eq!(stock["items"][0]["quantity"], left);

        let on_time = self
            .viewer
            .get(&format!("/api/v1/reports/on_time_ratio?period={month}"));
        assert_eq!(on_time["overall_on_time_ratio_pct"], 100.0);
        let availability = self.viewer.get("/api/v1/reports/availability");
        assert_eq!(availability["overall_availability_pct"], 100.0);
        let dashboard = self
            .viewer
            .get(&format!("/api/v1/reports/dashboard?period={month}"));
        assert_eq!(
            (
                &dashboard["availability_pct"],
                &dashboard["on_time_ratio_pct"],
                &dashboard["budget_utilization_pct"],
                &dashboard["total_work_orders"],
                &dashboard["total_parts_cost"],
                &dashboard["alerts"],
            ),
            (
                &json!(100.0),
                &json!(100.0),
                &json!(65.0),
                &json!(1),
                &json!("25.00"),
                &json!([])
            )
        );
    }
}

#[test]
fn a_part_is_bought_stored_paid_used_and_reported() {
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut depot = Depot::new(&server);
    depot.records();
    depot.purchase();
    let month = depot.stock();
    depot.budget(&month);
    depot.invoice(&month);
    depot.work();
    depot.agrees(&month);
    server.stop();

    // All of it comes from the log: a new process says the same.
    let server = folder.serve();
    let mut depot = Depot {
        dispatcher: Person::known(&server, "dora"),
        workshop: Person::known(&server, "willi"),
        manager: Person::known(&server, "frida"),
        technician: Person::known(&server, "theo"),
        viewer: Person::known(&server, "vera"),
    };
    depot.agrees(&month);
    server.stop();
}
