//! What connections need: an address, open files, a certificate that is good.

use fleet::calendar::DAY;
use storage::{Clock as _, SystemClock, Timestamp};

use super::Finding;
use crate::cli::chain;
use crate::config::Config;
use crate::tls::Tls;
use crate::{descriptors, rfc3339};

/// Days before its end on which a certificate should be renewed.
const CERTIFICATE_DAYS_LOOK: i64 = 30;
/// Days before its end on which it must be.
const CERTIFICATE_DAYS_BAD: i64 = 7;

pub(super) fn descriptors(config: &Config) -> Finding {
    judge_descriptors(descriptors::reachable(), config)
}

pub(super) fn judge_descriptors(limit: u64, config: &Config) -> Finding {
    let wanted = descriptors::wanted(config);
    if limit >= wanted {
        return Finding::Fine(format!("{limit} files may be open at a time"));
    }
    Finding::Look(format!(
        "only {limit} files may be open at a time, {} connections need {wanted}: raise the hard limit (`ulimit -Hn`, LimitNOFILE= of the unit), or lower http.connections_max",
        config.http.connections_max
    ))
}

pub(super) fn address(config: &Config) -> Finding {
    let listen = &config.listen;
    let loopback = ["127.", "localhost:", "[::1]:"]
        .iter()
        .any(|prefix| listen.starts_with(prefix));
    if loopback {
        return Finding::Fine(format!(
            "it listens on {listen}, which only this machine reaches"
        ));
    }
    if config.tls.enabled {
        return Finding::Fine(format!("it listens on {listen}, encrypted"));
    }
    Finding::Look(format!(
        "it listens on {listen}: passwords and tokens travel unencrypted there; set tls.enabled, or put a TLS proxy in front"
    ))
}

/// Until when the certificate is good, where connections are encrypted.
pub(super) fn certificate(config: &Config) -> Option<Finding> {
    if !config.tls.enabled {
        return None;
    }
    Some(match Tls::look(config) {
        Ok(Some(ends)) => judge_certificate(ends, SystemClock.now()),
        Ok(None) => Finding::Fine("the certificate will be made at the first start".to_owned()),
        Err(error) => Finding::Bad(format!("the server will not start: {}", chain(&error))),
    })
}

pub(super) fn judge_certificate(ends: Timestamp, now: Timestamp) -> Finding {
    let days = (ends.micros() - now.micros()).div_euclid(DAY);
    let when = rfc3339::to_string(ends);
    let how = "renew it (tls.certificate; it is taken without a restart), or remove keys/tls.crt and keys/tls.key to have one made at the next start";
    match days {
        ..0 => Finding::Bad(format!(
            "the certificate ended at {when}: clients refuse it; {how}"
        )),
        0..CERTIFICATE_DAYS_BAD => Finding::Bad(format!(
            "the certificate ends at {when}, in {days} days: {how}"
        )),
        CERTIFICATE_DAYS_BAD..CERTIFICATE_DAYS_LOOK => Finding::Look(format!(
            "the certificate ends at {when}, in {days} days: {how}"
        )),
        _ => Finding::Fine(format!("the certificate is good until {when}")),
    }
}
