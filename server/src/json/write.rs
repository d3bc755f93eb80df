//! Writing JSON text by hand.

use super::lex::plain_bytes;

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

/// Appends `text` as a JSON string, quotes included. RFC 8259 §7: quote, backslash and control characters are escaped.
pub fn put_string(text: &str, out: &mut impl Sink) {
    out.put(b"\"");
    let mut rest = text.as_bytes();
    loop {
        let (plain, behind) = rest.split_at(plain_bytes(rest));
        out.put(plain);
        let Some((special, behind)) = behind.split_first() else {
            break;
        };
        rest = behind;
        match special {
            b'"' => out.put(b"\\\""),
            b'\\' => out.put(b"\\\\"),
            b'\n' => out.put(b"\\n"),
            b'\r' => out.put(b"\\r"),
            b'\t' => out.put(b"\\t"),
            control => {
                let digits = [control >> 4, control & 15]
                    .map(|value| b"0123456789abcdef"[usize::from(value)]);
                out.put(b"\\u00");
                out.put(&digits);
            }
        }
    }
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
