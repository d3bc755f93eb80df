//! Runs: fields of one edit, of which only the values differ.
//!
//! A run is a field written in full and at least [`FIELDS_MIN`] behind it, with rising numbers without a gap, that have the
//! same stamp, device and rank, a value, nothing beside it, and positions that go on by the same step (0 where one entry of
//! the log told them all). Runs are as long as they can be, and begin as early as they can.

use super::{
    Before, COUNTER, DEVICE, NULL, NUMBER_GAP, OPEN, RANK, TIME, decode_value, difference,
    encode_value, moved,
};
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::register::{CollapsedRegister, Write};
use crate::collapsed::{CollapsedEntity, CollapsedField};
use crate::entity::{EntityTable, Kind, ValueType};
use crate::replica::DeviceId;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, Writer};

/// Fewest fields behind the first one.
const FIELDS_MIN: usize = 2;

/// What is told of the fields of a run, behind the first one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// How many they are.
    pub(super) fields: usize,
    /// From position to position.
    pub(super) step: i64,
}

impl Run {
    /// The run behind a field of this number whose only write is `head`, if there is one.
    pub(super) fn behind(
        head: &Write,
        number: u16,
        table: &'static EntityTable,
        later: &[(u16, CollapsedField)],
    ) -> Option<Self> {
        let (mut last, mut position) = (number, head.position.get());
        let mut step = None;
        let mut fields = 0;
        for (number, field) in later {
            let Some((_, write)) = plain(*number, field, table) else {
                break;
            };
            let by = difference(position, write.position.get());
            let goes_on = *number == last + 1
                && (write.stamp, write.device, write.rank) == (head.stamp, head.device, head.rank)
                && step.is_none_or(|step| step == by);
            if !goes_on {
                break;
            }
            step = Some(by);
            (last, position) = (*number, write.position.get());
            fields += 1;
        }
        let step = step.filter(|_| fields >= FIELDS_MIN)?;
        Some(Self { fields, step })
    }

    /// Appends the run: how many fields, the step, their values.
    pub(super) fn encode(
        self,
        fields: &[(u16, CollapsedField)],
        table: &'static EntityTable,
        before: &mut Before,
        writer: &mut Writer,
    ) {
        writer.count(self.fields);
        writer.signed(self.step);
        for (number, field) in fields {
            if let Some((of, write)) = plain(*number, field, table) {
                before.position = write.position.get();
                encode_value(&write.value, of, writer);
            }
        }
    }

    /// Reads how many fields there are, and the step.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let fields = reader.count(1)?;
        let step = reader.signed()?;
        if fields < FIELDS_MIN {
            return Err(DecodeError::NotCanonical { what: "run" });
        }
        Ok(Self { fields, step })
    }

    /// Reads the values of the fields behind the last one of `entity`, whose write is the one before.
    pub(super) fn decode_fields(
        self,
        entity: &mut CollapsedEntity,
        before: &mut Before,
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.fields {
            let last = entity.fields.last().map_or(0, |(number, _)| *number);
            let number = last.checked_add(1);
            let row = number.and_then(|number| entity.table.field(number));
            let Some((row, Kind::Lww(of) | Kind::MultiValue(of))) = row.map(|row| (row, &row.kind))
            else {
                return Err(DecodeError::Field {
                    number: last,
                    reason: "no register follows it",
                });
            };
            before.position = moved(
                before.position,
                self.step,
                EXACT_INTEGER_MAX,
                "log position",
            )?;
            let register = CollapsedRegister {
                winner: Some(Write {
                    value: decode_value(row.number, of, reader)?,
                    stamp: Stamp::new(before.millis, before.counter),
                    position: LogPosition::new(before.position),
                    device: DeviceId::new(before.device),
                    rank: before.rank,
                }),
                open: None,
            };
            entity
                .fields
                .push((row.number, CollapsedField::Register(register)));
        }
        Ok(())
    }
}

/// The write of a register that holds one value and nothing beside it.
fn plain<'a>(
    number: u16,
    field: &'a CollapsedField,
    table: &'static EntityTable,
) -> Option<(&'static ValueType, &'a Write)> {
    let (Kind::Lww(of) | Kind::MultiValue(of)) = &table.field(number)?.kind else {
        return None;
    };
    let CollapsedField::Register(CollapsedRegister {
        winner: Some(write),
        open: None,
    }) = field
    else {
        return None;
    };
    (!write.value.is_null()).then_some((of, write))
}

/// What was read last: by it a run shows that is not told as one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    /// Nothing that a run could begin with or end in.
    Other,
    /// A field in full.
    Field,
    /// Two fields in full, the second so far behind the first and equal to it in everything but the value.
    Two(i64),
    /// A run with this step.
    Run(i64),
}

impl Last {
    /// What the last is after a register with these flags, so far behind the position before it.
    pub(super) fn then(self, flags: u8, step: i64) -> Result<Self, DecodeError> {
        if flags & OPEN != 0 {
            return Ok(Last::Other);
        }
        let is_plain = flags & (NUMBER_GAP | NULL | TIME | COUNTER | DEVICE | RANK) == 0;
        match self {
            _ if !is_plain => Ok(Last::Field),
            Last::Two(before) | Last::Run(before) if before == step => {
                Err(DecodeError::NotCanonical { what: "run" })
            }
            Last::Field | Last::Two(_) => Ok(Last::Two(step)),
            Last::Other | Last::Run(_) => Ok(Last::Field),
        }
    }

    /// What the last is after a run behind the field that was read last.
    pub(super) fn then_run(self, run: &Run) -> Result<Self, DecodeError> {
        match self {
            // It would have begun a field earlier.
            Last::Two(step) if step == run.step => Err(DecodeError::NotCanonical { what: "run" }),
            Last::Field | Last::Two(_) => Ok(Last::Run(run.step)),
            Last::Other | Last::Run(_) => Err(DecodeError::NotCanonical { what: "run" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::FieldRow;
    use crate::register::MaxRegister;
    use crate::value::Value;
    use proptest::prelude::*;

    const TEXT: ValueType = ValueType::Text { bytes_max: 20 };
    const fn row(number: u16) -> FieldRow {
        FieldRow::new(number, "field", Kind::MultiValue(TEXT))
    }
    static ROWS: [FieldRow; 10] = [
        row(1),
        row(2),
        row(3),
        row(4),
        row(5),
        FieldRow::new(6, "reading", Kind::Max),
        row(7),
        row(8),
        row(9),
        row(11),
    ];
    static TABLE: EntityTable = EntityTable::new(1, "Thing", "id", &ROWS);

    /// A field's write: what it differs by from the one before (0: by nothing), and the step of its position.
    type Drawn = Option<(u8, u64)>;

    fn entity(drawn: &[Drawn]) -> CollapsedEntity {
        let mut entity = CollapsedEntity::new(&TABLE);
        let (mut position, mut stamp, mut rank) = (1_000, Stamp::new(1_790_000_000_000, 7), 1);
        for (row, drawn) in ROWS.iter().zip(drawn) {
            let Some((differs, step)) = drawn else {
                continue;
            };
            position += step;
            match differs {
                1 => stamp = stamp.next(),
                2 => rank += 1,
                _ => {}
            }
            let winner = Write {
                value: match differs {
                    3 => Value::Null,
                    _ => Value::text(&format!("WO {}", row.number)),
                },
                stamp,
                position: LogPosition::new(position),
                device: DeviceId::new(3),
                rank,
            };
            let field = match row.kind {
                Kind::Max => CollapsedField::Max(MaxRegister::of(0, 5), winner.position),
                _ => CollapsedField::Register(CollapsedRegister {
                    winner: Some(winner),
                    open: None,
                }),
            };
            entity.fields.push((row.number, field));
        }
        entity
    }

    fn fields() -> impl Strategy<Value = Vec<Drawn>> {
        let differs = prop_oneof![8 => Just(0_u8), 1 => 1..4_u8];
        let field = prop_oneof![8 => (differs, 0..2_u64).prop_map(Some), 1 => Just(None)];
        prop::collection::vec(field, 10)
    }

    proptest! {
        #[test]
        fn fields_of_one_edit_have_one_form(drawn in fields(), by in 1..=255_u8) {
            let entity = entity(&drawn);
            let packed = entity.to_packed();
            prop_assert_eq!(CollapsedEntity::from_packed(&TABLE, &packed), Ok(entity));
            for at in 0..packed.len() {
                let mut damaged = packed.clone();
                damaged[at] = damaged[at].wrapping_add(by);
                if let Ok(other) = CollapsedEntity::from_packed(&TABLE, &damaged) {
                    prop_assert_eq!(other.to_packed(), damaged);
                }
            }
        }
    }

    #[test]
    fn a_field_of_an_edit_is_its_value() {
        let one = Some((0, 0));
        let packed = |fields: usize| entity(&vec![one; fields]).to_packed().len();
        // Length and four signs of six bits each.
        assert_eq!(packed(5) - packed(4), 4);
    }
}
