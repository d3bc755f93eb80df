//! A certificate that nobody signed but itself, for a depot that has none: made once, good for ten years.

use std::net::SocketAddr;
use std::path::Path;

use chrono::{Datelike as _, NaiveDate};
use fleet::calendar::DAY;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

use super::TlsError;
use crate::auth::keys;
use crate::config::Config;

const YEARS: i32 = 10;

/// Makes the pair and puts it on the disk, the key first and for its owner alone.
pub(super) fn make(config: &Config, certificate: &Path, key: &Path) -> Result<(), TlsError> {
    let pair = KeyPair::generate()?;
    let mut wanted = CertificateParams::new(names(config))?;
    wanted
        .distinguished_name
        .push(DnType::CommonName, "RailFleet depot server");
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A day earlier: a tablet's clock may be behind.
    let today = storage::Clock::now(&storage::SystemClock).micros();
    let begin = chrono::DateTime::from_timestamp_micros(today - DAY)
        .map_or(NaiveDate::MIN, |moment| moment.date_naive());
    // The 28th is a day of every month, in leap years or not.
    let day = u8::try_from(begin.day().min(28)).unwrap_or(1);
    let month = u8::try_from(begin.month()).unwrap_or(1);
    wanted.not_before = date_time_ymd(begin.year(), month, day);
    wanted.not_after = date_time_ymd(begin.year() + YEARS, month, day);
    let signed = wanted.self_signed(&pair)?;
    keys::keep(key, pair.serialize_pem().as_bytes())?;
    keys::keep(certificate, signed.pem().as_bytes())?;
    Ok(())
}

/// Whom the certificate is for: what was asked for, this machine by its names, and the address it listens on.
fn names(config: &Config) -> Vec<String> {
    let mut names = config.tls.names.clone();
    if let Ok(host) = rustix::system::uname().nodename().to_str() {
        names.push(host.to_owned());
    }
    if let Ok(address) = config.listen.parse::<SocketAddr>()
        && !address.ip().is_unspecified()
    {
        names.push(address.ip().to_string());
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names.sort();
    names.dedup();
    names.retain(|name| !name.is_empty());
    names
}
