//! Rows into columns, columns into a Parquet file. In memory, a file's rows at a time.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::take::take;
use bytes::Bytes;
use fleet::calendar;
use fleet::money::Money;
use hashbrown::HashMap;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value};

use crate::column::{ColumnKind, Columns, MONEY_DIGITS, MONEY_PLACES};
use crate::error::LakeError;
use crate::payload::Item;

/// Rows of a row group: what an engine skips or reads at once.
const GROUP_ROWS: usize = 65_536;
/// Of 1 to 22. Above, files shrink by little and exports take long.
const ZSTD_LEVEL: i32 = 1;
/// The column of what has no column.
pub(crate) const REST: &str = "rest";

/// A column that every row of a table has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) name: &'static str,
    pub(crate) kind: ColumnKind,
}

impl Head {
    pub(crate) const fn new(name: &'static str, kind: ColumnKind) -> Self {
        Head { name, kind }
    }
}

/// What the tables of one kind for one aggregate type have in common.
#[derive(Debug)]
pub(crate) struct Layout {
    schema: SchemaRef,
    kinds: Vec<ColumnKind>,
    by_name: HashMap<&'static str, usize>,
    hidden: Vec<&'static str>,
    /// The heads by which rows are sorted.
    sorted_by: [usize; 2],
    properties: WriterProperties,
}

impl Layout {
    /// These heads, then these columns, then what has none. Rows are sorted by two of the heads: a text and a whole number.
    pub(crate) fn new(
        heads: &[Head],
        columns: Columns,
        sorted_by: [usize; 2],
    ) -> Result<Self, LakeError> {
        let mut fields = Vec::new();
        let mut kinds = Vec::new();
        let mut by_name = HashMap::new();
        for head in heads {
            fields.push(Field::new(head.name, head.kind.data_type(), true));
            kinds.push(head.kind);
        }
        for (name, column, kind) in columns.fields {
            by_name.insert(name, kinds.len());
            fields.push(Field::new(column, kind.data_type(), true));
            kinds.push(kind);
        }
        fields.push(Field::new(REST, ColumnKind::Json.data_type(), true));
        kinds.push(ColumnKind::Json);
        let properties = properties(&fields, &kinds)?;
        Ok(Layout {
            schema: Arc::new(Schema::new(fields)),
            kinds,
            by_name,
            hidden: columns.hidden,
            sorted_by,
            properties,
        })
    }
}

/// How files are written. Whole numbers and times as differences, which are small where rows are sorted by stream.
fn properties(fields: &[Field], kinds: &[ColumnKind]) -> Result<WriterProperties, LakeError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("railfleet ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for (field, kind) in fields.iter().zip(kinds) {
        if matches!(kind, ColumnKind::Integer | ColumnKind::Time) {
            let path = ColumnPath::from(field.name().as_str());
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    // No two rows share one.
    let unique = ColumnPath::from("event_id");
    Ok(properties
        .set_column_dictionary_enabled(unique, false)
        .build())
}

/// A file's rows.
#[derive(Debug)]
pub(crate) struct Table {
    layout: Arc<Layout>,
    columns: Vec<Column>,
    rest: Map<String, Value>,
    rows: usize,
    bytes: usize,
}

impl Table {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        let columns = layout.kinds.iter().map(|kind| Column::new(*kind));
        Table {
            columns: columns.collect(),
            rest: Map::new(),
            rows: 0,
            bytes: 0,
            layout,
        }
    }

    /// Finished rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes the rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The row's text in a head.
    pub(crate) fn text(&mut self, head: usize, text: &str) {
        if let Column::Text(builder) = self.at(head) {
            builder.append_value(text);
        }
        self.bytes += text.len();
    }

    /// The row's whole number in a head.
    pub(crate) fn integer(&mut self, head: usize, number: i64) {
        if let Column::Integer(builder) = self.at(head) {
            builder.append_value(number);
        }
    }

    /// The row's moment in a head: microseconds since 1970 UTC.
    pub(crate) fn time(&mut self, head: usize, micros: i64) {
        if let Column::Time(builder) = self.at(head) {
            builder.append_value(micros);
        }
    }

    /// Whether so, in a head.
    pub(crate) fn flag(&mut self, head: usize, flag: bool) {
        if let Column::Flag(builder) = self.at(head) {
            builder.append_value(flag);
        }
    }

    /// One of the row's fields: into its column where it has one and fits, else into the rest.
    pub(crate) fn field(&mut self, name: Cow<'_, str>, item: Item<'_>) {
        if let Some(column) = self.layout.by_name.get(&*name) {
            let (column, kind) = (*column, self.layout.kinds[*column]);
            if self.at(column).take(kind, &item) {
                let text = match &item {
                    Item::Text(text) => text.len(),
                    _ => 0,
                };
                self.bytes += 16 + text;
                return;
            }
        } else if self.layout.hidden.contains(&&*name) {
            return;
        }
        self.rest.insert(name.into_owned(), item.into());
    }

    /// What the row holds is no JSON object: kept as text.
    pub(crate) fn foreign(&mut self, text: &str) {
        let last = self.columns.len() - 1;
        self.text(last, text);
    }

    /// The row is complete.
    pub(crate) fn end_row(&mut self) {
        if !self.rest.is_empty() {
            let rest = Value::Object(std::mem::take(&mut self.rest)).to_string();
            let last = self.columns.len() - 1;
            self.text(last, &rest);
        }
        self.rows += 1;
        self.bytes += 64;
    }

    /// The column, with nulls for the rows before that it was not in.
    fn at(&mut self, column: usize) -> &mut Column {
        let column = &mut self.columns[column];
        column.fill(self.rows);
        column
    }

    /// The rows as a Parquet file, sorted. Arrays of a row group are made at a time: what is put in order is there twice.
    pub(crate) fn into_parquet(mut self) -> Result<Bytes, LakeError> {
        let rows = self.rows;
        let columns = self.columns.iter_mut().map(|column| column.finish(rows));
        let columns: Vec<Option<ArrayRef>> = columns.collect();
        let [text, number] = self.layout.sorted_by.map(|head| columns[head].as_ref());
        let order = match (text, number) {
            (Some(text), Some(number)) => order(text, number),
            _ => None,
        };
        let options = ArrowWriterOptions::new()
            .with_properties(self.layout.properties.clone())
            .with_skip_arrow_metadata(true);
        let schema = &self.layout.schema;
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new_with_options(&mut file, schema.clone(), options)?;
        for first in (0..rows).step_by(GROUP_ROWS) {
            let count = GROUP_ROWS.min(rows - first);
            let places = order.as_ref().map(|order| {
                UInt32Array::from_iter_values(order[first..first + count].iter().copied())
            });
            let arrays = columns.iter().zip(&self.layout.kinds);
            let arrays = arrays.map(|(column, kind)| match (column, &places) {
                (None, _) => Ok(nothing(*kind).slice(0, count)),
                (Some(column), None) => Ok(column.slice(first, count)),
                (Some(column), Some(places)) => take(column, places, None),
            });
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            writer.write(&RecordBatch::try_new(schema.clone(), arrays)?)?;
        }
        writer.close()?;
        Ok(file.into())
    }
}

/// A row group of a column that no row has anything in. Most columns of a table are such, and an array each would be most of
/// what an export allocates.
fn nothing(kind: ColumnKind) -> ArrayRef {
    static NOTHING: LazyLock<HashMap<ColumnKind, ArrayRef>> = LazyLock::new(|| {
        let kinds = ColumnKind::ALL.into_iter();
        kinds
            .map(|kind| (kind, new_null_array(&kind.data_type(), GROUP_ROWS)))
            .collect()
    });
    NOTHING[&kind].clone()
}

/// The order of the rows by a text, and of those of one text by a whole number; `None` where they are in it.
fn order(texts: &ArrayRef, numbers: &ArrayRef) -> Option<Vec<u32>> {
    let (texts, numbers) = (
        texts.as_string::<i32>(),
        numbers.as_primitive::<Int64Type>(),
    );
    let key = |row: usize| (texts.value(row), numbers.value(row));
    let rows = texts.len();
    if (1..rows).all(|row| key(row - 1) <= key(row)) {
        return None;
    }
    // Texts are slow to compare and mostly there many times: each is put into its place among them once.
    let mut numbered: HashMap<&str, u32> = HashMap::new();
    let of_rows: Vec<u32> = (0..rows)
        .map(|row| {
            let next = small(numbered.len());
            *numbered.entry(texts.value(row)).or_insert(next)
        })
        .collect();
    let mut texts: Vec<(&str, u32)> = numbered.into_iter().collect();
    texts.sort_unstable();
    let mut places = vec![0; texts.len()];
    for (place, (_, number)) in texts.iter().enumerate() {
        places[*number as usize] = small(place);
    }
    let mut keys: Vec<(u32, i64, u32)> = (0..rows)
        .map(|row| {
            (
                places[of_rows[row] as usize],
                numbers.value(row),
                small(row),
            )
        })
        .collect();
    keys.sort_unstable();
    Some(keys.into_iter().map(|(_, _, row)| row).collect())
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("a file has fewer than 2^32 rows")
}

/// A column as it is filled.
#[derive(Debug)]
enum Column {
    Text(StringBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Money(Decimal128Builder),
}

impl Column {
    fn new(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Text | ColumnKind::Json => Column::Text(StringBuilder::with_capacity(0, 0)),
            ColumnKind::Integer => Column::Integer(Int64Builder::with_capacity(0)),
            ColumnKind::Number => Column::Number(Float64Builder::with_capacity(0)),
            ColumnKind::Flag => Column::Flag(BooleanBuilder::with_capacity(0)),
            ColumnKind::Time => Column::Time(
                TimestampMicrosecondBuilder::with_capacity(0).with_data_type(kind.data_type()),
            ),
            ColumnKind::Money => {
                Column::Money(Decimal128Builder::with_capacity(0).with_data_type(kind.data_type()))
            }
        }
    }

    /// Nulls up to this many rows.
    fn fill(&mut self, rows: usize) {
        macro_rules! fill {
            ($($kind:ident),*) => {
                match self {
                    $(Column::$kind(builder) => {
                        let missing = rows.saturating_sub(ArrayBuilder::len(builder));
                        if missing > 0 {
                            builder.append_nulls(missing);
                        }
                    })*
                }
            };
        }
        fill!(Text, Integer, Number, Flag, Time, Money);
    }

    /// Takes the value, unless it does not fit.
    fn take(&mut self, kind: ColumnKind, item: &Item<'_>) -> bool {
        match (self, item) {
            (Column::Text(builder), Item::Text(text)) if kind == ColumnKind::Text => {
                builder.append_value(text);
                true
            }
            (Column::Text(builder), item) if kind == ColumnKind::Json && *item != Item::Null => {
                match item {
                    Item::Nested(value) => builder.append_value(value.to_string()),
                    scalar => builder.append_value(Value::from(scalar.clone()).to_string()),
                }
                true
            }
            (Column::Integer(builder), Item::Number(number)) => {
                appended(whole(number), |value| builder.append_value(value))
            }
            (Column::Number(builder), Item::Number(number)) => {
                appended(number.as_f64(), |value| builder.append_value(value))
            }
            (Column::Flag(builder), Item::Flag(flag)) => {
                builder.append_value(*flag);
                true
            }
            (Column::Time(builder), Item::Text(text)) => {
                appended(calendar::parse_time(text), |value| {
                    builder.append_value(value)
                })
            }
            (Column::Money(builder), item) => appended(hundredths(item), |value| {
                builder.append_value(value);
            }),
            _ => false,
        }
    }

    /// So many rows; `None` where none has anything.
    fn finish(&mut self, rows: usize) -> Option<ArrayRef> {
        macro_rules! finish {
            ($($kind:ident),*) => {
                match self {
                    $(Column::$kind(builder) if ArrayBuilder::is_empty(builder) => None,
                    Column::$kind(builder) => {
                        builder.append_nulls(rows - ArrayBuilder::len(builder));
                        Some(Arc::new(builder.finish()))
                    })*
                }
            };
        }
        finish!(Text, Integer, Number, Flag, Time, Money)
    }
}

fn appended<T>(value: Option<T>, append: impl FnOnce(T)) -> bool {
    value.map(append).is_some()
}

/// `7` and `7.0`.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let value = number.as_f64()?;
        let fits = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        fits.then_some(value as i64)
    })
}

/// An amount in hundredths that the column has the digits for.
fn hundredths(item: &Item<'_>) -> Option<i128> {
    const { assert!(MONEY_PLACES == 2, "money is kept in hundredths") };
    let money = match item {
        Item::Text(text) => Money::parse(text),
        Item::Number(number) => Money::parse(&number.to_string()),
        _ => None,
    };
    let amount = i128::from(money?.hundredths());
    (amount.abs() < 10_i128.pow(u32::from(MONEY_DIGITS))).then_some(amount)
}
