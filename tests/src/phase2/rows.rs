//! The rows: each table's, one after the other, as the blocks of a `COPY`.

mod assets;
mod goods;
mod money;
mod people;
mod planning;

use std::io::{self, Write};

use super::{Contents, Random, Shape, traps};

/// Noon of 2023-01-01, where everything begins: microseconds since 1970 UTC.
const BEGINNING: i64 = 1_672_574_400_000_000;
pub(super) const HOUR: i64 = 3_600_000_000;
pub(super) const DAY: i64 = 24 * HOUR;

/// Writes every table that this shape has, parents first.
pub(super) fn write_all(shape: Shape, contents: &Contents, out: &mut dyn Write) -> io::Result<()> {
    let mut filler = Filler {
        shape,
        contents,
        out,
    };
    people::users(&mut filler)?;
    assets::write(&mut filler)?;
    people::write(&mut filler)?;
    goods::write(&mut filler)?;
    money::write(&mut filler)?;
    planning::write(&mut filler)
}

/// Fills the tables of one database.
pub(super) struct Filler<'a> {
    pub(super) shape: Shape,
    pub(super) contents: &'a Contents,
    out: &'a mut dyn Write,
}

impl Filler<'_> {
    /// Writes the rows of a table; `row` sets the cells of one, in the order of `columns`.
    pub(super) fn table(
        &mut self,
        name: &'static str,
        columns: &[&str],
        mut row: impl FnMut(&mut Row<'_>),
    ) -> io::Result<()> {
        let quoted: Vec<String> = columns
            .iter()
            .map(|column| format!("\"{column}\""))
            .collect();
        writeln!(self.out, "COPY {name} ({}) FROM stdin;", quoted.join(", "))?;
        for number in 0..self.contents.of(name) {
            let mut cells = Row {
                random: Random::new(self.contents.seed, place(name), number),
                table: name,
                number,
                shape: self.shape,
                contents: self.contents,
                line: String::with_capacity(400),
                cells: 0,
            };
            row(&mut cells);
            assert_eq!(
                cells.cells,
                columns.len(),
                "{name} gets a cell for each column"
            );
            cells.line.push('\n');
            self.out.write_all(cells.line.as_bytes())?;
        }
        self.out.write_all(b"\\.\n")
    }
}

/// A row that is being written.
pub(super) struct Row<'a> {
    pub(super) random: Random,
    table: &'static str,
    pub(super) number: u64,
    pub(super) shape: Shape,
    contents: &'a Contents,
    line: String,
    cells: usize,
}

impl Row<'_> {
    /// Whether a trap that is set once in `times` is set here.
    pub(super) fn trap(&mut self, times: u64) -> bool {
        self.contents.traps && self.random.once_in(times)
    }

    /// As [`Row::trap`], where only a patched database lets it in.
    pub(super) fn patched_trap(&mut self, times: u64) -> bool {
        self.shape == Shape::Patched && self.trap(times)
    }

    /// How many rows another table has.
    pub(super) fn count(&self, table: &str) -> u64 {
        self.contents.of(table)
    }

    /// A cell as it is; `None` is null.
    pub(super) fn raw(&mut self, value: Option<&str>) {
        if self.cells > 0 {
            self.line.push('\t');
        }
        self.cells += 1;
        let Some(value) = value else {
            return self.line.push_str("\\N");
        };
        for character in value.chars() {
            match character {
                '\\' => self.line.push_str("\\\\"),
                '\n' => self.line.push_str("\\n"),
                '\r' => self.line.push_str("\\r"),
                '\t' => self.line.push_str("\\t"),
                other => self.line.push(other),
            }
        }
    }

    pub(super) fn null(&mut self) {
        self.raw(None);
    }

    pub(super) fn set(&mut self, value: impl ToString) {
        self.raw(Some(&value.to_string()));
    }

    /// This row's own id.
    pub(super) fn id(&mut self) {
        let id = id_of(self.contents.seed, self.table, self.number);
        self.raw(Some(&id));
    }

    /// The id of a row of another table.
    pub(super) fn reference(&mut self, table: &'static str) -> u64 {
        let number = self.random.below(self.count(table));
        self.reference_to(table, number);
        number
    }

    /// The id of this row of another table.
    pub(super) fn reference_to(&mut self, table: &'static str, number: u64) {
        let id = id_of(self.contents.seed, table, number);
        self.raw(Some(&id));
    }

    /// The id of a row of another table, or none.
    pub(super) fn reference_or_null(&mut self, table: &'static str) {
        match self.random.once_in(3) {
            true => self.null(),
            false => {
                self.reference(table);
            }
        }
    }

    /// An id that no constraint holds: of a row, of nothing, or none.
    pub(super) fn loose_reference(&mut self, table: &'static str) {
        if self.trap(12) {
            let dangling = self.random.uuid();
            return self.raw(Some(&dangling));
        }
        self.reference_or_null(table);
    }

    /// Text for people.
    pub(super) fn text(&mut self, plain: &str) {
        match self.trap(15) {
            true => {
                let hostile = traps::text(&mut self.random);
                self.raw(Some(hostile));
            }
            false => self.raw(Some(plain)),
        }
    }

    pub(super) fn text_or_null(&mut self, plain: &str) {
        match self.random.once_in(3) {
            true => self.null(),
            false => self.text(plain),
        }
    }

    /// A business key.
    pub(super) fn key(&mut self, plain: &str) {
        match self.trap(20) {
            true => {
                let hostile = traps::key(&mut self.random, plain);
                self.raw(Some(&hostile));
            }
            false => self.raw(Some(plain)),
        }
    }

    /// A word, in capitals where it is an enum's label.
    pub(super) fn word(&mut self, word: &str) {
        match self.shape.has_enums(self.table) {
            true => self.raw(Some(&word.to_uppercase())),
            false => self.raw(Some(word)),
        }
    }

    pub(super) fn truth(&mut self, value: bool) {
        self.raw(Some(if value { "t" } else { "f" }));
    }

    /// A number that may not be one.
    pub(super) fn real(&mut self, value: f64) {
        match self.trap(25) {
            true => {
                let none = traps::number(&mut self.random);
                self.raw(Some(none));
            }
            false => self.set(value),
        }
    }

    /// An amount in hundredths.
    pub(super) fn money(&mut self, cents: u64) {
        match self.trap(40) {
            true => self.raw(Some("NaN")),
            false => self.raw(Some(&decimal(cents))),
        }
    }

    /// A time.
    pub(super) fn time(&mut self, micros: i64) {
        match self.trap(60) {
            true => {
                let far = traps::time(&mut self.random);
                self.raw(Some(far));
            }
            false => self.raw(Some(&moment(micros))),
        }
    }

    pub(super) fn time_or_null(&mut self, micros: Option<i64>) {
        match micros {
            Some(micros) => self.time(micros),
            None => self.null(),
        }
    }

    /// When a row was made, in its order.
    pub(super) fn beginning(&mut self) -> i64 {
        let span = 3 * 365 * DAY;
        BEGINNING + i64::try_from(self.random.below(span.unsigned_abs())).unwrap_or(0)
    }

    /// A span of at most this length; with traps, sometimes backwards.
    pub(super) fn span(&mut self, longest: i64) -> i64 {
        let span = i64::try_from(self.random.below(longest.unsigned_abs())).unwrap_or(0) + 1;
        match self.trap(20) {
            true => -span,
            false => span,
        }
    }

    /// `json` or `jsonb`.
    pub(super) fn json(&mut self, plain: &str) {
        if self.trap(10) {
            let strict = self.shape == Shape::Scripts;
            let hostile = match !strict && self.random.once_in(5) {
                true => traps::broken_json(&mut self.random),
                false => traps::json(&mut self.random),
            };
            return self.raw(Some(hostile));
        }
        self.raw(Some(plain));
    }
}

/// A moment as PostgreSQL writes it.
pub(super) fn moment(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros)
        .expect("a time of this century")
        .format("%Y-%m-%d %H:%M:%S%.6f")
        .to_string()
}

/// Hundredths as a decimal number.
pub(super) fn decimal(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The id of a row.
pub(super) fn id_of(seed: u64, table: &str, number: u64) -> String {
    Random::new(!seed, place(table), number).uuid()
}

/// A number for a name.
fn place(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
