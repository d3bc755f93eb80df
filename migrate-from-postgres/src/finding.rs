//! What is noticed about the rows, and what is done about each: nothing is passed over in silence, and nothing is dropped.

use std::collections::BTreeMap;

use serde::Serialize;

/// Rows named with each kind of finding in a table; further ones are counted.
pub const SAMPLES_MAX: usize = 20;
/// Bytes of a value that a report shows.
const SHOWN_BYTES_MAX: usize = 120;

/// A kind of finding. Each says what was met ([`Treatment::met`]) and what was done ([`Treatment::done`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant's two texts say what it is")]
pub enum Treatment {
    NotANumber,
    TimeOutOfRange,
    TimeTwice,
    TimeNever,
    TextNotUtf8,
    JsonUnreadable,
    UnknownWord,
    ValueUnreadable,
    UnknownColumns,
    NullKey,
    KeyTaken,
    KeyChanged,
    Orphan,
    TimeMissing,
    TimesGoBack,
    EndBeforeStart,
    NegativeStock,
    StockDisagrees,
    StockUnmoved,
    ReceivedMoreThanOrdered,
    DanglingReference,
    BudgetTwice,
    StatusWithoutTime,
    LoginByEmail,
    LoginByUsername,
    AccountExists,
    HashUnknown,
    HashCostly,
    ChangedOnBothSides,
    TableMissing,
    TimeZoneNotUtc,
    FleetOneTable,
    ValueAltered,
    ValueMadeUp,
    ColumnAbsent,
    ReferenceCut,
    RowRefused,
    HashTooNew,
    EventNotOurs,
    MetadataTooLong,
    AccountNameless,
}

impl Treatment {
    /// What was met.
    pub fn met(self) -> &'static str {
        match self {
            Treatment::NotANumber => "NaN or an infinity, which JSON cannot hold",
            Treatment::TimeOutOfRange => {
                "a time that is an infinity or lies outside the years 1 to 9999"
            }
            Treatment::TimeTwice => "a time that the assumed zone's clocks showed twice",
            Treatment::TimeNever => "a time that the assumed zone's clocks never showed",
            Treatment::TextNotUtf8 => "bytes that are no UTF-8",
            Treatment::JsonUnreadable => "JSON that no strict reader takes",
            Treatment::UnknownWord => "a word that the old system did not know",
            Treatment::ValueUnreadable => "a value that does not fit its column's meaning",
            Treatment::UnknownColumns => "columns that Phase 2 does not have",
            Treatment::NullKey => "a row without its business key",
            Treatment::KeyTaken => "a business key that another row has already",
            Treatment::KeyChanged => {
                "a business key that its row did not have when it was imported, or could not go by then"
            }
            Treatment::Orphan => "a row whose parent is not there",
            Treatment::TimeMissing => "a row that tells no usable time for what happened",
            Treatment::TimesGoBack => "times that go back: what happened later is dated earlier",
            Treatment::EndBeforeStart => "an end before its start",
            Treatment::NegativeStock => "less than nothing in stock, or moved",
            Treatment::StockDisagrees => "a level that is not the sum of the part's moves",
            Treatment::StockUnmoved => "a level without any move of the part",
            Treatment::ReceivedMoreThanOrdered => "more received than ordered",
            Treatment::DanglingReference => "a reference to a row that is not there",
            Treatment::BudgetTwice => "two budgets for the same period, cost center and category",
            Treatment::StatusWithoutTime => "a status whose time the row does not tell",
            Treatment::LoginByEmail => {
                "a username that another account has but for its case, or that looks like an e-mail address"
            }
            Treatment::LoginByUsername => {
                "an e-mail address that another account has, or that is none"
            }
            Treatment::AccountExists => {
                "an account whose username and e-mail address both belong to another account here"
            }
            Treatment::HashUnknown => "a password's hash that is neither bcrypt nor Argon2",
            Treatment::HashCostly => "a bcrypt hash that would hold a processor for seconds",
            Treatment::ChangedOnBothSides => {
                "a row that changed there after its copy was changed here"
            }
            Treatment::TableMissing => "a table that is not there",
            Treatment::TimeZoneNotUtc => "sessions whose time zone is not UTC",
            Treatment::FleetOneTable => "a table of FLEET-ONE",
            Treatment::ValueAltered => "a value that its column there cannot hold",
            Treatment::ValueMadeUp => "nothing, where the old schema demands something",
            Treatment::ColumnAbsent => "a value for which the table there has no column",
            Treatment::ReferenceCut => "a reference to nothing, which a foreign key there forbids",
            Treatment::RowRefused => "a row that breaks a constraint of the table there",
            Treatment::HashTooNew => "a password's hash that the old system cannot check",
            Treatment::EventNotOurs => {
                "an event without a usable name, or of an aggregate that only this server itself writes"
            }
            Treatment::MetadataTooLong => "metadata longer than the log holds",
            Treatment::AccountNameless => "an account without a username or an e-mail address",
        }
    }

    /// What was done about it.
    pub fn done(self) -> &'static str {
        match self {
            Treatment::NotANumber | Treatment::TimeOutOfRange | Treatment::ValueUnreadable => {
                "the field is null, the value stands as text under its name in extra"
            }
            Treatment::TimeTwice => "the first of the two moments was taken",
            Treatment::TimeNever => "the moment an hour later on the clock was taken",
            Treatment::TextNotUtf8 => "what could not be read was replaced by U+FFFD",
            Treatment::JsonUnreadable => "it is kept as a string of what stood there",
            Treatment::UnknownWord => "it is kept as it was",
            Treatment::UnknownColumns => "their values are kept in extra",
            Treatment::NullKey | Treatment::KeyTaken => "it goes by its UUID instead",
            Treatment::KeyChanged => {
                "its stream keeps the name that it began with; the API shows and takes the key that it has now"
            }
            Treatment::Orphan => "it is kept as it was, in the imported log of its table",
            Treatment::TimeMissing => "its event is dated 1970-01-01",
            Treatment::TimesGoBack => {
                "its events keep their times; a last one states what the row says"
            }
            Treatment::EndBeforeStart
            | Treatment::NegativeStock
            | Treatment::ReceivedMoreThanOrdered => "it is history, and was taken as it is",
            Treatment::StockDisagrees => {
                "the row's level was taken; a last event without a move makes up the difference"
            }
            Treatment::StockUnmoved => "the row's level was taken, as what was there at first",
            Treatment::DanglingReference => "it was kept as it is",
            Treatment::BudgetTwice => "both were taken, each by its UUID",
            Treatment::StatusWithoutTime => "its event is dated when the row was last changed",
            Treatment::LoginByEmail => "the account was taken; it logs in by its e-mail address",
            Treatment::LoginByUsername => "the account was taken; it logs in by its username",
            Treatment::AccountExists | Treatment::AccountNameless => {
                "the row is kept in the imported log of its table, without the hash; nobody logs in by it"
            }
            Treatment::HashUnknown => "the account was taken; its password must be set anew",
            Treatment::HashCostly => "the account was taken; its password must be set anew",
            Treatment::ChangedOnBothSides => "what is here was left as it is",
            Treatment::TableMissing => "there was nothing to take",
            Treatment::TimeZoneNotUtc => "times were understood as the assumption says",
            Treatment::FleetOneTable => "it was left alone",
            Treatment::ValueAltered => "as much of it was written as fits; the log keeps the whole",
            Treatment::ValueMadeUp => {
                "the plainest value was written: 0, false, an empty text, the time of the last change"
            }
            Treatment::ColumnAbsent => "it was not written; the log keeps it",
            Treatment::ReferenceCut => "it was written as null; the log keeps it",
            Treatment::RowRefused => "it was left out; the log keeps it",
            Treatment::EventNotOurs => "it is kept as it was, in the imported log of events",
            Treatment::MetadataTooLong => "the event was taken without it",
            Treatment::HashTooNew => "it was written as it is; the password must be set anew there",
        }
    }
}

/// All findings of one kind in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How often.
    pub count: u64,
    /// The first of them.
    pub samples: Vec<Sample>,
}

/// One case of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The row's key.
    pub key: String,
    /// The column, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What stood there, cut to a length that can be shown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// Findings by table and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings(BTreeMap<&'static str, BTreeMap<Treatment, Finding>>);

impl Findings {
    /// Notes one case.
    pub fn note(
        &mut self,
        table: &'static str,
        treatment: Treatment,
        sample: impl FnOnce() -> Sample,
    ) {
        let finding = self
            .0
            .entry(table)
            .or_default()
            .entry(treatment)
            .or_default();
        finding.count += 1;
        if finding.samples.len() < SAMPLES_MAX {
            finding.samples.push(sample());
        }
    }

    /// Notes that there were `count` cases, and some of them.
    pub fn note_all(
        &mut self,
        table: &'static str,
        treatment: Treatment,
        count: u64,
        samples: Vec<Sample>,
    ) {
        if count > 0 {
            let finding = self
                .0
                .entry(table)
                .or_default()
                .entry(treatment)
                .or_default();
            finding.count += count;
            finding.samples.extend(samples);
            finding.samples.truncate(SAMPLES_MAX);
        }
    }

    /// What was found in a table.
    pub fn of(&self, table: &str) -> impl Iterator<Item = (Treatment, &Finding)> {
        let found = self.0.get(table).into_iter().flatten();
        found.map(|(treatment, finding)| (*treatment, finding))
    }

    /// How many cases there were in a table.
    pub fn count_of(&self, table: &str) -> u64 {
        self.of(table).map(|(_, finding)| finding.count).sum()
    }

    /// How many cases there were of one kind, in all tables.
    pub fn count(&self, treatment: Treatment) -> u64 {
        let all = self.0.values().filter_map(|kinds| kinds.get(&treatment));
        all.map(|finding| finding.count).sum()
    }

    /// How many cases there were.
    pub fn total(&self) -> u64 {
        self.0.keys().map(|table| self.count_of(table)).sum()
    }

    /// The first case of all, for who passes over none.
    pub fn first(&self) -> Option<(&'static str, Treatment, &Sample)> {
        self.0.iter().find_map(|(table, kinds)| {
            let (treatment, finding) = kinds.iter().next()?;
            Some((*table, *treatment, finding.samples.first()?))
        })
    }

    /// Takes in what others found.
    pub fn absorb(&mut self, other: Findings) {
        for (table, kinds) in other.0 {
            for (treatment, finding) in kinds {
                self.note_all(table, treatment, finding.count, finding.samples);
            }
        }
    }
}

impl Sample {
    /// A case in a column.
    pub fn of(key: impl Into<String>, column: &str, value: &str) -> Self {
        Sample {
            key: key.into(),
            column: Some(column.to_owned()),
            value: shown(value),
        }
    }

    /// A case of a whole row.
    pub fn of_row(key: impl Into<String>, value: &str) -> Self {
        Sample {
            key: key.into(),
            column: None,
            value: shown(value),
        }
    }
}

fn shown(value: &str) -> String {
    if value.len() <= SHOWN_BYTES_MAX {
        return value.to_owned();
    }
    let mut end = SHOWN_BYTES_MAX;
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &value[..end])
}
