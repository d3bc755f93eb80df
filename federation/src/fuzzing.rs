//! What the fuzzer of `fuzz/` and the replay of its corpus call: whatever a broker may hand over.

use uuid::Uuid;

use crate::message::Message;
use crate::sheet::{KnownSheets, Signed, key_of_text, key_text};

#[cfg(test)]
mod tests;

/// A message of another depot. Numbers have more than one form in it, so what is read is read again and compared.
pub fn message(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else {
        return;
    };
    let again = message.encode();
    assert_eq!(Message::decode(&again).as_ref(), Ok(&message));
    let event = message.to_event();
    assert_eq!(event.id, Some(Uuid::from_u128(message.id)));
    assert_eq!(
        event
            .tags
            .iter()
            .filter(|tag| tag.starts_with(fleet::Origin::PREFIX))
            .count(),
        1
    );
    assert_eq!(*message.stream().aggregate_id, *message.aggregate_id);
}

/// A signed message. Nobody signs without the key, so nothing that a fuzzer makes is genuine for another log.
pub fn sheet(bytes: &[u8]) {
    if let Ok(signed) = Signed::decode(bytes) {
        assert!(signed.message.len() <= bytes.len());
        assert!(
            !signed.is_genuine(Uuid::from_u128(99), &mut KnownSheets::default()),
            "nobody signed for this log"
        );
        let _ = signed.is_genuine(Uuid::from_u128(7), &mut KnownSheets::default());
        assert_eq!(key_of_text(&key_text(signed.key)), Some(signed.key));
    }
    let _ = std::str::from_utf8(bytes).ok().and_then(key_of_text);
}
