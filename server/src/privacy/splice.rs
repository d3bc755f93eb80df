//! Members of a JSON object replaced in its text: what is not replaced stays byte for byte.

use std::ops::Range;

use crate::json::{JsonError, Kind, Scanner};

/// A member of the outermost object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name.
    pub(super) name: String,
    /// Where its value's text lies.
    pub(super) value: Range<usize>,
    /// What kind of value it is.
    pub(super) kind: Kind,
}

/// The members of a text that is one object; `None` when it is none.
pub(super) fn members(text: &[u8]) -> Option<Vec<Member>> {
    let mut scanner = Scanner::new(text).ok()?;
    if scanner.kind().ok()? != Kind::Object {
        return None;
    }
    let mut members = Vec::new();
    let read = scanner.object(|scanner, name| {
        let kind = scanner.kind()?;
        let start = scanner.offset();
        scanner.skip()?;
        members.push(Member {
            name: name.into_owned(),
            value: start..scanner.offset(),
            kind,
        });
        Ok::<(), JsonError>(())
    });
    read.ok()?;
    Some(members)
}

/// The text with these values in place of those. The places ascend.
pub(super) fn replaced(text: &[u8], values: &[(Range<usize>, Vec<u8>)]) -> Vec<u8> {
    let added: usize = values.iter().map(|(_, value)| value.len()).sum();
    let mut out = Vec::with_capacity(text.len() + added);
    let mut from = 0;
    for (place, value) in values {
        out.extend_from_slice(&text[from..place.start]);
        out.extend_from_slice(value);
        from = place.end;
    }
    out.extend_from_slice(&text[from..]);
    out
}
