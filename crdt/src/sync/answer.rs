//! What a device hears after a push.

use super::verdict::Verdict;
use crate::collapsed::Handle;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The verdicts of a push, and the handles of what it created.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushAnswer {
    /// (number, verdict), numbers rising by one.
    pub verdicts: Vec<(u64, Verdict)>,
    /// (number of the creating operation, handle), numbers rising.
    pub created: Vec<(u64, Handle)>,
}

/// Count and first number, the verdicts, then count and (number, handle).
impl Wire for PushAnswer {
    fn encode(&self, writer: &mut Writer) {
        writer.count(self.verdicts.len());
        if let Some((first, _)) = self.verdicts.first() {
            writer.varint(*first);
        }
        self.verdicts
            .iter()
            .for_each(|(_, verdict)| verdict.encode(writer));
        writer.count(self.created.len());
        for (seq, handle) in &self.created {
            writer.varint(*seq);
            writer.varint(handle.0.into());
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut answer = Self::default();
        let count = reader.count(1)?;
        if count > 0 {
            let first = reader.exact("seq")?;
            answer.verdicts.reserve_exact(count);
            for seq in (first..).take(count) {
                answer.verdicts.push((seq, Verdict::decode(reader)?));
            }
        }
        for _ in 0..reader.count(2)? {
            let seq = reader.exact("seq")?;
            if answer.created.last().is_some_and(|(last, _)| *last >= seq) {
                return Err(DecodeError::NotCanonical { what: "created" });
            }
            answer
                .created
                .push((seq, Handle(reader.varint_u32("handle")?)));
        }
        Ok(answer)
    }
}
