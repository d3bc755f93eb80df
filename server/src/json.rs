//! A strict, single-pass JSON reader: what the log will keep for ever is checked to the last byte before it is appended.
//!
//! On the data path it stands first: every body that becomes events is read by it. It exists beside `serde_json`
//! because that passes over what it does not decode: kept as raw text, a duplicate key, half a surrogate pair or `1e999`
//! would lie in the log and break each later reader. Here these are refused, along with nesting below
//! [`DEPTH_MAX`], and the payload comes out as compact text in the order it was given, without a tree in between.

mod error;
mod keys;
mod lex;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

use keys::KeySet;

pub use error::{JsonError, JsonReason};
pub use write::{Sink, put_number, put_string};

/// Objects and arrays within each other, the outermost being 1.
pub const DEPTH_MAX: usize = 64;

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
            if !keys.insert(&mut self.keys, key.clone()) {
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
