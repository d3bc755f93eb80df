//! Whether somebody who approves an invoice, or a purchase order, wrote some of what they approve.

use fleet::policy::Role;
use fleet::step::{Covers, Writers};
use storage::{StreamName, StreamRange};

use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope::user_id;
use crate::http::problem::Problem;
use crate::projection::view;

/// Whether the caller wrote some of what an approval of this order or invoice covers, by the whole of its stream. It is
/// read after the decision has loaded the stream: what is appended behind that makes the decision anew. Of a SUPER_ADMIN,
/// who may approve their own, it is not asked; they help where the stream cannot be read. Touches the disk.
///
/// # Errors
/// Those of reading the log.
pub fn wrote(
    state: &AppState,
    caller: &Caller,
    stream: &StreamName,
    covers: Covers,
) -> Result<bool, Problem> {
    if caller.role() == Role::SuperAdmin {
        return Ok(false);
    }
    let writers = writers_of(state, stream, covers)?;
    Ok(writers.include(|name| caller.is(name)))
}

/// Who wrote what an approval of this order or invoice covers. Touches the disk.
///
/// # Errors
/// Those of reading the log.
pub(super) fn writers_of(
    state: &AppState,
    stream: &StreamName,
    covers: Covers,
) -> Result<Writers, Problem> {
    let mut writers = Writers::of(covers);
    let mut reader = state.log.read_stream(stream, &StreamRange::default());
    while let Some(event) = reader.next() {
        let event = event?;
        let data = serde_json::from_slice(event.data()).unwrap_or_default();
        writers.take_in(&view(&event, &data), user_id(event.tags()));
    }
    Ok(writers)
}
