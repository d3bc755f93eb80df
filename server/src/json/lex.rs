//! Strings, numbers and words, letter by letter.

use std::borrow::Cow;

use super::{JsonError, JsonReason, Scan, Scanner};

/// How many bytes at the start stand for themselves in a string: no quote, no backslash, no control character.
#[inline]
pub(super) fn plain_bytes(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return number * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let plain = |byte: &u8| !matches!(byte, 0..=0x1f | b'"' | b'\\');
    words.len() * 8 + rest.iter().take_while(|byte| plain(byte)).count()
}

/// Has the highest bit of the lowest special byte set, and none below it. What lies above it means nothing.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(word ^ (ONES * b'"' as u64));
    let backslashes = zeros(word ^ (ONES * b'\\' as u64));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & (ONES << 7)
}

impl<'a> Scanner<'a> {
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

    pub(super) fn literal(&mut self) -> Scan<&'static str> {
        for word in ["true", "false", "null"] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(word);
            }
        }
        self.fail(JsonReason::Value)
    }

    /// A string at this very place that is spelled as it reads, as nearly all are. `None`, and no step was made, where it is
    /// anything else.
    #[inline]
    pub(super) fn plain_string(&mut self) -> Option<&'a str> {
        let (quote, behind) = self.text.as_bytes().get(self.at..)?.split_first()?;
        let length = plain_bytes(behind);
        if *quote != b'"' || behind.get(length) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        self.at = start + length + 1;
        self.text.get(start..start + length)
    }

    /// A string, however it is spelled.
    #[cold]
    pub(super) fn string_or(&mut self, otherwise: JsonReason) -> Scan<Cow<'a, str>> {
        self.eat(b'"', otherwise)?;
        let start = self.at;
        let mut decoded: Option<String> = None;
        let mut copied = start;
        loop {
            self.at += plain_bytes(self.text.as_bytes().get(self.at..).unwrap_or_default());
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
                Some(_) => return self.fail(JsonReason::Control),
                None => return self.fail(JsonReason::Truncated),
            }
        }
        let end = self.at;
        self.at += 1;
        Ok(match decoded {
            None => Cow::Borrowed(&self.text[start..end]),
            Some(mut text) => {
                text.push_str(&self.text[copied..end]);
                Cow::Owned(text)
            }
        })
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
}
