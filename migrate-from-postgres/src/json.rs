//! Writing JSON by hand: an import writes hundreds of bytes of it for each of a million rows.

use fleet::calendar;
use serde_json::Value;

/// How deep a JSON value of a column may be: deeper ones no reader of ours follows.
const DEPTH_MAX: usize = 100;
/// Digits in a row that surely make no number beyond all floats.
const NUMBER_DIGITS_PLAIN: usize = 300;

/// Appends a string with its quotes.
pub(crate) fn put_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f | 0x7f => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            put_control(byte, out);
        } else {
            out.extend_from_slice(escape);
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

fn put_control(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u00");
    out.push(HEX[usize::from(byte >> 4)]);
    out.push(HEX[usize::from(byte & 15)]);
}

/// Appends a whole number.
pub(crate) fn put_integer(number: i64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a finite number in the shortest form that reads back as the same one.
pub(crate) fn put_real(number: f64, out: &mut Vec<u8>) {
    debug_assert!(number.is_finite(), "JSON has no other");
    match serde_json::Number::from_f64(number) {
        Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a UUID with its quotes, in lower case.
pub(crate) fn put_uuid(bytes: &[u8; 16], out: &mut Vec<u8>) {
    let mut text = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    out.push(b'"');
    out.extend_from_slice(
        uuid::Uuid::from_bytes(*bytes)
            .hyphenated()
            .encode_lower(&mut text)
            .as_bytes(),
    );
    out.push(b'"');
}

/// Appends a moment (microseconds since 1970 UTC, in the years 1 to 9999) with its quotes: `2019-03-01T08:15:30.123456Z`.
pub(crate) fn put_time(micros: i64, out: &mut Vec<u8>) {
    let date = calendar::date_of(micros);
    let of_day = micros.rem_euclid(calendar::DAY);
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    put_digits(date.year, &mut text[1..5]);
    put_digits(date.month, &mut text[6..8]);
    put_digits(date.day, &mut text[9..11]);
    put_digits(of_day / calendar::HOUR, &mut text[12..14]);
    put_digits(
        of_day % calendar::HOUR / calendar::MINUTE,
        &mut text[15..17],
    );
    put_digits(
        of_day % calendar::MINUTE / calendar::SECOND,
        &mut text[18..20],
    );
    put_digits(of_day % calendar::SECOND, &mut text[21..27]);
    out.extend_from_slice(&text);
}

fn put_digits(number: i64, place: &mut [u8]) {
    let mut rest = number.unsigned_abs();
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

/// Appends a JSON text without the blanks between its parts, every digit kept; `false`, with nothing appended, where
/// a strict reader would not take it: half of a surrogate pair, a number beyond all floats, or too many levels. What
/// PostgreSQL itself checked (`is_checked`) is parsed only where it holds something that PostgreSQL is less strict about.
pub(crate) fn put_compact(text: &[u8], is_checked: bool, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let taken = match compact(text, out) {
        Looks::Plain if is_checked => true,
        Looks::Plain | Looks::Strange => serde_json::from_slice::<Value>(text).is_ok(),
        Looks::TooDeep => false,
    };
    if !taken {
        out.truncate(start);
    }
    taken
}

/// What a JSON text looks like from outside.
enum Looks {
    /// As PostgreSQL takes it, so does everybody.
    Plain,
    /// It holds `\u`, an exponent or a very long number.
    Strange,
    TooDeep,
}

fn compact(text: &[u8], out: &mut Vec<u8>) -> Looks {
    let mut looks = Looks::Plain;
    let (mut depth, mut digits) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text {
        if in_string {
            out.push(byte);
            if escaped && byte == b'u' {
                looks = Looks::Strange;
            }
            in_string = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'e' | b'E' if digits > 0 => looks = Looks::Strange,
            _ => {}
        }
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > NUMBER_DIGITS_PLAIN {
            looks = Looks::Strange;
        }
        if depth > DEPTH_MAX {
            return Looks::TooDeep;
        }
        out.push(byte);
    }
    looks
}

/// Appends a value as every reader of it sees it: names sorted, no blanks, numbers as they are understood.
pub(crate) fn put_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::String(text) => put_string(text, out),
        Value::Number(number) => match number.as_i64() {
            Some(number) => put_integer(number, out),
            None => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                put_value(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                put_string(name, out);
                out.push(b':');
                put_value(member, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends the members of an object, each the name and the text of the value. `None` where it is no object, or a name has
/// something escaped in it. Values are found by their ends and not read: what is handed in is JSON.
pub(crate) fn members<'a>(object: &'a str, members: &mut Vec<(&'a str, &'a str)>) -> Option<()> {
    let mut rest = object
        .trim_ascii_start()
        .strip_prefix('{')?
        .trim_ascii_start();
    if rest.trim_ascii_end() == "}" {
        return Some(());
    }
    loop {
        let (quoted, behind) = cut_value(rest)?;
        let name = quoted.strip_prefix('"')?.strip_suffix('"')?;
        if name.contains('\\') {
            return None;
        }
        let behind = behind.trim_ascii_start().strip_prefix(':')?;
        let (value, behind) = cut_value(behind.trim_ascii_start())?;
        members.push((name, value));
        rest = behind.trim_ascii_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_ascii_start(),
            None => return (rest.trim_ascii_end() == "}").then_some(()),
        }
    }
}

/// Cuts the next item off a list, of which `list` is what is left: the list itself at first. `None` where it is no list, and
/// `Some(None)` behind the last.
pub(crate) fn next_item<'a>(list: &mut &'a str) -> Option<Option<&'a str>> {
    let is_end = |rest: &str| rest.starts_with(']');
    let mut rest = list.trim_ascii_start();
    if !is_end(rest) {
        rest = rest.strip_prefix(['[', ','])?.trim_ascii_start();
    }
    if is_end(rest) {
        return Some(None);
    }
    let (item, behind) = cut_value(rest)?;
    *list = behind;
    Some(Some(item))
}

/// How many items a list has; `None` where it is no list.
pub(crate) fn count_items(list: &str) -> Option<usize> {
    let (mut rest, mut count) = (list, 0);
    while next_item(&mut rest)?.is_some() {
        count += 1;
    }
    Some(count)
}

/// Cuts a text behind the value that it begins with.
fn cut_value(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ if depth > 0 => at += 1,
            _ => at += plain_length(&bytes[at..])?,
        }
        if depth == 0 {
            return text.split_at_checked(at);
        }
    }
}

/// Where the string ends that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += bytes
            .get(at..)?
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\'))?;
        match bytes[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// How long the number or word is that `bytes` begin with; `None` where there is neither.
fn plain_length(bytes: &[u8]) -> Option<usize> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let length = bytes
        .iter()
        .position(|byte| !is_plain(byte))
        .unwrap_or(bytes.len());
    (length > 0).then_some(length)
}

#[cfg(test)]
mod tests;
