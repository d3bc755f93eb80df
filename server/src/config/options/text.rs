//! What an option's text says, or what is allowed instead.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::LogFormat;

pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    let digits = text.trim().replace('_', "");
    match digits.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "must be a whole number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

pub(super) fn seconds(text: &str, range: RangeInclusive<u64>) -> Result<Duration, String> {
    number(text, range).map(Duration::from_secs)
}

pub(super) fn millis(text: &str, range: RangeInclusive<u64>) -> Result<Duration, String> {
    number(text, range).map(Duration::from_millis)
}

pub(super) fn list(text: &str) -> Vec<String> {
    let words = text.split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

pub(super) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 100 || text.chars().any(char::is_control) {
        return Err("must be 1 to 100 bytes without control characters".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

pub(super) fn enabled(text: &str) -> Result<(), String> {
    if boolean(text)? {
        Ok(())
    } else {
        Err("cannot be false: the event log is where everything is kept".to_owned())
    }
}

pub(super) fn address(text: &str) -> Result<String, String> {
    let valid = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if valid {
        Ok(text.to_owned())
    } else {
        Err("must be HOST:PORT, like 127.0.0.1:8000 or [::1]:8000".to_owned())
    }
}

pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    // The old system's guide writes a JSON array into the variable.
    let list = text.trim().trim_start_matches('[').trim_end_matches(']');
    let mut origins = Vec::new();
    for origin in list
        .split(',')
        .map(|origin| origin.trim().trim_matches('"'))
        .filter(|origin| !origin.is_empty())
    {
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        if !host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ', '*'])) {
            return Err(format!(
                "holds {origin:?}, which is no origin like https://depot.example"
            ));
        }
        origins.push(origin.to_owned());
    }
    Ok(origins)
}

pub(super) fn public_keys(text: &str) -> Result<Vec<String>, String> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.map(|key| match crate::policy::of_hex::<32>(key) {
        Some(_) => Ok(key.to_ascii_lowercase()),
        None => Err(format!(
            "holds {key:?}, which is no public key of 64 hexadecimal digits"
        )),
    })
    .collect()
}

pub(super) fn signing_key(text: &str) -> Result<Option<String>, String> {
    match text.len() {
        0 => Ok(None),
        32.. => Ok(Some(text.to_owned())),
        _ => Err("must have at least 32 bytes".to_owned()),
    }
}

pub(super) fn level(text: &str) -> Result<String, String> {
    text.parse::<tracing_subscriber::filter::Targets>()
        .map(|_| text.to_owned())
        .map_err(|error| format!("is no log filter: {error}"))
}

pub(super) fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json".to_owned()),
    }
}
