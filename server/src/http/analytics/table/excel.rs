//! An Excel workbook: the table with a head that stays and can be filtered, and a sheet that says what it means.
//!
//! Rows go to a temporary file as they come, so the memory needed does not grow with them; only the packed workbook is
//! held. Texts are written as texts, so none of them is ever a formula.

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::{Cell, Table};
use crate::http::problem::Problem;

pub(super) const MEDIA_TYPE: &str =
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Characters of a cell at most, by the format.
const TEXT_CHARS_MAX: usize = 32_767;
const COLUMN_WIDTH: f64 = 18.0;

pub(super) fn written(table: Table) -> Result<Vec<u8>, Problem> {
    let failed = |error: XlsxError| Problem::internal(&error);
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    let moment = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    let Table {
        columns,
        rows,
        notes,
        ..
    } = table;
    let last_column = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let sheet = workbook
        .add_worksheet_with_constant_memory()
        .map_err(failed)?;
    sheet.set_name("Data").map_err(failed)?;
    sheet.set_freeze_panes(1, 0).map_err(failed)?;
    sheet
        .set_column_range_width(0, last_column, COLUMN_WIDTH)
        .map_err(failed)?;
    for (column, name) in (0_u16..).zip(&columns) {
        sheet
            .write_string_with_format(0, column, cut(name), &bold)
            .map_err(failed)?;
    }
    let mut last_row = 0;
    for (number, row) in (1_u32..).zip(rows) {
        for (column, cell) in (0_u16..).zip(row?) {
            write(sheet, number, column, &cell, &moment).map_err(failed)?;
        }
        last_row = number;
    }
    sheet
        .autofilter(0, 0, last_row, last_column)
        .map_err(failed)?;
    let sheet = workbook
        .add_worksheet_with_constant_memory()
        .map_err(failed)?;
    sheet.set_name("Definition").map_err(failed)?;
    sheet
        .set_column_range_width(0, 1, COLUMN_WIDTH * 2.0)
        .map_err(failed)?;
    for (number, (name, text)) in (0_u32..).zip(&notes) {
        sheet
            .write_string_with_format(number, 0, cut(name), &bold)
            .map_err(failed)?;
        sheet.write_string(number, 1, cut(text)).map_err(failed)?;
    }
    workbook.save_to_buffer().map_err(failed)
}

fn write(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    cell: &Cell,
    moment: &Format,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            sheet.write_string(row, column, cut(text))?;
        }
        Cell::Number(number) => {
            sheet.write_number(row, column, *number)?;
        }
        Cell::Whole(number) => {
            sheet.write_number(row, column, *number as f64)?;
        }
        // Workbooks know no time before 1900 and none of a time zone: it is UTC, as the second sheet says.
        Cell::Time(time) => {
            match ExcelDateTime::from_timestamp(time.micros().div_euclid(1_000_000)) {
                Ok(at) => {
                    sheet.write_datetime_with_format(row, column, &at, moment)?;
                }
                Err(_) => {
                    sheet.write_string(row, column, crate::rfc3339::to_string(*time))?;
                }
            }
        }
    }
    Ok(())
}

/// As much of a text as a cell holds.
fn cut(text: &str) -> &str {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
