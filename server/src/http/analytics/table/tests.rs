use std::io::Read as _;

use super::*;

fn table(rows: usize) -> Table {
    let rows = (0..rows).map(|row| {
        Ok(vec![
            Cell::Text(if row == 0 {
                "=1+2".into()
            } else {
                format!("185 {row:03}")
            }),
            Cell::Number(row as f64 + 0.5),
            Cell::Whole(-3),
            Cell::Time(Timestamp::from_micros(1_700_000_000_000_000)),
            Cell::Empty,
        ])
    });
    Table::new(
        "failures",
        ["vehicle", "rate", "change", "at", "@note"],
        rows,
    )
    .note("definition", 1)
    .note("formula", "=a/b")
}

fn body(format: Format, rows: usize) -> Vec<u8> {
    match format {
        Format::Csv => comma::written(table(rows), false),
        Format::GermanCsv => comma::written(table(rows), true),
        Format::Lines => lines::written(table(rows)),
        Format::Excel => excel::written(table(rows)),
    }
    .unwrap_or_else(|problem| panic!("{problem:?}"))
}

/// A part of a workbook, found by the directory at its end.
fn unzipped(workbook: &[u8], name: &str) -> String {
    let word = |at: usize| usize::from(u16::from_le_bytes([workbook[at], workbook[at + 1]]));
    let double = |at: usize| word(at) + (word(at + 2) << 16);
    let end = workbook.windows(4).rposition(|four| four == b"PK\x05\x06");
    let mut at = double(end.unwrap() + 16);
    while workbook[at..].starts_with(b"PK\x01\x02") {
        let name_bytes = word(at + 28);
        if &workbook[at + 46..at + 46 + name_bytes] != name.as_bytes() {
            at += 46 + name_bytes + word(at + 30) + word(at + 32);
            continue;
        }
        let head = double(at + 42);
        let begin = head + 30 + word(head + 26) + word(head + 28);
        let packed = &workbook[begin..begin + double(at + 20)];
        let mut text = String::new();
        match word(at + 10) {
            0 => text.push_str(std::str::from_utf8(packed).unwrap()),
            _ => {
                let mut reader = flate2::read::DeflateDecoder::new(packed);
                reader.read_to_string(&mut text).unwrap();
            }
        }
        return text;
    }
    panic!("no {name} in the workbook");
}

#[test]
fn formulas_are_defused_and_numbers_are_not() {
    let text = String::from_utf8(body(Format::Csv, 1)).unwrap();
    assert_eq!(
        text,
        "vehicle,rate,change,at,'@note\r\n'=1+2,0.5,-3,2023-11-14T22:13:20.000000Z,\r\n"
    );
}

#[test]
fn german_spreadsheets_find_semicolons_and_commas() {
    let text = String::from_utf8(body(Format::GermanCsv, 2)).unwrap();
    assert!(text.starts_with('\u{feff}'));
    assert!(text.ends_with("185 001;1,5;-3;2023-11-14T22:13:20.000000Z;\r\n"));
}

#[test]
fn lines_are_objects() {
    let text = String::from_utf8(body(Format::Lines, 2)).unwrap();
    let second: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["vehicle"], "185 001");
    assert_eq!(second["rate"], 1.5);
    assert!(second["@note"].is_null());
}

#[test]
fn workbooks_have_the_same_rows_and_a_sheet_that_explains_them() {
    let workbook = body(Format::Excel, 50);
    let data = unzipped(&workbook, "xl/worksheets/sheet1.xml");
    assert_eq!(data.matches("<row ").count(), 51);
    // A formula would be an element `f`; this is a text.
    assert!(
        data.contains("=1+2") && !data.contains("<f>"),
        "{}",
        &data[..2_000]
    );
    assert!(data.contains("autoFilter") && data.contains("frozen"));
    let definition = unzipped(&workbook, "xl/worksheets/sheet2.xml");
    assert!(definition.contains("formula") && definition.contains("=a/b"));
    assert!(!definition.contains("<f>"));
}
