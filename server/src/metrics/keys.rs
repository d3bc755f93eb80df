//! Whether everybody whose fields lie in the log can be read.

use std::fmt;
use std::sync::Weak;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::gauge;
use crate::privacy::Privacy;

/// See the module. Held weakly: what watches must not keep alive.
#[derive(Debug)]
pub(super) struct KeysCollector(pub(super) Weak<Privacy>);

impl Collector for KeysCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(privacy) = self.0.upgrade() else {
            return Ok(());
        };
        let lost = i64::try_from(privacy.store().lost_count()).unwrap_or(i64::MAX);
        let help = "People whose fields cannot be read, for their keys are lost";
        gauge(&mut encoder, "keys_lost", help, lost)
    }
}
