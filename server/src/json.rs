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

/// Keys of open objects that room is made for at once.
const KEYS_EXPECTED: usize = 16;

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

/// A compact copy of what is being read: text that is compact already is copied in one piece.
struct Copying<'o, S> {
    /// From where on the text has not been copied.
    from: usize,
    out: &'o mut S,
}

impl<S: Sink> Copying<'_, S> {
    /// Copies what is missing up to `to`.
    fn flush(&mut self, text: &str, to: usize) {
        self.out.put(&text.as_bytes()[self.from..to]);
        self.from = to;
    }
}

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
            keys: Vec::with_capacity(KEYS_EXPECTED),
        })
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.text.len() - self.at
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
        let mut keys = KeySet::behind(&self.keys);
        if self.peek() == Some(b'}') {
            return Ok(self.close()?);
        }
        loop {
            let key = self.key(&mut keys)?;
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
        self.peek();
        match self.plain_string() {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => self.string_or(JsonReason::NoString),
        }
    }

    /// Reads any value and writes it to `out` without white space, its keys in their order, its strings and numbers as
    /// they are spelled.
    ///
    /// # Errors
    /// What is wrong anywhere in the value; `out` then holds a part of it.
    pub fn compact(&mut self, out: &mut impl Sink) -> Scan<()> {
        self.peek();
        let mut copy = Copying { from: self.at, out };
        self.copy_value(&mut copy)?;
        copy.flush(self.text, self.at);
        Ok(())
    }

    /// Reads any value and drops it.
    ///
    /// # Errors
    /// As [`Scanner::compact`].
    pub fn skip(&mut self) -> Scan<()> {
        self.compact(&mut ())
    }

    /// Reads any value and gives its text as it stands there, checked like any other.
    ///
    /// # Errors
    /// As [`Scanner::compact`].
    pub fn text(&mut self) -> Scan<&'a str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    fn copy_value(&mut self, copy: &mut Copying<'_, impl Sink>) -> Scan<()> {
        match self.kind()? {
            Kind::Object => self.copy_object(copy),
            Kind::Array => self.copy_array(copy),
            Kind::String => self.string().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Bool | Kind::Null => self.literal().map(drop),
        }
    }

    fn copy_object(&mut self, copy: &mut Copying<'_, impl Sink>) -> Scan<()> {
        self.open(b'{', JsonReason::NoObject)?;
        let mut keys = KeySet::behind(&self.keys);
        self.pass_space(copy);
        if self.byte() == Some(b'}') {
            return self.close();
        }
        loop {
            self.pass_space(copy);
            let key_at = self.at;
            let key = self.key(&mut keys)?;
            if let Cow::Owned(text) = key {
                // Two spellings of one key must not pass for two keys with any later reader.
                copy.flush(self.text, key_at);
                put_string(&text, copy.out);
                copy.from = self.at;
            }
            self.pass_space(copy);
            self.eat(b':', JsonReason::Colon)?;
            self.pass_space(copy);
            self.copy_value(copy)?;
            self.pass_space(copy);
            if !self.more(b'}')? {
                self.keys.truncate(keys.first);
                return self.close();
            }
        }
    }

    fn copy_array(&mut self, copy: &mut Copying<'_, impl Sink>) -> Scan<()> {
        self.open(b'[', JsonReason::NoArray)?;
        self.pass_space(copy);
        if self.byte() == Some(b']') {
            return self.close();
        }
        loop {
            self.pass_space(copy);
            self.copy_value(copy)?;
            self.pass_space(copy);
            if !self.more(b']')? {
                return self.close();
            }
        }
    }

    /// Steps over white space and leaves it out of the copy.
    fn pass_space(&mut self, copy: &mut Copying<'_, impl Sink>) {
        let space_at = self.at;
        self.peek();
        if self.at > space_at {
            copy.flush(self.text, space_at);
            copy.from = self.at;
        }
    }

    /// Reads an object's next key, which no key before it may equal.
    fn key(&mut self, keys: &mut KeySet<'a>) -> Scan<Cow<'a, str>> {
        self.peek();
        let offset = self.at;
        let key = match self.plain_string() {
            Some(key) => Cow::Borrowed(key),
            None => self.string_or(JsonReason::Key)?,
        };
        if keys.insert(&mut self.keys, key.clone()) {
            return Ok(key);
        }
        Err(JsonError {
            reason: JsonReason::DuplicateKey,
            offset,
        })
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
