//! Whether the log is what was signed and hashed.

use serde_json::json;
use storage::{Position, TreeError};

use super::{Survey, SurveyError};
use crate::app::AppState;
use crate::audit::CheckpointError;

impl Survey {
    pub(super) fn look_at_tree(&mut self, state: &AppState) -> Result<(), SurveyError> {
        let end = state.log.durable_position();
        self.position = end.get();
        let kept = state.checkpoints.kept()?;
        self.checkpoint_bytes_unread = kept.older_bytes;
        for (note, error) in kept.unopened {
            self.unopened
                .add(|| json!({"note": note, "cannot_be_opened": error.to_string()}));
        }
        for kept in kept.signed {
            self.checkpoints_held += 1;
            let size = kept.checkpoint.size;
            let told = kept.checkpoint.root;
            let root = (size <= end.get())
                .then(|| state.log.tree_root(Position::new(size)))
                .transpose();
            let agrees = matches!(&root, Ok(Some(root)) if *root == told);
            if !agrees {
                self.disagreeing
                    .add(|| json!({"checkpoint": size, "note": kept.note}));
            }
        }
        // The roots above are made of hashes that are kept: whether events are still what was hashed, only hashing tells.
        if let Some((first, last)) = self.positions {
            match state.log.tree_recheck(first, last) {
                Ok(()) => {}
                Err(TreeError::Changed { first, last }) => self
                    .disagreeing
                    .add(|| json!({"changed": {"first": first.get(), "last": last.get()}})),
                Err(error) => return Err(CheckpointError::from(error).into()),
            }
        }
        if end > Position::START {
            match state.checkpoints.sign(&state.log, end) {
                Ok(signed) => self.checkpoint = Some(signed.note),
                // What damages the tree has been found above.
                Err(error) => tracing::warn!(%error, "a report goes out without a checkpoint"),
            }
        }
        Ok(())
    }
}
