//! A strict, single-pass JSON reader: what the log will keep for ever is checked to the last byte before it is appended.
//!
//! On the data path it stands first: every body that becomes events is read by it. It exists beside `serde_json`
//! because that passes over what it does not decode: kept as raw text, a duplicate key, half a surrogate pair or `1e999`
//! would lie in the log and break each later reader. Here these are refused, along with nesting below
//! [`DEPTH_MAX`], and the payload comes out as compact text in the order it was given, without a tree in between.

use std::borrow::Cow;
use std::collections::HashSet;

#[cfg(test)]
mod tests;

/// Objects and arrays within each other, the outermost being 1.
pub const DEPTH_MAX: usize = 64;

/// Above this many keys an object's keys are compared through a set; below, comparing each with each is faster.
const KEYS_COMPARED_MAX: usize = 24;

/// Why bytes are not acceptable JSON, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub reason: JsonReason,
    /// The byte it was noticed at, first is 0.
    pub offset: usize,
}

/// What can be wrong with JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum JsonReason {
    #[error("invalid UTF-8")]
    Utf8,
    #[error("the text ends too early")]
    Truncated,
    #[error("expected a value")]
    Value,
    #[error("expected a string as key")]
    Key,
    #[error("expected ':'")]
    Colon,
    #[error("expected ',' or the end")]
    Comma,
    #[error("text behind the value")]
    Trailing,
    #[error("a control character in a string must be escaped")]
    Control,
    #[error("invalid escape in a string")]
    Escape,
    #[error("half a surrogate pair in a string")]
    Surrogate,
    #[error("malformed number")]
    Number,
    #[error("number too large for a double")]
    Infinite,
    #[error("duplicate key")]
    DuplicateKey,
    #[error("nested deeper than 64 levels")]
    Depth,
    #[error("expected an object")]
    NoObject,
    #[error("expected an array")]
    NoArray,
    #[error("expected a string")]
    NoString,
}

/// What kind of value comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "JSON's own words")]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    /// The kind with its article, for messages.
    pub const fn described(self) -> &'static str {
        match self {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String => "a string",
            Kind::Number => "a number",
            Kind::Bool => "a boolean",
            Kind::Null => "null",
        }
    }
}

/// Where compact text goes; `()` drops it.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for () {
    fn put(&mut self, _: &[u8]) {}
}

/// A place in a JSON text. Methods read the value at that place and step behind it.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The keys of all objects that are open, outermost first.
    keys: Vec<Cow<'a, str>>,
}

type Scan<T> = Result<T, JsonError>;

impl<'a> Scanner<'a> {
    /// At the start of `bytes`, which must be UTF-8.
    ///
    /// # Errors
    /// [`JsonReason::Utf8`], with the first bad byte.
    pub fn new(bytes: &'a [u8]) -> Scan<Self> {
        let text = std::str::from_utf8(bytes).map_err(|error| JsonError {
            reason: JsonReason::Utf8,
            offset: error.valid_up_to(),
        })?;
        Ok(Scanner {
            text,
            at: 0,
            depth: 0,
            keys: Vec::new(),
        })
    }

    /// The byte that is read next, first is 0.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What kind of value comes next.
    ///
    /// # Errors
    /// When no value can start here.
    pub fn kind(&mut self) -> Scan<Kind> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => self.fail(JsonReason::Value),
            None => self.fail(JsonReason::Truncated),
        }
    }

    /// Nothing but white space follows.
    ///
    /// # Errors
    /// [`JsonReason::Trailing`].
    pub fn finish(&mut self) -> Scan<()> {
        if self.peek().is_some() {
            self.fail(JsonReason::Trailing)
        } else {
            Ok(())
        }
    }

    /// Reads an object, handing each key to `visit`, which must read the value. Keys are unique when it returns.
    ///
    /// # Errors
    /// Of the JSON, or the first of `visit`.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut visit: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', JsonReason::NoObject)?;
        let mut keys = KeySet {
            first: self.keys.len(),
            large: None,
        };
        if self.peek() == Some(b'}') {
            return Ok(self.close()?);
        }
        loop {
            self.peek();
            let key_at = self.at;
            let (key, _) = self.string_or(JsonReason::Key)?;
            if !keys.insert(&mut self.keys, &key) {
                return Err(JsonError {
                    reason: JsonReason::DuplicateKey,
                    offset: key_at,
                }
                .into());
            }
            self.eat(b':', JsonReason::Colon)?;
            visit(self, key)?;
            if !self.more(b'}')? {
                self.keys.truncate(keys.first);
                return Ok(self.close()?);
            }
        }
    }

    /// Reads an array, calling `visit` for each element, which must read it. The index counts from 0.
    ///
    /// # Errors
    /// Of the JSON, or the first of `visit`.
    pub fn array<E: From<JsonError>>(
        &mut self,
        mut visit: impl FnMut(&mut Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', JsonReason::NoArray)?;
        if self.peek() == Some(b']') {
            return Ok(self.close()?);
        }
        for index in 0.. {
            visit(self, index)?;
            if !self.more(b']')? {
                break;
            }
        }
        Ok(self.close()?)
    }

    /// Reads a string.
    ///
    /// # Errors
    /// [`JsonReason::NoString`] when the value is something else, or what is wrong in the string.
    pub fn string(&mut self) -> Scan<Cow<'a, str>> {
        Ok(self.string_or(JsonReason::NoString)?.0)
    }

    /// Reads a number and gives its text: as JSON spells it, finite as a double.
    ///
    /// # Errors
    /// What is wrong in the number.
    pub fn number(&mut self) -> Scan<&'a str> {
        self.peek();
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.fail(JsonReason::Number),
        }
        let mut large = self.at - start > 300;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            large = true;
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if matches!(
            self.byte(),
            Some(b'0'..=b'9' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'+' | b'-')
        ) {
            return self.fail(JsonReason::Number);
        }
        let text = &self.text[start..self.at];
        if large && !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(JsonError {
                reason: JsonReason::Infinite,
                offset: start,
            });
        }
        Ok(text)
    }

    /// Reads any value and writes it to `out` without white space, its keys in their order, its strings and numbers as
    /// they are spelled.
    ///
    /// # Errors
    /// What is wrong anywhere in the value; `out` then holds a part of it.
    pub fn compact(&mut self, out: &mut impl Sink) -> Scan<()> {
        match self.kind()? {
            Kind::Object => self.compact_object(out),
            Kind::Array => {
                out.put(b"[");
                self.array(|scanner, index| {
                    if index > 0 {
                        out.put(b",");
                    }
                    scanner.compact(out)
                })?;
                out.put(b"]");
                Ok(())
            }
            Kind::String => {
                let (_, raw) = self.string_or(JsonReason::NoString)?;
                out.put(raw.as_bytes());
                Ok(())
            }
            Kind::Number => {
                out.put(self.number()?.as_bytes());
                Ok(())
            }
            Kind::Bool | Kind::Null => {
                let word = self.literal()?;
                out.put(word.as_bytes());
                Ok(())
            }
        }
    }

    /// Reads any value and drops it.
    ///
    /// # Errors
    /// As [`Scanner::compact`].
    pub fn skip(&mut self) -> Scan<()> {
        self.compact(&mut ())
    }

    fn compact_object(&mut self, out: &mut impl Sink) -> Scan<()> {
        out.put(b"{");
        let mut first = true;
        self.object(|scanner, key| {
            if !first {
                out.put(b",");
            }
            first = false;
            put_string(&key, out);
            out.put(b":");
            scanner.compact(out)
        })?;
        out.put(b"}");
        Ok(())
    }

    fn literal(&mut self) -> Scan<&'static str> {
        for word in ["true", "false", "null"] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(word);
            }
        }
        self.fail(JsonReason::Value)
    }

    /// A string, and its text as it stands there, quotes included.
    fn string_or(&mut self, otherwise: JsonReason) -> Scan<(Cow<'a, str>, &'a str)> {
        self.eat(b'"', otherwise)?;
        let start = self.at;
        let mut decoded: Option<String> = None;
        let mut copied = start;
        loop {
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let text = decoded.get_or_insert_default();
                    text.push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    let character = self.escape()?;
                    text.push(character);
                    copied = self.at;
                }
                Some(0..=0x1f) => return self.fail(JsonReason::Control),
                Some(_) => self.at += 1,
                None => return self.fail(JsonReason::Truncated),
            }
        }
        let end = self.at;
        self.at += 1;
        let raw = &self.text[start - 1..self.at];
        let value = match decoded {
            None => Cow::Borrowed(&self.text[start..end]),
            Some(mut text) => {
                text.push_str(&self.text[copied..end]);
                Cow::Owned(text)
            }
        };
        Ok((value, raw))
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Scan<char> {
        let Some(byte) = self.byte() else {
            return self.fail(JsonReason::Truncated);
        };
        self.at += 1;
        let character = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => {
                self.at -= 1;
                return self.fail(JsonReason::Escape);
            }
        };
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Scan<char> {
        let start = self.at;
        let surrogate = JsonError {
            reason: JsonReason::Surrogate,
            offset: start,
        };
        let first = self.four_hex()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                    return Err(surrogate);
                }
                self.at += 2;
                let second = self.four_hex()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(surrogate);
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        // Only a lone second half is left for which there is no character.
        char::from_u32(code).ok_or(surrogate)
    }

    fn four_hex(&mut self) -> Scan<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let code = digits.and_then(|digits| {
            digits.iter().try_fold(0, |code, digit| {
                Some(code * 16 + char::from(*digit).to_digit(16)?)
            })
        });
        match code {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fail(JsonReason::Escape),
        }
    }

    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            self.fail(JsonReason::Number)
        } else {
            Ok(())
        }
    }

    fn open(&mut self, bracket: u8, otherwise: JsonReason) -> Scan<()> {
        self.eat(bracket, otherwise)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.at -= 1;
            return self.fail(JsonReason::Depth);
        }
        Ok(())
    }

    /// Steps over the closing bracket, which has been seen.
    fn close(&mut self) -> Scan<()> {
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// Steps over a comma and says true, or stops before the closing bracket and says false.
    fn more(&mut self, bracket: u8) -> Scan<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => Ok(false),
            Some(_) => self.fail(JsonReason::Comma),
            None => self.fail(JsonReason::Truncated),
        }
    }

    fn eat(&mut self, byte: u8, otherwise: JsonReason) -> Scan<()> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => self.fail(otherwise),
            None => self.fail(JsonReason::Truncated),
        }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, reason: JsonReason) -> Scan<T> {
        Err(JsonError {
            reason,
            offset: self.at,
        })
    }
}

/// The keys of one open object.
struct KeySet<'a> {
    /// Where its keys begin among those of all open objects.
    first: usize,
    /// All of its keys, once there are many: an object of a megabyte of keys must not cost their square.
    large: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> KeySet<'a> {
    /// Remembers the key; says false when it was there already.
    fn insert(&mut self, keys: &mut Vec<Cow<'a, str>>, key: &Cow<'a, str>) -> bool {
        if let Some(set) = &mut self.large {
            return set.insert(key.clone());
        }
        if keys[self.first..].iter().any(|known| known == key) {
            return false;
        }
        keys.push(key.clone());
        if keys.len() - self.first > KEYS_COMPARED_MAX {
            self.large = Some(keys.drain(self.first..).collect());
        }
        true
    }
}

/// Appends `text` as a JSON string, quotes included. RFC 8259 §7: quote, backslash and control characters are escaped.
pub fn put_string(text: &str, out: &mut impl Sink) {
    out.put(b"\"");
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => {
                out.put(&bytes[copied..at]);
                let digit = |value: u8| {
                    if value < 10 {
                        b'0' + value
                    } else {
                        b'a' + value - 10
                    }
                };
                out.put(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                copied = at + 1;
                continue;
            }
            _ => continue,
        };
        out.put(&bytes[copied..at]);
        out.put(short);
        copied = at + 1;
    }
    out.put(&bytes[copied..]);
    out.put(b"\"");
}

/// Appends a whole number in decimal.
pub fn put_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
