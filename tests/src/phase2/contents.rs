//! How much of everything a database holds.

/// How many rows each table gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// What chance begins with.
    pub seed: u64,
    /// Whether the traps are among the rows.
    pub traps: bool,
    /// Rows in all tables together, about.
    pub rows: u64,
}

impl Contents {
    /// About so many rows, traps among them.
    pub fn new(seed: u64, rows: u64) -> Self {
        Contents {
            seed,
            rows,
            traps: true,
        }
    }

    /// The same without the traps: nothing that a report would have to mention.
    #[must_use]
    pub fn without_traps(mut self) -> Self {
        self.traps = false;
        self
    }

    /// Rows of a table: its share, in hundredths of a percent, of all.
    pub(super) fn of(&self, table: &str) -> u64 {
        let share = match table {
            "users" => 10,
            "workshops" => 5,
            "vehicles" => 50,
            "maintenance_tasks" => 1_000,
            "tracks" | "teams" | "stock_locations" | "cost_centers" => 5,
            "track_availability" | "team_availability" | "part_availability" => 50,
            "work_orders" => 1_500,
            "wo_assignment" => 500,
            "transfer_plans" => 150,
            "transfer_assignments" => 300,
            "staff" => 30,
            "staff_assignments" => 1_200,
            "document_links" => 300,
            "document_versions" => 400,
            "document_access_log" => 800,
            "part_inventory" => 100,
            "stock_moves" => 1_500,
            "used_parts" => 800,
            "suppliers" => 20,
            "purchase_orders" => 250,
            "purchase_order_lines" => 500,
            "invoices" => 200,
            "invoice_lines" => 300,
            "budgets" => 30,
            "sync_conflicts" => 50,
            "event_log" | "audit_log" => 100,
            "solver_solutions" => 10,
            _ => 0,
        };
        // Enough of each that a reference finds something, and a trap its place.
        (self.rows * share / 10_000).max(3)
    }
}
