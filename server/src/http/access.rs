//! Who may call what: one table, one line a route. A route without a line is closed to everybody, and a test that walks
//! the OpenAPI document fails.

use axum::http::Method;
use fleet::policy::Role;

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Anybody.
    Open,
    /// Anybody; who shows a token is known by it, and a bad token is refused.
    OpenOrKnown,
    /// Accounts of this role and above.
    AtLeast(Role),
    /// Devices by their tokens, and accounts of this role and above.
    Device(Role),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct RouteAccess {
    /// The method. `HEAD` follows `GET`.
    pub method: Method,
    /// The path as it is registered.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
}

const fn line(method: Method, path: &'static str, access: Access) -> RouteAccess {
    RouteAccess {
        method,
        path,
        access,
    }
}

const fn get(path: &'static str, access: Access) -> RouteAccess {
    line(Method::GET, path, access)
}

const fn post(path: &'static str, access: Access) -> RouteAccess {
    line(Method::POST, path, access)
}

const fn patch(path: &'static str, access: Access) -> RouteAccess {
    line(Method::PATCH, path, access)
}

const fn put(path: &'static str, access: Access) -> RouteAccess {
    line(Method::PUT, path, access)
}

const fn delete(path: &'static str, access: Access) -> RouteAccess {
    line(Method::DELETE, path, access)
}

const VIEWER: Access = Access::AtLeast(Role::Viewer);
const TECHNICIAN: Access = Access::AtLeast(Role::Technician);
const DISPATCHER: Access = Access::AtLeast(Role::Dispatcher);
const WORKSHOP_MANAGER: Access = Access::AtLeast(Role::WorkshopManager);
const FLEET_MANAGER: Access = Access::AtLeast(Role::FleetManager);
const SUPER_ADMIN: Access = Access::AtLeast(Role::SuperAdmin);
const TABLET: Access = Access::Device(Role::Technician);

/// The whole table.
pub const ROUTES: &[RouteAccess] = &[
    // What is open.
    get("/", Access::Open),
    get("/health", Access::Open),
    get("/ready", Access::Open),
    get("/metrics", Access::Open),
    get("/api/v1/health", Access::Open),
    get("/api/v1/ready", Access::Open),
    get("/api/v1/metrics", Access::Open),
    get("/openapi.json", Access::Open),
    get("/app", Access::Open),
    get("/app/", Access::Open),
    get("/app/{*rest}", Access::Open),
    get("/docs", Access::Open),
    get("/docs/", Access::Open),
    get("/docs/{*rest}", Access::Open),
    post("/api/v1/auth/login", Access::Open),
    post("/api/v1/auth/refresh", Access::Open),
    post("/api/v1/auth/register", Access::OpenOrKnown),
    // Operation.
    post("/api/v1/operations/backups", SUPER_ADMIN),
    get("/api/v1/federation", WORKSHOP_MANAGER),
    post("/api/v1/federation/resync", SUPER_ADMIN),
    post("/api/v1/federation/depots/{log_id}/quarantine", SUPER_ADMIN),
    post("/api/v1/federation/depots/{log_id}/trust", SUPER_ADMIN),
    post("/api/v1/federation/depots/{log_id}/gone", SUPER_ADMIN),
    post("/api/v1/federation/depots/{log_id}/back", SUPER_ADMIN),
    // One's own account.
    get("/api/v1/auth/me", VIEWER),
    post("/api/v1/auth/logout", VIEWER),
    post("/api/v1/auth/password", VIEWER),
    // Accounts.
    get("/api/v1/users", FLEET_MANAGER),
    post("/api/v1/users", FLEET_MANAGER),
    get("/api/v1/users/{user_id}", FLEET_MANAGER),
    patch("/api/v1/users/{user_id}", FLEET_MANAGER),
    delete("/api/v1/users/{user_id}", FLEET_MANAGER),
    // Events.
    post("/api/v1/events", TECHNICIAN),
    post("/api/v1/events/batch", TECHNICIAN),
    get("/api/v1/events", VIEWER),
    get("/api/v1/events/stream", VIEWER),
    get("/api/v1/events/type/{event_type}", VIEWER),
    get("/api/v1/events/{aggregate_id}", VIEWER),
    get("/api/v1/events/{aggregate_id}/version", VIEWER),
    get("/api/v1/events/{aggregate_type}/{aggregate_id}", VIEWER),
    post("/api/v1/events/replay", FLEET_MANAGER),
    post("/api/v1/events/replay/{aggregate_id}", FLEET_MANAGER),
    // Learning.
    post("/api/v1/ml/predict", VIEWER),
    post("/api/v1/ml/predict/failure", VIEWER),
    get("/api/v1/ml/predict/failure/{vehicle_id}", VIEWER),
    post("/api/v1/ml/predict/maintenance", VIEWER),
    get("/api/v1/ml/predict/maintenance/{vehicle_id}", VIEWER),
    get(
        "/api/v1/ml/predict/workorder-completion/{workorder_id}",
        VIEWER,
    ),
    get("/api/v1/ml/predict/demand/{part_id}", VIEWER),
    get("/api/v1/ml/forecast/parts", VIEWER),
    get("/api/v1/ml/fleet/risk", VIEWER),
    post("/api/v1/ml/detect/anomaly", VIEWER),
    post("/api/v1/ml/train", FLEET_MANAGER),
    post("/api/v1/ml/models/train", FLEET_MANAGER),
    get("/api/v1/ml/training-jobs", VIEWER),
    get("/api/v1/ml/training-jobs/{job_id}", VIEWER),
    get("/api/v1/ml/training-jobs/{job_id}/events", VIEWER),
    line(
        Method::DELETE,
        "/api/v1/ml/training-jobs/{job_id}",
        FLEET_MANAGER,
    ),
    get("/api/v1/ml/models", VIEWER),
    get("/api/v1/ml/models/{model_id}", VIEWER),
    get("/api/v1/ml/models/{model_id}/file", FLEET_MANAGER),
    post("/api/v1/ml/models/{model_id}/promote", FLEET_MANAGER),
    post("/api/v1/ml/models/{model_id}/rollback", FLEET_MANAGER),
    post("/api/v1/ml/models/upload", FLEET_MANAGER),
    get("/api/v1/ml/drift", VIEWER),
    get("/api/v1/ml/features/{entity_type}/{entity_id}", VIEWER),
    post("/api/v1/ml/features/extract", VIEWER),
    get(
        "/api/v1/ml/predictions/history/{entity_type}/{entity_id}",
        VIEWER,
    ),
    get("/api/v1/ml/predictions/stats", VIEWER),
    // Read models.
    get("/api/v1/projections", VIEWER),
    get("/api/v1/projections/stats", VIEWER),
    get("/api/v1/projections/{name}", VIEWER),
    get("/api/v1/projections/{name}/state", VIEWER),
    get("/api/v1/projections/{name}/data", VIEWER),
    post("/api/v1/projections/rebuild", FLEET_MANAGER),
    post("/api/v1/projections/{name}/rebuild", FLEET_MANAGER),
    // The fleet.
    get("/api/v1/vehicles", VIEWER),
    post("/api/v1/vehicles", DISPATCHER),
    get("/api/v1/vehicles/{vehicle_id}", VIEWER),
    patch("/api/v1/vehicles/{vehicle_id}", TECHNICIAN),
    delete("/api/v1/vehicles/{vehicle_id}", FLEET_MANAGER),
    post("/api/v1/vehicles/{vehicle_id}/hand-over", FLEET_MANAGER),
    post("/api/v1/vehicles/{vehicle_id}/take-over", FLEET_MANAGER),
    // Maintenance: whoever works may report, whoever plans may plan, whoever answers for the workshop releases.
    get("/api/v1/maintenance/tasks", VIEWER),
    post("/api/v1/maintenance/tasks", TECHNICIAN),
    get("/api/v1/maintenance/tasks/{task_id}", VIEWER),
    patch("/api/v1/maintenance/tasks/{task_id}", TECHNICIAN),
    get("/api/v1/maintenance/orders", VIEWER),
    post("/api/v1/maintenance/orders", TECHNICIAN),
    get("/api/v1/maintenance/orders/{order_id}", VIEWER),
    patch("/api/v1/maintenance/orders/{order_id}", TECHNICIAN),
    post(
        "/api/v1/maintenance/orders/{order_id}/release",
        WORKSHOP_MANAGER,
    ),
    // What is written into an order while it is worked on.
    post(
        "/api/v1/maintenance/orders/{order_id}/checklist",
        TECHNICIAN,
    ),
    patch(
        "/api/v1/maintenance/orders/{order_id}/checklist/{item_id}",
        TECHNICIAN,
    ),
    delete(
        "/api/v1/maintenance/orders/{order_id}/checklist/{item_id}",
        DISPATCHER,
    ),
    post("/api/v1/maintenance/orders/{order_id}/findings", TECHNICIAN),
    post(
        "/api/v1/maintenance/orders/{order_id}/findings/{finding_id}/resolve",
        TECHNICIAN,
    ),
    post("/api/v1/maintenance/orders/{order_id}/notes", TECHNICIAN),
    post("/api/v1/maintenance/orders/{order_id}/parts", TECHNICIAN),
    get("/api/v1/workshops", VIEWER),
    post("/api/v1/workshops", WORKSHOP_MANAGER),
    get("/api/v1/workshops/{workshop_id}", VIEWER),
    patch("/api/v1/workshops/{workshop_id}", WORKSHOP_MANAGER),
    // Tracks and teams: whoever runs the workshop keeps them, whoever plans says when they are there.
    get("/api/v1/tracks", VIEWER),
    post("/api/v1/tracks", WORKSHOP_MANAGER),
    get("/api/v1/tracks/{track_id}", VIEWER),
    patch("/api/v1/tracks/{track_id}", WORKSHOP_MANAGER),
    delete("/api/v1/tracks/{track_id}", WORKSHOP_MANAGER),
    post("/api/v1/tracks/{track_id}/availability", DISPATCHER),
    delete(
        "/api/v1/tracks/{track_id}/availability/{availability_id}",
        DISPATCHER,
    ),
    get("/api/v1/teams", VIEWER),
    post("/api/v1/teams", WORKSHOP_MANAGER),
    get("/api/v1/teams/{team_id}", VIEWER),
    patch("/api/v1/teams/{team_id}", WORKSHOP_MANAGER),
    delete("/api/v1/teams/{team_id}", WORKSHOP_MANAGER),
    post("/api/v1/teams/{team_id}/availability", DISPATCHER),
    delete(
        "/api/v1/teams/{team_id}/availability/{availability_id}",
        DISPATCHER,
    ),
    // Transfers.
    get("/api/v1/transfer/plans", VIEWER),
    post("/api/v1/transfer/plans", DISPATCHER),
    get("/api/v1/transfer/plans/{plan_id}", VIEWER),
    patch("/api/v1/transfer/plans/{plan_id}", DISPATCHER),
    delete("/api/v1/transfer/plans/{plan_id}", DISPATCHER),
    get("/api/v1/transfer/assignments", VIEWER),
    post("/api/v1/transfer/assignments", DISPATCHER),
    get("/api/v1/transfer/assignments/{assignment_id}", VIEWER),
    patch("/api/v1/transfer/assignments/{assignment_id}", DISPATCHER),
    delete("/api/v1/transfer/assignments/{assignment_id}", DISPATCHER),
    // Staff: who plans may plan them, who answers for a workshop keeps their records.
    get("/api/v1/hr/staff", VIEWER),
    post("/api/v1/hr/staff", WORKSHOP_MANAGER),
    get("/api/v1/hr/staff/{staff_id}", VIEWER),
    patch("/api/v1/hr/staff/{staff_id}", WORKSHOP_MANAGER),
    delete("/api/v1/hr/staff/{staff_id}", FLEET_MANAGER),
    get("/api/v1/hr/assignments", VIEWER),
    post("/api/v1/hr/assignments", DISPATCHER),
    get("/api/v1/hr/assignments/{assignment_id}", VIEWER),
    patch("/api/v1/hr/assignments/{assignment_id}", TECHNICIAN),
    delete("/api/v1/hr/assignments/{assignment_id}", DISPATCHER),
    // Documents: whoever works may add one. What one says is for those whose role reaches its access level.
    get("/api/v1/docs/links", VIEWER),
    post("/api/v1/docs/links", TECHNICIAN),
    get("/api/v1/docs/links/{document_id}", VIEWER),
    patch("/api/v1/docs/links/{document_id}", DISPATCHER),
    delete("/api/v1/docs/links/{document_id}", WORKSHOP_MANAGER),
    get("/api/v1/docs/links/{document_id}/versions", VIEWER),
    get("/api/v1/docs/links/{document_id}/access-log", DISPATCHER),
    post("/api/v1/docs/versions", TECHNICIAN),
    get("/api/v1/docs/expiring", VIEWER),
    // Policies: whoever works by one may read it.
    get("/api/v1/policy/active", VIEWER),
    get("/api/v1/policy/list", SUPER_ADMIN),
    get("/api/v1/policy/load/{policy_name}", SUPER_ADMIN),
    post("/api/v1/policy/upload", SUPER_ADMIN),
    post("/api/v1/policy/sign/{policy_name}", SUPER_ADMIN),
    post("/api/v1/policy/generate-keypair", SUPER_ADMIN),
    post("/api/v1/policy/activate/{policy_name}", SUPER_ADMIN),
    post("/api/v1/policy/deactivate/{policy_name}", SUPER_ADMIN),
    delete("/api/v1/policy/{policy_name}", SUPER_ADMIN),
    // Key figures.
    get("/api/v1/analytics/catalogue", VIEWER),
    get("/api/v1/analytics/health", VIEWER),
    get("/api/v1/analytics/timeseries/{metric}", VIEWER),
    get("/api/v1/analytics/fleet/heatmap", VIEWER),
    get("/api/v1/analytics/drilldown/{metric}", VIEWER),
    get("/api/v1/analytics/distribution/{metric}", VIEWER),
    get("/api/v1/analytics/forecast/costs", VIEWER),
    get("/api/v1/analytics/benchmark/workshops", VIEWER),
    get("/api/v1/analytics/kpis", VIEWER),
    get("/api/v1/analytics/metrics/summary", VIEWER),
    get("/api/v1/analytics/metrics/{metric_name}", VIEWER),
    get("/api/v1/analytics/events/timeseries/{event_type}", VIEWER),
    get("/api/v1/analytics/fleet/availability-by-vehicle", VIEWER),
    get("/api/v1/analytics/workorders/performance", VIEWER),
    get("/api/v1/analytics/inventory/analysis", VIEWER),
    get("/api/v1/analytics/dashboard/executive", VIEWER),
    get("/api/v1/analytics/dashboard/operations", VIEWER),
    get("/api/v1/analytics/dashboard/maintenance", VIEWER),
    get("/api/v1/analytics/dashboard/inventory", VIEWER),
    // Stores: who works moves parts, who plans keeps the records.
    get("/api/v1/parts", VIEWER),
    post("/api/v1/parts", DISPATCHER),
    get("/api/v1/parts/{part_id}", VIEWER),
    patch("/api/v1/parts/{part_id}", DISPATCHER),
    delete("/api/v1/parts/{part_id}", WORKSHOP_MANAGER),
    get("/api/v1/stock/locations", VIEWER),
    post("/api/v1/stock/locations", DISPATCHER),
    get("/api/v1/stock/locations/{location_id}", VIEWER),
    patch("/api/v1/stock/locations/{location_id}", DISPATCHER),
    delete("/api/v1/stock/locations/{location_id}", WORKSHOP_MANAGER),
    get("/api/v1/stock/moves", VIEWER),
    post("/api/v1/stock/moves", TECHNICIAN),
    get("/api/v1/stock/moves/{move_id}", VIEWER),
    get("/api/v1/stock/overview", VIEWER),
    // Purchases.
    get("/api/v1/suppliers", VIEWER),
    post("/api/v1/suppliers", DISPATCHER),
    get("/api/v1/suppliers/{supplier_id}", VIEWER),
    patch("/api/v1/suppliers/{supplier_id}", DISPATCHER),
    delete("/api/v1/suppliers/{supplier_id}", WORKSHOP_MANAGER),
    get("/api/v1/purchase_orders", VIEWER),
    post("/api/v1/purchase_orders", DISPATCHER),
    get("/api/v1/purchase_orders/{order_id}", VIEWER),
    patch("/api/v1/purchase_orders/{order_id}", DISPATCHER),
    post(
        "/api/v1/purchase_orders/{order_id}/approve",
        WORKSHOP_MANAGER,
    ),
    post("/api/v1/purchase_orders/{order_id}/order", DISPATCHER),
    post("/api/v1/purchase_orders/{order_id}/receive", TECHNICIAN),
    post("/api/v1/purchase_orders/{order_id}/close", DISPATCHER),
    // Money.
    get("/api/v1/invoices", VIEWER),
    post("/api/v1/invoices", DISPATCHER),
    post("/api/v1/invoices/inbox", DISPATCHER),
    get("/api/v1/invoices/{invoice_id}", VIEWER),
    patch("/api/v1/invoices/{invoice_id}", DISPATCHER),
    post("/api/v1/invoices/{invoice_id}/match", DISPATCHER),
    post("/api/v1/invoices/{invoice_id}/approve", FLEET_MANAGER),
    post("/api/v1/invoices/{invoice_id}/export", FLEET_MANAGER),
    post("/api/v1/invoices/{invoice_id}/post", FLEET_MANAGER),
    get("/api/v1/budget", VIEWER),
    post("/api/v1/budget", WORKSHOP_MANAGER),
    get("/api/v1/budget/overview", VIEWER),
    get("/api/v1/budget/{budget_id}", VIEWER),
    patch("/api/v1/budget/{budget_id}", WORKSHOP_MANAGER),
    get("/api/v1/cost_centers", VIEWER),
    post("/api/v1/cost_centers", WORKSHOP_MANAGER),
    get("/api/v1/cost_centers/{cost_center_id}", VIEWER),
    patch("/api/v1/cost_centers/{cost_center_id}", WORKSHOP_MANAGER),
    delete("/api/v1/cost_centers/{cost_center_id}", FLEET_MANAGER),
    // Figures of a month.
    get("/api/v1/reports/availability", VIEWER),
    get("/api/v1/reports/on_time_ratio", VIEWER),
    get("/api/v1/reports/parts_usage", VIEWER),
    get("/api/v1/reports/costs", VIEWER),
    get("/api/v1/reports/dashboard", VIEWER),
    // Time travel.
    get("/api/v1/time-travel/state-at", VIEWER),
    get("/api/v1/time-travel/history", VIEWER),
    get("/api/v1/time-travel/replay", VIEWER),
    get("/api/v1/time-travel/compare", VIEWER),
    post("/api/v1/time-travel/compare", VIEWER),
    get("/api/v1/time-travel/changes", VIEWER),
    get("/api/v1/time-travel/fleet", VIEWER),
    post("/api/v1/time-travel/restore", FLEET_MANAGER),
    get(
        "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/at-timestamp",
        VIEWER,
    ),
    get(
        "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/at-version",
        VIEWER,
    ),
    get(
        "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/history",
        VIEWER,
    ),
    get(
        "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/events-between",
        VIEWER,
    ),
    get(
        "/api/v1/audit/{aggregate_type}/{aggregate_id}/replay",
        VIEWER,
    ),
    // Tablets: who works registers one; it comes by its own token from then on.
    post("/api/v1/sync/devices/register", TECHNICIAN),
    get("/api/v1/sync/devices", VIEWER),
    get("/api/v1/sync/devices/{device_id}", VIEWER),
    get("/api/v1/sync/devices/{device_id}/status", VIEWER),
    put("/api/v1/sync/devices/{device_id}/status", TABLET),
    post("/api/v1/sync/devices/{device_id}/renew", TABLET),
    delete("/api/v1/sync/devices/{device_id}", TECHNICIAN),
    post("/api/v1/sync/crdt/push", TABLET),
    get("/api/v1/sync/crdt/pull", TABLET),
    post("/api/v1/sync/crdt/sync", TABLET),
    post("/api/v1/sync/push", TABLET),
    get("/api/v1/sync/pull", TABLET),
    get("/api/v1/sync/pull/{device_id}", TABLET),
    get("/api/v1/sync/stream", TABLET),
    get("/api/v1/sync/crdt/status", VIEWER),
    get("/api/v1/sync/sessions/{device_id}", VIEWER),
    get("/api/v1/sync/devices/{device_id}/refused", TECHNICIAN),
    post("/api/v1/sync/crdt/compact", FLEET_MANAGER),
    get("/api/v1/sync/leases", VIEWER),
    post("/api/v1/sync/leases", TECHNICIAN),
    post("/api/v1/sync/leases/return", TECHNICIAN),
    get("/api/v1/sync/conflicts", VIEWER),
    post("/api/v1/sync/conflicts/{conflict_id}/resolve", DISPATCHER),
    get("/api/v1/crdt/sessions/{device_id}", VIEWER),
    post("/api/v1/crdt/sync/bidirectional", TABLET),
    post("/api/v1/crdt/sync/push", TABLET),
    post("/api/v1/crdt/sync/pull", TABLET),
    post("/api/v1/crdt/devices/register", TECHNICIAN),
    get("/api/v1/crdt/devices/{device_id}", VIEWER),
    put("/api/v1/crdt/devices/{device_id}/status", TABLET),
    // Audit and proof.
    get("/api/v1/audit/trail", VIEWER),
    get(
        "/api/v1/audit/trail/{aggregate_type}/{aggregate_id}",
        VIEWER,
    ),
    get("/api/v1/audit/user/{user_id}/actions", VIEWER),
    get("/api/v1/audit/user/{user_id}/activity", VIEWER),
    get("/api/v1/audit/state/{aggregate_id}", VIEWER),
    get("/api/v1/audit/diff/{aggregate_id}", VIEWER),
    get("/api/v1/audit/changes", VIEWER),
    get("/api/v1/audit/anomalies", VIEWER),
    post("/api/v1/audit/report", VIEWER),
    get(
        "/api/v1/audit/{aggregate_type}/{aggregate_id}/timeline",
        VIEWER,
    ),
    get(
        "/api/v1/audit/{aggregate_type}/{aggregate_id}/anomalies",
        VIEWER,
    ),
    get("/api/v1/audit/security", SUPER_ADMIN),
    get(
        "/api/v1/changes/{aggregate_type}/{aggregate_id}/history",
        VIEWER,
    ),
    get(
        "/api/v1/changes/{aggregate_type}/{aggregate_id}/recent",
        VIEWER,
    ),
    get(
        "/api/v1/changes/{aggregate_type}/{aggregate_id}/field/{field_name}",
        VIEWER,
    ),
    get(
        "/api/v1/changes/{aggregate_type}/{aggregate_id}/compare-versions",
        VIEWER,
    ),
    get(
        "/api/v1/changes/{aggregate_type}/{aggregate_id}/who-changed-what",
        VIEWER,
    ),
    get("/api/v1/audit/checkpoint", VIEWER),
    get("/api/v1/audit/checkpoints", VIEWER),
    get("/api/v1/audit/proof/{position}", VIEWER),
    get("/api/v1/audit/consistency", VIEWER),
    // Compliance.
    post("/api/v1/compliance/erase/{subject}", SUPER_ADMIN),
    get("/api/v1/compliance/erasures", FLEET_MANAGER),
    get("/api/v1/compliance/keys", SUPER_ADMIN),
    get("/api/v1/compliance/user-data/{user_id}", VIEWER),
    get("/api/v1/compliance/maintenance-record/{vehicle_id}", VIEWER),
    get("/api/v1/compliance/reports/gdpr", FLEET_MANAGER),
    get("/api/v1/compliance/reports/sox", FLEET_MANAGER),
    get("/api/v1/compliance/reports/soc2", FLEET_MANAGER),
    post("/api/v1/compliance/gdpr-report", FLEET_MANAGER),
    post("/api/v1/compliance/sox-report", FLEET_MANAGER),
    get("/api/v1/compliance/activity-summary", FLEET_MANAGER),
    post("/api/v1/compliance/access-reviews", SUPER_ADMIN),
];

/// The line for a route; `None`: nobody may.
pub fn of(method: &Method, path: &str) -> Option<Access> {
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    ROUTES
        .iter()
        .find(|line| line.method == *method && line.path == path)
        .map(|line| line.access)
}
