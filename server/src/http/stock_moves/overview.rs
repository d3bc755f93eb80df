//! What lies where: for each part the level at each location, and what lies at none that is known.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::part::schema::STOCK_BY_LOCATION_KEY;
use fleet::{part, stock_location};
use serde_json::{Value, json};

use super::docs;
use crate::app::AppState;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::{Ask, CATALOG, Catalog, Entry};

/// Parts looked at in one go.
const PARTS_AT_ONCE: usize = 1_000;
/// Most items in an answer, and how many there are when no other number is asked for.
const ITEMS_MAX: u64 = 10_000;
/// The code and the name of no known location, as the old system wrote them.
const NOWHERE: (&str, &str) = ("N/A", "No Location");

/// What lies where.
///
/// Each part at each location, once, with how much of it is there; parts by number, locations by code. What nobody said
/// the location of stands under `N/A`.
#[utoipa::path(
    get,
    path = "/api/v1/stock/overview",
    tag = "inventory",
    operation_id = "stock_overview",
    params(
        ("part_no" = Option<String>, Query, description = "Only this part"),
        ("location_code" = Option<String>, Query, description = "Only this location, by code or UUID; `N/A` for none that is known"),
        ("skip" = Option<u64>, Query, description = "How many items to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 10,000, default 10,000"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "Levels", body = docs::StockOverview)),
)]
pub(crate) async fn stock_overview(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let part_no = query.text("part_no");
    let location = query.text("location_code");
    let skip = query.number("skip", 0..=u64::MAX).unwrap_or(0);
    let limit = query.number("limit", 1..=ITEMS_MAX).unwrap_or(ITEMS_MAX);
    ReadAt::await_projection(query, &state, CATALOG).await?;

    let catalog = state.projections.catalog();
    let position = catalog.position();
    let mut overview = Overview {
        catalog,
        only: location.map(|named| Place::named(catalog, &named)),
        codes: HashMap::new(),
        items: Vec::new(),
    };
    match part_no {
        Some(part_no) => {
            let part = catalog.find(part::AGGREGATE_TYPE, &part_no).value;
            part.iter().for_each(|part| overview.add(part));
        }
        None => overview.add_all()?,
    }
    let total = overview.items.len();
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<Value> = overview.items.into_iter().skip(skip).take(limit).collect();
    let body = json!({ "items": items, "total_items": total, "position": position.get() });
    Ok(json_response(body.to_string()))
}

/// A location, or none that is known.
#[derive(PartialEq, Eq)]
enum Place {
    At(String),
    Nowhere,
}

impl Place {
    fn named(catalog: &Catalog, named: &str) -> Self {
        let found = catalog.find(stock_location::AGGREGATE_TYPE, named).value;
        match found {
            Some(location) => Place::At(location.uuid().to_string()),
            None if named == NOWHERE.0 => Place::Nowhere,
            None => Place::At(named.to_owned()),
        }
    }
}

struct Overview<'a> {
    catalog: &'a Catalog,
    only: Option<Place>,
    /// Code and name by id.
    codes: HashMap<String, (String, String)>,
    items: Vec<Value>,
}

impl Overview<'_> {
    fn add_all(&mut self) -> Result<(), Problem> {
        let mut cursor = None;
        loop {
            let ask = Ask {
                aggregate_type: part::AGGREGATE_TYPE,
                limit: PARTS_AT_ONCE,
                cursor,
                ..Ask::default()
            };
            let page = self.catalog.page(&ask)?.value;
            page.entries.iter().for_each(|part| self.add(part));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn add(&mut self, part: &Entry) {
        let record = &part.folded.record;
        let mut levels = Vec::new();
        for (location, level) in record.sums(STOCK_BY_LOCATION_KEY) {
            if self.is_wanted(&Place::At(location.to_owned())) {
                levels.push((self.location(location), level));
            }
        }
        let nowhere = part::level_at_no_location(&part.folded);
        if nowhere != 0 && self.is_wanted(&Place::Nowhere) {
            levels.push(((NOWHERE.0.to_owned(), NOWHERE.1.to_owned()), nowhere));
        }
        levels.sort();
        let items = levels.into_iter().map(|((code, name), level)| {
            json!({
                "part_no": part.key(),
                "part_name": part.folded.get("name"),
                "location_code": code,
                "location_name": name,
                "quantity": level,
                "unit": part::unit(&part.folded),
                "railway_class": part.folded.get("railway_class"),
            })
        });
        self.items.extend(items);
    }

    fn is_wanted(&self, place: &Place) -> bool {
        self.only.as_ref().is_none_or(|only| only == place)
    }

    /// Code and name of a location; its id where nothing more is known of it.
    fn location(&mut self, id: &str) -> (String, String) {
        if let Some(known) = self.codes.get(id) {
            return known.clone();
        }
        let found = self.catalog.find(stock_location::AGGREGATE_TYPE, id).value;
        let text = |field| {
            let location = found.as_ref()?;
            location.folded.text(field).map(str::to_owned)
        };
        let known = (
            text("location_code").unwrap_or_else(|| id.to_owned()),
            text("name").unwrap_or_else(|| id.to_owned()),
        );
        self.codes.insert(id.to_owned(), known.clone());
        known
    }
}
