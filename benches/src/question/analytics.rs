//! Figures over 3.65 million events of five years of 500 vehicles: in the columns, beside DuckDB, and over HTTP.
//!
//! The server keeps no answer in this run (`ANALYTICS_CACHE_TTL` is 0), so every request is computed.

mod columns;
mod fleet;
mod over_http;

use crate::BenchError;
use crate::row::Row;
use crate::setting::Setting;
use fleet::Fleet;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let fleet = Fleet {
        vehicles: setting.pick(10, 500),
        days: setting.pick(60, 1_825),
    };
    let mut rows = columns::ask(setting, fleet)?;
    match over_http::ask(setting, fleet) {
        Ok(more) => rows.extend(more),
        Err(error @ BenchError::Missing { .. }) => {
            rows.push(Row::skipped("figures over HTTP", error.to_string()));
        }
        Err(error) => return Err(error),
    }
    Ok(rows)
}
