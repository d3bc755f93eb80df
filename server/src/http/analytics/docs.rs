//! The shapes of key figures in the OpenAPI document.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// One key figure.
#[derive(ToSchema)]
pub(crate) struct Figure {
    /// Its name.
    #[schema(example = "availability")]
    key: String,
    /// Its value; null, with a `reason`, where there is nothing to divide by.
    value: Option<f64>,
    /// The value's unit.
    #[schema(example = "%")]
    unit: String,
    /// Why there is no value.
    reason: Option<String>,
    /// What was counted: microseconds, kilometres, hundredths of the currency, or a count.
    numerator: i64,
    /// What it is divided by.
    denominator: i64,
    /// Where the true value lies at 95 %, for means between events.
    low: Option<f64>,
    /// The upper end; null where no event happened.
    high: Option<f64>,
    /// What is usually aimed at; at least that, or at most where less is better.
    target: Option<f64>,
    /// Whether the value is.
    meets_target: Option<bool>,
    /// `improving`, `declining`, `stable` or `too_little_data`.
    trend: String,
    /// Change a month, in the figure's unit.
    slope_a_month: f64,
    /// The chance of so clear an order of months without a trend.
    p: f64,
    /// The last twelve months, the running one last.
    months: Vec<Option<f64>>,
    /// The number of its definition.
    definition: u32,
    /// The definition.
    text: String,
}

/// All key figures.
#[derive(ToSchema)]
pub(crate) struct Catalogue {
    /// The position of the log that they reflect.
    position: u64,
    /// From when they are taken.
    from: String,
    /// Until when.
    to: String,
    /// The figures.
    kpis: Vec<Figure>,
}

/// One line of a series.
#[derive(ToSchema)]
pub(crate) struct Line {
    /// Its name.
    key: String,
    /// The values' unit.
    unit: String,
    /// A value for each bucket; null where there is nothing to divide by.
    values: Vec<Option<f64>>,
}

/// A figure over time.
#[derive(ToSchema)]
pub(crate) struct Series {
    /// When each bucket begins, in seconds since 1970.
    x: Vec<i64>,
    /// The same as local times with their offset, and when the last bucket ends: one more than there are buckets.
    edges: Vec<String>,
    /// The lines.
    series: Vec<Line>,
    /// The position of the log that they reflect.
    position: u64,
    /// The number of the figure's definition.
    definition: u32,
}

/// Values by row and column.
#[derive(ToSchema)]
pub(crate) struct Heat {
    /// Vehicles, by asset id.
    rows: Vec<String>,
    /// Months, `2026-11`.
    cols: Vec<String>,
    /// When each month begins and, last, when the last one ends, as local times with their offset.
    edges: Vec<String>,
    /// By row, then column.
    values: Vec<Vec<i64>>,
    /// The values' unit.
    unit: String,
    /// The position of the log that they reflect.
    position: u64,
}

/// How the amounts of a figure lie.
#[derive(ToSchema)]
pub(crate) struct Distribution {
    /// The figure's name.
    #[schema(example = "mttr")]
    key: String,
    /// The unit of edges and quantiles.
    unit: String,
    /// From when the amounts are.
    from: String,
    /// Until when.
    to: String,
    /// How many amounts there are.
    count: u64,
    /// The bins' ends, from 0 on: one more than there are bins; none where nothing is above 0.
    edges: Vec<f64>,
    /// How many lie in each bin.
    counts: Vec<i64>,
    /// How many lie below the first: none.
    underflow: i64,
    /// How many lie behind the last.
    overflow: i64,
    /// The value that half of the amounts do not exceed; null without any.
    p50: Option<f64>,
    /// The same for nine of ten.
    p90: Option<f64>,
    /// The same for 99 of 100.
    p99: Option<f64>,
    /// How far a quantile may lie from the true one, as a share of it.
    relative_error: f64,
    /// The number of the figure's definition.
    definition: u32,
    /// The position of the log that it reflects.
    position: u64,
}

/// The events that make a figure.
#[derive(ToSchema)]
pub(crate) struct Drilled {
    /// What is counted: events, each with the `amount` that it adds.
    #[schema(value_type = Vec<Object>)]
    numerator: Vec<String>,
    /// How many events that are in all.
    numerator_events: u64,
    /// What it is divided by: events, each with the `amount` that it adds.
    #[schema(value_type = Vec<Object>)]
    denominator: Vec<String>,
    /// How many events that are in all.
    denominator_events: u64,
    /// Where the next page of what is counted begins; null on the last.
    next: Option<u64>,
    /// The same for what it is divided by.
    next_denominator: Option<u64>,
    /// The position of the log that they reflect.
    position: u64,
}

/// Months that were.
#[derive(ToSchema)]
pub(crate) struct MonthsBefore {
    /// When each month begins, in seconds since 1970.
    x: Vec<i64>,
    /// The same as local times with their offset, and when the last month ends: one more than there are months.
    edges: Vec<String>,
    /// What was booked.
    values: Vec<f64>,
}

/// A forecast with its bands.
#[derive(ToSchema)]
pub(crate) struct Fan {
    /// Months that were.
    history: MonthsBefore,
    /// When each month to come begins, in seconds since 1970.
    x: Vec<i64>,
    /// The same as local times with their offset, and when the last month ends.
    edges: Vec<String>,
    /// What is expected.
    point: Vec<f64>,
    /// Where four of five months lie: the lower ends. Null where the history is too short to tell.
    lo80: Vec<Option<f64>>,
    /// The upper ends.
    hi80: Vec<Option<f64>>,
    /// Where nineteen of twenty months lie: the lower ends. Null where the history is too short to tell.
    lo95: Vec<Option<f64>>,
    /// The upper ends.
    hi95: Vec<Option<f64>>,
    /// What open orders will cost, at the mean cost of a closed one.
    planned_layer: Vec<f64>,
    /// Errors over the last year as a share of those of "the same month of the year before".
    skill: Option<f64>,
    /// How it was made.
    method: String,
    /// The currency.
    unit: String,
    /// The position of the log that it reflects.
    position: u64,
}

/// A workshop against the others.
#[derive(ToSchema)]
pub(crate) struct Standing {
    /// Its id.
    workshop_id: String,
    /// Its code.
    code: String,
    /// Its code again, until it has another name here.
    name: String,
    /// Orders closed.
    orders: u64,
    /// Hours they took.
    actual_hours: f64,
    /// Hours that the same orders take elsewhere.
    expected_hours: f64,
    /// Actual over expected.
    ratio: f64,
    /// The ratio's interval at 95 %.
    low: f64,
    /// Its upper end.
    high: f64,
    /// Where 95 % of workshops of this size lie that are like the mean.
    funnel_low: f64,
    /// The upper end.
    funnel_high: f64,
    /// Whether there are enough orders to rank it.
    ranked: bool,
}

/// Workshops compared.
#[derive(ToSchema)]
pub(crate) struct Benchmark {
    /// The workshops, by id.
    workshops: Vec<Standing>,
    /// The position of the log that they reflect.
    position: u64,
}
