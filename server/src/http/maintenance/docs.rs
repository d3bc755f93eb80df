//! Bodies of what stands in a work order, as the description shows them. What checks them is `fleet::work_order`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// An item of the checklist; a new one needs a `text`.
#[derive(ToSchema)]
pub(crate) struct ChecklistItem {
    #[schema(example = "Brake pads above 10 mm")]
    text: Option<String>,
    done: Option<bool>,
    /// What was measured, in `unit`.
    measured: Option<f64>,
    unit: Option<String>,
    remark: Option<String>,
}

/// Something that was found.
#[derive(ToSchema)]
pub(crate) struct Finding {
    text: String,
    /// `low`, `medium` (default), `high` or `critical`.
    severity: Option<String>,
    component: Option<String>,
    /// Now, if absent.
    found_at: Option<String>,
}

/// What became of a finding.
#[derive(ToSchema)]
pub(crate) struct Resolution {
    resolution: String,
}

/// A note.
#[derive(ToSchema)]
pub(crate) struct Note {
    text: String,
}

/// A part that was used.
#[derive(ToSchema)]
pub(crate) struct PartUse {
    /// By number or UUID.
    part_no: String,
    /// At least 1.
    quantity: u32,
    /// By UUID or code; none for what lies at no known location.
    from_location_id: Option<String>,
    remark: Option<String>,
}
