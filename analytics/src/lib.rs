//! KPIs, series, trends and forecasts.
