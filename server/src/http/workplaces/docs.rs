//! Tracks' and teams' bodies, as the description shows them. What checks them is `fleet::track` and `fleet::team`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// A new track.
#[derive(ToSchema)]
pub(crate) struct TrackCreate {
    /// The name that orders know it by, 1 to 50 characters.
    track_id: String,
    name: String,
    /// By UUID or code.
    workshop_id: Option<String>,
    location: Option<String>,
    capabilities: Option<Vec<String>>,
    /// Default true.
    is_active: Option<bool>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct TrackUpdate {
    name: Option<String>,
    /// By UUID or code.
    workshop_id: Option<String>,
    location: Option<String>,
    capabilities: Option<Vec<String>>,
    /// Out of use with false.
    is_active: Option<bool>,
}

/// A span of time in which a track is there, or is not.
#[derive(ToSchema)]
pub(crate) struct TrackAvailability {
    start_ts: String,
    end_ts: String,
    /// Default true.
    is_available: Option<bool>,
    reason: Option<String>,
}

/// A span of time of a track.
#[derive(ToSchema)]
pub(crate) struct TrackSpan {
    availability_id: String,
    start_ts: String,
    end_ts: String,
    is_available: bool,
    reason: Option<String>,
}

/// A track.
#[derive(ToSchema)]
pub(crate) struct Track {
    id: String,
    track_id: String,
    name: Option<String>,
    /// The workshop's UUID.
    workshop_id: Option<String>,
    location: Option<String>,
    capabilities: Option<Vec<String>>,
    is_active: bool,
    availability: Vec<TrackSpan>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of tracks.
#[derive(ToSchema)]
pub(crate) struct TrackList {
    /// How many there are in all pages.
    total: u64,
    tracks: Vec<Track>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}

/// A new team.
#[derive(ToSchema)]
pub(crate) struct TeamCreate {
    /// The name that orders know it by, 1 to 50 characters.
    team_id: String,
    name: String,
    /// By UUID or code.
    workshop_id: Option<String>,
    skills: Option<Vec<String>>,
    /// 1 to 1,000; default 1.
    max_concurrent_work_orders: Option<u32>,
    /// Default true.
    is_active: Option<bool>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct TeamUpdate {
    name: Option<String>,
    /// By UUID or code.
    workshop_id: Option<String>,
    skills: Option<Vec<String>>,
    /// 1 to 1,000; default 1.
    max_concurrent_work_orders: Option<u32>,
    /// Out of use with false.
    is_active: Option<bool>,
}

/// A span of time in which a team is there, or is not.
#[derive(ToSchema)]
pub(crate) struct TeamAvailability {
    start_ts: String,
    end_ts: String,
    /// Default true.
    is_available: Option<bool>,
    shift_type: Option<String>,
    notes: Option<String>,
}

/// A span of time of a team.
#[derive(ToSchema)]
pub(crate) struct TeamSpan {
    availability_id: String,
    start_ts: String,
    end_ts: String,
    is_available: bool,
    shift_type: Option<String>,
    notes: Option<String>,
}

/// A team.
#[derive(ToSchema)]
pub(crate) struct Team {
    id: String,
    team_id: String,
    name: Option<String>,
    /// The workshop's UUID.
    workshop_id: Option<String>,
    skills: Option<Vec<String>>,
    /// 1 to 1,000; default 1.
    max_concurrent_work_orders: Option<u32>,
    is_active: bool,
    availability: Vec<TeamSpan>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of teams.
#[derive(ToSchema)]
pub(crate) struct TeamList {
    /// How many there are in all pages.
    total: u64,
    teams: Vec<Team>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
