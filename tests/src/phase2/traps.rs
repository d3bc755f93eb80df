//! Values that hurt: each kind is named in the schema facts, or was met in a database.

use super::Random;

/// Text with everything that breaks naive quoting, splitting and comparing.
pub(super) fn text(random: &mut Random) -> &'static str {
    random.pick(&[
        "",
        " ",
        "O'Brien \"Rad\" \\N",
        "Zeile eins\nZeile zwei\tund mehr\r\n",
        "Räder/Achsen & <b>Bremsen</b>",
        "車両 185 – ½ Ölwechsel 🚆",
        "\u{1}\u{1b}[31mrot\u{7f}\u{85}\u{2028}",
        "null",
        "{\"not\": \"an object\"}",
        "\u{feff}BOM und e\u{301}",
    ])
}

/// A business key as people really choose them.
pub(super) fn key(random: &mut Random, plain: &str) -> String {
    match random.below(5) {
        0 => format!("{plain}/A"),
        1 => format!("{plain} {plain}"),
        2 => format!("ÄÖ-{plain}"),
        3 => format!("{plain}?x=%2F&"),
        _ => format!("'{plain}\\"),
    }
}

/// JSON that is valid for PostgreSQL's `json`, and a trial for whoever reads it.
pub(super) fn json(random: &mut Random) -> &'static str {
    random.pick(&[
        "null",
        "[]",
        "{\n  \"a\" : [ 1, 2.50, 1e3 ],\r\n  \"b\" : null\n}",
        "{\"big\": 123456789012345678901234567890, \"small\": 1.0000000000000000001}",
        "{\"huge\": 1e400}",
        "{\"twice\": 1, \"twice\": 2}",
        "\"nur Text\"",
        "{\"deep\": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}",
        "[true, false, {\"ä\\u00e4\": \"\\ud83d\\ude86\"}]",
    ])
}

/// JSON that only `json` takes, and that no strict reader does.
pub(super) fn broken_json(random: &mut Random) -> &'static str {
    random.pick(&[
        "{\"nul\": \"a\\u0000b\"}",
        "{\"lone\": \"\\ud800 x\"}",
        "[\"\\udc00\"]",
    ])
}

/// A number that is none.
pub(super) fn number(random: &mut Random) -> &'static str {
    random.pick(&["NaN", "Infinity", "-Infinity"])
}

/// A time that no calendar of ours has, or a far one that it has.
pub(super) fn time(random: &mut Random) -> &'static str {
    random.pick(&[
        "infinity",
        "-infinity",
        "0044-03-15 12:00:00 BC",
        "12345-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
        "0001-01-01 00:00:00",
    ])
}

/// A hash of a password that will not open anything.
pub(super) fn hash(random: &mut Random) -> &'static str {
    random.pick(&[
        "$2b$17$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu",
        "plain-text-password",
        "",
        "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThYRRfk",
    ])
}
