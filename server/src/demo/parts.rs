//! What the workshops put into vehicles: the catalogue, what a job takes of it, and what that costs.

use serde_json::{Value, json};

use super::random::Random;
use super::rates::GROUPS;

/// The suppliers: code and name.
pub(super) const SUPPLIERS: [(&str, &str); 4] = [
    ("SUP-01", "Lakeside Spares"),
    ("SUP-02", "Northern Traction"),
    ("SUP-03", "Doorworks"),
    ("SUP-04", "General Rail Supply"),
];

/// What a part is: an assumption throughout, near to what such parts cost and take.
#[derive(Debug)]
pub(super) struct PartKind {
    pub part_no: &'static str,
    pub name: &'static str,
    /// The fault group whose repairs take it; `None` for what inspections take.
    pub group: Option<&'static str>,
    pub price_cents: i64,
    pub min_stock: i64,
    pub order_quantity: i64,
    pub lead_days: i64,
    pub supplier: usize,
    /// How often a job takes it, and how many at most then.
    pub taken: (f64, i64),
}

/// A part number, a name, its group, cents, least stock, order quantity, lead days, supplier, how often taken, at most.
const fn part(
    name: (&'static str, &'static str),
    group: Option<&'static str>,
    stock: (i64, i64, i64),
    bought: (i64, usize),
    taken: (f64, i64),
) -> PartKind {
    let (price_cents, min_stock, order_quantity) = stock;
    let (lead_days, supplier) = bought;
    PartKind {
        part_no: name.0,
        name: name.1,
        group,
        price_cents,
        min_stock,
        order_quantity,
        lead_days,
        supplier,
        taken,
    }
}

pub(super) const PARTS: [PartKind; 24] = [
    part(
        ("DOR-100", "Door drive"),
        Some("door"),
        (184_000, 5, 8),
        (18, 2),
        (0.35, 1),
    ),
    part(
        ("DOR-110", "Door leaf seal"),
        Some("door"),
        (8_900, 10, 30),
        (7, 2),
        (0.60, 4),
    ),
    part(
        ("DOR-120", "Door position switch"),
        Some("door"),
        (6_450, 8, 24),
        (7, 2),
        (0.45, 2),
    ),
    part(
        ("BRK-200", "Brake caliper"),
        Some("brake"),
        (221_500, 5, 6),
        (21, 3),
        (0.40, 2),
    ),
    part(
        ("BRK-210", "Brake control valve"),
        Some("brake"),
        (97_000, 4, 6),
        (14, 3),
        (0.35, 1),
    ),
    part(
        ("BRK-220", "Brake pipe set"),
        Some("brake"),
        (12_300, 4, 8),
        (10, 3),
        (0.45, 1),
    ),
    part(
        ("PRP-300", "Traction inverter module"),
        Some("prop"),
        (1_264_000, 3, 3),
        (35, 1),
        (0.30, 1),
    ),
    part(
        ("PRP-310", "Line contactor"),
        Some("prop"),
        (73_500, 4, 6),
        (14, 1),
        (0.40, 1),
    ),
    part(
        ("PRP-320", "Motor bearing"),
        Some("prop"),
        (41_000, 4, 6),
        (14, 1),
        (0.30, 2),
    ),
    part(
        ("CTL-400", "Speed sensor"),
        Some("ctrl"),
        (38_700, 8, 12),
        (10, 1),
        (0.65, 2),
    ),
    part(
        ("CTL-410", "Control board"),
        Some("ctrl"),
        (268_000, 3, 4),
        (28, 1),
        (0.25, 1),
    ),
    part(
        ("ELC-500", "Auxiliary converter fan"),
        Some("elec"),
        (29_400, 4, 6),
        (10, 3),
        (0.40, 1),
    ),
    part(
        ("ELC-510", "Battery block"),
        Some("elec"),
        (84_000, 5, 8),
        (14, 3),
        (0.35, 2),
    ),
    part(
        ("ELC-520", "Lighting module"),
        Some("elec"),
        (7_800, 8, 20),
        (7, 3),
        (0.50, 4),
    ),
    part(
        ("BOD-600", "Compressor overhaul kit"),
        Some("body"),
        (152_000, 5, 6),
        (21, 3),
        (0.35, 1),
    ),
    part(
        ("BOD-610", "Coupler wear kit"),
        Some("body"),
        (66_000, 4, 6),
        (14, 0),
        (0.25, 1),
    ),
    part(
        ("BOD-620", "Window pane"),
        Some("body"),
        (43_900, 4, 6),
        (10, 0),
        (0.30, 1),
    ),
    part(
        ("WEA-700", "Brake pad set"),
        None,
        (21_800, 95, 120),
        (14, 0),
        (0.55, 4),
    ),
    part(
        ("WEA-710", "Current collector shoe"),
        None,
        (9_600, 80, 120),
        (10, 0),
        (0.60, 4),
    ),
    part(
        ("WEA-720", "Air filter"),
        None,
        (3_150, 85, 160),
        (7, 0),
        (0.85, 4),
    ),
    part(
        ("WEA-730", "Lubricant, litre"),
        None,
        (1_240, 110, 240),
        (5, 0),
        (0.90, 6),
    ),
    part(
        ("WEA-740", "Gear oil, litre"),
        None,
        (1_860, 60, 160),
        (5, 0),
        (0.40, 8),
    ),
    part(
        ("WEA-750", "Wiper blade"),
        None,
        (2_480, 24, 60),
        (7, 0),
        (0.35, 2),
    ),
    part(
        ("WEA-760", "Wheel flange lubricator stick"),
        None,
        (4_120, 65, 90),
        (10, 0),
        (0.50, 4),
    ),
];

/// What a job takes: places in the list of parts, and how many.
pub(super) type Needs = Vec<(usize, i64)>;

/// What a job takes for the repair or renewal of a fault group; at least one part.
pub(super) fn needs_of_group(group: usize, random: &mut Random) -> Needs {
    let mut needs = draw(Some(GROUPS[group].name), random);
    if needs.is_empty() {
        let first = PARTS
            .iter()
            .position(|part| part.group == Some(GROUPS[group].name));
        needs.extend(first.map(|place| (place, 1)));
    }
    needs
}

/// What an inspection takes.
pub(super) fn needs_of_inspection(random: &mut Random) -> Needs {
    draw(None, random)
}

fn draw(group: Option<&str>, random: &mut Random) -> Needs {
    let of_group = PARTS
        .iter()
        .enumerate()
        .filter(|(_, part)| part.group == group);
    of_group
        .filter_map(|(place, part)| {
            let (chance, most) = part.taken;
            random
                .chance(chance)
                .then(|| (place, random.between(1, most)))
        })
        .collect()
}

/// The needs as clients see them.
pub(super) fn needs_as_json(needs: &Needs) -> Value {
    needs
        .iter()
        .map(|(place, quantity)| json!({ "part_no": PARTS[*place].part_no, "quantity": quantity }))
        .collect()
}

/// What the needs cost, in cents.
pub(super) fn cost_of(needs: &Needs) -> i64 {
    needs
        .iter()
        .map(|(place, quantity)| PARTS[*place].price_cents * quantity)
        .sum()
}

/// Cents as a decimal with two places, as money stands in JSON.
pub(super) fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
